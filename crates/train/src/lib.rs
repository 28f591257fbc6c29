//! Training, evaluation and forecasting: where data, noise, model and objective meet.
//!
//! ```text
//! rows on the device → windows by index → instance scale → noise (x̃_t, ỹ_t)
//!   → model: posterior, prior, likelihood → ELBO → flat gradient → AdamW → best weights
//! ```
//!
//! [`prepare`] and [`Training::run`] fill a run directory, [`evaluate_run`] scores it beside the
//! baselines, [`forecast()`] uses it on new rows. [`fit()`] is the loop itself.

mod average;
mod checkpoint;
mod choose;
mod config;
mod control;
mod copula;
mod diagnose;
mod error;
mod fit;
mod flat;
mod forecaster;
mod initialize;
mod job;
mod memory;
mod metrics;
mod optimizer;
mod plan;
mod run;
mod shape;
mod state;
mod tensorboard;
mod tensors;
mod validate;

pub use checkpoint::Checkpoint;
pub use choose::{Candidate, SearchProgress, candidates};
pub use config::{
    AutoNoise, Config, ConfigError, EvaluateConfig, Keep, LearningRateSchedule, Noise,
    ObjectiveConfig, Precision, TrainConfig, schema,
};
pub use control::Control;
pub use error::TrainError;
pub use fit::{Progress, fit};
pub use flat::Flat;
pub use forecaster::{Forecaster, Terms, inputs};
pub use job::Job;
pub use optimizer::AdamW;
pub use plan::{Plan, plan};
pub use run::{Loaded, RunOptions, RunProgress, Training, data_info, load, prepare, set_threads};
pub use shape::shape;
pub use tch::Device;
pub use tensors::serialized;
pub use vae::ModelKind;
