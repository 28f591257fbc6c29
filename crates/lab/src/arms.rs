//! An experiment of arms: variants of one config, each trained on every seed, beside each other.

mod compare;
mod figures;
mod page;
mod plan;
mod summary;
mod table;
mod verdict;

use std::path::Path;

use anyhow::Result;
use plan::Plan;
use summary::Summary;

use crate::experiment::{Context, Experiment, Report};
use crate::launch::{Ended, Failure, Job, Jobs, Origin, Place, Product, Ran, Recipe, Stage};
use crate::number::plain;
use crate::page::count;
use crate::plan::PlanFile;
use crate::runs::Finished;

/// The experiment.
pub(crate) struct Arms {
    plan: Plan,
}

/// One arm with one seed, and how it ended.
#[derive(Debug)]
struct Run<'a> {
    /// Index into the plan's arms.
    arm: usize,
    seed: u64,
    /// `runs/NAME/ARM/seed-N`.
    shown: &'a str,
    /// The commands that reproduce it, to be typed in the workspace.
    commands: Vec<String>,
    origin: Origin,
    outcome: Result<&'a Finished, &'a Failure>,
}

impl<'a> Run<'a> {
    /// The run of the job at a place in the list; `None` if it was never begun.
    fn new(
        plan: &Plan,
        index: usize,
        job: &'a Job,
        ended: &'a Option<Ended<Finished>>,
    ) -> Option<Run<'a>> {
        let ended = ended.as_ref()?;
        Some(Run {
            arm: index % plan.arms.len(),
            seed: job.seed,
            shown: &job.shown,
            commands: job.commands(),
            origin: ended.origin,
            outcome: ended.outcome.as_ref(),
        })
    }
}

impl Product for Finished {
    fn read(job: &Job, folder: &Path) -> Result<Finished> {
        Finished::read(folder, job.seed)
    }

    fn headline(&self) -> String {
        format!("test CRPS {}", plain(self.model().test.crps))
    }
}

impl Arms {
    pub(crate) fn new(root: &Path, file: PlanFile) -> Result<Arms> {
        Ok(Arms { plan: Plan::new(root, file)? })
    }
}

impl Experiment for Arms {
    type Left = Finished;

    fn name(&self) -> &str {
        &self.plan.file.name
    }

    /// Seed by seed, so that an early look compares all arms.
    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()> {
        let plan = &self.plan;
        for &seed in &plan.seeds {
            for arm in &plan.arms {
                let device = plan.device.as_deref();
                let recipe = Recipe { config: &plan.base, set: &arm.set, seed, device };
                let shown = format!("runs/{}/{}/seed-{seed}", plan.file.name, arm.name);
                let place = Place { label: arm.label.clone(), shown, wanted: true };
                jobs.train(Stage::Both, recipe, place)?;
            }
        }
        Ok(())
    }

    fn report(&self, (jobs, ended): &Ran<Finished>, context: &Context) -> Report {
        let plan = &self.plan;
        let each = jobs.iter().zip(ended).enumerate();
        let runs: Vec<Run> =
            each.filter_map(|(index, (job, ended))| Run::new(plan, index, job, ended)).collect();
        let summary = Summary::new(plan, &runs);
        let failed = runs.iter().filter(|run| run.outcome.is_err()).count();
        let mut beside = vec![("table.csv", table::csv(&summary))];
        beside.extend(figures::median_fan(plan, &runs, &summary).map(|svg| ("forecast.svg", svg)));
        Report {
            document: page::document(plan, &runs, &summary, &context.machine),
            results: summary::results(plan, &runs, &summary, &context.machine),
            beside,
            docs: None,
            closing: String::new(),
            failed: (failed > 0).then(|| format!("{failed} of {}", count(runs.len(), "run"))),
        }
    }
}
