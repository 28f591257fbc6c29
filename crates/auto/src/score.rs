//! Scores of past forecasts: over all of them, by fold, and by step.

use std::collections::BTreeMap;

use pool::Quantiles;
use record::or_null;
use serde::{Deserialize, Serialize};
use stats::{Difference, Pairing};

/// The scores of one forecaster over all windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The forecaster.
    pub forecaster: String,
    /// CRPS over the mean of |y|, averaged over series and channels; NaN where y is zero throughout.
    #[serde(with = "or_null")]
    pub crps: f64,
    /// Share of the truth inside the central 80 % interval.
    #[serde(with = "or_null")]
    pub coverage_80: f64,
    /// Windows that it forecast.
    pub windows: usize,
    /// Its CRPS minus that of the pool, with an interval over origins.
    pub difference: Option<Difference>,
    /// The CRPS of each fold, in the same unit; `None` where nothing was forecast.
    pub by_fold: Vec<Option<f64>>,
    /// The CRPS of each step.
    pub by_step: Vec<Option<f64>>,
    /// The coverage of each step.
    pub coverage_by_step: Vec<Option<f64>>,
}

/// The errors of one forecast.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    fold: usize,
    /// Indices of series and channel.
    unit: (usize, usize),
    forecaster: usize,
    /// One per step; `None` where nothing came.
    steps: Vec<Option<Step>>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    crps: f64,
    /// Whether the central 80 % interval held the truth.
    inside: bool,
    /// The size of the truth.
    size: f64,
}

impl Trial {
    pub(crate) fn new(
        fold: usize,
        unit: (usize, usize),
        forecaster: usize,
        quantiles: &Quantiles,
        truth: &[f64],
    ) -> Trial {
        let step = |(step, truth): (usize, &f64)| {
            truth.is_finite().then(|| Step {
                crps: quantiles.crps(step, *truth),
                inside: quantiles.covers(step, *truth, 0.8),
                size: truth.abs(),
            })
        };
        Trial { fold, unit, forecaster, steps: truth.iter().enumerate().map(step).collect() }
    }

    fn observed(&self) -> impl Iterator<Item = (usize, Step)> {
        self.steps.iter().enumerate().filter_map(|(step, seen)| Some((step, (*seen)?)))
    }

    fn crps(&self) -> Option<f64> {
        stats::mean_of_finite(self.observed().map(|(_, step)| step.crps))
    }
}

/// Sum and count, by unit.
type Sums = BTreeMap<(usize, usize), (f64, f64)>;

/// The forecasts of several forecasters, the first of which the others are compared with.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    pub(crate) forecasters: Vec<String>,
    pub(crate) all: Vec<Trial>,
    pub(crate) horizon: usize,
    /// Rows between origins.
    pub(crate) stride: usize,
}

impl Trials {
    /// The scores of every forecaster that made a forecast.
    pub(crate) fn scores(&self) -> Vec<Score> {
        let all = (0..self.forecasters.len()).map(|forecaster| self.score(forecaster));
        all.filter(|score| score.windows > 0).collect()
    }

    fn of(&self, forecaster: usize) -> impl Iterator<Item = &Trial> {
        self.all.iter().filter(move |trial| trial.forecaster == forecaster)
    }

    fn score(&self, forecaster: usize) -> Score {
        let folds = self.all.iter().map(|trial| trial.fold + 1).max().unwrap_or(0);
        let mut sizes = Sums::new();
        let mut whole = Sums::new();
        let mut by_fold = vec![Sums::new(); folds];
        let mut by_step = vec![Sums::new(); self.horizon];
        let mut inside = vec![(0.0, 0.0); self.horizon];
        for trial in self.of(forecaster) {
            let add = |sums: &mut Sums, value: f64| {
                let (sum, count) = sums.entry(trial.unit).or_default();
                (*sum, *count) = (*sum + value, *count + 1.0);
            };
            for (step, seen) in trial.observed() {
                add(&mut sizes, seen.size);
                add(&mut whole, seen.crps);
                add(&mut by_fold[trial.fold], seen.crps);
                add(&mut by_step[step], seen.crps);
                inside[step].0 += f64::from(u8::from(seen.inside));
                inside[step].1 += 1.0;
            }
        }
        let mean = |(sum, count): &(f64, f64)| sum / count;
        let relative = |sums: &Sums| {
            stats::mean_of_finite(sums.iter().map(|(unit, sum)| mean(sum) / mean(&sizes[unit])))
        };
        let all = inside.iter().fold((0.0, 0.0), |(a, b), (sum, count)| (a + sum, b + count));
        Score {
            forecaster: self.forecasters[forecaster].clone(),
            crps: relative(&whole).unwrap_or(f64::NAN),
            coverage_80: mean(&all),
            windows: self.of(forecaster).count(),
            difference: (forecaster > 0).then(|| self.difference(forecaster, &sizes)).flatten(),
            by_fold: by_fold.iter().map(relative).collect(),
            by_step: by_step.iter().map(relative).collect(),
            coverage_by_step: inside
                .iter()
                .map(|step| Some(mean(step)).filter(|share| share.is_finite()))
                .collect(),
        }
    }

