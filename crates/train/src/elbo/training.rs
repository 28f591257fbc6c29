//! A VAE with a linear decoder, trained by the loop that trains everything else, on data from a known
//! probabilistic PCA model: it has to arrive at the maximum-likelihood log evidence, which the
//! eigenvalues of the sample covariance give, and at the subspace of the truth.

use std::fmt::Write as _;
use std::path::Path;

use feed::Part;
use objective::ppca::{Ppca, principal_cosines};
use record::RecordError;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};
use vae::Inputs;

use crate::config::Config;
use crate::control::Control;
use crate::error::TrainError;
use crate::fit::Progress;
use crate::run::{Loaded, RunOptions, RunProgress, load, prepare};

/// Where training came, beside where it should.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearTraining {
    /// Examples.
    pub examples: i64,
    /// Dimensions of the data.
    pub dimensions: i64,
    /// Dimensions of the latent variable.
    pub latent: i64,
    /// Mean log evidence of the data under its maximum-likelihood model, nats; nothing can be better.
    pub best: f64,
    /// Mean log evidence under the trained decoder.
    pub log_evidence: f64,
    /// Mean bound of the trained model, nats.
    pub elbo: f64,
    /// Mean `KL[q ‖ posterior]` of the trained model: log evidence minus bound.
    pub gap: f64,
    /// Cosines of the principal angles between the trained and the true subspace.
    pub cosines: Vec<f64>,
    /// The same after each epoch.
    pub curve: Vec<Stage>,
}

/// How far training is after one epoch; means over all examples, nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Log evidence under the decoder of that moment.
    pub log_evidence: f64,
    /// The bound.
    pub elbo: f64,
}

const EXAMPLES: i64 = 2000;
const DIMENSIONS: i64 = 8;
const LATENT: i64 = 2;
const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

