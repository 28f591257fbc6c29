//! The runs of a study: which there are, how they are made, and what each leaves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::super::benchmarks::{Places, link, remedy};
use super::super::job::{Job, Jobs, Place, Recipe, Stage};
use super::super::read::{Evaluation, Finished, json};
use super::super::runner::{Ended, Failure, Origin, Product};
use super::plan::{Cell, Data, Plan};
use super::simulate::csv;

/// One arm in one cell with one seed, and how it ended.
pub(super) struct Run {
    pub(super) cell: usize,
    pub(super) arm: usize,
    /// The study's seed; that of the training differs for an arm with fresh random numbers.
    pub(super) seed: u64,
    /// `runs/NAME/CELL/ARM/seed-N`.
    pub(super) shown: String,
    pub(super) commands: Vec<String>,
    pub(super) origin: Origin,
    /// Processor seconds of training, where they were measured whole.
    pub(super) seconds: Option<f64>,
    pub(super) outcome: Result<Studied, Failure>,
}

/// What a run leaves: scores of the weights that validation chose and of the last ones, and of their features.
pub(super) struct Studied {
    pub(super) chosen: Finished,
    pub(super) last: Evaluation,
    pub(super) features: Option<Features>,
    /// What standardized units of each channel are in original ones.
    pub(super) spreads: Vec<f64>,
}

/// What is read of `features.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Features {
    pub(super) steps: Vec<Step>,
}

/// Of one diffusion step.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Step {
    pub(super) t: usize,
    pub(super) probe_future: Probe,
    pub(super) raw_future: Probe,
    pub(super) mutual_information: Option<f64>,
}

/// R² of a ridge regression on test windows.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Probe {
    pub(super) r2: f64,
}

/// The parts of `run.json` that say how the data were scaled.
#[derive(Deserialize)]
struct Scaled {
    pipeline: Pipeline,
}

#[derive(Deserialize)]
struct Pipeline {
    scaler: Scaler,
}

#[derive(Deserialize)]
struct Scaler {
    affine: Vec<Affine>,
}

#[derive(Deserialize)]
struct Affine {
    spread: f64,
}

impl Product for Studied {
    fn read(job: &Job, folder: &Path) -> Result<Studied> {
        let chosen = Finished::read(folder, job.seed)?;
        let last = Evaluation::read(&folder.join("last"))?;
        let ours = job.steps.iter().any(|step| step.first().is_some_and(|name| name == "features"));
        let features = ours.then(|| json(&folder.join("features.json"))).transpose()?;
        if let Some(Features { steps }) = &features {
            ensure!(!steps.is_empty(), "features.json has no steps");
        }
        let Scaled { pipeline } = json(&folder.join("run.json"))?;
        let spreads = pipeline.scaler.affine.into_iter().map(|affine| affine.spread).collect();
        Ok(Studied { chosen, last, features, spreads })
    }

    fn headline(&self) -> String {
        let (chosen, last) = (&self.chosen.model().test, &self.last.model().test);
        format!("CRPS {:.4}, at the end {:.4}", chosen.crps_standardized, last.crps_standardized)
    }
}

/// Data that are not there, so that their cells cannot be run.
pub(super) struct Missing {
    pub(super) data: usize,
    pub(super) remedy: String,
}

/// Which run a job is.
pub(super) struct Planned {
    cell: usize,
    arm: usize,
    seed: u64,
}

/// Fresh random numbers are those of the seed plus this.
const FRESH: u64 = 1000;

/// Adds every run of the plan to the jobs, seed by seed, so that an early look compares all arms.
pub(super) fn plan(
    root: &Path,
    plan: &Plan,
    places: &Places,
    device: Option<&str>,
    jobs: &mut Jobs,
) -> Result<(Vec<Planned>, Vec<Missing>)> {
    let mut missing = Vec::new();
    let mut paths = Vec::new();
    for (index, data) in plan.data.iter().enumerate() {
        if !plan.cells.iter().any(|cell| cell.data == index) {
            paths.push(None);
            continue;
        }
        paths.push(match path(root, plan, places, data)? {
            Found::At(path) => Some(vec![("data.path".to_owned(), quoted(&path))]),
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
    path: &[(String, String)],
    device: Option<&str>,
    jobs: &mut Jobs,
) -> Result<()> {
    let (data, arm) = (&plan.data[cell.data], &plan.arms[arm]);
    let share = match cell.percent {
        100 => Vec::new(),
        percent => {
            vec![("data.train_fraction".to_owned(), format!("{:?}", f64::from(percent) / 100.0))]
        }
    };
    let parts = [path, &share, &plan.models[cell.model].set, &arm.set];
    let set = parts.concat();
    let shown = format!("runs/{}/{}/{}/seed-{seed}", plan.name, plan.cell_folder(cell), arm.name);
    let recipe = Recipe {
        config: &data.config,
        table: &data.table,
        set: &set,
        seed: if arm.fresh { seed + FRESH } else { seed },
        device,
    };
    let label = format!("{} {}", plan.cell_folder(cell), arm.name);
    let place = Place { label, shown: shown.clone(), wanted: true };
    let index = jobs.train(Stage::Both, recipe, place)?;
    let on: Vec<String> =
        device.iter().flat_map(|on| ["--device".to_owned(), (*on).to_owned()]).collect();
    let mut step = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned());
        jobs.list[index].steps.push(words.chain(on.clone()).collect());
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
fn path(root: &Path, plan: &Plan, places: &Places, data: &Data) -> Result<Found> {
    if let Some(simulation) = &data.simulation {
        let shown = format!("runs/{}/data/{}.csv", plan.name, data.name);
        let path = root.join(&shown);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        csv::write(&path, &simulation.process.simulate(simulation.rows, simulation.seed))?;
        return Ok(Found::At(shown));
    }
    let Some(file) = &data.file else { return Ok(Found::Bundled) };
    match places.find(file) {
        Some(found) => Ok(Found::At(link(root, &plan.name, file, &found)?)),
        None => Ok(Found::Missing(remedy(file))),
    }
}

fn quoted(path: &str) -> String {
    toml::Value::String(path.to_owned()).to_string()
}

/// Jobs that were done, as runs of the study, in planned order.
pub(super) fn collect(
    planned: Vec<Planned>,
    jobs: Vec<Job>,
    ended: Vec<Option<Ended<Studied>>>,
) -> Vec<Run> {
    let each = planned.into_iter().zip(jobs).zip(ended);
    let run = |((planned, job), ended): ((Planned, Job), Option<Ended<Studied>>)| {
        let Ended { origin, cost, outcome } = ended?;
        let Planned { cell, arm, seed } = planned;
        let (commands, seconds) = (job.commands(), cost.of("train"));
        Some(Run { cell, arm, seed, shown: job.shown, commands, origin, seconds, outcome })
    };
    each.filter_map(run).collect()
}
