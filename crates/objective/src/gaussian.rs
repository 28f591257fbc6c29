//! Gaussians with diagonal and with full covariance: density, sampling, entropy, KL divergence.
//!
//! The last axis, `Z`, is the random vector; all axes before it are batch axes. Scales are parametrized by
//! their logarithm, so that any output of a network makes a valid Gaussian. Derivations:
//! `docs/math/objective.md`, section 1.

mod diagonal;
mod full;

pub use diagonal::DiagonalGaussian;
pub use full::FullGaussian;

use tch::{Kind, Tensor};

use crate::error::{Result, check_float, check_pair, wrong_shape};
use crate::special::expm1_minus;

/// A Gaussian of either kind.
#[derive(Debug)]
pub enum Gaussian {
    /// Independent coordinates.
    Diagonal(DiagonalGaussian),
    /// Full covariance.
    Full(FullGaussian),
}

/// A borrowed Gaussian of either kind, so that `q.kl(&p)` takes every combination.
#[derive(Debug, Clone, Copy)]
pub enum GaussianRef<'a> {
    /// Independent coordinates.
    Diagonal(&'a DiagonalGaussian),
    /// Full covariance.
    Full(&'a FullGaussian),
}

/// Delegates methods to the kind at hand.
macro_rules! delegate {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty)?) -> $output:ty;)*) => {
        $($(#[$doc])* pub fn $name(&self $(, $argument: $type)?) -> $output {
            match self {
                Self::Diagonal(gaussian) => gaussian.$name($($argument)?),
                Self::Full(gaussian) => gaussian.$name($($argument)?),
            }
        })*
    };
}

impl Gaussian {
    delegate! {
        /// The mean, `[..., Z]`.
        mean() -> &Tensor;
        /// The variance of each coordinate, `[..., Z]`.
        variance() -> Tensor;
        /// The log density in nats, summed over the last axis.
        ///
        /// # Errors
        /// If `z` does not broadcast with `[..., Z]`, or differs in kind or device.
        log_prob(z: &Tensor) -> Result<Tensor>;
        /// The reparameterized draw for standard normal `noise`, which broadcasts with `[..., Z]`.
        ///
        /// # Errors
        /// If `noise` does not broadcast, or differs in kind or device.
        sample(noise: &Tensor) -> Result<Tensor>;
        /// A reparameterized draw with noise from libtorch's generator; `[..., Z]`.
        sample_drawn() -> Tensor;
        /// The entropy in nats; the batch axes.
        entropy() -> Tensor;
        /// The divergence from the standard normal, per coordinate, in nats; `[..., Z]`.
        kl_to_standard_per_dim() -> Tensor;
        /// The divergence from the standard normal in nats, summed over the last axis.
        kl_to_standard() -> Tensor;
    }

    /// The same Gaussian with its parameters cut off from the graph.
    pub fn detach(&self) -> Self {
        match self {
            Self::Diagonal(gaussian) => Self::Diagonal(gaussian.detach()),
            Self::Full(gaussian) => Self::Full(gaussian.detach()),
        }
    }

    /// The divergence from `other` in nats, one term per coordinate in order; `[..., Z]`.
    ///
    /// ```text
    /// KL[N(μ₁, L₁L₁ᵀ) ‖ N(μ₂, L₂L₂ᵀ)] = Σ_i ½ ( e_i² + Σ_{j<i} M_ij² + φ(2 ln M_ii) )
    /// M = L₂⁻¹ L₁,    e = L₂⁻¹ (μ₁ − μ₂),    φ(x) = eˣ − 1 − x
    /// ```
    ///
    /// A diagonal Gaussian has `L = diag(σ)`. Term `i` is the expected divergence of coordinate `i` given
    /// those before it, hence not negative.
    ///
    /// # Errors
    /// If `Z`, kind or device differ, or the batch axes do not broadcast.
    pub fn kl_per_dim<'a>(&'a self, other: impl Into<GaussianRef<'a>>) -> Result<Tensor> {
        kl_per_dim(self.into(), other.into())
    }

    /// The divergence from `other` in nats, summed over the last axis.
    ///
    /// # Errors
    /// As [`Self::kl_per_dim`].
    pub fn kl<'a>(&'a self, other: impl Into<GaussianRef<'a>>) -> Result<Tensor> {
        Ok(sum_last(&self.kl_per_dim(other)?))
    }
}

impl From<DiagonalGaussian> for Gaussian {
    fn from(gaussian: DiagonalGaussian) -> Self {
        Self::Diagonal(gaussian)
    }
}

