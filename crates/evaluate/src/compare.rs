//! A model beside baselines that are scored the same way: the content of `evaluation.json`.

use std::path::PathBuf;
use std::sync::Arc;

use baseline::{Baseline, Rule};
use data::{Protocol, SplitConfig};
use feed::{Part, Source, Stream, WindowSet, seed};
use record::{
    Differences, DropLast, Evaluation, ForecasterKind, LatentHealth, Scored, Supplement, WindowRow,
};
use stats::{Pairing, mean_of_finite};
use tch::{Tensor, no_grad};
use train::{Config, Forecaster, ProcessGroup, TrainError};

use crate::drop_last::{self, point_error};
use crate::entrant::Entrant;
use crate::fan;
use crate::health;
use crate::scoring::{Depth, Keep, Scoring};
use crate::table::{Measure, ScoreTable};
use crate::write::{Dump, window_rows};

/// Options of an evaluation, which by default scores the test windows alone.
#[derive(Debug, Clone, Default)]
pub struct EvaluateOptions {
    /// Rows between the test windows of a supplement; without it there is no supplement.
    pub stride: Option<usize>,
    /// Safetensors file for the truth and the samples of the model; without it none is written.
    pub dump: Option<PathBuf>,
    /// Whether to score the weights of the last epoch, which `train.keep = "both"` leaves beside the best ones.
    pub last: bool,
    /// Folder to write to. By default the run directory, or the folder that holds all runs; with `last` its
    /// subfolder `last`.
    pub folder: Option<PathBuf>,
    /// The processes that share the windows, all of which make the same call; the first one writes.
    pub group: Option<Arc<ProcessGroup>>,
}

impl EvaluateOptions {
    /// Whether this process writes files.
    pub(crate) fn writes(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.rank() == 0)
    }
}

/// Scores a trained forecaster and the baselines on the test windows of its data.
///
/// # Errors
/// If a forecast is not finite or memory runs out.
pub fn evaluate(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
) -> Result<Evaluation, TrainError> {
    let models = std::slice::from_ref(forecaster);
    let all = evaluate_models(config, source, models, &[config.seed], &EvaluateOptions::default());
    Ok(all?.0)
}

/// The rows of `scores.csv`, or of `scores-stride-N.csv` for a supplement.
pub(crate) struct Table {
    pub(crate) stride: Option<usize>,
    pub(crate) rows: Vec<WindowRow>,
}

/// Scores models of one config and several seeds, and the baselines.
pub(crate) fn evaluate_models(
    config: &Config,
    source: &Source,
    models: &[Forecaster],
    seeds: &[u64],
    options: &EvaluateOptions,
) -> Result<(Evaluation, Vec<Table>), TrainError> {
    if models.iter().any(Forecaster::autoencodes) {
        return Err(TrainError::NoForecast);
    }
    no_grad(|| {
        let test = source.required(Part::Test)?;
        let mut left_out = Vec::new();
        let baselines = fit_baselines(config, source, &mut left_out)?;
        let entries = entries(models, seeds, &baselines);
        let (mut forecasters, table, drop_last) =
            compare(config, source, &entries, test, options, &mut left_out)?;
        let window = (config.data.horizon * source.channels().len()) as i64;
        let most = (config.evaluate.train_windows as i64).min(MAX_TRAIN / window).max(1);
        let train = source.windows(Part::Train).at_most(most);
        let gap = models.iter().map(|model| {
            let (entrant, depth) = (&Entrant::Model(model), Depth::Elements);
            let scoring = Scoring { config, source, entrant, depth };
            scoring.score(&train, options.group.as_deref(), None)
        });
        let gap = gap.collect::<Result<Vec<_>, _>>()?;
        if let (Some(gap), Some(model)) = (ScoreTable::mean_of(&gap), forecasters.first_mut()) {
            model.train = Some(gap.summarize(Part::Train.name(), &[], &[])?.0);
        }
        let shown = match models {
            [model] => Entrant::Model(model),
            models => Entrant::Ensemble(models),
        };
        let fans = fan::fans(source, &shown, &forecasters[0].test.window_crps)?;
        let mut tables = vec![Table { stride: None, rows: table }];
        let supplement = match options.stride {
            None => None,
            Some(stride) => {
                let windows = source.windows_every(Part::Test, stride.max(1))?;
                let options = EvaluateOptions { dump: None, ..options.clone() };
                let (forecasters, rows, _) =
                    compare(config, source, &entries, &windows, &options, &mut left_out)?;
                tables.push(Table { stride: Some(stride), rows });
                Some(Supplement { stride, forecasters })
            }
        };
        let evaluation = Evaluation {
            version: Evaluation::VERSION,
            channels: source.channels().to_vec(),
            context: config.data.context,
            horizon: config.data.horizon,
            stride: Some(test.stride()),
            origins: source.pairing(test)?.ranks().to_vec(),
            samples: config.evaluate.samples,
            seeds: seeds.to_vec(),
            forecasters,
            supplement,
            drop_last,
            left_out,
            fans,
            noise: fan::noise_curve(config.noise.fixed().ok_or(TrainError::NoiseUndecided)?),
            health: health(config, source, &models[0])?,
        };
        Ok((evaluation, tables))
    })
}

