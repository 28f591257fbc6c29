//! Intervals that cover what they promise.

use serde::{Deserialize, Serialize};

use crate::Quantiles;
use crate::quantiles::MEDIAN;
use crate::weights::Source;

/// Factors by which quantiles move away from the median, one per step and half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Factors below the median, one per step; the last one goes on.
    pub lower: Vec<f64>,
    /// Factors above the median.
    pub upper: Vec<f64>,
    /// The evidence for them.
    pub source: Source,
}

/// How strongly the factors are shrunk, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Widening {
    /// The factor without evidence.
    pub prior: f64,
    /// Disjoint horizons that weigh as much as the prior.
    pub strength: f64,
    /// Disjoint horizons from which on both halves get factors of their own.
    pub halves_from: usize,
    /// Steps on each side that share in a step's factor, as a share of the horizon.
    pub reach: f64,
}

impl Default for Widening {
    fn default() -> Widening {
        Widening { prior: 1.1, strength: 4.0, halves_from: 10, reach: 0.25 }
    }
}

/// Interval probabilities whose conformal factors are averaged.
const COVERAGES: [f64; 3] = [0.7, 0.8, 0.9];

/// Factors lie between this and its inverse.
const LEAST: f64 = 0.2;

/// A scaled error of one step.
#[derive(Debug, Clone, Copy)]
struct Error {
    step: usize,
    /// For each of [`COVERAGES`]: how many half widths the truth lies below and above the median, NaN for a half
    /// without width that the truth does not leave.
    below: [f64; COVERAGES.len()],
    above: [f64; COVERAGES.len()],
}

impl Calibration {
    /// Factors of 1.
    pub fn none() -> Calibration {
        Calibration { lower: vec![1.0], upper: vec![1.0], source: Source::Prior }
    }

    /// Conformal factors of past forecasts, smooth in the step and shrunk to a prior.
    ///
    /// ```text
    /// s_i(c) = max((median − y) / (median − q_low), (y − median) / (q_high − median))       [q_low, q_high] holds c
    /// f(c)   = s_(k), k = c (N + 1), of the N scores of the steps around
    /// log f  = (n · mean_c log f(c) + k · log prior) / (n + k)        c = .7, .8, .9
    /// ```
    ///
    /// with `n` disjoint horizons and `k` the strength. Errors of one horizon depend on each other, so that the
    /// conformal rank promises its coverage only with a factor of 1 for independent ones; the shrinkage, which
    /// counts horizons, takes care of the rest. With enough horizons each half of the forecast gets its own factor,
    /// of the errors on its side of the median.
    ///
    /// # References
    /// Romano, Patterson & Candès (2019), eq. 9, with widths in place of a constant; Vovk, Gammerman & Shafer (2005),
    /// section 2.2.
    pub fn fit(
        forecasts: &[(&Quantiles, &[f64])],
        horizons: usize,
        widening: &Widening,
    ) -> Calibration {
        let steps = forecasts.iter().map(|(q, _)| q.horizon()).max().unwrap_or(0);
        let errors: Vec<Error> = forecasts.iter().flat_map(|(q, y)| errors(q, y)).collect();
        if errors.is_empty() || horizons == 0 || steps == 0 {
            let factors = vec![widening.prior];
            return Calibration { lower: factors.clone(), upper: factors, source: Source::Prior };
        }
        let source = Source::Learned { horizons };
        let along = |of: &dyn Fn(&Error, usize) -> f64| -> Vec<f64> {
            (0..steps).map(|step| factor(&errors, step, steps, horizons, widening, of)).collect()
        };
        if horizons < widening.halves_from {
            let both = along(&|error, c| error.below[c].max(error.above[c]));
            return Calibration { lower: both.clone(), upper: both, source };
        }
        let lower = along(&|error, c| error.below[c]);
        Calibration { lower, upper: along(&|error, c| error.above[c]), source }
    }

    /// The calibrated quantiles; `None` where a factor makes them infinite.
    pub fn apply(&self, quantiles: &Quantiles) -> Option<Quantiles> {
        let at = |factors: &[f64], step: usize| {
            factors.get(step).or(factors.last()).copied().unwrap_or(1.0)
        };
        Quantiles::from_fn(quantiles.horizon(), |step, level| {
            let row = quantiles.step(step);
            let factors = if level < MEDIAN { &self.lower } else { &self.upper };
            row[MEDIAN] + at(factors, step) * (row[level] - row[MEDIAN])
        })
    }
}

/// The scaled errors of one forecast.
fn errors(quantiles: &Quantiles, truth: &[f64]) -> Vec<Error> {
    let steps = truth.iter().copied().enumerate().take(quantiles.horizon());
    let observed = steps.filter(|(_, y)| y.is_finite());
    observed
        .map(|(step, y)| {
            let median = quantiles.step(step)[MEDIAN];
            let ratio = |distance: f64, width: f64| match (distance > 0.0, width > 0.0) {
                (_, true) => distance / width,
                (true, false) => f64::INFINITY,
                (false, false) => 0.0,
            };
            let below =
                COVERAGES.map(|c| ratio(median - y, median - quantiles.at(step, (1.0 - c) / 2.0)));
            let above =
                COVERAGES.map(|c| ratio(y - median, quantiles.at(step, (1.0 + c) / 2.0) - median));
            Error { step, below, above }
        })
        .collect()
}

/// The shrunk factor of one step.
fn factor(
    errors: &[Error],
    step: usize,
    steps: usize,
    horizons: usize,
    widening: &Widening,
    of: &dyn Fn(&Error, usize) -> f64,
) -> f64 {
    let reach = widening.reach * steps as f64;
    let near = |error: &&Error| (error.step as f64 - step as f64).abs() <= reach;
    let halves = horizons >= widening.halves_from;
    let logs = COVERAGES.iter().enumerate().map(|(index, coverage)| {
        let mut scores: Vec<f64> =
            errors.iter().filter(near).map(|error| of(error, index)).collect();
        // A half covers its own side and the whole other half.
        let share = if halves { (1.0 + coverage) / 2.0 } else { *coverage };
        conformal(&mut scores, share).clamp(LEAST, 1.0 / LEAST).ln()
    });
    let learned = logs.sum::<f64>() / COVERAGES.len() as f64;
    let n = horizons as f64;
    let shrunk = (n * learned + widening.strength * widening.prior.ln()) / (n + widening.strength);
    shrunk.exp()
}

/// The conformal quantile of N scores at `share`.
///
/// ```text
/// s_(k) with k = share · (N + 1), from 1, linear between order statistics, at most N
/// ```
fn conformal(scores: &mut [f64], share: f64) -> f64 {
    scores.sort_unstable_by(f64::total_cmp);
    let most = scores.len().saturating_sub(1) as f64;
    let position = (share * (scores.len() + 1) as f64 - 1.0).clamp(0.0, most);
    let level = if most > 0.0 { position / most } else { 0.0 };
    stats::quantile(scores, level.min(1.0)).filter(|q| !q.is_nan()).unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests;
