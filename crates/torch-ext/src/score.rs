//! Scores of samples on the CPU, in f64 and without gradients.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;

/// Samples in ascending order, and how many of them are not finite.
///
/// A network sorts elements side by side, which is ten times as fast as to sort one after another.
///
/// # Shapes
/// `samples`: `[S, ...]`, f32 or f64. Returns the same shape.
///
/// # Errors
/// If they are not on the CPU, of another number type, or have no axis.
///
/// # References
/// Batcher (1968); Knuth, *The Art of Computer Programming*, volume 3, algorithm 5.2.2M.
pub fn sorted(samples: &Tensor) -> Result<(Tensor, i64)> {
    check("samples", samples, 1)?;
    ffi::sort(samples)
}

/// The CRPS of sorted samples.
///
/// ```text
/// 1/S Σ_i |x_i − y| − 1/divisor Σ_i (2i − S − 1)(x_(i) − y)
/// ```
///
/// # Shapes
/// `sorted`: `[S, ...]`, ascending; `truth`: `[...]`, f64. Returns `[...]`, f64.
///
/// # Errors
/// If the tensors do not fit each other, or as [`sorted()`].
pub fn sorted_crps(sorted: &Tensor, truth: &Tensor, divisor: f64) -> Result<Tensor> {
    check("samples", sorted, 1)?;
    pairs(sorted, truth)?;
    ffi::score(sorted, truth, divisor, false)
}

/// The energy score of each window.
///
/// ```text
/// 1/S Σ_i ‖x_i − y‖ − 1/divisor Σ_{i<j} ‖x_i − x_j‖
/// ```
///
/// # Shapes
/// `samples`: `[S, N, D]`; `truth`: `[N, D]`, f64. Returns `[N]`, f64.
///
/// # Errors
/// If the tensors do not fit each other, or as [`sorted()`].
pub fn energy(samples: &Tensor, truth: &Tensor, divisor: f64) -> Result<Tensor> {
    check("samples", samples, 3)?;
    pairs(samples, truth)?;
    ffi::score(samples, truth, divisor, true)
}

/// Sums over the observed elements of each window, `[N]` but for the last one.
#[derive(Debug)]
pub struct WindowSums {
    /// The number of observed elements.
    pub observed: Tensor,
    /// `|y|`.
    pub magnitude: Tensor,
    /// The mean over levels of twice the pinball loss, `2 max(q e, (q − 1) e)` with `e = y − q̂`.
    pub quantile_loss: Tensor,
    /// The CRPS of all pairs of samples.
    pub crps: Tensor,
    /// `|y − median|`.
    pub median_error: Tensor,
    /// `(y − mean)²`.
    pub squared_error: Tensor,
    /// Whether the truth is in the central 50, 80 and 90 % interval, ends included.
    pub inside: [Tensor; 3],
    /// Width of the central 90 % interval.
    pub width_90: Tensor,
    /// Whether the truth is below the quantile of each level, `[N, 19]`.
    pub below: Tensor,
}

/// Sums over windows of scores of sorted samples. Quantiles are interpolated at `level · (S − 1)`, at the levels `k/20`.
///
/// # Shapes
/// `sorted`: `[S, N, D]`, ascending and S ≥ 1; `truth`: `[N, D]`, f64; `observed`: boolean, `[N, D]`.
///
/// # Errors
/// If the tensors do not fit each other, or as [`sorted()`].
pub fn window_sums(sorted: &Tensor, truth: &Tensor, observed: &Tensor) -> Result<WindowSums> {
    check("samples", sorted, 3)?;
    pairs(sorted, truth)?;
    error::shape("observed", observed, &truth.size())?;
    error::device("observed", observed, Device::Cpu)?;
    error::kind("observed", observed, Kind::Bool)?;
    if sorted.size()[0] == 0 {
        let (tensors, expected, found) = ("samples", 1, 0);
        return Err(TorchExtError::Count { tensors, expected, found });
    }
    let sums = ffi::window_sums(sorted, truth, observed)?;
    let column = |at: i64| sums.f_select(1, at);
    Ok(WindowSums {
        observed: column(0)?,
        magnitude: column(1)?,
        quantile_loss: column(2)?,
        crps: column(3)?,
        median_error: column(4)?,
        squared_error: column(5)?,
        inside: [column(6)?, column(7)?, column(8)?],
        width_90: column(9)?,
        below: sums.f_narrow(1, 10, 19)?,
    })
}

/// Checks samples: number type, device, and the number of axes, or at least one if that is asked for.
fn check(name: &'static str, samples: &Tensor, axes: usize) -> Result<()> {
    error::device(name, samples, Device::Cpu)?;
    if !matches!(samples.kind(), Kind::Float | Kind::Double) {
        let (expected, found) = ("Float or Double", samples.kind());
        return Err(TorchExtError::Kind { tensor: name, expected, found });
    }
    let found = samples.size();
    if found.is_empty() || (axes > 1 && found.len() != axes) {
        return Err(TorchExtError::Axes { tensor: name, expected: axes, found });
    }
    Ok(())
}

/// Checks that a truth has the shape of one sample, and is f64.
fn pairs(samples: &Tensor, truth: &Tensor) -> Result<()> {
    error::shape("truth", truth, &samples.size()[1..])?;
    error::device("truth", truth, Device::Cpu)?;
    error::kind("truth", truth, Kind::Double)
}

#[cfg(test)]
mod tests;
