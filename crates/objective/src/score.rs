//! Proper scores of forecast samples against what happened.
//!
//! Samples come first, `[S, ...]`; truth has the shape of one sample. Everything is computed in f64
//! whatever the kind of the samples, and without gradient. Definitions and identities:
//! `docs/math/objective.md`, section 6.

mod kernel;
mod observed;
mod quantile;
mod sorted;
mod window;

pub use kernel::{bandwidth, kernel_log_density};
pub use observed::{over_observed, window_crps};
pub use quantile::{central_coverage, pit, quantile_loss, quantiles};
pub use sorted::SortedSamples;
pub use window::{LEVELS, WindowScores, window_scores, window_scores_sum};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{ObjectiveError, Result, check_float, check_range, wrong_shape};

/// Estimator of `E|X − X'|` from the samples that give the rest of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairEstimator {
    /// All S² pairs, each sample with itself too: the exact score of the empirical distribution.
    /// Its mean exceeds the score of the sampled law by `E|X − X'|/2S`, so more samples score better.
    #[default]
    Plain,
    /// The S(S − 1) pairs of different samples: unbiased for the score of the sampled law; may be negative.
    Fair,
}

impl PairEstimator {
    /// The number of ordered pairs of `samples` samples that the estimator averages over.
    fn pairs(self, samples: i64) -> Result<f64> {
        let count = samples as f64;
        match self {
            Self::Plain => Ok(count * count),
            Self::Fair => {
                check_range("samples of a fair score", count, "[2, ∞)", samples >= 2)?;
                Ok(count * (count - 1.0))
            }
        }
    }
}

/// The continuous ranked probability score of each element, in the unit of the target; smaller is better.
///
/// ```text
/// CRPS = E|X − y| − ½ E|X − X'|
///      = (1/S) Σ_i |x_i − y| − (1/P) Σ_i (2i − S − 1) x_(i),      P = S² or S(S − 1)
/// ```
///
/// The second sum runs over the sorted samples: O(S log S) instead of O(S²).
///
/// # Shapes
/// `samples`: `[S, ...]`; `truth`: `[...]`. Returns `[...]`.
///
/// # Errors
/// If the shapes do not fit, a tensor is not floating point, a sample is not finite, or `S < 2` for
/// [`PairEstimator::Fair`].
///
/// # References
/// Gneiting & Raftery (2007), eq. 21; fair: Ferro (2014), doi:10.1002/qj.2270.
pub fn crps(samples: &Tensor, truth: &Tensor, pairs: PairEstimator) -> Result<Tensor> {
    check_pairing(samples, truth)?;
    pairs.pairs(samples.size()[0])?; // before the sort
    SortedSamples::new(samples)?.crps(truth, pairs)
}

/// An unbiased estimate of the CRPS of each element, to be used as a training loss.
///
/// One half of the samples plays `X` and the other plays `X'`, so nothing is sorted and nothing waits for the device.
///
/// ```text
/// CRPS ≈ (1/S) Σ_i |x_i − y| − (1/S) Σ_{i ≤ S/2} |x_i − x_{i+S/2}|
/// ```
///
/// # Shapes
/// `samples`: `[S, ...]`, S even; `truth`: `[...]`. Returns `[...]`, differentiable in the samples.
///
/// # Errors
/// If the shapes do not fit, a tensor is not floating point, or S is odd.
///
/// # References
/// Gneiting & Raftery (2007), eq. 21.
pub fn crps_loss(samples: &Tensor, truth: &Tensor) -> Result<Tensor> {
    check_pairing(samples, truth)?;
    let count = samples.size()[0];
    check_range("samples", count as f64, "even, at least 2", count >= 2 && count % 2 == 0)?;
    let along = Some([0i64].as_slice());
    let miss = samples.f_sub(truth)?.f_abs()?.f_mean_dim(along, false, None)?;
    let half = count / 2;
    let apart = samples.f_narrow(0, 0, half)?.f_sub(&samples.f_narrow(0, half, half)?)?;
    Ok(miss - apart.f_abs()?.f_mean_dim(along, false, None)? * 0.5)
}

