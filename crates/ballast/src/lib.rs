//! Forecasts small, noisy time series, and says how good the forecasts are.
//!
//! ```
//! use ballast::{Run, propose};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(folder.path()).unwrap();
//! # let row = |i: i32| format!("2024-{:02}-{:02},{}\n", 1 + i / 28, 1 + i % 28, (i % 7) * 10 + i % 3);
//! # std::fs::write("load.csv", "date,load\n".to_owned() + &(0..336).map(row).collect::<String>()).unwrap();
//! let config = propose("load.csv", 7)?; // reads the table, proposes lengths, split and model
//! # let config = { let mut config = config; config.train.epochs = 1; config.train.steps_per_epoch = 5; config };
//! let run = Run::fit(&config, "runs/load")?; // trains, or continues where it was interrupted
//! for entrant in run.score()?.forecasters {
//!     println!("{:<20} CRPS {:.4}", entrant.name, entrant.test.crps); // the model and the baselines
//! }
//! let forecast = run.forecast("load.csv")?; // the 7 rows that follow the table
//! for (time, step) in forecast.series[0].times.iter().zip(&forecast.series[0].quantiles) {
//!     let [_, low, _, median, _, high, _] = step[0][..] else { continue }; // 5, 10, 25, 50, 75, 90 and 95 %
//!     println!("{time}: {median:.1}, with 80 % between {low:.1} and {high:.1}");
//! }
//! # assert_eq!(forecast.series[0].times.len(), 7);
//! # Ok::<(), ballast::Error>(())
//! ```
//!
//! [`Config`] is the whole config of a training as a type; `Config::load` reads it from a TOML file. A [`Run`] is one
//! directory: the config, the weights, the metrics of every epoch, the scores.
//!
//! The parts are crates of their own, re-exported here under their names:
//!
//! | crate | for |
//! |---|---|
//! | [`auto`] | a table to a pooled forecast in one call, and its backtest |
//! | [`data`] | tables read, split, scaled and cut into windows; no tensors |
//! | [`feed`] | a panel on the device, windows by index, batches |
//! | [`noise`] | diffusion schedules, forward noise, re-injection of the clean signal |
//! | [`objective`] | Gaussians, likelihoods, evidence lower bounds, scoring rules |
//! | [`vae`] | the four kinds of model, with interchangeable backbones |
//! | [`baseline`] | classical forecasters that every model has to beat |
//! | [`train`] | config, training loop, checkpoints, choices on validation windows |
//! | [`evaluate`] | scores beside the baselines, forecasts of new rows |
//! | [`export`] | a trained network as ONNX, TorchScript or safetensors |
//! | [`probe`] | the information in the latent variables, over the diffusion steps |
//! | [`record`] | the files of a run as types |
//! | [`stats`] | whether one forecaster is better than another, and how certain that is |

use std::path::{Path, PathBuf};

pub use record::{Evaluation, Forecast, RunInfo};
pub use train::{Config, Control, RunOptions, TrainError as Error};
pub use {
    auto, baseline, data, evaluate, export, feed, files, noise, objective, probe, record, stats,
    train, vae,
};

/// Levels of the quantiles of a forecast.
const LEVELS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// The default config for a table: `horizon` rows ahead for every numeric column, with a context and a split that suit
/// its length and time step.
///
/// # Errors
/// [`Error::Feed`] if the table cannot be read, or has too few rows for the horizon.
pub fn propose(table: impl AsRef<Path>, horizon: usize) -> Result<Config, Error> {
    let data = data::DataConfig::new(table.as_ref(), 1, horizon);
    let wanted = data::Init { data, horizon: Some(horizon), context: None };
    Ok(Config::new(data::init(&wanted, Path::new(""))?.config))
}

/// A finished training in its directory.
#[derive(Debug, Clone)]
pub struct Run {
    directory: PathBuf,
    info: RunInfo,
    options: RunOptions,
}

impl Run {
    /// Trains a config into `directory`, which is made if it is missing. A training that was interrupted there
    /// continues, with the same result bit for bit; one that is done is opened.
    ///
    /// # Errors
    /// [`Error::Config`] if the directory holds a run of another config, [`Error::Diverged`] if training produced
    /// numbers that are not finite, and the errors of data, device and disk.
    pub fn fit(config: &Config, directory: impl AsRef<Path>) -> Result<Run, Error> {
        Run::fit_with(config, directory, RunOptions::default(), &Control::default())
    }

    /// As [`Run::fit`], on a device of choice and with a [`Control`] that may stop it.
    ///
    /// # Errors
    /// As [`Run::fit`], and [`Error::Interrupted`] if `control` stopped it.
    pub fn fit_with(
        config: &Config,
        directory: impl AsRef<Path>,
        options: RunOptions,
        control: &Control,
    ) -> Result<Run, Error> {
        let directory = directory.as_ref().to_owned();
        let training = train::prepare(config, &directory, options)?;
        let info = match training.already_done() {
            Some(info) => info.clone(),
            None => training.run(control, &mut |_| {})?,
        };
        Ok(Run { directory, info, options })
    }

    /// Opens a finished run.
    ///
    /// # Errors
    /// [`Error::Record`] if `directory` holds no finished run, or a damaged one.
    pub fn open(directory: impl AsRef<Path>, options: RunOptions) -> Result<Run, Error> {
        let directory = directory.as_ref().to_owned();
        let info = record::RunDirectory::open(&directory)?.read_info()?;
        Ok(Run { directory, info, options })
    }

    /// The run directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Data, windows, epochs and parameters of the training, and how it ended.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// Scores the model and the baselines on the test rows, which no choice has seen. The scores are kept in
    /// `evaluation.json` and `scores.csv` of the run.
    ///
    /// # Errors
    /// [`Error::Record`] if the data changed since the training.
    pub fn score(&self) -> Result<Evaluation, Error> {
        evaluate::evaluate_run(&self.directory, self.options)
    }

    /// Forecasts the rows that follow `table`, which has the columns that the run was trained on.
    ///
    /// # Errors
    /// If the rows do not have the form of those of the training.
    pub fn forecast(&self, table: impl AsRef<Path>) -> Result<Forecast, Error> {
        evaluate::forecast(&self.directory, table.as_ref(), &[], &LEVELS, 0, self.options, None)
    }
}
