//! Forecasts scored beside baselines, forecasts of new rows, and the health of latent variables.
//!
//! ```text
//! test windows → entrants: models, their ensemble, baselines → samples, means, densities
//!   → scores of every window → means, calibration, paired differences → evaluation.json, scores.csv
//! ```
//!
//! All entrants forecast the same windows and are scored by the same code. [`evaluate_runs`] scores one finished run,
//! or several seeds of one config with their ensemble; [`evaluate()`] scores a forecaster in memory. [`forecast()`]
//! forecasts the continuation of new rows with a run.
//!
//! ```
//! use train::{Config, Device, Forecaster, load, shape};
//!
//! let text = "data = { source = 'seattle-weather', targets = ['temp_max'], context = 28, horizon = 7 }
//!             noise = { schedule = 'none' }
//!             evaluate = { samples = 20, baselines = ['last-value', 'ridge'] }";
//! let config = Config::parse(text, "an example", &[])?;
//! let source = load(&config, Device::Cpu)?;
//! let untrained = Forecaster::new(&config, shape(source.panel()), Device::Cpu)?;
//!
//! let evaluation = evaluate::evaluate(&config, &source, &untrained)?;
//! let [model, last_value, ridge] = evaluation.forecasters.as_slice() else { panic!() };
//! assert!(ridge.test.crps < last_value.test.crps && ridge.test.crps < model.test.crps);
//! let difference = ridge.difference.as_ref().and_then(|difference| difference.crps).unwrap();
//! assert!(difference.low > 0.0, "the model is worse, and the interval excludes zero");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod drop_last;
mod entrant;
mod fan;
mod forecast;
mod health;
mod runs;
mod samples;
mod scoring;
mod slope;
mod table;
mod write;

pub use compare::{EvaluateOptions, evaluate};
pub use forecast::forecast;
pub use runs::{evaluate_run, evaluate_runs};
pub use samples::samples;
