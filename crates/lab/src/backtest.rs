//! Backtests of data files: what a stranger types, once for each seed, scored from the files that it leaves.

mod measure;

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use stats::Spread;

pub(crate) use measure::{Measure, measures};

use crate::launch::{Job, Jobs, Origin, Place, Product, Ran};
use crate::machine::Machine;
use crate::page::{Block, Document, Fold, Form, Tone, count};
use crate::scores::{Backtest, Columns, Origins, POOL, Score, score};

impl Product for Backtest {
    fn read(_: &Job, folder: &Path) -> Result<Backtest> {
        Backtest::read(folder)
    }

    fn headline(&self) -> String {
        let lines = self.of(POOL).map_or(0, |forecasts| forecasts.lines.len());
        count(lines, "forecast value")
    }
}

/// One data file and the part of it that is forecast.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Also the folder: `runs/EXPERIMENT/NAME`.
    pub(crate) name: String,
    pub(crate) label: String,
    /// Relative to the workspace.
    pub(crate) file: String,
    pub(crate) columns: Columns,
    /// Whether the columns are named on the command line.
    pub(crate) named: bool,
    pub(crate) origins: Origins,
    /// Rows between the values whose difference is the naive error of scaled scores.
    pub(crate) season: usize,
    /// Whether to run it; else it counts if it has finished before.
    pub(crate) wanted: bool,
}

/// The place of a run in the plan.
#[derive(Debug)]
struct Planned {
    task: usize,
    refit: bool,
}

/// The backtests of an experiment.
#[derive(Debug, Default)]
pub(crate) struct Backtests {
    pub(crate) tasks: Vec<Task>,
    planned: Vec<Planned>,
}

/// A task with all its seeds, in one way of fitting.
#[derive(Debug, Serialize)]
pub(crate) struct Tried<'a> {
    #[serde(skip)]
    pub(crate) task: &'a Task,
    pub(crate) refit: bool,
    pub(crate) runs: Vec<Scored>,
    pub(crate) failures: Vec<String>,
    pub(crate) commands: Vec<String>,
}

/// The scores of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Scored {
    pub(crate) seed: u64,
    pub(crate) scores: Vec<(String, Score)>,
    pub(crate) weights: Vec<(String, f64)>,
    /// Processor seconds.
    pub(crate) seconds: Option<f64>,
    pub(crate) origin: Origin,
}

impl Backtests {
    /// Adds a job for each seed of each task; with `refit` also those that fit again at each origin.
    pub(crate) fn plan(
        &mut self,
        experiment: &str,
        seeds: &[u64],
        refit: bool,
        jobs: &mut Jobs,
    ) -> Result<()> {
        let arms: &[bool] = if refit { &[false, true] } else { &[false] };
        for (index, task) in self.tasks.iter().enumerate() {
            for (&refit, &seed) in arms.iter().flat_map(|arm| seeds.iter().map(move |s| (arm, s))) {
                let arm = if refit { "refit-" } else { "" };
                let place = Place {
                    label: format!("{}{}", task.name, if refit { " refit" } else { "" }),
                    shown: format!("runs/{experiment}/{}/{arm}seed-{seed}", task.name),
                    wanted: task.wanted,
                };
                jobs.backtest(&task.file, &task.options(refit), seed, place)?;
                self.planned.push(Planned { task: index, refit });
            }
        }
        Ok(())
    }

    /// Scores what the jobs left, task by task.
    pub(crate) fn collect(&self, (jobs, ended): &Ran<Backtest>) -> Vec<Tried<'_>> {
        let mut all: Vec<Tried> = Vec::new();
        for (Planned { task, refit }, (job, ended)) in
            self.planned.iter().zip(jobs.iter().zip(ended))
        {
            let task = &self.tasks[*task];
            if !all.last().is_some_and(|t| t.task.name == task.name && t.refit == *refit) {
                let (runs, failures, commands) = (vec![], vec![], vec![]);
                all.push(Tried { task, refit: *refit, runs, failures, commands });
            }
            let (Some(tried), Some(ended)) = (all.last_mut(), ended) else { continue };
            tried.commands.extend(job.commands());
            let scored = match &ended.outcome {
                Ok(backtest) => task.score(backtest).map_err(|error| format!("{error:#}")),
                Err(failure) => Err(failure.reason.clone()),
            };
            match scored {
                Ok((scores, weights)) => {
                    let (seconds, origin) = (ended.cost.of("backtest"), ended.origin);
                    let seed = job.seed;
                    tried.runs.push(Scored { seed, scores, weights, seconds, origin });
                }
                Err(reason) => tried.failures.push(format!("{}: {reason}", job.shown)),
            }
        }
        all
    }
}

type Scores = (Vec<(String, Score)>, Vec<(String, f64)>);

impl Task {
    fn options(&self, refit: bool) -> Vec<String> {
        let Origins { horizon, rows, stride } = self.origins;
        let numbers = [("--horizon", horizon), ("--rows", rows), ("--stride", stride)];
        let numbers = numbers.into_iter().flat_map(|(name, n)| [name.to_owned(), n.to_string()]);
        let names = self.columns.names.iter().filter(|_| self.named);
        let targets = names.flat_map(|name| ["--target".to_owned(), name.clone()]);
        numbers.chain(targets).chain(refit.then(|| "--refit".to_owned())).collect()
    }

