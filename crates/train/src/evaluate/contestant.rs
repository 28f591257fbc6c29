//! Who forecasts: a trained model, several as one, or a baseline, all asked in the same way.

use tch::Tensor;

use crate::baseline::{Asked, Baseline};
use crate::error::TrainError;
use crate::forecaster::Forecaster;

/// Whatever draws forecasts of windows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Contestant<'a> {
    /// A trained model.
    Model(&'a Forecaster),
    /// Trained models that share the samples: an equal mixture.
    Ensemble(&'a [Forecaster]),
    Baseline(&'a Baseline),
}

impl Contestant<'_> {
    /// Samples `[S, B, H, C]`, standardized.
    pub(super) fn sample(&self, asked: &Asked, samples: i64) -> Result<Tensor, TrainError> {
        match self {
            Contestant::Model(model) => model.sample(asked.batch, samples),
            Contestant::Baseline(baseline) => baseline.sample(asked, samples),
            Contestant::Ensemble(models) => {
                let shares = models.iter().zip(shares(samples, models.len() as i64));
                let drawn = shares
                    .filter(|(_, share)| *share > 0)
                    .map(|(model, share)| model.sample(asked.batch, share));
                Ok(Tensor::f_cat(&drawn.collect::<Result<Vec<_>, _>>()?, 0)?)
            }
        }
    }

    /// The log density of each element of the target, `[B, H, C]`, standardized, in nats.
    pub(super) fn log_density(&self, asked: &Asked, draws: i64) -> Result<Tensor, TrainError> {
        match self {
            Contestant::Model(model) => model.log_density(asked.batch, draws),
            Contestant::Baseline(baseline) => baseline.log_density(asked, draws),
            Contestant::Ensemble(models) => {
                let each = models.iter().map(|model| model.log_density(asked.batch, draws));
                let all = Tensor::f_stack(&each.collect::<Result<Vec<_>, _>>()?, 0)?;
                Ok(all.f_logsumexp([0_i64].as_slice(), false)? - (models.len() as f64).ln())
            }
        }
    }
}

/// `samples` in `parts` that differ by one at most.
fn shares(samples: i64, parts: i64) -> impl Iterator<Item = i64> {
    (0..parts).map(move |part| samples * (part + 1) / parts - samples * part / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ensemble_shares_its_samples() {
        for (samples, parts) in [(100, 3), (2, 5), (7, 7)] {
            let all: Vec<i64> = shares(samples, parts).collect();
            assert_eq!(all.iter().sum::<i64>(), samples);
            assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{all:?}");
        }
    }
}
