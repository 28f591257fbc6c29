//! One group of latent variables in a pass: posterior, prior and the draw.

use objective::DiagonalGaussian;
use tch::Tensor;
use tch::nn::Path;

use crate::VaeError;
use crate::error::Result;
use crate::layer::{HEAD_GAIN, Linear, Part, soft_bound, whole};

/// One group of latent variables: what the model believes about it, and the value it went on with.
///
/// # Shapes
/// `D = Z` where channels are joint and `C · Z`, channel by channel, where they are independent.
/// All are `[B, D]`, with a leading sample axis where several samples were asked for; the
/// parameters of the first group never depend on samples and stay `[B, D]`.
#[derive(Debug)]
pub struct Latent {
    /// `q(z_l | z_{<l}, ·)`.
    pub posterior: DiagonalGaussian,
    /// `p(z_l | z_{<l}, x̃)`, or `None` for `N(0, I)`.
    pub prior: Option<DiagonalGaussian>,
    /// The reparameterised draw from the posterior.
    pub sample: Tensor,
}

impl Latent {
    /// `KL[posterior ‖ prior]` of every dimension, in nats; sum over the last axis for the group.
    ///
    /// # Shapes
    /// Returns `[.., B, D]`.
    ///
    /// # Errors
    /// [`VaeError::Objective`] if the two Gaussians do not broadcast, which would be a defect.
    pub fn kl_per_dim(&self) -> Result<Tensor> {
        Ok(match &self.prior {
            None => self.posterior.kl_to_standard_per_dim(),
            Some(prior) => self.posterior.kl_per_dim(prior)?,
        })
    }
}

/// Mean and log standard deviation per row, side by side, `[.., B, G, 2Z]`; the latter before its bound.
#[derive(Debug)]
pub(crate) struct Parameters(Tensor);

impl Parameters {
    /// One distribution per example, `[.., B, G·Z]`, its log standard deviation bounded.
    pub(crate) fn distribution(&self) -> Result<DiagonalGaussian> {
        let halves = self.0.f_chunk(2, -1)?;
        let [mean, raw_log_std] = halves.as_slice() else {
            unreachable!("the head has an even number of outputs")
        };
        let mean = mean.f_flatten(-2, -1)?;
        let log_std = soft_bound(raw_log_std)?.f_flatten(-2, -1)?;
        Ok(DiagonalGaussian::new(mean, log_std)?)
    }

    /// One draw per row, `[B, G, Z]`, and the divergence of each window from the prior, `[B]`, in one
    /// operation; `relative` as in [`Parameters::relative_to`].
    pub(crate) fn draw(
        &self,
        prior: Option<&Parameters>,
        relative: bool,
    ) -> Result<(Tensor, Tensor)> {
        let mut size = self.0.size();
        if let Some(last) = size.last_mut() {
            *last /= 2;
        }
        let noise = Tensor::f_randn(&size, (self.0.kind(), self.0.device()))?;
        Ok(torch_ext::gaussian_draw(&self.0, prior.map(|prior| &prior.0), &noise, relative)?)
    }

    /// Parameters relative to others: `μ + Δμ`, `ln σ + Δ ln σ`; equal to them where both Δ are 0.
    ///
    /// Vahdat & Kautz (2020), section 3.2, arXiv:2007.03898.
    pub(crate) fn relative_to(&self, other: &Parameters) -> Result<Parameters> {
        Ok(Parameters(other.0.f_add(&self.0)?))
    }
}

/// One affine map to both parameters of a Gaussian, near `N(0, I)` at the start.
#[derive(Debug)]
pub(crate) struct GaussianHead(Linear);

impl GaussianHead {
    pub(crate) fn new(path: &Path, inputs: &[Part], latent: i64) -> Result<GaussianHead> {
        Ok(GaussianHead(Linear::new(path, inputs, 2 * latent, HEAD_GAIN)?))
    }

    pub(crate) fn forward(&self, inputs: &[&Tensor]) -> Result<Parameters> {
        Ok(Parameters(whole(self.0.forward(inputs)?)?))
    }
}

/// Where the noise of a draw comes from, group by group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw<'a> {
    /// One draw per example from torch's generator.
    One,
    /// Several draws per example, as a leading axis.
    Many(i64),
    /// The noise itself, one tensor per group.
    Given(&'a [Tensor]),
    /// No noise: the means.
    Mean,
}

impl Draw<'_> {
    /// Several, at least one.
    pub(crate) fn many(samples: i64) -> Result<Draw<'static>> {
        if samples < 1 {
            return Err(VaeError::Size { key: "samples", value: samples, least: 1 });
        }
        Ok(Draw::Many(samples))
    }

    /// Draws `z` of one group, `[.., B, D]`.
    pub(crate) fn from(&self, distribution: &DiagonalGaussian, group: usize) -> Result<Tensor> {
        let mean = distribution.mean();
        let noise = match self {
            Draw::Mean => return Ok(mean.shallow_clone()),
            // Below the first group the parameters carry the sample axis already.
            Draw::Many(samples) if group == 0 => {
                let size: Vec<i64> = std::iter::once(*samples).chain(mean.size()).collect();
                Tensor::f_randn(&size, (mean.kind(), mean.device()))?
            }
            Draw::One | Draw::Many(_) => mean.f_randn_like()?,
            Draw::Given(noise) => {
                let noise = &noise[group];
                let (found, wanted) = (noise.size(), mean.size());
                if !found.ends_with(&wanted) && found != wanted {
                    let expected = format!("[.., {wanted:?}]");
                    return Err(VaeError::Shape { tensor: "noise", expected, found });
                }
                noise.shallow_clone()
            }
        };
        Ok(distribution.sample(&noise)?)
    }
}

/// `[.., B, G·Z]` to `[.., B, G, Z]`.
pub(crate) fn per_row(sample: &Tensor, groups: i64) -> Result<Tensor> {
    let mut size = sample.size();
    let last = size.pop().unwrap_or(0);
    size.extend([groups, last / groups]);
    Ok(sample.f_view(size.as_slice())?)
}
