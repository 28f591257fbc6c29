//! The recursion of a form, its likelihood, and the gradient of that by all parameters and first states.
//!
//! ```text
//! q_t = l_{t−1} + φ b_{t−1}        μ_t = q_t, q_t + s_{t−m} or q_t s_{t−m}        e_t = y_t − μ_t
//! l_t = q_t + α u_t                u_t = e_t, or e_t / s_{t−m} for the multiplicative season
//! b_t = φ b_{t−1} + β u_t
//! s_t = s_{t−m} + γ e_t, or s_{t−m} + γ e_t / q_t
//! ```
//!
//! These are the recursions for additive and relative errors alike (Hyndman et al. 2008, tables 2.2 and 2.3), which
//! differ in the likelihood (equation 5.3): with `r_t = e_t` or `e_t / μ_t`,
//!
//! ```text
//! loss = n/2 ln(Σ r_t² / n) + Σ ln |μ_t|        the last term for relative errors only
//! ```
//!
//! The loss is `−ln L` but for a constant. A missing row has `e_t = 0` and no part in the loss.

use super::form::{Form, Kind, Weights};

/// States before the next row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) level: f64,
    pub(super) slope: f64,
    /// Seasonal states, the one of the next row at `next`; one neutral state for no season.
    pub(super) season: Vec<f64>,
    pub(super) next: usize,
}

/// The forecast of one row, and its error.
#[derive(Debug, Clone, Copy)]
struct Step {
    slope: f64,
    season: f64,
    before: f64,
    mean: f64,
    /// NaN where missing.
    error: f64,
}

impl State {
    /// The forecast of the next row.
    pub(super) fn mean(&self, form: Form, weights: Weights) -> f64 {
        let before = self.level + weights.phi * self.slope;
        match form.season {
            Kind::None => before,
            Kind::Additive => before + self.season[self.next],
            Kind::Multiplicative => before * self.season[self.next],
        }
    }

    /// Moves on by one row whose error is `error`.
    pub(super) fn push(&mut self, form: Form, weights: Weights, error: f64) {
        let before = self.level + weights.phi * self.slope;
        let season = &mut self.season[self.next];
        let (of_level, of_season) = match form.season {
            Kind::None => (error, 0.0),
            Kind::Additive => (error, error),
            Kind::Multiplicative => (error / *season, error / before),
        };
        *season += weights.gamma * of_season;
        self.level = before + weights.alpha * of_level;
        self.slope = weights.phi * self.slope + weights.beta * of_level;
        self.next += 1;
        if self.next == self.season.len() {
            self.next = 0;
        }
    }
}

/// Result of a run through the rows.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Minus the log likelihood but for `n/2 (1 + ln 2π)`.
    pub(super) loss: f64,
    pub(super) state: State,
    /// Errors, relative ones where the form has them, of the observed rows.
    pub(super) residuals: Vec<f64>,
}

/// Runs through the rows from a first state.
pub(super) fn run(form: Form, weights: Weights, first: &State, values: &[f64]) -> Run {
    let mut state = first.clone();
    let mut residuals = Vec::with_capacity(values.len());
    let (mut squares, mut sizes) = (0.0, 0.0);
    for value in values {
        let mean = state.mean(form, weights);
        let error = value - mean;
        if error.is_finite() {
            let residual = if form.relative { error / mean } else { error };
            squares += residual * residual;
            sizes += if form.relative { mean.abs().ln() } else { 0.0 };
            residuals.push(residual);
        }
        state.push(form, weights, if error.is_finite() { error } else { 0.0 });
    }
    Run { loss: loss(squares, residuals.len(), sizes), state, residuals }
}

fn loss(squares: f64, count: usize, sizes: f64) -> f64 {
    let count = count as f64;
    0.5 * count * (squares / count).max(LEAST).ln() + sizes
}

/// Least variance, in units of the variance of the rows: below lies rounding.
const LEAST: f64 = 1e-20;