/// An entrant with the name and the kind that the evaluation reports.
struct Entry<'a> {
    name: String,
    kind: ForecasterKind,
    forecaster: Entrant<'a>,
}

/// A fitted baseline and its name.
type Named = (String, Baseline);

/// All entries in their order: the one model, or each seed and then their ensemble; after them the baselines.
fn entries<'a>(models: &'a [Forecaster], seeds: &[u64], baselines: &'a [Named]) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    match models {
        [model] => entries.push(Entry {
            name: "ballast".to_owned(),
            kind: ForecasterKind::Model,
            forecaster: Entrant::Model(model),
        }),
        models => {
            entries.extend(models.iter().zip(seeds).map(|(model, seed)| Entry {
                name: format!("ballast, seed {seed}"),
                kind: ForecasterKind::Seed,
                forecaster: Entrant::Model(model),
            }));
            entries.push(Entry {
                name: format!("ensemble of {}", models.len()),
                kind: ForecasterKind::Ensemble,
                forecaster: Entrant::Ensemble(models),
            });
        }
    }
    entries.extend(baselines.iter().map(|(name, baseline)| Entry {
        name: name.clone(),
        kind: ForecasterKind::Baseline,
        forecaster: Entrant::Baseline(baseline),
    }));
    entries
}

/// The scores of all entries, those of every window, and the squared errors as D-Va counts them.
type Compared = (Vec<Scored>, Vec<WindowRow>, Option<DropLast>);

/// Scores all entries on the same windows, and compares the model with each of the others.
fn compare(
    config: &Config,
    source: &Source,
    entries: &[Entry],
    windows: &WindowSet,
    options: &EvaluateOptions,
    left_out: &mut Vec<String>,
) -> Result<Compared, TrainError> {
    let rows = Vec::<i64>::try_from(windows.first_rows()?.f_to(tch::Device::Cpu)?)?;
    let places = rows.iter().map(|row| source.origin(*row as usize));
    let (series, times): (Vec<usize>, Vec<String>) =
        places.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let names = source.series_names();
    let pairing = source.pairing(windows)?;
    // The dump has the samples of the model, or of the ensemble where there are several seeds.
    let dumped = entries
        .iter()
        .position(|entry| matches!(entry.kind, ForecasterKind::Model | ForecasterKind::Ensemble));
    let mut measured = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = options.dump.as_deref().filter(|_| Some(index) == dumped);
        let mut dump = path.filter(|_| options.writes()).map(Dump::new);
        let mut add =
            dump.as_mut().map(|dump| |truth: &Tensor, samples: &Tensor| dump.add(truth, samples));
        let keep = add.as_mut().map(|add| add as Keep);
        let (entrant, depth) = (&entry.forecaster, Depth::All);
        let scoring = Scoring { config, source, entrant, depth };
        // The samples to write are those of all windows.
        let group = options.group.as_deref().filter(|_| path.is_none());
        measured.push(scoring.score(windows, group, keep)?);
        if let Some(dump) = dump {
            dump.finish()?;
        }
    }
    let seeds = entries.iter().filter(|entry| entry.kind == ForecasterKind::Seed).count();
    let models: &[ScoreTable] = &measured[..seeds.max(1)];
    let mean = ScoreTable::mean_of(models).filter(|_| seeds > 0);
    let mut table = Vec::new();
    let mut forecasters = Vec::new();
    let stocks = source.config().split == SplitConfig::Protocol(Protocol::Stocks);
    let mut drop_last = stocks.then(|| drop_last::begin(&series));
    let pooled =
        mean.iter().map(|mean| (format!("ballast, mean of {seeds}"), ForecasterKind::Model, mean));
    let each = entries.iter().zip(&measured);
    let each = each.map(|(entry, measured)| (entry.name.clone(), entry.kind, measured));
    for (name, kind, measured) in pooled.chain(each) {
        let part = Part::Test.name();
        let (test, calibration) = measured.summarize(part, &names, &series)?;
        if test.log_score.is_none() {
            left_out.push(format!("log score of {name}: it has no density in some windows"));
        }
        let difference = match kind {
            ForecasterKind::Model | ForecasterKind::Seed => None,
            _ => Some(differences(models, measured, &pairing)),
        };
        if difference.as_ref().is_some_and(|difference| difference.crps_standardized.is_none()) {
            left_out
                .push(format!("difference to {name}: there are fewer than three forecast origins"));
        }
        if let Some(drop_last) = &mut drop_last {
            let error = point_error(&name, measured, Measure::PointError, &series, &pairing);
            drop_last.forecasters.push(error);
        }
        table.extend(window_rows(&name, measured, &series, &names, &times));
        forecasters.push(Scored { name, kind, test, train: None, calibration, difference });
    }
    if let (Some(drop_last), Some(any)) = (&mut drop_last, measured.first()) {
        let error = point_error("zero", any, Measure::ZeroError, &series, &pairing);
        drop_last.forecasters.push(error);
    }
    Ok((forecasters, table, drop_last))
}

