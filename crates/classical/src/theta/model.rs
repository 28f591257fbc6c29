//! One Theta model.

use rand::RngCore;

use super::draw;
use super::line::Line;
use crate::scale::Scale;
use crate::{Forecaster, Paths, season};

/// Rows at the start whose errors do not count: the dynamic line needs them.
const BURN: usize = 2;

/// Bounds of α.
const ALPHA: (f64, f64) = (0.02, 0.995);

/// A fitted model with its state.
#[derive(Debug, Clone)]
pub(super) struct Theta {
    scale: Scale,
    alpha: f64,
    /// Weight of the line, `1 − 1/θ`.
    pub(super) weight: f64,
    dynamic: bool,
    /// Residuals, with the degrees of freedom made good.
    pub(super) residuals: Vec<f64>,
    /// Whether residuals are shares of the forecast.
    relative: bool,
    /// The state before the first row.
    #[cfg(test)]
    pub(super) first: State,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    level: f64,
    line: Line,
    /// Rows so far, `t`; the line of the model that is not dynamic stays.
    time: i32,
}

impl State {
    /// The factor of the weight of the line in the forecast of the next row.
    fn along(&self, alpha: f64) -> f64 {
        let left = (1.0 - alpha).powi(self.time);
        left * self.line.intercept + (1.0 - left * (1.0 - alpha)) / alpha * self.line.slope
    }

    fn push(&mut self, value: f64, alpha: f64, dynamic: bool) {
        self.level += alpha * (value - self.level);
        self.time = self.time.saturating_add(1);
        if dynamic {
            self.line.push(value);
        }
    }
}

/// Least squares for one α.
#[derive(Debug, Clone, Copy)]
struct Found {
    level: f64,
    weight: f64,
    squares: f64,
}

impl Theta {
    /// The model and Akaike's corrected criterion in original units; `theta` fixed or free.
    pub(super) fn fit(
        values: &[f64],
        dynamic: bool,
        theta: Option<f64>,
        lost: usize,
    ) -> Option<(f64, Theta)> {
        let scale = Scale::standard(values);
        let worked: Vec<f64> = values.iter().map(|value| scale.to(*value)).collect();
        let filled = season::filled(&worked, 1)?;
        let count = worked.iter().skip(BURN).filter(|value| value.is_finite()).count() as f64;
        let size = if theta.is_none() { 4.0 } else { 3.0 };
        if count < size + 2.0 {
            return None;
        }
        let weight = theta.map(|theta| 1.0 - 1.0 / theta);
        let squares = |alpha: f64| least_squares(&worked, &filled, alpha, dynamic, weight);
        let alpha = search(&|alpha| squares(alpha).squares);
        let found = squares(alpha);
        let variance = (found.squares / count).max(1e-24);
        let criterion = count * variance.ln() - 2.0 * scale.log_derivative(values)
            + 2.0 * size
            + 2.0 * size * (size + 1.0) / (count - size - 1.0);
        let line = if dynamic { Line::default() } else { Line::through(&filled) };
        let first = State { level: found.level, line, time: 0 };
        let mut model = Theta {
            scale,
            alpha,
            weight: found.weight,
            dynamic,
            residuals: Vec::new(),
            relative: false,
            #[cfg(test)]
            first,
            state: first,
        };
        model.run(&worked, size + lost as f64);
        Some((criterion, model))
    }

    fn forecast(&self, state: &State) -> f64 {
        state.level + self.weight * state.along(self.alpha)
    }

    /// Moves the state through the rows and keeps the residuals; `size` parameters were estimated.
    fn run(&mut self, worked: &[f64], size: f64) {
        let mut pairs: Vec<(f64, f64)> = Vec::new();
        for (row, value) in worked.iter().enumerate() {
            let mean = self.forecast(&self.state);
            if value.is_finite() && row >= BURN {
                pairs.push((value - mean, self.scale.back(mean) / self.scale.difference(1.0)));
            }
            let value = if value.is_finite() { *value } else { mean };
            self.state.push(value, self.alpha, self.dynamic);
        }
        let count = pairs.len() as f64;
        let spread = |relative: bool| {
            let of = |(e, m): &(f64, f64)| if relative { (e / m).powi(2) } else { e * e };
            0.5 * count * (pairs.iter().map(of).sum::<f64>() / count).ln()
        };
        let sizes: f64 = pairs.iter().map(|(_, mean)| mean.ln()).sum();
        self.relative =
            pairs.iter().all(|(_, mean)| *mean > 0.0) && spread(true) + sizes < spread(false);
        let inflation = (count / (count - size).max(0.5 * count)).sqrt();
        let residual = |(e, m): &(f64, f64)| inflation * if self.relative { e / m } else { *e };
        self.residuals = pairs.iter().map(residual).collect();
    }
}