impl From<FullGaussian> for Gaussian {
    fn from(gaussian: FullGaussian) -> Self {
        Self::Full(gaussian)
    }
}

impl<'a> From<&'a DiagonalGaussian> for GaussianRef<'a> {
    fn from(gaussian: &'a DiagonalGaussian) -> Self {
        Self::Diagonal(gaussian)
    }
}

impl<'a> From<&'a FullGaussian> for GaussianRef<'a> {
    fn from(gaussian: &'a FullGaussian) -> Self {
        Self::Full(gaussian)
    }
}

impl<'a> From<&'a Gaussian> for GaussianRef<'a> {
    fn from(gaussian: &'a Gaussian) -> Self {
        match gaussian {
            Gaussian::Diagonal(diagonal) => Self::Diagonal(diagonal),
            Gaussian::Full(full) => Self::Full(full),
        }
    }
}

impl GaussianRef<'_> {
    fn mean(&self) -> &Tensor {
        match self {
            Self::Diagonal(gaussian) => &gaussian.mean,
            Self::Full(gaussian) => &gaussian.mean,
        }
    }
}

/// The four combinations; only a full `p` needs triangular solves.
fn kl_per_dim(q: GaussianRef<'_>, p: GaussianRef<'_>) -> Result<Tensor> {
    check_argument("other", p.mean(), q.mean())?;
    let offset = q.mean() - p.mean();
    match (q, p) {
        (GaussianRef::Diagonal(q), GaussianRef::Diagonal(p)) => {
            // Scaled before squaring: 1/σ₂² alone may overflow where the ratio does not.
            let standardized = offset * (-&p.log_std).exp();
            let log_ratio = (&q.log_std - &p.log_std) * 2.0;
            Ok((standardized.square() + expm1_minus(&log_ratio)) * 0.5)
        }
        (GaussianRef::Full(q), GaussianRef::Diagonal(p)) => {
            let inverse = (-&p.log_std).exp();
            let ratio = &q.scale_tril * inverse.unsqueeze(-1);
            Ok(row_terms(&(offset * inverse), &ratio, &(&q.log_diagonal - &p.log_std)))
        }
        (GaussianRef::Diagonal(q), GaussianRef::Full(p)) => {
            let ratio = solve(&p.scale_tril, &q.log_std.exp().diag_embed(0, -2, -1))?;
            let standardized = solve_vector(&p.scale_tril, &offset)?;
            Ok(row_terms(&standardized, &ratio, &(&q.log_std - &p.log_diagonal)))
        }
        (GaussianRef::Full(q), GaussianRef::Full(p)) => {
            let ratio = solve(&p.scale_tril, &q.scale_tril)?;
            let standardized = solve_vector(&p.scale_tril, &offset)?;
            Ok(row_terms(&standardized, &ratio, &(&q.log_diagonal - &p.log_diagonal)))
        }
    }
}

/// `½ ( e_i² + Σ_{j<i} M_ij² + φ(2 ln M_ii) )` for each row `i`.
fn row_terms(offset: &Tensor, ratio: &Tensor, log_diagonal: &Tensor) -> Tensor {
    let below = sum_last(&ratio.tril(-1).square());
    (offset.square() + below + expm1_minus(&(log_diagonal * 2.0))) * 0.5
}

fn solve(lower: &Tensor, right: &Tensor) -> Result<Tensor> {
    Ok(lower.f_linalg_solve_triangular(right, false, true, false)?)
}

fn solve_vector(lower: &Tensor, right: &Tensor) -> Result<Tensor> {
    Ok(solve(lower, &right.unsqueeze(-1))?.squeeze_dim(-1))
}

pub(crate) fn sum_last(tensor: &Tensor) -> Tensor {
    tensor.sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)
}

/// The length of the last axis of a floating-point tensor with at least one axis.
fn check_vector(what: &'static str, tensor: &Tensor) -> Result<i64> {
    check_float(what, tensor)?;
    match tensor.size().last() {
        Some(&z) if z >= 1 => Ok(z),
        _ => Err(wrong_shape(what, tensor, "[..., Z] with Z ≥ 1")),
    }
}

/// Fails unless `argument` broadcasts with `mean` and has the same last axis.
fn check_argument(what: &'static str, argument: &Tensor, mean: &Tensor) -> Result<()> {
    check_pair((what, argument), ("mean", mean))?;
    if argument.size().last() != mean.size().last() {
        let z = mean.size().last().copied().unwrap_or(0);
        return Err(wrong_shape(what, argument, format!("[..., {z}]")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
