//! Health of the latent variables of a trained model, on held-out windows.

use feed::{Batch, FeedError};
use objective::DiagonalGaussian;
use objective::elbo::{iwae, sum_over_target};
use record::LatentHealth;
use tch::{Kind, Tensor};
use train::{Forecaster, TrainError};
use vae::{Bounds, HealthMeter, Pass};

/// Draws of `z` in the importance-weighted bound.
const DRAWS: i64 = 32;

/// Measures the health on clean windows, batch by batch.
///
/// # Errors
/// If a batch does not fit the model.
pub(crate) fn measure(
    forecaster: &Forecaster,
    batches: impl Iterator<Item = Result<Batch, FeedError>>,
) -> Result<LatentHealth, TrainError> {
    let mut meter = HealthMeter::new();
    let (mut elbo, mut tighter, mut windows) = (0.0, 0.0, 0.0);
    for batch in batches {
        let batch = batch?;
        meter.add(&forecaster.clean_pass(&batch, None)?.0.latents)?;
        let (pass, log_prob) = forecaster.clean_pass(&batch, Some(DRAWS))?;
        let weights = log_weights(&pass, &log_prob, &batch)?;
        let sum = |nats: Tensor| -> Result<f64, TrainError> {
            Ok(nats.f_sum(Kind::Double)?.f_double_value(&[])?)
        };
        elbo += sum(weights.f_mean_dim([0_i64].as_slice(), false, Kind::Double)?)?;
        tighter += sum(iwae(&weights)?)?;
        windows += weights.size()[1] as f64;
    }
    let bounds = Bounds { elbo: elbo / windows, iwae: tighter / windows };
    let health = meter.report()?.with_bounds(bounds);
    Ok(LatentHealth {
        active_units: health.groups.iter().map(vae::GroupHealth::active_units).collect(),
        findings: health.findings().iter().map(ToString::to_string).collect(),
        kl_per_dim: health.groups.into_iter().map(|group| group.kl_per_dim).collect(),
        elbo: bounds.elbo,
        iwae: bounds.iwae,
    })
}

/// Log importance weights `log p(y | z) + Σ_l [log p(z_l) − log q(z_l)]`, `[K, B]`.
fn log_weights(pass: &Pass, log_prob: &Tensor, batch: &Batch) -> Result<Tensor, TrainError> {
    let observed = batch.target_observed.as_ref().map(|mask| mask.f_not_equal(0.0)).transpose()?;
    let mut weights = sum_over_target(log_prob, observed.as_ref())?;
    for latent in &pass.latents {
        let prior = match &latent.prior {
            Some(prior) => prior.log_prob(&latent.sample)?,
            None => DiagonalGaussian::standard_like(&latent.sample)?.log_prob(&latent.sample)?,
        };
        weights = weights + prior - latent.posterior.log_prob(&latent.sample)?;
    }
    Ok(weights)
}
