//! Forecasters to score, behind one interface: a trained model, an ensemble of models, or a baseline.

use baseline::Baseline;
use feed::Batch;
use tch::Tensor;
use train::{Forecaster, TrainError};

/// A forecaster to score.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entrant<'a> {
    /// A trained model.
    Model(&'a Forecaster),
    /// The equal mixture of trained models; each draws an equal share of the samples.
    Ensemble(&'a [Forecaster]),
    /// A fitted baseline.
    Baseline(&'a Baseline),
}

impl Entrant<'_> {
    /// Samples `[S, B, H, C]`, standardized.
    pub(crate) fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor, TrainError> {
        match self {
            Entrant::Model(model) => model.sample(batch, samples),
            Entrant::Baseline(baseline) => Ok(baseline.sample(batch, samples)?),
            Entrant::Ensemble(models) => {
                let shares = models.iter().zip(shares(samples, models.len() as i64));
                let drawn = shares
                    .filter(|(_, share)| *share > 0)
                    .map(|(model, share)| model.sample(batch, share));
                Ok(Tensor::f_cat(&drawn.collect::<Result<Vec<_>, _>>()?, 0)?)
            }
        }
    }

    /// The mean forecast `[B, H, C]`, standardized. It comes from the law and not from the samples, because the
    /// noise of a sample mean would count as squared error.
    pub(crate) fn mean(&self, batch: &Batch, draws: i64) -> Result<Tensor, TrainError> {
        match self {
            Entrant::Model(model) => model.mean(batch, draws),
            Entrant::Baseline(baseline) => Ok(baseline.mean(batch)?),
            Entrant::Ensemble(models) => {
                let each = models.iter().map(|model| model.mean(batch, draws));
                let all = Tensor::f_stack(&each.collect::<Result<Vec<_>, _>>()?, 0)?;
                Ok(all.f_mean_dim([0_i64].as_slice(), false, None)?)
            }
        }
    }

    /// The log density of each element of the target, `[B, H, C]`, standardized, in nats.
    pub(crate) fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor, TrainError> {
        match self {
            Entrant::Model(model) => model.log_density(batch, draws),
            Entrant::Baseline(baseline) => Ok(baseline.log_density(batch, draws)?),
            Entrant::Ensemble(models) => {
                let each = models.iter().map(|model| model.log_density(batch, draws));
                let all = Tensor::f_stack(&each.collect::<Result<Vec<_>, _>>()?, 0)?;
                Ok(all.f_logsumexp([0_i64].as_slice(), false)? - (models.len() as f64).ln())
            }
        }
    }
}

/// Splits `samples` into `parts` shares that differ by at most one.
fn shares(samples: i64, parts: i64) -> impl Iterator<Item = i64> {
    (0..parts).map(move |part| samples * (part + 1) / parts - samples * part / parts)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, no_grad};
    use vae::Shape;

    use super::*;
    use train::Config;

    /// Laws, for a model and for an ensemble: over a fine grid of truths the density sums to one, and its mean is
    /// that of the samples, with and without instance normalization and for every law that the decoder describes.
    #[test]
    fn a_model_has_the_density_of_its_samples() {
        for (likelihood, normalized) in
            [("noise-aware", true), ("noise-aware", false), ("direct", true)]
        {
            let text = format!(
                "seed = 0\ndata = {{ path = \"x\", context = 6, horizon = 1 }}\n\
                 noise = {{ schedule = \"linear\", target = {{ scale = 0.5, reinject = 1.0, normalization = \"none\", \
                 likelihood = \"{likelihood}\" }} }}\n\
                 model = {{ kind = \"conditional\", instance_norm = {normalized}, latent = 8, dropout = 0 }}\n\
                 objective = {{ likelihood = \"gaussian\", kl_weight = 1, crps_weight = 0 }}\n"
            );
            let config = Config::parse(&text, "test", &[]).unwrap();
            let shape =
                Shape { context: 6, horizon: 1, channels: 1, extras: 0, future: 0, seasonal: 0 };
            let models: Vec<Forecaster> =
                (0..2).map(|_| Forecaster::new(&config, shape, Device::Cpu).unwrap()).collect();
            let on = (Kind::Float, Device::Cpu);
            let (points, step) = (2001, 0.02);
            let grid = Tensor::arange(points, on) * step - 20.0;
            let context = Tensor::from_slice(&[1.0_f32, 3.0, 2.0, 4.0, 2.5, 3.5]).view([1, 6, 1]);
            let batch = Batch {
                first_rows: Tensor::zeros([points], (Kind::Int64, Device::Cpu)),
                context: context.expand([points, 6, 1], false).contiguous(),
                extras: None,
                future: None,
                seasonal: None,
                target: grid.view([points, 1, 1]),
                context_observed: None,
                target_observed: None,
            };
            for who in [Entrant::Model(&models[0]), Entrant::Ensemble(&models)] {
                let density =
                    no_grad(|| who.log_density(&batch, 100)).unwrap().exp().view([-1]) * step;
                let total = density.sum(Kind::Double).double_value(&[]);
                assert!((total - 1.0).abs() < 0.02, "{likelihood}, {normalized}: {total}");
                let mean = (density * grid.to_kind(Kind::Double)).sum(Kind::Double);
                let samples = no_grad(|| who.sample(&batch, 20)).unwrap();
                let error = samples.std(true).double_value(&[]) / f64::sqrt(20.0 * 2001.0);
                let off = mean.double_value(&[]) - samples.mean(Kind::Double).double_value(&[]);
                let stated = no_grad(|| who.mean(&batch, 100)).unwrap().mean(Kind::Double);
                let apart = stated.double_value(&[]) - samples.mean(Kind::Double).double_value(&[]);
                assert!(apart.abs() < 6.0 * error, "{likelihood}, {normalized}: {apart}");
                // Both means are sampled, and the first over fewer draws that share their grid point.
                assert!(off.abs() < 6.0 * error + 0.03, "{likelihood}, {normalized}: {off}");
            }
        }
    }

    #[test]
    fn an_ensemble_shares_its_samples() {
        for (samples, parts) in [(100, 3), (2, 5), (7, 7)] {
            let all: Vec<i64> = shares(samples, parts).collect();
            assert_eq!(all.iter().sum::<i64>(), samples);
            assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{all:?}");
        }
    }
}
