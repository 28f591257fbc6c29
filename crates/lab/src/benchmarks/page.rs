//! The report of a benchmark, and `docs/benchmarks.md`.

use chart::Chart;
use serde_json::{Value, json};

use super::ended::{Ended, State};
use super::plan::{Group, Plan, Target};
use super::result::Scored;
use super::tables::{Section, sections};
use super::verdict::{Check, average};
use crate::machine::Machine;
use crate::number::{percent, score};
use crate::page::{Answer, Block, Document, Figure, Fold, Form, Item, Tone, fill};

/// Everything that is said, in numbers.
pub(super) struct Summary<'a> {
    plan: &'a Plan,
    /// In the order of the plan's cells.
    pub(super) cells: Vec<Ended>,
    /// Conditions on the averages over cells of returns; empty if there are none.
    average: Vec<Check>,
    seeds: &'a [u64],
    machine: &'a Machine,
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        cells: Vec<Ended>,
        seeds: &'a [u64],
        machine: &'a Machine,
    ) -> Summary<'a> {
        let of_returns = |o: &&Ended| plan.cells[o.cell].target == Target::Returns;
        let scored: Vec<&Scored> =
            cells.iter().filter(of_returns).filter_map(Ended::scored).collect();
        let average = if scored.is_empty() { vec![] } else { average(&scored) };
        Summary { plan, average, cells, seeds, machine }
    }

    /// The number of targets that are met, as a sentence.
    pub(super) fn headline(&self) -> String {
        let count = |word: &str| self.cells.iter().filter(|o| o.word() == word).count();
        let words = ["met", "missed", "unknown", "failed", "not run"];
        let counts: Vec<String> = words
            .into_iter()
            .map(|word| (count(word), word))
            .filter(|(count, word)| *count > 0 || *word == "met")
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{} targets: {}.", self.cells.len(), counts.join(", "))
    }

    /// An answer for each cell, the worst first; then the averages.
    fn answers(&self) -> Vec<Answer> {
        let answer = |outcome, word: &str, label: &str, evidence: String| {
            let (first, rest) = word.split_at(1);
            let word = first.to_uppercase() + rest;
            let (text, evidence) = (format!("{label}:"), format!("{evidence}."));
            Answer { word, ..Answer::new(outcome, &text, evidence) }
        };
        let shown = self.cells.iter().filter(|o| !matches!(o.state, State::NotChosen));
        let mut all: Vec<Answer> =
            shown.map(|o| answer(o.answer(), o.word(), &self.label(o), o.sentence())).collect();
        let average = |Check { outcome, text }: &Check| {
            answer(*outcome, outcome.target(), "Stocks on average", text.clone())
        };
        all.extend(self.average.iter().map(average));
        all.sort_by_key(|answer| (answer.outcome, answer.word != "Failed"));
        all
    }

    fn label(&self, outcome: &Ended) -> String {
        let cell = &self.plan.cells[outcome.cell];
        match cell.group {
            Group::Own => cell.label.clone(),
            Group::Default => format!("{}, default config", cell.label),
        }
    }

    /// Warnings for a reader, before the numbers are trusted.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let count = |test: fn(&State) -> bool| self.cells.iter().filter(|o| test(&o.state)).count();
        let all = self.cells.len();
        let mut missing: Vec<String> = Vec::new();
        for outcome in &self.cells {
            if let State::NotRun { missing: path, .. } = &outcome.state {
                let path = path.display().to_string();
                if !missing.contains(&path) {
                    missing.push(path);
                }
            }
        }
        if !missing.is_empty() {
            let not_run = count(|state| matches!(state, State::NotRun { .. }));
            let missing = missing.join(", ");
            warnings.push(format!(
                "{not_run} of {all} cells were not run, as files are missing: {missing}."
            ));
        }
        let left_out = count(|state| matches!(state, State::NotChosen));
        if left_out > 0 {
            warnings.push(format!("`--only` leaves {left_out} of {all} cells without a result."));
        }
        if self.seeds.len() < self.plan.seeds.len() {
            let (used, planned) = (self.seeds.len(), self.plan.seeds.len());
            warnings.push(format!("{used} of {planned} seeds were asked for."));
        }
        let other: usize = self.cells.iter().filter_map(|o| Some(o.scored()?.other_code)).sum();
        if other > 0 {
            warnings.push(format!(
                "{other} trainings were made by another version of the code and kept at your request \
                 (`--keep-runs`); all scores are of this version."
            ));
        }
        warnings
    }

    /// Headline, warnings, answers and tables: the same in all forms.
    fn findings(&self) -> Document {
        let mut document = Document::new(&self.plan.title, &self.plan.question);
        document.paragraph(Tone::Strong, self.headline());
        for warning in self.warnings() {
            document.paragraph(Tone::Warning, warning);
        }
        document.add(Block::Answers(self.answers()));
        for Section { title, note, table } in sections(self.plan, &self.cells) {
            document.heading(title);
            document.paragraph(Tone::Note, note);
            document.add(Block::Table(table));
        }
        document
    }

    pub(super) fn report(&self) -> Document {
        let mut document = self.findings();
        document.figures("Against ridge", "", self.against_ridge());
        let mut details = Document::default();
        details.heading("What was run");
        let note = "Folders lie beside this file: config.toml, run.json, metrics.jsonl and log.txt of each seed, \
                    evaluation.json and scores.csv of all.";
        details.paragraph(Tone::Note, note);
        details.add(Block::Code(format!("cargo xtask experiment {} --data DIR", self.plan.name)));
        details.paragraph(Tone::Plain, self.made_on());
        for outcome in &self.cells {
            details.add(Block::Fold(self.cell(outcome)));
        }
        details.heading("Protocol");
        details.add(Block::List(self.protocol()));
        document.add(Block::Only(&[Form::Page], details.blocks));
        document
    }

    /// The baselines and commands of a cell.
    fn cell(&self, outcome: &Ended) -> Fold {
        let mut blocks = Vec::new();
        if let Some(scored) = outcome.scored() {
            let mut all: Vec<_> = scored.baselines.iter().collect();
            all.sort_by(|a, b| a.crps.total_cmp(&b.crps));
            let each = all.iter().map(|b| {
                format!("{} {} (covers {} %)", b.name, score(b.crps), percent(b.coverage_90))
            });
            let baselines = each.collect::<Vec<_>>().join(", ");
            blocks.push(Block::Paragraph(Tone::Note, format!("Baselines, CRPS: {baselines}.")));
        }
        blocks.push(match outcome.commands.is_empty() {
            true => Block::Paragraph(Tone::Plain, outcome.sentence()),
            false => Block::Code(outcome.commands.join("\n")),
        });
        let id = Some(self.plan.cells[outcome.cell].name.clone());
        Fold { id, ..Fold::new(self.label(outcome), blocks) }
    }

    fn protocol(&self) -> Vec<Item> {
        let notes = self.plan.notes.iter().map(Item::text);
        let cited = self.plan.cited.iter().map(|c| Item::text(format!("{}: {}", c.name, c.source)));
        notes.chain(cited).collect()
    }

    /// The page of the repository, complete.
    pub(super) fn docs(&self) -> String {
        let plan = self.plan;
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let mut commands = Vec::new();
        for outcome in self.cells.iter().filter(|outcome| outcome.scored().is_some()) {
            commands.extend(outcome.commands.first().into_iter().chain(outcome.commands.last()));
        }
        let commands: Vec<String> =
            commands.into_iter().map(|command| format!("    {command}")).collect();
        let protocol: Vec<String> =
            self.protocol().iter().map(|item| format!("- {}", item.text)).collect();
        let missed = self.cells.iter().any(|outcome| outcome.word() == "missed");
        let values = [
            ("name", plan.name.clone()),
            ("title", plan.title.clone()),
            ("question", plan.question.clone()),
            ("seeds", seeds.join(", ")),
            (
                "few",
                match self.seeds.len() {
                    all if all == plan.seeds.len() => String::new(),
                    few => format!(" --seeds {few}"),
                },
            ),
            (
                "of default",
                match plan.default_seeds {
                    all if all >= seeds.len() => String::new(),
                    few => format!(" (the default config with {})", seeds[..few].join(", ")),
                },
            ),
            ("made on", self.made_on()),
            ("findings", self.findings().markdown()),
            (
                "origin",
                match missed {
                    true => "Tries for the cells that miss their target",
                    false => "The origin of the configs",
                }
                .to_owned(),
            ),
            ("protocol", protocol.join("\n")),
            ("commands", commands.join("\n")),
        ];
        fill(include_str!("docs.template"), &values)
    }

    /// Machine and code, as a sentence.
    fn made_on(&self) -> String {
        let machine = &self.machine;
        let system = machine.system.as_ref().map_or(String::new(), |s| format!(", {s}"));
        let commit = machine.commit.as_ref().map_or(String::new(), |commit| {
            match commit.strip_suffix("-dirty") {
                Some(commit) => format!(" Commit {commit}, with changes that were not committed."),
                None => format!(" Commit {commit}."),
            }
        });
        let hardware = machine.hardware();
        format!("Machine: {hardware}{system}, no GPU used, one thread a run.{commit}")
    }

    /// `results.json`: every number, with the commands behind it.
    pub(super) fn json(&self) -> Value {
        let cell = |outcome: &Ended| {
            let cell = &self.plan.cells[outcome.cell];
            let config = cell.config.as_ref().map_or_else(|missing| missing, |config| &config.path);
            json!({
                "name": cell.name, "label": cell.label, "group": cell.group, "config": config,
                "target": cell.target, "cited": cell.cited, "verdict": outcome.word(),
                "sentence": outcome.sentence(), "commands": outcome.commands, "state": outcome.state,
            })
        };
        json!({
            "version": 2,
            "name": self.plan.name,
            "title": self.plan.title,
            "headline": self.headline(),
            "warnings": self.warnings(),
            "seeds": self.seeds,
            "cells": self.cells.iter().map(cell).collect::<Vec<_>>(),
            "average": self.average,
            "cited": self.plan.cited,
            "machine": self.machine,
        })
    }

    /// Each cell's difference to ridge, in percent of ridge's score.
    fn against_ridge(&self) -> Vec<Figure> {
        let mut labels = Vec::new();
        let (mut xs, mut ys, mut errors) = (vec![], vec![], vec![]);
        for outcome in &self.cells {
            let ridge = outcome.scored().and_then(|s| s.baseline("ridge"));
            let Some((ridge, difference)) = ridge.and_then(|r| Some((r, r.difference.crps?)))
            else {
                continue;
            };
            xs.push(100.0 * difference.mean / ridge.crps);
            errors.push(100.0 * (difference.high - difference.low) / 2.0 / ridge.crps);
            ys.push(labels.len() as f64);
            labels.push(self.label(outcome));
        }
        if labels.is_empty() {
            return vec![];
        }
        let chart = Chart::new("CRPS minus ridge’s")
            .size(520.0, 110.0 + 30.0 * labels.len() as f64)
            .x("percent of ridge’s CRPS")
            .y_categories(labels)
            .vertical_rule("ridge", 0.0)
            .points_error_x("95 % interval", &xs, &ys, &errors);
        let caption = "Left of the line is better than ridge. Paired by window; intervals cover windows and seeds.";
        vec![Figure { svg: chart.render(), caption: caption.to_owned() }]
    }
}
