//! One group of latent variables in a pass: posterior, prior and the draw.

use objective::DiagonalGaussian;
use tch::Tensor;
use tch::nn::Path;

use crate::error::Result;
use crate::layer::{HEAD_GAIN, LOG_SCALE_BOUND, Linear, Part, soft_bound, whole};
use crate::{ModelKind, VaeError};

/// One group of latent variables: the model's belief about it, and the value that the pass used.
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
    /// The reparameterized draw from the posterior.
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

    /// `log p(z_l | z_{<l}, x̃) − log q(z_l | z_{<l}, ·)` at the draw, in nats; with `landing` at a posterior whose
    /// parameters take no gradient.
    ///
    /// # Shapes
    /// Returns `[.., B]`.
    ///
    /// # Errors
    /// [`VaeError::Objective`] if the draw does not fit the Gaussians, which would be a defect.
    pub fn log_ratio(&self, landing: bool) -> Result<Tensor> {
        let prior = match &self.prior {
            Some(prior) => prior.log_prob(&self.sample)?,
            None => DiagonalGaussian::standard_like(&self.sample)?.log_prob(&self.sample)?,
        };
        let posterior = match landing {
            true => self.posterior.detach().log_prob(&self.sample)?,
            false => self.posterior.log_prob(&self.sample)?,
        };
        Ok(prior.f_sub(&posterior)?)
    }

    /// The draws with their path to the posterior, from draws that were cut from it.
    ///
    /// # Errors
    /// [`VaeError::Objective`] if the draw does not fit the posterior, which would be a defect.
    pub fn reattached(&self) -> Result<Tensor> {
        let fixed = self.posterior.detach();
        let noise = (self.sample.detach() - fixed.mean()) / fixed.log_std().f_exp()?;
        Ok(self.posterior.sample(&noise)?)
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

    /// One draw per row, `[B, G, Z]`, and its divergence from the prior by dimension, `[B, G·Z]`; `relative` as in
    /// [`Parameters::relative_to`].
    ///
    /// One kernel does it where [`torch_ext::fuses_draw`] allows, else the operations of [`Parameters::distribution`];
    /// the results are the same, bit for bit.
    pub(crate) fn draw(
        &self,
        prior: Option<&Parameters>,
        relative: bool,
    ) -> Result<(Tensor, Tensor)> {
        if torch_ext::fuses_draw(&self.0) {
            let mut size = self.0.size();
            if let Some(last) = size.last_mut() {
                *last /= 2;
            }
            let noise = normals(&size, 3, &self.0)?;
            let prior = prior.map(|prior| torch_ext::Prior { parameters: &prior.0, relative });
            let (sample, kl) = torch_ext::gaussian_draw(&self.0, prior, &noise, LOG_SCALE_BOUND)?;
            return Ok((sample, kl.f_flatten(-2, -1)?));
        }
        let posterior = match prior {
            Some(prior) if relative => self.relative_to(prior)?.distribution()?,
            _ => self.distribution()?,
        };
        let prior = prior.map(Parameters::distribution).transpose()?;
        let sample = Draw::One.from(&posterior, 0)?;
        let rows = per_row(&sample, self.0.size()[1])?;
        let kl = Latent { posterior, prior, sample }.kl_per_dim()?;
        Ok((rows, kl))
    }

    /// Parameters relative to others: `μ + Δμ`, `ln σ + Δ ln σ`; equal to the others where both Δ are 0.
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

/// Standard normals, for the rows that are here of a batch whose axis is `axis` from the end.
fn normals(size: &[i64], axis: usize, like: &Tensor) -> Result<Tensor> {
    let options = (like.kind(), like.device());
    Ok(torch_ext::draw_share(size, axis, |size| Tensor::f_randn(size, options))?)
}

/// Noise with which latent variables are drawn, group by group.
#[derive(Debug, Clone, Copy)]
pub enum Draw<'a> {
    /// One draw per example from torch's generator.
    One,
    /// Several draws per example, as a leading axis.
    Many(i64),
    /// As many, cut from the posterior's graph: the sample is a leaf that takes gradients. Of one group only.
    Cut(i64),
    /// The noise itself, one standard normal `[.., B, D]` per group.
    Given(&'a [Tensor]),
    /// No noise: the means.
    Mean,
}

impl Draw<'_> {
    /// Refuses fewer than one sample, and fewer tensors of noise than groups.
    pub(crate) fn check(&self, groups: i64, kind: ModelKind) -> Result<()> {
        match *self {
            Draw::Many(samples) | Draw::Cut(samples) if samples < 1 => {
                Err(VaeError::Size { key: "samples", value: samples, least: 1 })
            }
            Draw::Cut(_) if groups > 1 => Err(VaeError::Unsupported {
                action: "cut the draws of several latent groups",
                kind,
            }),
            Draw::Given(noise) if (noise.len() as i64) < groups => {
                Err(VaeError::Missing { tensor: "noise", kind })
            }
            Draw::One | Draw::Many(_) | Draw::Cut(_) | Draw::Given(_) | Draw::Mean => Ok(()),
        }
    }

    /// Draws `z` of one group, `[.., B, D]`.
    pub(crate) fn from(&self, distribution: &DiagonalGaussian, group: usize) -> Result<Tensor> {
        let mean = distribution.mean();
        let noise = match self {
            Draw::Mean => return Ok(mean.shallow_clone()),
            // Below the first group the parameters carry the sample axis already.
            Draw::Many(samples) | Draw::Cut(samples) if group == 0 => {
                let size: Vec<i64> = std::iter::once(*samples).chain(mean.size()).collect();
                normals(&size, 2, mean)?
            }
            Draw::One | Draw::Many(_) | Draw::Cut(_) => normals(&mean.size(), 2, mean)?,
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
        let sample = distribution.sample(&noise)?;
        Ok(match self {
            Draw::Cut(_) => sample.detach().set_requires_grad(true),
            _ => sample,
        })
    }
}

/// `[.., B, G·Z]` to `[.., B, G, Z]`.
pub(crate) fn per_row(sample: &Tensor, groups: i64) -> Result<Tensor> {
    let mut size = sample.size();
    let last = size.pop().unwrap_or(0);
    size.extend([groups, last / groups]);
    Ok(sample.f_view(size.as_slice())?)
}
