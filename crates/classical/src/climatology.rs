//! Climatology: stretches of the past that begin at the same phase of the season.
//!
//! A path is a stretch of consecutive past rows whose first row has the phase of the step, for a long season such as
//! the day of the year a phase nearby. A stretch that reaches the last known row is followed by another one. Without a
//! season all rows are alike. With several seasons, rows are alike in the longest one and equal in the shortest.

use rand::{Rng, RngCore};

use crate::{Forecaster, Past, Paths, season};

/// Rows of a stretch without a season.
const STRETCH: usize = 8;

#[derive(Debug, Clone)]
struct Climatology {
    /// Values from the first row on, NaN where missing.
    values: Vec<f64>,
    /// Rows per season, the longest that the rows can tell; 1 for none.
    season: usize,
    /// Neighboring phases on each side that count as the same.
    window: usize,
    /// Rows of a season that is kept exactly.
    exact: usize,
}

pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let first = past.values.iter().position(|value| value.is_finite())?;
    let usable = |season: &&usize| season::usable(past, **season);
    let season = past.seasons.iter().rev().find(usable).copied().unwrap_or(1);
    let exact = past.seasons.iter().find(usable).copied().filter(|s| *s < season).unwrap_or(1);
    let window =
        if season > 24 && !(exact > 1 && season.is_multiple_of(exact)) { season / 26 } else { 0 };
    let fitted = Climatology { values: past.values[first..].to_vec(), season, window, exact };
    (past.observed() >= 2).then(|| Box::new(fitted) as Box<dyn Forecaster>)
}

impl Climatology {
    /// Known rows that are like the row `ahead` rows after the last one: observed, of the same phase.
    fn alike(&self, ahead: usize) -> Vec<usize> {
        let row = self.values.len() + ahead;
        let like = |window: usize, exact: usize| {
            let near = |other: usize| {
                let off = (row - other) % self.season;
                off.min(self.season - off) <= window
                    && (row - other).is_multiple_of(exact)
                    && self.values[other].is_finite()
            };
            (0..self.values.len()).filter(|other| near(*other)).collect::<Vec<usize>>()
        };
        let first = like(self.window, self.exact);
        let second = if first.is_empty() { like(self.window, 1) } else { first };
        if second.is_empty() { like(self.season, 1) } else { second }
    }
}

impl Forecaster for Climatology {
    fn observe(&mut self, value: f64) {
        self.values.push(if value.is_finite() { value } else { f64::NAN });
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let alike: Vec<Vec<usize>> = (0..horizon).map(|ahead| self.alike(ahead)).collect();
        let longest = if self.season > 1 { self.season } else { STRETCH };
        Paths::draw(horizon, count, |path| {
            let mut row = usize::MAX;
            for (step, value) in path.iter_mut().enumerate() {
                row = row.wrapping_add(1);
                let known = self.values.get(row).is_some_and(|value| value.is_finite());
                if !known || step % longest == 0 {
                    row = alike[step][rng.random_range(0..alike[step].len())];
                }
                *value = self.values[row];
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Oracle: rows named by their number: every drawn value has the phase of its step, and stretches are consecutive.
    #[test]
    fn stretches_have_the_phase_of_their_step() {
        let mut values: Vec<f64> = (0..58).map(f64::from).collect();
        values[30] = f64::NAN;
        let mut fitted = fit(&Past { values: &values, seasons: &[12] }).unwrap();
        fitted.observe(58.0);
        fitted.observe(f64::NAN);
        let paths = fitted.paths(15, 300, &mut ChaCha8Rng::seed_from_u64(1));
        for path in paths.iter() {
            let phases =
                path.iter().enumerate().all(|(step, row)| (60 + step) % 12 == *row as usize % 12);
            assert!(phases, "{path:?}");
            assert!(path.windows(2).filter(|pair| pair[1] == pair[0] + 1.0).count() >= 11);
        }
        let of_first: std::collections::BTreeSet<u64> = paths.step(0).map(|v| v as u64).collect();
        assert_eq!(of_first.into_iter().collect::<Vec<_>>(), [0, 12, 24, 36, 48]);
    }

    /// Oracle: the days of a year within two weeks, on the same weekday.
    #[test]
    fn long_seasons_take_neighbors_of_the_same_weekday() {
        let values: Vec<f64> = (0..800).map(f64::from).collect();
        let fitted = fit(&Past { values: &values, seasons: &[7, 365] }).unwrap();
        for row in fitted.paths(1, 500, &mut ChaCha8Rng::seed_from_u64(1)).step(0) {
            let off = (800 - row as usize) % 365;
            assert!(off.min(365 - off) <= 14 && (800 - row as usize).is_multiple_of(7), "{row}");
        }
    }

    /// Oracle: without a season every observed row is drawn about equally often.
    #[test]
    fn all_rows_without_a_season() {
        let fitted = fit(&Past { values: &[1.0, f64::NAN, 2.0, 3.0], seasons: &[] }).unwrap();
        let paths = fitted.paths(1, 3000, &mut ChaCha8Rng::seed_from_u64(1));
        for value in [1.0, 2.0, 3.0] {
            let share = paths.step(0).filter(|drawn| *drawn == value).count() as f64 / 3000.0;
            assert!((share - 1.0 / 3.0).abs() < 5.0 * (2.0 / 9.0 / 3000.0_f64).sqrt());
        }
    }
}
