//! The report of an experiment of arms.

use super::compare::Kind;
use super::plan::Plan;
use super::summary::Summary;
use super::table::{caption, table};
use super::{Run, figures};
use crate::experiment::failed;
use crate::launch::Origin;
use crate::machine::Machine;
use crate::number::{duration, plain};
use crate::page::{Block, Column, Document, Fold, Form, Head, Table, Tone, count, fill};

pub(super) fn document(
    plan: &Plan,
    runs: &[Run],
    summary: &Summary,
    machine: &Machine,
) -> Document {
    let mut document = Document::new(&plan.title, &plan.question);
    document.add(Block::Answers(summary.answers.clone()));
    let note = "Differences of the standardized CRPS, paired by window and seed, ± one standard error; smaller is \
                better. A claim is answered where the 95 % interval leaves out zero, and undecided where it does not.";
    document.add(Block::Only(&[Form::Page], vec![Block::Paragraph(Tone::Note, note.to_owned())]));
    for warning in &summary.warnings {
        document.paragraph(Tone::Warning, warning);
    }
    document.heading("Scores");
    document.add(Block::Table(table(summary)));
    document.paragraph(Tone::Note, caption(summary));
    document.add(Block::Only(&[Form::Page], vec![Block::Figures(figures::scores(summary))]));
    if runs.iter().any(|run| run.outcome.is_ok()) {
        let note = "Training data are noised and validation data are not, so the two losses of an arm need not meet; \
                    compare the validation curves between arms.";
        document.figures("Learning", note, figures::learning(plan, runs));
        if let Some((source, fans)) = figures::fans(plan, runs, summary) {
            let note = format!("Forecasts of the best arm ({source}), chosen by their CRPS.");
            document.figures("A good, a median and a bad forecast", &note, fans);
        }
        let both = [figures::calibration(plan, runs, summary), figures::noise(plan, runs)];
        document.figures("Calibration and noise", "", both.into_iter().flatten().collect());
    }
    document.add(Block::Only(&[Form::Page], details(plan, runs, summary, machine)));
    document
}

/// The sections on how the numbers came about.
fn details(plan: &Plan, runs: &[Run], summary: &Summary, machine: &Machine) -> Vec<Block> {
    let mut document = Document::default();
    document.heading("Every run");
    let note = "Each number above comes from these folders, which lie beside this file: config.toml, metrics.jsonl, \
                run.json, evaluation.json, log.txt.";
    document.paragraph(Tone::Note, note);
    document.add(Block::Table(every_run(plan, runs)));
    for run in runs {
        let Err(failure) = run.outcome else { continue };
        document.blocks.extend(failed(run.shown, failure));
    }
    document.heading("What was run");
    document.add(Block::Code(format!("cargo xtask experiment {}", plan.file.name)));
    document.add(Block::Facts(facts(plan, runs, machine)));
    let commands: Vec<&str> =
        runs.iter().flat_map(|run| &run.commands).map(String::as_str).collect();
    document.add(Fold::code("Each run by itself", commands.join("\n")));
    document.add(Fold::code(plan.file.path.display().to_string(), &plan.file.text));
    document.add(Fold::code(plan.base.path.display().to_string(), &plan.base.text));
    document.heading("Limits");
    let arms = summary.rows.iter().filter(|row| row.kind == Kind::Arm).count();
    let values = [
        ("seeds", count(plan.seeds.len(), "seed")),
        ("claims", count(summary.answers.len(), "claim")),
        ("arms", count(arms, "arm")),
    ];
    document.list(&fill(include_str!("limits.md"), &values));
    document.blocks
}

fn every_run(plan: &Plan, runs: &[Run]) -> Table {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by_key(|run| run.arm);
    let head = |run: &&Run| {
        // Relative to the report, so that the folder can be moved as a whole.
        let here = run.shown.splitn(3, '/').nth(2).unwrap_or(run.shown);
        let first = sorted.iter().find(|other| other.arm == run.arm);
        let id = first.is_some_and(|first| std::ptr::eq(*first, *run));
        Head {
            link: Some(format!("{here}/")),
            id: id.then(|| format!("runs-{}", plan.arms[run.arm].name)),
            ..Head::new(here)
        }
    };
    let columns: [Column<&Run>; 5] = [
        Column::new("state", "reused runs were finished before", |run: &&Run| {
            Some(match (&run.outcome, run.origin) {
                (Err(_), _) => "failed".to_owned(),
                (Ok(_), Origin::New) => "new".to_owned(),
                (Ok(_), Origin::Reused) => "reused".to_owned(),
                (Ok(_), Origin::OtherCode) => "reused (other code)".to_owned(),
            })
        }),
        Column::new("test CRPS", "original units", |run: &&Run| {
            Some(plain(run.outcome.ok()?.model().test.crps))
        }),
        Column::new("standardized", "the same, standardized", |run: &&Run| {
            Some(plain(run.outcome.ok()?.model().test.crps_standardized))
        }),
        Column::new(
            "epochs (best)",
            "trained, and the one with the best validation score",
            |run: &&Run| {
                let fitted = &run.outcome.ok()?.info.fitted;
                Some(format!("{} ({})", fitted.epochs, fitted.best_epoch))
            },
        ),
        Column::new("training", "by the clock", |run: &&Run| {
            Some(duration(run.outcome.ok()?.info.wall_seconds))
        }),
    ];
    Table::new("run", &sorted, head, &columns).unexplained()
}

/// Name and value of what is worth knowing about code, machine and data.
fn facts(plan: &Plan, runs: &[Run], machine: &Machine) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(run) = runs.iter().find_map(|run| run.outcome.ok()) {
        let (info, evaluation) = (&run.info, &run.evaluation);
        let data = &info.data;
        let hash: String = data.fingerprint.chars().take(16).collect();
        add("data", format!("{}, {} rows, fingerprint {hash}", data.name, data.rows));
        let windows = &data.windows;
        let (train, validation, test) = (windows.train, windows.validation, windows.test);
        add("windows", format!("{train} training, {validation} validation, {test} test"));
        add(
            "task",
            format!(
                "{} rows to {} of {}; {} samples per forecast",
                evaluation.context,
                evaluation.horizon,
                evaluation.channels.join(", "),
                evaluation.samples
            ),
        );
        add("device", format!("{}, {} per run", info.device, count(info.threads, "thread")));
        add("parameters", info.fitted.parameters.to_string());
        add("ballast", info.ballast.clone());
        add("libtorch", info.libtorch.clone());
    }
    let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
    add("seeds", seeds.join(", "));
    facts.extend(machine.facts());
    facts
}
