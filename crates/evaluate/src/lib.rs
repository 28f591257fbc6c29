//! Forecasts scored beside baselines, forecasts of new rows, and the health of latent variables.
//!
//! ```text
//! test windows → entrants: models, their ensemble, baselines → samples, means, densities
//!   → scores of every window → means, calibration, paired differences → evaluation.json, scores.csv
//! ```
//!
//! Everyone is asked for the same windows in the same way and scored by the same code: [`evaluate_runs`] scores one
//! finished run, or several seeds of one config with their ensemble; [`evaluate()`] scores a forecaster in memory.
//! [`forecast()`] uses a run on new rows.

mod compare;
mod drop_last;
mod entrant;
mod fan;
mod forecast;
mod health;
mod runs;
mod scoring;
mod slope;
mod table;
mod write;

pub use compare::{EvaluateOptions, evaluate};
pub use forecast::{Forecast, SeriesForecast, forecast};
pub use runs::{evaluate_run, evaluate_runs};
