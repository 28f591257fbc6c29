//! The runs of a study: the list of them, how they are made, and what each leaves.

use std::path::Path;

use anyhow::{Result, ensure};
use record::{Evaluation, Features, RunDirectory};

use super::plan::{Cell, Data, Plan};
use super::simulate::csv;
use crate::launch::{Ended, Failure, Job, Jobs, Origin, Place, Product, Ran, Recipe, Stage};
use crate::places::{Places, link, remedy};
use crate::plan::{Settings, data_path};
use crate::runs::{self, Finished, model};

/// One arm in one cell with one seed, and how it ended.
pub(super) struct Run<'a> {
    pub(super) cell: usize,
    pub(super) arm: usize,
    /// The study's seed; that of the training differs for an arm with fresh random numbers.
    pub(super) seed: u64,
    /// `runs/NAME/CELL/ARM/seed-N`.
    pub(super) shown: &'a str,
    pub(super) commands: Vec<String>,
    pub(super) origin: Origin,
    /// Processor seconds of training, where they were measured whole.
    pub(super) seconds: Option<f64>,
    pub(super) outcome: Result<&'a Studied, &'a Failure>,
}

/// The results of a run: scores of the weights that validation chose and of the last ones, and of their features.
pub(crate) struct Studied {
    pub(super) chosen: Finished,
    pub(super) last: Evaluation,
    pub(super) features: Option<Features>,
    /// The size of a standardized unit of the first channel in original ones.
    pub(super) spread: f64,
}

impl Product for Studied {
    fn read(job: &Job, folder: &Path) -> Result<Studied> {
        let chosen = Finished::read(folder, job.seed)?;
        let last = runs::evaluation(&folder.join("last"))?;
        let probed =
            job.steps.iter().any(|step| step.first().is_some_and(|name| name == "features"));
        let features = || RunDirectory::at(folder).read_features().map_err(runs::in_one_line);
        let features = probed.then(features).transpose()?;
        if let Some(Features { steps, .. }) = &features {
            ensure!(!steps.is_empty(), "features.json has no steps");
        }
        let spread = chosen.info.pipeline.scaler().affine(0, 0)?.spread;
        Ok(Studied { chosen, last, features, spread })
    }

    fn headline(&self) -> String {
        let (chosen, last) = (&self.chosen.model().test, &model(&self.last).test);
        format!("CRPS {:.4}, at the end {:.4}", chosen.crps_standardized, last.crps_standardized)
    }
}

/// Data that are not there, so that their cells cannot be run.
pub(super) struct Missing {
    pub(super) data: usize,
    pub(super) remedy: String,
}

/// The run that a job makes.
pub(super) struct Planned {
    cell: usize,
    arm: usize,
    seed: u64,
}

/// Added to the seed for fresh random numbers.
const FRESH: u64 = 1000;

/// Adds every run of the plan to the jobs, seed by seed, so that an early look compares all arms.
pub(super) fn plan(
    plan: &Plan,
    places: &Places,
    device: &str,
    jobs: &mut Jobs,
) -> Result<(Vec<Planned>, Vec<Missing>)> {
    let mut missing = Vec::new();
    let mut paths: Vec<Option<Settings>> = Vec::new();
    for (index, data) in plan.data.iter().enumerate() {
        if !plan.cells.iter().any(|cell| cell.data == index) {
            paths.push(None);
            continue;
        }
        paths.push(match find(plan, places, data, jobs.root)? {
            Found::At(path) => Some(vec![data_path(&path)]),
            Found::Bundled => Some(Vec::new()),
            Found::Missing(remedy) => {
                missing.push(Missing { data: index, remedy });
                None
            }
        });
    }
    let mut planned = Vec::new();
    for &seed in &plan.seeds {
        for (cell_index, cell) in plan.cells.iter().enumerate() {
            let Some(path) = &paths[cell.data] else { continue };
            for &arm in &cell.arms {
                add(plan, cell, arm, seed, path, device, jobs)?;
                planned.push(Planned { cell: cell_index, arm, seed });
            }
        }
    }
    Ok((planned, missing))
}

fn add(
    plan: &Plan,
    cell: &Cell,
    arm: usize,
    seed: u64,
    path: &Settings,
    device: &str,
    jobs: &mut Jobs,
) -> Result<()> {
    let (data, arm) = (&plan.data[cell.data], &plan.arms[arm]);
    let share = f64::from(cell.percent) / 100.0;
    let share = ("data.train_fraction".to_owned(), format!("{share:?}"));
    let share: Settings = (cell.percent != 100).then_some(share).into_iter().collect();
    let set = [path, &share, &plan.models[cell.model].set, &arm.set].map(Vec::as_slice).concat();
    let folder = plan.cell_folder(cell);
    let shown = format!("runs/{}/{folder}/{}/seed-{seed}", plan.file.name, arm.name);
    let seed = if arm.fresh { seed + FRESH } else { seed };
    let recipe = Recipe { config: &data.config, set: &set, seed, device: Some(device) };
    let label = format!("{folder} {}", arm.name);
    let place = Place { label, shown: shown.clone(), wanted: true };
    let index = jobs.train(Stage::Both, recipe, place)?;
    let mut step = |words: &[&str]| {
        let words = [words, &["--device", device]].concat();
        jobs.list[index].steps.push(words.into_iter().map(str::to_owned).collect());
    };
    step(&["evaluate", &shown, "--last"]);
    if cell.features {
        step(&["features", &shown]);
    }
    Ok(())
}

enum Found {
    Bundled,
    At(String),
    Missing(String),
}

/// Where the data of a set are, relative to the workspace; simulated ones are written.
fn find(plan: &Plan, places: &Places, data: &Data, root: &Path) -> Result<Found> {
    if let Some(simulation) = &data.simulation {
        let shown = format!("runs/{}/data/{}.csv", plan.file.name, data.name);
        let series = simulation.process.simulate(simulation.rows, simulation.seed);
        csv::write(&root.join(&shown), &series)?;
        return Ok(Found::At(shown));
    }
    let Some(file) = &data.file else { return Ok(Found::Bundled) };
    match places.find(file) {
        Some(found) => Ok(Found::At(link(root, &plan.file.name, file, &found)?)),
        None => Ok(Found::Missing(remedy(file))),
    }
}

/// The jobs that were begun, as runs of the study, in planned order.
pub(super) fn collect<'a>(planned: &[Planned], (jobs, ended): &'a Ran<Studied>) -> Vec<Run<'a>> {
    let each = planned.iter().zip(jobs).zip(ended);
    let run = |((planned, job), ended): ((&Planned, &'a Job), &'a Option<Ended<Studied>>)| {
        let Ended { origin, cost, outcome } = ended.as_ref()?;
        let Planned { cell, arm, seed } = *planned;
        Some(Run {
            cell,
            arm,
            seed,
            shown: &job.shown,
            commands: job.commands(),
            origin: *origin,
            seconds: cost.of("train"),
            outcome: outcome.as_ref(),
        })
    };
    each.filter_map(run).collect()
}