/// The gradient of the loss.
#[derive(Debug, Clone, Default)]
pub(super) struct Gradient {
    pub(super) weights: Weights,
    pub(super) level: f64,
    pub(super) slope: f64,
    pub(super) season: Vec<f64>,
}

/// The loss and its gradient, by a run forward and one back; a loss that is not finite where a mean, a level or a
/// seasonal state of a multiplicative form is not positive.
#[derive(Debug, Default)]
pub(super) struct Tape {
    steps: Vec<Step>,
}

impl Tape {
    pub(super) fn loss(
        &mut self,
        form: Form,
        weights: Weights,
        first: &State,
        values: &[f64],
        out: &mut Gradient,
    ) -> f64 {
        self.steps.clear();
        let mut state = first.clone();
        let (mut squares, mut sizes, mut count) = (0.0, 0.0, 0);
        for value in values {
            let before = state.level + weights.phi * state.slope;
            let season = state.season[state.next];
            let mean = state.mean(form, weights);
            let error = value - mean;
            let multiplied = form.season == Kind::Multiplicative;
            if (form.relative && mean <= 0.0) || (multiplied && (season <= 0.0 || before <= 0.0)) {
                return f64::NAN;
            }
            self.steps.push(Step { slope: state.slope, season, before, mean, error });
            if error.is_finite() {
                let residual = if form.relative { error / mean } else { error };
                squares += residual * residual;
                sizes += if form.relative { mean.ln() } else { 0.0 };
                count += 1;
            }
            state.push(form, weights, if error.is_finite() { error } else { 0.0 });
        }
        let found = loss(squares, count, sizes);
        if found.is_finite() {
            let scale = if squares / count as f64 > LEAST { count as f64 / squares } else { 0.0 };
            self.back(form, weights, state.next, scale, first, out);
        }
        found
    }

    /// The run back: every state passes the derivative of the loss to the one before.
    fn back(
        &self,
        form: Form,
        weights: Weights,
        next: usize,
        scale: f64,
        first: &State,
        out: &mut Gradient,
    ) {
        let size = first.season.len();
        let mut by = Weights::default();
        let (mut of_level, mut of_slope) = (0.0, 0.0);
        out.season.clear();
        out.season.resize(size, 0.0);
        let mut phase = next;
        for step in self.steps.iter().rev() {
            phase = if phase == 0 { size - 1 } else { phase - 1 };
            let later = out.season[phase];
            let Step { slope, season, before, mean, error } = *step;
            let mut of_before = of_level;
            if error.is_finite() {
                let of_update = weights.alpha * of_level + weights.beta * of_slope;
                let mut of_error = of_update;
                let mut update = error;
                match form.season {
                    Kind::None => {}
                    Kind::Additive => {
                        of_error += weights.gamma * later;
                        by.gamma += error * later;
                    }
                    Kind::Multiplicative => {
                        update = error / season;
                        of_error = of_update / season + weights.gamma * later / before;
                        out.season[phase] -= of_update * update / season;
                        of_before -= weights.gamma * later * error / (before * before);
                        by.gamma += error / before * later;
                    }
                }
                by.alpha += update * of_level;
                by.beta += update * of_slope;
                let of_mean = if form.relative {
                    let residual = error / mean;
                    let of_residual = scale * residual;
                    of_error += of_residual / mean;
                    (1.0 - of_residual * residual) / mean - of_error
                } else {
                    of_error += scale * error;
                    -of_error
                };
                match form.season {
                    Kind::None => of_before += of_mean,
                    Kind::Additive => {
                        of_before += of_mean;
                        out.season[phase] += of_mean;
                    }
                    Kind::Multiplicative => {
                        of_before += of_mean * season;
                        out.season[phase] += of_mean * before;
                    }
                }
            }
            by.phi += slope * (of_before + of_slope);
            of_slope = weights.phi * (of_before + of_slope);
            of_level = of_before;
        }
        *out = Gradient {
            weights: by,
            level: of_level,
            slope: of_slope,
            season: std::mem::take(&mut out.season),
        };
    }
}
