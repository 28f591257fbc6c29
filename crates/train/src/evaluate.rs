//! Forecasts scored, beside baselines scored the same way: what stands in `evaluation.json`.

use objective::score::{LEVELS, WindowScores, mean, quantiles, window_scores};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::baseline::{Baseline, Pairs, Rule};
use crate::batch::Batch;
use crate::error::TrainError;
use crate::fit::{Stream, seed};
use crate::forecaster::Forecaster;
use crate::health::LatentHealth;
use crate::score::window_crps;
use crate::source::{Part, Source};

/// Scores of one forecaster on some windows, in original units but where it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Windows scored.
    pub windows: usize,
    /// CRPS over 19 quantile levels, relative to the size of the truth, mean over windows.
    pub crps: f64,
    /// Absolute error of the median relative to the size of the truth, mean over windows.
    pub nmae: f64,
    /// Absolute error of the median.
    pub mae: f64,
    /// Squared error of the mean.
    pub mse: f64,
    /// Shares of the truth inside central intervals.
    pub coverage: Coverage,
    /// Fair CRPS in units of the training standard deviation, mean over windows.
    pub crps_standardized: f64,
    /// The same, window by window; `null` where nothing was observed.
    pub window_crps: Vec<Option<f64>>,
    /// Windows whose truth is zero throughout: they have no relative scores, and the means of those
    /// leave them out.
    pub zero_windows: usize,
}

/// Shares of the truth inside central intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Of the 50 % interval.
    #[serde(rename = "50")]
    pub half: f64,
    /// Of the 80 % interval.
    #[serde(rename = "80")]
    pub eighty: f64,
    /// Of the 90 % interval.
    #[serde(rename = "90")]
    pub ninety: f64,
}

/// Share of the truth below each quantile level: a straight line for calibrated forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Quantile levels.
    pub levels: Vec<f64>,
    /// Shares below.
    pub observed: Vec<f64>,
}

/// A model or a baseline and how it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Its name.
    pub name: String,
    /// `model` or `baseline`.
    pub kind: String,
    /// On all test windows.
    pub test: Scores,
    /// On evenly spaced training windows; for the model only.
    pub train: Option<Scores>,
    /// On the test windows.
    pub calibration: Calibration,
}

/// One forecast to look at.
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
    /// `[L]`, original units; NaN (`null`) where missing.
    pub context: Vec<f64>,
    /// `[H]`, original units.
    pub target: Vec<f64>,
    /// Quantile levels.
    pub levels: Vec<f64>,
    /// `[levels][H]`, original units.
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

/// What stands in `evaluation.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Of this format.
    pub version: u32,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// Rows seen.
    pub context: usize,
    /// Rows forecast.
    pub horizon: usize,
    /// Samples per window.
    pub samples: usize,
    /// The model first, then the baselines.
    pub forecasters: Vec<Scored>,
    /// A good, a median and a bad test window of the model.
    pub fans: Vec<Fan>,
    /// The noise of the training.
    pub noise: NoiseCurve,
    /// The latent variables of the model, on the validation windows.
    pub health: LatentHealth,
}

/// Levels of the bands of a fan.
const FAN_LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Scores a trained forecaster and the baselines on the test windows of its data.
///
/// # Errors
/// If a forecast is not finite or memory runs out.
pub fn evaluate(source: &Source, forecaster: &Forecaster) -> Result<Evaluation, TrainError> {
    if forecaster.autoencodes() {
        return Err(TrainError::NoForecast);
    }
    no_grad(|| {
        let config = source.config();
        let samples = config.evaluate.samples as i64;
        let mut draw = |batch: &Batch| forecaster.sample(batch, samples);
        let test = score(source, Part::Test, i64::MAX, &mut draw)?;
        let most = config.evaluate.train_windows as i64;
        let train = score(source, Part::Train, most, &mut draw)?;
        let fans = fans(source, forecaster, &test.scores.window_crps)?;
        let mut forecasters = vec![Scored {
            name: "ballast".to_owned(),
            kind: "model".to_owned(),
            test: test.scores,
            train: Some(train.scores),
            calibration: test.calibration,
        }];
        for rule in rules(source) {
            let Some(baseline) = fit_baseline(source, rule)? else {
                tracing::warn!(baseline = rule.name(), "left out: no training window is whole");
                continue;
            };
            let mut draw = |batch: &Batch| baseline.sample(&batch.filled_context()?, samples);
            let test = score(source, Part::Test, i64::MAX, &mut draw)?;
            forecasters.push(Scored {
                name: rule.name(),
                kind: "baseline".to_owned(),
                test: test.scores,
                train: None,
                calibration: test.calibration,
            });
        }
        Ok(Evaluation {
            version: 1,
            channels: source.channels().to_vec(),
            context: config.data.context,
            horizon: config.data.horizon,
            samples: config.evaluate.samples,
            forecasters,
            fans,
            noise: noise_curve(&config.noise),
            health: health(source, forecaster)?,
        })
    })
}

