//! Health of the latent variables: whether they are used, and whether the bound is tight.
//!
//! A meter sums over batches on the device, in f64 and without reading anything back; the report
//! reads once. Findings put the numbers into words, with a remedy.

use std::fmt;

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::{Latent, VaeError};

/// Smallest variance over examples that makes a unit active.
///
/// Burda, Grosse & Salakhutdinov (2016), section 5.2, arXiv:1509.00519.
pub const ACTIVE_VARIANCE: f64 = 0.01;

/// Gap in nats above which a bound is reported as loose, if it also exceeds a tenth of the KL.
pub const LOOSE_NATS: f64 = 1.0;

/// Sums over examples, from which [`Health`] is computed.
#[derive(Debug, Default)]
pub struct HealthMeter {
    groups: Vec<Sums>,
}

#[derive(Debug)]
struct Sums {
    count: i64,
    kl: Tensor,
    shift: Tensor,
    square: Tensor,
}

/// Latent variables over a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The groups, from the top down.
    pub groups: Vec<GroupHealth>,
    /// The two bounds, where both were measured.
    pub bounds: Option<Bounds>,
}

/// One latent group over a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupHealth {
    /// Mean divergence from the prior of each dimension, in nats per example.
    pub kl_per_dim: Vec<f64>,
    /// Variance over examples of `(μ_q − μ_p) / σ_p`, per dimension.
    ///
    /// For the prior `N(0, I)` this is the variance of the posterior mean, as in Burda et al.; with a
    /// learned prior the posterior mean varies with the prior's even where the target adds nothing.
    pub shift_variance: Vec<f64>,
}

/// Two bounds on the log evidence of the same examples, in nats per example.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// The evidence lower bound, at full KL weight.
    pub elbo: f64,
    /// The importance-weighted bound.
    pub iwae: f64,
}

/// A fault of a model's latent variables; its text names a remedy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Finding {
    /// No unit of a group carries information.
    Collapsed {
        /// Number of the group, from 1 at the top.
        group: usize,
        /// Its divergence in nats.
        kl: f64,
    },
    /// Fewer than half of a group's units carry information.
    MostlyIdle {
        /// Number of the group, from 1 at the top.
        group: usize,
        /// Active units.
        active: usize,
        /// All units.
        units: usize,
    },
    /// The posterior family is too simple for the true posterior.
    Loose {
        /// IWAE bound minus ELBO, in nats.
        gap: f64,
        /// Divergence of all groups in nats.
        kl: f64,
    },
    /// A number is not finite.
    NotFinite,
}

impl HealthMeter {
    /// A meter that has seen nothing.
    pub fn new() -> HealthMeter {
        HealthMeter::default()
    }

    /// Adds the latent groups of one batch, [`crate::Pass::latents`].
    ///
    /// # Errors
    /// [`VaeError::Shape`] if the number or the size of the groups has changed between batches.
    pub fn add(&mut self, latents: &[Latent]) -> Result<()> {
        tch::no_grad(|| {
            let batch = latents.iter().map(Sums::of).collect::<Result<Vec<_>>>()?;
            if self.groups.is_empty() {
                self.groups = batch;
                return Ok(());
            }
            let sizes =
                |sums: &[Sums]| -> Vec<i64> { sums.iter().map(|s| s.kl.size()[0]).collect() };
            let (expected, found) = (sizes(&self.groups), sizes(&batch));
            if expected != found {
                let expected = format!("groups of sizes {expected:?}");
                return Err(VaeError::Shape { tensor: "latents", expected, found });
            }
            for (total, sums) in self.groups.iter_mut().zip(batch) {
                total.count += sums.count;
                total.kl = &total.kl + sums.kl;
                total.shift = &total.shift + sums.shift;
                total.square = &total.square + sums.square;
            }
            Ok(())
        })
    }

    /// Means and variances of everything added; reads from the device.
    ///
    /// # Errors
    /// [`VaeError::Torch`] if the sums cannot be read.
    pub fn report(&self) -> Result<Health> {
        let groups = self.groups.iter().map(Sums::health).collect::<Result<_>>()?;
        Ok(Health { groups, bounds: None })
    }
}

