//! The two terms of the bound, in one pass.

use tch::Tensor;

use super::{Core, Model, joined};
use crate::error::Result;
use crate::{Inputs, Observation};

/// The terms of the bound for each window, in nats.
#[derive(Debug)]
pub struct Terms {
    /// The log density of the values observed, `[B]`.
    pub log_likelihood: Tensor,
    /// The divergence of each latent group from its prior by dimension, `[B, D]`, from the top down.
    pub kl_groups: Vec<Tensor>,
}

impl Model {
    /// The terms of the bound at one draw of the latent variables.
    ///
    /// They equal those of [`Model::forward`] with [`crate::Draw::One`] and the same random numbers, bit for bit. The
    /// one exception is the log density of Gaussian and Laplace laws with a predicted scale: one kernel computes it, and
    /// it agrees to rounding.
    ///
    /// # Shapes
    /// As [`Model::forward`]; the observation is over the horizon, for `autoencode` over the context.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn terms(
        &self,
        inputs: &Inputs,
        target: Option<&Tensor>,
        observation: Observation,
        train: bool,
    ) -> Result<Terms> {
        let encoded = self.encoded(inputs, train)?;
        let (rows, kl_groups) = match &self.core {
            Core::Direct(direct) => {
                let (rows, kl) = direct.draw(&encoded.features)?;
                (vec![rows], vec![kl])
            }
            Core::Ladder(ladder) => {
                let target = self.evidence(target, encoded.batch)?;
                ladder.draw(&encoded.features, &target, train)?
            }
        };
        let latent = joined(&rows)?;
        let outputs = self.decoder.outputs(&self.parts(&latent, &encoded), train)?;
        let skip = self.skipped(inputs)?;
        let log_likelihood = self.decoder.log_likelihood(&outputs, skip.as_ref(), observation)?;
        Ok(Terms { log_likelihood, kl_groups })
    }
}
