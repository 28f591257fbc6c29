//! The report on the ring, and `docs/ring.md`.

use serde_json::{Value, json};
use stats::Spread;

use super::Ring;
use super::plan::{Target, TaskPlan};
use crate::backtest::{self, Measure, Tried, forecasters};
use crate::machine::Machine;
use crate::number::{percent, score, score_with_error};
use crate::outcome::Outcome;
use crate::page::{self, Block, Column, Document, Field, Head, Table, Tone};
use crate::scores::{NETWORK, POOL, Score, seasonal_naive};

/// Everything that is said, in numbers.
pub(super) struct Summary<'a> {
    ring: &'a Ring,
    all: &'a [Tried<'a>],
    rows: Vec<Row<'a>>,
}

/// A task in one way of fitting, with its yardstick.
struct Row<'a> {
    plan: &'a TaskPlan,
    tried: &'a Tried<'a>,
    naive: Score,
}

impl Row<'_> {
    fn label(&self) -> String {
        format!("{}{}", self.plan.label, if self.tried.refit { ", refitted" } else { "" })
    }

    /// The score that is judged.
    fn judged(&self, forecaster: &str) -> Option<f64> {
        match self.plan.target {
            Target::Wql(_) => self.tried.mean(forecaster, |score| score.wql),
            Target::OfNaive(_) => self.of_naive(forecaster),
        }
    }

    fn of_naive(&self, forecaster: &str) -> Option<f64> {
        let scaled = self.tried.mean(forecaster, |score| score.scaled)?;
        Some(scaled / self.naive.scaled).filter(|ratio| ratio.is_finite())
    }

    fn measure(&self) -> Measure {
        let (name, most) = match self.plan.target {
            Target::Wql(most) => ("WQL", most),
            Target::OfNaive(most) => ("scaled quantile loss relative to seasonal naive", most),
        };
        let what = format!("{}: {name}", self.label());
        Measure::at_most(what, most, self.judged(POOL), score)
    }
}

