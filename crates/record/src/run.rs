//! `run.json`: what was trained, on what, and how it ended.

use std::collections::BTreeMap;

use data::Pipeline;
use serde::{Deserialize, Serialize};

use crate::or_null;

/// The content of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of this format.
    pub version: u32,
    /// How training ended; the file is written last.
    pub status: Status,
    /// The seed.
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// Numbers that the networks computed in: `f32` or `bf16`.
    pub precision: String,
    /// Version of Ballast.
    pub ballast: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// With `noise = "auto"` the choice, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
    /// With `train.choose_instance_norm` the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_norm: Option<bool>,
    /// Counts and scores of the training.
    #[serde(flatten)]
    pub fitted: Fitted,
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// The data it was trained on.
    pub data: DataInfo,
    /// Whether the data had gaps, so that the model is told of them.
    pub masked: bool,
    /// The preparation of the data, with the scaler fitted on the training rows.
    pub pipeline: Pipeline,
    /// Limits of forecasts, from the training windows; runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// With `train.refit` the same training on all rows, whose weights are in `refit.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit: Option<Refit>,
    /// SHA-256 of `metrics.jsonl` and of the weights, by file; runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// Updates with newer rows, in order; the weights of the last one forecast.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Update>,
}

impl RunInfo {
    /// The version of `run.json` that is written and read.
    pub const VERSION: u32 = 1;
}

/// A training on all rows, with the settings and for the number of passes that were selected before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refit {
    /// Rows that it was fitted on, of all series.
    pub rows: usize,
    /// Windows to train on.
    pub windows: i64,
    /// Optimizer steps.
    pub steps: usize,
    /// Whether the data had gaps, so that the model is told of them.
    pub masked: bool,
    /// The preparation of the data, with the scaler fitted on these rows.
    pub pipeline: Pipeline,
    /// Limits of forecasts, from all windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The place where training left the finite numbers, if it did; there are no weights then.
    pub diverged: Option<Divergence>,
}

/// More training of the weights that forecast, on a table with newer rows. The preparation of the data stays that of the
/// weights it started from, which are in its units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The file with the newer rows.
    pub input: String,
    /// SHA-256 of its rows as they were read.
    pub fingerprint: String,
    /// Rows of all series before.
    pub rows_before: usize,
    /// Rows of all series.
    pub rows: usize,
    /// Number of earlier rows whose values were different.
    pub revised: usize,
    /// Number of missing cells that were filled, since the model was trained without gaps.
    pub filled: usize,
    /// Windows to train on.
    pub windows: i64,
    /// Windows whose targets reach into the added rows.
    pub added_windows: i64,
    /// Optimizer steps.
    pub steps: usize,
    /// Step size of every step.
    pub learning_rate: f64,
    /// Limits of forecasts, from all windows.
    pub limits: Limits,
    /// Scores on the added rows; `None` if nothing was observed in the targets of a window there.
    pub scores: Option<UpdateScores>,
}

/// Fair CRPS on the targets in the added rows, standardized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateScores {
    /// Number of windows, evenly spaced.
    pub windows: i64,
    /// Of the weights before the update, which have not seen these rows.
    #[serde(with = "or_null")]
    pub before: f64,
    /// Of the weights after it, which have.
    #[serde(with = "or_null")]
    pub after: f64,
    /// Name of the naive forecaster.
    pub naive_name: String,
    /// Of the naive forecaster, fitted on the earlier rows; NaN if it could not be.
    #[serde(with = "or_null")]
    pub naive: f64,
}

/// The smallest and largest value of each channel that is forecast, over the contexts and targets of the windows of a
/// training, in units of the window. Forecasts stay near this range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// `[C]`.
    pub low: Vec<f64>,
    /// `[C]`.
    pub high: Vec<f64>,
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As the config says.
    Done,
    /// It left the finite numbers; the best weights before that were kept.
    Diverged,
}

/// Counts and scores of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Epochs trained.
    pub epochs: usize,
    /// Number of finished epochs at the best validation score, whose weights were kept unless the config keeps the
    /// last; 0 before the end of the first epoch.
    pub best_epoch: usize,
    /// Number of optimizer steps at the best validation score; 0 for the initial weights. Runs of earlier versions do
    /// not have it.
    #[serde(default)]
    pub best_step: usize,
    /// Best validation score; NaN if there was no validation.
    #[serde(with = "or_null")]
    pub best_validation: f64,
    /// Optimizer steps.
    pub steps: usize,
    /// Steps that were left out since loss or gradient was not finite.
    pub skipped: usize,
    /// Trainable parameters.
    pub parameters: usize,
    /// The place where training left the finite numbers, if it did.
    pub diverged: Option<Divergence>,
}

/// The place where a training left the finite numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Epoch, from 1.
    pub epoch: usize,
    /// The first optimizer step of those that were not finite, from 1.
    pub step: usize,
    /// The term that was not finite, and the channel where it is that of one.
    pub what: String,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// File or bundled source.
    pub name: String,
    /// SHA-256 of the bytes that were read.
    pub fingerprint: String,
    /// Rows of all series.
    pub rows: usize,
    /// Number of series.
    pub series: usize,
    /// Names of the channels that are forecast.
    pub channels: Vec<String>,
    /// Windows of each part.
    pub windows: WindowCounts,
}

/// Number of windows of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowCounts {
    /// Windows to train on.
    pub train: i64,
    /// Windows to select on.
    pub validation: i64,
    /// Windows to score on.
    pub test: i64,
}
