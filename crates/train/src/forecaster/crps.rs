//! The CRPS of forecasts, as a term of the loss.

use feed::Batch;
use tch::{Kind, Tensor};

use super::{Forecaster, Prepared, hide};
use crate::error::TrainError;

impl Forecaster {
    /// The CRPS of forecasts from the noised context, summed over the clean target and averaged over windows. It is in
    /// standardized units, as scores are, so that a calm window weighs less than a volatile one.
    ///
    /// With coherent noise the truth is the noised target, which is the one that belongs to the noised context.
    pub(super) fn forecast_crps(
        &self,
        batch: &Batch,
        prepared: &Prepared,
        samples: i64,
    ) -> Result<Tensor, TrainError> {
        let (truth, observed) = self.truth(batch);
        let truth = match self.coherent.is_some() && !self.autoencodes() {
            true => prepared.target.shallow_clone(),
            false => {
                let truth = hide(prepared.instance.apply(truth)?, observed)?;
                self.described.of_window(truth)
            }
        };
        let inputs = &prepared.inputs;
        let crps = self.computed(|| self.model.forecast_crps(inputs, &truth, samples, true))?;
        let crps = hide(crps, observed)?;
        let crps = self.described.to_window(crps * &prepared.instance.scale);
        Ok(crps.f_sum(Kind::Float)? / batch.context.size()[0] as f64)
    }
}
