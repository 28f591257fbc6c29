//! Training, which brings data, noise, model and objective together.
//!
//! ```text
//! windows by index → instance scale → noise (x̃_t, ỹ_t) → model: posterior, prior, likelihood
//!   → ELBO → flat gradient → AdamW → validation → weights of the best epoch
//! ```
//!
//! Forecasts of a trained model stay near the range of its training windows and of their own window, both in units of the
//! window: they pass unchanged up to half the width of this range beyond it, and bend softly from there, so that none is
//! farther out than the whole width. No gradient passes through this bound.
//!
//! Load, fit, forecast, score:
//!
//! ```
//! use feed::Part;
//! use objective::score::{PairEstimator, crps};
//! use train::{Config, Control, Device, Loaded, RunOptions, load, prepare};
//!
//! let text = "data = { source = 'seattle-weather', targets = ['temp_max'], context = 28, horizon = 7 }
//!             train = { epochs = 2 }
//!             noise = { schedule = 'none' }";
//! let config = Config::parse(text, "an example", &[])?;
//! let folder = tempfile::tempdir()?;
//! let run = folder.path().join("seed-0");
//!
//! let training = prepare(&config, &run, RunOptions::default())?;
//! let info = training.run(&Control::default(), &mut |_| {})?;
//! assert!(info.fitted.best_validation < 1.0); // CRPS, in standard deviations of the training rows
//!
//! let source = load(&config, Device::Cpu)?;
//! let forecaster = Loaded::open(&run)?.forecaster(source.panel())?;
//! let first_rows = source.windows(Part::Test).at_most(32).first_rows()?;
//! let batch = source.panel().gather(&first_rows)?;
//! let samples = tch::no_grad(|| forecaster.sample(&batch, 100))?; // [100, 32, 7, 1]
//! let degrees = source.to_original(&samples, &first_rows)?;
//! let scores = crps(&degrees, &source.truth(&first_rows)?, PairEstimator::Fair)?;
//! assert!(scores.mean(tch::Kind::Double).double_value(&[]) < 5.0); // in degrees Celsius
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | task | |
//! |---|---|
//! | read a config from a file or from text | [`Config`], its JSON Schema [`schema()`] |
//! | train a config in a run directory, or continue | [`prepare`], [`Training::run`], [`Control`], [`RunProgress`] |
//! | estimate the cost of a run before it starts | [`plan()`] |
//! | load a finished run | [`Loaded`], [`Fit`] |
//! | train a finished run on newer rows | [`update()`], [`Updated`] |
//! | train a model in memory, without a directory | [`Forecaster`], [`shape()`], [`Flat`], [`AdamW`] |
//! | call the training loop directly | [`fit()`], [`Job`] |
//! | take steps one by one, to measure them | [`Steps`] |
//!
//! The crate `evaluate` scores a run against baselines, and `probe` computes features over the diffusion steps.

mod average;
mod checkpoint;
mod choose;
mod config;
mod control;
mod copula;
mod diagnose;
mod error;
mod fit;
mod fitted;
mod flat;
mod forecaster;
mod initialize;
mod job;
mod limits;
mod measure;
mod memory;
mod metrics;
mod optimizer;
mod part;
mod plan;
mod ranks;
mod reading;
mod refit;
mod run;
mod shape;
mod state;
mod tensorboard;
mod tensors;
mod update;
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
pub use fitted::Fit;
pub use flat::Flat;
pub use forecaster::{Forecaster, Terms, inputs};
pub use job::Job;
pub use measure::Steps;
pub use optimizer::AdamW;
pub use part::share_out;
pub use plan::{Plan, plan};
pub use ranks::Mirror;
pub use reading::{check_rereading, other_reading};
pub use run::{
    Loaded, RunOptions, RunProgress, Training, data_info, load, prepare, prepare_panel, set_threads,
};
pub use shape::shape;
pub use tch::Device;
pub use tensors::serialized;
pub use torch_ext::{Meeting, ProcessGroup, TorchExtError};
pub use update::{Updated, update};
pub use vae::ModelKind;
