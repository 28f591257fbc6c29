//! The ring: what a stranger gets on tasks where others have published scores.

mod page;
mod plan;
mod published;
mod resample;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use page::Summary;
use plan::{Plan, Source, TaskPlan};
use published::Published;
use terminal::note;

use crate::backtest::{self, Backtests, Task};
use crate::experiment::{Context, Experiment, Report};
use crate::launch::{Jobs, Ran};
use crate::places::{Data, link};
use crate::plan::PlanFile;
use crate::scores::{Backtest, Columns, Origins};

/// The options of this kind.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) folder: PathBuf,
    /// The table by the hour of which tasks use means.
    pub(crate) ett: Option<PathBuf>,
    /// Tasks to run; all for none.
    pub(crate) only: Vec<String>,
    /// The number of seeds, from the first on.
    pub(crate) seeds: Option<usize>,
    /// Whether to fit again at each origin too.
    pub(crate) refit: bool,
    /// Whether the page is written for a part of the tasks too.
    pub(crate) write_docs: bool,
}

const DOCS: &str = "docs/ring.md";

/// The experiment.
pub(crate) struct Ring {
    name: String,
    plan: Plan,
    choice: Choice,
    seeds: Vec<u64>,
    published: Published,
    backtests: Backtests,
    /// Tasks that cannot be run, and why.
    missing: Vec<String>,
}

impl Ring {
    pub(crate) fn new(file: &PlanFile, choice: Choice) -> Result<Ring> {
        let plan = Plan::read(file)?;
        for name in &choice.only {
            let known = plan.tasks.iter().any(|task| task.name == *name);
            ensure!(known, "--only {name}: no such task in {}", file.path.display());
        }
        if let Some(file) = &choice.ett {
            ensure!(file.is_file(), "--ett {}: no such file", file.display());
        }
        let published =
            Published::read(&choice.folder.join("published.csv")).context("published.csv")?;
        let seeds = plan.seeds.iter().copied().take(choice.seeds.unwrap_or(usize::MAX)).collect();
        let (backtests, missing) = (Backtests::default(), Vec::new());
        let name = file.name.clone();
        Ok(Ring { name, plan, choice, seeds, published, backtests, missing })
    }

    fn task(&self, task: &TaskPlan, jobs: &Jobs) -> Result<Task> {
        let file = match &task.source {
            Source::File(name) => {
                let found = self.choice.folder.join(name);
                ensure!(found.is_file(), "{} is missing", found.display());
                link(jobs.root, &self.name, &Data { path: name.clone(), fetch: None }, &found)?
            }
            Source::Every(period) => {
                let hourly = self.choice.ett.as_ref();
                let hourly = hourly.context("left out: name ETTh1.csv with `--ett FILE`")?;
                let shown = format!("runs/{}/data/{}.csv", self.name, task.name);
                let means = resample::means(hourly, *period)
                    .with_context(|| format!("{}", hourly.display()))?;
                resample::write(&jobs.root.join(&shown), &means)?;
                shown
            }
        };
        let columns = Columns::read(&jobs.root.join(&file), &[])?;
        let rows = task.horizon * task.windows;
        ensure!(rows < columns.rows(), "{} rows are too few for it", columns.rows());
        let only = &self.choice.only;
        Ok(Task {
            name: task.name.clone(),
            label: task.label.clone(),
            file,
            columns,
            named: false,
            origins: Origins { horizon: task.horizon, rows, stride: task.horizon },
            season: task.season,
            wanted: only.is_empty() || only.contains(&task.name),
        })
    }
}

impl Experiment for Ring {
    type Left = Backtest;

    fn name(&self) -> &str {
        &self.name
    }

    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()> {
        for task in &self.plan.tasks {
            match self.task(task, jobs) {
                Ok(task) => self.backtests.tasks.push(task),
                Err(error) => {
                    note(format_args!("not run: {}: {error:#}", task.label));
                    self.missing.push(format!("Not run: {}: {error:#}.", task.label));
                }
            }
        }
        self.backtests.plan(&self.name, &self.seeds, self.choice.refit, jobs)
    }

    fn report(&self, ran: &Ran<Backtest>, context: &Context) -> Report {
        let all = self.backtests.collect(ran);
        let summary = Summary::new(self, &all);
        let document = summary.document(&context.machine);
        let write = self.choice.write_docs || self.choice.only.is_empty();
        Report {
            results: summary.json(&context.machine),
            beside: vec![("table.csv", summary.csv())],
            docs: write.then(|| (DOCS.into(), backtest::docs(&document, &self.name))),
            closing: format!("{}\n", summary.headline()),
            failed: backtest::failed(&all),
            document,
        }
    }
}
