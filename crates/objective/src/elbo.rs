//! The evidence lower bound as named terms, its importance-weighted tightening, and the weight of its KL
//! term over training. All in nats. Derivations: `docs/math/objective.md`, sections 3 and 4.

mod importance;
mod schedule;

pub use importance::{Evidence, GradientEstimator, dreg_surrogate, evidence, iwae};
pub use schedule::KlWeight;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{Result, check_alike, check_float, check_range, wrong_shape};
use crate::gaussian::sum_last;

/// Nats of KL divergence that are not charged, so that a latent dimension is not switched off early.
///
/// A term whose **mean over the batch** lies below the allowance costs exactly the allowance and carries
/// no gradient; any other term costs its own value. The batch mean of the charge is `max(nats, mean KL)`.
///
/// # References
/// "Free bits", Kingma et al. (2016), arXiv:1606.04934.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FreeBits {
    /// Everything is charged.
    #[default]
    None,
    /// This many nats for each latent dimension.
    PerDimension(#[schemars(range(min = 0))] f64),
    /// This many nats for each group of dimensions.
    PerGroup(#[schemars(range(min = 0))] f64),
}

/// The evidence lower bound of each example, term by term, in nats.
///
/// ```text
/// bound = reconstruction − kl                  the ELBO, whatever is annealed
/// total = reconstruction − kl_weight · charge  what training maximizes
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Elbo {
    /// `E_q log p(y | z)`, `[B]`.
    pub reconstruction: Tensor,
    /// `KL[q ‖ p]`, summed over groups and dimensions, `[B]`.
    pub kl: Tensor,
    /// The divergence by group and dimension, each `[B, Z_l]`.
    pub kl_groups: Vec<Tensor>,
    /// The divergence as charged, free bits included, `[B]`.
    pub charge: Tensor,
    /// The weight of the charge.
    pub kl_weight: f64,
    /// The objective, `[B]`.
    pub total: Tensor,
}

impl Elbo {
    /// Composes the terms.
    ///
    /// # Shapes
    /// `log_likelihood`: `[B]`, summed over the target; `kl_groups`: one `[B, Z_l]` per latent group (one
    /// for a plain VAE; none gives a maximum-likelihood objective).
    ///
    /// # Errors
    /// If the shapes do not fit, or `kl_weight` or the free bits are negative or not finite.
    ///
    /// # References
    /// Kingma & Welling (2014), eq. 3, arXiv:1312.6114; the weight: Higgins et al. (2017).
    pub fn new(
        log_likelihood: Tensor,
        kl_groups: Vec<Tensor>,
        kl_weight: f64,
        free_bits: FreeBits,
    ) -> Result<Self> {
        let means = match kl_groups.iter().all(|group| group.dim() == 2) {
            true => free_bits.batch_means(&kl_groups),
            false => Vec::new(), // refused below
        };
        Self::of_part(log_likelihood, kl_groups, kl_weight, free_bits, &means)
    }

    /// As [`Elbo::new`], for some examples of a batch. Free bits depend on the mean over all of them.
    ///
    /// # Shapes
    /// `means`: the means over the whole batch of what [`FreeBits::batch_means`] gives for these examples.
    ///
    /// # Errors
    /// As [`Elbo::new`].
    pub fn of_part(
        log_likelihood: Tensor,
        kl_groups: Vec<Tensor>,
        kl_weight: f64,
        free_bits: FreeBits,
        means: &[Tensor],
    ) -> Result<Self> {
        check_float("log_likelihood", &log_likelihood)?;
        let batch = match log_likelihood.size().as_slice() {
            &[batch] => batch,
            _ => return Err(wrong_shape("log_likelihood", &log_likelihood, "[B]")),
        };
        check_range("kl_weight", kl_weight, "[0, ∞)", (0.0..f64::INFINITY).contains(&kl_weight))?;
        for group in &kl_groups {
            if group.dim() != 2 || group.size()[0] != batch {
                return Err(wrong_shape("kl group", group, format!("[{batch}, Z]")));
            }
            check_alike(("log_likelihood", &log_likelihood), ("kl group", group))?;
        }
        let kl = total_of(kl_groups.iter().map(sum_last), &log_likelihood);
        let charge = match free_bits {
            FreeBits::None => kl.shallow_clone(),
            FreeBits::PerDimension(_) | FreeBits::PerGroup(_) => {
                let charges: Result<Vec<_>> = kl_groups
                    .iter()
                    .zip(means)
                    .map(|(group, mean)| free_bits.charge(group, mean))
                    .collect();
                total_of(charges?.into_iter(), &log_likelihood)
            }
        };
        let total = &log_likelihood - &charge * kl_weight;
        Ok(Self { reconstruction: log_likelihood, kl, kl_groups, charge, kl_weight, total })
    }

    /// The lower bound on the log evidence, `[B]`, without weight and free bits.
    pub fn bound(&self) -> Tensor {
        &self.reconstruction - &self.kl
    }

    /// The loss to minimize, a scalar: minus the batch mean of the total.
    pub fn loss(&self) -> Tensor {
        -self.total.mean(None::<Kind>)
    }
}

/// The sum of terms `[B]`; zeros like `like` where there are none.
fn total_of(terms: impl Iterator<Item = Tensor>, like: &Tensor) -> Tensor {
    terms.reduce(|sum, term| sum + term).unwrap_or_else(|| like.detach().zeros_like())
}

impl FreeBits {
    /// The means over the examples that the charge depends on, without gradient: of the divergence of each latent group
    /// by dimension, `[Z_l]`, for [`FreeBits::PerDimension`]; of its sum, a scalar, for [`FreeBits::PerGroup`]; nothing
    /// without free bits.
    ///
    /// # Shapes
    /// `kl_groups`: each `[B, Z_l]`.
    pub fn batch_means(self, kl_groups: &[Tensor]) -> Vec<Tensor> {
        let mean = |group: &Tensor| group.detach().mean_dim([0i64].as_slice(), false, None::<Kind>);
        match self {
            Self::None => Vec::new(),
            Self::PerDimension(_) => kl_groups.iter().map(mean).collect(),
            Self::PerGroup(_) => kl_groups.iter().map(|kl| mean(&sum_last(kl))).collect(),
        }
    }

    /// The divergence of one group as charged, `[B]`.
    fn charge(self, group: &Tensor, mean: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::None => sum_last(group),
            Self::PerDimension(nats) => sum_last(&allow(group, mean, nats)?),
            Self::PerGroup(nats) => allow(&sum_last(group), mean, nats)?,
        })
    }
}

