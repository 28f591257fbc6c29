//! Quantiles of the samples.

use super::Builder;
use crate::graph::{Binary, Kind, Numbers, Unary, Value};

impl Builder<'_> {
    /// `[levels, B, T, C]`, linear between order statistics as in crate `stats`.
    pub(super) fn quantiles(&mut self, samples: Value) -> Value {
        let levels = self.parts.levels.to_vec();
        let count = levels.len() as i64;
        let graph = &mut self.graph;
        let sorted = graph.sort(samples);
        let samples = graph.count(samples);
        let last = graph.with(Binary::Sub, samples, 1.0);
        let levels = graph.constant(Numbers::F64(levels), &[count]);
        let place = graph.mul(levels, last);
        let low = graph.unary(Unary::Floor, place);
        let share = graph.sub(place, low);
        let high = graph.with(Binary::Add, low, 1.0);
        let high = graph.binary(Binary::Min, high, last);
        let [below, above] = [low, high].map(|place| {
            let place = graph.cast(place, Kind::I64);
            graph.take(sorted, place)
        });
        let share = graph.unflatten(share, 0, &[count, 1, 1, 1]);
        let gap = graph.sub(above, below);
        let part = graph.mul(gap, share);
        graph.add(below, part)
    }
}
