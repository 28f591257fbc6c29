//! `evaluation.json`: forecasters beside each other.

use serde::{Deserialize, Serialize};
use stats::{Difference, Pairing};

use crate::or_null;
use crate::scores::{Calibration, Scores};

/// The content of `evaluation.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this format.
    pub version: u32,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// Rows seen.
    pub context: usize,
    /// Rows forecast.
    pub horizon: usize,
    /// Rows between neighboring test windows; absent in files of earlier versions.
    #[serde(default)]
    pub stride: Option<usize>,
    /// For each test window the rank of its origin in time; empty in files of earlier versions.
    #[serde(default)]
    pub origins: Vec<usize>,
    /// Samples per window.
    pub samples: usize,
    /// Seeds of the models behind it.
    pub seeds: Vec<u64>,
    /// The model first, then the baselines.
    pub forecasters: Vec<Scored>,
    /// The same on windows of another stride, if asked for.
    pub supplement: Option<Supplement>,
    /// Squared errors as the authors of the protocol `stocks` count them; absent for other protocols.
    pub drop_last: Option<DropLast>,
    /// Omissions, with their reasons.
    pub left_out: Vec<String>,
    /// A good, a median and a bad test window of the model.
    pub fans: Vec<Fan>,
    /// The noise of the training, of the first seed.
    pub noise: NoiseCurve,
    /// The latent variables of the model, of the first seed, on the validation windows.
    pub health: LatentHealth,
}

/// A forecaster and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ForecasterKind,
    /// Scores on all test windows.
    pub test: Scores,
    /// Scores on evenly spaced training windows; for the model only.
    pub train: Option<Scores>,
    /// Calibration on the test windows.
    pub calibration: Calibration,
    /// The model minus this forecaster, window by window; absent for the model itself.
    pub difference: Option<Differences>,
}

/// The kind of a forecaster in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForecasterKind {
    /// One run, or the mean of several seeds.
    Model,
    /// All seeds as one forecaster.
    Ensemble,
    /// One of several seeds.
    Seed,
    /// A classical forecaster.
    Baseline,
}

/// Scores of the model minus those of another forecaster on the same windows: negative where the model is better, but
/// for the log score. A difference is absent for fewer than three forecast origins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Difference of `crps`.
    pub crps: Option<Difference>,
    /// Difference of `crps_standardized`.
    pub crps_standardized: Option<Difference>,
    /// Difference of `mse`.
    pub mse: Option<Difference>,
    /// Difference of `log_score`: positive where the model is better.
    pub log_score: Option<Difference>,
    /// Difference of `energy`.
    pub energy: Option<Difference>,
    /// `1 − crps(model) / crps(other)`; NaN (`null`) where one of them has none.
    #[serde(with = "or_null")]
    pub skill: f64,
}

/// The same forecasters on other test windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Supplement {
    /// Rows between windows.
    pub stride: usize,
    /// Forecasters in the order of the evaluation.
    pub forecasters: Vec<Scored>,
}

/// Squared errors of mean forecasts on the windows that D-Va's loader keeps, standardized, mean over series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropLast {
    /// Windows per batch: of each series only whole batches are kept, from the first window on.
    pub batch: usize,
    /// Windows kept, of all series.
    pub kept: usize,
    /// Forecasters in the order of the evaluation, then the forecast that is zero, the training mean, throughout.
    pub forecasters: Vec<PointError>,
}

/// The squared error of one forecaster's stated mean, which is not that of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointError {
    /// Its name.
    pub name: String,
    /// Error on the windows kept; NaN (`null`) if there are none.
    #[serde(with = "or_null")]
    pub kept: f64,
    /// Error on all windows.
    #[serde(with = "or_null")]
    pub all: f64,
    /// Error minus that of zero, over all windows.
    pub to_zero: Option<Difference>,
}

/// One forecast to look at, in original units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fan {
    /// `good`, `median` or `bad`, by the CRPS of its window.
    pub label: String,
    /// Index of the test window.
    pub window: usize,
    /// The channel that is shown.
    pub channel: String,
    /// Times of context and horizon.
    pub times: Vec<String>,
    /// Values seen, `[L]`; NaN (`null`) where missing.
    #[serde(with = "or_null::list")]
    pub context: Vec<f64>,
    /// Truth, `[H]`; NaN (`null`) where missing.
    #[serde(with = "or_null::list")]
    pub target: Vec<f64>,
    /// Quantile levels.
    pub levels: Vec<f64>,
    /// Quantiles of the forecast, `[levels][H]`.
    pub quantiles: Vec<Vec<f64>>,
    /// Fair CRPS of the window, standardized.
    pub crps: f64,
}

