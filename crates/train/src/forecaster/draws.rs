//! The bound estimated by draws of the latent variables.

use feed::Batch;
use objective::elbo::{GradientEstimator, dreg_surrogate, iwae};
use tch::Kind;
use vae::Draw;

use super::{Forecaster, Prepared, Terms};
use crate::config::ObjectiveConfig;
use crate::error::TrainError;

/// The number of draws, and the estimator of the gradient with respect to the posterior.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByDraws {
    count: i64,
    gradient: GradientEstimator,
}

impl ByDraws {
    pub(super) fn new(config: &ObjectiveConfig) -> ByDraws {
        ByDraws { count: config.importance_draws as i64, gradient: config.gradient }
    }
}

impl Forecaster {
    /// The terms of the importance-weighted bound of the noised batch.
    ///
    /// ```text
    /// L_K = log 1/K Σ_k w_k,    w_k = p(ỹ | z_k, x̃) p(z_k | x̃) / q(z_k | x̃, ỹ)
    /// ```
    ///
    /// The divergence that is reported is the mean of `log q − log p` over the draws.
    pub(super) fn bound_by_draws(
        &self,
        by_draws: ByDraws,
        batch: &Batch,
        prepared: &Prepared,
    ) -> Result<Terms, TrainError> {
        let ByDraws { count, gradient } = by_draws;
        let draw = match gradient {
            GradientEstimator::Dreg => Draw::Cut(count),
            GradientEstimator::Plain | GradientEstimator::Stl => Draw::Many(count),
        };
        let (pass, log_prob) = self.passed(batch, prepared, draw, true)?;
        let log_likelihood = self.summed(batch, &log_prob)?;
        let landing = gradient != GradientEstimator::Plain;
        let log_weights = pass.log_weights(&log_likelihood, landing)?;
        let loss = match gradient {
            GradientEstimator::Dreg => {
                let [latent] = pass.latents.as_slice() else {
                    unreachable!("draws of several groups are not cut")
                };
                dreg_surrogate(&latent.reattached()?, &latent.sample, &log_weights)?
            }
            GradientEstimator::Plain | GradientEstimator::Stl => {
                -iwae(&log_weights)?.f_mean(Kind::Float)?
            }
        };
        let reconstruction = log_likelihood.detach().f_mean(Kind::Float)?;
        let kl = &reconstruction - log_weights.detach().f_mean(Kind::Float)?;
        Ok(Terms { loss, reconstruction, kl, kl_weight: 1.0 })
    }
}

#[cfg(test)]
mod tests {
    use feed::{Columns, DevicePanel};
    use objective::elbo::sum_over_target;
    use tch::{Device, Tensor, no_grad};

    use super::*;
    use crate::config::Config;
    use crate::shape::shape;

    const WINDOWS: i64 = 500;

    /// A forecaster without dropout and noise, and windows of a wave; both are the same in every call.
    fn scene(kind: &str, objective: &str) -> (Forecaster, Batch) {
        let text = format!(
            "[data]\nsource = \"seattle-weather\"\ncontext = 8\nhorizon = 4\n[noise]\nschedule = \"none\"\n\
            [model]\nkind = \"{kind}\"\nhidden = 8\nlatent = 2\ndropout = 0\ninstance_norm = false\n\
            [objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = 0\n{objective}\n"
        );
        let config = Config::parse(&text, "test", &[]).unwrap();
        let columns = Columns { context: 8, horizon: 4, targets: 2, past: 0, future: 0 };
        let values: Vec<f32> = (0..2 * (WINDOWS as u16 + 11)).map(|i| f32::from(i).sin()).collect();
        let panel = DevicePanel::new(&values, None, columns, Device::Cpu).unwrap();
        tch::manual_seed(3);
        let forecaster = Forecaster::new(&config, shape(&panel), Device::Cpu).unwrap();
        // The weights at the start hardly use the latent variables.
        for (name, mut weight) in forecaster.store().variables() {
            if name.ends_with("weight") {
                let _ = no_grad(|| weight.f_mul_scalar_(2.0).unwrap());
            }
        }
        let starts = Tensor::arange(WINDOWS, (Kind::Int64, Device::Cpu));
        (forecaster, panel.gather(&starts).unwrap())
    }

    fn mean_and_error(values: &[f64]) -> (f64, f64) {
        let values = Tensor::from_slice(values);
        let error = values.std(true).double_value(&[]) / (values.numel() as f64).sqrt();
        (values.mean(Kind::Double).double_value(&[]), error)
    }

    /// Oracle: the densities of a pass with 8 draws, put together by hand; for one draw, the closed form of the KL
    /// divergence. Within 5 standard errors.
    #[test]
    fn the_loss_is_minus_the_importance_weighted_bound() {
        for kind in ["predict", "conditional", "hierarchical"] {
            for (count, gradient) in
                [(1, "stl"), (8, "plain"), (8, "stl"), (8, "dreg"), (1, "dreg")]
            {
                if (kind, gradient) == ("hierarchical", "dreg") {
                    continue;
                }
                let keys = format!("importance_draws = {count}\ngradient = \"{gradient}\"");
                let (forecaster, batch) = scene(kind, &keys);
                let losses: Vec<f64> = (0..40)
                    .map(|seed| {
                        tch::manual_seed(seed);
                        forecaster.training_terms(&batch, 0).unwrap().loss.double_value(&[])
                    })
                    .collect();
                let expected: Vec<f64> = (100..140)
                    .map(|seed| {
                        tch::manual_seed(seed);
                        no_grad(|| by_hand(&forecaster, &batch, count))
                    })
                    .collect();
                let (found, error) = mean_and_error(&losses);
                let (expected, other) = mean_and_error(&expected);
                let error = error.hypot(other);
                assert!(
                    (found + expected).abs() < 5.0 * error,
                    "{kind} {count} {gradient}: {found} {expected} ± {error}"
                );
                assert!(error < 0.2, "{error}");
            }
        }
    }

