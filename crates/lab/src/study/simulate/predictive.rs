//! The distribution of one value to come, and its exact scores.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// `1/√π`
pub(super) const FRAC_1_SQRT_PI: f64 = 0.564_189_583_547_756_3;

/// The best forecast of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Predictive {
    Gaussian {
        mean: f64,
        variance: f64,
    },
    /// Two Gaussians around zero; the weights add up to one.
    ScaleMixture {
        weights: [f64; 2],
        stds: [f64; 2],
    },
}

impl Predictive {
    pub(super) fn mean(&self) -> f64 {
        match self {
            Predictive::Gaussian { mean, .. } => *mean,
            Predictive::ScaleMixture { .. } => 0.0,
        }
    }

    /// The continuous ranked probability score at a value, in its units; smaller is better.
    ///
    /// ```text
    /// ∫ (F(x) − 1{y ≤ x})² dx
    /// N(μ, σ²)          D(y − μ, σ) − σ/√π
    /// Σ w_i N(0, σ_i²)  Σ_i w_i D(y, σ_i) − Σ_ij w_i w_j √((σ_i² + σ_j²) / 2π)
    /// ```
    ///
    /// with `D` of [`distance`].
    ///
    /// # References
    /// Gneiting & Raftery (2007), eq. 21, DOI 10.1198/016214506000001437; Grimit et al. (2006),
    /// eq. 5, DOI 10.1256/qj.05.235.
    pub(super) fn crps(&self, value: f64) -> f64 {
        match *self {
            Predictive::Gaussian { mean, variance } => {
                let std = variance.sqrt();
                distance(value - mean, std) - std * FRAC_1_SQRT_PI
            }
            Predictive::ScaleMixture { weights: [v, w], stds: [a, b] } => {
                let within = (v * v * a + w * w * b) * FRAC_1_SQRT_PI;
                let across = 2.0 * v * w * ((a * a + b * b) / (2.0 * PI)).sqrt();
                v * distance(value, a) + w * distance(value, b) - within - across
            }
        }
    }

    /// The log of the density at a value, in nats.
    pub(super) fn log_density(&self, value: f64) -> f64 {
        match *self {
            Predictive::Gaussian { mean, variance } => log_gaussian(value - mean, variance.sqrt()),
            Predictive::ScaleMixture { weights, stds } => log_sum(log_joint(weights, stds, value)),
        }
    }
}

/// Mean distance between a value and draws of a Gaussian whose mean is `offset` away from it.
///
/// ```text
/// D = E|offset + σ ε| = offset · erf(z/√2) + 2σ φ(z)        z = offset/σ
/// ```
fn distance(offset: f64, std: f64) -> f64 {
    let z = offset / std;
    let density = libm::exp(-0.5 * z * z) * (0.5 * FRAC_1_SQRT_PI * SQRT_2);
    offset * libm::erf(z * FRAC_1_SQRT_2) + 2.0 * std * density
}

/// `ln N(offset; 0, σ²)`
fn log_gaussian(offset: f64, std: f64) -> f64 {
    let z = offset / std;
    -0.5 * (z * z + libm::log(2.0 * PI)) - libm::log(std)
}

/// `ln w_i + ln N(value; 0, σ_i²)` of both components.
pub(super) fn log_joint(weights: [f64; 2], stds: [f64; 2], value: f64) -> [f64; 2] {
    [0, 1].map(|i| libm::log(weights[i]) + log_gaussian(value, stds[i]))
}

/// `ln(e^a + e^b)`, where `e^a` and `e^b` may underflow; one of them is finite.
pub(super) fn log_sum([a, b]: [f64; 2]) -> f64 {
    a.max(b) + libm::log1p(libm::exp(-(a - b).abs()))
}
