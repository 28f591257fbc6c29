//! Instance normalization: windows relative to their own level and spread, as in crate `vae`.

use super::window::Window;
use super::{Builder, gaps};
use crate::graph::{Binary, Reduction, Unary, Value};

/// Level and scale of each window, `[B, 1, C]`.
pub(super) struct Instance {
    center: Value,
    scale: Value,
}

impl Builder<'_> {
    /// Instance normalization, or `None` where it is off.
    pub(super) fn instance(&mut self, window: &Window) -> Option<Instance> {
        let model = self.parts.model();
        if !model.instance_norm {
            return None;
        }
        let (center, floor) = (model.instance_center, model.instance_floor);
        let graph = &mut self.graph;
        let context = window.context;
        let last = graph.shape(context)[1].known() - 1;
        let Some(observed) = window.observed else {
            let mean = graph.reduce(Reduction::Mean, context, 1);
            let centered = graph.sub(context, mean);
            let square = graph.mul(centered, centered);
            let variance = graph.reduce(Reduction::Mean, square, 1);
            let spread = graph.unary(Unary::Sqrt, variance);
            let scale = graph.with(Binary::Max, spread, floor);
            let center = match center {
                vae::Center::Mean => mean,
                vae::Center::Last => graph.slice(context, 1, last, 1),
            };
            return Some(Instance { center, scale });
        };
        let count = graph.reduce(Reduction::Sum, observed, 1);
        let safe = graph.with(Binary::Max, count, 1.0);
        let sum = graph.reduce(Reduction::Sum, context, 1);
        let mean = graph.div(sum, safe);
        let centered = graph.sub(context, mean);
        let centered = graph.mul(centered, observed);
        let square = graph.mul(centered, centered);
        let sum = graph.reduce(Reduction::Sum, square, 1);
        let variance = graph.div(sum, safe);
        let spread = graph.unary(Unary::Sqrt, variance);
        let scale = graph.with(Binary::Max, spread, floor);
        let zero = graph.number(0.0, count);
        let any = graph.binary(Binary::Greater, count, zero);
        let one = graph.number(1.0, scale);
        let scale = graph.choose(any, scale, one);
        let center = match center {
            vae::Center::Mean => mean,
            vae::Center::Last => {
                let half = graph.number(0.5, observed);
                let seen = graph.binary(Binary::Greater, observed, half);
                let nothing = graph.number(f64::NAN, context);
                let known = graph.choose(seen, context, nothing);
                let carried = gaps::last_known(graph, known);
                let at_end = graph.slice(carried, 1, last, 1);
                let zero = graph.number(0.0, at_end);
                let none = graph.unary(Unary::IsNan, at_end);
                graph.choose(none, zero, at_end)
            }
        };
        Some(Instance { center, scale })
    }

    /// The context relative to its window; zero where nothing was observed.
    pub(super) fn relative(&mut self, window: &Window, instance: &Option<Instance>) -> Value {
        let graph = &mut self.graph;
        let relative = match instance {
            None => window.context,
            Some(Instance { center, scale }) => {
                let centered = graph.sub(window.context, *center);
                graph.div(centered, *scale)
            }
        };
        match window.observed {
            None => relative,
            Some(observed) => graph.mul(relative, observed),
        }
    }

    /// Values of a window in standardized units.
    pub(super) fn standardized(&mut self, values: Value, instance: &Option<Instance>) -> Value {
        match instance {
            None => values,
            Some(Instance { center, scale }) => {
                let spread = self.graph.mul(values, *scale);
                self.graph.add(spread, *center)
            }
        }
    }
}
