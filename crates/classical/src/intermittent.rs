//! Counts with many zeros: whether there is demand, and how much.

mod sizes;

use rand::{Rng, RngCore};

use crate::{Forecaster, Past, Paths};
use sizes::{Law, Sizes};

/// Fewest observed rows.
const LEAST: usize = 12;
/// Smallest share of zeros.
const ZEROS: f64 = 0.25;
/// Rates at which the probability and the size follow the rows.
pub(crate) const RATES: [f64; 7] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3];
/// Weight of the common probability in that of each phase, in rows.
const PRIOR: f64 = 2.0;

/// Fits the probability of demand, which follows the rows as Teunter, Syntetos and Babai (2011) propose,
///
/// ```text
/// p_t = p_{t-1} + α (o_t - p_{t-1}),   o_t = 1 if y_t > 0 else 0
/// ```
///
/// and the law of sizes: the known ones, each weighing `(1 - β)` to the power of its age among them. A probability per
/// phase of the season, and sizes of neighboring phases, are used where the former raises the likelihood by more than Schwarz's criterion asks. `None` where a row
/// is negative or less than a quarter of the rows is zero.
pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let known: Vec<(usize, f64)> =
        past.values.iter().copied().enumerate().filter(|(_, value)| value.is_finite()).collect();
    let zeros = known.iter().filter(|(_, value)| *value == 0.0).count();
    let refused = known.len() < LEAST
        || known.iter().any(|(_, value)| *value < 0.0)
        || (zeros as f64) < ZEROS * known.len() as f64;
    if refused {
        return None;
    }
    let season = past.season();
    let plain = Occurrence::fit(&known, 1);
    let phased = (season > 1 && known.len() >= 3 * season).then(|| Occurrence::fit(&known, season));
    let asked = 0.5 * (season as f64 - 1.0) * (known.len() as f64).ln();
    let occurrence = phased.filter(|phased| phased.score - plain.score > asked).unwrap_or(plain);
    let sizes = Sizes::fit(known.into_iter().filter(|(_, value)| *value > 0.0).collect());
    Some(Box::new(Intermittent { occurrence, sizes, time: past.values.len() }))
}

/// A fitted intermittent series.
#[derive(Debug, Clone)]
struct Intermittent {
    occurrence: Occurrence,
    sizes: Sizes,
    time: usize,
}

/// The probability of a value above zero, one per phase.
#[derive(Debug, Clone)]
struct Occurrence {
    probabilities: Vec<f64>,
    rate: f64,
    /// Log-likelihood of the known rows, each given those before it.
    score: f64,
}

impl Occurrence {
    /// The rate with the largest likelihood. Each phase starts from its share, drawn toward the common one.
    fn fit(known: &[(usize, f64)], season: usize) -> Occurrence {
        let share = |rows: &mut dyn Iterator<Item = f64>, prior: f64, weight: f64| {
            let (some, all) = rows.fold((prior * weight, weight), |(some, all), value| {
                (some + f64::from(u8::from(value > 0.0)), all + 1.0)
            });
            some / all
        };
        let common = share(&mut known.iter().map(|(_, value)| *value), 0.5, 1.0);
        let start: Vec<f64> = (0..season)
            .map(|phase| {
                let rows = known.iter().filter(|(row, _)| row % season == phase);
                share(&mut rows.map(|(_, value)| *value), common, PRIOR)
            })
            .collect();
        let run = |&rate: &f64| {
            let mut occurrence = Occurrence { probabilities: start.clone(), rate, score: 0.0 };
            for &(row, value) in known {
                let probability = occurrence.at(row);
                let of = if value > 0.0 { probability } else { 1.0 - probability };
                occurrence.score += of.max(1e-6).ln();
                occurrence.follow(row, value);
            }
            occurrence
        };
        let first = run(&0.0);
        RATES[1..].iter().map(run).fold(first, |best, other| {
            // A rate is one more unknown.
            if other.score > best.score + 1.0 { other } else { best }
        })
    }

