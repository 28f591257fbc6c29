//! Quantiles of samples, and the scores computed from them: quantile loss, coverage, PIT.

use tch::{Kind, Tensor};

use super::{SortedSamples, check_samples};
use crate::error::{Result, check_range, wrong_shape};

/// Sample quantiles by linear interpolation at position `level·(S − 1)` (type 7, numpy's default).
///
/// # Shapes
/// `samples`: `[S, ...]`. Returns `[Q, ...]` for Q levels, in f64.
///
/// # Errors
/// If a level lies outside [0, 1], there is no sample, or a sample is not finite.
///
/// # References
/// Hyndman & Fan (1996), definition 7.
pub fn quantiles(samples: &Tensor, levels: &[f64]) -> Result<Tensor> {
    quantiles_of_sorted(&SortedSamples::new(samples)?.samples().to_kind(Kind::Double), levels)
}

/// As [`quantiles`], for samples that are sorted already.
pub(super) fn quantiles_of_sorted(sorted: &Tensor, levels: &[f64]) -> Result<Tensor> {
    let last = sorted.size()[0] - 1;
    let mut rows = Vec::with_capacity(levels.len());
    for &level in levels {
        check_range("level", level, "[0, 1]", (0.0..=1.0).contains(&level))?;
        let position = level * last as f64;
        let below = position.floor();
        let index = below as i64;
        let low = sorted.get(index);
        let high = sorted.get((index + 1).min(last));
        rows.push(&low + (high - &low) * (position - below));
    }
    if rows.is_empty() {
        return Ok(sorted.narrow(0, 0, 0));
    }
    Ok(Tensor::f_stack(&rows, 0)?)
}

/// Twice the pinball loss of each quantile forecast, in the unit of the target; smaller is better.
///
/// ```text
/// QL_q = 2 |(q̂ − y) (1[y ≤ q̂] − q)|
/// ```
///
/// Because of the factor 2, its mean over all levels in (0, 1) is the CRPS.
///
/// # Shapes
/// `quantiles`: `[Q, ...]`, one row per level; `truth`: `[...]`. Returns `[Q, ...]`.
///
/// # Errors
/// If the shapes do not fit, the number of levels is not that of rows, or a level lies outside [0, 1].
pub fn quantile_loss(quantiles: &Tensor, truth: &Tensor, levels: &[f64]) -> Result<Tensor> {
    let (quantiles, truth) = check_samples(quantiles, truth)?;
    if quantiles.size()[0] != levels.len() as i64 {
        return Err(wrong_shape("quantiles", &quantiles, format!("[{}, ...]", levels.len())));
    }
    for &level in levels {
        check_range("level", level, "[0, 1]", (0.0..=1.0).contains(&level))?;
    }
    Ok(loss_of_errors(&(truth - &quantiles), levels))
}

/// Twice the pinball loss of errors `y − q̂`, `[Q, ...]`.
pub(super) fn loss_of_errors(errors: &Tensor, levels: &[f64]) -> Tensor {
    let levels = rows(levels, errors);
    (errors * &levels).maximum(&(errors * (levels - 1.0))) * 2.0
}

/// Levels as a column `[Q, 1, …]` next to `like`.
pub(super) fn rows(levels: &[f64], like: &Tensor) -> Tensor {
    let mut shape = vec![1; like.dim()];
    shape[0] = levels.len() as i64;
    Tensor::from_slice(levels).to_device(like.device()).view(shape.as_slice())
}

/// Indicator of the truth in the central interval of probability `level`, ends included: 1 or 0 for each element.
///
/// Its ends are the sample quantiles `(1 ± level)/2`.
///
/// # Shapes
/// `samples`: `[S, ...]`; `truth`: `[...]`. Returns `[...]`; the mean over many is the coverage.
///
/// # Errors
/// If the shapes do not fit, a sample is not finite, or the level lies outside [0, 1].
pub fn central_coverage(samples: &Tensor, truth: &Tensor, level: f64) -> Result<Tensor> {
    check_range("level", level, "[0, 1]", (0.0..=1.0).contains(&level))?;
    let (samples, truth) = check_samples(samples, truth)?;
    let ends = quantiles(&samples, &[0.5 - level / 2.0, 0.5 + level / 2.0])?;
    Ok(inside(&truth, &ends.get(0), &ends.get(1)))
}

/// 1 where `low ≤ truth ≤ high`, else 0.
pub(super) fn inside(truth: &Tensor, low: &Tensor, high: &Tensor) -> Tensor {
    truth.ge_tensor(low).logical_and(&truth.le_tensor(high)).to_kind(Kind::Double)
}

/// The probability integral transform of each element: the truth's place among the samples, in (0, 1).
///
/// ```text
/// PIT = ( #{x_i < y} + ½ #{x_i = y} + ½ ) / (S + 1)
/// ```
///
/// If truth and samples are exchangeable and continuous, it is uniform on the midpoints of S + 1 equal
/// parts. Nothing is randomized: ties, which a continuous law does not produce, count half.
///
/// # Shapes
/// `samples`: `[S, ...]`; `truth`: `[...]`. Returns `[...]`.
///
/// # Errors
/// If the shapes do not fit or a sample is not finite.
pub fn pit(samples: &Tensor, truth: &Tensor) -> Result<Tensor> {
    super::check_pairing(samples, truth)?;
    SortedSamples::new(samples)?.pit(truth)
}
