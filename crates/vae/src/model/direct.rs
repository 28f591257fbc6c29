//! `autoencode` and `predict`: a posterior that sees the window only, and the prior `N(0, I)`.

use tch::Tensor;
use tch::nn::Path;

use crate::ModelConfig;
use crate::error::Result;
use crate::latent::{Draw, GaussianHead, Latent, per_row};
use crate::layer::part;

/// `q(z | x̃)` from the features of the window.
#[derive(Debug)]
pub(super) struct Direct(GaussianHead);

impl Direct {
    pub(super) fn new(path: &Path, config: &ModelConfig, features: i64) -> Result<Direct> {
        let head =
            GaussianHead::new(&(path / "posterior"), &[part("features", features)], config.latent)?;
        Ok(Direct(head))
    }

    /// A draw per row, `[B, G, Z]`, and the divergence by dimension, `[B, G·Z]`.
    pub(super) fn draw(&self, features: &Tensor) -> Result<(Tensor, Tensor)> {
        self.0.forward(&[features])?.draw(None, false)
    }

    /// The latent and its draw per row, `[.., B, G, Z]`.
    pub(super) fn posterior(&self, features: &Tensor, draw: Draw) -> Result<(Latent, Tensor)> {
        let posterior = self.0.forward(&[features])?.distribution()?;
        let sample = draw.from(&posterior, 0)?;
        let rows = per_row(&sample, features.size()[1])?;
        Ok((Latent { posterior, prior: None, sample }, rows))
    }
}
