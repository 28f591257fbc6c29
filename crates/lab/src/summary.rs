//! Runs aggregated over seeds: the numbers behind table, verdict and figures.

use serde::Serialize;
use serde_json::{Value, json};

use super::arms::Run;
use super::machine::Machine;
use super::plan::{Measure, Plan};
use super::read::{Finished, Kind, Scores};
use super::statistics::{Difference, Spread};
use super::verdict::{Answer, answers};

/// One line of the table: an arm, or a baseline.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) finished: usize,
    pub(super) planned: usize,
    /// `None` if no run has finished.
    pub(super) scores: Option<RowScores>,
    /// Test CRPS less that of the reference arm, standardized, paired by window and seed.
    pub(super) difference: Option<Difference>,
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
    /// Test less training CRPS, standardized; baselines are not scored on training windows.
    pub(super) gap: Option<Spread>,
    /// Of training, by the clock.
    pub(super) seconds: Option<Spread>,
    pub(super) parameters: Option<u64>,
}

/// Everything the report says in numbers.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    /// Arms in the order of the plan, then baselines.
    pub(super) rows: Vec<Row>,
    /// No first, then the rest in the order of the plan.
    pub(super) answers: Vec<Answer>,
    /// What a reader must know before trusting the numbers.
    pub(super) warnings: Vec<String>,
    pub(super) reference: String,
}

impl Summary {
    pub(super) fn new(plan: &Plan, runs: &[Run]) -> Self {
        let compare = Comparison { plan, runs };
        let mut rows: Vec<Row> = (0..plan.arms.len()).map(|arm| compare.arm_row(arm)).collect();
        rows.extend(compare.baseline_names().iter().map(|name| compare.baseline_row(name)));
        Summary {
            answers: answers(&compare, &rows),
            warnings: compare.warnings(),
            reference: plan.arms[plan.reference].label.clone(),
            rows,
        }
    }

    /// The index of the arm with the smallest test CRPS.
    pub(super) fn best_arm(&self) -> Option<usize> {
        best(&self.rows, "arm")
    }
}

/// The index of the row of a kind with the smallest standardized test CRPS.
pub(super) fn best(rows: &[Row], kind: &str) -> Option<usize> {
    let crps = |row: &Row| row.scores.as_ref().map(|s| s.crps_standardized.mean);
    let of_kind = rows.iter().enumerate().filter(|(_, row)| row.kind == kind);
    let scored = of_kind.filter_map(|(i, row)| Some((i, crps(row)?)));
    scored.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
}

/// Looks up scores by arm and seed, and pairs them.
pub(super) struct Comparison<'a> {
    pub(super) plan: &'a Plan,
    pub(super) runs: &'a [Run],
}

/// An arm or a baseline; a baseline's scores are those beside an arm.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    Arm(usize),
    Baseline(&'a str),
}

