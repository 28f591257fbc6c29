//! Simulated series whose best possible forecast is known: a score becomes a distance from it.
//!
//! CRPS and log score are proper: no forecast scores better, in expectation, than the distribution
//! of what comes given all that was (Gneiting & Raftery 2007). Who knows a process and its
//! parameters gets that distribution from a filter; a model that learns from data can only come
//! near its score.
//!
//! Arithmetic here is of operations that IEEE 754 rounds in one way and of `libm`, not of the
//! platform's functions: a seed gives the same bytes everywhere.

pub(super) mod csv;
mod draw;
mod predictive;
mod seasonal;
mod switching;

#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use draw::Draws;
use predictive::Predictive;
use seasonal::SeasonalAr;
use serde::Deserialize;
use switching::Switching;

/// A process to simulate, as a plan states it; its values are checked.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Process {
    /// `kind = "seasonal-ar"`
    SeasonalAr(SeasonalAr),
    /// `kind = "switching"`
    Switching(Switching),
}

/// Scores of the best possible forecast of one window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BestScores {
    /// CRPS in the units of the series, mean over the horizon; smaller is better.
    pub(super) crps: f64,
    /// Log of the marginal predictive density in nats, mean over the horizon; larger is better.
    pub(super) log_score: f64,
    /// The predictive mean of every step.
    pub(super) mean: Vec<f64>,
}

/// Scores of the best possible forecast in the long run, in the units of [`BestScores`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expected {
    pub(super) crps: f64,
    pub(super) log_score: f64,
}

impl Process {
    /// The first `rows` values from a stationary start; more rows continue the same series.
    pub(super) fn simulate(&self, rows: usize, seed: u64) -> Vec<f64> {
        let mut draws = Draws::new(seed);
        match self {
            Process::SeasonalAr(process) => process.simulate(rows, &mut draws),
            Process::Switching(process) => process.simulate(rows, &mut draws),
        }
    }

    /// Scores of the best forecast of every window; a window's origin is the row that its
    /// forecast begins with, and all rows before it are known.
    ///
    /// # Errors
    /// No horizon, a window that reaches beyond the series, a value that is not of a series.
    pub(super) fn best(
        &self,
        series: &[f64],
        origins: &[usize],
        horizon: usize,
    ) -> Result<Vec<BestScores>> {
        let rows = series.len();
        if horizon == 0 {
            bail!("a forecast needs a horizon of at least one row");
        }
        if let Some(origin) = origins.iter().find(|&&at| at > rows || rows - at < horizon) {
            bail!("a window of {horizon} rows from row {origin} is beyond the series of {rows}");
        }
        // Squares of what is larger could overflow.
        let sound = |value: &f64| (-1e100..=1e100).contains(value);
        let odd = series.iter().enumerate().find(|(_, value)| !sound(value));
        if let Some((row, value)) = odd {
            bail!("row {row} of the series is {value}; a number within ±1e100 is needed");
        }
        Ok(match self {
            Process::SeasonalAr(process) => scores(process, series, origins, horizon),
            Process::Switching(process) => scores(process, series, origins, horizon),
        })
    }

    /// The long-run mean of what [`best`](Process::best) scores; `None` where it has no closed form.
    pub(super) fn expected(&self, horizon: usize) -> Option<Expected> {
        match self {
            Process::SeasonalAr(process) => Some(process.expected(horizon)),
            Process::Switching(_) => None,
        }
    }
}

/// A process with a hidden Markov state, as a filter sees it.
trait Hidden {
    /// Knowledge about the hidden state of one row.
    type Belief: Copy;

    /// The belief before anything was seen.
    fn stationary(&self) -> Self::Belief;
    /// The belief after the row's value was seen.
    fn observe(&self, belief: Self::Belief, row: usize, value: f64) -> Self::Belief;
    /// The belief about the row after.
    fn advance(&self, belief: Self::Belief) -> Self::Belief;
    /// The distribution of the row's value.
    fn predict(&self, belief: Self::Belief, row: usize) -> Predictive;
}

/// Filters once, then forecasts from what was known at every origin.
fn scores<P: Hidden>(
    process: &P,
    series: &[f64],
    origins: &[usize],
    horizon: usize,
) -> Vec<BestScores> {
    let mut belief = process.stationary();
    let mut before = Vec::with_capacity(series.len());
    for (row, value) in series.iter().enumerate() {
        before.push(belief);
        belief = process.advance(process.observe(belief, row, *value));
    }
    let window = |&origin: &usize| {
        let mut belief = before[origin];
        let (mut crps, mut log_score) = (0.0, 0.0);
        let mut mean = Vec::with_capacity(horizon);
        for (row, &value) in series.iter().enumerate().skip(origin).take(horizon) {
            let predictive = process.predict(belief, row);
            crps += predictive.crps(value);
            log_score += predictive.log_density(value);
            mean.push(predictive.mean());
            belief = process.advance(belief);
        }
        let steps = horizon as f64;
        BestScores { crps: crps / steps, log_score: log_score / steps, mean }
    };
    origins.iter().map(window).collect()
}

/// Says which key holds what it must not, unless it may; for `TryFrom` of what a plan states.
fn check(may: bool, key: &str, value: f64, rule: &str) -> Result<(), String> {
    if may { Ok(()) } else { Err(format!("`{key}` is {value}, but must be {rule}")) }
}

/// A standard deviation whose square neither over- nor underflows.
fn check_std(key: &str, std: f64) -> Result<(), String> {
    check((1e-9..=1e9).contains(&std), key, std, "a standard deviation from 1e-9 to 1e9")
}
