//! From standardized values to those of the table.

use data::Transform;
use train::TrainError;

use super::window::Window;
use super::{Builder, gaps};
use crate::graph::{Binary, Kind, Unary, Value};

impl Builder<'_> {
    /// Draws in the units of the table, `[S, B, T, C]` in f64; NaN for a channel that training never saw.
    pub(super) fn original(&mut self, values: Value, window: &Window) -> Result<Value, TrainError> {
        let (channels, transform) = (self.parts.shape().channels, self.parts.data().transform);
        let [center, spread] = self.affine(window.series, 0, channels as usize)?;
        let graph = &mut self.graph;
        let wide = graph.cast(values, Kind::F64);
        let scaled = graph.mul(wide, spread);
        let unscaled = graph.add(scaled, center);
        // A forecast is rounded to f32 here.
        let single = graph.cast(unscaled, Kind::F32);
        let unscaled = graph.cast(single, Kind::F64);
        let original = match transform {
            Transform::None => unscaled,
            Transform::Log => graph.unary(Unary::Exp, unscaled),
            Transform::Difference => {
                let level = self.level(window);
                let change = self.graph.cumsum(unscaled, 2);
                self.graph.add(change, level)
            }
            Transform::Return => {
                let level = self.level(window);
                let factor = self.graph.with(Binary::Add, unscaled, 1.0);
                let growth = gaps::cumulative_product(&mut self.graph, factor, 2);
                self.graph.mul(growth, level)
            }
        };
        Ok(match self.unseen(window.series, 0, channels as usize) {
            None => original,
            Some(unseen) => {
                let nothing = self.graph.number(f64::NAN, original);
                self.graph.choose(unseen, nothing, original)
            }
        })
    }

    /// The value before the first step, `[B, 1, C]`.
    fn level(&mut self, window: &Window) -> Value {
        let rows = self.parts.rows();
        if self.parts.autoencodes() {
            return self.graph.slice(window.levels, 1, 0, 1);
        }
        let known = gaps::last_known(&mut self.graph, window.levels);
        self.graph.slice(known, 1, rows - 1, 1)
    }
}