    fn at(&self, row: usize) -> f64 {
        self.probabilities[row % self.probabilities.len()]
    }

    fn follow(&mut self, row: usize, value: f64) {
        let phase = row % self.probabilities.len();
        let occurred = f64::from(u8::from(value > 0.0));
        self.probabilities[phase] += self.rate * (occurred - self.probabilities[phase]);
    }
}

impl Forecaster for Intermittent {
    fn observe(&mut self, value: f64) {
        if value.is_finite() {
            self.occurrence.follow(self.time, value);
            if value > 0.0 {
                self.sizes.push(self.time, value);
            }
        }
        self.time += 1;
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let season = self.occurrence.probabilities.len();
        let laws: Vec<Law> =
            (0..season.min(horizon)).map(|step| self.sizes.law(self.time + step, season)).collect();
        Paths::draw(horizon, count, |path| {
            for (step, out) in path.iter_mut().enumerate() {
                let some = rng.random::<f64>() < self.occurrence.at(self.time + step);
                *out = if some { laws[step % season].draw(rng) } else { 0.0 };
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Share of values above zero, and their mean, at each step.
    fn shares(values: &[f64], seasons: &[usize], horizon: usize) -> Vec<(f64, f64)> {
        const COUNT: usize = 4000;
        let forecaster = fit(&Past { values, seasons }).unwrap();
        let paths = forecaster.paths(horizon, COUNT, &mut ChaCha8Rng::seed_from_u64(1));
        let of_step = |step| {
            let some: Vec<f64> = paths.step(step).filter(|value| *value > 0.0).collect();
            let mean = some.iter().sum::<f64>() / some.len().max(1) as f64;
            (some.len() as f64 / COUNT as f64, mean)
        };
        (0..horizon).map(of_step).collect()
    }

    fn draws(count: usize, probability: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let some = |row| rng.random::<f64>() < probability(row);
        let rows: Vec<bool> = (0..count).map(some).collect();
        rows.iter()
            .enumerate()
            .map(|(row, &some)| if some { (row % 3 + 1) as f64 } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_steady_share_and_its_sizes_are_found() {
        let values = draws(600, |_| 0.3);
        let share = values.iter().filter(|value| **value > 0.0).count() as f64 / 600.0;
        // The standard error of 4000 draws is 0.0072 for the share and 0.024 for the mean of sizes one to three.
        for (found, size) in shares(&values, &[], 3) {
            assert!((found - share).abs() < 0.03, "{found} {share}");
            assert!((size - 2.0).abs() < 0.15, "{size}");
        }
    }

    #[test]
    fn phases_are_told_apart_where_there_is_evidence() {
        let values = draws(240, |row| if row % 4 == 0 { 0.9 } else { 0.1 });
        let found = shares(&values, &[4], 4);
        assert!(found[0].0 > 0.75, "{found:?}");
        assert!(found[1..].iter().all(|(share, _)| *share < 0.25), "{found:?}");
    }

    #[test]
    fn the_rate_follows_the_formula() {
        let mut occurrence = Occurrence { probabilities: vec![0.5], rate: 0.2, score: 0.0 };
        occurrence.follow(0, 3.0);
        assert!((occurrence.at(1) - 0.6).abs() < 1e-12);
        occurrence.follow(1, 0.0);
        assert!((occurrence.at(2) - 0.48).abs() < 1e-12);
    }

    #[test]
    fn series_of_another_kind_are_refused() {
        let refused = |values: &[f64]| fit(&Past { values, seasons: &[] }).is_none();
        let mut values = [0.0, 1.0, 1.0, 1.0].repeat(5);
        assert!(!refused(&values));
        values[0] = 1.0;
        assert!(refused(&values));
        values = vec![0.0; 19];
        values.push(-1.0);
        assert!(refused(&values));
        values[19] = 0.0;
        assert!(!refused(&values));
    }
}
