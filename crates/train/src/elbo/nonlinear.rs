//! `z ~ N(0, 1)`, `x | z ~ N(f(z), σ² I)` in the plane with a curved `f`: the evidence is an integral
//! over a line, so quadrature has it to many digits, and so it has the bound of any Gaussian `q`.

use std::f64::consts::PI;

use objective::elbo::iwae;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::TrainError;

/// The latent variable model at one observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nonlinear {
    /// The observation.
    pub x: [f64; 2],
    /// `log p(x)` by quadrature, nats.
    pub log_evidence: f64,
    /// Mean and standard deviation of the Gaussian `q` with the best bound.
    pub best: [f64; 2],
    /// Its bound by quadrature.
    pub elbo: f64,
    /// `KL[q ‖ posterior]` by quadrature: evidence minus bound.
    pub gap: f64,
    /// Where the densities below are given.
    pub z: Vec<f64>,
    /// The true posterior density.
    pub posterior: Vec<f64>,
    /// The density of the best Gaussian.
    pub approximation: Vec<f64>,
    /// Importance weighted bounds.
    pub bounds: Vec<Bound>,
}

/// The importance weighted bound with `K` samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// `K`.
    pub samples: i64,
    /// Its Monte Carlo mean, nats.
    pub mean: f64,
    /// The standard error of that.
    pub error: f64,
}

const X: [f64; 2] = [0.2, 0.8];
const STD: f64 = 0.6;
/// Grid of the quadrature: `z` from −6 to 6. The integrand is smooth and vanishes at the ends, where
/// the trapezoid rule converges faster than any power of the step.
const GRID: usize = 4001;
/// Repetitions of each Monte Carlo bound.
const REPEATS: i64 = 20_000;

fn decoder(z: f64) -> [f64; 2] {
    [0.5 * z, z * z]
}

fn normal(value: f64, mean: f64, std: f64) -> f64 {
    -0.5 * ((value - mean) / std).powi(2) - std.ln() - 0.5 * (2.0 * PI).ln()
}

/// `log p(x, z)`.
fn joint(z: f64) -> f64 {
    let mean = decoder(z);
    normal(z, 0.0, 1.0) + normal(X[0], mean[0], STD) + normal(X[1], mean[1], STD)
}

fn grid() -> (Vec<f64>, f64) {
    let step = 12.0 / (GRID - 1) as f64;
    ((0..GRID).map(|i| -6.0 + step * i as f64).collect(), step)
}

/// The bound of `N(mean, std²)`: `E_q[log p(x, z) − log q(z)]`.
fn bound(mean: f64, std: f64) -> f64 {
    let (z, step) = grid();
    z.iter().map(|z| normal(*z, mean, std).exp() * (joint(*z) - normal(*z, mean, std)) * step).sum()
}

pub(super) fn measure() -> Result<Nonlinear, TrainError> {
    let (grid, step) = grid();
    let log_evidence = grid.iter().map(|z| joint(*z).exp() * step).sum::<f64>().ln();
    let [mean, std] = best();
    let elbo = bound(mean, std);
    let posterior = |z: f64| (joint(z) - log_evidence).exp();
    let gap = grid
        .iter()
        .map(|z| {
            let q = normal(*z, mean, std);
            q.exp() * (q - (joint(*z) - log_evidence)) * step
        })
        .sum();
    let shown: Vec<f64> = grid.iter().copied().filter(|z| z.abs() <= 2.5).step_by(8).collect();
    Ok(Nonlinear {
        x: X,
        log_evidence,
        best: [mean, std],
        elbo,
        gap,
        posterior: shown.iter().map(|z| posterior(*z)).collect(),
        approximation: shown.iter().map(|z| normal(*z, mean, std).exp()).collect(),
        z: shown,
        bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256]
            .into_iter()
            .map(|samples| importance(samples, mean, std))
            .collect::<Result<_, _>>()?,
    })
}

/// The best Gaussian by a shrinking search over mean and log standard deviation: the bound is smooth,
/// has one argument each, and costs a sum.
fn best() -> [f64; 2] {
    let (mut mean, mut log_std, mut width) = (0.0, -1.0, 0.4);
    while width > 1e-7 {
        let steps = [-1.0, 0.0, 1.0].map(|step| step * width);
        let tries = steps.iter().flat_map(|a| steps.map(|b| (mean + a, log_std + b)));
        let value = |(mean, log_std): &(f64, f64)| bound(*mean, log_std.exp());
        let found = tries.max_by(|a, b| value(a).total_cmp(&value(b))).unwrap_or((mean, log_std));
        if found == (mean, log_std) {
            width /= 2.0;
        }
        (mean, log_std) = found;
    }
    [mean, log_std.exp()]
}

fn importance(samples: i64, mean: f64, std: f64) -> Result<Bound, TrainError> {
    let noise = Tensor::f_randn([samples, REPEATS], (Kind::Double, Device::Cpu))?;
    let z = &noise * std + mean;
    let normal =
        |value: Tensor, std: f64| (value / std).square() * -0.5 - std.ln() - 0.5 * (2.0 * PI).ln();
    let joint = normal(z.shallow_clone(), 1.0)
        + normal(X[0] - &z * 0.5, STD)
        + normal(X[1] - z.f_square()?, STD);
    let log_weights = joint - normal(&z - mean, std);
    let bounds = iwae(&log_weights)?;
    let error = bounds.f_std(true)?.f_double_value(&[])? / (REPEATS as f64).sqrt();
    Ok(Bound { samples, mean: bounds.f_mean(Kind::Double)?.f_double_value(&[])?, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_with_samples_and_stay_below_the_evidence() {
        tch::manual_seed(3);
        let found = measure().unwrap();
        assert!((found.log_evidence - found.elbo - found.gap).abs() < 1e-9, "{found:?}");
        assert!(found.gap > 0.1, "the posterior is far from Gaussian: {}", found.gap);
        // One sample is the ELBO.
        let one = found.bounds[0];
        assert!((one.mean - found.elbo).abs() < 4.5 * one.error, "{one:?} against {}", found.elbo);
        for pair in found.bounds.windows(2) {
            let error = pair[0].error.hypot(pair[1].error);
            assert!(pair[1].mean > pair[0].mean - 4.0 * error, "{pair:?}");
        }
        let last = found.bounds.last().unwrap();
        assert!(last.mean < found.log_evidence + 4.0 * last.error, "{last:?}");
        assert!(last.mean > found.elbo + found.gap / 2.0, "{last:?}");
    }
}
