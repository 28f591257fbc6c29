//! Weights of the members.

use serde::{Deserialize, Serialize};

use crate::descent::{Optimum, Problem};
use crate::quantiles::SHARES;
use crate::{History, LEVELS};

/// Weights of the members, on the simplex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// One per member, zero or above; they sum to 1, or are all zero where every member failed.
    pub values: Vec<f64>,
    /// What they rest on.
    pub source: Source,
    /// Mean score of the pool over the folds, in units of [`History::scale`]; unknown without folds.
    pub loss: Option<f64>,
    /// How far the penalized score may lie above its minimum.
    pub gap: f64,
}

/// What weights or a calibration rest on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Nothing but the prior: there were no usable folds.
    Prior,
    /// Past forecasts over so many horizons without a common row, summed over series.
    Learned {
        /// Disjoint horizons.
        horizons: usize,
    },
}

/// Differences beyond this many scales count as this large: sums of what exploded stay finite.
const FARTHEST: f64 = 1e9;

impl Weights {
    /// The weights that minimize the score of the pool on past forecasts, shrunk towards `prior`.
    ///
    /// ```text
    /// min_w  L(w) + κ · L(prior) / n · KL(w ‖ prior)
    /// L(w) = mean over series, and in each over folds and steps, of CRPS(Σ_m w_m Q_m, y) / scale
    /// ```
    ///
    /// `n` is the number of disjoint horizons over all series, `shrink` is κ. The prior is made to sum to 1. A member
    /// that failed anywhere, or whose prior is zero, gets no weight. Several series share the weights. Without
    /// folds, or a truth in them, the weights are the prior.
    pub fn fit(histories: &[&History], prior: &[f64], shrink: f64) -> Weights {
        let prior = usable(histories, prior);
        let problem = problem(histories, prior.len());
        let horizons: usize = histories.iter().map(|history| history.disjoint).sum();
        let members = prior.iter().filter(|weight| **weight > 0.0).count();
        if problem.terms.is_empty() || horizons == 0 || members == 0 {
            return Weights { values: prior, source: Source::Prior, loss: None, gap: 0.0 };
        }
        let start = problem.value(&prior, &mut vec![0.0; prior.len()]);
        let penalty = shrink.max(0.0) * start / horizons as f64;
        let optimum = if members < 2 || !penalty.is_finite() {
            Optimum { weights: prior, loss: start, gap: 0.0 }
        } else {
            problem.minimize(&prior, penalty)
        };
        let Optimum { weights, loss, gap } = optimum;
        Weights { values: weights, source: Source::Learned { horizons }, loss: Some(loss), gap }
    }

    /// Equal weights that rest on nothing.
    pub fn equal(members: usize) -> Weights {
        let values = vec![1.0 / members.max(1) as f64; members];
        Weights { values, source: Source::Prior, loss: None, gap: 0.0 }
    }
}

/// The prior without the members that failed somewhere, summing to 1.
fn usable(histories: &[&History], prior: &[f64]) -> Vec<f64> {
    let good = |member: usize| histories.iter().all(|history| history.complete(member));
    let kept = prior.iter().enumerate().map(|(member, weight)| {
        let usable = weight.is_finite() && *weight > 0.0 && good(member);
        if usable { *weight } else { 0.0 }
    });
    let kept: Vec<f64> = kept.collect();
    let total: f64 = kept.iter().sum();
    kept.iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
}

/// The losses of all series, folds, steps and levels.
fn problem(histories: &[&History], members: usize) -> Problem {
    let mut problem = Problem { members, ..Problem::default() };
    let counts: Vec<usize> = histories
        .iter()
        .map(|history| history.folds.iter().map(|fold| fold.observed().count()).sum())
        .collect();
    let series = counts.iter().filter(|count| **count > 0).count() as f64;
    for (history, count) in histories.iter().zip(counts) {
        let share = 1.0 / (series * count as f64);
        for fold in &history.folds {
            for (step, truth) in fold.observed() {
                for (index, level) in LEVELS.iter().enumerate() {
                    problem.terms.push((*level, share * SHARES[index]));
                    problem.differences.extend((0..members).map(|member| {
                        let forecast = fold.members.get(member).and_then(Option::as_ref);
                        let difference = forecast.map_or(0.0, |q| q.step(step)[index] - truth);
                        (difference / history.scale).clamp(-FARTHEST, FARTHEST)
                    }));
                }
            }
        }
    }
    problem
}

#[cfg(test)]
mod tests;
