//! The study: whether noise, and adding the clean signal back to it, prevents overfitting.
//!
//! The plan lists runs and comparisons; a run is one arm in one cell (data, model, share of the training rows) with
//! one seed. Everything is judged from the files that runs leave.

mod claims;
mod figures;
mod measure;
mod page;
mod plan;
mod runs;
mod simulate;
mod tables;

use std::path::Path;

use anyhow::Result;
use measure::Table;
use page::Material;
use plan::Plan;
use runs::{Missing, Planned, Studied};
use serde_json::json;
use terminal::note;

use crate::experiment::{Context, Experiment, Report};
use crate::launch::{Jobs, Ran};
use crate::page::count;
use crate::places::Places;
use crate::plan::PlanFile;

/// The options of this kind.
pub(crate) struct Choice {
    /// The name of a budget of the plan.
    pub(crate) budget: String,
    pub(crate) places: Places,
    /// `cuda:1` and the like; the processor without it.
    pub(crate) device: Option<String>,
    /// The command line, for the report.
    pub(crate) command: String,
}

/// The experiment.
pub(crate) struct Study {
    plan: Plan,
    choice: Choice,
    /// The run that each job makes.
    planned: Vec<Planned>,
    missing: Vec<Missing>,
}

impl Study {
    pub(crate) fn new(root: &Path, file: PlanFile, choice: Choice) -> Result<Study> {
        let plan = Plan::new(root, file, &choice.budget)?;
        Ok(Study { plan, choice, planned: Vec::new(), missing: Vec::new() })
    }
}

impl Experiment for Study {
    type Left = Studied;

    fn name(&self) -> &str {
        &self.plan.file.name
    }

    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()> {
        let device = self.choice.device.as_deref().unwrap_or("cpu");
        (self.planned, self.missing) = runs::plan(&self.plan, &self.choice.places, device, jobs)?;
        for Missing { data, remedy } in &self.missing {
            note(format_args!("not run: {}: {remedy}", self.plan.data[*data].label));
        }
        Ok(())
    }

    fn report(&self, ran: &Ran<Studied>, context: &Context) -> Report {
        let plan = &self.plan;
        let runs = runs::collect(&self.planned, ran);
        let table = Table::new(plan, &runs);
        let claims = claims::judge_all(&table);
        let material = Material {
            table: &table,
            runs: &runs,
            planned: self.planned.len(),
            missing: &self.missing,
            claims: &claims,
            context,
            command: &self.choice.command,
        };
        let run = |run: &runs::Run| {
            json!({
                "folder": run.shown, "cell": plan.cell_folder(&plan.cells[run.cell]),
                "arm": plan.arms[run.arm].name, "seed": run.seed, "origin": run.origin,
                "failure": run.outcome.err(),
            })
        };
        let results = json!({
            "title": plan.title, "budget": plan.budget, "seeds": plan.seeds,
            "command": self.choice.command, "planned": self.planned.len(),
            "machine": context.machine, "claims": claims,
            "runs": runs.iter().map(run).collect::<Vec<_>>(),
        });
        let failed = runs.iter().filter(|run| run.outcome.is_err()).count();
        Report {
            document: material.document(),
            results,
            beside: vec![
                ("table.csv", tables::csv(&table)),
                ("comparisons.csv", tables::comparisons_csv(&claims)),
            ],
            docs: None,
            closing: String::new(),
            failed: (failed > 0)
                .then(|| format!("{failed} of {}", count(self.planned.len(), "run"))),
        }
    }
}