/// The energy score of each window: the CRPS generalized to a whole target, which also penalizes wrong
/// dependence between steps and channels.
///
/// ```text
/// ES = E‖X − y‖ − ½ E‖X − X'‖,      ‖·‖ Euclidean over [H, C]
/// ```
///
/// # Shapes
/// `samples`: `[S, N, H, C]`; `truth`: `[N, H, C]`. Returns `[N]`.
///
/// # Errors
/// As [`crps`], and if the samples do not have four axes.
///
/// # References
/// Gneiting & Raftery (2007), eq. 22 with β = 1.
pub fn energy_score(samples: &Tensor, truth: &Tensor, pairs: PairEstimator) -> Result<Tensor> {
    if samples.dim() != 4 {
        return Err(wrong_shape("samples", samples, "[S, N, H, C]"));
    }
    check_pairing(samples, truth)?;
    let (count, windows) = (samples.size()[0], samples.size()[1]);
    let divisor = pairs.pairs(count)?;
    if sorted::on_kernels(samples) {
        check_finite(samples)?;
        let width = samples.size()[2] * samples.size()[3];
        let samples = samples.detach().f_reshape([count, windows, width])?;
        let truth = truth.detach().f_to_kind(Kind::Double)?.f_reshape([windows, width])?;
        return Ok(torch_ext::energy(&samples, &truth, divisor)?);
    }
    let (samples, truth) = check_samples(samples, truth)?;
    if windows == 0 {
        return Ok(Tensor::zeros([0], (Kind::Double, truth.device())));
    }
    let points = (samples - &truth).f_transpose(0, 1)?.f_reshape([windows, count, -1])?;
    let miss = points.norm_scalaropt_dim(2, [2i64].as_slice(), false);
    let miss = miss.mean_dim([1i64].as_slice(), false, None::<Kind>);
    // Distances are taken from differences: a matrix product cancels where samples lie close together. Every pair is
    // counted twice.
    let apart = Tensor::f_cdist(&points, &points, 2.0, 2)?;
    let apart = apart.sum_dim_intlist([1i64, 2].as_slice(), false, None::<Kind>) * 0.5;
    Ok(miss - apart / divisor)
}

/// Fails unless `samples` are `[S, ...]`, S ≥ 1, and the truth has the shape and the device of one sample.
pub(crate) fn check_pairing(samples: &Tensor, truth: &Tensor) -> Result<()> {
    check_float("samples", samples)?;
    check_float("truth", truth)?;
    let shape = samples.size();
    if shape.is_empty() || shape[0] == 0 {
        return Err(wrong_shape("samples", samples, "[S, ...] with S ≥ 1"));
    }
    if shape[1..] != truth.size()[..] {
        return Err(wrong_shape("truth", truth, format!("{:?}, that of one sample", &shape[1..])));
    }
    if samples.device() != truth.device() {
        return Err(ObjectiveError::Mixed {
            left_name: "samples",
            left: (samples.kind(), samples.device()),
            right_name: "truth",
            right: (truth.kind(), truth.device()),
        });
    }
    Ok(())
}

/// Fails if a sample is not finite: a NaN sorts last and would pass for a large value.
pub(crate) fn check_finite(samples: &Tensor) -> Result<()> {
    let missing = samples.isfinite().logical_not().sum(Kind::Int64).int64_value(&[]);
    if missing > 0 {
        return Err(ObjectiveError::NotFinite { what: "samples", count: missing });
    }
    Ok(())
}

/// Samples `[S, ...]`, S ≥ 1, all finite, and truth `[...]`, both detached and as f64.
pub(crate) fn check_samples(samples: &Tensor, truth: &Tensor) -> Result<(Tensor, Tensor)> {
    check_pairing(samples, truth)?;
    check_finite(samples)?;
    Ok((samples.detach().to_kind(Kind::Double), truth.detach().to_kind(Kind::Double)))
}

#[cfg(test)]
mod tests;