impl Sums {
    fn of(latent: &Latent) -> Result<Sums> {
        let rows = |tensor: &Tensor| -> Result<Tensor> {
            let dims = tensor.size().last().copied().unwrap_or(0);
            Ok(tensor.f_detach()?.f_to_kind(Kind::Double)?.f_reshape([-1, dims])?)
        };
        let sum = |tensor: &Tensor| {
            tensor.f_sum_dim_intlist(Some([0i64].as_slice()), false, Kind::Double)
        };
        let shift = match &latent.prior {
            None => rows(latent.posterior.mean())?,
            Some(prior) => {
                let shift = latent.posterior.mean().f_sub(prior.mean())?;
                rows(&shift.f_mul(&prior.log_std().f_neg()?.f_exp()?)?)?
            }
        };
        let kl = rows(&latent.kl_per_dim()?)?;
        Ok(Sums {
            count: kl.size()[0],
            kl: sum(&kl)?,
            shift: sum(&shift)?,
            square: sum(&shift.f_square()?)?,
        })
    }

    fn health(&self) -> Result<GroupHealth> {
        let count = self.count as f64;
        let mean = &self.shift / count;
        let variance = (&self.square / count - mean.square()).f_clamp_min(0.0)?;
        Ok(GroupHealth {
            kl_per_dim: Vec::try_from(&self.kl / count)?,
            shift_variance: Vec::try_from(variance)?,
        })
    }
}

impl GroupHealth {
    /// Divergence of the group, in nats per example.
    pub fn kl(&self) -> f64 {
        self.kl_per_dim.iter().sum()
    }

    /// Units whose posterior mean varies between examples by more than [`ACTIVE_VARIANCE`].
    pub fn active_units(&self) -> usize {
        self.shift_variance.iter().filter(|&&variance| variance > ACTIVE_VARIANCE).count()
    }

    fn finding(&self, group: usize) -> Option<Finding> {
        let (active, units, kl) = (self.active_units(), self.shift_variance.len(), self.kl());
        if active == 0 {
            Some(Finding::Collapsed { group, kl })
        } else if 2 * active < units {
            Some(Finding::MostlyIdle { group, active, units })
        } else {
            None
        }
    }
}

impl Bounds {
    /// IWAE bound minus ELBO, in nats: a better posterior can gain at least this.
    pub fn gap(&self) -> f64 {
        self.iwae - self.elbo
    }
}

impl Health {
    /// Adds the two bounds, measured elsewhere on the same examples.
    pub fn with_bounds(self, bounds: Bounds) -> Health {
        Health { bounds: Some(bounds), ..self }
    }

    /// Divergence of all groups, in nats per example.
    pub fn kl(&self) -> f64 {
        self.groups.iter().map(GroupHealth::kl).sum()
    }

