//! A log density where a forecaster gives samples only.

use tch::{Kind, Tensor};

use super::check_samples;
use crate::error::{Result, check_range};
use crate::special::ln_gamma_half_step;

/// Degrees of freedom of the kernel.
const DEGREES: f64 = 4.0;
/// The least bandwidth, relative to the largest sample: what stands between a constant forecast and an
/// infinite density.
const FLOOR: f64 = 1e-6;

/// The log density of each element under a kernel estimate from the samples, in nats.
///
/// ```text
/// p(y) = 1/(S h) Σ_i t_4((y − x_i)/h)        h = 0.9 min(σ, IQR/1.349) S^(−1/5)
/// ```
///
/// The kernel is Student's t with 4 degrees of freedom: with a Gaussian one a truth a few bandwidths
/// outside the samples would decide the mean over thousands of windows. An estimate: it rewards a
/// forecaster with a density of its own a little, less with more samples.
///
/// # Shapes
/// `samples`: `[S, ...]`, S ≥ 2; `truth`: `[...]`. Returns `[...]`, in f64.
///
/// # Errors
/// If the shapes do not fit, a sample is not finite, or there are fewer than two.
///
/// # References
/// Bandwidth: Silverman (1986), *Density estimation for statistics and data analysis*, eq. 3.31.
pub fn kernel_log_density(samples: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let (samples, truth) = check_samples(samples, truth)?;
    let count = samples.size()[0];
    check_range("samples of a density", count as f64, "[2, ∞)", count >= 2)?;
    let sorted = super::SortedSamples::new(&samples)?;
    let quartiles = super::quantile::quantiles_of_sorted(sorted.samples(), &[0.25, 0.75])?;
    let std = samples.f_std_dim(Some([0i64].as_slice()), true, false)?;
    let range = (quartiles.get(1) - quartiles.get(0)) / 1.349;
    // Half the samples on one value: no range, and the deviation has to do.
    let spread = std.minimum(&range).where_self(&range.gt(0.0), &std);
    let size = samples.abs().amax([0i64].as_slice(), false);
    let floor = (size * FLOOR).clamp_min(f64::MIN_POSITIVE.sqrt());
    let bandwidth = (spread * (0.9 * (count as f64).powf(-0.2))).maximum(&floor);
    let distance = (truth - samples) / &bandwidth;
    let kernel = (distance.square() / DEGREES).log1p() * (-0.5 * (DEGREES + 1.0));
    let half = Tensor::from_slice(&[0.5 * DEGREES]).to_device(kernel.device());
    let normalizer = ln_gamma_half_step(&half) - 0.5 * (std::f64::consts::PI * DEGREES).ln();
    let sum = kernel.f_logsumexp([0i64].as_slice(), false)?;
    Ok(sum - (count as f64).ln() - bandwidth.log() + normalizer.to_kind(Kind::Double))
}
