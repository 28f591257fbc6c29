//! Seasons taken out before a method and put back after it.

use rand::RngCore;

use crate::{Forecaster, Past, Paths, season};

/// A seasonal pattern, and where in it the next row lies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    indices: Vec<f64>,
    multiplicative: bool,
    next: usize,
}

impl Pattern {
    /// Indices by phase, the phase of row 0 being 0, for a series of `rows` known rows.
    pub(crate) fn new(indices: Vec<f64>, multiplicative: bool, rows: usize) -> Pattern {
        let next = rows % indices.len();
        Pattern { indices, multiplicative, next }
    }

    fn index(&self, ahead: usize) -> f64 {
        self.indices[(self.next + ahead) % self.indices.len()]
    }

    fn off(&self, value: f64, index: f64) -> f64 {
        if self.multiplicative { value / index } else { value - index }
    }

    fn on(&self, value: f64, index: f64) -> f64 {
        let value = if self.multiplicative { value * index } else { value + index };
        value.clamp(f64::MIN, f64::MAX)
    }

    /// The known rows without the pattern.
    pub(crate) fn without(&self, values: &[f64]) -> Vec<f64> {
        let size = self.indices.len();
        let off = |(row, value): (usize, &f64)| self.off(*value, self.indices[row % size]);
        values.iter().enumerate().map(off).collect()
    }

    /// The forecaster of the rows with the pattern, from one of the rows without it.
    pub(crate) fn with(self, inner: Box<dyn Forecaster>) -> Box<dyn Forecaster> {
        Box::new(Adjusted { pattern: self, inner })
    }
}

#[derive(Debug)]
struct Adjusted {
    pattern: Pattern,
    inner: Box<dyn Forecaster>,
}

impl Forecaster for Adjusted {
    fn observe(&mut self, value: f64) {
        self.inner.observe(self.pattern.off(value, self.pattern.index(0)));
        self.pattern.next = (self.pattern.next + 1) % self.pattern.indices.len();
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let inner = self.inner.paths(horizon, count, rng);
        let mut rows = inner.iter();
        Paths::draw(horizon, count, |path| {
            let row = rows.next().unwrap_or_default();
            for (step, (value, inner)) in path.iter_mut().zip(row).enumerate() {
                *value = self.pattern.on(*inner, self.pattern.index(step));
            }
        })
    }
}

/// The pattern of the longest season above `most` rows, taken from what the shorter ones leave; `None` where
/// there is no such season or it does not help to foretell one cycle from the others.
pub(crate) fn long(past: &Past, most: usize) -> Option<Pattern> {
    let usable = |season: &&usize| **season > most && season::usable(past, **season);
    let size = *past.seasons.iter().rev().find(usable)?;
    let positive = past.values.iter().all(|value| value.is_nan() || *value > 0.0);
    let mut rest = past.values.to_vec();
    for shorter in past.seasons.iter().filter(|season| **season < size) {
        if let Some(indices) = season::indices(&rest, *shorter, positive) {
            rest = Pattern::new(indices, positive, 0).without(&rest);
        }
    }
    let indices = season::smooth_indices(&rest, size, positive)?;
    Some(Pattern::new(indices, positive, past.values.len()))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::Method;

    /// Oracle: two exact seasons of 4 and 28 rows; the longer one is found, and what is left has the shorter one.
    #[test]
    fn the_longer_of_two_seasons_is_taken_out() {
        let short = [3.0, -1.0, -2.0, 0.0];
        let long_of = |row: usize| if row % 28 < 7 { 6.0 } else { -2.0 };
        let values: Vec<f64> = (0..28 * 4 + 5).map(|row| short[row % 4] + long_of(row)).collect();
        let pattern = long(&Past { values: &values, seasons: &[4, 28] }, 24).unwrap();
        for (row, value) in pattern.without(&values).iter().enumerate() {
            assert!((value - short[row % 4]).abs() < 1.0, "{row}: {value}");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f64> = (0..170).map(|_| rng.random_range(-1.0..1.0)).collect();
        let none = long(&Past { values: &noise, seasons: &[4, 28] }, 24);
        let small = |pattern: Pattern| pattern.indices.iter().all(|index| index.abs() < 0.25);
        assert!(none.is_none_or(small));
    }

    /// Oracle: the naive method on a flat rest gives back the pattern alone.
    #[test]
    fn a_pattern_is_put_back_in_phase() {
        let pattern = Pattern::new(vec![1.0, 2.0, 4.0], true, 7);
        let values: Vec<f64> = (0..7).map(|row| 5.0 * [1.0, 2.0, 4.0][row % 3]).collect();
        let rest = pattern.without(&values);
        assert_eq!(rest, [5.0; 7]);
        let inner = Method::SeasonalNaive.fit(&Past { values: &rest, seasons: &[] }).unwrap();
        let mut whole = pattern.with(inner);
        whole.observe(10.0);
        let paths = whole.paths(3, 1, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(paths.iter().next().unwrap(), [20.0, 5.0, 10.0]);
    }
}