impl<'a> Summary<'a> {
    pub(super) fn new(ring: &'a Ring, all: &'a [Tried<'a>]) -> Summary<'a> {
        let row = |tried: &'a Tried<'a>| {
            let task = tried.task;
            let plan = ring.plan.tasks.iter().find(|plan| plan.name == task.name)?;
            let lines = seasonal_naive(&task.columns, task.origins, task.season);
            let naive = crate::scores::score(&lines, &task.columns, task.season);
            (!tried.runs.is_empty()).then_some(Row { plan, tried, naive })
        };
        Summary { ring, all, rows: all.iter().filter_map(row).collect() }
    }

    /// Where we stand, in words.
    pub(super) fn headline(&self) -> String {
        let strangers = self.rows.iter().filter(|row| !row.tried.refit);
        let measures: Vec<(String, Measure)> =
            strangers.map(|row| (self.sentence(row), row.measure())).collect();
        let met = measures.iter().filter(|(_, m)| m.outcome == Outcome::Yes).count();
        let each: Vec<&str> = measures.iter().map(|(sentence, _)| sentence.as_str()).collect();
        let all = self.ring.plan.tasks.len();
        format!("{met} of {all} tasks reach their target with one fit. {}", each.join(" "))
    }

    /// `US births by day: WQL 0.01702, target met, rank 9 of 121.`
    fn sentence(&self, row: &Row) -> String {
        let Measure { reached, verdict, .. } = row.measure();
        let name = match row.plan.target {
            Target::Wql(_) => "WQL",
            Target::OfNaive(_) => "of seasonal naive’s loss",
        };
        let reached = reached.unwrap_or_else(|| "–".to_owned());
        let rank = self.rank(row).map_or(String::new(), |rank| format!(", rank {rank}"));
        match row.plan.target {
            Target::Wql(_) => format!("{}: {name} {reached}, {verdict}{rank}.", row.label()),
            Target::OfNaive(_) => format!("{}: {reached} {name}, {verdict}.", row.label()),
        }
    }

    fn published(&self, row: &Row) -> Vec<&super::published::Row> {
        row.plan.published.as_ref().map_or(vec![], |task| self.ring.published.of(task))
    }

    /// `9 of 121`: ours among the published ones.
    fn rank(&self, row: &Row) -> Option<String> {
        let (published, ours) = (self.published(row), row.tried.mean(POOL, |score| score.wql)?);
        let better = published.iter().filter(|other| other.wql < ours).count();
        (!published.is_empty()).then(|| format!("{} of {}", better + 1, published.len() + 1))
    }

    fn warnings(&self) -> Vec<String> {
        let mut all = self.ring.missing.clone();
        all.extend(backtest::warnings(self.all, self.ring.seeds.len()));
        all
    }

    pub(super) fn document(&self, machine: &Machine) -> Document {
        let plan = &self.ring.plan;
        let mut document = Document::new(&plan.title, &plan.question);
        backtest::open(&mut document, &self.headline(), self.warnings());
        document.heading("Measures");
        let measures: Vec<Measure> = self.rows.iter().map(Row::measure).collect();
        document.add(Block::Table(backtest::measures(&measures)));
        let sections = [
            ("Tasks", "The pool, mean over seeds ± standard error over seeds.", self.tasks()),
            ("Published", "WQL of others; the rank is ours among them.", self.others()),
            ("Every member", "The score that is judged, mean over seeds.", self.members()),
            (
                "Weights",
                "Of the pool’s members, in percent, mean over seeds and columns.",
                self.weights(),
            ),
            ("Seeds", "The pool’s score that is judged, of each seed.", self.seeds()),
        ];
        for (title, note, table) in sections {
            document.heading(title);
            document.paragraph(Tone::Note, note);
            document.add(Block::Table(table));
        }
        backtest::conclude(&mut document, self.all, &plan.notes, machine);
        document
    }

    fn table(&self, columns: &[Column<Row<'a>>]) -> Table {
        Table::new("task", &self.rows, |row| Head::new(row.label()), columns)
    }

    fn tasks(&self) -> Table {
        fn text(spread: Option<Spread>) -> Option<String> {
            spread.map(|spread| score_with_error(spread.mean, spread.error()))
        }
        let column = |heading: &str, meaning: &str, of: fn(&Score) -> f64| {
            Column::new(heading, meaning, move |row: &Row| text(row.tried.spread(POOL, of)))
        };
        self.table(&[
            Column::new("rows", "in the file", |row: &Row| {
                Some(row.tried.task.columns.rows().to_string())
            }),
            Column::new("windows", "and steps of each", |row: &Row| {
                Some(format!("{} × {}", row.plan.windows, row.plan.horizon))
            }),
            column("WQL", "quantile loss at nine deciles over the sum of |y|", |s| s.wql),
            column("MASE", "absolute error of the median over the naive error", |s| s.mase),
            column("scaled loss", "quantile loss over the naive error", |s| s.scaled),
            Column::new("of naive", "scaled loss over that of seasonal naive", |row: &Row| {
                row.of_naive(POOL).map(score)
            }),
            Column::new("of naive, network", "the same of the network alone", |row: &Row| {
                row.of_naive(NETWORK).map(score)
            }),
            Column::new("in 80 %", "percent of the truth", |row: &Row| {
                row.tried.mean(POOL, |score| score.coverage).map(percent)
            }),
            Column::new("CPU s", "of one run, mean over seeds", |row: &Row| {
                row.tried.seconds().map(|seconds| format!("{seconds:.0}"))
            }),
        ])
    }

    fn others(&self) -> Table {
        let named =
            |other: &super::published::Row| format!("{} ({})", score(other.wql), other.model);
        let best = |row: &Row, kind: &str| {
            let others = self.published(row);
            let found = others.iter().find(|other| kind.is_empty() || other.kind == kind);
            found.map(|other| named(other))
        };
        let mut kinds: Vec<&str> = Vec::new();
        for other in self.rows.iter().flat_map(|row| self.published(row)) {
            if !kinds.contains(&other.kind.as_str()) {
                kinds.push(&other.kind);
            }
        }
        let mut columns = vec![
            Column::new("pool", "WQL", |row: &Row| {
                row.tried.mean(POOL, |score| score.wql).map(score)
            }),
            Column::new("rank", "among all published", |row: &Row| self.rank(row)),
            Column::new("rank by MASE", "the same by MASE", |row: &Row| {
                let (others, ours) = (self.published(row), row.tried.mean(POOL, |s| s.mase)?);
                let better = others.iter().filter(|other| other.mase < ours).count();
                (!others.is_empty()).then(|| format!("{} of {}", better + 1, others.len() + 1))
            }),
            Column::new("seasonal naive", "WQL, ours", |row: &Row| Some(score(row.naive.wql))),
        ];
        for kind in kinds {
            let heading = format!("best {kind}");
            columns.push(Column::new(&heading, "WQL", move |row: &Row| best(row, kind)));
        }
        self.table(&columns)
    }

    fn members(&self) -> Table {
        let mut names = forecasters(self.all);
        names.sort_by_key(|name| (name != POOL, name != NETWORK));
        let column = |name: &String| {
            let forecaster = name.clone();
            Column::new(name, "", move |row: &Row| row.judged(&forecaster).map(score))
        };
        let mut columns: Vec<_> = names.iter().map(column).collect();
        columns.push(Column::new("yardstick", "seasonal naive by this laboratory", |row: &Row| {
            Some(match row.plan.target {
                Target::Wql(_) => score(row.naive.wql),
                Target::OfNaive(_) => format!("1, a loss of {}", score(row.naive.scaled)),
            })
        }));
        self.table(&columns)
    }

    fn weights(&self) -> Table {
        let text = |row: &Row| {
            let each = row.tried.weights().into_iter().filter(|(_, weight)| *weight >= 0.005);
            let each = each.map(|(name, weight)| format!("{name} {:.0}", 100.0 * weight));
            Some(each.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
        };
        self.table(&[Column::new("weights", "", text)]).unexplained()
    }

    fn seeds(&self) -> Table {
        let of = |row: &Row, seed: u64| -> Option<f64> {
            let run = row.tried.runs.iter().find(|run| run.seed == seed)?;
            match row.plan.target {
                Target::Wql(_) => run.score(POOL, |score| score.wql),
                Target::OfNaive(_) => {
                    Some(run.score(POOL, |score| score.scaled)? / row.naive.scaled)
                }
            }
        };
        let column = |seed: &u64| {
            let seed = *seed;
            Column::new(&format!("seed {seed}"), "", move |row: &Row| of(row, seed).map(score))
        };
        let columns: Vec<_> = self.ring.seeds.iter().map(column).collect();
        self.table(&columns).unexplained()
    }

    /// `results.json`: every number, with the commands behind it.
    pub(super) fn json(&self, machine: &Machine) -> Value {
        let task = |row: &Row| {
            json!({
                "task": row.plan.name, "label": row.label(), "target": row.plan.target,
                "measure": row.measure(), "rank": self.rank(row), "naive": row.naive, "tried": row.tried,
            })
        };
        json!({
            "version": 1, "title": self.ring.plan.title, "headline": self.headline(),
            "warnings": self.warnings(), "seeds": self.ring.seeds,
            "tasks": self.rows.iter().map(task).collect::<Vec<_>>(), "machine": machine,
        })
    }

    /// All digits, one line per task, forecaster and seed.
    pub(super) fn csv(&self) -> String {
        type Line<'a> = (&'a Row<'a>, u64, &'a str, &'a Score);
        let mut lines: Vec<Line> = Vec::new();
        for row in &self.rows {
            for run in &row.tried.runs {
                lines
                    .extend(run.scores.iter().map(|(name, score)| (row, run.seed, &**name, score)));
            }
        }
        let number = |of: fn(&Score) -> f64| -> Field<Line> {
            Box::new(move |(.., score): &Line| of(score).to_string())
        };
        let fields: Vec<(&str, Field<Line>)> = vec![
            ("task", Box::new(|(row, ..): &Line| row.plan.name.clone())),
            ("refit", Box::new(|(row, ..): &Line| row.tried.refit.to_string())),
            ("seed", Box::new(|(_, seed, ..): &Line| seed.to_string())),
            ("forecaster", Box::new(|(_, _, name, _): &Line| (*name).to_owned())),
            ("wql", number(|s| s.wql)),
            ("mase", number(|s| s.mase)),
            ("scaled", number(|s| s.scaled)),
            ("crps", number(|s| s.crps)),
            ("coverage_80", number(|s| s.coverage)),
        ];
        page::csv(&lines, &fields)
    }
}
