//! Health of the latent variables of a trained model, on held-out windows.

use feed::{Batch, FeedError};
use objective::elbo::{iwae, sum_over_target};
use record::LatentHealth;
use tch::{Kind, Tensor};
use train::{Forecaster, TrainError};
use vae::{Bounds, HealthMeter};

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
        let observed =
            batch.target_observed.as_ref().map(|mask| mask.f_not_equal(0.0)).transpose()?;
        let weights = pass.log_weights(&sum_over_target(&log_prob, observed.as_ref())?, false)?;
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