impl Comparison<'_> {
    pub(super) fn finished(&self, arm: usize) -> impl Iterator<Item = (u64, &Finished)> {
        let of_arm = self.runs.iter().filter(move |run| run.arm == arm);
        of_arm.filter_map(|run| Some((run.seed, run.outcome.as_ref().ok()?)))
    }

    /// Paired differences of the test scores, over the seeds that both have; negative is better
    /// for `a`.
    pub(super) fn test(&self, a: Who, b: Who) -> Option<Difference> {
        self.paired(|who, seed| Some(&self.scores(who, seed)?.0.window_crps), a, b)
    }

    /// Paired difference of the train–test gaps of two arms.
    pub(super) fn gap(&self, a: usize, b: usize) -> Option<Difference> {
        let train = |who: Who<'_>, seed| Some(&self.scores(who, seed)?.1?.window_crps);
        let train = self.paired(train, Who::Arm(a), Who::Arm(b))?;
        Some(self.test(Who::Arm(a), Who::Arm(b))?.minus(train))
    }

    /// The difference a claim is about.
    pub(super) fn measure(&self, measure: Measure, a: usize, b: usize) -> Option<Difference> {
        match measure {
            Measure::Test => self.test(Who::Arm(a), Who::Arm(b)),
            Measure::Gap => self.gap(a, b),
        }
    }

    fn paired<'s>(
        &'s self,
        scores: impl Fn(Who<'s>, u64) -> Option<&'s Vec<Option<f64>>>,
        a: Who<'s>,
        b: Who<'s>,
    ) -> Option<Difference> {
        let mut differences = Vec::new();
        for &seed in &self.plan.seeds {
            if let (Some(a), Some(b)) = (scores(a, seed), scores(b, seed)) {
                if a.len() != b.len() {
                    return None; // other windows: nothing to pair
                }
                differences
                    .push(a.iter().zip(b).filter_map(|(a, b)| Some((*a)? - (*b)?)).collect());
            }
        }
        Difference::of(&differences, self.horizon())
    }

    /// Test and training scores.
    fn scores(&self, who: Who, seed: u64) -> Option<(&Scores, Option<&Scores>)> {
        let forecaster = match who {
            Who::Arm(arm) => self.finished(arm).find(|(s, _)| *s == seed)?.1.model(),
            Who::Baseline(name) => {
                let of_seed = self.runs.iter().filter(|run| run.seed == seed);
                let mut all = of_seed.filter_map(|run| run.outcome.as_ref().ok());
                all.find_map(|run| run.baselines().find(|baseline| baseline.name == name))?
            }
        };
        Some((&forecaster.test, forecaster.train.as_ref()))
    }

    fn horizon(&self) -> usize {
        let mut finished = self.runs.iter().filter_map(|run| run.outcome.as_ref().ok());
        finished.next().map_or(1, |run| run.evaluation.horizon)
    }

    fn arm_row(&self, arm: usize) -> Row {
        let finished: Vec<&Finished> = self.finished(arm).map(|(_, run)| run).collect();
        let tests: Vec<&Scores> = finished.iter().map(|run| &run.model().test).collect();
        let gaps = finished.iter().filter_map(|run| {
            let model = run.model();
            Some(model.test.crps_standardized - model.train.as_ref()?.crps_standardized)
        });
        let seconds = finished.iter().map(|run| run.info.wall_seconds);
        let mut scores = row_scores(&tests);
        if let Some(scores) = &mut scores {
            scores.gap = Spread::of(gaps);
            scores.seconds = Spread::of(seconds);
            scores.parameters = finished.first().map(|run| run.info.parameters);
        }
        let reference = self.plan.reference;
        let difference =
            if arm == reference { None } else { self.test(Who::Arm(arm), Who::Arm(reference)) };
        let Some(planned) = self.plan.arms.get(arm) else { unreachable!("an arm of the plan") };
        Row {
            kind: "arm",
            name: planned.name.clone(),
            label: planned.label.clone(),
            finished: tests.len(),
            planned: self.plan.seeds.len(),
            scores,
            difference,
        }
    }

    fn baseline_row(&self, name: &str) -> Row {
        let seeds = self.plan.seeds.iter();
        let tests: Vec<&Scores> =
            seeds.filter_map(|seed| Some(self.scores(Who::Baseline(name), *seed)?.0)).collect();
        Row {
            kind: "baseline",
            name: name.to_owned(),
            label: name.replace('-', " "),
            finished: tests.len(),
            planned: self.plan.seeds.len(),
            scores: row_scores(&tests),
            difference: self.test(Who::Baseline(name), Who::Arm(self.plan.reference)),
        }
    }

    /// Names of all baselines, in the order of the first run that has them.
    fn baseline_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for run in self.runs.iter().filter_map(|run| run.outcome.as_ref().ok()) {
            for baseline in run.baselines().filter(|b| b.kind == Kind::Baseline) {
                if !names.contains(&baseline.name) {
                    names.push(baseline.name.clone());
                }
            }
        }
        names
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let failed = self.runs.iter().filter(|run| run.outcome.is_err()).count();
        if failed > 0 {
            warnings.push(format!(
                "{failed} of {} runs failed; they are listed below, and means are over the others.",
                self.runs.len()
            ));
        }
        let differing = self.differing_baselines();
        if !differing.is_empty() {
            warnings.push(format!(
                "Baselines should not depend on the arm, but {} does: the arms were not scored on \
                 the same windows, or the baseline on other data. The table has the first arm's.",
                differing.join(", ")
            ));
        }
        let other = self.runs.iter().filter(|run| run.origin == super::runner::Origin::OtherCode);
        let kept: Vec<String> = other.map(|run| run.shown.clone()).collect();
        if !kept.is_empty() {
            warnings.push(format!(
                "{} runs were made by another version of the code and kept at your request \
                 (--keep-runs): {}.",
                kept.len(),
                kept.join(", ")
            ));
        }
        if self.plan.seeds.len() == 1 {
            warnings.push(
                "One seed only: the errors cover windows, not how much training varies.".to_owned(),
            );
        }
        warnings
    }

    /// Baselines whose test scores are not the same in every arm of a seed.
    fn differing_baselines(&self) -> Vec<String> {
        let differs = |name: &String| {
            self.runs.iter().any(|run| {
                let Ok(finished) = &run.outcome else { return false };
                let mine = finished.baselines().find(|b| b.name == *name);
                let first = self.scores(Who::Baseline(name), run.seed);
                mine.map(|b| &b.test.window_crps) != first.map(|(test, _)| &test.window_crps)
            })
        };
        self.baseline_names().into_iter().filter(differs).collect()
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

/// `results.json`: every number of the report, with the run directory it comes from.
pub(super) fn results(plan: &Plan, runs: &[Run], summary: &Summary, machine: &Machine) -> Value {
    let run = |run: &Run| {
        let mut value = json!({
            "arm": plan.arms[run.arm].name,
            "seed": run.seed,
            "directory": run.shown,
            "commands": run.commands,
            "origin": run.origin,
        });
        match &run.outcome {
            Ok(finished) => {
                let model = finished.model();
                let train = model.train.as_ref();
                value["status"] = "done".into();
                value["test_crps"] = model.test.crps.into();
                value["test_crps_standardized"] = model.test.crps_standardized.into();
                value["train_crps_standardized"] = train.map(|s| s.crps_standardized).into();
                value["wall_seconds"] = finished.info.wall_seconds.into();
                value["best_epoch"] = finished.info.best_epoch.into();
            }
            Err(failure) => {
                value["status"] = "failed".into();
                value["failure"] = json!(failure);
            }
        }
        value
    };
    json!({
        "version": 1,
        "name": plan.name,
        "title": plan.title,
        "question": plan.question,
        "answers": summary.answers,
        "warnings": summary.warnings,
        "reference": plan.arms[plan.reference].name,
        "rows": summary.rows,
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "arms": plan.arms,
        "base": plan.base,
        "machine": machine,
    })
}
