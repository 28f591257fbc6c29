//! Scores of standardized samples, as training and tables need them.

use objective::score::{PairEstimator, crps};
use tch::{Kind, Tensor};

use crate::error::TrainError;

/// Fair CRPS of samples `[S, B, H, C]`, one number per window: the mean over its observed steps and
/// channels, in units of the training standard deviation.
///
/// # Errors
/// If the samples are not finite.
pub(crate) fn window_crps(
    samples: &Tensor,
    truth: &Tensor,
    observed: Option<&Tensor>,
) -> Result<Tensor, TrainError> {
    over_observed(&crps(samples, truth, PairEstimator::Fair)?, observed)
}

/// The mean of `[B, H, C]` over the observed steps and channels of each window, `[B]` in f64; NaN where
/// there are none.
///
/// # Errors
/// [`TrainError::Torch`] if the shapes do not fit.
pub(crate) fn over_observed(
    values: &Tensor,
    observed: Option<&Tensor>,
) -> Result<Tensor, TrainError> {
    let over = [-2_i64, -1];
    let values = values.f_to_kind(Kind::Double)?;
    let Some(observed) = observed else {
        return Ok(values.f_mean_dim(over.as_slice(), false, Kind::Double)?);
    };
    let weight = observed.f_to_kind(Kind::Double)?;
    // Not a product: what is not observed may have no score at all.
    let seen = values.f_masked_fill(&weight.f_eq(0.0)?, 0.0)?;
    let sum = |tensor: Tensor| tensor.f_sum_dim_intlist(over.as_slice(), false, Kind::Double);
    Ok(sum(seen * &weight)? / sum(weight)?)
}
