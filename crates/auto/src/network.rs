//! The network as a member of the pool.

use std::path::Path;
use std::sync::Arc;

use classical::Paths;
use data::{DataConfig, SplitConfig, Transform};
use pool::Quantiles;
use train::{
    Config, Control, Fit, Loaded, ProcessGroup, Progress, RunOptions, RunProgress, TrainError,
};

use crate::options::Options;
use crate::table::Table;

/// Series and channels above which a training is cut short, and its steps at most: such a panel is learned in less than a
/// pass over its windows, and thousands of series have to be done in a minute.
const MANY: (usize, usize) = (200, 1000);
/// Training windows below which there is nothing to learn: the classical methods stand alone.
const LEAST_WINDOWS: usize = 12;

/// The name of a series, and something for each of its channels.
type Named<T> = (String, Vec<T>);

/// A network trained on a table: the weights that never saw the held-out rows, and those fitted again on all rows.
#[derive(Debug)]
pub(crate) struct Network {
    loaded: Loaded,
    options: RunOptions,
    seed: u64,
    group: Option<Arc<ProcessGroup>>,
    /// Whether updates with newer rows count.
    updated: bool,
}

/// The config of the network for a table whose last `held` rows of each series choose it: the given one, or else a
/// proposal.
pub(crate) fn config(
    table: &Table,
    held: usize,
    given: Option<&Config>,
    overrides: &[String],
) -> Result<Option<Config>, TrainError> {
    let DataConfig { context, horizon, .. } = table.config;
    let windows = |rows: &usize| {
        let train = rows - held.min(rows * 2 / 5);
        (train + 1).saturating_sub(context + horizon)
    };
    let enough = table.known.iter().map(windows).sum::<usize>() >= LEAST_WINDOWS;
    if held == 0 || !enough {
        return Ok(None);
    }
    if let Some(given) = given {
        let data = DataConfig { split: SplitConfig::Last([held, 0]), ..given.data.clone() };
        let text = Config { data, ..given.clone() }.to_toml()?;
        return Ok(Some(Config::parse(&text, "the given config", overrides)?));
    }
    let calendar = match table.config.calendar.is_empty() {
        true => {
            let rows = table.known.iter().copied().max().unwrap_or(0);
            data::lengths::calendar(&table.panel, rows)
        }
        false => table.config.calendar.clone(),
    };
    let transform = match table.config.transform {
        Transform::None if suits_log(table) => Transform::Log,
        given => given,
    };
    let split = SplitConfig::Last([held, 0]);
    let rows = table.known.iter().copied().max().unwrap_or(0);
    let seasonal = data::lengths::seasonal(&table.panel, rows);
    let data = DataConfig { split, calendar, seasonal, transform, ..table.config.clone() };
    let mut config = Config::new(data);
    // A small series that grows leaves its own mean behind; its last value is where the next one starts.
    config.model.instance_center = vae::Center::Last;
    // Spreads of short windows are mostly chance: only those wider than the training rows are narrowed.
    config.model.instance_floor = 1.0;
    if table.units().len() > MANY.0 {
        config.train.max_steps = config.train.max_steps.min(MANY.1);
    }
    let text = config.to_toml()?;
    Ok(Some(Config::parse(&text, "the proposed config", overrides)?))
}

/// Ratio of the largest to the smallest value up to which the logarithm of positive values is taken.
const MOST_RATIO: f64 = 1000.0;

/// Whether the network sees logarithms: all values are positive, and none is so close to zero that its logarithm would
/// stand far from the others. Growth and seasons of positive series are mostly relative; where values stay far from
/// zero, their logarithm is nearly linear and nothing changes.
fn suits_log(table: &Table) -> bool {
    let units = table.units();
    let values =
        || units.iter().flat_map(|unit| &unit.values).copied().filter(|value| value.is_finite());
    let least = values().fold(f64::INFINITY, f64::min);
    let greatest = values().fold(0.0, f64::max);
    least > 0.0 && greatest <= MOST_RATIO * least
}

