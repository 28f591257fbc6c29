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
    let score = crps(samples, truth, PairEstimator::Fair)?.f_to_kind(Kind::Double)?;
    let over = [-2_i64, -1];
    Ok(match observed {
        None => score.f_mean_dim(over.as_slice(), false, Kind::Double)?,
        Some(observed) => {
            let weight = observed.f_to_kind(Kind::Double)?;
            let sum = (score * &weight).f_sum_dim_intlist(over.as_slice(), false, Kind::Double)?;
            sum / weight.f_sum_dim_intlist(over.as_slice(), false, Kind::Double)?
        }
    })
}

/// The mean over windows of [`window_crps`]; windows without an observation do not count. Waits for
/// the device.
///
/// # Errors
/// As [`window_crps`].
pub(crate) fn mean_crps(
    samples: &Tensor,
    truth: &Tensor,
    observed: Option<&Tensor>,
) -> Result<f64, TrainError> {
    let windows = window_crps(samples, truth, observed)?;
    let mean = windows.f_nanmean([0_i64].as_slice(), false, Kind::Double)?;
    Ok(mean.f_double_value(&[])?)
}
