//! Validation after every epoch, and earlier if the config asks for it: scores on windows that the model does not train on.

use feed::{Batch, Part, Source, Stream, WindowSet, seed, seed_batch};
use objective::ObjectiveError;
use objective::score::window_crps;
use tch::{Device, Kind, Tensor, no_grad};
use torch_ext::ProcessGroup;
use vae::{GroupHealth, HealthMeter, Latent};

use crate::config::Config;
use crate::control::Control;
use crate::error::TrainError;
use crate::forecaster::Forecaster;
use crate::job::Job;
use crate::part::share_out;

/// Results of a validation: means over clean windows. Without validation windows, those of validation are NaN, and the
/// latent variables are those of training windows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) loss: f64,
    /// `log p(y | z) − KL`, nats per window.
    pub(crate) bound: f64,
    /// Fair CRPS, standardized.
    pub(crate) crps: f64,
    /// Fair CRPS on training windows, standardized.
    pub(crate) train_crps: f64,
    /// Number of active units of each latent group.
    pub(crate) active_units: Vec<usize>,
    /// A sample of each latent group.
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

/// Maximum number of validation windows, evenly spaced, scored after each epoch.
const MAX_VALIDATION: i64 = 1024;
const MAX_TRAIN: i64 = 256;

/// Validates at optimizer step `step`; `None` if the model does not forecast finite numbers.
///
/// # Errors
/// [`TrainError::Interrupted`] if `control` asked to stop; if nothing was observed in the validation windows, or libtorch fails.
pub(crate) fn validate(
    job: &Job,
    forecaster: &Forecaster,
    step: usize,
    control: &Control,
) -> Result<Option<Held>, TrainError> {
    match held(job, forecaster, step, control) {
        // Weights that the last step made useless show up first in the samples.
        Err(TrainError::Objective(ObjectiveError::NotFinite { .. })) => Ok(None),
        held => held.map(Some),
    }
}

fn held(
    job: &Job,
    forecaster: &Forecaster,
    step: usize,
    control: &Control,
) -> Result<Held, TrainError> {
    let Job { config, source, .. } = *job;
    let samples = config.train.validation_samples as i64;
    let go_on = || match control.interrupted() {
        true => Err(TrainError::Interrupted { epoch: 0, step }),
        false => Ok(()),
    };
    let mut draw = |batch: &Batch| go_on().and_then(|()| forecaster.sample(batch, samples));
    let group = control.group();
    no_grad(|| {
        seed(config.seed, Stream::Validation);
        let (mut loss, mut bound, mut windows) = (0.0, 0.0, 0.0);
        let (mut meter, mut sample) = (HealthMeter::new(), Vec::new());
        let validation = scored_windows(source);
        let train = source.windows(Part::Train).at_most(MAX_TRAIN);
        let held_out = validation.count() > 0;
        let panel = source.panel();
        let measured = if held_out { &validation } else { &train };
        for batch in measured.batches(panel, panel.scored_at_once(samples)) {
            let batch = batch?;
            go_on()?;
            let count = batch.context.size()[0] as f64;
            let (terms, latents) = forecaster.clean_terms(&batch, step)?;
            loss += count * terms.loss.f_double_value(&[])?;
            bound += count * (&terms.reconstruction - &terms.kl).f_double_value(&[])?;
            windows += count;
            meter.add(&latents)?;
            if sample.is_empty() {
                sample = latents.iter().map(LatentSample::of).collect::<Result<_, _>>()?;
            }
        }
        let mut crps = |windows: &WindowSet, part: Part| {
            mean_crps(config, source, windows, forecaster, group, &mut draw)?
                .ok_or(TrainError::NothingObserved { part: part.name() })
        };
        let validation_crps =
            if held_out { crps(&validation, Part::Validation)? } else { f64::NAN };
        let train_crps = crps(&train, Part::Train)?;
        if !held_out {
            (loss, bound) = (f64::NAN, f64::NAN);
        }
        let groups = meter.report()?.groups;
        Ok(Held {
            loss: loss / windows,
            bound: bound / windows,
            crps: validation_crps,
            train_crps,
            active_units: groups.iter().map(GroupHealth::active_units).collect(),
            latents: sample,
        })
    })
}

/// The validation windows that are scored during training.
pub(crate) fn scored_windows(source: &Source) -> WindowSet {
    source.windows(Part::Validation).at_most(MAX_VALIDATION)
}

/// The mean fair CRPS of the forecasts that `draw` makes for [`scored_windows`]; `None` if nothing was observed in
/// them.
///
/// # Errors
/// If a forecast is not finite.
pub(crate) fn validation_crps(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
    draw: &mut dyn FnMut(&Batch) -> Result<Tensor, TrainError>,
) -> Result<Option<f64>, TrainError> {
    no_grad(|| mean_crps(config, source, &scored_windows(source), forecaster, None, draw))
}

/// The mean CRPS over windows with an observed value; `None` if there are none.
fn mean_crps(
    config: &Config,
    source: &Source,
    windows: &WindowSet,
    forecaster: &Forecaster,
    group: Option<&ProcessGroup>,
    draw: &mut dyn FnMut(&Batch) -> Result<Tensor, TrainError>,
) -> Result<Option<f64>, TrainError> {
    Ok(stats::mean_of_finite(each_crps(config, source, windows, forecaster, group, draw)?))
}

/// The CRPS of each window; NaN where nothing was observed.
fn each_crps(
    config: &Config,
    source: &Source,
    windows: &WindowSet,
    forecaster: &Forecaster,
    group: Option<&ProcessGroup>,
    draw: &mut dyn FnMut(&Batch) -> Result<Tensor, TrainError>,
) -> Result<Vec<f64>, TrainError> {
    let panel = source.panel();
    let at_once = panel.scored_at_once(config.train.validation_samples as i64);
    share_out(group, windows.batch_count(at_once), |index| {
        let batch = windows.batch(panel, at_once, index)?;
        seed_batch(config.seed, Stream::Validation, index);
        let (truth, observed) = forecaster.truth(&batch);
        let drawn = draw(&batch)?;
        Ok(Vec::try_from(window_crps(&drawn, truth, observed)?)?)
    })
}

/// The score that selects a training, for each of [`scored_windows`]; lower is better. It is the CRPS, or the negative
/// bound if the model makes no forecasts.
pub(crate) fn window_scores(
    job: &Job,
    forecaster: &Forecaster,
    group: Option<&ProcessGroup>,
) -> Result<Vec<f64>, TrainError> {
    let Job { config, source, .. } = *job;
    let samples = config.train.validation_samples as i64;
    let windows = scored_windows(source);
    if !forecaster.autoencodes() {
        let mut draw = |batch: &Batch| forecaster.sample(batch, samples);
        return each_crps(config, source, &windows, forecaster, group, &mut draw);
    }
    let panel = source.panel();
    let at_once = panel.scored_at_once(samples);
    share_out(group, windows.batch_count(at_once), |index| {
        let batch = windows.batch(panel, at_once, index)?;
        seed_batch(config.seed, Stream::Validation, index);
        Ok(Vec::try_from(-forecaster.clean_bounds(&batch)?.f_to_kind(Kind::Double)?)?)
    })
}