const CONFIG: &str = r#"
seed = 1
[data]
context = 1
horizon = 1
time = "row"
split = { rows = [2001, 101, 101] }
scale = "none"
[noise]
schedule = "none"
[model]
kind = "autoencode"
backbone = "linear"
channels = "joint"
latent = 2
dropout = 0.0
scale = "global"
instance_norm = false
[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0
[train]
ridge_start = false
choose_instance_norm = false
epochs = 80
steps_per_epoch = 0
batch_size = 50
learning_rate = 0.02
learning_rate_schedule = "cosine"
weight_decay = 0.0
ema_decay = 0.0
patience = 0
keep = "last"
validation_samples = 2
"#;

pub(super) fn measure(
    folder: &Path,
    observe: &mut dyn FnMut(RunProgress),
) -> Result<LinearTraining, TrainError> {
    let truth = truth()?;
    let file = folder.join("ppca.csv");
    files::replace_text(&file, &csv(&truth.sample(EXAMPLES + 203)?)?)
        .map_err(RecordError::writing(&file))?;
    let config = Config::parse(
        CONFIG,
        "the configuration of the elbo experiment",
        &[format!("data.path={}", toml::Value::String(file.display().to_string()))],
    )?;
    let run = folder.join("linear");
    let _ = std::fs::remove_dir_all(&run);
    let training = prepare(&config, &run, RunOptions::default())?;
    let source = load(&config, Device::Cpu)?;
    let examples = source.windows(Part::Train).at_most(EXAMPLES);
    let x = source.panel().gather(&examples.first_rows()?)?.context;
    let mut curve = Vec::new();
    let mut watch = |progress: RunProgress| {
        if let RunProgress::Fit(Progress::Epoch(_, forecaster)) = &progress {
            curve.push(no_grad(|| stage(forecaster.model(), &x)));
        }
        observe(progress);
    };
    training.run(&Control::default(), &mut watch)?;
    let curve = curve.into_iter().collect::<Result<Vec<_>, _>>()?;
    let forecaster = Loaded::open(&run)?.forecaster(source.panel())?;
    no_grad(|| {
        let Stage { log_evidence, elbo } = stage(forecaster.model(), &x)?;
        let best = Ppca::fit(&wide(&x)?, LATENT)?;
        let trained = decoder(forecaster.model())?;
        let cosines = principal_cosines(trained.weights(), truth.weights())?;
        Ok(LinearTraining {
            examples: EXAMPLES,
            dimensions: DIMENSIONS,
            latent: LATENT,
            best: mean(best.log_evidence(&wide(&x)?)?)?,
            log_evidence,
            elbo,
            gap: log_evidence - elbo,
            cosines: Vec::try_from(cosines.f_to_kind(Kind::Double)?)?,
            curve,
        })
    })
}

/// Evidence and bound of a model on `x`, `[N, 1, D]`, both in closed form given its decoder and `q`.
fn stage(model: &vae::Model, x: &Tensor) -> Result<Stage, TrainError> {
    let pass = model.forward(&Inputs::new(x.shallow_clone()), None, false)?;
    let posterior = &pass.latents[0].posterior;
    let q = objective::DiagonalGaussian::new(
        posterior.mean().f_to_kind(Kind::Double)?,
        posterior.log_std().f_to_kind(Kind::Double)?,
    )?;
    let (decoder, x) = (decoder(model)?, wide(x)?);
    Ok(Stage {
        log_evidence: mean(decoder.log_evidence(&x)?)?,
        elbo: mean(decoder.expected_log_likelihood(&q, &x)? - q.kl_to_standard())?,
    })
}

/// `[N, 1, D]` → `[N, D]` in f64.
fn wide(x: &Tensor) -> Result<Tensor, TrainError> {
    Ok(x.f_squeeze_dim(1)?.f_to_kind(Kind::Double)?)
}

fn mean(nats: Tensor) -> Result<f64, TrainError> {
    Ok(nats.f_mean(Kind::Double)?.f_double_value(&[])?)
}

/// The trained decoder as a linear model: its weights are what it makes of unit latent variables.
fn decoder(model: &vae::Model) -> Result<Ppca, TrainError> {
    let on = (Kind::Float, Device::Cpu);
    let inputs = Inputs::new(Tensor::f_zeros([LATENT + 1, 1, DIMENSIONS], on)?);
    let units = Tensor::f_cat(&[Tensor::f_zeros([1, LATENT], on)?, Tensor::f_eye(LATENT, on)?], 0)?;
    let likelihood = model.decode(&units, &inputs)?;
    let loc = likelihood.loc().f_squeeze_dim(1)?.f_to_kind(Kind::Double)?;
    let offset = loc.f_get(0)?;
    let weights = (loc.f_narrow(0, 1, LATENT)? - &offset).f_tr()?.f_contiguous()?;
    let variance = likelihood.variance().f_flatten(0, -1)?.f_double_value(&[0])?;
    Ok(Ppca::new(weights, offset, variance)?)
}

/// Loadings that are neither orthogonal nor of one length.
fn truth() -> Result<Ppca, TrainError> {
    let weights = Tensor::f_randn([DIMENSIONS, LATENT], F64)?;
    let offset = Tensor::f_randn([DIMENSIONS], F64)?;
    Ok(Ppca::new(weights, offset, 0.25)?)
}

fn csv(x: &Tensor) -> Result<String, TrainError> {
    let values = Vec::<f64>::try_from(x.f_contiguous()?.f_view([-1])?)?;
    let mut text = String::from("row");
    for channel in 0..DIMENSIONS {
        let _ = write!(text, ",x{channel}");
    }
    for (row, cells) in values.chunks(DIMENSIONS as usize).enumerate() {
        let _ = write!(text, "\n{row}");
        for cell in cells {
            let _ = write!(text, ",{cell}");
        }
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the maximum-likelihood log evidence by the eigenvalues of the sample covariance.
    #[test]
    fn training_reaches_the_exact_log_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let found = measure(folder.path(), &mut |_| {}).unwrap();
        assert!(found.elbo <= found.log_evidence + 1e-6, "{found:?}");
        assert!(found.log_evidence <= found.best + 1e-4, "{found:?}");
        assert!(found.elbo > found.best - 0.02, "{found:?}");
        // Sampling error of the subspace: angles of about √(σ²/(n λ)) ≈ 0.01.
        assert!(found.cosines.iter().all(|cosine| *cosine > 0.998), "{:?}", found.cosines);
    }
}