    /// Findings from the top group down; empty if nothing is wrong.
    pub fn findings(&self) -> Vec<Finding> {
        let bounds = self.bounds.map(|bounds| [bounds.elbo, bounds.iwae]);
        let mut numbers = self
            .groups
            .iter()
            .flat_map(|group| group.kl_per_dim.iter().chain(&group.shift_variance))
            .chain(bounds.iter().flatten());
        if numbers.any(|number| !number.is_finite()) {
            return vec![Finding::NotFinite];
        }
        let groups = self.groups.iter().enumerate();
        let mut findings: Vec<_> = groups.filter_map(|(i, group)| group.finding(i + 1)).collect();
        if let Some(gap) = self.bounds.map(|bounds| bounds.gap())
            && gap > LOOSE_NATS.max(0.1 * self.kl())
        {
            findings.push(Finding::Loose { gap, kl: self.kl() });
        }
        findings
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Collapsed { group, kl } => write!(
                f,
                "latent group {group} has collapsed: its posterior equals its prior (KL {kl:.2e} nats, no \
                 active unit), and the decoder ignores it. Remedy: raise the KL weight slowly from 0, or \
                 grant free bits. If the group stays empty, the data do not need it: use fewer groups, or \
                 a smaller `latent`"
            ),
            Finding::MostlyIdle { group, active, units } => write!(
                f,
                "latent group {group} uses {active} of its {units} units. Remedy: set `latent` to about \
                 {active}, which does the same work, or grant free bits per dimension"
            ),
            Finding::Loose { gap, kl } => write!(
                f,
                "the bound is loose: importance weighting gains {gap:.2} nats, against a KL of {kl:.2}, so \
                 the true posterior is not the Gaussian of the encoder. Remedy: use a wider or deeper \
                 encoder or more groups (`kind = \"hierarchical\"`), or train on the importance-weighted \
                 bound"
            ),
            Finding::NotFinite => write!(
                f,
                "the KL or a bound is not finite: training has diverged. Remedy: lower the learning rate, \
                 or clip the norm of the gradients"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objective::DiagonalGaussian;
    use tch::Device;

    fn gaussian(mean: &Tensor, log_std: f64) -> DiagonalGaussian {
        DiagonalGaussian::new(mean.shallow_clone(), mean.full_like(log_std)).unwrap()
    }

    fn latent(mean: &Tensor, log_std: f64, prior: Option<DiagonalGaussian>) -> Latent {
        Latent { posterior: gaussian(mean, log_std), prior, sample: mean.shallow_clone() }
    }

    /// Means −1 and 1 in the first dimension, 0 in the second.
    fn means() -> Tensor {
        Tensor::from_slice(&[-1.0f32, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0]).view([4, 2])
    }

    /// Oracle by hand: KL = ½(μ² + σ² − 1 − ln σ²) with σ = 1 is ½ and 0; Var μ is 1 and 0.
    #[test]
    fn sums_over_batches_are_those_of_all_examples() {
        let mut meter = HealthMeter::new();
        for part in means().split(1, 0) {
            meter.add(&[latent(&part, 0.0, None)]).unwrap();
        }
        let health = meter.report().unwrap();
        let group = &health.groups[0];
        assert!((group.kl_per_dim[0] - 0.5).abs() < 1e-7 && group.kl_per_dim[1].abs() < 1e-7);
        assert!((group.shift_variance[0] - 1.0).abs() < 1e-7 && group.shift_variance[1] == 0.0);
        assert_eq!(group.active_units(), 1);
        assert_eq!(health.findings(), [], "half of the units is not fewer than half");
    }

    /// A posterior that follows its learned prior is idle, however far both move.
    #[test]
    fn following_the_prior_is_not_activity() {
        let mut meter = HealthMeter::new();
        meter.add(&[latent(&means(), -1.0, Some(gaussian(&means(), -1.0)))]).unwrap();
        let findings = meter.report().unwrap().findings();
        let [finding @ Finding::Collapsed { group: 1, kl }] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert!(kl.abs() < 1e-6);
        assert!(finding.to_string().contains("Remedy: raise the KL weight slowly"));
    }

    /// Burda's threshold, just below and just above: means ±m have variance m².
    #[test]
    fn a_unit_is_active_above_the_threshold() {
        for (mean, active) in [(0.0999, 0), (0.1001, 1)] {
            let mut meter = HealthMeter::new();
            meter.add(&[latent(&(means() * mean), 0.0, None)]).unwrap();
            assert_eq!(meter.report().unwrap().groups[0].active_units(), active, "{mean}");
        }
    }

    #[test]
    fn a_loose_bound_and_a_divergence_are_reported() {
        let group = GroupHealth { kl_per_dim: vec![3.0, 1.0], shift_variance: vec![1.0, 1.0] };
        let health = Health { groups: vec![group], bounds: None };
        let told = |elbo, iwae| health.clone().with_bounds(Bounds { elbo, iwae }).findings();
        assert_eq!(told(-10.0, -9.0), []);
        assert_eq!(told(-10.0, -8.5), [Finding::Loose { gap: 1.5, kl: 4.0 }]);
        assert_eq!(told(f64::NAN, -8.5), [Finding::NotFinite]);
    }

    #[test]
    fn groups_do_not_change_between_batches() {
        let mut meter = HealthMeter::new();
        let other = Tensor::zeros([4, 3], (Kind::Float, Device::Cpu));
        meter.add(&[latent(&means(), 0.0, None)]).unwrap();
        let error = meter.add(&[latent(&other, 0.0, None)]).unwrap_err();
        assert!(matches!(error, VaeError::Shape { tensor: "latents", .. }));
    }
}