/// Paired differences of scores: each of `models`, one per seed, minus `other`.
fn differences(models: &[ScoreTable], other: &ScoreTable, pairing: &Pairing) -> Differences {
    let of = |measure| {
        let minus_other = |model: &ScoreTable| {
            let pairs = model.column(measure).iter().zip(other.column(measure));
            pairs.map(|(ours, theirs)| ours - theirs).collect()
        };
        pairing.difference(&models.iter().map(minus_other).collect::<Vec<_>>())
    };
    let crps = |table: &ScoreTable| table.mean(Measure::Crps);
    let own = mean_of_finite(models.iter().filter_map(crps)).unwrap_or(f64::NAN);
    Differences {
        crps: of(Measure::Crps),
        crps_standardized: of(Measure::CrpsStandardized),
        mse: of(Measure::Mse),
        log_score: of(Measure::LogScore),
        energy: of(Measure::Energy),
        skill: 1.0 - own / crps(other).unwrap_or(f64::NAN),
    }
}

/// Fits the baselines of the config, or by default those that suit the data. A baseline that cannot be fitted is
/// named in `left_out`.
fn fit_baselines(
    config: &Config,
    source: &Source,
    left_out: &mut Vec<String>,
) -> Result<Vec<Named>, TrainError> {
    let rules = match &config.evaluate.baselines {
        Some(rules) => rules.clone(),
        None => Rule::defaults(source),
    };
    let mut baselines = Vec::new();
    for (name, baseline) in Baseline::fit_all(source, &rules, config.seed)? {
        match baseline {
            Some(baseline) => baselines.push((name, baseline)),
            None => {
                let why = "its season does not fit, or the training rows have too many gaps";
                tracing::warn!(baseline = name, "left out: {why}");
                left_out.push(format!("baseline {name}: {why}"));
            }
        }
    }
    Ok(baselines)
}

fn health(
    config: &Config,
    source: &Source,
    forecaster: &Forecaster,
) -> Result<LatentHealth, TrainError> {
    seed(config.seed, Stream::Evaluation);
    let panel = source.panel();
    let validation = source.windows(Part::Validation);
    let held_out = validation.count() > 0;
    let windows = if held_out { validation } else { source.windows(Part::Train) };
    let windows = windows.at_most(MAX_HEALTH);
    health::measure(forecaster, windows.batches(panel, panel.scored_at_once(32)))
}

/// Maximum values of training windows scored for the gap between training and test.
const MAX_TRAIN: i64 = 1 << 19;
/// Maximum validation windows on which the latent variables are measured.
const MAX_HEALTH: i64 = 512;
