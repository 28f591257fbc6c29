//! Coherent noise of a batch: context and target as one window.

use feed::Batch;
use noise::{Coherent, Windows};
use tch::{Kind, Tensor};

use crate::error::TrainError;

/// Context and target of a batch, relative to their windows, noised as one window at steps `t`.
///
/// Covariates, calendar and masks stay those of the batch, and windows are noised around what these say of them, so that
/// a winter stays one: [`Windows::known`].
pub(super) fn noised(
    coherent: &Coherent,
    batch: &Batch,
    context: &Tensor,
    target: &Tensor,
    t: &Tensor,
) -> Result<(Tensor, Tensor), TrainError> {
    let (before, after) = (context.size()[1], target.size()[1]);
    let values = Tensor::f_cat(&[context, target], 1)?;
    let observed = observed(batch)?;
    let known = known(batch)?;
    let windows = Windows { values: &values, observed: observed.as_ref(), known: known.as_ref() };
    let noised = coherent.apply_drawn(windows, t)?;
    Ok((noised.f_narrow(1, 0, before)?, noised.f_narrow(1, before, after)?))
}

/// The mask of context and target, `[B, L + H, C]`.
fn observed(batch: &Batch) -> Result<Option<Tensor>, TrainError> {
    let masks = [&batch.context_observed, &batch.target_observed];
    if masks.iter().all(|mask| mask.is_none()) {
        return Ok(None);
    }
    let values = [&batch.context, &batch.target];
    let whole = |(mask, values): (&Option<Tensor>, &Tensor)| match mask {
        Some(mask) => Ok(mask.shallow_clone()),
        None => values.f_ones_like(),
    };
    let parts = masks.into_iter().zip(values).map(whole).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Tensor::f_cat(&parts, 1)?))
}

/// The covariates at the last row of the context, and the mean of those that are known over the horizon, `[B, K]`.
fn known(batch: &Batch) -> Result<Option<Tensor>, TrainError> {
    let mut known = Vec::new();
    if let Some(extras) = &batch.extras {
        known.push(extras.f_select(1, -1)?);
    }
    if let Some(future) = &batch.future {
        known.push(future.f_mean_dim([1_i64].as_slice(), false, Kind::Float)?);
    }
    if let Some(seasonal) = &batch.seasonal {
        known.push(seasonal.shallow_clone());
    }
    Ok(if known.is_empty() { None } else { Some(Tensor::f_cat(&known, 1)?) })
}
