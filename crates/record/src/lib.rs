//! The files of a run as types: a training writes them, an evaluation adds to them, a laboratory reads them.
//!
//! Both sides use the same types, so that a key exists once. Nothing here needs a tensor: a program that reads
//! runs builds without libtorch.
//!
//! | file | type | read by |
//! |---|---|---|
//! | `run.json` | [`RunInfo`] | [`RunDirectory::read_info`] |
//! | `rows.json` | [`Known`] | [`RunDirectory::read_known`] |
//! | `noise.json` | [`NoiseSearch`] | [`RunDirectory::read_search`] |
//! | `metrics.jsonl` | [`Epoch`], one per line | [`RunDirectory::read_epochs`] |
//! | `evaluation.json` | [`Evaluation`] | [`RunDirectory::read_evaluation`] |
//! | `scores.csv` | [`WindowRow`], one per forecaster and window | [`read_rows`] |
//! | `features.json` | [`Features`] | [`RunDirectory::read_features`] |
//!
//! [`RunDirectory`] knows where they lie.
//!
//! ```
//! use record::{Epoch, RunDirectory};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let run = RunDirectory::create(&folder.path().join("seed-1"))?;
//! let _alone = run.lock()?;
//!
//! let first = Epoch { epoch: 1, step: 40, loss: 3.2, validation_crps: 0.5, best: true, ..Epoch::default() };
//! run.write_epochs(&[first.clone()])?;
//! assert_eq!(run.read_epochs()?, [first]);
//!
//! // Whoever reads a run that has not ended is told what to do.
//! let error = run.read_evaluation().unwrap_err();
//! assert!(error.to_string().contains("hint: "), "{error}");
//! # Ok::<(), record::RecordError>(())
//! ```
//!
//! A number that is not finite stands as `null` in a file and as NaN in a type ([`or_null`]); a value that may not
//! exist at all is an `Option`.

mod directory;
mod error;
mod evaluation;
mod features;
mod file;
mod forecast;
mod known;
mod metrics;
pub mod or_null;
mod run;
mod scores;
mod search;

pub use directory::RunDirectory;
pub use error::RecordError;
pub use evaluation::{
    Differences, DropLast, Evaluation, Fan, ForecasterKind, LatentHealth, NoiseCurve, PointError,
    Scored, Supplement,
};
pub use features::{Feature, Features, Probe, ProcessOrigin, StepFeatures};
pub use forecast::{Forecast, SeriesForecast, decimal};
pub use known::Known;
pub use metrics::Epoch;
pub use run::{
    DataInfo, Divergence, Fitted, Limits, Refit, RunInfo, Status, Update, UpdateScores,
    WindowCounts,
};
pub use scores::{Calibration, Coverage, Scores, SeriesScores, WindowRow, read_rows, write_rows};
pub use search::{Chosen, NoiseSearch, Rung, Trial};