/// Replaces terms whose mean over the batch, the first axis, is below `nats` by the constant `nats`.
fn allow(terms: &Tensor, mean: &Tensor, nats: f64) -> Result<Tensor> {
    check_range("free bits", nats, "[0, ∞)", (0.0..f64::INFINITY).contains(&nats))?;
    Ok(terms.masked_fill(&mean.lt(nats).f_expand_as(terms)?, nats))
}

/// Sums elementwise log densities `[..., H, C]` over the target, leaving out elements that were not observed.
///
/// Fill gaps of the target with a finite number before taking its density. If the density of a gap is NaN, the
/// sum here is still right, but the gradient of that element is 0 · NaN.
///
/// # Shapes
/// `observed`: boolean, broadcasts with `log_prob`. Returns the batch axes.
///
/// # Errors
/// If there are fewer than two axes, or the mask is not boolean or does not broadcast.
pub fn sum_over_target(log_prob: &Tensor, observed: Option<&Tensor>) -> Result<Tensor> {
    check_float("log_prob", log_prob)?;
    if log_prob.dim() < 2 {
        return Err(wrong_shape("log_prob", log_prob, "[..., H, C]"));
    }
    let kept = match observed {
        Some(mask) if mask.kind() != Kind::Bool => {
            return Err(wrong_shape("observed", mask, "a boolean tensor"));
        }
        // Filled, not multiplied by the mask: 0 · NaN is NaN.
        Some(mask) => log_prob.f_masked_fill(&mask.f_logical_not()?, 0.0)?,
        None => log_prob.shallow_clone(),
    };
    Ok(kept.sum_dim_intlist([-2i64, -1].as_slice(), false, None::<Kind>))
}

#[cfg(test)]
mod tests;
