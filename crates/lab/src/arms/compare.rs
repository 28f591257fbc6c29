//! Runs aggregated over seeds, and paired with each other.

use record::{Scored, Scores};
use serde::Serialize;
use stats::{Estimate, Pairing, Spread};

use super::Run;
use super::plan::{Measure, Plan};
use crate::launch::Origin;
use crate::page::count;
use crate::runs::Finished;

/// One line of the table: an arm, or a baseline.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) finished: usize,
    pub(super) planned: usize,
    /// `None` if no run has finished.
    pub(super) scores: Option<RowScores>,
    /// Standardized test CRPS minus that of the reference arm, paired by window and seed.
    pub(super) difference: Option<Paired>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Arm,
    Baseline,
}

/// Means over seeds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RowScores {
    pub(super) crps: Spread,
    pub(super) crps_standardized: Spread,
    pub(super) nmae: Spread,
    pub(super) mae: Spread,
    pub(super) mse: Spread,
    pub(super) coverage_50: Spread,
    pub(super) coverage_80: Spread,
    pub(super) coverage_90: Spread,
    /// Test minus training CRPS, standardized; baselines are not scored on training windows.
    pub(super) gap: Option<Spread>,
    /// Time of training by the clock.
    pub(super) seconds: Option<Spread>,
    pub(super) parameters: Option<usize>,
}

/// A paired difference with its 95 % interval.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Paired {
    pub(super) mean: f64,
    pub(super) error: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether the interval leaves out zero.
    pub(super) decided: bool,
    pub(super) windows: usize,
    pub(super) seeds: usize,
}

/// The error rate of intervals.
const ALPHA: f64 = 0.05;

/// The row with the smallest standardized test CRPS of its kind.
pub(super) fn best(rows: &[Row], kind: Kind) -> Option<usize> {
    let crps = |row: &Row| row.scores.as_ref().map(|s| s.crps_standardized.mean);
    let of_kind = rows.iter().enumerate().filter(|(_, row)| row.kind == kind);
    let scored = of_kind.filter_map(|(i, row)| Some((i, crps(row)?)));
    scored.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
}

/// Looks up scores by arm and seed, and pairs them.
pub(super) struct Comparison<'a> {
    pub(super) plan: &'a Plan,
    pub(super) runs: &'a [Run<'a>],
}

/// An arm or a baseline; a baseline's scores are those beside an arm.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    Arm(usize),
    Baseline(&'a str),
}

impl<'a> Comparison<'a> {
    pub(super) fn finished(&self, arm: usize) -> impl Iterator<Item = (u64, &'a Finished)> {
        let of_arm = self.runs.iter().filter(move |run| run.arm == arm);
        of_arm.filter_map(|run| Some((run.seed, run.outcome.ok()?)))
    }

    /// Paired difference of the test scores, over the seeds that both have; negative is better for `a`.
    pub(super) fn test(&self, a: Who, b: Who) -> Option<Paired> {
        self.estimate(a, b, |scored| Some(&scored.test))
            .map(|(estimate, windows, seeds)| Paired::new(estimate, windows, seeds))
    }

    /// Paired difference of the train–test gaps of two arms.
    pub(super) fn gap(&self, a: usize, b: usize) -> Option<Paired> {
        let (a, b) = (Who::Arm(a), Who::Arm(b));
        let (test, windows, seeds) = self.estimate(a, b, |scored| Some(&scored.test))?;
        let (train, ..) = self.estimate(a, b, |scored| scored.train.as_ref())?;
        Some(Paired::new(test.minus(train), windows, seeds))
    }

    /// The difference that a claim is about.
    pub(super) fn measure(&self, measure: Measure, a: usize, b: usize) -> Option<Paired> {
        match measure {
            Measure::Test => self.test(Who::Arm(a), Who::Arm(b)),
            Measure::Gap => self.gap(a, b),
        }
    }

