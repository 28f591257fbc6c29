//! Exponential smoothing in the state-space forms of Hyndman, Koehler, Ord & Snyder (2008).
//!
//! The forms have additive or relative errors, no, an additive or a damped trend, and no, an additive or a
//! multiplicative season; relative errors and multiplicative seasons need positive values. Positive values are also
//! smoothed as logarithms. Parameters and first states are the most likely ones; where the likelihood of a seasonal
//! form has two maxima, with a calm and with a moving season, both are kept. Akaike's corrected criterion, in original
//! units and with errors one season ahead as well as one step ahead, weights the forms. Paths are simulated with
//! errors drawn from the residuals.

use std::f64::consts::PI;

use rand::{Rng, RngCore};

use crate::adjust;
use crate::mixture::Mixture;
use crate::scale::Scale;
use crate::{Forecaster, Past, Paths, season};

mod ahead;
mod filter;
mod form;
mod search;

use filter::State;
use form::{Form, Weights};

/// The least number of observed rows.
const LEAST: usize = 4;

/// Seasons above this are smoothed over neighboring phases and taken out first.
const SHORT: usize = 24;

pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let first = past.values.iter().position(|value| value.is_finite())?;
    let past = Past { values: &past.values[first..], seasons: past.seasons };
    match adjust::long(&past, SHORT.max(past.season())).or_else(|| adjust::long(&past, SHORT)) {
        Some(pattern) => {
            let rest = pattern.without(past.values);
            Some(pattern.with(of_short(&rest, past.season())?))
        }
        None => of_short(past.values, past.season()),
    }
}

fn of_short(values: &[f64], season: usize) -> Option<Box<dyn Forecaster>> {
    let parts = members(values, season).into_iter();
    let parts = parts.map(|(c, member)| (c, Box::new(member) as Box<dyn Forecaster>)).collect();
    Some(Box::new(Mixture::of_criteria(parts)?))
}

/// All forms that the rows can tell, with Akaike's corrected criterion.
fn members(values: &[f64], season: usize) -> Vec<(f64, Ets)> {
    let past = Past { values, seasons: &[] };
    if past.observed() < LEAST {
        return Vec::new();
    }
    let seasonal = season <= SHORT && season::usable(&past, season);
    let positive = values.iter().all(|value| value.is_nan() || *value > 0.0);
    let mut found = Vec::new();
    for form in Form::all(seasonal, positive) {
        let multiplied = form.relative || form.season == form::Kind::Multiplicative;
        let scale = if multiplied { Scale::ratio(values) } else { Scale::standard(values) };
        found.extend(Ets::fit(form, season, values, scale));
        if positive && !multiplied {
            found.extend(Ets::fit(form, season, values, Scale::log(values)));
        }
    }
    found
}

/// One fitted form with its state.
#[derive(Debug, Clone)]
struct Ets {
    scale: Scale,
    form: Form,
    weights: Weights,
    state: State,
    /// Residuals, with the degrees of freedom made good.
    residuals: Vec<f64>,
    /// Log likelihood of the rows in original units.
    #[cfg(test)]
    log_likelihood: f64,
}

impl Ets {
    /// The form at each maximum of its likelihood, with the criterion
    ///
    /// ```text
    /// c = (−2 ln L + n ln E) / 2 + 2 k + 2 k (k + 1) / (n − k − 1)
    /// ```
    ///
    /// with `k` estimated numbers, `n` observed rows, and the mean squared error `E` of forecasts one season ahead.
    /// With `n ln E` replaced by `−2 ln L` it is Akaike's corrected criterion.
    fn fit(form: Form, season: usize, values: &[f64], scale: Scale) -> Vec<(f64, Ets)> {
        let count = values.iter().filter(|value| value.is_finite()).count() as f64;
        let size = form.size(season) as f64;
        if count < size + 2.0 {
            return Vec::new();
        }
        let worked: Vec<f64> = values.iter().map(|value| scale.to(*value)).collect();
        let inflation = (count / (count - size).max(0.5 * count)).sqrt();
        let constant = 0.5 * count * (1.0 + (2.0 * PI).ln()) - scale.log_derivative(values);
        let penalty = 2.0 * size + 2.0 * size * (size + 1.0) / (count - size - 1.0);
        let complete = |(weights, first, loss): (Weights, State, f64)| {
            let run = filter::run(form, weights, &first, &worked);
            let residuals = run.residuals.iter().map(|residual| residual * inflation).collect();
            let deviance = 2.0 * (loss + constant);
            let ahead = ahead::mean_square(form, weights, &first, values, scale);
            let ahead = ahead.map_or(deviance, |square| count * square.max(1e-20).ln());
            let fitted = Ets {
                scale,
                form,
                weights,
                state: run.state,
                residuals,
                #[cfg(test)]
                log_likelihood: -0.5 * deviance,
            };
            (0.5 * (deviance + ahead) + penalty, fitted)
        };
        search::fit(form, season, &worked).into_iter().map(complete).collect()
    }
}

impl Forecaster for Ets {
    fn observe(&mut self, value: f64) {
        let error = self.scale.to(value) - self.state.mean(self.form, self.weights);
        self.state.push(self.form, self.weights, if error.is_finite() { error } else { 0.0 });
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        Paths::draw(horizon, count, |path| {
            let mut state = self.state.clone();
            let mut last = 0.0;
            for value in path {
                let mean = state.mean(self.form, self.weights);
                let drawn = self.residuals[rng.random_range(0..self.residuals.len())];
                let error = if self.form.relative { mean * drawn } else { drawn };
                let next = self.scale.back(mean + error);
                last = if next.is_finite() { next } else { last };
                *value = last;
                state.push(self.form, self.weights, error);
            }
        })
    }
}

#[cfg(test)]
mod tests;
