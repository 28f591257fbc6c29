//! Gaussian likelihood of a stationary ARMA model with an unknown mean and variance.

use super::filter::{Filter, propagate};

/// Smallest variance of the innovations, in units of squared scaled values.
const FLOOR: f64 = 1e-20;

/// The mean and variance that maximize the likelihood under given coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Profile {
    /// Mean of the rows; zero in a model without one.
    pub(crate) mean: f64,
    /// Mean squared innovation.
    pub(crate) variance: f64,
    /// Minus twice the log-likelihood, in nats.
    pub(crate) deviance: f64,
}

impl Profile {
    /// From generalized least squares of the innovations `rows` on those of a constant one.
    fn new(sums: Sums, count: f64, constant: bool) -> Profile {
        let mean = if constant && sums.ones > 1e-12 { sums.cross / sums.ones } else { 0.0 };
        let squares = sums.squares - 2.0 * mean * sums.cross + mean * mean * sums.ones;
        let variance = (squares / count).max(FLOOR);
        let deviance =
            count * (1.0 + (2.0 * std::f64::consts::PI * variance).ln()) + sums.log_variance;
        Profile { mean, variance, deviance }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    squares: f64,
    cross: f64,
    ones: f64,
    log_variance: f64,
}

impl Sums {
    fn add(&mut self, row: f64, one: f64, variance: f64) {
        self.squares += row * row / variance;
        self.cross += row * one / variance;
        self.ones += one * one / variance;
    }
}

/// The exact likelihood by the Kalman filter. The innovations are linear in the rows, so that of the mean follows from
/// filtering a constant one along with them.
///
/// ```text
/// -2 log L = n (1 + log 2π σ²) + Σ log F_t,   σ² = Σ (v_t - μ u_t)² / F_t / n
/// ```
///
/// `None` where the autoregression is not stationary.
pub(crate) fn exact(rows: &[f64], phi: &[f64], theta: &[f64], constant: bool) -> Option<Profile> {
    let mut filter = Filter::new(phi, theta)?;
    let mut ones = vec![0.0; filter.state().len()];
    let mut sums = Sums::default();
    let mut gains = filter.gains();
    for row in rows {
        let ahead = filter.ahead();
        let (error, one) = (row - ahead.mean, 1.0 - ones[0]);
        sums.add(error, one, ahead.variance);
        if !filter.is_steady() {
            sums.log_variance += ahead.variance.ln();
            filter.gains_into(&mut gains);
        }
        filter.shift(error, &gains);
        if constant {
            propagate(&mut ones, filter.phi(), one, &gains);
        }
        filter.settle();
    }
    Some(Profile::new(sums, rows.len() as f64, constant))
}

/// The likelihood given the first rows, as many as the autoregression reaches back, with innovations of zero before
/// the first one counted.
pub(crate) fn conditional(
    rows: &[f64],
    phi: &[f64],
    theta: &[f64],
    constant: bool,
) -> Option<Profile> {
    if rows.len() <= phi.len() + 2 {
        return None;
    }
    let errors = innovations(rows, phi, theta);
    let mut sums = Sums::default();
    if constant {
        let ones = innovations(&vec![1.0; rows.len()], phi, theta);
        errors.iter().zip(&ones).for_each(|(&error, &one)| sums.add(error, one, 1.0));
    } else {
        errors.iter().for_each(|&error| sums.add(error, 0.0, 1.0));
    }
    sums.squares.is_finite().then(|| Profile::new(sums, errors.len() as f64, constant))
}

/// Innovations of the rows after the first `phi.len()`. Most coefficients of a seasonal model are zero and skipped.
fn innovations(rows: &[f64], phi: &[f64], theta: &[f64]) -> Vec<f64> {
    let sparse = |values: &[f64]| -> Vec<(usize, f64)> {
        let some = values.iter().enumerate().filter(|(_, value)| **value != 0.0);
        some.map(|(at, value)| (at + 1, *value)).collect()
    };
    let (auto, moving) = (sparse(phi), sparse(theta));
    let (start, before) = (phi.len(), theta.len());
    // Zeros in front stand for the innovations before the first one.
    let mut errors = vec![0.0; before + rows.len() - start];
    for at in start..rows.len() {
        let here = before + at - start;
        let mut error = rows[at];
        for (lag, phi) in &auto {
            error -= phi * rows[at - lag];
        }
        for (lag, theta) in &moving {
            error -= theta * errors[here - lag];
        }
        errors[here] = error;
    }
    errors.split_off(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave() -> Vec<f64> {
        (0..60)
            .map(|row| 3.0 + (f64::from(row) * 0.9).sin() + f64::from(row * 7 % 11) * 0.1)
            .collect()
    }

    #[test]
    fn the_mean_of_white_noise_is_the_average() {
        let rows = wave();
        let average = rows.iter().sum::<f64>() / 60.0;
        let variance = rows.iter().map(|row| (row - average).powi(2)).sum::<f64>() / 60.0;
        for found in [exact(&rows, &[], &[], true), conditional(&rows, &[], &[], true)] {
            let found = found.unwrap();
            assert!((found.mean - average).abs() < 1e-12);
            assert!((found.variance - variance).abs() < 1e-12);
            let wanted = 60.0 * ((2.0 * std::f64::consts::PI * variance).ln() + 1.0);
            assert!((found.deviance - wanted).abs() < 1e-9);
        }
    }

    #[test]
    fn the_mean_minimizes_the_deviance() {
        let rows = wave();
        let best = exact(&rows, &[0.6], &[-0.3], true).unwrap();
        for shift in [-0.05, 0.05] {
            let moved: Vec<f64> = rows.iter().map(|row| row - best.mean - shift).collect();
            assert!(exact(&moved, &[0.6], &[-0.3], false).unwrap().deviance > best.deviance);
        }
        let centered: Vec<f64> = rows.iter().map(|row| row - best.mean).collect();
        let same = exact(&centered, &[0.6], &[-0.3], false).unwrap();
        assert!((same.deviance - best.deviance).abs() < 1e-8);
    }

    #[test]
    fn conditional_innovations_of_a_mixed_model() {
        let found = innovations(&[1.0, 2.0, 0.5], &[0.5], &[0.4]);
        // e₂ = 2 - 0.5 = 1.5; e₃ = 0.5 - 1 - 0.4 · 1.5.
        assert!((found[0] - 1.5).abs() < 1e-12 && (found[1] + 1.1).abs() < 1e-12);
    }
}
