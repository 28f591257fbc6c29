//! The cost of a training before it starts, measured on one step that is thrown away.

use std::path::Path;
use std::time::Instant;

use feed::{Part, Stream, device_name, seed};
use record::{DataInfo, RunDirectory};
use serde::Serialize;
use tch::{Tensor, no_grad};

use crate::checkpoint::Checkpoint;
use crate::choose::{rungs, total};
use crate::config::{Config, ConfigError, Noise};
use crate::error::TrainError;
use crate::flat::Flat;
use crate::forecaster::Forecaster;
use crate::optimizer::AdamW;
use crate::run::{RunOptions, data_info, describe, is_of_another, load, resolved, set_threads};
use crate::shape::shape;

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
    /// Peak memory in bytes after one step, of the process or, on CUDA, of the device; `None` if the system does not
    /// report it.
    pub peak_bytes: Option<usize>,
    /// Seconds for this step; it is the first, and slower than later ones.
    pub step_seconds: f64,
}

/// Reads the data, builds the model, takes one step and forecasts one validation batch, as a training in the directory
/// `run` would.
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
    seed(config.seed, Stream::Weights);
    let (train, panel) = (source.windows(Part::Train), source.panel());
    let steps_per_epoch = config.train.steps_of_epoch(train.count());
    let search_steps = match config.noise {
        Noise::Fixed(_) => 0,
        Noise::Auto(auto) => total(&rungs(auto.budget, &config.train, steps_per_epoch)?),
    };
    // A noise that is still to be chosen is replaced by the default, which takes as much time and memory as any.
    let noise = Noise::Fixed(config.noise.fixed().cloned().unwrap_or_default());
    let config = &Config { noise, ..config.clone() };
    let table = &config.train;
    let forecaster = Forecaster::new(config, shape(panel), device)?;
    let flat = Flat::new(forecaster.store())?;
    let started = Instant::now();
    let first =
        Tensor::f_arange(train.count().min(table.batch_size as i64), (tch::Kind::Int64, device))?;
    let batch = panel.gather(&train.first_rows_of(&first)?)?;
    let terms = forecaster.training_terms(&batch, 0)?;
    terms.loss.f_backward()?;
    let mut optimizer = AdamW::new(&flat, table)?;
    let _ = optimizer.step(&flat, &terms.loss.detach(), 0.0)?.f_double_value(&[])?;
    let step_seconds = started.elapsed().as_secs_f64();
    let samples = table.validation_samples as i64;
    let held = match source.windows(Part::Validation) {
        none if none.count() == 0 => train,
        held => held,
    };
    let held = held.at_most(panel.scored_at_once(samples));
    let held = panel.gather(&held.first_rows()?)?;
    drop(no_grad(|| forecaster.sample(&held, samples))?);
    // Weights, gradients, two moments, the best weights, and the average if there is one.
    let copies = if table.ema_decay > 0.0 { 6 } else { 5 };
    Ok(Plan {
        summary: describe(config, &source, threads),
        data: data_info(&source),
        device: device_name(device),
        parameters: flat.len(),
        epochs: table.epochs,
        steps_per_epoch,
        steps: steps_per_epoch * table.epochs,
        search_steps,
        state_bytes: copies * flat.len() * 4,
        peak_bytes: peak_bytes(device),
        step_seconds,
    })
}

/// Peak memory of the device, or of the process if the device is the CPU.
fn peak_bytes(device: tch::Device) -> Option<usize> {
    if device.is_cuda() {
        return torch_ext::peak_memory(device).ok().map(|bytes| bytes as usize);
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<usize>().ok()? * 1024)
}
