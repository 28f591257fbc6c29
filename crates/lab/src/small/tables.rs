//! The tables of the small series.

use super::standing::Ratio;
use super::summary::{Summary, Who};
use crate::backtest::{Scored, Tried};
use crate::number::{percent, score, score_with_error};
use crate::page::{self, Column, Field, Head, Table};
use crate::scores::{NETWORK, POOL};

/// A table under a title, with a note.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) table: Table,
}

type Row<'a> = &'a Tried<'a>;

pub(super) fn sections(summary: &Summary) -> Vec<Section> {
    let section = |title, note, table| Section { title, note, table };
    vec![
        section(
            "All series",
            "The CRPS of each, geometric mean over the series that both have.",
            overall(summary),
        ),
        section("Series", "CRPS: mean over seeds ± standard error over seeds.", series(summary)),
        section(
            "Every member",
            "CRPS of each forecaster of ours, mean over seeds; `–` where it was not fitted.",
            members(summary),
        ),
        section("Others", "CRPS in peers.csv.", peers(summary)),
        section(
            "Weights",
            "Of the pool’s members, in percent, mean over seeds and columns.",
            weights(summary),
        ),
        section(
            "Seeds",
            "The pool’s CRPS of each seed, and the geometric mean of its ratios.",
            seeds(summary),
        ),
    ]
}

fn of_series<'a>(summary: &Summary<'a>, columns: &[Column<Row<'a>>]) -> Table {
    Table::new("series", &summary.tried, |t| Head::new(t.task.label.clone()), columns)
}

/// Everybody beside the reference, and the pool beside everybody.
fn overall(summary: &Summary) -> Table {
    let ours = summary.ours.iter().map(|name| Who::Ours(name));
    let theirs = summary.small.peers.names.iter().map(|name| Who::Peer(name));
    let everybody: Vec<Who> = ours.chain(theirs).collect();
    let reference = summary.reference();
    let name = |who: &Who| match who {
        Who::Ours(name) => (*name).to_owned(),
        Who::Peer(name) => format!("{name} (peer)"),
    };
    let ratio = |who: &Who| summary.ratio(*who, reference);
    let coverage = |who: &Who| {
        let each = summary.tried.iter().filter_map(|t| summary.coverage(t, *who));
        stats::mean_of_finite(each)
    };
    let pool = |who: &Who| summary.ratio(Who::Ours(POOL), *who);
    let of_reference = format!("CRPS relative to {}", summary.small.plan.reference);
    let columns = [
        Column::new(&of_reference, "95 % interval over series", |w| ratio(w).map(Ratio::text))
            .best(|w| ratio(w).map(|ratio| ratio.mean)),
        Column::new("series", "that both have", |w| Some(ratio(w)?.count.to_string())),
        Column::new("in 80 %", "percent of the truth", |w| coverage(w).map(percent)),
        Column::new("pool relative to it", "95 % interval over series", |w| {
            pool(w).map(Ratio::text)
        }),
        Column::new(
            "pool lost",
            "series on which the pool is worse by more than the loss that counts",
            |w| summary.lost(*w).map(|lost| lost.to_string()),
        ),
    ];
    Table::new("forecaster", &everybody, |w| Head::new(name(w)), &columns).without_empty_columns()
}

fn series(summary: &Summary) -> Table {
    let number = |heading: &str, meaning: &str, of: fn(&Tried) -> usize| {
        Column::new(heading, meaning, move |t: &Row| Some(of(t).to_string()))
    };
    let network = |t: &Row| summary.crps(t, Who::Ours(NETWORK));
    let reference = |t: &Row| summary.crps(t, summary.reference());
    let ratio = |value: Option<f64>| value.map(|ratio| format!("{ratio:.3}"));
    let columns = [
        number("rows", "in the file", |t| t.task.columns.rows()),
        number("columns", "forecast", |t| t.task.columns.names.len()),
        number("horizon", "rows ahead", |t| t.task.origins.horizon),
        Column::new("pool", "what a user gets", |t: &Row| {
            let spread = t.spread(POOL, |score| score.crps)?;
            Some(score_with_error(spread.mean, spread.error()))
        }),
        Column::new("network", "alone", move |t: &Row| network(t).map(score)),
        Column::new(&summary.small.plan.reference, "from peers.csv", move |t: &Row| {
            reference(t).map(score)
        }),
        Column::new("ratio", "pool to that", move |t: &Row| ratio(summary.against(t))),
        Column::new("ratio, network", "network to that", move |t: &Row| {
            ratio(Some(network(t)? / reference(t)?))
        }),
        Column::new("in 80 %", "percent of the truth, pool", move |t: &Row| {
            summary.coverage(t, Who::Ours(POOL)).map(percent)
        }),
        Column::new("CPU s", "of one run, mean over seeds", |t: &Row| {
            t.seconds().map(|seconds| format!("{seconds:.1}"))
        }),
    ];
    of_series(summary, &columns)
}

