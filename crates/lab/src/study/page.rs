//! The report of a study.

use super::claims::Judged;
use super::measure::Table;
use super::runs::{Missing, Run};
use super::{figures, tables};
use crate::experiment::{Context, failed};
use crate::launch::Origin;
use crate::number::{duration, plain};
use crate::page::{Block, Document, Fold, Form, Item, Tone, count, fill};

/// Everything that the report is made of.
pub(super) struct Material<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) runs: &'a [Run<'a>],
    pub(super) planned: usize,
    pub(super) missing: &'a [Missing],
    pub(super) claims: &'a [Judged],
    pub(super) context: &'a Context<'a>,
    /// The command line.
    pub(super) command: &'a str,
}

const PAGE: &[Form] = &[Form::Page];
const NOT_TERMINAL: &[Form] = &[Form::Page, Form::Markdown];

impl Material<'_> {
    pub(super) fn document(&self) -> Document {
        let plan = self.table.plan;
        let mut document = Document::new(&plan.title, &plan.question);
        let answers = self.claims.iter().map(|claim| claim.answer(plan.alpha)).collect();
        document.add(Block::Answers(answers));
        let alpha = [("alpha", (100.0 * plan.alpha).to_string())];
        let note = fill(include_str!("judged.md"), &alpha).replace('\n', " ");
        document.add(Block::Only(PAGE, vec![Block::Paragraph(Tone::Note, note)]));
        for warning in self.warnings() {
            document.paragraph(Tone::Warning, warning);
        }
        self.figures(&mut document);
        let mut details = Document::default();
        self.cells(&mut details);
        self.every_comparison(&mut details);
        details.add(Block::Only(PAGE, self.every_run()));
        self.how(&mut details);
        document.add(Block::Only(NOT_TERMINAL, details.blocks));
        document
    }

    fn figures(&self, document: &mut Document) {
        let table = self.table;
        document.figures("Overfitting against the amount of data", "", figures::gap(table));
        let note = "The strength with which x₀ is added back, between plain diffusion and no noise at all.";
        document.figures("Test score against λ", note, figures::strength(table));
        let note = "Models whose forecasts use the latent variable alone.";
        document.figures("Features over the diffusion steps", note, figures::features(table));
        let density = figures::density(table, self.context.root, self.context.executable);
        document.figures("Re-injection and the steps", "", density.into_iter().collect());
        let both = [figures::bias(table), figures::latent(table)];
        let note = "Strong target noise in the first figure (κ = 1, inputs clean).";
        document.figures("Targets", note, both.into_iter().flatten().collect());
        document.figures("Learning curves", "", figures::learning(table));
        if let Some((source, fans)) = figures::fans(table) {
            let note = format!("Forecasts of {source}.");
            document.figures("A good, a median and a bad forecast", &note, fans);
        }
        document.figures("Calibration", "", figures::calibration(table));
    }

    fn cells(&self, document: &mut Document) {
        document.heading("Every cell");
        let note = "Arms above the rule, then tuned arms, baselines, and the best possible score where it is known. \
                    Standard deviations are over seeds.";
        document.paragraph(Tone::Note, note);
        for (index, cell) in self.table.plan.cells.iter().enumerate() {
            let table = tables::cell(self.table, index);
            // One explanation of the columns is enough.
            let table = if index == 0 { table } else { table.unexplained() };
            let fold = Fold::new(self.table.plan.cell_label(cell), vec![Block::Table(table)]);
            document.add(Block::Fold(Fold { open: index == 0, ..fold }));
        }
    }

    fn every_comparison(&self, document: &mut Document) {
        document.heading("Every comparison");
        for test in self.claims.iter().flat_map(|claim| &claim.answers) {
            if !test.comparisons.is_empty() {
                let table = Block::Table(tables::comparisons(test));
                document.add(Block::Fold(Fold::new(&test.asks, vec![table])));
            }
        }
    }

    fn every_run(&self) -> Vec<Block> {
        let mut document = Document::default();
        document.heading("Every run");
        let failures = self.runs.iter().filter(|run| run.outcome.is_err()).count();
        let note = format!(
            "{} of {} planned runs finished, {failures} failed. Each number above comes from these folders, which lie \
             beside this file.",
            self.runs.len() - failures,
            self.planned
        );
        document.paragraph(Tone::Note, note);
        for run in self.runs {
            let Err(failure) = run.outcome else { continue };
            document.blocks.extend(failed(run.shown, failure));
        }
        for (index, cell) in self.table.plan.cells.iter().enumerate() {
            let item = |run: &Run| {
                // Relative to the report, so that the folder can be moved as a whole.
                let here = run.shown.splitn(3, '/').nth(2).unwrap_or(run.shown);
                let kept = if run.origin == Origin::OtherCode { " (other code)" } else { "" };
                let text = match run.outcome {
                    Ok(run) => plain(run.chosen.model().test.crps_standardized) + kept,
                    Err(_) => "failed".to_owned(),
                };
                Item { link: Some(here.to_owned()), text }
            };
            let items = self.runs.iter().filter(|run| run.cell == index).map(item).collect();
            let label = self.table.plan.cell_label(cell);
            document.add(Block::Fold(Fold::new(label, vec![Block::List(items)])));
        }
        document.blocks
    }

    fn how(&self, document: &mut Document) {
        let plan = self.table.plan;
        document.heading("What was run");
        document.add(Block::Code(self.command.to_owned()));
        document.add(Block::Facts(self.facts()));
        let commands: Vec<&str> =
            self.runs.iter().flat_map(|run| &run.commands).map(String::as_str).collect();
        let texts = vec![
            Fold::code("Each run by itself", commands.join("\n")),
            Fold::code(plan.file.path.display().to_string(), &plan.file.text),
        ];
        document.add(Block::Only(PAGE, texts));
        document.heading("Limits");
        let mut sets: Vec<usize> = self.runs.iter().map(|run| plan.cells[run.cell].data).collect();
        sets.sort_unstable();
        sets.dedup();
        let (sets, seeds) = (sets.len().to_string(), plan.seeds.len().to_string());
        let values = [("sets", sets), ("seeds", seeds)];
        document.list(&fill(include_str!("limits.md"), &values));
    }

    /// Name and value of what is worth knowing about code and machine.
    fn facts(&self) -> Vec<(String, String)> {
        let plan = self.table.plan;
        let seconds: Vec<f64> = self.runs.iter().filter_map(|run| run.seconds).collect();
        let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
        let cost = format!(
            "{} of processor time for training ({} of {} runs measured)",
            duration(seconds.iter().sum()),
            seconds.len(),
            self.runs.len()
        );
        let mut facts = vec![
            ("budget", plan.budget.clone()),
            ("seeds", seeds.join(", ")),
            ("runs", format!("{} in {}", self.runs.len(), count(plan.cells.len(), "cell"))),
            ("cost", cost),
            ("this call", duration(self.context.started.elapsed().as_secs_f64())),
        ];
        if let Some(run) = self.runs.iter().find_map(|run| run.outcome.ok()) {
            let info = &run.chosen.info;
            facts.push(("device", info.device.clone()));
            facts.push(("ballast", info.ballast.clone()));
            facts.push(("libtorch", info.libtorch.clone()));
        }
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), value));
        facts.chain(self.context.machine.facts()).collect()
    }

    /// Warnings for a reader, before the numbers are trusted.
    fn warnings(&self) -> Vec<String> {
        let plan = self.table.plan;
        let missing = |missing: &Missing| {
            format!("Not run: {}: {}.", plan.data[missing.data].label, missing.remedy)
        };
        let mut warnings: Vec<String> = self.missing.iter().map(missing).collect();
        let failed: Vec<&str> =
            self.runs.iter().filter(|run| run.outcome.is_err()).map(|run| run.shown).collect();
        if !failed.is_empty() {
            warnings.push(format!(
                "{} failed and count nowhere; neither do their partners in a pair: {}.",
                count(failed.len(), "run"),
                failed.join(", ")
            ));
        }
        let other = self.runs.iter().filter(|run| run.origin == Origin::OtherCode).count();
        if other > 0 {
            warnings.push(format!(
                "{} made by an earlier version of the code.",
                match other {
                    1 => "1 run was".to_owned(),
                    other => format!("{other} runs were"),
                }
            ));
        }
        warnings
    }
}
