//! Many series that learn from each other.

use serde::{Deserialize, Serialize};
use stats::Estimate;

use crate::pool::calibrate;
use crate::{Calibration, History, Pool, Quantiles, Settings, Shrinkage, Support, Weights};

/// The common part of the pools of a panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Names of the members.
    pub members: Vec<String>,
    /// Weights of the panel as a whole, the prior of those of each series.
    pub weights: Weights,
    /// How strongly the weights of one series are drawn to those of the panel; infinite where series of their own
    /// would be worse for it.
    pub strength: f64,
    /// The calibration of all series.
    pub calibration: Calibration,
}

/// Series that the panel learns from at most: evenly spread ones stand for the others.
const MOST: usize = 200;

/// Strengths that are tried after an infinite one, the most cautious first.
const STRENGTHS: [f64; 3] = [10.0, 3.0, 1.0];

impl Panel {
    /// Weights of the whole panel, and by how much its series may differ from them.
    ///
    /// The strength is decided on past forecasts: weights of each series are fitted with each of a few strengths on
    /// the first half of its folds and scored on the second half. A strength replaces a more cautious one where its
    /// mean score is better by two standard errors of the paired difference. With at most 200 series scored, the time
    /// does not grow with the panel.
    pub fn fit(members: Vec<String>, histories: &[&History], settings: &Settings) -> Panel {
        let step = histories.len().div_ceil(MOST).max(1);
        let some: Vec<&History> = histories.iter().copied().step_by(step).collect();
        let equal = vec![1.0; members.len()];
        let prior = if settings.prior.is_empty() { &equal } else { &settings.prior };
        let weights = Weights::fit(&some, prior, &settings.shrinkage);
        let strength = strength(&some, prior, &settings.shrinkage);
        let own = |history: &History| of_series(history, &weights.values, strength);
        let applied: Vec<Weights> = some.iter().map(|history| own(history)).collect();
        let calibration = calibrate(&some, &applied, &settings.widening);
        Panel { members, weights, strength, calibration }
    }

    /// The pool of one series: its own weights as far as the panel allows, and the panel's calibration.
    pub fn pool(&self, history: &History, support: Support) -> Pool {
        Pool {
            members: self.members.clone(),
            weights: of_series(history, &self.weights.values, self.strength),
            calibration: self.calibration.clone(),
            support,
        }
    }
}

/// The weights of one series, drawn to those of the panel.
fn of_series(history: &History, panel: &[f64], strength: f64) -> Weights {
    Weights::fit(&[history], panel, &Shrinkage { strength, tilt: 0.0 })
}

/// The strength with the least score on later folds.
fn strength(histories: &[&History], prior: &[f64], shrinkage: &Shrinkage) -> f64 {
    let halves: Vec<(History, History)> = histories.iter().filter_map(|h| halved(h)).collect();
    if halves.is_empty() {
        return f64::INFINITY;
    }
    let early: Vec<&History> = halves.iter().map(|(early, _)| early).collect();
    let shared = Weights::fit(&early, prior, shrinkage);
    let scores = |strength: f64| -> Vec<f64> {
        let of = |(early, late): &(History, History)| {
            let own = of_series(early, &shared.values, strength);
            let forecasts: Option<Vec<Quantiles>> =
                late.combined(&own.values).into_iter().collect();
            Some(late.score(&forecasts?)? / late.scale)
        };
        halves.iter().map(|half| of(half).unwrap_or(0.0)).collect()
    };
    let mut best = (f64::INFINITY, scores(f64::INFINITY));
    for strength in STRENGTHS {
        let next = scores(strength);
        let gains: Vec<f64> = best.1.iter().zip(&next).map(|(old, new)| old - new).collect();
        if Estimate::of_seeds(&gains).is_some_and(|gain| gain.mean > 2.0 * gain.error) {
            best = (strength, next);
        }
    }
    best.0
}

/// The earlier and the later folds; `None` for fewer than two.
fn halved(history: &History) -> Option<(History, History)> {
    let at = history.folds.len() / 2;
    if at == 0 {
        return None;
    }
    let part = |folds: &[crate::Fold], disjoint: usize| History {
        folds: folds.to_vec(),
        scale: history.scale,
        disjoint: disjoint.max(1),
    };
    let (early, late) = history.folds.split_at(at);
    Some((part(early, history.disjoint / 2), part(late, history.disjoint / 2)))
}

#[cfg(test)]
mod tests;
