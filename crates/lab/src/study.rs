//! The study: whether noise, and adding the clean signal back to it, prevents overfitting.
//!
//! The plan says what is run and what is compared; a run is one arm in one cell (data, model, share of the training
//! rows) with one seed. Everything is judged from the files that runs leave.

mod claims;
mod figures;
mod infer;
mod measure;
mod plan;
mod report;
mod runs;
mod simulate;
mod tables;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
pub(super) use plan::Plan;
use serde_json::json;

use super::benchmarks::Places;
use super::job::Jobs;
use super::machine;
use super::runner::{Options, Runner};
use measure::Table;
use report::Report;

/// Where `--write-docs` puts the results.
const DOCS: &str = "docs/study";

/// What the user chose besides how to run.
pub(super) struct Choice {
    pub(super) places: Places,
    /// `cuda:1` and the like; the processor without it.
    pub(super) device: Option<String>,
    /// Whether to write docs/study.
    pub(super) write_docs: bool,
    /// The command line, for the report.
    pub(super) command: String,
}

/// Runs what is not finished, then writes tables and report; fails afterwards if any run did.
pub(super) fn conduct(
    root: &Path,
    plan: &Plan,
    executable: &Path,
    options: Options,
    choice: &Choice,
) -> Result<()> {
    let started = Instant::now();
    let mut jobs = Jobs::new(root, executable)?;
    let device = choice.device.as_deref().or(Some("cpu"));
    let (planned, missing) = runs::plan(root, plan, &choice.places, device, &mut jobs)?;
    for missing in &missing {
        eprintln!("not run: {}: {}", plan.data[missing.data].label, missing.remedy);
    }
    let count = planned.len();
    let runner = Runner::new(root, &plan.name, jobs, options)?;
    let Some((jobs, ended)) = runner.run()? else {
        return Ok(()); // left in a queue
    };
    let runs = runs::collect(planned, jobs, ended);
    let table = Table::new(plan, &runs);
    let verdicts = claims::verdicts(&table);
    let machine = machine::describe(root);
    let report = Report {
        table: &table,
        runs: &runs,
        planned: count,
        missing: &missing,
        verdicts: &verdicts,
        machine: &machine,
        root,
        executable,
        command: choice.command.clone(),
        seconds: started.elapsed().as_secs_f64(),
    };
    let results = json!({
        "title": plan.title, "budget": plan.budget, "seeds": plan.seeds, "command": choice.command,
        "planned": count, "machine": machine, "claims": verdicts,
        "runs": runs.iter().map(|run| json!({
            "folder": run.shown, "cell": plan.cell_folder(&plan.cells[run.cell]), "arm": plan.arms[run.arm].name,
            "seed": run.seed, "origin": run.origin, "failure": run.outcome.as_ref().err(),
        })).collect::<Vec<_>>(),
    });
    let results = serde_json::to_string_pretty(&results).context("writing results.json")?;
    let files = [
        ("results.json", results + "\n"),
        ("table.md", report.markdown()),
        ("table.csv", tables::csv(&table)),
        ("comparisons.csv", tables::comparisons_csv(&verdicts)),
        ("report.html", report.html()),
    ];
    let own = root.join("runs").join(&plan.name);
    let docs = choice.write_docs.then(|| root.join(DOCS));
    for folder in [Some(own), docs].into_iter().flatten() {
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        for (file, text) in &files {
            let path = folder.join(file);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    println!("\n{}", plan.title);
    for verdict in &verdicts {
        println!("- {}. {}", verdict.outcome.word(), verdict.says);
        for answer in &verdict.answers {
            println!(
                "    {} {}: {}",
                answer.asks,
                answer.outcome.word(),
                answer.evidence(plan.alpha)
            );
        }
    }
    println!("\nreport: runs/{}/report.html", plan.name);
    let failed: Vec<&runs::Run> = runs.iter().filter(|run| run.outcome.is_err()).collect();
    for run in &failed {
        if let Err(failure) = &run.outcome {
            eprintln!(
                "failed: {} ({}); all of it: {}/log.txt",
                run.shown, failure.reason, run.shown
            );
        }
    }
    if !failed.is_empty() {
        bail!("{} of {count} runs failed; run the same command to try them again", failed.len());
    }
    Ok(())
}
