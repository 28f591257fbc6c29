//! Paired differences of window scores, with the error that overlapping windows leave them.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The mean of paired differences, negative where the first forecaster is better, for scores that are
/// better when small.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Over windows.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Whether the interval leaves out zero.
    pub decided: bool,
    /// Forecast origins behind it: windows of several series at one time count once.
    pub origins: usize,
    /// Origins over which differences are taken to be correlated.
    pub lag: usize,
}

/// Which windows share a time, and how far their overlap reaches.
#[derive(Debug, Clone)]
pub struct Pairing {
    /// For each window the rank of its origin in time.
    ranks: Vec<usize>,
    origins: usize,
    lag: usize,
}

impl Pairing {
    /// From the time of each window's origin, and the rows of a horizon and between neighboring windows.
    ///
    /// The lag is twice the number of windows that one window's horizon reaches into, as the weights halve
    /// what lies at that distance; at least the rule of thumb `4 (n/100)^(2/9)` (Newey & West 1994), as
    /// windows apart are correlated too; at most a quarter of the origins.
    pub fn new(origins: &[String], horizon: usize, stride: usize) -> Pairing {
        let mut distinct: Vec<&String> = origins.iter().collect();
        let number = |label: &String| label.parse::<i64>();
        if origins.iter().all(|label| number(label).is_ok()) {
            distinct.sort_by_key(|label| number(label).unwrap_or(0));
        } else {
            distinct.sort();
        }
        distinct.dedup();
        let places: std::collections::HashMap<&String, usize> =
            distinct.iter().enumerate().map(|(rank, label)| (*label, rank)).collect();
        let n = distinct.len();
        let overlap = 2 * (horizon.div_ceil(stride.max(1)).saturating_sub(1));
        let thumb = (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)) as usize;
        Pairing {
            ranks: origins.iter().map(|label| places[label]).collect(),
            origins: n,
            lag: overlap.max(thumb).min(n / 4),
        }
    }

    /// The mean of `d[seed][window]`, NaN left out, over seeds and windows, with the interval of Diebold &
    /// Mariano (1995):
    ///
    /// ```text
    /// SE² = V_origins + V_seeds,        mean ± t_{n−1}(.975) · SE
    /// u_τ = Σ_{windows at τ} (d − mean) · n / N       V_origins = (γ_0 + 2 Σ_{k≤K} (1 − k/(K+1)) γ_k) / n
    /// ```
    ///
    /// `γ_k` autocovariances of `u` over the `n` origins (Newey & West 1987; summed over the series of one
    /// time as in Driscoll & Kraay 1998), `V_seeds` the variance of the per-seed means over their number.
    /// `None` for fewer than three origins, or windows that do not fit.
    pub fn difference(&self, differences: &[Vec<f64>]) -> Option<Difference> {
        let windows = self.ranks.len();
        if differences.is_empty() || differences.iter().any(|d| d.len() != windows) {
            return None;
        }
        let average = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = values
                .filter(|value| value.is_finite())
                .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        };
        let over_seeds: Vec<f64> = (0..windows)
            .map(|window| average(&mut differences.iter().map(|d| d[window])))
            .collect();
        let mean = average(&mut over_seeds.iter().copied());
        let mut sums = vec![(0.0, 0_usize); self.origins];
        for (rank, value) in self.ranks.iter().zip(&over_seeds).filter(|(_, v)| v.is_finite()) {
            sums[*rank].0 += value - mean;
            sums[*rank].1 += 1;
        }
        let seen: Vec<(f64, usize)> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
        let (n, all) = (seen.len(), seen.iter().map(|(_, count)| count).sum::<usize>());
        if n < 3 {
            return None;
        }
        let deviations: Vec<f64> =
            seen.iter().map(|(sum, _)| sum * n as f64 / all as f64).collect();
        let per_seed: Vec<f64> =
            differences.iter().map(|d| average(&mut d.iter().copied())).collect();
        let lag = self.lag.min(n / 4);
        let of_seeds = variance(&per_seed) / per_seed.len() as f64;
        let error = (long_run_variance(&deviations, lag) / n as f64 + of_seeds).sqrt();
        let width = StudentsT::new(0.0, 1.0, n as f64 - 1.0).ok()?.inverse_cdf(0.975) * error;
        let (low, high) = (mean - width, mean + width);
        let decided = low > 0.0 || high < 0.0;
        Some(Difference { mean, error, low, high, decided, origins: n, lag })
    }
}

/// Sample variance; 0 for one value.
fn variance(values: &[f64]) -> f64 {
    let center = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - center).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// With Bartlett's weights: never negative.
