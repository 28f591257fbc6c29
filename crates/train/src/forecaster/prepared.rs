//! Batches in the form that the model reads: relative to their windows, and noised.

use feed::Batch;
use tch::Tensor;
use vae::{Inputs, Instance};

use super::{Forecaster, coherent};
use crate::error::TrainError;

/// A batch in the form that the model reads.
pub(super) struct Prepared {
    pub(super) instance: Instance,
    pub(super) inputs: Inputs,
    /// `ỹ`, in the units of the instance.
    pub(super) target: Tensor,
    /// `a^y_t` and `s^y_t`; absent if the target is clean.
    pub(super) noise: Option<(Tensor, Tensor)>,
}

impl Prepared {
    /// `count` windows from `first` on.
    pub(super) fn part(&self, first: i64, count: i64) -> Result<Prepared, TrainError> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, first, count);
        let noise = match &self.noise {
            Some((signal, std)) => Some((part(signal)?, part(std)?)),
            None => None,
        };
        let (instance, inputs) =
            (self.instance.part(first, count)?, self.inputs.part(first, count)?);
        Ok(Prepared { instance, inputs, target: part(&self.target)?, noise })
    }
}

impl Forecaster {
    /// Windows relative to their own level and scale, and then noised. The noise is therefore relative to the scale of
    /// the window, and inference sees the same inputs as training at `t = 0`.
    pub(super) fn prepare(&self, batch: &Batch, noised: bool) -> Result<Prepared, TrainError> {
        let (instance, context, target) = self.relative(batch)?;
        let steps = match &self.steps {
            Some(steps) if noised => Some(steps.sample(context.size()[0])?),
            _ => None,
        };
        let (context, target, level, noise) = match (&steps, &self.coherent) {
            (None, _) => (self.input.clean(&context)?, self.target.clean(&target)?, None, None),
            (Some(t), Some(coherent)) => {
                let (context, target) = coherent::noised(coherent, batch, &context, &target, t)?;
                (context, target, self.level_at(t)?, None)
            }
            (Some(t), None) => (
                self.input.apply_drawn(&context, t)?,
                self.target.apply_drawn(&target, t)?,
                self.level_at(t)?,
                Some((self.target.signal_at(t)?, self.target.std_at(t)?)),
            ),
        };
        let inputs = inputs(batch, context, level)?;
        Ok(Prepared { instance, inputs, target, noise })
    }

    /// The noise level that the networks are told, if they are told any.
    fn level_at(&self, t: &Tensor) -> Result<Option<Tensor>, TrainError> {
        Ok(match self.model.config().noise_conditioning {
            true => Some(self.input.std_at(t)?.f_view([-1])?),
            false => None,
        })
    }

    /// Context and target relative to the level and scale of their window; zero where nothing was observed.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn relative(&self, batch: &Batch) -> Result<(Instance, Tensor, Tensor), TrainError> {
        let instance = self.model.instance(&batch.context, batch.context_observed.as_ref())?;
        let context = hide(instance.apply(&batch.context)?, batch.context_observed.as_ref())?;
        let target = hide(instance.apply(&batch.target)?, batch.target_observed.as_ref())?;
        Ok((instance, context, target))
    }
}

/// The inputs of a model: a context of the batch, noised to `level`, and the covariates.
///
/// # Errors
/// [`TrainError::Feed`] if the shapes do not fit.
pub fn inputs(batch: &Batch, context: Tensor, level: Option<Tensor>) -> Result<Inputs, TrainError> {
    let context = match &batch.extras {
        Some(extras) => Tensor::f_cat(&[&context, extras], 2)?,
        None => context,
    };
    let (future, seasonal) = (&batch.future, &batch.seasonal);
    Ok(Inputs {
        context,
        future: future.as_ref().map(Tensor::shallow_clone),
        seasonal: seasonal.as_ref().map(Tensor::shallow_clone),
        level,
    })
}

/// `values`, with zero, the mean of the window, where nothing was observed.
pub(super) fn hide(values: Tensor, observed: Option<&Tensor>) -> Result<Tensor, TrainError> {
    Ok(match observed {
        Some(observed) => values.f_mul(observed)?,
        None => values,
    })
}
