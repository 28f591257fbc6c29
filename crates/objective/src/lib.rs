//! Gaussians, likelihoods, the evidence lower bound and scoring rules.
//!
//! Everything here is a function of tensors: no model, no data, no loop. Values are in nats or in
//! the unit of the target, and every formula is derived in `docs/math/objective.md`.
//!
//! - [`DiagonalGaussian`], [`FullGaussian`]: density, reparameterized draws, entropy, KL of either kind to either
//! - [`Likelihood`]: Gaussian, Laplace and Student-t laws of a target, clean or noised; closed-form CRPS
//! - [`elbo`]: the bound as named terms, KL annealing, free bits, IWAE, gradients of lower variance
//! - [`score`]: CRPS, quantile loss, coverage, PIT and energy score of forecast samples
//! - [`ppca`]: the linear Gaussian model, whose evidence and posterior are known exactly

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
