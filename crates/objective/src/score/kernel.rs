//! Log densities for forecasters that give samples only.

use tch::{Kind, Tensor};

use super::SortedSamples;
use super::quantile::quantiles_of_sorted;
use crate::error::{Result, check_float, check_range};

/// Degrees of freedom of the kernel.
const DEGREES: f64 = 4.0;
/// Logarithm of the kernel's density at zero, `ln( Γ(5/2) / (√(4π) Γ(2)) ) = ln(3/8)`.
const LN_NORMALIZER: f64 = -0.980_829_253_011_726_2;
/// Interquartile range of the unit Gaussian.
const GAUSSIAN_RANGE: f64 = 1.348_979_500_392_163_4;
/// Smallest bandwidth, relative to the largest sample. It keeps the density of a constant forecast finite.
const FLOOR: f64 = 1e-6;

/// The bandwidth of a kernel estimate from each element's samples, in the unit of the samples.
///
/// ```text
/// h = 0.9 min(σ, IQR/1.349) S^(−1/5)
/// ```
///
/// # Shapes
/// `samples`: `[S, ...]`, S ≥ 2. Returns `[...]`, positive, in f64.
///
/// # Errors
/// If there are fewer than two samples, or one is not finite.
///
/// # References
/// Silverman (1986), *Density estimation for statistics and data analysis*, eq. 3.31.
pub fn bandwidth(samples: &Tensor) -> Result<Tensor> {
    let sorted = SortedSamples::new(samples)?.samples().to_kind(Kind::Double);
    let count = sorted.size()[0];
    check_range("samples of a density", count as f64, "[2, ∞)", count >= 2)?;
    let quartiles = quantiles_of_sorted(&sorted, &[0.25, 0.75])?;
    let std = sorted.f_std_dim(Some([0i64].as_slice()), true, false)?;
    let range = (quartiles.get(1) - quartiles.get(0)) / GAUSSIAN_RANGE;
    // The range is zero if half of the samples share one value; the standard deviation then replaces it.
    let spread = std.minimum(&range).where_self(&range.gt(0.0), &std);
    let largest = sorted.abs().f_amax([0i64].as_slice(), false)?;
    let floor = (largest * FLOOR).clamp_min(f64::MIN_POSITIVE.sqrt());
    Ok((spread * (0.9 * (count as f64).powf(-0.2))).maximum(&floor))
}

/// The log density of each element under a kernel estimate from samples, in nats.
///
/// ```text
/// p(y) = 1/(S h) Σ_i t_4((y − x_i)/h)
/// ```
///
/// The kernel is Student's t with 4 degrees of freedom. With a Gaussian kernel, a single truth a few
/// bandwidths outside the samples would dominate the mean over thousands of windows. The estimate is on
/// average slightly below the log density in closed form, by less with more samples.
///
/// # Shapes
/// `samples`: `[S, ...]`; `bandwidth`: `[...]`, as [`bandwidth()`] gives it; `truth`: `[...]`; all three
/// broadcast. Returns the broadcast shape without `S`, in f64.
///
/// # Errors
/// If the shapes do not broadcast, or a tensor is not floating point.
pub fn kernel_log_density(samples: &Tensor, bandwidth: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let double = |what, tensor: &Tensor| -> Result<Tensor> {
        check_float(what, tensor)?;
        Ok(tensor.detach().to_kind(Kind::Double))
    };
    let (samples, truth) = (double("samples", samples)?, double("truth", truth)?);
    let bandwidth = double("bandwidth", bandwidth)?;
    let mut distance = truth.f_sub(&samples)?.f_div(&bandwidth)?;
    // Up to its normalizer the kernel is (1 + u²/4)^(−5/2), which takes no logarithm per sample. Beyond the
    // clamp it is negligible; the clamp keeps its logarithm finite.
    let mut base = distance.f_square_()?.f_mul_scalar_(1.0 / DEGREES)?.f_add_scalar_(1.0)?;
    let mut base = base.f_clamp_max_(1e100)?;
    let root = base.f_sqrt()?;
    let kernel = base.f_square_()?.f_mul_(&root)?.f_reciprocal_()?;
    let mean = kernel.f_mean_dim([0i64].as_slice(), false, Kind::Double)?;
    Ok(mean.log() - bandwidth.log() + LN_NORMALIZER)
}