    /// The CRPS of a forecaster minus that of the first over windows that both forecast, in units of the mean of |y| of
    /// each series and channel.
    fn difference(&self, forecaster: usize, sizes: &Sums) -> Option<Difference> {
        let key = |trial: &Trial| (trial.fold, trial.unit);
        let first: BTreeMap<_, f64> =
            self.of(0).filter_map(|trial| Some((key(trial), trial.crps()?))).collect();
        let (mut ranks, mut differences) = (Vec::new(), Vec::new());
        for trial in self.of(forecaster) {
            let size = sizes.get(&trial.unit).map_or(0.0, |(sum, count)| sum / count);
            if let (Some(first), Some(own)) = (first.get(&key(trial)), trial.crps())
                && size > 0.0
            {
                ranks.push(trial.fold);
                differences.push((own - first) / size);
            }
        }
        Pairing::from_ranks(ranks, self.horizon, self.stride).difference(&[differences])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(values: &[f64]) -> Quantiles {
        let rows: Vec<Vec<f64>> = values.iter().map(|value| vec![*value; 2]).collect();
        Quantiles::of_levels(&[0.1, 0.9], &rows).unwrap()
    }

    /// Oracle: points, whose CRPS is the absolute error, by hand. Two units of different size, two folds, a gap.
    #[test]
    fn scores_are_those_by_hand() {
        let truth = [[[10.0, 20.0], [30.0, f64::NAN]], [[1.0, 1.0], [2.0, 4.0]]];
        let mut trials = Trials {
            forecasters: vec!["pool".into(), "off".into(), "absent".into()],
            horizon: 2,
            stride: 2,
            ..Trials::default()
        };
        for (series, folds) in truth.iter().enumerate() {
            for (fold, truth) in folds.iter().enumerate() {
                let right = truth.map(|y| if y.is_nan() { 7.0 } else { y });
                let off = [right[0] + 1.0, right[1] - 2.0];
                for (forecaster, forecast) in [right, off].iter().enumerate() {
                    let quantiles = point(forecast);
                    let trial = Trial::new(fold, (series, 0), forecaster, &quantiles, truth);
                    trials.all.push(trial);
                }
            }
        }
        let [pool, off] = trials.scores().try_into().unwrap();
        assert!(
            pool.crps.abs() < 1e-12 && pool.coverage_80 == 1.0 && pool.windows == 4,
            "{pool:?}"
        );
        // Mean sizes: 20 of three values, and 2 of four.
        let expected = 0.5 * ((1.0 + 2.0 + 1.0) / 3.0 / 20.0 + (1.0 + 2.0 + 1.0 + 2.0) / 4.0 / 2.0);
        assert!((off.crps - expected).abs() < 1e-12, "{off:?}");
        let by_fold = [0.5 * (1.5 / 20.0 + 1.5 / 2.0), 0.5 * (1.0 / 20.0 + 1.5 / 2.0)];
        let by_step = [0.5 * (1.0 / 20.0 + 1.0 / 2.0), 0.5 * (2.0 / 20.0 + 2.0 / 2.0)];
        for (found, expected) in [(&off.by_fold, by_fold), (&off.by_step, by_step)] {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found.unwrap() - expected).abs() < 1e-12, "{off:?}");
            }
        }
        assert_eq!((off.coverage_80, off.coverage_by_step.len()), (0.0, 2));
    }

    /// Numbers that are none come back from JSON.
    #[test]
    fn scores_of_zeros_are_kept() {
        let mut trials =
            Trials { forecasters: vec!["pool".into()], horizon: 1, ..Trials::default() };
        trials.all.push(Trial::new(0, (0, 0), 0, &point(&[0.0]), &[0.0]));
        let scores = trials.scores();
        let text = serde_json::to_string(&scores).unwrap();
        let again: Vec<Score> = serde_json::from_str(&text).unwrap();
        assert!(again[0].crps.is_nan() && again[0].by_step == [None]);
    }
}