    fn by_hand(forecaster: &Forecaster, batch: &Batch, count: i64) -> f64 {
        let (pass, log_prob) = forecaster.clean_pass(batch, (count > 1).then_some(count)).unwrap();
        let mut weights = sum_over_target(&log_prob, None).unwrap();
        if count == 1 {
            return (weights - pass.kl().unwrap()).mean(Kind::Double).double_value(&[]);
        }
        let normal = |z: &Tensor, mean: &Tensor, log_std: &Tensor| {
            let score = (z - mean) / log_std.exp();
            let each = score.square() * -0.5 - log_std - 0.5 * std::f64::consts::TAU.ln();
            each.sum_dim_intlist([-1_i64].as_slice(), false, Kind::Float)
        };
        for latent in &pass.latents {
            let (z, q) = (&latent.sample, &latent.posterior);
            let zero = z.zeros_like();
            let prior = match &latent.prior {
                Some(prior) => normal(z, prior.mean(), prior.log_std()),
                None => normal(z, &zero, &zero),
            };
            weights += prior - normal(z, q.mean(), q.log_std());
        }
        let most = weights.amax([0_i64].as_slice(), true);
        let mean = (&weights - &most).exp().mean_dim([0_i64].as_slice(), false, Kind::Double);
        (mean.log() + most.squeeze_dim(0)).mean(Kind::Double).double_value(&[])
    }

    /// Gradients of all parameters, flat, at one draw of the noise.
    fn gradients(forecaster: &Forecaster, batch: &Batch, seed: i64, of: &str) -> Tensor {
        tch::manual_seed(seed);
        let loss = forecaster.training_terms(batch, 0).unwrap().loss;
        let variables = forecaster.store().variables();
        let mut named: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(of)).collect();
        named.sort_by(|a, b| a.0.cmp(b.0));
        let inputs: Vec<Tensor> = named.iter().map(|(_, v)| v.shallow_clone()).collect();
        let found = Tensor::run_backward(&[loss], &inputs, false, false);
        let flat: Vec<Tensor> = found.iter().map(|g| g.flatten(0, -1)).collect();
        Tensor::cat(&flat, 0).to_kind(Kind::Double)
    }

    /// DReG has the mean of the plain gradient and less variance, for the posterior and for all else.
    #[test]
    fn dreg_estimates_the_gradient_of_the_bound() {
        let keys = |gradient: &str| format!("importance_draws = 8\ngradient = \"{gradient}\"");
        let (plainly, batch) = scene("conditional", &keys("plain"));
        let (mut doubly, _) = scene("conditional", &keys("dreg"));
        // Other tests draw from the same generator, so that the weights may differ.
        doubly.store_mut().copy(plainly.store()).unwrap();
        let of = |forecaster: &Forecaster, part: &str| {
            let all: Vec<Tensor> =
                (0..120).map(|seed| gradients(forecaster, &batch, seed, part)).collect();
            Tensor::stack(&all, 0)
        };
        for part in ["posterior", "prior", "decoder"] {
            let (plain, dreg) = (of(&plainly, part), of(&doubly, part));
            let gap = &plain - &dreg;
            let error = gap.std_dim([0_i64].as_slice(), true, false) / 120f64.sqrt();
            let z = gap.mean_dim([0_i64].as_slice(), false, Kind::Double) / error.clamp_min(1e-9);
            let worst = z.abs().max().double_value(&[]);
            assert!(worst < 5.5, "{part}: {worst}");
            let spread = |all: &Tensor| {
                all.var_dim([0_i64].as_slice(), true, false).sum(Kind::Double).double_value(&[])
            };
            if part == "posterior" {
                assert!(
                    spread(&dreg) < 0.9 * spread(&plain),
                    "{} {}",
                    spread(&dreg),
                    spread(&plain)
                );
            }
        }
    }

    #[test]
    fn what_draws_cannot_do_is_refused() {
        let parse = |objective: &str| {
            let text = format!(
                "[data]\nsource = \"seattle-weather\"\ncontext = 8\nhorizon = 4\n\
                [model]\nkind = \"hierarchical\"\n[objective]\n{objective}\n"
            );
            Config::parse(&text, "test", &[]).unwrap_err().to_string()
        };
        assert!(parse("importance_draws = 4").contains("objective.kl_weight"));
        let free = "gradient = \"stl\"\nkl_weight = 1\nfree_bits = { per-group = 0.5 }";
        assert!(parse(free).contains("objective.free_bits"));
        assert!(parse("gradient = \"dreg\"\nkl_weight = 1").contains("objective.gradient"));
        assert!(parse("importance_draws = 0").contains("objective.importance_draws"));
    }
}
