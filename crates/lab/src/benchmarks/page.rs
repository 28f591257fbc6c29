//! What a reader sees: sentences, tables, report, and `docs/benchmarks.md`.

use std::fmt::Write as _;

use chart::{Chart, escape};
use serde_json::{Value, json};

use super::super::figures::Figure;
use super::super::machine::Machine;
use super::super::number::{percent, score};
use super::super::report;
use super::plan::{Group, Plan, Target};
use super::result::{Outcome, Scored, State};
use super::tables::{Section, sections};
use super::verdict::{Check, average};

/// Everything that is said, in numbers.
pub(super) struct Summary<'a> {
    plan: &'a Plan,
    /// In the order of the plan's cells.
    pub(super) outcomes: Vec<Outcome>,
    /// What holds on average over the cells of returns; empty if there are none.
    average: Vec<Check>,
    seeds: &'a [u64],
    machine: Machine,
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        outcomes: Vec<Outcome>,
        seeds: &'a [u64],
        machine: Machine,
    ) -> Summary<'a> {
        let of_returns = |o: &&Outcome| plan.cells[o.cell].target == Target::Returns;
        let scored: Vec<&Scored> =
            outcomes.iter().filter(of_returns).filter_map(Outcome::scored).collect();
        let average = if scored.is_empty() { vec![] } else { average(&scored) };
        Summary { plan, average, outcomes, seeds, machine }
    }

    /// How many targets are met, as a sentence.
    fn headline(&self) -> String {
        let count = |word: &str| self.outcomes.iter().filter(|o| o.word() == word).count();
        let words = ["met", "missed", "unknown", "failed", "not run"];
        let counts: Vec<String> = words
            .into_iter()
            .map(|word| (count(word), word))
            .filter(|(count, word)| *count > 0 || *word == "met")
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        format!("{} targets: {}.", self.outcomes.len(), counts.join(", "))
    }

    /// What each cell has to say, the worst first; then the averages.
    fn sentences(&self) -> Vec<(&'static str, String, String)> {
        let rank = |word: &str| {
            ["failed", "missed", "unknown", "not run", "met"].iter().position(|w| *w == word)
        };
        let mut all: Vec<(&'static str, String, String)> = self
            .outcomes
            .iter()
            .filter(|outcome| !matches!(outcome.state, State::NotChosen))
            .map(|outcome| (outcome.word(), self.label(outcome), outcome.sentence()))
            .collect();
        let average = |check: &Check| {
            (check.verdict.word(), "Stocks on average".to_owned(), check.text.clone())
        };
        all.extend(self.average.iter().map(average));
        all.sort_by_key(|(word, _, _)| rank(word));
        all
    }

    fn label(&self, outcome: &Outcome) -> String {
        let cell = &self.plan.cells[outcome.cell];
        match cell.group {
            Group::Own => cell.label.clone(),
            Group::Default => format!("{}, default config", cell.label),
        }
    }

    /// What a reader must know before trusting the numbers.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let count =
            |test: fn(&State) -> bool| self.outcomes.iter().filter(|o| test(&o.state)).count();
        let all = self.outcomes.len();
        let mut missing: Vec<String> = Vec::new();
        let mut not_run = 0;
        for outcome in &self.outcomes {
            if let State::NotRun { missing: path, .. } = &outcome.state {
                not_run += 1;
                let path = path.display().to_string();
                if !missing.contains(&path) {
                    missing.push(path);
                }
            }
        }
        if not_run > 0 {
            warnings.push(format!(
                "{not_run} of {all} cells were not run, as files are missing: {}.",
                missing.join(", ")
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
        let other: usize = self.outcomes.iter().filter_map(|o| Some(o.scored()?.other_code)).sum();
        if other > 0 {
            warnings.push(format!(
                "{other} trainings were made by another version of the code and kept at your request \
                 (--keep-runs); all scores are of this one."
            ));
        }
        warnings
    }

    pub(super) fn terminal(&self) -> String {
        let mut out = format!("{}\n", self.plan.title);
        for Section { title, grid, .. } in sections(self.plan, &self.outcomes) {
            let _ = write!(out, "\n{title}\n{}", grid.terminal());
        }
        let _ = writeln!(out, "\n{}", self.headline());
        for (word, label, sentence) in self.sentences() {
            let _ = writeln!(out, "- {}", line(word, &label, &sentence));
        }
        for warning in self.warnings() {
            let _ = writeln!(out, "- note: {warning}");
        }
        out
    }

    /// Tables and sentences.
    pub(super) fn markdown(&self) -> String {
        let mut out = format!("{}\n", self.headline());
        for warning in self.warnings() {
            let _ = write!(out, "\nNote: {warning}\n");
        }
        for Section { title, note, grid } in sections(self.plan, &self.outcomes) {
            let _ = write!(out, "\n## {title}\n\n{}\n{note}\n", grid.markdown("cell"));
        }
        out += "\n## Cell by cell\n\n";
        for (word, label, sentence) in self.sentences() {
            let _ = writeln!(out, "- {}", line(word, &format!("**{label}**"), &sentence));
        }
        out
    }

    /// The page of the repository, complete.
    pub(super) fn docs(&self) -> String {
        let plan = self.plan;
        let mut out = format!(
            "<!-- Written by `cargo xtask experiment {} --write-docs`: change the code or the plan, not this page. -->\n\
             # {}\n\n{}\n\n",
            plan.name, plan.title, plan.question
        );
        let few = match self.seeds.len() {
            all if all == plan.seeds.len() => String::new(),
            few => format!(" --seeds {few}"),
        };
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let of_default = match plan.default_seeds {
            all if all >= seeds.len() => String::new(),
            few => format!(" (the default config with {})", seeds[..few].join(", ")),
        };
        let _ = write!(
            out,
            "    cargo xtask experiment {} --data DIR{few}\n\n\
             trains seeds {} of every cell of [the plan](../configs/experiments/{}.toml){of_default}, reuses what is finished, and \
             leaves `runs/{}/report.html`. DIR holds the data sets; a cell whose data are missing is listed and says \
             where they come from. {}\n\n",
            plan.name,
            seeds.join(", "),
            plan.name,
            plan.name,
            self.made_on()
        );
        out += &self.markdown();
        let missed = self.sentences().iter().any(|(word, _, _)| *word == "missed");
        out += if missed {
            "\nWhat was tried for the cells that miss: [experiments.md](experiments.md).\n"
        } else {
            "\nHow the configs came about: [experiments.md](experiments.md).\n"
        };
        out += "\n## Protocol\n\n";
        plan.notes.iter().for_each(|note| out += &format!("- {note}\n"));
        for cited in &plan.cited {
            let _ = writeln!(out, "- {}: {}", cited.name, cited.source);
        }
        out += "\n## Cell by cell, by hand\n\nThe first seed and the scores of all; other seeds change `--seed` and `--run`. \
                The paths under `data/` are links to where the data lie.\n\n";
        for outcome in self.outcomes.iter().filter(|outcome| outcome.scored().is_some()) {
            let shown = outcome.commands.first().into_iter().chain(outcome.commands.last());
            shown.for_each(|command| out += &format!("    {command}\n"));
        }
        out
    }

    /// Machine and code, as a sentence.
    fn made_on(&self) -> String {
        let machine = &self.machine;
        let processor =
            machine.processor.clone().unwrap_or_else(|| "an unknown processor".to_owned());
        let memory = machine.memory_gib.map_or(String::new(), |gib| format!(", {gib:.0} GiB"));
        let system = machine.system.as_ref().map_or(String::new(), |s| format!(", {s}"));
        let commit = machine.commit.as_ref().map_or(String::new(), |c| format!(" Commit {c}."));
        format!(
            "Machine: {processor}, {} threads{memory}{system}, no GPU used, one thread a run.{commit}",
            machine.threads
        )
    }

    /// `results.json`: every number, with the commands behind it.
    pub(super) fn json(&self) -> Value {
        let cell = |outcome: &Outcome| {
            let cell = &self.plan.cells[outcome.cell];
            json!({
                "name": cell.name, "label": cell.label, "group": cell.group, "config": cell.config,
                "target": cell.target, "cited": cell.cited, "verdict": outcome.word(),
                "sentence": outcome.sentence(), "commands": outcome.commands, "state": outcome.state,
            })
        };
        json!({
            "version": 1,
            "name": self.plan.name,
            "title": self.plan.title,
            "headline": self.headline(),
            "warnings": self.warnings(),
            "seeds": self.seeds,
            "cells": self.outcomes.iter().map(cell).collect::<Vec<_>>(),
            "average": self.average,
            "cited": self.plan.cited,
            "machine": self.machine,
        })
    }

    pub(super) fn html(&self) -> String {
        let mut page = report::open(&self.plan.title, &self.plan.question);
        let _ = writeln!(page, "<p><b>{}</b></p>", escape(&self.headline()));
        for warning in self.warnings() {
            let _ = writeln!(page, "<p class=\"warning\">{}</p>", prose(&warning));
        }
        // What went wrong comes first.
        let (bad, rest): (Vec<_>, Vec<_>) = self
            .sentences()
            .into_iter()
            .partition(|(word, _, _)| !["met", "not run"].contains(word));
        page += &answers(&bad);
        for Section { title, note, grid } in sections(self.plan, &self.outcomes) {
            report::section(&mut page, title, &note.replace('`', ""));
            page += &grid.html("cell");
            page += &grid.legend();
        }
        report::section(&mut page, "Met and not run", "");
        page += &answers(&rest);
        report::section(&mut page, "Against ridge", "");
        report::charts(&mut page, &self.against_ridge());
        self.what_was_run(&mut page);
        page + "</main>\n</body>\n</html>\n"
    }

    /// Each cell's difference to ridge, in percent of ridge's score.
    fn against_ridge(&self) -> Vec<Figure> {
        let mut labels = Vec::new();
        let (mut xs, mut ys, mut errors) = (vec![], vec![], vec![]);
        for outcome in &self.outcomes {
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
        let chart = Chart::new("CRPS less ridge’s")
            .size(520.0, 110.0 + 30.0 * labels.len() as f64)
            .x("percent of ridge’s CRPS")
            .y_categories(labels)
            .vertical_rule("ridge", 0.0)
            .points_error_x("95 % interval", &xs, &ys, &errors);
        let caption =
            "Left of the line is better than ridge. Paired by window; over windows and seeds.";
        vec![Figure { svg: chart.render(), caption: caption.to_owned() }]
    }

    fn what_was_run(&self, page: &mut String) {
        let (name, made_on) = (escape(&self.plan.name), escape(&self.made_on()));
        report::section(
            page,
            "What was run",
            "Folders lie beside this file: config.toml, run.json, metrics.jsonl and log.txt of each seed, \
             evaluation.json and scores.csv of all.",
        );
        let _ =
            writeln!(page, "<pre>cargo xtask experiment {name} --data DIR</pre>\n<p>{made_on}</p>");
        for outcome in &self.outcomes {
            let cell = &self.plan.cells[outcome.cell];
            let (id, label) = (escape(&cell.name), escape(&self.label(outcome)));
            let text = match outcome.commands.is_empty() {
                true => outcome.sentence(),
                false => outcome.commands.join("\n"),
            };
            let baselines = outcome.scored().map_or(String::new(), baselines);
            let _ = writeln!(
                page,
                "<details id=\"{id}\"><summary>{label}</summary>{baselines}<pre>{}</pre></details>",
                escape(&text)
            );
        }
        for (title, list) in [
            ("Protocol", self.plan.notes.clone()),
            (
                "Cited",
                self.plan.cited.iter().map(|c| format!("{}: {}", c.name, c.source)).collect(),
            ),
        ] {
            let items: Vec<String> =
                list.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
            let _ = writeln!(page, "<h3>{title}</h3>\n<ul>{}</ul>", items.join("\n"));
        }
    }
}

/// Text for HTML, without the marks that Markdown has for code.
fn prose(text: &str) -> String {
    escape(&text.replace('`', ""))
}

fn answers(sentences: &[(&str, String, String)]) -> String {
    let mut out = "<ul class=\"answers\">\n".to_owned();
    for (word, label, sentence) in sentences {
        let class = match *word {
            "met" => "yes",
            "missed" | "failed" => "no",
            _ => "open",
        };
        let (label, sentence) = (prose(label), prose(sentence));
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><b>{label}: {word}.</b><span>{sentence}</span></li>"
        );
    }
    out + "</ul>\n"
}

/// All baselines of a cell, best first.
fn baselines(scored: &Scored) -> String {
    let mut all: Vec<_> = scored.baselines.iter().collect();
    all.sort_by(|a, b| a.crps.total_cmp(&b.crps));
    let each: Vec<String> = all
        .iter()
        .map(|b| {
            let covered = percent(b.coverage_90);
            format!("{} {} (covers {covered} %)", escape(&b.name), score(b.crps))
        })
        .collect();
    format!("<p class=\"note\">Baselines, CRPS: {}.</p>", each.join(", "))
}

/// One line: the word where the sentence does not begin with it.
fn line(word: &str, label: &str, sentence: &str) -> String {
    if sentence.starts_with(word) {
        format!("{label}: {sentence}.")
    } else {
        format!("{label}, {word}: {sentence}.")
    }
}
