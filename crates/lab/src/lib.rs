//! The laboratory: trains the arms of an experiment side by side and reports on them.
//!
//! An experiment is `configs/experiments/NAME.toml`: arms of one config, benchmarks of many, or the
//! study. It is run as a list of jobs, each a few child processes of `ballast` and a folder. The
//! laboratory knows runs only by the files they leave there.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the commands of a command-line tool"
)]

mod arms;
mod attempt;
mod benchmarks;
mod binary;
mod cost;
mod figures;
mod fingerprint;
mod grid;
mod job;
mod machine;
mod number;
mod plan;
mod read;
mod report;
mod runner;
mod slurm;
mod statistics;
mod study;
mod summary;
mod table;
mod verdict;
pub mod workspace;

#[cfg(test)]
mod tests;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use plan::Plan;
use runner::Options;
use slurm::ExperimentJob;
use summary::Summary;

/// What `lab` does besides running an experiment.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    #[command(hide = true)]
    /// One task of an array of Slurm.
    ExperimentJob(ExperimentJob),
}

/// An experiment and how to run it.
#[derive(Debug, clap::Args)]
pub struct Experiment {
    /// Which: configs/experiments/NAME.toml
    #[arg(default_value = "quickstart")]
    name: String,
    /// Runs side by side, one process and one thread each
    #[arg(long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
    /// With --device cuda: share N GPUs among the jobs, each process seeing one of them
    #[arg(long, value_name = "N")]
    gpus: Option<NonZeroUsize>,
    /// Run everything again, finished or not
    #[arg(long, conflicts_with = "keep_runs")]
    fresh: bool,
    /// Reuse finished runs of the same config and data although the code has changed since
    #[arg(long)]
    keep_runs: bool,
    /// Benchmarks and the study: the folder that holds the data sets
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Benchmarks: run these cells only; others count if they are finished
    #[arg(long, value_name = "CELL", num_args = 1..)]
    only: Vec<String>,
    /// Benchmarks: the first N seeds only
    #[arg(long, value_name = "N")]
    seeds: Option<NonZeroUsize>,
    /// Benchmarks and the study: also write docs/benchmarks.md, docs/study
    #[arg(long)]
    write_docs: bool,
    /// The study: how much of it to run, as its config says
    #[arg(long, value_name = "small|full")]
    budget: Option<String>,
    /// The study: where to run, such as cuda; cpu without it
    #[arg(long)]
    device: Option<String>,
    #[command(flatten)]
    launch: slurm::Flags,
}

impl Experiment {
    /// Runs it, as the options say.
    ///
    /// # Errors
    /// A plan or options that are wrong; a failed build; failed runs, after the report on the others.
    pub fn run(self, root: &Path) -> Result<()> {
        let slurm = self.launch.slurm()?;
        let (jobs, fresh, keep_runs) = (self.jobs.get(), self.fresh, self.keep_runs);
        let gpus = self.gpus.map(NonZeroUsize::get);
        let options = Options { jobs, gpus, fresh, keep_runs, slurm };
        // Plans before anything slow, so that a typing error shows at once.
        let kind = plan::kind(root, &self.name);
        if kind.as_deref() == Some("benchmarks") {
            let plan = benchmarks::Plan::load(root, &self.name)?;
            let choice = self.choice()?;
            let executable = workspace::ballast(root)?;
            return benchmarks::conduct(root, &plan, &executable, options, &choice);
        }
        if kind.as_deref() == Some("study") {
            if !self.only.is_empty() || self.seeds.is_some() {
                bail!("--only and --seeds are for benchmarks; a study's seeds stand in its config");
            }
            let budget = self.budget.as_deref().unwrap_or("small");
            let plan = study::Plan::load(root, &self.name, budget)?;
            let cache = workspace::cache_folder();
            let choice = study::Choice {
                places: benchmarks::Places::new(self.data.as_deref(), cache.as_deref())?,
                device: self.device,
                write_docs: self.write_docs,
                command: typed(),
            };
            let executable = workspace::ballast(root)?;
            return study::conduct(root, &plan, &executable, options, &choice);
        }
        if self.budget.is_some() || self.device.is_some() {
            bail!("--budget and --device are for a study, and `{}` is none", self.name);
        }
        if self.data.is_some() || !self.only.is_empty() || self.seeds.is_some() || self.write_docs {
            bail!(
                "--data, --only, --seeds and --write-docs are for benchmarks, and `{}` is none",
                self.name
            );
        }
        let plan = Plan::load(root, &self.name)?;
        let executable = workspace::ballast(root)?;
        conduct(root, &plan, &executable, options)
    }

    fn choice(&self) -> Result<benchmarks::Choice> {
        let cache = workspace::cache_folder();
        Ok(benchmarks::Choice {
            places: benchmarks::Places::new(self.data.as_deref(), cache.as_deref())?,
            only: self.only.clone(),
            seeds: self.seeds.map(NonZeroUsize::get),
            write_docs: self.write_docs,
        })
    }
}

/// What the user typed, as it is to be typed again; folders by their last name, which is all that others share.
fn typed() -> String {
    let mut after_data = false;
    let words = std::env::args().skip(1).map(|word| {
        let folder = std::mem::replace(&mut after_data, word == "--data");
        if folder { "DIR".to_owned() } else { job::quote(&word) }
    });
    format!("cargo xtask experiment {}", words.collect::<Vec<_>>().join(" "))
}

/// Runs what is not finished, then writes tables and report; fails afterwards if any run did.
fn conduct(root: &Path, plan: &Plan, executable: &Path, options: Options) -> Result<()> {
    let Some(runs) = arms::run(plan, arms::runner(root, plan, executable, options)?)? else {
        return Ok(()); // left in a queue
    };
    let summary = Summary::new(plan, &runs);
    let machine = machine::describe(root);
    let folder = root.join("runs").join(&plan.name);
    let results = summary::results(plan, &runs, &summary, &machine);
    let results = serde_json::to_string_pretty(&results).context("writing results.json")?;
    for (file, text) in [
        ("results.json", results + "\n"),
        ("table.md", table::markdown(&summary)),
        ("table.csv", table::csv(&summary)),
        ("report.html", report::html(plan, &runs, &summary, &machine)),
    ] {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("\n{}", plan.title);
    for answer in &summary.answers {
        println!("- {answer}");
    }
    println!("\n{}", table::terminal(&summary));
    println!("report: runs/{}/report.html", plan.name);
    failures(&runs)
}

/// Every failed run with the end of its log; an error if there is one.
fn failures(runs: &[arms::Run]) -> Result<()> {
    let failed: Vec<_> =
        runs.iter().filter_map(|run| Some((run, run.outcome.as_ref().err()?))).collect();
    if failed.is_empty() {
        return Ok(());
    }
    for (run, failure) in &failed {
        eprintln!("\nfailed: {} ({})", run.shown, failure.reason);
        for line in &failure.tail {
            eprintln!("    {line}");
        }
        eprintln!("  all of it: {}/log.txt", run.shown);
    }
    bail!("{} of {} runs failed; run the same command to try them again", failed.len(), runs.len())
}
