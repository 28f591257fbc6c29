//! The optimized Theta models of Fiorucci et al. (2016), after a test for a season that is then taken out.
//!
//! ```text
//! μ_t = l_{t−1} + (1 − 1/θ) ((1 − α)^{t−1} A + (1 − (1 − α)^t) / α · B)
//! l_t = α y_t + (1 − α) l_{t−1}
//! ```
//!
//! `A + B t` is the line of least squares through the rows, all of them, or in the dynamic model those so far. Given
//! `α`, `μ` is linear in the first level and in `1 − 1/θ`, so these two are found exactly and only `α` is searched.
//! The candidates are both lines with `θ = 2` and with `θ ≥ 1` free, weighted by Akaike's corrected criterion. Errors
//! are drawn from the residuals, relative ones where these have the greater likelihood.

use rand::RngCore;

use crate::adjust::{self, Pattern};
use crate::mixture::Mixture;
use crate::{Forecaster, Past, season};

mod line;
mod model;

use model::Theta;

/// The least number of observed rows.
const LEAST: usize = 6;

/// Seasons above this are smoothed over neighboring phases.
const SHORT: usize = 24;

pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    if past.observed() < LEAST {
        return None;
    }
    match adjust::long(past, SHORT.max(past.season())).or_else(|| adjust::long(past, SHORT)) {
        Some(pattern) => {
            let rest = pattern.without(past.values);
            Some(pattern.with(of_short(&rest, past.season())?))
        }
        None => of_short(past.values, past.season()),
    }
}

/// The method with at most one short season.
fn of_short(values: &[f64], season: usize) -> Option<Box<dyn Forecaster>> {
    let positive = values.iter().all(|value| value.is_nan() || *value > 0.0);
    let wanted = season <= SHORT && season::is_seasonal(values, season);
    let indices = if wanted { season::indices(values, season, positive) } else { None };
    let Some(indices) = indices else { return of_rest(values, 0) };
    let lost = indices.len() - 1;
    let pattern = Pattern::new(indices, positive, values.len());
    let rest = pattern.without(values);
    Some(pattern.with(of_rest(&rest, lost)?))
}

/// The candidates on rows without a season, whose indices took `lost` degrees of freedom.
fn of_rest(values: &[f64], lost: usize) -> Option<Box<dyn Forecaster>> {
    let first = values.iter().position(|value| value.is_finite())?;
    let mut parts: Vec<(f64, Box<dyn Forecaster>)> = Vec::new();
    for dynamic in [false, true] {
        for theta in [Some(2.0), None] {
            if let Some((criterion, model)) = Theta::fit(&values[first..], dynamic, theta, lost) {
                parts.push((criterion, Box::new(model)));
            }
        }
    }
    Some(Box::new(Mixture::of_criteria(parts)?))
}

/// A residual, drawn with equal probability.
fn draw(residuals: &[f64], rng: &mut dyn RngCore) -> f64 {
    use rand::Rng;
    if residuals.is_empty() { 0.0 } else { residuals[rng.random_range(0..residuals.len())] }
}

#[cfg(test)]
mod tests;
