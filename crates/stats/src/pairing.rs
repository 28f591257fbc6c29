//! Paired differences of window scores, with the error that overlapping windows leave them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::estimate::{Estimate, satterthwaite};
use crate::summary::{mean_of_finite, variance};

/// The mean of paired differences with its 95 % interval, as it is written down.
///
/// Negative where the first forecaster is better, for scores that are better when small.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean over windows.
    pub mean: f64,
    /// Standard error of the mean.
    pub error: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Whether the interval leaves out zero.
    pub decided: bool,
    /// Forecast origins behind it: windows of several series at one time count once.
    pub origins: usize,
    /// Number of origins over which differences are taken to be correlated.
    pub lag: usize,
}

/// The dependence between windows: which of them share a time, and how many neighbors their overlap reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairing {
    /// For each window the rank of its origin in time.
    ranks: Vec<usize>,
    origins: usize,
    lag: usize,
}

/// The error rate of the interval in a [`Difference`].
const ALPHA: f64 = 0.05;

/// Fewest origins that show how much differences vary.
const FEWEST_ORIGINS: usize = 3;

impl Pairing {
    /// The dependence of windows from the time of each window's origin, the rows of a horizon, and the rows between
    /// neighboring windows.
    ///
    /// Times that are all whole numbers are ordered as numbers, others as text. The lag over `n` origins is
    ///
    /// ```text
    /// K = min(max(2 (⌈horizon / stride⌉ − 1), ⌊4 (n / 100)^{2/9}⌋), ⌊n / 4⌋)
    /// ```
    ///
    /// The horizon of a window reaches into `⌈horizon / stride⌉ − 1` others. The lag is twice that, because the
    /// weights of [`Pairing::estimate`] halve an autocovariance at that distance. It is at least the rule of thumb of
    /// Newey & West (1994), because windows that share no row are correlated too.
    ///
    /// # References
    /// Newey & West (1994), Review of Economic Studies 61, 631–653.
    pub fn new(origins: &[String], horizon: usize, stride: usize) -> Pairing {
        let mut distinct: Vec<&String> = origins.iter().collect();
        let number = |label: &String| label.parse::<i64>();
        if origins.iter().all(|label| number(label).is_ok()) {
            distinct.sort_by_key(|label| number(label).unwrap_or(0));
        } else {
            distinct.sort();
        }
        distinct.dedup();
        let places: HashMap<&String, usize> =
            distinct.iter().enumerate().map(|(rank, label)| (*label, rank)).collect();
        let ranks = origins.iter().map(|label| places[label]).collect();
        Pairing::from_ranks(ranks, horizon, stride)
    }

    /// As [`Pairing::new`], from the rank in time of each window's origin, counted from 0 without gaps.
    pub fn from_ranks(ranks: Vec<usize>, horizon: usize, stride: usize) -> Pairing {
        let n = ranks.iter().max().map_or(0, |last| last + 1);
        let overlap = 2 * (horizon.div_ceil(stride.max(1)).saturating_sub(1));
        let thumb = (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)) as usize;
        Pairing { ranks, origins: n, lag: overlap.max(thumb).min(n / 4) }
    }

    /// For each window the rank of its origin in time.
    pub fn ranks(&self) -> &[usize] {
        &self.ranks
    }

    /// The number of different origins.
    pub fn origins(&self) -> usize {
        self.origins
    }

    /// The number of origins over which differences are taken to be correlated.
    pub fn lag(&self) -> usize {
        self.lag
    }

    /// The mean of `d[seed][window]`, NaN left out, over seeds and windows, with an error that covers both.
    ///
    /// ```text
    /// SE² = V_origins + V_seeds        ν = SE⁴ / (V_origins² / (n − 1) + V_seeds² / (S − 1))
    /// u_τ = Σ_{windows at τ} (d − mean) · n / N       V_origins = (γ_0 + 2 Σ_{k≤K} (1 − k/(K+1)) γ_k) / n
    /// ```
    ///
    /// `d` without a seed is the mean over the `S` seeds, `γ_k` the autocovariances of `u` over the `n` origins of
    /// the `N` windows, `V_seeds` the variance of the per-seed means over their number, 0 for one seed. The part of
    /// the variance that is neither common to a window nor to a seed enters twice: the error errs on the large side.
    ///
    /// `None` for fewer than three origins, for windows that are not those of the pairing, or for a seed without a
    /// finite value.
    ///
    /// # References
    /// Diebold & Mariano (1995), JBES 13, 253–263, for differences of forecasts; Newey & West (1987), Econometrica
    /// 55, eq. 5, for the weights, which leave no variance negative; Driscoll & Kraay (1998), Review of Economics
    /// and Statistics 80, 549–560, for the sums over series of one time; Satterthwaite (1946) for ν.
    pub fn estimate(&self, differences: &[Vec<f64>]) -> Option<Estimate> {
        self.measure(differences).map(|(estimate, ..)| estimate)
    }

    /// As [`Pairing::estimate`], with the 95 % interval, to be written down.
    pub fn difference(&self, differences: &[Vec<f64>]) -> Option<Difference> {
        let (estimate, origins, lag) = self.measure(differences)?;
        let Estimate { mean, error, .. } = estimate;
        let (low, high) = estimate.interval(ALPHA);
        let decided = low > 0.0 || high < 0.0;
        Some(Difference { mean, error, low, high, decided, origins, lag })
    }

    /// The estimate, the origins that had a difference, and the lag over these.
    fn measure(&self, differences: &[Vec<f64>]) -> Option<(Estimate, usize, usize)> {
        let windows = self.ranks.len();
        if differences.is_empty() || differences.iter().any(|d| d.len() != windows) {
            return None;
        }
        let per_seed: Vec<f64> =
            differences.iter().map(|d| mean_of_finite(d.iter().copied())).collect::<Option<_>>()?;
        let over_seeds: Vec<Option<f64>> = (0..windows)
            .map(|window| mean_of_finite(differences.iter().map(|d| d[window])))
            .collect();
        let mean = mean_of_finite(over_seeds.iter().copied().flatten())?;
        let mut sums = vec![(0.0, 0_usize); self.origins];
        for (rank, value) in self.ranks.iter().zip(&over_seeds) {
            if let Some(value) = value {
                sums[*rank].0 += value - mean;
                sums[*rank].1 += 1;
            }
        }
        let seen: Vec<(f64, usize)> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
        let (n, all) = (seen.len(), seen.iter().map(|(_, count)| count).sum::<usize>());
        if n < FEWEST_ORIGINS {
            return None;
        }
        let deviations: Vec<f64> =
            seen.iter().map(|(sum, _)| sum * n as f64 / all as f64).collect();
        let lag = self.lag.min(n / 4);
        let of_origins = long_run_variance(&deviations, lag) / n as f64;
        let of_seeds = variance(&per_seed) / per_seed.len() as f64;
        let parts = [(of_origins, n as f64 - 1.0), (of_seeds, per_seed.len() as f64 - 1.0)];
        let (variance, freedom) = satterthwaite(&parts);
        Some((Estimate { mean, error: variance.sqrt(), freedom }, n, lag))
    }
}

/// The variance of the mean times the number of values, for deviations from the mean that are correlated over
/// `lag` neighbors. Bartlett's weights keep it from being negative.
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
mod tests;
