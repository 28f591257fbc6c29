//! Everything that the report says in numbers.

use serde_json::{Value, json};

use super::Run;
use super::compare::{Comparison, Kind, Row, best};
use super::plan::Plan;
use super::verdict::answers;
use crate::machine::Machine;
use crate::page::Answer;

/// Everything that the report says in numbers.
#[derive(Debug)]
pub(super) struct Summary {
    /// Arms in the order of the plan, then baselines.
    pub(super) rows: Vec<Row>,
    /// Every no first, then the rest in the order of the plan.
    pub(super) answers: Vec<Answer>,
    /// Warnings for a reader, before the numbers are trusted.
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

    /// The row with the smallest standardized test CRPS of its kind.
    pub(super) fn best(&self, kind: Kind) -> Option<usize> {
        best(&self.rows, kind)
    }
}

/// `results.json`.
pub(super) fn results(plan: &Plan, runs: &[Run], summary: &Summary, machine: &Machine) -> Value {
    let run = |run: &Run| {
        let mut value = json!({
            "arm": plan.arms[run.arm].name,
            "seed": run.seed,
            "directory": run.shown,
            "commands": run.commands,
            "origin": run.origin,
        });
        match run.outcome {
            Ok(finished) => {
                let model = finished.model();
                let train = model.train.as_ref();
                value["status"] = "done".into();
                value["test_crps"] = model.test.crps.into();
                value["test_crps_standardized"] = model.test.crps_standardized.into();
                value["train_crps_standardized"] = train.map(|s| s.crps_standardized).into();
                value["wall_seconds"] = finished.info.wall_seconds.into();
                value["best_epoch"] = finished.info.fitted.best_epoch.into();
            }
            Err(failure) => {
                value["status"] = "failed".into();
                value["failure"] = json!(failure);
            }
        }
        value
    };
    let answer = |answer: &Answer| json!({"outcome": answer.outcome, "question": answer.text, "evidence": answer.evidence});
    json!({
        "version": 1,
        "name": plan.file.name,
        "title": plan.title,
        "question": plan.question,
        "answers": summary.answers.iter().map(answer).collect::<Vec<_>>(),
        "warnings": summary.warnings,
        "reference": plan.arms[plan.reference].name,
        "rows": summary.rows,
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "arms": plan.arms,
        "base": plan.base.path,
        "machine": machine,
    })
}