fn long_run_variance(deviations: &[f64], lag: usize) -> f64 {
    let n = deviations.len();
    let autocovariance = |k: usize| {
        let products = deviations[k..].iter().zip(deviations).map(|(a, b)| a * b);
        products.sum::<f64>() / (n as f64 - 1.0)
    };
    let weighted = (1..=lag).map(|k| (1.0 - k as f64 / (lag as f64 + 1.0)) * autocovariance(k));
    autocovariance(0) + 2.0 * weighted.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use rand_distr::StandardNormal;

    use super::*;

    fn times(count: usize) -> Vec<String> {
        (0..count).map(|t| t.to_string()).collect()
    }

    /// Oracle: for uncorrelated windows and lag 0 the paired t interval of a textbook.
    #[test]
    fn without_overlap_it_is_the_paired_t_interval() {
        let pairing = Pairing::new(&times(3), 1, 1);
        assert_eq!(pairing.lag, 0);
        let found = pairing.difference(&[vec![1.0, 2.0, 6.0]]).unwrap();
        let error = (7.0_f64 / 3.0).sqrt();
        assert!((found.mean - 3.0).abs() < 1e-12 && (found.error - error).abs() < 1e-12);
        // t of two degrees of freedom, 97.5 %: 4.302653.
        assert!((found.high - (3.0 + 4.302_652_73 * error)).abs() < 1e-6 && !found.decided);
        assert!(pairing.difference(&[vec![1.0, 2.0]]).is_none());
        assert!(Pairing::new(&times(2), 1, 1).difference(&[vec![1.0, 2.0]]).is_none());
        let gap =
            Pairing::new(&times(4), 1, 1).difference(&[vec![1.0, f64::NAN, 2.0, 6.0]]).unwrap();
        assert_eq!((gap.mean, gap.error, gap.origins), (found.mean, found.error, 3));
    }

    /// Oracle: the frequency with which intervals of moving sums of H normals cover their true mean.
    #[test]
    fn intervals_cover_as_often_as_they_say() {
        let (horizon, windows, repeats) = (5, 400, 400);
        let pairing = Pairing::new(&times(windows), horizon, 1);
        assert_eq!(pairing.lag, 8);
        let covered = (0..repeats).filter(|seed| {
            let mut generator = StdRng::seed_from_u64(*seed);
            let noise: Vec<f64> =
                (0..windows + horizon).map(|_| generator.sample(StandardNormal)).collect();
            let sums = noise.windows(horizon).take(windows).map(|w| w.iter().sum()).collect();
            !pairing.difference(&[sums]).unwrap().decided
        });
        let share = covered.count() as f64 / repeats as f64;
        // Bartlett's weights cost some variance; a t interval that ignored overlap would cover 62 %.
        assert!((0.88..0.97).contains(&share), "{share}");
    }

    /// Oracle: ten series that say the same say no more than one; ten that are independent say √10 times
    /// as much, by sampling.
    #[test]
    fn series_of_one_time_count_once() {
        let mut generator = StdRng::seed_from_u64(1);
        let one: Vec<f64> = (0..300).map(|_| generator.sample(StandardNormal)).collect();
        let alone = Pairing::new(&times(300), 1, 1).difference(std::slice::from_ref(&one)).unwrap();
        let panel = Pairing::new(&vec![times(300); 10].concat(), 1, 1);
        let same = panel.difference(&[one.repeat(10)]).unwrap();
        assert!((same.error / alone.error - 1.0).abs() < 1e-9);
        assert_eq!(same.origins, 300);
        let different = (0..3000).map(|_| generator.sample(StandardNormal)).collect();
        let different = panel.difference(&[different]).unwrap();
        assert!((different.error * 3000_f64.sqrt() - 1.0).abs() < 0.25, "{different:?}");
    }

    /// Oracle: seeds that differ by a constant each: the variance of the constants over their number.
    #[test]
    fn seeds_add_their_variance() {
        let found = Pairing::new(&times(8), 1, 1)
            .difference(&[vec![1.0; 8], vec![2.0; 8], vec![6.0; 8]])
            .unwrap();
        assert!((found.mean - 3.0).abs() < 1e-12);
        assert!((found.error - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn times_are_ordered_as_numbers_where_they_are() {
        let labels = ["9", "10", "11", "9"].map(str::to_owned);
        assert_eq!(Pairing::new(&labels, 1, 1).ranks, [0, 1, 2, 0]);
        let dates = ["2012-02-01", "2012-01-31"].map(str::to_owned);
        assert_eq!(Pairing::new(&dates, 1, 1).ranks, [1, 0]);
        // A horizon of 24 every 96 rows shares nothing; one of 720 reaches into seven more.
        assert_eq!(Pairing::new(&times(100), 720, 96).lag, 14);
        assert_eq!(Pairing::new(&times(100), 24, 96).lag, 4);
    }
}
