//! The report of a study: one HTML file that needs no script and no network, and the same as Markdown.

use std::fmt::Write as _;
use std::path::Path;

use chart::escape;

use super::super::figures::Figure;
use super::super::machine::Machine;
use super::super::number::duration;
use super::super::report::{charts, open, section};
use super::super::runner::Origin;
use super::claims::{Outcome, Verdict};
use super::measure::Table;
use super::runs::{Missing, Run};
use super::{figures, tables};

/// Everything the report is made of.
pub(super) struct Report<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) runs: &'a [Run],
    pub(super) planned: usize,
    pub(super) missing: &'a [Missing],
    pub(super) verdicts: &'a [Verdict],
    pub(super) machine: &'a Machine,
    pub(super) root: &'a Path,
    pub(super) executable: &'a Path,
    /// What the user typed.
    pub(super) command: String,
    /// Of this call, by the clock.
    pub(super) seconds: f64,
}

impl Report<'_> {
    /// The whole page.
    pub(super) fn html(&self) -> String {
        let plan = self.table.plan;
        let mut page = open(&plan.title, &plan.question);
        self.claims(&mut page);
        self.figures(&mut page);
        self.cells(&mut page);
        self.every_comparison(&mut page);
        self.every_run(&mut page);
        self.what_was_run(&mut page);
        section(&mut page, "Limits", "");
        page += "<ul>\n";
        self.limits().iter().for_each(|item| page += &format!("<li>{}</li>\n", escape(item)));
        page += "</ul>\n</main>\n</body>\n</html>\n";
        page
    }

    fn claims(&self, page: &mut String) {
        let alpha = self.table.plan.alpha;
        *page += "<ul class=\"answers\">\n";
        for verdict in self.verdicts {
            let class = class(verdict.outcome);
            let _ = writeln!(
                page,
                "<li class=\"{class}\"><b>{}.</b>{}<span>{}</span>\n<details open><summary>Test by test</summary>",
                verdict.outcome.word(),
                escape(&verdict.says),
                escape(&verdict.sentence(alpha)),
            );
            for answer in &verdict.answers {
                let _ = writeln!(
                    page,
                    "<span class=\"test\"><i>{}</i> <b class=\"{}\">{}.</b> {}</span>",
                    escape(&answer.asks),
                    self::class(answer.outcome),
                    answer.outcome.word(),
                    escape(&answer.evidence(alpha)),
                );
            }
            *page += "</details></li>\n";
        }
        *page += "</ul>\n";
        let note = format!(
            "A claim is judged by its tests: “no” if one of them says no beyond chance, “yes” if all say yes, “in part” if some do. \
             A test compares two arms on the same seeds, with common random numbers, and on the same windows, in every cell (data, \
             model, share of the training rows), relative to the score of the arm without noise; pooled over data sets. p-values are \
             two-sided and corrected for the number of tests of the claim, those of single cells for the number of cells and tests (Holm), at {} %. \
             The plan of the analysis stands in the config, written before the run.",
            100.0 * alpha
        );
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&note));
        for warning in self.warnings() {
            let _ = writeln!(page, "<p class=\"warning\">{}</p>", escape(&warning));
        }
    }

    fn figures(&self, page: &mut String) {
        let table = self.table;
        let mut show = |title: &str, text: &str, figures: Vec<Figure>| {
            if !figures.is_empty() {
                section(page, title, text);
                charts(page, &figures);
            }
        };
        show("Overfitting against the amount of data", "", figures::gap(table));
        let text = "How strongly x₀ is added back, between plain diffusion and no noise at all.";
        show("Test score against λ", text, figures::strength(table));
        let text = "Models through whose latent variable everything flows.";
        show("Features over the diffusion steps", text, figures::features(table));
        let both = figures::density(table, self.root, self.executable);
        show("What re-injection does to the steps", "", both.into_iter().collect());
        let both = [figures::bias(table), figures::latent(table)];
        let text = "Strong target noise in the first figure (κ = 1, inputs clean).";
        show("Targets", text, both.into_iter().flatten().collect());
        show("Learning curves", "", figures::learning(table));
        if let Some((source, fans)) = figures::fans(table) {
            show("A good, a median and a bad forecast", &format!("Of {source}."), fans);
        }
        show("Calibration", "", figures::calibration(table));
    }

    fn cells(&self, page: &mut String) {
        let text = "Arms above the rule, then tuned arms, baselines, and the best possible where it is known. Standard deviations are over seeds.";
        section(page, "Every cell", text);
        let mut legend = String::new();
        for (index, cell) in self.table.plan.cells.iter().enumerate() {
            let grid = tables::grid(self.table, index);
            if legend.len() < grid.legend().len() {
                legend = grid.legend();
            }
            let open = if index == 0 { " open" } else { "" };
            let label = self.table.plan.cell_label(cell);
            let _ = writeln!(page, "<details{open}><summary>{}</summary>", escape(&label));
            *page += &grid.html("arm");
            *page += "</details>\n";
        }
        *page += &legend;
    }

    fn every_comparison(&self, page: &mut String) {
        section(page, "Every comparison", "");
        for verdict in self.verdicts {
            for answer in verdict.answers.iter().filter(|answer| !answer.comparisons.is_empty()) {
                let _ = writeln!(page, "<details><summary>{}</summary>", escape(&answer.asks));
                *page += &tables::comparisons(answer).html("cell");
                *page += "</details>\n";
            }
        }
    }

    fn every_run(&self, page: &mut String) {
        let failed = self.runs.iter().filter(|run| run.outcome.is_err()).count();
        let text = format!(
            "{} of {} planned runs finished, {failed} failed. Each number above comes from these folders, which lie beside this file.",
            self.runs.len() - failed,
            self.planned
        );
        section(page, "Every run", &text);
        for run in self.runs.iter() {
            let Err(failure) = &run.outcome else { continue };
            let _ = writeln!(
                page,
                "<p class=\"warning\">failed: {}: {}</p><pre>{}</pre>",
                escape(&run.shown),
                escape(&failure.reason),
                escape(&failure.tail.join("\n"))
            );
        }
        for (index, cell) in self.table.plan.cells.iter().enumerate() {
            let label = self.table.plan.cell_label(cell);
            let _ = write!(
                page,
                "<details><summary>{}</summary>\n<ul class=\"folders\">\n",
                escape(&label)
            );
            for run in self.runs.iter().filter(|run| run.cell == index) {
                // Relative to the report, so that the folder can be moved as a whole.
                let here = run.shown.splitn(3, '/').nth(2).unwrap_or(&run.shown);
                let kept = if run.origin == Origin::OtherCode { " (other code)" } else { "" };
                let text = match &run.outcome {
                    Ok(studied) => {
                        let crps = studied.chosen.model().test.crps_standardized;
                        format!("{crps:.4}{kept}")
                    }
                    Err(_) => "failed".to_owned(),
                };
                let _ = writeln!(page, "<li><a href=\"{0}/\">{0}</a> {text}</li>", escape(here));
            }
            *page += "</ul></details>\n";
        }
    }

    fn what_was_run(&self, page: &mut String) {
        section(page, "What was run", "");
        let _ = writeln!(page, "<pre>{}</pre>\n<dl>", escape(&self.command));
        for (name, value) in self.facts() {
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(&value));
        }
        *page += "</dl>\n";
        let commands: Vec<&str> =
            self.runs.iter().flat_map(|run| &run.commands).map(String::as_str).collect();
        let plan = self.table.plan;
        for (title, text) in [
            ("Each run by itself", commands.join("\n")),
            (&*plan.file.display().to_string(), plan.text.clone()),
        ] {
            let (title, text) = (escape(title), escape(&text));
            let _ =
                writeln!(page, "<details><summary>{title}</summary><pre>{text}</pre></details>");
        }
    }

    /// Name and value of what is worth knowing about code and machine.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let plan = self.table.plan;
        let seconds: Vec<f64> = self.runs.iter().filter_map(|run| run.seconds).collect();
        let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
        let mut facts = vec![
            ("budget", plan.budget.clone()),
            ("seeds", seeds.join(", ")),
            ("runs", format!("{} in {} cells", self.runs.len(), plan.cells.len())),
            (
                "cost",
                format!(
                    "{} of processor time for training ({} of {} runs measured)",
                    duration(seconds.iter().sum()),
                    seconds.len(),
                    self.runs.len()
                ),
            ),
            ("this call", duration(self.seconds)),
        ];
        let finished = self.runs.iter().find_map(|run| run.outcome.as_ref().ok());
        if let Some(run) = finished {
            let info = &run.chosen.info;
            facts.push(("device", info.device.clone()));
            facts.extend(info.ballast.clone().map(|version| ("ballast", version)));
            facts.extend(info.libtorch.clone().map(|version| ("libtorch", version)));
        }
        facts.extend(self.machine.commit.clone().map(|commit| ("commit", commit)));
        facts.extend(self.machine.compiler.clone().map(|compiler| ("compiler", compiler)));
        let processor =
            self.machine.processor.clone().unwrap_or_else(|| "unknown processor".to_owned());
        let memory = self.machine.memory_gib.map_or(String::new(), |gib| format!(", {gib:.1} GiB"));
        facts.push(("machine", format!("{processor}, {} threads{memory}", self.machine.threads)));
        facts.extend(self.machine.system.clone().map(|system| ("system", system)));
        facts.push(("written", self.machine.written.clone()));
        facts
    }

    /// What a reader must know before trusting the numbers.
    fn warnings(&self) -> Vec<String> {
        let plan = self.table.plan;
        let mut warnings: Vec<String> = self
            .missing
            .iter()
            .map(|missing| {
                format!("Not run: {}: {}.", plan.data[missing.data].label, missing.remedy)
            })
            .collect();
        let failed: Vec<&str> = self
            .runs
            .iter()
            .filter(|run| run.outcome.is_err())
            .map(|run| run.shown.as_str())
            .collect();
        if !failed.is_empty() {
            warnings.push(format!(
                "{} runs failed and count nowhere; their partners in a pair do not count either: {}",
                failed.len(),
                failed.join(", ")
            ));
        }
        let other = self.runs.iter().filter(|run| run.origin == Origin::OtherCode).count();
        if other > 0 {
            warnings.push(format!("{other} runs are of an earlier version of the code."));
        }
        warnings
    }

    fn limits(&self) -> Vec<String> {
        let plan = self.table.plan;
        let mut sets: Vec<usize> = self.runs.iter().map(|run| plan.cells[run.cell].data).collect();
        sets.sort_unstable();
        sets.dedup();
        vec![
            format!(
                "{} data sets, one split in time each, {} seeds: standard errors cover seeds and test windows (of features, log score and slope seeds alone), not other sets or splits.",
                sets.len(),
                plan.seeds.len()
            ),
            "Cells of one data set share its test windows; pooling takes their errors as common, and data sets as independent.".to_owned(),
            "A small share of the rows is the most recent one, adjacent to validation; scalers are fitted on all training rows, so that \
             scores of all shares have one unit. Training takes the same number of steps on any share."
                .to_owned(),
            "The best possible score of a simulated series knows the process and everything before the forecast; a model sees its context only.".to_owned(),
            "With so few seeds and series that go on, intervals are somewhat too narrow: where nothing differs, simulations with the lengths and overlaps of \
             these sets reject 4 to 9 % of the time instead of 5, up to 15 % for strongly autocorrelated series. A “no” to an equality is not corrected for \
             the number of tests."
                .to_owned(),
            "Feature R² is of a linear reader. Mutual information is estimated from below and cannot exceed the logarithm of the number of test windows.".to_owned(),
            "Small models of one family on small sets: nothing here speaks about large models or long series.".to_owned(),
        ]
    }

    /// The same in Markdown: claims, then every cell.
    pub(super) fn markdown(&self) -> String {
        let plan = self.table.plan;
        let mut out = format!("# {}\n\n{}\n\n", plan.title, plan.question.trim());
        for verdict in self.verdicts {
            let sentence = verdict.sentence(plan.alpha);
            let _ = writeln!(out, "- **{}.** {} {sentence}", verdict.outcome.word(), verdict.says);
            for answer in &verdict.answers {
                let (word, evidence) = (answer.outcome.word(), answer.evidence(plan.alpha));
                let _ = writeln!(out, "  - {} *{word}*: {evidence}.", answer.asks);
            }
        }
        for warning in self.warnings() {
            let _ = writeln!(out, "\n> {warning}");
        }
        out += "\n## Cells\n";
        for (index, cell) in plan.cells.iter().enumerate() {
            let grid = tables::grid(self.table, index);
            let _ = write!(out, "\n### {}\n\n{}", plan.cell_label(cell), grid.markdown("arm"));
        }
        out += "\n## Comparisons\n";
        for verdict in self.verdicts {
            for answer in verdict.answers.iter().filter(|answer| !answer.comparisons.is_empty()) {
                let _ = write!(
                    out,
                    "\n### {}\n\n{}",
                    answer.asks,
                    tables::comparisons(answer).markdown("cell")
                );
            }
        }
        let _ = write!(out, "\n## What was run\n\n```\n{}\n```\n\n", self.command);
        for (name, value) in self.facts() {
            let _ = writeln!(out, "- {name}: {value}");
        }
        out += "\n## Limits\n\n";
        self.limits().iter().for_each(|item| out += &format!("- {item}\n"));
        out
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Yes => "yes",
        Outcome::No => "no",
        Outcome::Partly | Outcome::Undecided | Outcome::Unknown => "open",
    }
}
