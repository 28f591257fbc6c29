//! Forecasts as quantiles on one grid of levels.

use std::sync::LazyLock;

use classical::Paths;
use serde::{Deserialize, Serialize};

/// The number of levels.
const COUNT: usize = 41;

/// Levels of all quantiles in this crate: .025, .05, …, .975, and .005 and .995 for the tails.
pub const LEVELS: [f64; COUNT] = levels();

const fn levels() -> [f64; COUNT] {
    let mut levels = [0.005; COUNT];
    let mut index = 1;
    while index < COUNT - 1 {
        levels[index] = index as f64 / (COUNT - 1) as f64;
        index += 1;
    }
    levels[COUNT - 1] = 0.995;
    levels
}

/// The index of the median among [`LEVELS`].
pub(crate) const MEDIAN: usize = COUNT / 2;

/// The share of each level in the integral over (0, 1): half the distance to its neighbors, and to the borders.
pub(crate) static SHARES: LazyLock<[f64; COUNT]> = LazyLock::new(|| {
    let border = |index: usize| match index {
        0 => 0.0,
        COUNT => 1.0,
        _ => (LEVELS[index - 1] + LEVELS[index]) / 2.0,
    };
    std::array::from_fn(|index| border(index + 1) - border(index))
});

/// Quantiles of each step ahead at the levels [`LEVELS`], in original units: finite, and rising with the level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// `[step][level]`.
    values: Vec<f64>,
}

impl Quantiles {
    /// Quantiles of sample paths, linear between order statistics ([`stats::quantile`]).
    ///
    /// `None` for no paths, no steps, or a value that is not finite.
    pub fn of_paths(paths: &Paths) -> Option<Quantiles> {
        let mut values = Vec::with_capacity(paths.horizon() * COUNT);
        for step in 0..paths.horizon() {
            let mut sorted: Vec<f64> = paths.step(step).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            for level in LEVELS {
                values.push(stats::quantile(&sorted, level)?);
            }
        }
        Quantiles::checked(values)
    }

    /// Quantiles at other levels, brought to [`LEVELS`] by linear interpolation; beyond the outermost ones the
    /// nearest straight line goes on. Values of a step that fall with the level are sorted.
    ///
    /// `levels` rise within (0, 1), two or more; `rows` has one row per step with a value per level. `None` for
    /// anything else, or a value that is not finite.
    pub fn of_levels(levels: &[f64], rows: &[Vec<f64>]) -> Option<Quantiles> {
        let rising = levels.windows(2).all(|pair| pair[0] < pair[1]);
        if levels.len() < 2 || !rising || rows.iter().any(|row| row.len() != levels.len()) {
            return None;
        }
        let mut values = Vec::with_capacity(rows.len() * COUNT);
        for row in rows {
            let mut row = row.clone();
            row.sort_unstable_by(f64::total_cmp);
            values.extend(LEVELS.map(|level| interpolate(levels, &row, level)));
        }
        Quantiles::checked(values)
    }

    /// Quantiles of a function of step and index of the level; what falls with the level is raised.
    pub(crate) fn from_fn(
        horizon: usize,
        mut value: impl FnMut(usize, usize) -> f64,
    ) -> Option<Quantiles> {
        let mut values = Vec::with_capacity(horizon * COUNT);
        for step in 0..horizon {
            let mut least = f64::NEG_INFINITY;
            for level in 0..COUNT {
                least = value(step, level).max(least);
                values.push(least);
            }
        }
        Quantiles::checked(values)
    }

    fn checked(values: Vec<f64>) -> Option<Quantiles> {
        let good = !values.is_empty() && values.iter().all(|value| value.is_finite());
        good.then_some(Quantiles { values })
    }

    /// Quantiles from the numbers of [`Quantiles::iter`], step by step. `None` unless they are finite, and as many as some
    /// steps have.
    pub fn of_values(values: Vec<f64>) -> Option<Quantiles> {
        Quantiles::checked(values).filter(|quantiles| quantiles.values.len() % COUNT == 0)
    }

    /// The number of steps.
    pub fn horizon(&self) -> usize {
        self.values.len() / COUNT
    }

    /// The first `steps` steps; `None` if there are fewer, or none.
    pub fn first(&self, steps: usize) -> Option<Quantiles> {
        let values = self.values.get(..steps * COUNT)?.to_vec();
        Quantiles::checked(values)
    }

    /// The quantiles of one step, one per level.
    pub fn step(&self, step: usize) -> &[f64] {
        &self.values[step * COUNT..(step + 1) * COUNT]
    }

    /// The steps in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(COUNT)
    }

    /// The quantile of one step at any level, linear between [`LEVELS`] and constant beyond them.
    pub fn at(&self, step: usize, level: f64) -> f64 {
        let level = level.clamp(LEVELS[0], LEVELS[COUNT - 1]);
        interpolate(&LEVELS, self.step(step), level)
    }

    /// The mean of one step: the integral of the quantiles over the levels.
    ///
    /// ```text
    /// E y = ∫ q_τ dτ
    /// ```
    pub fn mean(&self, step: usize) -> f64 {
        self.step(step).iter().zip(SHARES.iter()).map(|(value, share)| share * value).sum()
    }

    /// The continuous ranked probability score of one step, as the integral of the quantile loss over [`LEVELS`].
    ///
    /// ```text
    /// CRPS = ∫ 2 (τ − [y < q_τ]) (y − q_τ) dτ
    /// ```
    ///
    /// # References
    /// Laio & Tamea (2007), Hydrology and Earth System Sciences 11, 1267–1277, eq. 8.
    pub fn crps(&self, step: usize, truth: f64) -> f64 {
        let losses = self.step(step).iter().zip(LEVELS).zip(SHARES.iter());
        losses.map(|((value, level), share)| share * loss(truth - value, level)).sum()
    }

    /// Whether the central interval of probability `coverage` holds the truth, borders included.
    pub fn covers(&self, step: usize, truth: f64, coverage: f64) -> bool {
        let tail = (1.0 - coverage) / 2.0;
        self.at(step, tail) <= truth && truth <= self.at(step, 1.0 - tail)
    }
}

