//! Rolling origins: forecasts of rows that are known, scored beside every member.

mod forecasts;
mod page;

use std::io;
use std::path::Path;

use pool::Quantiles;
use record::{RecordError, decimal};
use train::{TrainError, share_out};

use crate::fit::Fitted;
use crate::names::POOL;
use crate::options::Options;
use crate::score::{Score, Trial, Trials};
use crate::table::Table;
use crate::wire::Numbers;

use forecasts::Forecasts;

/// Where a backtest forecasts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// Rows before the end of each series at which forecasts start, falling.
    offsets: Vec<usize>,
    stride: usize,
}

impl Origins {
    /// `folds` origins, `stride` rows apart; the horizon of the last one ends with the series.
    pub fn folds(folds: usize, stride: usize, horizon: usize) -> Origins {
        let stride = stride.max(1);
        Origins { offsets: (0..folds.max(1)).rev().map(|k| horizon + k * stride).collect(), stride }
    }

    /// Origins from the first of the last `rows` rows on, `stride` rows apart, while a whole horizon is left.
    pub fn part(rows: usize, stride: usize, horizon: usize) -> Origins {
        let stride = stride.max(1);
        let offsets = (0..)
            .map(|k| rows.saturating_sub(k * stride))
            .take_while(|left| *left >= horizon.max(1));
        Origins { offsets: offsets.collect(), stride }
    }

    /// The rows of each series that are known at each origin; 0 for a series with none left.
    fn ends(&self, table: &Table) -> Vec<Vec<usize>> {
        let ends =
            |offset: &usize| table.known.iter().map(|rows| rows.saturating_sub(*offset)).collect();
        self.offsets.iter().map(ends).collect()
    }
}

/// Forecasts from past origins with what came.
#[derive(Debug, Clone)]
pub struct Backtest {
    /// The pool, then its members.
    pub forecasters: Vec<String>,
    /// One entry per origin, series, channel and forecaster that made a forecast.
    pub windows: Vec<Window>,
    /// The weights of each fit.
    pub weights: Vec<OwnWeights>,
    /// Names of series and channels.
    names: (Vec<String>, Vec<String>),
    horizon: usize,
    stride: usize,
}

/// The weights of the members for one series and channel.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnWeights {
    /// The origin before which they were chosen, counted from 1.
    pub fold: usize,
    /// Name of the series.
    pub series: String,
    /// Name of the channel.
    pub channel: String,
    /// Names of the members.
    pub members: Vec<String>,
    /// Their weights, which add up to one.
    pub weights: Vec<f64>,
}

/// One forecast and what came.
#[derive(Debug, Clone)]
pub struct Window {
    /// The origin, counted from 0.
    pub fold: usize,
    /// Rows of the series that were known.
    pub known: usize,
    /// Index of the series.
    pub series: usize,
    /// Index of the channel.
    pub channel: usize,
    /// Index of the forecaster.
    pub forecaster: usize,
    /// The forecast.
    pub quantiles: Quantiles,
    /// The rows that came, NaN where missing.
    pub truth: Vec<f64>,
}

/// Fits all members before the first origin, or before each with `refit`, and forecasts from every origin. Runs of the
/// network are left in `directory`.
///
/// # Errors
/// [`RecordError::Refused`] if no method can be fitted to the rows before an origin; otherwise as [`Fitted::fit`].
pub fn backtest(
    table: &Table,
    origins: &Origins,
    refit: bool,
    directory: &Path,
    options: &Options,
) -> Result<Backtest, TrainError> {
    let ends = origins.ends(table);
    let mut found = Backtest {
        forecasters: Vec::new(),
        windows: Vec::new(),
        weights: Vec::new(),
        names: table.names(),
        horizon: table.horizon(),
        stride: origins.stride,
    };
    // A series that is left out later on keeps its place.
    let fit = |ends: &[usize], directory: &Path, options: &Options| {
        let known: Vec<usize> = ends.iter().map(|end| (*end).max(1)).collect();
        Fitted::fit(&table.until(&known)?, directory, options)
    };
    if refit {
        // Folds are further apart than the units of one, so that several processes share the folds.
        let alone = Options { group: None, ..options.clone() };
        let folds = share_out(options.group.as_deref(), ends.len(), |fold| {
            let directory = directory.join(format!("fold-{}", fold + 1));
            let mut fitted = fit(&ends[fold], &directory, &alone)?;
            let forecasts = fitted.forecast(table, &ends[fold])?;
            Ok(Forecasts::of(&fitted, forecasts).numbers())
        })?;
        let mut numbers = Numbers::new(folds);
        for (fold, ends) in ends.iter().enumerate() {
            found.add(table, fold, ends, Forecasts::read(&mut numbers), true);
        }
    } else if let Some(first) = ends.first() {
        let mut fitted = fit(first, directory, options)?;
        for (fold, ends) in ends.iter().enumerate() {
            let forecasts = fitted.forecast(table, ends)?;
            found.add(table, fold, ends, Forecasts::of(&fitted, forecasts), fold == 0);
        }
    }
    if found.windows.is_empty() {
        let rows = table.known().iter().max().copied().unwrap_or(0);
        return Err(RecordError::Refused {
            path: table.path().to_owned(),
            reason: format!(
                "has {rows} rows, too few to forecast any of them from the rows before"
            ),
            hint: "forecast fewer rows, from fewer origins, or give more rows".to_owned(),
        }
        .into());
    }
    Ok(found)
}

