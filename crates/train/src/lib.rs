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
mod baseline;
mod batch;
mod checkpoint;
mod config;
mod control;
mod copula;
mod device;
mod diagnose;
mod error;
mod evaluate;
mod features;
mod files;
mod fit;
mod flat;
mod forecast;
mod forecaster;
mod health;
mod lock;
mod memory;
mod metrics;
mod optimizer;
mod plan;
mod run;
mod schema;
mod score;
mod search;
mod source;
mod start;
mod state;
mod tensorboard;
mod tensors;
mod validate;

pub use baseline::{Asked, Baseline, History, Material, Pairs, Rule, SeriesRows};
pub use batch::{Batch, Columns, Rows, Starts, Statics};
pub use checkpoint::Checkpoint;
pub use config::{
    AutoNoise, Config, ConfigError, EvaluateConfig, Keep, LearningRateSchedule, Noise,
    ObjectiveConfig, Precision, TrainConfig,
};
pub use control::Control;
pub use device::{DeviceChoice, device_name};
pub use error::{MEMORY_HINT, TrainError, is_out_of_memory};
pub use evaluate::{
    Calibration, Coverage, Difference, Differences, DropLast, EvaluateOptions, Evaluation, Fan,
    NoiseCurve, Pairing, PointError, Scored, Scores, SeriesScores, Supplement, evaluate,
    evaluate_run, evaluate_runs,
};
pub use features::{Features, FeaturesOptions, Probe, StepFeatures, features_run};
pub use files::{RunDirectory, write_atomically, write_text};
pub use fit::{Divergence, Fitted, Job, Progress, fit};
pub use flat::Flat;
pub use forecast::{Forecast, forecast};
pub use forecaster::{Forecaster, Terms};
pub use health::LatentHealth;
pub use metrics::Epoch;
pub use optimizer::AdamW;
pub use plan::{Plan, plan};
pub use run::{DataInfo, RunInfo, RunOptions, Training, WindowCounts, prepare};
pub use schema::schema;
pub use search::{Candidate, Chosen, NoiseSearch, Rung, Trial, candidates};
pub use source::{Part, Source};
pub use tch::Device;
pub use vae::ModelKind;
