//! Gaussians, likelihoods, the evidence lower bound and scoring rules.
//!
//! Functions of tensors and nothing else: no model, no data, no training loop. Values are in nats or in the unit of the
//! target, and `docs/math/objective.md` derives every formula.
//!
//! | item | holds |
//! |---|---|
//! | [`DiagonalGaussian`], [`FullGaussian`] | density, reparameterized draws, entropy, KL divergence of either to either |
//! | [`Likelihood`] | Gaussian, Laplace and Student-t laws of a target, clean or noised; closed-form CRPS |
//! | [`elbo`] | the bound as named terms, annealing of the KL, free bits, IWAE, gradients of lower variance |
//! | [`score`] | CRPS, quantile loss, coverage, PIT and energy score of forecast samples |
//! | [`ppca`] | the linear Gaussian model, whose evidence and posterior are known exactly |
//!
//! The bound of one window under a decoder that maps `z` to two values, and its loss:
//!
//! ```
//! use objective::elbo::{Elbo, FreeBits, sum_over_target};
//! use objective::{DiagonalGaussian, Likelihood};
//! use tch::{Device, Kind, Tensor};
//!
//! let options = (Kind::Double, Device::Cpu);
//! let mean = Tensor::from_slice(&[0.3]).view([1, 1]).set_requires_grad(true); // [B, Z]
//! let q = DiagonalGaussian::new(mean.shallow_clone(), Tensor::zeros([1, 1], options))?;
//! let z = q.sample_drawn();
//!
//! let loc = Tensor::cat(&[&z, &(&z * 2.0)], -1).unsqueeze(-1); // [B, H, C], two steps of one channel
//! let law = Likelihood::laplace(loc, Tensor::zeros([1], options))?;
//! let y = Tensor::from_slice(&[0.5, 1.0]).view([1, 2, 1]);
//! let log_likelihood = sum_over_target(&law.log_prob(&y)?, None)?; // [B]
//!
//! let kl = q.kl_to_standard_per_dim(); // ½ · 0.3² nats
//! let elbo = Elbo::new(log_likelihood, vec![kl], 1.0, FreeBits::None)?;
//! assert!((elbo.kl.double_value(&[0]) - 0.045).abs() < 1e-12);
//! elbo.loss().backward();
//! assert!(mean.grad().double_value(&[0, 0]).is_finite());
//! # Ok::<(), objective::ObjectiveError>(())
//! ```

pub mod elbo;
mod error;
mod gaussian;
mod likelihood;
pub mod ppca;
pub mod score;
mod special;
#[cfg(test)]
mod testing;

pub use elbo::Elbo;
pub use error::ObjectiveError;
pub use gaussian::{DiagonalGaussian, FullGaussian, Gaussian, GaussianRef};
pub use likelihood::{Family, Likelihood};
pub use ppca::Ppca;
