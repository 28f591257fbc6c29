//! Forecasts: draws of latent variables as at forecast time, and what the decoder makes of them.

use objective::Likelihood;
use tch::Tensor;

use super::{Core, Encoded, Model, joined};
use crate::error::Result;
use crate::{Draw, Inputs};

impl Model {
    /// Draws forecasts: `z` as at forecast time, then `y_0` from the likelihood.
    ///
    /// ```text
    /// predict         z ~ q(z | x̃)               conditional    z ~ p(z | x̃)
    /// hierarchical    z_l ~ p(z_l | z_{<l}, x̃)   autoencode     z ~ q(z | x̃), then x_0
    /// ```
    ///
    /// The window is encoded once and decoded `S` times in one batch; memory grows with
    /// `S · B · H · C`. Forecasts are in the units of the prepared context; [`crate::Instance::invert`] converts them back.
    ///
    /// # Shapes
    /// Returns `[S, B, H, C]`, or `[S, B, L, C]` for `autoencode`.
    ///
    /// # Errors
    /// As [`Model::predict_likelihood`].
    pub fn sample(&self, inputs: &Inputs, samples: i64) -> Result<Tensor> {
        let likelihood = self.predict_likelihood(inputs, samples, false)?;
        let Some(copula) = &self.copula else { return Ok(likelihood.sample()?) };
        let normals = copula.normals(likelihood.shape())?;
        Ok(likelihood.sample_with(&likelihood.noise_like(&normals)?)?)
    }

    /// The likelihood at `S` draws of `z` as at forecast time: the components of the predictive mixture.
    ///
    /// ```text
    /// p(y | x̃) ≈ 1/S Σ_s p(y | z_s, x̃)
    /// ```
    ///
    /// # Shapes
    /// Over `[S, B, T, C]`; parameters that do not depend on `z` may have fewer axes.
    ///
    /// # Errors
    /// [`crate::VaeError::Shape`], [`crate::VaeError::Type`] or [`crate::VaeError::Missing`] for unfit tensors,
    /// [`crate::VaeError::Size`] for fewer than one sample.
    pub fn predict_likelihood(
        &self,
        inputs: &Inputs,
        samples: i64,
        train: bool,
    ) -> Result<Likelihood> {
        let (encoded, rows) = self.drawn(inputs, samples, train)?;
        self.likelihood(inputs, &encoded, &rows, train)
    }

    /// The CRPS of `S` forecasts as a training loss, for each element of the truth; see
    /// [`objective::score::crps_loss`].
    ///
    /// It is that of samples of [`Model::predict_likelihood`]. For Gaussian and Laplace laws with a predicted scale, one
    /// kernel computes it from its own draws.
    ///
    /// # Shapes
    /// `truth`: `[B, T, C]`, in the units of the prepared context, as the result.
    ///
    /// # Errors
    /// As [`Model::predict_likelihood`], and if `samples` is odd or the truth does not fit.
    pub fn forecast_crps(
        &self,
        inputs: &Inputs,
        truth: &Tensor,
        samples: i64,
        train: bool,
    ) -> Result<Tensor> {
        let (encoded, rows) = self.drawn(inputs, samples, train)?;
        let latent = joined(&rows)?;
        let outputs = self.decoder.outputs(&self.parts(&latent, &encoded), train)?;
        self.decoder.crps(&outputs, self.skipped(inputs)?.as_ref(), truth)
    }

    /// A window and `S` draws of its latent variables as at forecast time, `[S, B, G, Z]` for each group.
    fn drawn(&self, inputs: &Inputs, samples: i64, train: bool) -> Result<(Encoded, Vec<Tensor>)> {
        let draw = Draw::Many(samples);
        draw.check(self.groups(), self.config.kind)?;
        let encoded = self.encoded(inputs, train)?;
        let rows = match &self.core {
            Core::Direct(direct) => vec![direct.posterior(&encoded.features, draw)?.1],
            Core::Ladder(ladder) => ladder.prior(&encoded.features, draw, train)?,
        };
        Ok((encoded, rows))
    }
}