    /// The mean of the paired differences, the windows and the seeds behind it. `None` without a seed that both
    /// have, and for windows that are not the same.
    fn estimate(
        &self,
        a: Who,
        b: Who,
        scores: fn(&Scored) -> Option<&Scores>,
    ) -> Option<(Estimate, usize, usize)> {
        let mut differences: Vec<Vec<f64>> = Vec::new();
        let mut first = None;
        for &seed in &self.plan.seeds {
            let (Some((run, a)), Some((_, b))) = (self.scored(a, seed), self.scored(b, seed))
            else {
                continue;
            };
            let (a, b) = (&scores(a)?.window_crps, &scores(b)?.window_crps);
            if a.len() != b.len() {
                return None;
            }
            let difference = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
                (Some(a), Some(b)) => a - b,
                _ => f64::NAN,
            };
            differences.push(a.iter().zip(b).map(difference).collect());
            first.get_or_insert(run);
        }
        let (run, windows) = (first?, differences.first()?.len());
        let of_test = windows == run.evaluation.pairing().ranks().len()
            && std::ptr::eq(scores(run.model())?, &run.model().test);
        let pairing = match of_test {
            true => run.evaluation.pairing(),
            // Training windows are evenly spaced, so far apart that few share a row.
            false => Pairing::from_ranks((0..windows).collect(), 1, 1),
        };
        Some((pairing.estimate(&differences)?, windows, differences.len()))
    }

    /// A forecaster's scores with a seed, and the run that holds them.
    fn scored(&self, who: Who, seed: u64) -> Option<(&'a Finished, &'a Scored)> {
        match who {
            Who::Arm(arm) => {
                let run = self.finished(arm).find(|(s, _)| *s == seed)?.1;
                Some((run, run.model()))
            }
            Who::Baseline(name) => {
                let of_seed = self.runs.iter().filter(|run| run.seed == seed);
                let mut finished = of_seed.filter_map(|run| run.outcome.ok());
                finished.find_map(|run| Some((run, run.baselines().find(|b| b.name == name)?)))
            }
        }
    }

    pub(super) fn arm_row(&self, arm: usize) -> Row {
        let finished: Vec<&Finished> = self.finished(arm).map(|(_, run)| run).collect();
        let tests: Vec<&Scores> = finished.iter().map(|run| &run.model().test).collect();
        let gaps = finished.iter().filter_map(|run| {
            let model = run.model();
            Some(model.test.crps_standardized - model.train.as_ref()?.crps_standardized)
        });
        let scores = row_scores(&tests).map(|scores| RowScores {
            gap: Spread::of(gaps),
            seconds: Spread::of(finished.iter().map(|run| run.info.wall_seconds)),
            parameters: finished.first().map(|run| run.info.fitted.parameters),
            ..scores
        });
        let (planned, reference) = (&self.plan.arms[arm], self.plan.reference);
        let others = arm != reference;
        Row {
            kind: Kind::Arm,
            name: planned.name.clone(),
            label: planned.label.clone(),
            finished: tests.len(),
            planned: self.plan.seeds.len(),
            scores,
            difference: others.then(|| self.test(Who::Arm(arm), Who::Arm(reference))).flatten(),
        }
    }

    pub(super) fn baseline_row(&self, name: &str) -> Row {
        let scored = |seed: &u64| Some(&self.scored(Who::Baseline(name), *seed)?.1.test);
        let tests: Vec<&Scores> = self.plan.seeds.iter().filter_map(scored).collect();
        Row {
            kind: Kind::Baseline,
            name: name.to_owned(),
            label: name.replace('-', " "),
            finished: tests.len(),
            planned: self.plan.seeds.len(),
            scores: row_scores(&tests),
            difference: self.test(Who::Baseline(name), Who::Arm(self.plan.reference)),
        }
    }

    /// Names of all baselines, in the order of the first run that has them.
    pub(super) fn baseline_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for run in self.runs.iter().filter_map(|run| run.outcome.ok()) {
            for baseline in run.baselines() {
                if !names.contains(&baseline.name) {
                    names.push(baseline.name.clone());
                }
            }
        }
        names
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let failed = self.runs.iter().filter(|run| run.outcome.is_err()).count();
        if failed > 0 {
            warnings.push(format!(
                "{failed} of {} failed; they are listed below, and means are over the others.",
                count(self.runs.len(), "run")
            ));
        }
        let differing = self.differing_baselines();
        if !differing.is_empty() {
            warnings.push(format!(
                "Scores of {} differ between arms, though a baseline does not depend on the arm: the arms were \
                 scored on different windows, or read different data. The table shows the scores beside the first arm.",
                differing.join(", ")
            ));
        }
        let other = self.runs.iter().filter(|run| run.origin == Origin::OtherCode);
        let kept: Vec<&str> = other.map(|run| run.shown).collect();
        if !kept.is_empty() {
            warnings.push(format!(
                "{} made by another version of the code and kept at your request (`--keep-runs`): {}.",
                if kept.len() == 1 { "1 run was".to_owned() } else { format!("{} runs were", kept.len()) },
                kept.join(", ")
            ));
        }
        if self.plan.seeds.len() == 1 {
            warnings.push(
                "One seed only: errors cover the choice of windows, not the variation between trainings."
                    .to_owned(),
            );
        }
        warnings
    }

    /// Baselines whose test scores are not the same in every arm of a seed.
    fn differing_baselines(&self) -> Vec<String> {
        let differs = |name: &String| {
            self.runs.iter().any(|run| {
                let Ok(finished) = run.outcome else { return false };
                let mine = finished.baselines().find(|b| b.name == *name);
                let first = self.scored(Who::Baseline(name), run.seed);
                mine.map(|b| &b.test.window_crps) != first.map(|(_, b)| &b.test.window_crps)
            })
        };
        self.baseline_names().into_iter().filter(differs).collect()
    }
}

impl Paired {
    fn new(estimate: Estimate, windows: usize, seeds: usize) -> Paired {
        let (low, high) = estimate.interval(ALPHA);
        let Estimate { mean, error, .. } = estimate;
        Paired { mean, error, low, high, decided: estimate.decided(ALPHA), windows, seeds }
    }
}

fn row_scores(tests: &[&Scores]) -> Option<RowScores> {
    let over = |value: fn(&Scores) -> f64| Spread::of(tests.iter().map(|scores| value(scores)));
    Some(RowScores {
        crps: over(|s| s.crps)?,
        crps_standardized: over(|s| s.crps_standardized)?,
        nmae: over(|s| s.nmae)?,
        mae: over(|s| s.mae)?,
        mse: over(|s| s.mse)?,
        coverage_50: over(|s| s.coverage.half)?,
        coverage_80: over(|s| s.coverage.eighty)?,
        coverage_90: over(|s| s.coverage.ninety)?,
        gap: None,
        seconds: None,
        parameters: None,
    })
}
