//! The cost of a training before it starts, measured on a few steps that are thrown away.

use std::path::Path;
use std::time::Instant;

use feed::{Part, Source, device_name};
use objective::score::window_crps;
use record::{DataInfo, RunDirectory};
use serde::Serialize;
use tch::no_grad;

use crate::checkpoint::{Checkpoint, contents};
use crate::choose::{instance_helps, rungs, total};
use crate::config::{Config, ConfigError, Noise};
use crate::error::TrainError;
use crate::fit::batches;
use crate::forecaster::Forecaster;
use crate::initialize::{self, Start};
use crate::memory::{kibibytes, need};
use crate::run::{
    RunOptions, data_info, describe, is_of_another, load, naive_crps, resolved, selection,
    set_threads,
};
use crate::state::State;

/// A training that was checked but not started; nothing was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Data, windows, model, noise and device in words.
    pub summary: String,
    /// The data to train on.
    pub data: DataInfo,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Number of epochs if nothing stops the training early.
    pub epochs: usize,
    /// Number of optimizer steps per epoch.
    pub steps_per_epoch: usize,
    /// Number of optimizer steps if nothing stops the training early.
    pub steps: usize,
    /// Number of optimizer steps of the search for a noise, which comes first with `noise = "auto"`; otherwise 0.
    pub search_steps: usize,
    /// Bytes of weights, gradients, moments, and the stored copies of the weights.
    pub state_bytes: usize,
    /// Peak memory in bytes, of the process or, on CUDA, of the device; `None` if the system does not report it.
    pub peak_bytes: Option<usize>,
    /// Seconds for this step; it is the first, and slower than later ones.
    pub step_seconds: f64,
}

/// Does everything once that a training in the directory `run` would do, but for most of its steps: the choices before it, a few
/// steps, a forecast of some validation windows, a checkpoint, and the same on all rows if it refits. Memory then is
/// that of the training.
///
/// # Errors
/// Any error that would keep the training from starting.
pub fn plan(config: &Config, run: &Path, options: RunOptions) -> Result<Plan, TrainError> {
    let directory = RunDirectory::at(run);
    if directory.begun() && is_of_another(config, &directory)? {
        return Err(ConfigError::OtherRun { path: run.to_owned() }.into());
    }
    let device = options.device.resolve()?;
    let threads = set_threads(options.threads);
    let source = load(config, device)?;
    let config = &resolved(config, &source)?;
    Checkpoint::read(&directory.checkpoint(), source.fingerprint())?;
    let train = source.windows(Part::Train);
    let steps_per_epoch = config.train.steps_of_epoch(train.count());
    let search_steps = match config.noise {
        Noise::Fixed(_) => 0,
        Noise::Auto(auto) => total(&rungs(auto.budget, &config.train, steps_per_epoch)?),
    };
    // A noise that is still to be chosen is replaced by the default, which takes as much time and memory as any.
    let noise = Noise::Fixed(config.noise.fixed().cloned().unwrap_or_default());
    let mut config = Config { noise, ..config.clone() };
    if let Some(on) = config
        .train
        .choose_instance_norm
        .then(|| instance_helps(&config, &source))
        .transpose()?
        .flatten()
    {
        config.model.instance_norm = on;
    }
    let (config, table) = (&config, &config.train);
    need(config, &source)?;
    let Start { forecaster, strength, .. } = initialize::start(config, &source, None)?;
    naive_crps(config, &source, &forecaster)?;
    let Trial { parameters, step_seconds } = trial(config, &source, &forecaster, run)?;
    let refits = table.refit && !forecaster.autoencodes();
    drop(forecaster);
    if refits {
        let panel = data::read(&config.data, Path::new(""))?;
        let whole = Source::whole(&config.data, selection(config), panel, device)?;
        let Start { forecaster, .. } = initialize::start(config, &whole, strength)?;
        trial(config, &whole, &forecaster, run)?;
    }
    // Weights, gradients, two moments, the best weights, and the average if there is one.
    let copies = if table.ema_decay > 0.0 { 6 } else { 5 };
    Ok(Plan {
        summary: describe(config, &source, threads),
        data: data_info(&source),
        device: device_name(device),
        parameters,
        epochs: table.epochs,
        steps_per_epoch,
        steps: steps_per_epoch * table.epochs,
        search_steps,
        state_bytes: copies * parameters * 4,
        peak_bytes: peak_bytes(device),
        step_seconds,
    })
}

/// Steps of a trial; the first one is slower than the others, and memory settles after a few.
const STEPS: usize = 3;

/// The cost of a training in its first steps.
struct Trial {
    parameters: usize,
    /// Seconds of the first step.
    step_seconds: f64,
}

/// Takes the first steps of a training, forecasts as many windows as a validation at a time, and makes a checkpoint, none
/// of which is kept.
fn trial(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
    run: &Path,
) -> Result<Trial, TrainError> {
    let (train, panel, table) = (source.windows(Part::Train), source.panel(), &config.train);
    let mut state = State::new(config, forecaster)?;
    let mut step_seconds = None;
    let batches = batches(train, table.batch_size as i64, STEPS)?;
    for indices in &batches {
        let started = Instant::now();
        let batch = panel.gather(&train.first_rows_of(indices)?)?;
        state.flat.zero_gradients();
        let terms = forecaster.training_terms(&batch, 0)?;
        terms.loss.f_backward()?;
        state.step(&terms, 0.0, indices.size()[0])?;
        state.tally.settle()?; // waits for the device
        step_seconds = step_seconds.or_else(|| Some(started.elapsed().as_secs_f64()));
    }
    let held = match source.windows(Part::Validation) {
        none if none.count() == 0 => train,
        held => held,
    };
    let samples = table.validation_samples as i64;
    let held = panel.gather(&held.at_most(panel.scored_at_once(samples)).first_rows()?)?;
    state.with_average(|_| {
        no_grad(|| {
            drop(forecaster.clean_terms(&held, 0)?);
            if !forecaster.autoencodes() {
                let drawn = forecaster.sample(&held, samples)?;
                let (truth, observed) = forecaster.truth(&held);
                drop(window_crps(&drawn, truth, observed)?);
            }
            Ok(())
        })
    })?;
    state.best = Some(state.weights().copy());
    drop(contents(run, &mut state, source.fingerprint())?);
    Ok(Trial { parameters: state.flat.len(), step_seconds: step_seconds.unwrap_or(0.0) })
}

/// Peak memory of the device, or of the process if the device is the CPU.
fn peak_bytes(device: tch::Device) -> Option<usize> {
    if device.is_cuda() {
        return torch_ext::peak_memory(device).ok().map(|bytes| bytes as usize);
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmHWM:").map(|bytes| bytes as usize)
}
