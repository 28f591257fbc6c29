//! Benchmarks: many configs, each on its task and with a target.
//!
//! A cell is a config on a task. Each seed is trained by itself, then all are evaluated together, so that the
//! baselines are scored once.

mod ended;
mod page;
mod plan;
mod result;
mod tables;
mod verdict;

use std::path::Path;

use anyhow::Result;
use ended::{Ended, State};
use page::Summary;
use plan::{Cell, Group, Plan};
use result::{Left, Scored};
use terminal::note;

use crate::experiment::{Context, Experiment, Report};
use crate::launch::{Jobs, Place, Ran, Recipe, Stage};
use crate::page::count;
use crate::places::{Places, link, remedy};
use crate::plan::{PlanFile, data_path};

/// The options of this kind.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) places: Places,
    /// Cells to run; all for none.
    pub(crate) only: Vec<String>,
    /// The number of seeds, from the first on.
    pub(crate) seeds: Option<usize>,
    /// Whether to write docs/benchmarks.md.
    pub(crate) write_docs: bool,
}

/// The page that `--write-docs` writes.
const DOCS: &str = "docs/benchmarks.md";

/// The experiment.
pub(crate) struct Benchmarks {
    plan: Plan,
    choice: Choice,
    /// For each cell whether it is to be run.
    chosen: Vec<bool>,
    /// The seeds of cells with a config of their own.
    seeds: Vec<u64>,
    planned: Vec<Planned>,
}

/// The jobs of a cell by their place in the list, or the reason why there are none.
enum Planned {
    Jobs { runs: Vec<usize>, scores: usize },
    Not(State),
}

impl Benchmarks {
    pub(crate) fn new(root: &Path, file: PlanFile, choice: Choice) -> Result<Benchmarks> {
        let plan = Plan::new(root, &file)?;
        let chosen = plan.chosen(&choice.only)?;
        let used = choice.seeds.unwrap_or(plan.seeds.len()).min(plan.seeds.len());
        let seeds = plan.seeds[..used].to_vec();
        Ok(Benchmarks { plan, choice, chosen, seeds, planned: Vec::new() })
    }

    fn plan_cell(&self, cell: &Cell, wanted: bool, jobs: &mut Jobs) -> Result<Planned> {
        let seeds = match cell.group {
            Group::Own => &self.seeds[..],
            Group::Default => &self.seeds[..self.plan.default_seeds.min(self.seeds.len())],
        };
        let config = match &cell.config {
            Ok(config) => config,
            Err(missing) => {
                let remedy = "the config is still to be written".to_owned();
                return Ok(Planned::Not(State::NotRun { missing: missing.clone(), remedy }));
            }
        };
        let mut set = cell.set.clone();
        if let Some(data) = &cell.data {
            let Some(found) = self.choice.places.find(data) else {
                let (missing, remedy) = (data.path.clone(), remedy(data));
                return Ok(Planned::Not(State::NotRun { missing, remedy }));
            };
            set.push(data_path(&link(jobs.root, &self.plan.name, data, &found)?));
        }
        let recipe = |seed| Recipe { config, set: &set, seed, device: Some("cpu") };
        let place = |folder: String| Place {
            label: cell.name.clone(),
            shown: format!("runs/{}/{}/{folder}", self.plan.name, cell.name),
            wanted,
        };
        let mut runs = Vec::new();
        for seed in seeds {
            let place = place(format!("seed-{seed}"));
            runs.push(jobs.train(Stage::Train, recipe(*seed), place)?);
        }
        let folder = format!("evaluation-{}", seeds.len());
        let scores = jobs.evaluate(recipe(seeds[0]), place(folder), runs.clone())?;
        Ok(Planned::Jobs { runs, scores })
    }

    fn end(&self, cell: usize, planned: &Planned, (jobs, ended): &Ran<Left>) -> Ended {
        let (runs, scores) = match planned {
            Planned::Not(state) => return Ended { cell, commands: vec![], state: state.clone() },
            Planned::Jobs { runs, scores } => (runs, *scores),
        };
        let all = runs.iter().chain([&scores]);
        let commands = all.clone().flat_map(|job| jobs[*job].commands()).collect();
        let failure = |job: &usize| {
            let failure = ended[*job].as_ref()?.outcome.as_ref().err()?;
            let last = failure.tail.last().map_or(String::new(), |line| format!(" ({line})"));
            Some(format!("{}: {}{last}", jobs[*job].shown, failure.reason))
        };
        let failures: Vec<String> = all.filter_map(failure).collect();
        let trained: Option<Vec<_>> = runs.iter().map(|run| ended[*run].as_ref()).collect();
        let state = match (trained, &ended[scores]) {
            _ if !failures.is_empty() => State::Failed(failures),
            (Some(runs), Some(scores)) => match &scores.outcome {
                Ok(Left::Scores(evaluation)) => {
                    let scored = Box::new(Scored::new(evaluation, &runs, scores));
                    let checks = verdict::checks(self.plan.cells[cell].target, &scored);
                    State::Scored { scored, checks }
                }
                _ => State::NotChosen,
            },
            _ => State::NotChosen,
        };
        Ended { cell, commands, state }
    }
}

impl Experiment for Benchmarks {
    type Left = Left;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()> {
        let cells = self.plan.cells.iter().zip(&self.chosen);
        let planned = cells.map(|(cell, wanted)| self.plan_cell(cell, *wanted, jobs));
        self.planned = planned.collect::<Result<_>>()?;
        for (cell, planned) in self.plan.cells.iter().zip(&self.planned) {
            if let Planned::Not(State::NotRun { missing, remedy }) = planned {
                let name = &cell.name;
                note(format_args!("not run: {name}: {} missing; {remedy}", missing.display()));
            }
        }
        Ok(())
    }

    fn report(&self, ran: &Ran<Left>, context: &Context) -> Report {
        let end = |(cell, planned)| self.end(cell, planned, ran);
        let cells: Vec<Ended> = self.planned.iter().enumerate().map(end).collect();
        let summary = Summary::new(&self.plan, cells, &self.seeds, &context.machine);
        let failed = |ended: &&Ended| matches!(ended.state, State::Failed(_));
        let failed = summary.cells.iter().filter(failed).count();
        Report {
            document: summary.report(),
            results: summary.json(),
            beside: vec![("table.csv", tables::csv(&self.plan, &summary.cells))],
            docs: self.choice.write_docs.then(|| (DOCS.into(), summary.docs())),
            closing: format!("{}\n", summary.headline()),
            failed: (failed > 0)
                .then(|| format!("{failed} of {}", count(self.plan.cells.len(), "cell"))),
        }
    }
}
