//! Small series: what a stranger gets on a folder of them, beside the scores of others.

mod page;
mod peers;
mod plan;
mod standing;
mod summary;
mod tables;

use std::path::Path;

use anyhow::{Context as _, Result};
use peers::Peers;
use plan::{Plan, Series};
use summary::Summary;
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
    pub(crate) folder: std::path::PathBuf,
    /// Series to run; all for none.
    pub(crate) only: Vec<String>,
    /// The number of seeds, from the first on.
    pub(crate) seeds: Option<usize>,
    /// Whether the page is written for a part of the series too.
    pub(crate) write_docs: bool,
}

const DOCS: &str = "docs/small.md";

/// The experiment.
pub(crate) struct Small {
    name: String,
    plan: Plan,
    choice: Choice,
    seeds: Vec<u64>,
    series: Vec<Series>,
    peers: Peers,
    backtests: Backtests,
    /// Series that cannot be run, and why.
    missing: Vec<String>,
}

impl Small {
    pub(crate) fn new(file: &PlanFile, choice: Choice) -> Result<Small> {
        let plan = Plan::read(file)?;
        let series = plan::series(&choice.folder)?;
        for name in &choice.only {
            let known = series.iter().any(|series| series.name == *name);
            anyhow::ensure!(known, "--only {name}: no such series in series.json");
        }
        let peers = Peers::read(&choice.folder.join("peers.csv")).context("peers.csv")?;
        let seeds = plan.seeds.iter().copied().take(choice.seeds.unwrap_or(usize::MAX)).collect();
        let (backtests, missing) = (Backtests::default(), Vec::new());
        let name = file.name.clone();
        Ok(Small { name, plan, choice, seeds, series, peers, backtests, missing })
    }

    fn task(&self, series: &Series, name: String, root: &Path) -> Result<Task> {
        let found = series.find(&self.choice.folder)?;
        let columns =
            Columns::read(&found, &series.cols).with_context(|| format!("{}", found.display()))?;
        series.check(columns.rows())?;
        let data = Data { path: format!("{name}.csv").into(), fetch: None };
        let only = &self.choice.only;
        Ok(Task {
            file: link(root, &self.name, &data, &found)?,
            label: series.name.clone(),
            name,
            columns,
            named: true,
            origins: Origins { horizon: series.horizon, rows: series.test, stride: series.stride },
            season: 1,
            wanted: only.is_empty() || only.contains(&series.name),
        })
    }
}

impl Experiment for Small {
    type Left = Backtest;

    fn name(&self) -> &str {
        &self.name
    }

    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()> {
        for (series, name) in self.series.iter().zip(plan::folders(&self.series)) {
            match self.task(series, name, jobs.root) {
                Ok(task) => self.backtests.tasks.push(task),
                Err(error) => {
                    note(format_args!("not run: {}: {error:#}", series.name));
                    self.missing.push(format!("Not run: {}: {error:#}.", series.name));
                }
            }
        }
        self.backtests.plan(&self.name, &self.seeds, false, jobs)
    }

    fn report(&self, ran: &Ran<Backtest>, context: &Context) -> Report {
        let all = self.backtests.collect(ran);
        let summary = Summary::new(self, &all);
        let document = summary.document(&context.machine);
        let write = self.choice.write_docs || self.choice.only.is_empty();
        Report {
            results: summary.json(&context.machine),
            beside: vec![("table.csv", tables::csv(&summary))],
            docs: write.then(|| (DOCS.into(), backtest::docs(&document, &self.name))),
            closing: format!("{}\n", summary.headline()),
            failed: backtest::failed(&all),
            document,
        }
    }
}