/// The level and the weight for one α, exactly; errors count where a row was observed.
fn least_squares(
    worked: &[f64],
    filled: &[f64],
    alpha: f64,
    dynamic: bool,
    weight: Option<f64>,
) -> Found {
    let line = if dynamic { Line::default() } else { Line::through(filled) };
    let mut state = State { level: 0.0, line, time: 0 };
    let mut left = 1.0;
    // Sums of products of p, the factor of the level, c, the factor of the weight, and r, the rest.
    let (mut pp, mut pc, mut cc, mut pr, mut cr, mut rr) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (row, value) in filled.iter().enumerate() {
        if row >= BURN && worked[row].is_finite() {
            let (p, c, r) = (left, state.along(alpha), value - state.level);
            (pp, pc, cc) = (pp + p * p, pc + p * c, cc + c * c);
            (pr, cr, rr) = (pr + p * r, cr + c * r, rr + r * r);
        }
        state.push(*value, alpha, dynamic);
        left *= 1.0 - alpha;
    }
    let small = 1e-9 * (1.0 + pp);
    let level = |weight: f64| (pr - weight * pc) / (pp + small);
    let determinant = (pp + small) * cc - pc * pc;
    let free = ((pp + small) * cr - pc * pr) / determinant;
    let free = if free.is_finite() { free.clamp(0.0, 1.0) } else { 0.0 };
    let weight = weight.unwrap_or(free);
    let level = level(weight);
    let squares = rr - 2.0 * level * pr - 2.0 * weight * cr
        + level * level * pp
        + 2.0 * level * weight * pc
        + weight * weight * cc;
    Found { level, weight, squares: squares.max(0.0) }
}

/// The α with the least value: the best of a grid, then the golden section around it.
fn search(f: &dyn Fn(f64) -> f64) -> f64 {
    const GRID: usize = 20;
    let at = |index: usize| ALPHA.0 + (ALPHA.1 - ALPHA.0) * index as f64 / GRID as f64;
    let values: Vec<f64> = (0..=GRID).map(|index| f(at(index))).collect();
    let best = (0..=GRID).min_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    for _ in 0..24 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if f(a) < f(b) {
            high = b;
        } else {
            low = a;
        }
    }
    0.5 * (low + high)
}

impl Forecaster for Theta {
    fn observe(&mut self, value: f64) {
        let value = self.scale.to(value);
        let value = if value.is_finite() { value } else { self.forecast(&self.state) };
        self.state.push(value, self.alpha, self.dynamic);
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let unit = self.scale.difference(1.0);
        Paths::draw(horizon, count, |path| {
            let mut state = self.state;
            for value in path {
                let mean = self.forecast(&state);
                let size =
                    if self.relative { (self.scale.back(mean) / unit).max(0.0) } else { 1.0 };
                let next = mean + size * draw(&self.residuals, rng);
                *value = self.scale.back(next);
                state.push(next, self.alpha, self.dynamic);
            }
        })
    }
}

#[cfg(test)]
impl Theta {
    /// The model with parameters from elsewhere, run through the rows without errors to draw.
    pub(super) fn by_hand(
        values: &[f64],
        dynamic: bool,
        level: f64,
        alpha: f64,
        theta: f64,
    ) -> Theta {
        let line = if dynamic { Line::default() } else { Line::through(values) };
        let first = State { level, line, time: 0 };
        let mut model = Theta {
            scale: Scale::standard(&[]),
            alpha,
            weight: 1.0 - 1.0 / theta,
            dynamic,
            residuals: Vec::new(),
            relative: false,
            first,
            state: first,
        };
        model.run(values, 0.0);
        model.residuals = vec![0.0];
        model
    }

    /// First level in original units, α and the weight of the line. A shift of the rows by `m` moves the line too, so
    /// it moves the first level by `m (1 − weight)` only.
    pub(super) fn parameters(&self) -> (f64, f64, f64) {
        let level = self.scale.back(self.first.level) - self.weight * self.scale.back(0.0);
        (level, self.alpha, self.weight)
    }

    /// One-step errors in original units, without those of the first rows.
    pub(super) fn errors(&self, values: &[f64]) -> Vec<f64> {
        let mut model = self.clone();
        model.state = self.first;
        let error = |value: &f64| {
            let mean = model.scale.back(model.forecast(&model.state));
            model.observe(*value);
            value - mean
        };
        values.iter().map(error).skip(BURN).collect()
    }
}
