//! The pool: members, weights, calibration, support.

use classical::Paths;
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::fold::average;
use crate::shuffle::shuffle;
use crate::{Calibration, History, Quantiles, Shrinkage, Support, Weights, Widening};

/// How a pool is fitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How strongly the weights are held back.
    pub shrinkage: Shrinkage,
    /// The prior weight of each member, in any unit; equal where empty.
    pub prior: Vec<f64>,
    /// How the intervals are calibrated.
    pub widening: Widening,
}

/// Several forecasters of one series as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Names of the members.
    pub members: Vec<String>,
    /// Their weights.
    pub weights: Weights,
    /// Factors of the intervals.
    pub calibration: Calibration,
    /// Values that the series can take.
    pub support: Support,
}

impl Pool {
    /// Weights and calibration from past forecasts; several histories of a panel share both.
    pub fn fit(
        members: Vec<String>,
        histories: &[&History],
        support: Support,
        settings: &Settings,
    ) -> Pool {
        let equal = vec![1.0; members.len()];
        let prior = if settings.prior.is_empty() { &equal } else { &settings.prior };
        let weights = Weights::fit(histories, prior, &settings.shrinkage);
        let same: Vec<Weights> = histories.iter().map(|_| weights.clone()).collect();
        let calibration = calibrate(histories, &same, &settings.widening);
        Pool { members, weights, calibration, support }
    }

    /// The forecast from those of the members, in their order.
    ///
    /// Members without a forecast leave their weight to the others; `None` without any forecast.
    pub fn combine(&self, members: &[Option<Quantiles>]) -> Option<Quantiles> {
        let pooled = self.calibration.apply(&average(members, &self.weights.values)?)?;
        Quantiles::from_fn(pooled.horizon(), |step, level| {
            self.support.clamp(pooled.step(step)[level])
        })
    }

    /// `count` sample paths with the quantiles of [`Pool::combine`] at each step, and the dependence between steps
    /// of the members' paths.
    pub fn paths(
        &self,
        members: &[Option<Paths>],
        count: usize,
        rng: &mut dyn RngCore,
    ) -> Option<Paths> {
        let quantiles: Vec<Option<Quantiles>> =
            members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?)).collect();
        let pooled = self.combine(&quantiles)?;
        let weights = self.weights.values.iter().copied();
        let templates = members.iter().zip(&quantiles).zip(weights);
        let mut templates: Vec<(&Paths, f64)> = templates
            .filter(|((_, quantiles), _)| quantiles.is_some())
            .filter_map(|((paths, _), weight)| Some((paths.as_ref()?, weight)))
            .collect();
        if templates.iter().all(|(_, weight)| *weight <= 0.0) {
            templates.iter_mut().for_each(|(_, weight)| *weight = 1.0);
        }
        let paths = shuffle(&pooled, &templates, count, rng);
        let mut drawn = paths.iter();
        Some(Paths::draw(pooled.horizon(), count, |values| {
            let path = drawn.next().unwrap_or(&[]);
            values
                .iter_mut()
                .zip(path)
                .for_each(|(value, drawn)| *value = self.support.clamp(*drawn));
        }))
    }
}

/// The calibration of pools on their folds, one pool per series.
pub(crate) fn calibrate(
    histories: &[&History],
    weights: &[Weights],
    widening: &Widening,
) -> Calibration {
    let series = histories.iter().zip(weights);
    let combined: Vec<Vec<Option<Quantiles>>> =
        series.map(|(history, weights)| history.combined(&weights.values)).collect();
    let pairs = histories.iter().zip(&combined).flat_map(|(history, forecasts)| {
        let folds = history.folds.iter().zip(forecasts);
        folds.filter_map(|(fold, forecast)| Some((forecast.as_ref()?, fold.truth.as_slice())))
    });
    let horizons = histories.iter().map(|history| history.disjoint).sum();
    Calibration::fit(&pairs.collect::<Vec<_>>(), horizons, widening)
}

#[cfg(test)]
mod tests;
