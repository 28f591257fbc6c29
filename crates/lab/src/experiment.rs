//! The common shape of all kinds of experiment: jobs to be done, and a report on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use terminal::{note, print};

use crate::launch::{Failure, Job, Jobs, Options, Product, Ran, Runner};
use crate::machine::{self, Machine};
use crate::page::{Block, Document, Tone};

/// An experiment whose plan is in order.
///
/// Each kind is a type: it is made from a [`PlanFile`](crate::plan::PlanFile) and the options of its kind, lists its
/// jobs, and judges what these leave.
pub(crate) trait Experiment {
    /// The results of one job.
    type Left: Product;

    /// The folder of the experiment is `runs/NAME`.
    fn name(&self) -> &str;

    /// Adds the jobs, those that others need before these; notes which is which.
    fn jobs(&mut self, jobs: &mut Jobs) -> Result<()>;

    /// Judges what the jobs left, failures among it.
    fn report(&self, ran: &Ran<Self::Left>, context: &Context) -> Report;
}

/// Where and when an experiment was run.
pub(crate) struct Context<'a> {
    pub(crate) root: &'a Path,
    pub(crate) executable: &'a Path,
    pub(crate) machine: Machine,
    pub(crate) started: Instant,
}

/// The result of an experiment.
pub(crate) struct Report {
    pub(crate) document: Document,
    /// `results.json`: every number of the document, with the run directory it comes from.
    pub(crate) results: Value,
    /// Tables for programs and a figure to show, by file name.
    pub(crate) beside: Vec<(&'static str, String)>,
    /// A page of the repository, by its path: for `--write-docs`.
    pub(crate) docs: Option<(PathBuf, String)>,
    /// The last lines on a terminal: what to take away.
    pub(crate) closing: String,
    /// The share that failed, such as `2 of 12 runs`.
    pub(crate) failed: Option<String>,
}

/// Does the jobs that are not finished, then writes tables and report. Fails afterwards if any job did.
pub(crate) fn conduct<E: Experiment>(
    root: &Path,
    executable: &Path,
    options: Options,
    mut experiment: E,
) -> Result<()> {
    let started = Instant::now();
    let mut jobs = Jobs::new(root, executable)?;
    experiment.jobs(&mut jobs)?;
    let runner = Runner::new(root, experiment.name(), jobs, options)?;
    let Some(ran) = runner.run::<E::Left>()? else {
        return Ok(()); // left in a queue
    };
    let context = Context { root, executable, machine: machine::describe(root), started };
    let report = experiment.report(&ran, &context);
    let name = experiment.name();
    report.write(root, name)?;
    print(format_args!("\n{}", report.document.terminal()))?;
    print(format_args!("{}report: runs/{name}/report.html", report.closing))?;
    if let Some((page, _)) = &report.docs {
        print(format_args!("page: {}", page.display()))?;
    }
    failures(&ran);
    match report.failed {
        Some(failed) => bail!("{failed} failed; run the same command to try them again"),
        None => Ok(()),
    }
}

impl Report {
    fn write(&self, root: &Path, name: &str) -> Result<()> {
        let folder = Path::new("runs").join(name);
        let results =
            serde_json::to_string_pretty(&self.results).context("writing results.json")?;
        let mut files = vec![
            (folder.join("results.json"), results + "\n"),
            (folder.join("table.md"), self.document.markdown()),
            (folder.join("report.html"), self.document.html()),
        ];
        files.extend(self.beside.iter().map(|(file, text)| (folder.join(file), text.clone())));
        files.extend(self.docs.clone());
        for (path, text) in files {
            let whole = root.join(&path);
            let parent = whole.parent().unwrap_or(root);
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
            files::write_text(&whole, &text)
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

/// A failed job in a report: the reason, and the end of its log.
pub(crate) fn failed(shown: &str, failure: &Failure) -> [Block; 2] {
    let reason = format!("Failed: {}; all of it: {shown}/log.txt", failure.reason);
    [Block::Paragraph(Tone::Warning, reason), Block::Code(failure.tail.join("\n"))]
}

/// Prints every failed job with the end of its log.
fn failures<T>((jobs, ended): &Ran<T>) {
    for (Job { shown, .. }, ended) in jobs.iter().zip(ended) {
        let Some(Err(failure)) = ended.as_ref().map(|ended| &ended.outcome) else { continue };
        note(format_args!("\nfailed: {shown} ({})", failure.reason));
        failure.tail.iter().for_each(|line| note(format_args!("    {line}")));
        note(format_args!("  all of it: {shown}/log.txt"));
    }
}
