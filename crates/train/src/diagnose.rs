//! The cause of a step that was not finite: its term and its channel.

use feed::Batch;
use tch::Tensor;

use crate::error::TrainError;
use crate::forecaster::Forecaster;

/// The first term that is not finite, in the order of computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Culprit {
    pub(crate) term: &'static str,
    /// Index of the channel, if the term belongs to one.
    pub(crate) channel: Option<usize>,
}

/// Checks another noised pass through `batch` and the gradients of the last skipped step. The weights are still those
/// of the failing pass, since skipped steps do not change them.
///
/// # Errors
/// If the batch does not fit the model.
pub(crate) fn diagnose(
    forecaster: &Forecaster,
    batch: &Batch,
    gradients: &Tensor,
) -> Result<Culprit, TrainError> {
    let found = |term, channel| Ok(Culprit { term, channel });
    for (term, values) in [("context", &batch.context), ("target", &batch.target)] {
        if let Some(channel) = not_finite(values)? {
            return found(term, Some(channel));
        }
    }
    let (latents, log_prob) = forecaster.training_pass(batch)?;
    for latent in &latents {
        if not_finite(&latent.kl_per_dim()?)?.is_some() {
            return found("KL", None);
        }
    }
    match not_finite(&log_prob)? {
        Some(channel) => found("reconstruction", Some(channel)),
        None if not_finite(gradients)?.is_some() => found("gradient", None),
        None => found("loss, though not in a second pass with other draws,", None),
    }
}

/// The first index of the last axis at which a number is not finite.
fn not_finite(values: &Tensor) -> Result<Option<usize>, TrainError> {
    let width = values.size().last().copied().unwrap_or(1);
    let torn = values.f_isfinite()?.f_logical_not()?.f_reshape([-1, width])?.f_any_dim(0, false)?;
    let torn = Vec::<bool>::try_from(torn)?;
    Ok(torn.into_iter().position(|torn| torn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::shape::shape;
    use feed::{Columns, DevicePanel};
    use tch::{Device, no_grad};

    fn forecaster() -> (Forecaster, Batch) {
        let text = "[data]\nsource = \"seattle-weather\"\ncontext = 3\nhorizon = 2\n\
            [noise]\nschedule = \"linear\"\n[model]\nhidden = 4\nlatent = 2\ndropout = 0\n\
            [objective]\nlikelihood = \"gaussian\"\nkl_weight = 1\ncrps_weight = 0\n";
        let config = Config::parse(text, "test", &[]).unwrap();
        let columns = Columns { context: 3, horizon: 2, targets: 2, past: 0, future: 0 };
        let values: Vec<f32> = (0..16_u8).map(f32::from).collect();
        let panel = DevicePanel::new(&values, None, columns, Device::Cpu).unwrap();
        let forecaster = Forecaster::new(&config, shape(&panel), Device::Cpu).unwrap();
        (forecaster, panel.gather(&Tensor::from_slice(&[0_i64, 1])).unwrap())
    }

    fn spoil(forecaster: &Forecaster, part: &str) {
        for (name, variable) in forecaster.store().variables() {
            if name.contains(part) {
                no_grad(|| drop(variable.shallow_clone().fill_(f64::NAN)));
            }
        }
    }

    /// Terms are made NaN or infinite one after another, and the diagnosis names the first in the order of computation.
    #[test]
    fn the_first_thing_that_is_not_finite_is_named() {
        let torn = Tensor::from_slice(&[0.0_f32, f32::NAN]);
        let (healthy, batch) = forecaster();
        let culprit = diagnose(&healthy, &batch, &torn).unwrap();
        assert_eq!(culprit, Culprit { term: "gradient", channel: None });
        let culprit = diagnose(&healthy, &batch, &Tensor::from_slice(&[0.0_f32])).unwrap();
        assert!(culprit.term.contains("second pass"), "{culprit:?}");
        let (spoiled, batch) = forecaster();
        spoil(&spoiled, "decoder");
        let culprit = diagnose(&spoiled, &batch, &torn).unwrap();
        assert_eq!(culprit, Culprit { term: "reconstruction", channel: Some(0) });
        spoil(&spoiled, "posterior");
        assert_eq!(diagnose(&spoiled, &batch, &torn).unwrap().term, "KL");
        let _ = batch.target.narrow(2, 1, 1).fill_(f64::INFINITY);
        let culprit = diagnose(&spoiled, &batch, &torn).unwrap();
        assert_eq!(culprit, Culprit { term: "target", channel: Some(1) });
    }
}
