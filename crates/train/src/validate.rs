//! How a model does on windows it does not train on, after every epoch.

use objective::ObjectiveError;
use tch::{Device, Kind, Tensor, no_grad};
use vae::{GroupHealth, HealthMeter, Latent};

use crate::batch::{Batch, Rows, Starts};
use crate::config::Config;
use crate::error::TrainError;
use crate::fit::{Job, Stream, seed};
use crate::forecaster::Forecaster;
use crate::score::window_crps;
use crate::source::Part;

/// Means over clean windows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) loss: f64,
    /// `log p(y | z) − KL`, nats per window.
    pub(crate) bound: f64,
    /// Fair CRPS, standardized.
    pub(crate) crps: f64,
    /// The same on training windows.
    pub(crate) train_crps: f64,
    /// Of each latent group.
    pub(crate) active_units: Vec<usize>,
    /// Of each latent group.
    pub(crate) latents: Vec<LatentSample>,
}

/// The posterior of one latent group on the first validation windows, all dimensions together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LatentSample {
    pub(crate) means: Vec<f32>,
    pub(crate) stds: Vec<f32>,
}

impl LatentSample {
    fn of(latent: &Latent) -> Result<LatentSample, TrainError> {
        let host = |tensor: &Tensor| -> Result<Vec<f32>, TrainError> {
            let flat = tensor.f_to_kind(Kind::Float)?.f_reshape([-1])?;
            Ok(Vec::try_from(flat.f_to(Device::Cpu)?)?)
        };
        let posterior = &latent.posterior;
        Ok(LatentSample {
            means: host(posterior.mean())?,
            stds: host(&posterior.log_std().f_exp()?)?,
        })
    }
}

/// At most so many windows, evenly spaced, are scored after each epoch.
const MAX_VALIDATION: i64 = 1024;
const MAX_TRAIN: i64 = 256;

/// Validates at optimizer step `step`; `None` if the model does not forecast finite numbers.
///
/// # Errors
/// If nothing was observed in the validation windows, or libtorch's own.
pub(crate) fn validate(
    job: &Job,
    forecaster: &Forecaster,
    step: usize,
) -> Result<Option<Held>, TrainError> {
    match held(job, forecaster, step) {
        // Weights that the last step spoiled show first in the samples.
        Err(TrainError::Objective(ObjectiveError::NotFinite { .. })) => Ok(None),
        held => held.map(Some),
    }
}

fn held(job: &Job, forecaster: &Forecaster, step: usize) -> Result<Held, TrainError> {
    let Job { config, rows, train, validation, .. } = *job;
    let samples = config.train.validation_samples as i64;
    let mut draw = |batch: &Batch, _: &Tensor| forecaster.sample(batch, samples);
    no_grad(|| {
        seed(config.seed, Stream::Validation);
        let (mut loss, mut bound, mut windows) = (0.0, 0.0, 0.0);
        let (mut meter, mut sample) = (HealthMeter::new(), Vec::new());
        for indices in
            validation.evenly(MAX_VALIDATION)?.f_split(rows.scored_at_once(samples), 0)?
        {
            let batch = rows.gather(&validation.rows(&indices)?)?;
            let count = indices.size()[0] as f64;
            let (terms, latents) = forecaster.clean_terms(&batch, step)?;
            loss += count * terms.loss.f_double_value(&[])?;
            bound += count * (&terms.reconstruction - &terms.kl).f_double_value(&[])?;
            windows += count;
            meter.add(&latents)?;
            if sample.is_empty() {
                sample = latents.iter().map(LatentSample::of).collect::<Result<_, _>>()?;
            }
        }
        let crps = crps(config, rows, validation, MAX_VALIDATION, forecaster, &mut draw)?
            .ok_or(TrainError::NothingObserved { part: Part::Validation.name() })?;
        let train_crps = self::crps(config, rows, train, MAX_TRAIN, forecaster, &mut draw)?;
        let groups = meter.report()?.groups;
        Ok(Held {
            loss: loss / windows,
            bound: bound / windows,
            crps,
            train_crps: train_crps
                .ok_or(TrainError::NothingObserved { part: Part::Train.name() })?,
            active_units: groups.iter().map(GroupHealth::active_units).collect(),
            latents: sample,
        })
    })
}