/// Signal-to-noise ratio over the diffusion steps, in dB; `null` where there is no noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCurve {
    /// `T`.
    pub steps: usize,
    /// `0, …, T`.
    pub t: Vec<usize>,
    /// Plain diffusion.
    pub snr_db: Vec<Option<f64>>,
    /// With the re-injection of the run.
    pub snr_reinjected_db: Vec<Option<f64>>,
}

/// The latent variables of a model on held-out windows; nats per window, in the units of the scaled window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatentHealth {
    /// KL from posterior to prior of each group and dimension.
    pub kl_per_dim: Vec<Vec<f64>>,
    /// Active units of each group.
    pub active_units: Vec<usize>,
    /// The evidence lower bound.
    pub elbo: f64,
    /// The importance weighted bound with 32 draws; its distance to the first is the least that a better posterior
    /// could gain.
    pub iwae: f64,
    /// Problems, in words with a remedy; empty if there are none.
    pub findings: Vec<String>,
}

impl LatentHealth {
    /// KL of all groups and dimensions, nats per window.
    pub fn kl(&self) -> f64 {
        self.kl_per_dim.iter().flatten().sum()
    }

    /// Active units of all groups.
    pub fn active(&self) -> usize {
        self.active_units.iter().sum()
    }
}

impl Evaluation {
    /// The version of `evaluation.json` that is written and read.
    pub const VERSION: u32 = 2;

    /// The model: one run, or the mean of several seeds. Every evaluation that was read from a file has one.
    pub fn model(&self) -> Option<&Scored> {
        self.of(ForecasterKind::Model).next()
    }

    /// The forecasters of one kind.
    pub fn of(&self, kind: ForecasterKind) -> impl Iterator<Item = &Scored> {
        self.forecasters.iter().filter(move |forecaster| forecaster.kind == kind)
    }

    /// The dependence between the test windows, to compare forecasters of several evaluations of the same windows.
    ///
    /// Files of earlier versions lack both: their stride counts as 1, and their series are taken to end at one time.
    pub fn pairing(&self) -> Pairing {
        let ranks =
            if self.origins.is_empty() { self.guessed_origins() } else { self.origins.clone() };
        Pairing::from_ranks(ranks, self.horizon, self.stride.unwrap_or(1))
    }

    fn guessed_origins(&self) -> Vec<usize> {
        let Some(test) = self.model().map(|model| &model.test) else { return Vec::new() };
        let most = test.by_series.iter().map(|series| series.windows).max().unwrap_or(0);
        let ranks = test.by_series.iter().flat_map(|series| most - series.windows..most);
        let ranks: Vec<usize> = ranks.collect();
        if ranks.len() == test.windows { ranks } else { (0..test.windows).collect() }
    }

    /// Two parts that do not fit together, if there are any.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let models = self.of(ForecasterKind::Model).count();
        if models != 1 {
            return Some(format!("`forecasters` has {models} models instead of one"));
        }
        let supplement = self.supplement.iter().flat_map(|supplement| &supplement.forecasters);
        for Scored { name, test, train, calibration, .. } in
            self.forecasters.iter().chain(supplement)
        {
            for scores in [Some(test), train.as_ref()].into_iter().flatten() {
                let (count, listed) = (scores.windows, scores.window_crps.len());
                if count != listed {
                    return Some(format!(
                        "`{name}` has {count} windows but {listed} `window_crps`"
                    ));
                }
            }
            if calibration.levels.len() != calibration.observed.len() {
                return Some(format!("`{name}`: levels and observed differ in length"));
            }
        }
        let windows = self.model().map_or(0, |model| model.test.windows);
        if !self.origins.is_empty() && self.origins.len() != windows {
            return Some("`origins` are not those of the test windows".to_owned());
        }
        for Fan { label, times, context, target, levels, quantiles, .. } in &self.fans {
            let fits = times.len() == context.len() + target.len()
                && quantiles.len() == levels.len()
                && quantiles.iter().all(|quantile| quantile.len() == target.len());
            if !fits {
                return Some(format!("the parts of the fan `{label}` differ in length"));
            }
        }
        let NoiseCurve { t, snr_db, snr_reinjected_db, .. } = &self.noise;
        let fits = snr_db.len() == t.len() && snr_reinjected_db.len() == t.len();
        (!fits).then(|| "the parts of `noise` differ in length".to_owned())
    }
}
