//! Many series that learn from each other.

use serde::{Deserialize, Serialize};

use crate::pool::calibrate;
use crate::{Calibration, History, Pool, Settings, Shrinkage, Support, Weights};

/// What the series of a panel have in common.
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

/// Strengths that are tried, the most cautious first.
const STRENGTHS: [f64; 4] = [f64::INFINITY, 10.0, 3.0, 1.0];

impl Panel {
    /// Weights of the whole panel, and by how much its series may differ from them.
    ///
    /// The strength is decided on past forecasts: weights of each series are fitted with each of a few strengths on
    /// the first half of its folds and scored on the second half; the least mean score wins, the panel's weights
    /// winning ties. With at most 200 series scored, the time does not grow with the panel.
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
    let score = |strength: f64| {
        let scores = halves.iter().filter_map(|(early, late)| {
            let own = of_series(early, &shared.values, strength);
            let forecasts: Option<Vec<_>> = late.combined(&own.values).into_iter().collect();
            Some(late.score(&forecasts?)? / late.scale)
        });
        stats::mean_of_finite(scores).unwrap_or(f64::INFINITY)
    };
    let scored = STRENGTHS.map(|strength| (strength, score(strength)));
    let best =
        scored.iter().copied().reduce(|best, next| if next.1 < best.1 { next } else { best });
    best.map_or(f64::INFINITY, |(strength, _)| strength)
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