fn health(source: &Source, forecaster: &Forecaster) -> Result<LatentHealth, TrainError> {
    seed(source.config().seed, Stream::Evaluation);
    let starts = source.starts(Part::Validation);
    let indices = starts.evenly(MAX_HEALTH)?.f_split(source.rows().scored_at_once(32), 0)?;
    let batch = |indices: Tensor| source.rows().gather(&starts.rows(&indices)?);
    crate::health::measure(forecaster, indices.into_iter().map(batch))
}

/// At most so many validation windows tell how the latent variables are doing.
const MAX_HEALTH: i64 = 512;

struct Measured {
    scores: Scores,
    calibration: Calibration,
}

/// Scores whatever `draw` forecasts on at most `most` windows of a part, in batches.
fn score(
    source: &Source,
    part: Part,
    most: i64,
    draw: &mut dyn FnMut(&Batch) -> Result<Tensor, TrainError>,
) -> Result<Measured, TrainError> {
    seed(source.config().seed, Stream::Evaluation);
    let starts = source.starts(part);
    let mut windows: Vec<WindowScores> = Vec::new();
    let mut standardized: Vec<f64> = Vec::new();
    let at_once = source.rows().scored_at_once(source.config().evaluate.samples as i64);
    for indices in starts.evenly(most.min(starts.count()))?.f_split(at_once, 0)? {
        let rows = starts.rows(&indices)?;
        let batch = source.rows().gather(&rows)?;
        let samples = draw(&batch)?;
        let observed = batch.target_observed.as_ref();
        let crps = window_crps(&samples, &batch.target, observed)?;
        standardized.extend(Vec::<f64>::try_from(crps)?);
        let mask = observed.map(|mask| mask.f_not_equal(0.0)?.f_to(Device::Cpu)).transpose()?;
        let samples = source.to_original(&samples, &rows)?;
        let truth = source.truth(&rows)?;
        windows.extend(window_scores(&samples, &truth, mask.as_ref())?);
    }
    let scored = standardized.iter().filter(|crps| crps.is_finite());
    let crps_standardized = scored.clone().sum::<f64>() / scored.count() as f64;
    let means = mean(&windows).ok_or(TrainError::NothingObserved { part: part.name() })?;
    Ok(Measured {
        scores: Scores {
            windows: windows.len(),
            crps: means.crps,
            nmae: means.nmae,
            mae: means.mae,
            mse: means.mse,
            coverage: Coverage {
                half: means.coverage_50,
                eighty: means.coverage_80,
                ninety: means.coverage_90,
            },
            crps_standardized,
            window_crps: standardized
                .into_iter()
                .map(|crps| crps.is_finite().then_some(crps))
                .collect(),
            zero_windows: windows.iter().filter(|w| w.observed > 0 && !w.crps.is_finite()).count(),
        },
        calibration: Calibration { levels: LEVELS.to_vec(), observed: means.coverage_below },
    })
}

/// The first of them that repeats what was: what skill is relative to.
pub(crate) fn naive_rule(source: &Source) -> Rule {
    match source.season() {
        Some(season) if 1 < season && season <= source.config().data.context => {
            Rule::SeasonalNaive(season)
        }
        _ => Rule::LastValue,
    }
}

/// The baselines that fit the data: a season longer than the context has nothing to repeat.
fn rules(source: &Source) -> Vec<Rule> {
    let season = source.season();
    let mut rules = vec![Rule::LastValue];
    match season {
        Some(season) if 1 < season && season <= source.config().data.context => {
            rules.push(Rule::SeasonalNaive(season));
        }
        season => tracing::warn!(?season, "no seasonal naive baseline: the season does not fit"),
    }
    rules.push(Rule::Ridge);
    rules
}

