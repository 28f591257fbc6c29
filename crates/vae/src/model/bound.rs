//! The terms of the bound straight from the raw outputs of the networks, in few operations.

use objective::Family;
use tch::Tensor;

use super::{Core, Model, joined};
use crate::error::Result;
use crate::{Inputs, Location, Scale, VaeError};

/// What a pass is scored on.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The target, noised where `noise` is given, `[B, T, C]`; finite also where missing.
    pub values: &'a Tensor,
    /// Its signal and the standard deviation of its noise, each `[B, 1, 1]`.
    pub noise: Option<(&'a Tensor, &'a Tensor)>,
    /// `[B, T, C]`, 0 where missing.
    pub observed: Option<&'a Tensor>,
}

/// Both terms of the bound for each window, `[B]`, in nats.
#[derive(Debug)]
pub struct BoundTerms {
    /// The log density of what was observed.
    pub log_likelihood: Tensor,
    /// The divergence of all latent groups.
    pub kl: Tensor,
}

impl Model {
    /// The terms of the bound at one draw of the latent variables: those of [`Model::forward`], with
    /// the same random numbers, in few operations.
    ///
    /// `None` where the general path has to serve: for other laws than Gaussian ones of predicted
    /// scale, and where [`torch_ext::fuses`] says no.
    ///
    /// # Shapes
    /// As [`Model::forward`]; the observation is over the horizon, for `autoencode` over the context.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn bound(
        &self,
        inputs: &Inputs,
        target: Option<&Tensor>,
        observation: Observation,
        train: bool,
    ) -> Result<Option<BoundTerms>> {
        let gaussian = self.family == Family::Gaussian && self.config.scale == Scale::Predicted;
        let locates = self.config.location == Location::Predicted;
        if !gaussian || !locates || !torch_ext::fuses(self.decoder.parameter()) {
            return Ok(None);
        }
        let batch = self.expected().inputs(inputs)?;
        let statics = self.encoder.statics(inputs)?;
        let features = self.encoder.features(inputs, &statics, train)?;
        let (rows, kl) = match &self.core {
            Core::Direct(direct) => {
                let (rows, kl) = direct.bound(&features)?;
                (vec![rows], kl)
            }
            Core::Ladder(ladder) => {
                let kind = self.config.kind;
                let target = target.ok_or(VaeError::Missing { tensor: "target", kind })?;
                ladder.bound(&features, &self.target_rows(target, batch)?, train)?
            }
        };
        let latent = joined(&rows)?;
        let outputs = self.decoder.outputs(&self.parts(&latent, &statics, &features), train)?;
        let log_likelihood = self.score(inputs, &outputs, observation)?;
        Ok(Some(BoundTerms { log_likelihood, kl }))
    }

    /// The log density of an observation given the raw outputs of the decoder, `[B]`.
    fn score(&self, inputs: &Inputs, outputs: &Tensor, observation: Observation) -> Result<Tensor> {
        let Observation { values, noise, observed } = observation;
        let skip = match self.skipped(inputs)? {
            Some(skip) => Some(self.as_rows(&skip.f_transpose(1, 2)?)?),
            None => None,
        };
        let observed = observed.map(|mask| self.as_rows(mask)).transpose()?;
        let noise = match noise {
            Some((signal, std)) => Some((signal.f_view([-1])?, std.f_view([-1])?)),
            None => None,
        };
        let target = torch_ext::Target {
            values: &self.as_rows(values)?,
            noise: noise.as_ref().map(|(signal, std)| (signal, std)),
            observed: observed.as_ref(),
        };
        Ok(torch_ext::gaussian_log_density(outputs, skip.as_ref(), target)?)
    }
}

#[cfg(test)]
mod tests;