fn members(summary: &Summary) -> Table {
    let names = summary.ours.iter();
    let columns: Vec<_> = names.map(|name| crps(summary, Who::Ours(name), name)).collect();
    of_series(summary, &columns)
}

fn peers(summary: &Summary) -> Table {
    let names = &summary.small.peers.names;
    let columns: Vec<_> = names.iter().map(|name| crps(summary, Who::Peer(name), name)).collect();
    of_series(summary, &columns)
}

fn crps<'a>(summary: &'a Summary<'a>, who: Who<'a>, name: &str) -> Column<'a, Row<'a>> {
    let of = move |t: &Row| summary.crps(t, who).map(score);
    Column::new(&name.replace('_', " "), "", of)
}

fn weights(summary: &Summary) -> Table {
    let mut members: Vec<String> = Vec::new();
    for (member, _) in summary.tried.iter().flat_map(|tried| tried.weights()) {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    let column = |member: &String| {
        let member = member.clone();
        Column::new(&member.clone(), "", move |t: &Row| {
            let (_, weight) = t.weights().into_iter().find(|(name, _)| *name == member)?;
            Some(format!("{:.0}", 100.0 * weight))
        })
    };
    let columns: Vec<_> = members.iter().map(column).collect();
    of_series(summary, &columns).unexplained()
}

fn seeds(summary: &Summary) -> Table {
    enum Line<'a> {
        Series(Row<'a>),
        All,
    }
    let run = |t: Row<'_>, seed: u64| -> Option<f64> {
        let run: &Scored = t.runs.iter().find(|run| run.seed == seed)?;
        run.score(POOL, |score| score.crps)
    };
    let column = |seed: u64| {
        Column::new(&format!("seed {seed}"), "", move |line: &Line| match line {
            Line::Series(t) => run(t, seed).map(score),
            Line::All => {
                let reference = |t: Row<'_>| summary.crps(t, summary.reference());
                let pair = |t: &Row<'_>| Some((run(t, seed)?, reference(t)?));
                Ratio::of(summary.tried.iter().map(pair)).map(Ratio::text)
            }
        })
    };
    let columns: Vec<_> = summary.small.seeds.iter().map(|seed| column(*seed)).collect();
    let mut lines: Vec<Line> = summary.tried.iter().map(|t| Line::Series(t)).collect();
    lines.push(Line::All);
    let head = |line: &Line| match line {
        Line::Series(t) => Head::new(t.task.label.clone()),
        Line::All => {
            Head { rule: true, ..Head::new(format!("ratio to {}", summary.small.plan.reference)) }
        }
    };
    Table::new("series", &lines, head, &columns).unexplained()
}

/// All digits, one line per series.
pub(super) fn csv(summary: &Summary) -> String {
    fn text(value: Option<f64>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let ours = summary.ours.iter().map(|name| (name.replace(' ', "_"), Who::Ours(name)));
    let peers = summary.small.peers.names.iter();
    let peers = peers.map(|name| (format!("peer_{name}"), Who::Peer(name)));
    let named = |(name, who): (String, _)| (format!("{name}_crps"), format!("{name}_cov80"), who);
    let names: Vec<(String, String, Who)> = ours.chain(peers).map(named).collect();
    let mut fields: Vec<(&str, Field<Row>)> = vec![
        ("series", Box::new(|t| t.task.label.clone())),
        ("rows", Box::new(|t| t.task.columns.rows().to_string())),
        ("horizon", Box::new(|t| t.task.origins.horizon.to_string())),
        ("seeds", Box::new(|t| t.runs.len().to_string())),
        ("ratio", Box::new(|t| text(summary.against(t)))),
        ("cpu_seconds", Box::new(|t| text(t.seconds()))),
    ];
    for (crps, coverage, who) in &names {
        fields.push((crps, Box::new(|t| text(summary.crps(t, *who)))));
        fields.push((coverage, Box::new(|t| text(summary.coverage(t, *who)))));
    }
    page::csv(&summary.tried, &fields)
}
