//! An experiment of arms: every arm × seed is one run.

use std::path::Path;

use anyhow::Result;

use super::job::{Job, Jobs, Place, Recipe, Stage};
use super::plan::Plan;
use super::read::Finished;
use super::runner::{Ended, Failure, Options, Origin, Product, Runner};

/// One arm with one seed, and how it ended.
#[derive(Debug)]
pub(super) struct Run {
    /// Index into the plan's arms.
    pub(super) arm: usize,
    pub(super) seed: u64,
    /// `runs/NAME/ARM/seed-N`.
    pub(super) shown: String,
    /// What reproduces it, to be typed in the workspace.
    pub(super) commands: Vec<String>,
    pub(super) origin: Origin,
    pub(super) outcome: Result<Finished, Failure>,
}

impl Product for Finished {
    fn read(job: &Job, folder: &Path) -> Result<Finished> {
        Finished::read(folder, job.seed)
    }

    fn headline(&self) -> String {
        format!("test CRPS {:.4}", self.model().test.crps)
    }
}

/// Makes ready to run the arms, seed by seed, so that an early look compares all of them.
pub(super) fn runner<'a>(
    root: &'a Path,
    plan: &Plan,
    executable: &'a Path,
    options: Options,
) -> Result<Runner<'a>> {
    let mut jobs = Jobs::new(root, executable)?;
    for &seed in &plan.seeds {
        for arm in &plan.arms {
            let (config, table, device) = (&plan.base, &plan.base_table, plan.device.as_deref());
            let recipe = Recipe { config, table, set: &arm.set, seed, device };
            let shown = format!("runs/{}/{}/seed-{seed}", plan.name, arm.name);
            let place = Place { label: arm.label.clone(), shown, wanted: true };
            jobs.train(Stage::Both, recipe, place)?;
        }
    }
    Runner::new(root, &plan.name, jobs, options)
}

/// Runs what has to be run; the result is in planned order and holds failures too. Nothing where the
/// runs were left in a queue.
pub(super) fn run(plan: &Plan, runner: Runner) -> Result<Option<Vec<Run>>> {
    let Some((jobs, ended)) = runner.run()? else { return Ok(None) };
    let runs = jobs.into_iter().zip(ended).enumerate();
    let run = |(index, (job, ended)): (usize, (Job, Option<Ended<Finished>>))| {
        let Ended { origin, outcome, .. } = ended?;
        let (arm, commands) = (index % plan.arms.len(), job.commands());
        Some(Run { arm, seed: job.seed, shown: job.shown, commands, origin, outcome })
    };
    Ok(Some(runs.filter_map(run).collect()))
}
