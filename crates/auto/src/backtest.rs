//! Rolling origins: forecasts of rows that are known, scored beside every member.

use std::io;
use std::path::Path;

use pool::Quantiles;
use record::{RecordError, decimal};
use serde::{Deserialize, Serialize};
use stats::{Difference, Pairing};
use train::TrainError;

use crate::fit::{Fitted, UnitForecast};
use crate::options::Options;
use crate::table::Table;

/// The name of the pool among the forecasters of a backtest.
pub const POOL: &str = "pool";

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

/// The scores of one forecaster over all windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The forecaster.
    pub forecaster: String,
    /// CRPS over the mean of |y|, averaged over series and channels.
    pub crps: f64,
    /// Share of the truth inside the central 80 % interval.
    pub coverage_80: f64,
    /// Windows that it forecast.
    pub windows: usize,
    /// Its CRPS minus that of the pool, with an interval over origins.
    pub difference: Option<Difference>,
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
    let mut fitted: Option<Fitted> = None;
    let mut found = Backtest {
        forecasters: Vec::new(),
        windows: Vec::new(),
        weights: Vec::new(),
        names: names(table),
        horizon: table.horizon(),
        stride: origins.stride,
    };
    for (fold, ends) in ends.iter().enumerate() {
        if fitted.is_none() || refit {
            let directory = if refit {
                directory.join(format!("fold-{}", fold + 1))
            } else {
                directory.to_owned()
            };
            // A series that is left out later on keeps its place.
            let known: Vec<usize> = ends.iter().map(|end| (*end).max(1)).collect();
            fitted = Some(Fitted::fit(&table.until(&known)?, &directory, options)?);
        }
        let Some(fitted) = &mut fitted else { continue };
        if fold == 0 || refit {
            found.note_weights(table, fitted, fold);
        }
        let forecasts = fitted.forecast(table, ends)?;
        found.add(table, fitted, fold, ends, forecasts);
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

fn names(table: &Table) -> (Vec<String>, Vec<String>) {
    let channels = table.panel.channels();
    let series = table.panel.series().iter().map(|series| series.name().to_owned());
    (series.collect(), channels.names()[channels.targets()].to_vec())
}

impl Backtest {
    fn add(
        &mut self,
        table: &Table,
        fitted: &Fitted,
        fold: usize,
        ends: &[usize],
        forecasts: Vec<UnitForecast>,
    ) {
        if self.forecasters.is_empty() {
            self.forecasters =
                std::iter::once(POOL.to_owned()).chain(fitted.members.iter().cloned()).collect();
        }
        for UnitForecast { series, channel, members, pooled } in forecasts {
            let known = ends[series];
            let values = table.panel.target(series, channel);
            let truth = values[known..(known + self.horizon).min(values.len())].to_vec();
            let members = members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?));
            let all = std::iter::once(pooled).chain(members).enumerate();
            self.windows.extend(all.filter_map(|(forecaster, quantiles)| {
                let (quantiles, truth) = (quantiles?, truth.clone());
                Some(Window { fold, known, series, channel, forecaster, quantiles, truth })
            }));
        }
    }

    fn note_weights(&mut self, table: &Table, fitted: &Fitted, fold: usize) {
        for (unit, pool) in table.units().iter().zip(&fitted.pools) {
            self.weights.push(OwnWeights {
                fold: fold + 1,
                series: self.names.0[unit.series].clone(),
                channel: self.names.1[unit.channel].clone(),
                members: fitted.members.clone(),
                weights: pool.weights.values.clone(),
            });
        }
    }

    /// The scores of every forecaster that made a forecast, the pool first.
    pub fn scores(&self) -> Vec<Score> {
        let all = (0..self.forecasters.len()).map(|forecaster| self.score(forecaster));
        all.filter(|score| score.windows > 0).collect()
    }

    fn score(&self, forecaster: usize) -> Score {
        let own = || self.windows.iter().filter(|window| window.forecaster == forecaster);
        let mut by_unit: std::collections::BTreeMap<(usize, usize), [f64; 3]> = Default::default();
        let (mut inside, mut count) = (0.0, 0.0);
        for window in own() {
            let sums = by_unit.entry((window.series, window.channel)).or_default();
            for (step, truth) in window.observed() {
                sums[0] += window.quantiles.crps(step, truth);
                sums[1] += truth.abs();
                inside += f64::from(u8::from(window.quantiles.covers(step, truth, 0.8)));
                count += 1.0;
            }
        }
        let relative = by_unit.values().map(|[crps, size, _]| crps / size);
        Score {
            forecaster: self.forecasters[forecaster].clone(),
            crps: stats::mean_of_finite(relative).unwrap_or(f64::NAN),
            coverage_80: inside / count,
            windows: own().count(),
            difference: (forecaster > 0).then(|| self.difference(forecaster)).flatten(),
        }
    }

    /// The CRPS of a forecaster minus that of the pool over windows that both forecast, in the units of [`Score::crps`]
    /// for one series and channel.
    fn difference(&self, forecaster: usize) -> Option<Difference> {
        let key = |window: &Window| (window.fold, window.series, window.channel);
        let of =
            |forecaster| self.windows.iter().filter(move |window| window.forecaster == forecaster);
        let pool: std::collections::BTreeMap<_, f64> =
            of(0).filter_map(|window| Some((key(window), window.crps()?))).collect();
        let size =
            stats::mean_of_finite(of(0).flat_map(|window| window.truth.iter().map(|y| y.abs())))?;
        let (mut ranks, mut differences) = (Vec::new(), Vec::new());
        for window in of(forecaster) {
            if let (Some(pooled), Some(own)) = (pool.get(&key(window)), window.crps()) {
                ranks.push(window.fold);
                differences.push((own - pooled) / size);
            }
        }
        Pairing::from_ranks(ranks, self.horizon, self.stride).difference(&[differences])
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

    /// The mean CRPS over observed steps.
    fn crps(&self) -> Option<f64> {
        stats::mean_of_finite(self.observed().map(|(step, truth)| self.quantiles.crps(step, truth)))
    }
}
