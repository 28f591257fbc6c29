//! What a run leaves in its directory: `run.json`, `metrics.jsonl`, `evaluation.json`.
//!
//! Keys we do not use may come and go; a missing one that we use is an error that names it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A finished run.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) info: RunInfo,
    pub(super) epochs: Vec<Epoch>,
    pub(super) evaluation: Evaluation,
}

/// `run.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RunInfo {
    pub(super) status: String,
    pub(super) seed: u64,
    pub(super) device: String,
    pub(super) parameters: u64,
    pub(super) wall_seconds: f64,
    pub(super) epochs: Option<u64>,
    pub(super) best_epoch: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) data: Option<DataInfo>,
    pub(super) libtorch: Option<String>,
    pub(super) ballast: Option<String>,
}

/// What the run was trained on.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DataInfo {
    pub(super) name: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) rows: Option<u64>,
    pub(super) windows: Option<WindowCounts>,
}

/// How many windows each split has.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WindowCounts {
    pub(super) train: u64,
    pub(super) validation: u64,
    pub(super) test: u64,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Epoch {
    pub(super) epoch: f64,
    pub(super) loss: f64,
    pub(super) validation_loss: f64,
    pub(super) validation_crps: Option<f64>,
    pub(super) train_crps: Option<f64>,
    #[serde(default)]
    pub(super) best: bool,
}

/// `evaluation.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Evaluation {
    pub(super) channels: Vec<String>,
    pub(super) context: usize,
    pub(super) horizon: usize,
    pub(super) samples: usize,
    pub(super) forecasters: Vec<Forecaster>,
    #[serde(default)]
    pub(super) fans: Vec<Fan>,
    pub(super) noise: Option<Noise>,
    pub(super) health: Option<Health>,
    /// On stock returns only.
    pub(super) drop_last: Option<DropLast>,
}

/// How the latent variables are doing, by group and dimension.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Health {
    kl_per_dim: Vec<Vec<f64>>,
    active_units: Vec<usize>,
}

impl Health {
    /// Of all groups and dimensions, nats per window.
    pub(super) fn kl(&self) -> f64 {
        self.kl_per_dim.iter().flatten().sum()
    }

    pub(super) fn active(&self) -> f64 {
        self.active_units.iter().sum::<usize>() as f64
    }
}

/// Squared errors of stated means, standardized, mean over series.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DropLast {
    pub(super) forecasters: Vec<PointError>,
}

/// Of one forecaster, or of `zero`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PointError {
    pub(super) name: String,
    /// On the windows that D-Va's loader keeps.
    pub(super) kept: f64,
    /// On all windows.
    pub(super) all: f64,
    /// Less that of zero, over all windows.
    pub(super) to_zero: Option<Paired>,
}

/// A model or baseline and its scores.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Forecaster {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) test: Scores,
    pub(super) train: Option<Scores>,
    pub(super) calibration: Option<Calibration>,
    /// The model less this forecaster.
    pub(super) difference: Option<Differences>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// One run, or of several seeds their mean.
    Model,
    /// All seeds as one.
    Ensemble,
    /// One of several seeds.
    Seed,
    Baseline,
}

/// Paired differences, window by window; `null` for fewer than three forecast origins.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Differences {
    pub(super) crps: Option<Paired>,
    pub(super) log_score: Option<Paired>,
}