/// Twice the quantile loss of an error `y − q`.
pub(crate) fn loss(error: f64, level: f64) -> f64 {
    2.0 * (level * error).max((level - 1.0) * error)
}

/// The straight line through the two points around `at`, or the outermost two.
fn interpolate(levels: &[f64], values: &[f64], at: f64) -> f64 {
    let upper = levels.partition_point(|level| *level < at).clamp(1, levels.len() - 1);
    let (low, high) = (levels[upper - 1], levels[upper]);
    let share = (at - low) / (high - low);
    // A weighted mean, as a difference of huge values would overflow.
    (1.0 - share) * values[upper - 1] + share * values[upper]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_symmetric_and_their_shares_sum_to_one() {
        assert_eq!(LEVELS[MEDIAN], 0.5);
        assert!((LEVELS[2] - 0.05).abs() < 1e-15 && (LEVELS[38] - 0.95).abs() < 1e-15);
        assert!(LEVELS.iter().zip(LEVELS.iter().rev()).all(|(a, b)| (a + b - 1.0).abs() < 1e-12));
        assert!((SHARES.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((SHARES[20] - 0.025).abs() < 1e-12 && (SHARES[0] - 0.015).abs() < 1e-12);
    }

    /// Oracle: order statistics by hand.
    #[test]
    fn quantiles_of_paths_are_order_statistics() {
        let mut next = 0.0;
        let paths = Paths::draw(2, 201, |path| {
            path[0] = 200.0 - next;
            path[1] = 7.0;
            next += 1.0;
        });
        let found = Quantiles::of_paths(&paths).unwrap();
        assert_eq!(found.horizon(), 2);
        for (value, level) in found.step(0).iter().zip(LEVELS) {
            assert!((value - 200.0 * level).abs() < 1e-9);
        }
        assert!(found.step(1).iter().all(|value| *value == 7.0));
        assert!((found.at(0, 0.33) - 66.0).abs() < 1e-9);
        assert_eq!(found.first(1).unwrap().step(0), found.step(0));
        assert!(found.first(0).is_none() && found.first(3).is_none());
        assert_eq!(found.at(0, 0.0), found.at(0, 0.005));
    }

    #[test]
    fn what_is_not_finite_is_no_forecast() {
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(Quantiles::of_paths(&Paths::draw(1, 3, |path| path[0] = value)), None);
        }
        assert_eq!(Quantiles::of_paths(&Paths::draw(1, 0, |_| ())), None);
        assert_eq!(Quantiles::of_paths(&Paths::draw(0, 5, |_| ())), None);
        let mut sign = 1.0;
        let huge = Paths::draw(1, 9, |path| {
            path[0] = sign * f64::MAX;
            sign = -sign;
        });
        assert!(Quantiles::of_paths(&huge).is_none_or(|q| q.at(0, 0.3).is_finite()));
    }

    #[test]
    fn other_levels_are_interpolated() {
        let levels = [0.1, 0.5, 0.9];
        let found =
            Quantiles::of_levels(&levels, &[vec![1.0, 5.0, 9.0], vec![3.0, 2.0, 1.0]]).unwrap();
        for (value, level) in found.step(0).iter().zip(LEVELS) {
            assert!((value - 10.0 * level).abs() < 1e-12);
        }
        assert!((found.at(1, 0.5) - 2.0).abs() < 1e-12);
        assert_eq!(Quantiles::of_levels(&[0.5], &[vec![1.0]]), None);
        assert_eq!(Quantiles::of_levels(&[0.5, 0.1], &[vec![1.0, 2.0]]), None);
        assert_eq!(Quantiles::of_levels(&levels, &[vec![1.0, 2.0]]), None);
        assert_eq!(Quantiles::of_levels(&levels, &[vec![1.0, f64::NAN, 2.0]]), None);
    }

    /// Oracle: the closed form of a uniform law on (0, 1), `CRPS = 1/3 − y (1 − y)` for y within, and of a point.
    #[test]
    fn the_score_is_that_of_the_closed_form() {
        let uniform = Quantiles::from_fn(1, |_, level| LEVELS[level]).unwrap();
        for truth in [0.1, 0.5, 0.77] {
            let expected = 1.0 / 3.0 - truth * (1.0 - truth);
            assert!((uniform.crps(0, truth) - expected).abs() < 3e-4, "{truth}");
        }
        let point = Quantiles::from_fn(1, |_, _| 2.0).unwrap();
        assert!((point.crps(0, 5.0) - 3.0).abs() < 1e-12);
        assert!(uniform.covers(0, 0.1, 0.8) && !uniform.covers(0, 0.0999, 0.8));
    }
}