impl Backtest {
    /// Adds the forecasts of a fold, and the weights if they were chosen for it.
    fn add(
        &mut self,
        table: &Table,
        fold: usize,
        ends: &[usize],
        forecasts: Forecasts,
        chosen: bool,
    ) {
        let Forecasts { members, weights, quantiles } = forecasts;
        if self.forecasters.is_empty() {
            self.forecasters =
                std::iter::once(POOL.to_owned()).chain(members.iter().cloned()).collect();
        }
        for ([series, channel, forecaster], quantiles) in quantiles {
            let known = ends[series];
            let values = table.panel.target(series, channel);
            let truth = values[known..(known + self.horizon).min(values.len())].to_vec();
            self.windows.push(Window {
                fold,
                known,
                series,
                channel,
                forecaster,
                quantiles,
                truth,
            });
        }
        for (unit, weights) in table.units().iter().zip(weights).filter(|_| chosen) {
            self.weights.push(OwnWeights {
                fold: fold + 1,
                series: self.names.0[unit.series].clone(),
                channel: self.names.1[unit.channel].clone(),
                members: members.clone(),
                weights,
            });
        }
    }

    /// The scores of every forecaster that made a forecast, the pool first.
    pub fn scores(&self) -> Vec<Score> {
        let trial = |window: &Window| {
            let unit = (window.series, window.channel);
            let Window { fold, forecaster, quantiles, truth, .. } = window;
            Trial::new(*fold, unit, *forecaster, quantiles, truth)
        };
        let trials = Trials {
            forecasters: self.forecasters.clone(),
            all: self.windows.iter().map(trial).collect(),
            horizon: self.horizon,
            stride: self.stride,
        };
        trials.scores()
    }

    /// Writes the scores of every window and step: fold, known rows, series, channel, forecaster, step, truth, CRPS,
    /// and the quantiles at .05, .10, …, .95.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_csv(&self, path: &Path) -> Result<(), RecordError> {
        let levels: Vec<f64> = (1..20).map(|k| f64::from(k) / 20.0).collect();
        let mut header: Vec<String> =
            ["fold", "known", "series", "channel", "forecaster", "step", "truth", "crps"]
                .map(str::to_owned)
                .into();
        header.extend(levels.iter().map(|level| format!("q{:02.0}", 100.0 * level)));
        let write = |file: &mut dyn io::Write| -> io::Result<()> {
            let mut table = csv::Writer::from_writer(file);
            table.write_record(&header)?;
            for window in &self.windows {
                for (step, truth) in window.observed() {
                    let mut cells = vec![
                        (window.fold + 1).to_string(),
                        window.known.to_string(),
                        self.names.0[window.series].clone(),
                        self.names.1[window.channel].clone(),
                        self.forecasters[window.forecaster].clone(),
                        (step + 1).to_string(),
                        decimal(truth),
                        decimal(window.quantiles.crps(step, truth)),
                    ];
                    cells.extend(
                        levels.iter().map(|level| decimal(window.quantiles.at(step, *level))),
                    );
                    table.write_record(&cells)?;
                }
            }
            table.flush()
        };
        files::write(path, write).map_err(RecordError::writing(path))
    }
}

impl Window {
    fn observed(&self) -> impl Iterator<Item = (usize, f64)> {
        self.truth.iter().copied().enumerate().filter(|(_, truth)| truth.is_finite())
    }
}
