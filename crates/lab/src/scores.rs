//! Forecasts that `ballast backtest` left, and their scores, which this laboratory makes by itself.

mod columns;
mod naive;
mod score;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

pub(crate) use columns::Columns;
pub(crate) use naive::seasonal_naive;
pub(crate) use score::{Score, score};

/// Levels of a line: .05, .10, …, .95.
pub(crate) const LEVELS: usize = 19;
/// The forecaster that a user gets.
pub(crate) const POOL: &str = "pool";
/// The model by itself.
pub(crate) const NETWORK: &str = "network";
const MOST_BYTES: u64 = 1 << 24;

/// The forecast of one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Index into the channels of the backtest, or into the columns of the data once checked.
    pub(crate) channel: usize,
    /// Rows known at the origin.
    pub(crate) known: usize,
    /// Rows ahead, from 1.
    pub(crate) step: usize,
    pub(crate) truth: f64,
    /// In ascending order.
    pub(crate) quantiles: [f64; LEVELS],
}

/// The forecasts of one forecaster.
#[derive(Debug, Clone)]
pub(crate) struct Forecasts {
    pub(crate) forecaster: String,
    pub(crate) lines: Vec<Line>,
}

/// `scores.csv` and the weights of `scores.json`.
#[derive(Debug, Clone)]
pub(crate) struct Backtest {
    channels: Vec<String>,
    forecasts: Vec<Forecasts>,
    /// By member, mean over channels, the largest first.
    pub(crate) weights: Vec<(String, f64)>,
}

/// The origins of a backtest: row `n − rows`, then every `stride` rows while a whole horizon is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins {
    pub(crate) horizon: usize,
    pub(crate) rows: usize,
    pub(crate) stride: usize,
}

impl Origins {
    /// Rows known at each origin, of `n` rows.
    pub(crate) fn of(self, n: usize) -> Vec<usize> {
        let last = (n + 1).saturating_sub(self.horizon);
        (n.saturating_sub(self.rows)..last).step_by(self.stride.max(1)).collect()
    }
}

impl Backtest {
    /// Reads the files of a folder. An error names the file.
    pub(crate) fn read(folder: &Path) -> Result<Backtest> {
        let mut backtest = read_lines(&folder.join("scores.csv")).context("scores.csv")?;
        backtest.weights = read_weights(&folder.join("scores.json")).context("scores.json")?;
        Ok(backtest)
    }

    pub(crate) fn of(&self, forecaster: &str) -> Option<&Forecasts> {
        self.forecasts.iter().find(|forecasts| forecasts.forecaster == forecaster)
    }

    /// The forecasts of these columns at every origin, with the truth of the data file; members that left out some
    /// are dropped.
    ///
    /// # Errors
    /// A line whose row or truth is not that of the data, or an incomplete pool.
    pub(crate) fn checked(&self, data: &Columns, origins: Origins) -> Result<Vec<Forecasts>> {
        let mut whole = Vec::new();
        for Forecasts { forecaster, lines } in &self.forecasts {
            let checked: Vec<Line> = lines
                .iter()
                .map(|line| self.check(line, data, origins))
                .collect::<Result<_>>()
                .with_context(|| format!("scores.csv: {forecaster}"))?;
            let mut places: Vec<_> = checked.iter().map(|l| (l.channel, l.known, l.step)).collect();
            places.sort_unstable();
            places.dedup();
            let wanted = data.values_at(origins);
            let is_whole = places.len() == wanted && lines.len() == wanted;
            ensure!(
                is_whole || forecaster != POOL,
                "scores.csv: {} forecasts of the pool, {} of them different, instead of {wanted}",
                lines.len(),
                places.len()
            );
            if is_whole {
                whole.push(Forecasts { forecaster: forecaster.clone(), lines: checked });
            }
        }
        Ok(whole)
    }

    fn check(&self, line: &Line, data: &Columns, origins: Origins) -> Result<Line> {
        let name = &self.channels[line.channel];
        let channel = data.names.iter().position(|column| column == name);
        let channel = channel.with_context(|| format!("`{name}` is no column of the data"))?;
        let Line { known, step, .. } = *line;
        let place = origins.of(data.rows()).contains(&known);
        ensure!(
            place && (1..=origins.horizon).contains(&step),
            "{known} rows known and step {step} are not of this backtest"
        );
        let truth = data.values[channel][known + step - 1];
        let near = (truth - line.truth).abs() <= 1e-3 * truth.abs() + 1e-4 * data.largest(channel);
        ensure!(near, "{known} rows known, step {step}: {name} is {truth}, not {}", line.truth);
        Ok(Line { channel, truth, ..line.clone() })
    }
}

fn read_lines(path: &Path) -> Result<Backtest> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let find = |name: &str| {
        let place = headers.iter().position(|header| header == name);
        place.with_context(|| format!("there is no column `{name}`"))
    };
    let [channel, known, forecaster, step, truth] =
        ["channel", "known", "forecaster", "step", "truth"].map(find);
    let (channel, known, forecaster) = (channel?, known?, forecaster?);
    let (step, truth) = (step?, truth?);
    let levels: Vec<usize> =
        (1..=LEVELS).map(|k| find(&format!("q{:02}", 5 * k))).collect::<Result<_>>()?;
    let (mut channels, mut names) = (Vec::new(), Vec::new());
    let mut forecasts: Vec<Forecasts> = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record?;
        let at = |place: usize| record.get(place).unwrap_or_default();
        let number = number + 2;
        let real = |place: usize| -> Result<f64> {
            let value = at(place).parse::<f64>().ok().filter(|value| value.is_finite());
            value.with_context(|| format!("line {number}: `{}` is no finite number", at(place)))
        };
        let whole = |place: usize| -> Result<usize> {
            at(place).parse().with_context(|| format!("line {number}: `{}`", at(place)))
        };
        let mut quantiles = [0.0; LEVELS];
        for (quantile, place) in quantiles.iter_mut().zip(&levels) {
            *quantile = real(*place)?;
        }
        quantiles.sort_by(f64::total_cmp);
        let line = Line {
            channel: index(&mut channels, at(channel)),
            known: whole(known)?,
            step: whole(step)?,
            truth: real(truth)?,
            quantiles,
        };
        let place = index(&mut names, at(forecaster));
        if place == forecasts.len() {
            forecasts.push(Forecasts { forecaster: names[place].clone(), lines: vec![] });
        }
        forecasts[place].lines.push(line);
    }
    let backtest = Backtest { channels, forecasts, weights: Vec::new() };
    ensure!(backtest.of(POOL).is_some(), "there is no forecaster `{POOL}`");
    Ok(backtest)
}

/// The place of a name in a list, which gets it if it is new.
fn index(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn read_weights(path: &Path) -> Result<Vec<(String, f64)>> {
    #[derive(Deserialize)]
    struct Summary {
        #[serde(default)]
        weights: Vec<OfChannel>,
    }
    #[derive(Deserialize)]
    struct OfChannel {
        members: std::collections::BTreeMap<String, f64>,
    }
    let Summary { weights } = files::read_json(path, MOST_BYTES)?;
    let mut mean: Vec<(String, f64)> = Vec::new();
    for (member, weight) in weights.iter().flat_map(|channel| &channel.members) {
        let share = weight / weights.len() as f64;
        match mean.iter_mut().find(|(name, _)| name == member) {
            Some((_, sum)) => *sum += share,
            None => mean.push((member.clone(), share)),
        }
    }
    mean.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(mean)
}