    fn score(&self, backtest: &Backtest) -> Result<Scores> {
        let forecasts = backtest.checked(&self.columns, self.origins)?;
        let scores = forecasts
            .into_iter()
            .map(|f| (f.forecaster, score(&f.lines, &self.columns, self.season)))
            .collect();
        Ok((scores, backtest.weights.clone()))
    }
}

impl Tried<'_> {
    /// A score of a forecaster over seeds; `None` unless every run that ended well has it.
    pub(crate) fn spread(&self, forecaster: &str, of: fn(&Score) -> f64) -> Option<Spread> {
        let each: Option<Vec<f64>> =
            self.runs.iter().map(|run| run.score(forecaster, of)).collect();
        Spread::of(each?)
    }

    pub(crate) fn mean(&self, forecaster: &str, of: fn(&Score) -> f64) -> Option<f64> {
        Some(self.spread(forecaster, of)?.mean)
    }

    /// Processor seconds of a run, mean over seeds.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let each: Option<Vec<f64>> = self.runs.iter().map(|run| run.seconds).collect();
        Some(Spread::of(each?)?.mean)
    }

    /// Weights of the pool's members, mean over seeds, the largest first.
    pub(crate) fn weights(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = Vec::new();
        for (member, weight) in self.runs.iter().flat_map(|run| &run.weights) {
            let share = weight / self.runs.len() as f64;
            match all.iter_mut().find(|(name, _)| name == member) {
                Some((_, sum)) => *sum += share,
                None => all.push((member.clone(), share)),
            }
        }
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

impl Scored {
    /// A finite score of a forecaster.
    pub(crate) fn score(&self, forecaster: &str, of: fn(&Score) -> f64) -> Option<f64> {
        let (_, score) = self.scores.iter().find(|(name, _)| name == forecaster)?;
        Some(of(score)).filter(|value| value.is_finite())
    }
}

/// The forecasters of some tasks in the order in which they first appear.
pub(crate) fn forecasters(all: &[Tried]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in all.iter().flat_map(|tried| &tried.runs).flat_map(|run| &run.scores) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Notes before the numbers are trusted: what failed, what is of other code, what was not asked for.
pub(crate) fn warnings(all: &[Tried], seeds: usize) -> Vec<String> {
    let mut warnings: Vec<String> =
        all.iter().flat_map(|tried| &tried.failures).map(|f| format!("Failed: {f}.")).collect();
    let runs = || all.iter().flat_map(|tried| &tried.runs);
    let other = runs().filter(|run| run.origin == Origin::OtherCode).count();
    if other > 0 {
        let runs = count(other, "run");
        warnings.push(format!("{runs} of another version of the code, kept (`--keep-runs`)."));
    }
    let short = all.iter().filter(|tried| tried.runs.len() < seeds);
    let short: Vec<&str> = short.map(|tried| tried.task.label.as_str()).collect();
    if !short.is_empty() {
        warnings.push(format!("Not all of {} in: {}.", count(seeds, "seed"), short.join(", ")));
    }
    warnings
}

/// The number of runs that failed, for the last line of a command.
pub(crate) fn failed(all: &[Tried]) -> Option<String> {
    let failed: usize = all.iter().map(|tried| tried.failures.len()).sum();
    let runs: usize = all.iter().map(|tried| tried.runs.len()).sum::<usize>() + failed;
    (failed > 0).then(|| format!("{failed} of {}", count(runs, "run")))
}

/// Adds machine and protocol, and on a page the commands of each task.
pub(crate) fn conclude(document: &mut Document, all: &[Tried], notes: &[String], on: &Machine) {
    document.heading("Protocol");
    document.list(&notes.iter().map(|note| format!("- {note}\n")).collect::<String>());
    let mut facts = on.facts();
    facts.retain(|(name, _)| name == "commit" || name == "machine");
    document.add(Block::Facts(facts));
    let commands = |tried: &Tried| {
        let arm = if tried.refit { ", refitted at each origin" } else { "" };
        Fold::code(format!("{}{arm}", tried.task.label), tried.commands.join("\n"))
    };
    let mut blocks = vec![Block::Heading("Commands".to_owned())];
    blocks.extend(all.iter().map(commands));
    document.add(Block::Only(&[Form::Page], blocks));
}

/// The page of the repository.
pub(crate) fn docs(document: &Document, experiment: &str) -> String {
    format!(
        "<!-- Written by `cargo xtask experiment {experiment}`: change the code or the plan, not this page. -->\n\
         # {}\n\n{}",
        document.title,
        document.markdown()
    )
}

/// The first paragraphs: where we stand, warnings, and what was asked in forms that do not show it.
pub(crate) fn open(document: &mut Document, headline: &str, warnings: Vec<String>) {
    document.paragraph(Tone::Strong, headline);
    for warning in warnings {
        document.paragraph(Tone::Warning, warning);
    }
    let question = Block::Paragraph(Tone::Note, document.question.clone());
    document.add(Block::Only(&[Form::Markdown], vec![question]));
}