/// The mean fair CRPS of what `draw` forecasts on the validation windows that training looks at; it is told
/// the windows and the rows where they start.
///
/// # Errors
/// If a forecast is not finite.
pub(crate) fn validation_crps(
    config: &Config,
    rows: &Rows,
    validation: &Starts,
    forecaster: &Forecaster,
    draw: &mut dyn FnMut(&Batch, &Tensor) -> Result<Tensor, TrainError>,
) -> Result<Option<f64>, TrainError> {
    no_grad(|| crps(config, rows, validation, MAX_VALIDATION, forecaster, draw))
}

/// Windows in which nothing was observed have no CRPS and do not count; `None` if all are such.
fn crps(
    config: &Config,
    rows: &Rows,
    starts: &Starts,
    most: i64,
    forecaster: &Forecaster,
    draw: &mut dyn FnMut(&Batch, &Tensor) -> Result<Tensor, TrainError>,
) -> Result<Option<f64>, TrainError> {
    let (mut sum, mut scored) = (0.0, 0.0);
    let scores = each_crps(config, rows, starts, most, forecaster, draw)?;
    for score in scores.into_iter().filter(|score| score.is_finite()) {
        sum += score;
        scored += 1.0;
    }
    Ok((scored > 0.0).then_some(sum / scored))
}

/// The CRPS of each window; NaN where nothing was observed.
fn each_crps(
    config: &Config,
    rows: &Rows,
    starts: &Starts,
    most: i64,
    forecaster: &Forecaster,
    draw: &mut dyn FnMut(&Batch, &Tensor) -> Result<Tensor, TrainError>,
) -> Result<Vec<f64>, TrainError> {
    seed(config.seed, Stream::Validation);
    let mut scores = Vec::new();
    let at_once = rows.scored_at_once(config.train.validation_samples as i64);
    for indices in starts.evenly(most)?.f_split(at_once, 0)? {
        let first = starts.rows(&indices)?;
        let batch = rows.gather(&first)?;
        let (truth, observed) = forecaster.truth(&batch);
        let drawn = draw(&batch, &first)?;
        scores.extend(Vec::<f64>::try_from(window_crps(&drawn, truth, observed)?)?);
    }
    Ok(scores)
}

/// What selects a training, of each window of [`scored_windows`], the lower the better: its CRPS, or its negative
/// bound where the model forecasts nothing.
pub(crate) fn window_scores(job: &Job, forecaster: &Forecaster) -> Result<Vec<f64>, TrainError> {
    let Job { config, rows, validation, .. } = *job;
    let samples = config.train.validation_samples as i64;
    if !forecaster.autoencodes() {
        let mut draw = |batch: &Batch, _: &Tensor| forecaster.sample(batch, samples);
        return each_crps(config, rows, validation, MAX_VALIDATION, forecaster, &mut draw);
    }
    seed(config.seed, Stream::Validation);
    let mut scores = Vec::new();
    for indices in validation.evenly(MAX_VALIDATION)?.f_split(rows.scored_at_once(samples), 0)? {
        let batch = rows.gather(&validation.rows(&indices)?)?;
        let bounds = forecaster.clean_bounds(&batch)?.f_to_kind(Kind::Double)?;
        scores.extend(Vec::<f64>::try_from(-bounds)?);
    }
    Ok(scores)
}

/// The rows where the validation windows start that training looks at.
pub(crate) fn scored_windows(validation: &Starts) -> Result<Vec<usize>, TrainError> {
    let rows = validation.rows(&validation.evenly(MAX_VALIDATION)?)?;
    let rows = Vec::<i64>::try_from(rows.f_to(Device::Cpu)?)?;
    Ok(rows.into_iter().map(|row| row as usize).collect())
}
