//! The network as a member of the pool.

use std::path::Path;
use std::sync::Arc;

use data::{CalendarFeature, DataConfig, Frequency, SplitConfig};
use pool::Quantiles;
use classical::Paths;
use record::RunInfo;
use train::{Config, Control, Fit, Loaded, Progress, RunOptions, RunProgress, TrainError};

use crate::fit::Options;
use crate::table::Table;

/// Sample paths of one forecast.
const PATHS: usize = 400;
/// Training windows below which there is nothing to learn: the classical methods stand alone.
const LEAST_WINDOWS: usize = 12;

/// A network trained on a table: the weights that never saw the held-out rows, and those fitted again on all rows.
#[derive(Debug)]
pub(crate) struct Network {
    loaded: Loaded,
    options: RunOptions,
    seed: u64,
}

/// The config of the network for a table whose last `held` rows of each series choose it.
pub(crate) fn config(table: &Table, held: usize, overrides: &[String]) -> Result<Option<Config>, TrainError> {
    let DataConfig { context, horizon, .. } = table.config;
    let windows = |rows: &usize| {
        let train = rows - held.min(rows * 2 / 5);
        (train + 1).saturating_sub(context + horizon)
    };
    let enough = table.known.iter().map(windows).sum::<usize>() >= LEAST_WINDOWS;
    if held == 0 || !enough {
        return Ok(None);
    }
    let calendar = match table.config.calendar.is_empty() {
        true => calendar(table),
        false => table.config.calendar.clone(),
    };
    let data = DataConfig { split: SplitConfig::Last([held, 0]), calendar, ..table.config.clone() };
    let config = Config::new(data);
    let text = config.to_toml()?;
    Ok(Some(Config::parse(&text, "the proposed config", overrides)?))
}

/// Calendar features that mean something at the time step, where there are rows enough to learn them from.
fn calendar(table: &Table) -> Vec<CalendarFeature> {
    let rows = table.known.iter().copied().max().unwrap_or(0);
    let cycles = |season: usize| rows >= 3 * season;
    if !table.panel.is_dated() {
        return Vec::new();
    }
    let day = match table.panel.frequency() {
        Frequency::Micros(step) if step > 0 => (86_400_000_000 / step) as usize,
        Frequency::Days(1) | Frequency::Weekdays(_) => 1,
        _ => return Vec::new(),
    };
    let mut features = Vec::new();
    features.extend((day > 1 && cycles(day)).then_some(CalendarFeature::Hour));
    features.extend(cycles(7 * day).then_some(CalendarFeature::Weekday));
    features.extend(cycles(365 * day).then_some(CalendarFeature::DayOfYear));
    features
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
            training.run(&control, &mut |progress| options.observe_share(&progress))?;
        }
        let loaded = Loaded::open(directory)?;
        Ok(Network { loaded, options: options.run, seed: config.seed })
    }

    /// The record of the training.
    pub(crate) fn info(&self) -> &RunInfo {
        &self.loaded.info
    }

    /// Sample paths of each channel of each series of a table from the end of its rows, by the weights that were fitted
    /// again on all rows. Series that cannot be forecast are missing.
    pub(crate) fn latest(&self, table: &Table, count: usize) -> Result<Vec<(String, Vec<Paths>)>, TrainError> {
        self.paths(table, &self.loaded.latest(), count)
    }

    fn paths(
        &self,
        table: &Table,
        fit: &Fit,
        count: usize,
    ) -> Result<Vec<(String, Vec<Paths>)>, TrainError> {
        let mut drawn = Vec::new();
        let panel = table.panel.clone();
        for (name, values) in evaluate::samples(fit, panel, count, self.seed, self.options)? {
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
    pub(crate) fn fold(&self, table: &Table) -> Result<Vec<(String, Vec<Option<Quantiles>>)>, TrainError> {
        let paths = self.paths(table, &self.loaded.honest(), PATHS)?;
        let quantiles = |(name, channels): (String, Vec<Paths>)| {
            (name, channels.iter().map(Quantiles::of_paths).collect())
        };
        Ok(paths.into_iter().map(quantiles).collect())
    }
}
