//! The report on the small series, and `docs/small.md`.

use chart::Chart;
use serde_json::{Value, json};

use super::summary::{Summary, Who};
use super::tables::{self, Section};
use crate::backtest::{self, Tried};
use crate::machine::Machine;
use crate::number::percent;
use crate::page::{Block, Document, Figure, Tone};
use crate::scores::POOL;

impl<'a> Summary<'a> {
    pub(super) fn document(&self, machine: &Machine) -> Document {
        let plan = &self.small.plan;
        let mut document = Document::new(&plan.title, &plan.question);
        backtest::open(&mut document, &self.headline(), self.warnings());
        document.heading("Measures");
        document.add(Block::Table(backtest::measures(&self.measures())));
        for Section { title, note, table } in tables::sections(self) {
            document.heading(title);
            document.paragraph(Tone::Note, note);
            document.add(Block::Table(table));
        }
        document.heading("Where we lose");
        let loss = percent(self.target().loss);
        document
            .paragraph(Tone::Note, format!("Lost are those that are worse by more than {loss} %."));
        document.list(&self.losses());
        document.figures("Series by series", "", self.figure().into_iter().collect());
        backtest::conclude(&mut document, self.all, &plan.notes, machine);
        document
    }

    /// Series on which the reference is better, the worst first.
    fn losses(&self) -> String {
        let ratio = |t: &&Tried<'a>| Some((self.against(t)?, &*t.task.label));
        let mut lost: Vec<(f64, &str)> = self.tried.iter().filter_map(ratio).collect();
        lost.retain(|(ratio, _)| *ratio > 1.0);
        lost.sort_by(|a, b| b.0.total_cmp(&a.0));
        let reference = &self.small.plan.reference;
        let item = |(ratio, name): (f64, &str)| {
            let lost = if ratio > 1.0 + self.target().loss { " (lost)" } else { "" };
            format!("- {name}: {} % worse than {reference}{lost}\n", percent(ratio - 1.0))
        };
        match lost.is_empty() {
            true => format!("- on no series is {reference} better\n"),
            false => lost.into_iter().map(item).collect(),
        }
    }

    /// Ratios of the series with the range of their seeds.
    fn figure(&self) -> Option<Figure> {
        let (mut xs, mut ys, mut errors, mut labels) = (vec![], vec![], vec![], vec![]);
        for tried in &self.tried {
            let Some(ratio) = self.against(tried) else { continue };
            let spread = tried.spread(POOL, |score| score.crps)?;
            xs.push(ratio);
            errors.push(spread.error().unwrap_or(0.0) * ratio / spread.mean);
            ys.push(labels.len() as f64);
            labels.push(tried.task.label.clone());
        }
        let reference = &self.small.plan.reference;
        let height = 110.0 + 24.0 * labels.len() as f64;
        let chart = Chart::new(format!("CRPS relative to {reference}"))
            .size(560.0, height)
            .x(format!("CRPS / CRPS of {reference}"))
            .y_categories(labels)
            .vertical_rule(reference.clone(), 1.0)
            .points_error_x("pool, ± standard error over seeds", &xs, &ys, &errors);
        let caption = "Left of the line is better.".to_owned();
        (!xs.is_empty()).then(|| Figure { svg: chart.render(), caption })
    }

    /// `results.json`: every number, with the commands behind it.
    pub(super) fn json(&self, machine: &Machine) -> Value {
        let one = |tried: &Tried| {
            let task = tried.task;
            let names = &self.small.peers.names;
            let peers = names.iter().map(|name| {
                let (crps, coverage) = (Who::Peer(name), Who::Peer(name));
                json!({ "name": name, "crps": self.crps(tried, crps),
                    "coverage_80": self.coverage(tried, coverage) })
            });
            json!({
                "series": task.label, "rows": task.columns.rows(), "horizon": task.origins.horizon,
                "ratio": self.against(tried), "tried": tried, "peers": peers.collect::<Vec<_>>(),
            })
        };
        let classic = self.best_classic().map(|c| json!({ "name": c.name, "ratio": c.ratio }));
        json!({
            "version": 1, "title": self.small.plan.title, "headline": self.headline(),
            "warnings": self.warnings(), "seeds": self.small.seeds, "measures": self.measures(),
            "ratio": self.ratio(Who::Ours(POOL), self.reference()), "best_classic": classic,
            "series": self.all.iter().map(one).collect::<Vec<_>>(), "machine": machine,
        })
    }
}
