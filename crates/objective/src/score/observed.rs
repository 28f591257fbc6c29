//! Means over the observed part of a target.

use tch::{Kind, Tensor};

use super::{PairEstimator, crps};
use crate::error::Result;

/// Fair CRPS of samples `[S, B, H, C]`, one number per window: the mean over its observed steps and
/// channels, in the unit of the samples; NaN where nothing was observed.
///
/// # Errors
/// If the samples are not finite.
pub fn window_crps(samples: &Tensor, truth: &Tensor, observed: Option<&Tensor>) -> Result<Tensor> {
    over_observed(&crps(samples, truth, PairEstimator::Fair)?, observed)
}

/// The mean of `[B, H, C]` over the observed steps and channels of each window, `[B]` in f64; NaN where
/// there are none.
///
/// # Errors
/// [`ObjectiveError::Torch`](crate::ObjectiveError::Torch) if the shapes do not fit.
pub fn over_observed(values: &Tensor, observed: Option<&Tensor>) -> Result<Tensor> {
    let over = [-2_i64, -1];
    let values = values.f_to_kind(Kind::Double)?;
    let Some(observed) = observed else {
        return Ok(values.f_mean_dim(over.as_slice(), false, Kind::Double)?);
    };
    let weight = observed.f_to_kind(Kind::Double)?;
    // Filled, not multiplied by the mask: the score of an unobserved value may be NaN.
    let seen = values.f_masked_fill(&weight.f_eq(0.0)?, 0.0)?;
    let sum = |tensor: Tensor| tensor.f_sum_dim_intlist(over.as_slice(), false, Kind::Double);
    Ok(sum(seen * &weight)? / sum(weight)?)
}