/// A mean difference with its standard error and 95 % interval, over windows and seeds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub(super) struct Paired {
    pub(super) mean: f64,
    pub(super) error: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Scores on one split; `crps`, `nmae`, `mae` and `mse` in original units.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Scores {
    pub(super) windows: usize,
    pub(super) crps: f64,
    pub(super) crps_standardized: f64,
    pub(super) nmae: f64,
    pub(super) mae: f64,
    pub(super) mse: f64,
    pub(super) coverage: Coverage,
    /// Log predictive density, standardized, in nats; larger is better.
    pub(super) log_score: Option<f64>,
    /// Of the truth regressed on the mean forecast.
    pub(super) slope: Option<f64>,
    /// Fair CRPS in standardized units, one per window; `null` where nothing was observed.
    pub(super) window_crps: Vec<Option<f64>>,
    /// Where there are several series: they are listed one after the other.
    #[serde(default)]
    by_series: Vec<OfSeries>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct OfSeries {
    /// Observed ones.
    windows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Coverage {
    #[serde(rename = "50")]
    pub(super) half: f64,
    #[serde(rename = "80")]
    pub(super) eighty: f64,
    #[serde(rename = "90")]
    pub(super) ninety: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Calibration {
    pub(super) levels: Vec<f64>,
    pub(super) observed: Vec<f64>,
}

/// One forecast to look at.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fan {
    pub(super) label: String,
    pub(super) window: usize,
    pub(super) channel: String,
    pub(super) times: Vec<String>,
    pub(super) context: Vec<Option<f64>>,
    pub(super) target: Vec<Option<f64>>,
    pub(super) levels: Vec<f64>,
    pub(super) quantiles: Vec<Vec<f64>>,
    pub(super) crps: f64,
}

/// Signal to noise over the diffusion steps; null where there is no noise.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Noise {
    pub(super) t: Vec<f64>,
    pub(super) snr_db: Vec<Option<f64>>,
    pub(super) snr_reinjected_db: Vec<Option<f64>>,
}

impl RunInfo {
    /// Reads what a training left, which is to be finished.
    pub(super) fn read(run: &Path, seed: u64) -> Result<RunInfo> {
        let info: RunInfo = json(&run.join("run.json"))?;
        ensure!(info.status == "done", "run.json: the run is `{}`, not `done`", info.status);
        ensure!(info.seed == seed, "run.json: the seed is {}, not {seed}", info.seed);
        Ok(info)
    }
}

impl Finished {
    /// Reads a run directory and checks that its parts fit together.
    pub(super) fn read(run: &Path, seed: u64) -> Result<Finished> {
        let info = RunInfo::read(run, seed)?;
        let evaluation = Evaluation::read(run)?;
        let epochs = lines(&run.join("metrics.jsonl"))?;
        Ok(Finished { info, epochs, evaluation })
    }

    /// The trained model's own scores.
    pub(super) fn model(&self) -> &Forecaster {
        self.evaluation.model()
    }

    pub(super) fn baselines(&self) -> impl Iterator<Item = &Forecaster> {
        self.evaluation.of(Kind::Baseline)
    }
}

impl Scores {
    /// For each window the rank of its time; series end together.
    pub(super) fn times(&self) -> Vec<usize> {
        let most = self.by_series.iter().map(|series| series.windows).max().unwrap_or(0);
        let times = self.by_series.iter().flat_map(|series| most - series.windows..most);
        let times: Vec<usize> = times.collect();
        if times.len() == self.windows { times } else { (0..self.windows).collect() }
    }
}

impl Evaluation {
    /// Reads what an evaluation left, and checks that its parts fit together.
    pub(super) fn read(folder: &Path) -> Result<Evaluation> {
        let evaluation: Evaluation = json(&folder.join("evaluation.json"))?;
        evaluation.check().context("evaluation.json")?;
        Ok(evaluation)
    }

    /// The scores of the model: of one run, or the mean of several seeds.
    pub(super) fn model(&self) -> &Forecaster {
        self.of(Kind::Model).next().expect("checked when read")
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Forecaster> {
        self.forecasters.iter().filter(move |forecaster| forecaster.kind == kind)
    }

    fn check(&self) -> Result<()> {
        let models = self.forecasters.iter().filter(|f| f.kind == Kind::Model).count();
        ensure!(models == 1, "`forecasters` has {models} models instead of one");
        for forecaster in &self.forecasters {
            let name = &forecaster.name;
            for scores in [Some(&forecaster.test), forecaster.train.as_ref()].into_iter().flatten()
            {
                let (count, listed) = (scores.windows, scores.window_crps.len());
                ensure!(count == listed, "`{name}` has {count} windows but {listed} `window_crps`");
            }
            if let Some(Calibration { levels, observed }) = &forecaster.calibration {
                ensure!(
                    levels.len() == observed.len(),
                    "`{name}`: levels and observed differ in length"
                );
            }
        }
        for fan in &self.fans {
            let rows = fan.context.len() + fan.target.len();
            let fits = fan.times.len() == rows
                && fan.quantiles.len() == fan.levels.len()
                && fan.quantiles.iter().all(|q| q.len() == fan.target.len());
            ensure!(fits, "the parts of the fan `{}` differ in length", fan.label);
        }
        if let Some(noise) = &self.noise {
            let steps = noise.t.len();
            let fits = noise.snr_db.len() == steps && noise.snr_reinjected_db.len() == steps;
            ensure!(fits, "the parts of `noise` differ in length");
        }
        Ok(())
    }
}

pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).map_err(|error| anyhow!("{name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| anyhow!("{name}: {error}"))
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).map_err(|error| anyhow!("{name}: {error}"))?;
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| anyhow!("{name}, line {}: {error}", index + 1))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}