pub(crate) fn fit_baseline(source: &Source, rule: Rule) -> Result<Option<Baseline>, TrainError> {
    let pairs = |part| -> Result<(Tensor, Tensor), TrainError> {
        let starts = source.starts(part);
        let batch =
            source.rows().gather(&starts.rows(&starts.evenly(source.rows().fitted_at_most())?)?)?;
        let missing = batch.target_observed.as_ref().map(|mask| mask.f_eq(0.0)).transpose()?;
        let target = match missing {
            Some(missing) => batch.target.f_masked_fill(&missing, f64::NAN)?,
            None => batch.target.shallow_clone(),
        };
        Ok((batch.filled_context()?, target))
    };
    // Its own draws decide how residuals are taken: the same whatever was evaluated before.
    seed(source.config().seed, Stream::Evaluation);
    let (context, target) = pairs(Part::Train)?;
    let (held_context, held_target) = pairs(Part::Validation)?;
    Baseline::fit(
        rule,
        Pairs { context: &context, target: &target },
        Pairs { context: &held_context, target: &held_target },
    )
}

/// The windows at the 10th, 50th and 90th percentile of the CRPS; of each the channel whose own
/// score is the median of its channels.
fn fans(
    source: &Source,
    forecaster: &Forecaster,
    window_crps: &[Option<f64>],
) -> Result<Vec<Fan>, TrainError> {
    let scored = window_crps.iter().enumerate();
    let mut order: Vec<(usize, f64)> =
        scored.filter_map(|(window, crps)| Some((window, (*crps)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = |share: f64| order[((order.len() - 1) as f64 * share).round() as usize];
    [("good", 0.1), ("median", 0.5), ("bad", 0.9)]
        .into_iter()
        .map(|(label, share)| fan(source, forecaster, label, at(share)))
        .collect()
}

fn fan(
    source: &Source,
    forecaster: &Forecaster,
    label: &str,
    (window, crps): (usize, f64),
) -> Result<Fan, TrainError> {
    let starts = source.starts(Part::Test);
    let indices = Tensor::f_from_slice(&[window as i64])?.f_to(source.rows().device())?;
    let rows = starts.rows(&indices)?;
    let batch = source.rows().gather(&rows)?;
    let standardized = forecaster.sample(&batch, 1000)?;
    let channel = middle_channel(&standardized, &batch.target)?;
    let column = |values: &Tensor| -> Result<Vec<f64>, TrainError> {
        let values = values.f_select(-1, channel)?.f_contiguous()?.f_view([-1])?;
        Ok(Vec::try_from(values.f_to_kind(Kind::Double)?)?)
    };
    let samples = source.to_original(&standardized, &rows)?;
    let quantiles = quantiles(&samples, &FAN_LEVELS)?;
    let start = rows.f_int64_value(&[0])? as usize;
    Ok(Fan {
        label: label.to_owned(),
        window,
        channel: source.channels()[channel as usize].clone(),
        times: source.times(start)?,
        context: column(&source.contexts(&rows)?)?,
        target: column(&source.truth(&rows)?)?,
        levels: FAN_LEVELS.to_vec(),
        quantiles: (0..FAN_LEVELS.len() as i64)
            .map(|level| column(&quantiles.f_get(level)?))
            .collect::<Result<_, _>>()?,
        crps,
    })
}

/// The channel with the median CRPS in one window `[S, 1, H, C]`.
fn middle_channel(samples: &Tensor, target: &Tensor) -> Result<i64, TrainError> {
    let crps = objective::score::crps(samples, target, objective::score::PairEstimator::Fair)?;
    let per_channel = crps.f_mean_dim([0_i64, 1].as_slice(), false, Kind::Double)?;
    let order = per_channel.f_argsort(0, false)?;
    Ok(order.f_int64_value(&[(order.numel() as i64 - 1) / 2])?)
}

fn noise_curve(noise: &noise::NoiseConfig) -> NoiseCurve {
    let decibels = |snr: &[f64]| -> Vec<Option<f64>> {
        let db = snr.iter().map(|log_snr| log_snr * 10.0 / std::f64::consts::LN_10);
        db.map(|db| db.is_finite().then_some(db)).collect()
    };
    let process = noise.input();
    NoiseCurve {
        steps: process.steps(),
        t: (0..=process.steps()).collect(),
        snr_db: decibels(process.schedule().log_snr()),
        snr_reinjected_db: decibels(process.log_snr()),
    }
}