/// The share of a training that is done: the first one counts as half, the one on all rows as the other.
fn share(progress: &RunProgress, epochs: usize) -> Option<f64> {
    let (first, second) = match *progress {
        RunProgress::Fit(Progress::Step { epoch, done, of, .. }) => {
            let steps = (epoch.max(1) - 1) * of + done;
            (steps as f64 / (epochs.max(1) * of.max(1)) as f64, 0.0)
        }
        RunProgress::Refit { done, of } => (1.0, done as f64 / of.max(1) as f64),
        _ => return None,
    };
    Some(0.5 * (first.min(1.0) + second.min(1.0)))
}

impl Network {
    /// Trains the network in `directory`, where an interrupted training continues.
    pub(crate) fn fit(
        table: &Table,
        config: &Config,
        directory: &Path,
        options: &Options,
    ) -> Result<Network, TrainError> {
        let panel = table.panel.clone().with_calendar(&config.data.calendar)?;
        let training = train::prepare_panel(config, panel, directory, options.run)?;
        if training.already_done().is_none() {
            let control = Control::new(Arc::clone(&options.stop)).write_events(false);
            let control = control.with_group(options.group.clone());
            let epochs = training.config().train.epochs;
            training.run(&control, &mut |progress| {
                share(&progress, epochs).into_iter().for_each(options.observe);
            })?;
        }
        let loaded = Loaded::open(directory)?;
        let (seed, group) = (config.seed, options.group.clone());
        Ok(Network { loaded, options: options.run, seed, group, updated: false })
    }

    /// The network that was trained in `directory`, with its updates.
    pub(crate) fn open(
        directory: &Path,
        seed: u64,
        options: RunOptions,
        group: Option<Arc<ProcessGroup>>,
    ) -> Result<Network, TrainError> {
        let loaded = Loaded::open(directory)?;
        train::set_threads(options.threads);
        Ok(Network { loaded, options, seed, group, updated: true })
    }

    fn newest(&self) -> Fit<'_> {
        if self.updated { self.loaded.latest() } else { self.loaded.refitted() }
    }

    /// The rows that its newest weights were trained on.
    pub(crate) fn rows(&self) -> usize {
        self.newest().refitted_on().unwrap_or(self.loaded.info.data.rows)
    }

    /// Sample paths of each channel of each series of a table from the end of its rows, by the weights that were fitted
    /// again on all rows. Series that cannot be forecast are missing.
    pub(crate) fn latest(
        &self,
        table: &Table,
        count: usize,
    ) -> Result<Vec<Named<Paths>>, TrainError> {
        self.paths(table, &self.newest(), count)
    }

    fn paths(
        &self,
        table: &Table,
        fit: &Fit,
        count: usize,
    ) -> Result<Vec<Named<Paths>>, TrainError> {
        let mut drawn = Vec::new();
        let panel = table.panel.clone();
        let group = self.group.as_deref();
        let samples = evaluate::samples(fit, panel, count, self.seed, self.options, group)?;
        for (name, values) in samples {
            let horizon = table.horizon();
            let channels = values.len() / (count * horizon).max(1);
            let of_channel = |channel: usize| {
                let mut sample = 0;
                Paths::draw(horizon, count, |path| {
                    for (step, value) in path.iter_mut().enumerate() {
                        *value = values[(sample * horizon + step) * channels + channel];
                    }
                    sample += 1;
                })
            };
            drawn.push((name, (0..channels).map(of_channel).collect()));
        }
        Ok(drawn)
    }

    /// The honest forecasts of one fold, as [`Network::paths`], as quantiles.
    pub(crate) fn fold(
        &self,
        table: &Table,
        count: usize,
    ) -> Result<Vec<Named<Option<Quantiles>>>, TrainError> {
        let paths = self.paths(table, &self.loaded.honest(), count)?;
        let quantiles = |(name, channels): (String, Vec<Paths>)| {
            (name, channels.iter().map(Quantiles::of_paths).collect())
        };
        Ok(paths.into_iter().map(quantiles).collect())
    }
}
