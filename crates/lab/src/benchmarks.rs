//! `cargo xtask experiment benchmarks`: the table of benchmarks from one command.
//!
//! A cell is a config on a task: each seed is trained by itself, then all are evaluated together, so that
//! the baselines are scored once.

mod data;
mod page;
mod plan;
mod result;
mod tables;
mod verdict;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
pub(super) use data::{Places, link, remedy};
pub(super) use plan::{Data, Plan};

use super::job::{Job, Jobs, Place, Recipe, Stage};
use super::machine;
use super::runner::{Ended, Options, Runner};
use page::Summary;
use plan::{Cell, Group};
use result::{Left, Outcome, Scored, State};

/// What the user chose besides how to run.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) places: Places,
    /// Cells to run; all for none.
    pub(super) only: Vec<String>,
    /// The first so many seeds.
    pub(super) seeds: Option<usize>,
    /// Whether to write docs/benchmarks.md.
    pub(super) write_docs: bool,
}

/// The page that `--write-docs` writes.
const DOCS: &str = "docs/benchmarks.md";

/// What is planned for a cell: its jobs by their place in the list, or why there are none.
enum Planned {
    Jobs { runs: Vec<usize>, scores: usize },
    Not(State),
}

/// Runs what is not finished, then writes tables, report and page; fails afterwards if any run did.
pub(super) fn conduct(
    root: &Path,
    plan: &Plan,
    executable: &Path,
    options: Options,
    choice: &Choice,
) -> Result<()> {
    let chosen = plan.chosen(&choice.only)?;
    let seeds = &plan.seeds[..choice.seeds.unwrap_or(plan.seeds.len()).min(plan.seeds.len())];
    let mut jobs = Jobs::new(root, executable)?;
    let mut planned = Vec::new();
    for (cell, wanted) in plan.cells.iter().zip(chosen) {
        let seeds = match cell.group {
            Group::Own => seeds,
            Group::Default => &seeds[..plan.default_seeds.min(seeds.len())],
        };
        planned.push(plan_cell(root, plan, cell, seeds, wanted, &choice.places, &mut jobs)?);
    }
    for (cell, planned) in plan.cells.iter().zip(&planned) {
        if let Planned::Not(State::NotRun { missing, remedy }) = planned {
            eprintln!("not run: {}: {} missing; {remedy}", cell.name, missing.display());
        }
    }
    let Some((jobs, ended)) = Runner::new(root, &plan.name, jobs, options)?.run()? else {
        return Ok(()); // left in a queue
    };
    let outcomes: Vec<Outcome> = planned
        .into_iter()
        .enumerate()
        .map(|(index, planned)| outcome(plan, index, planned, &jobs, &ended))
        .collect();
    let summary = Summary::new(plan, outcomes, seeds, machine::describe(root));
    write(root, plan, &summary, choice.write_docs)?;
    print!("\n{}", summary.terminal());
    println!("report: runs/{}/report.html", plan.name);
    if choice.write_docs {
        println!("page: {DOCS}");
    }
    let failed = summary.outcomes.iter().filter(|o| matches!(o.state, State::Failed(_))).count();
    if failed > 0 {
        bail!(
            "{failed} of {} cells failed; run the same command to try them again",
            plan.cells.len()
        );
    }
    Ok(())
}

fn plan_cell(
    root: &Path,
    plan: &Plan,
    cell: &Cell,
    seeds: &[u64],
    wanted: bool,
    places: &Places,
    jobs: &mut Jobs,
) -> Result<Planned> {
    let table = match &cell.table {
        Ok(table) => table,
        Err(missing) => {
            let remedy = "the config is still to be written".to_owned();
            return Ok(Planned::Not(State::NotRun { missing: missing.clone(), remedy }));
        }
    };
    let mut set = cell.set.clone();
    if let Some(data) = &cell.data {
        let Some(found) = places.find(data) else {
            let (missing, remedy) = (data.path.clone(), data::remedy(data));
            return Ok(Planned::Not(State::NotRun { missing, remedy }));
        };
        let path = data::link(root, &plan.name, data, &found)?;
        set.push(("data.path".to_owned(), toml::Value::String(path).to_string()));
    }
    let recipe =
        |seed| Recipe { config: &cell.config, table, set: &set, seed, device: Some("cpu") };
    let place = |folder: String| Place {
        label: cell.name.clone(),
        shown: format!("runs/{}/{}/{folder}", plan.name, cell.name),
        wanted,
    };
    let train = |seed: &u64| jobs.train(Stage::Train, recipe(*seed), place(format!("seed-{seed}")));
    let runs = seeds.iter().map(train).collect::<Result<Vec<usize>>>()?;
    let folder = format!("evaluation-{}", seeds.len());
    let scores = jobs.evaluate(recipe(seeds[0]), place(folder), runs.clone())?;
    Ok(Planned::Jobs { runs, scores })
}

fn outcome(
    plan: &Plan,
    cell: usize,
    planned: Planned,
    jobs: &[Job],
    ended: &[Option<Ended<Left>>],
) -> Outcome {
    let (runs, scores) = match planned {
        Planned::Not(state) => return Outcome { cell, commands: vec![], state },
        Planned::Jobs { runs, scores } => (runs, scores),
    };
    let all = runs.iter().chain([&scores]);
    let commands = all.clone().flat_map(|job| jobs[*job].commands()).collect();
    let failures: Vec<String> = all
        .filter_map(|job| {
            let failure = ended[*job].as_ref()?.outcome.as_ref().err()?;
            let last = failure.tail.last().map_or(String::new(), |line| format!(" ({line})"));
            Some(format!("{}: {}{last}", jobs[*job].shown, failure.reason))
        })
        .collect();
    let trained: Option<Vec<&Ended<Left>>> = runs.iter().map(|run| ended[*run].as_ref()).collect();
    let state = match (trained, &ended[scores]) {
        _ if !failures.is_empty() => State::Failed(failures),
        (Some(runs), Some(scores)) => match &scores.outcome {
            Ok(Left::Scores(evaluation)) => {
                let scored = Box::new(Scored::new(evaluation, &runs, scores));
                let checks = verdict::checks(plan.cells[cell].target, &scored);
                State::Scored { scored, checks }
            }
            _ => State::NotChosen,
        },
        _ => State::NotChosen,
    };
    Outcome { cell, commands, state }
}

fn write(root: &Path, plan: &Plan, summary: &Summary, docs: bool) -> Result<()> {
    let folder = Path::new("runs").join(&plan.name);
    let results = serde_json::to_string_pretty(&summary.json()).context("writing results.json")?;
    let mut files = vec![
        (folder.join("results.json"), results + "\n"),
        (folder.join("table.md"), summary.markdown()),
        (folder.join("table.csv"), tables::csv(plan, &summary.outcomes)),
        (folder.join("report.html"), summary.html()),
    ];
    if docs {
        files.push((DOCS.into(), summary.docs()));
    }
    for (path, text) in files {
        fs::write(root.join(&path), text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
