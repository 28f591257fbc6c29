//! Why a step was not finite: which term, in which channel.

use tch::Tensor;

use crate::batch::Batch;
use crate::error::TrainError;
use crate::forecaster::Forecaster;

/// The first thing that is not finite, in the order in which it is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Culprit {
    pub(crate) term: &'static str,
    /// Index of the channel, where it is that of one.
    pub(crate) channel: Option<usize>,
}

/// Looks at one more noised pass through `batch`, with the weights as they are: skipped steps did not
/// change them.
///
/// # Errors
/// If the batch does not fit the model.
pub(crate) fn diagnose(forecaster: &Forecaster, batch: &Batch) -> Result<Culprit, TrainError> {
    let found = |term, channel| Ok(Culprit { term, channel });
    for (term, values) in [("context", &batch.context), ("target", &batch.target)] {
        if let Some(channel) = not_finite(values)? {
            return found(term, Some(channel));
        }
    }
    let (latents, log_prob) = forecaster.training_pass(batch)?;
    for latent in &latents {
        if not_finite(&latent.kl_per_dim()?)?.is_some() {
            return found("KL", None);
        }
    }
    match not_finite(&log_prob)? {
        Some(channel) => found("reconstruction", Some(channel)),
        None => found("gradient", None),
    }
}

/// The first index of the last axis with a number that is not finite.
fn not_finite(values: &Tensor) -> Result<Option<usize>, TrainError> {
    let width = values.size().last().copied().unwrap_or(1);
    let torn = values.f_isfinite()?.f_logical_not()?.f_reshape([-1, width])?.f_any_dim(0, false)?;
    let torn = Vec::<bool>::try_from(torn)?;
    Ok(torn.into_iter().position(|torn| torn))
}
