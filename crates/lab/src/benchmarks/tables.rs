//! The tables of a benchmark, for page, terminal and programs.

use stats::Difference;

use super::ended::Ended;
use super::plan::{Group, Plan, Target};
use super::result::{Baseline, Compared, Scored};
use super::verdict::number;
use crate::number::{difference, interval, percent, score, score_with_error};
use crate::page::{self, Field, Head, Table};

/// A table and what it shows.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) table: Table,
}

type Column<'a> = page::Column<'a, &'a Ended>;

/// All tables that have a row.
pub(super) fn sections<'a>(plan: &'a Plan, outcomes: &'a [Ended]) -> Vec<Section> {
    let cell = |outcome: &Ended| &plan.cells[outcome.cell];
    let own = |outcome: &&Ended| cell(outcome).group == Group::Own;
    let returns = |outcome: &&Ended| cell(outcome).target == Target::Returns;
    let others: Vec<&Ended> = outcomes.iter().filter(own).filter(|o| !returns(o)).collect();
    let stocks: Vec<&Ended> = outcomes.iter().filter(own).filter(returns).collect();
    let default: Vec<&Ended> = outcomes.iter().filter(|o| !own(o)).collect();
    let tables = [
        (
            "Scores",
            "CRPS on the test windows as the protocols define it, original units. Mean over seeds ± standard \
             error over seeds; the ensemble shares its samples among the seeds. Cited numbers are others’.",
            &others,
            scores(plan),
        ),
        (
            "Paired differences",
            "CRPS of the model minus that of a baseline, window by window, ± standard error over windows and \
             seeds, with the 95 % interval; negative is better.",
            &others,
            differences(),
        ),
        (
            "Stocks: squared error",
            "One panel model per year and length. Squared error of the stated mean, in training standard \
             deviations, mean over tickers; D-Va’s is that on the windows that its loader keeps.",
            &stocks,
            squared_errors(plan),
        ),
        (
            "Stocks: distribution",
            "CRPS and log score (nats a value, larger is better), and the paired differences: negative is \
             better of the CRPS, positive of the log score.",
            &stocks,
            distributions(),
        ),
        (
            "The default config",
            "`configs/benchmarks/default.toml`, which names data and nothing else, with `--set data.…`.",
            &default,
            of_default(outcomes, plan),
        ),
    ];
    let mut sections: Vec<Section> = tables
        .into_iter()
        .filter(|(_, _, rows, _)| !rows.is_empty())
        .map(|(title, note, rows, columns)| Section {
            title,
            note,
            table: table(plan, rows, &columns),
        })
        .collect();
    let scored: Vec<&Ended> = outcomes.iter().filter(|o| o.scored().is_some()).collect();
    if !scored.is_empty() {
        let note = "Percent of the truth inside 90 % intervals, log predictive density in nats a value, and \
                    processor seconds (user and system) measured of the child processes: of training one \
                    seed, and of scoring all seeds, the ensemble and all baselines.";
        let table = table(plan, &scored, &costs());
        sections.push(Section { title: "Calibration and cost", note, table });
    }
    sections
}

fn table<'a>(plan: &'a Plan, rows: &[&'a Ended], columns: &[Column<'a>]) -> Table {
    let head = |outcome: &&Ended| {
        let cell = &plan.cells[outcome.cell];
        let label = match cell.group {
            Group::Own => cell.label.clone(),
            Group::Default => format!("{}, default", cell.label),
        };
        Head { link: Some(format!("#{}", cell.name)), ..Head::new(label) }
    };
    Table::new("cell", rows, head, columns)
}

/// A column that says something of cells that were scored.
fn column<'a>(
    heading: &str,
    meaning: &str,
    say: impl Fn(&'a Ended, &'a Scored) -> Option<String> + 'a,
) -> Column<'a> {
    Column::new(heading, meaning, move |outcome: &&'a Ended| say(outcome, outcome.scored()?))
}

fn crps<'a>() -> Column<'a> {
    column("CRPS", "mean over seeds ± standard error over seeds", |_, s| {
        Some(score_with_error(s.crps.mean, s.crps.error()))
    })
}

fn verdict<'a>() -> Column<'a> {
    Column::new("verdict", "whether the target is met", |outcome: &&Ended| {
        Some(outcome.word().to_owned())
    })
}

fn scores(plan: &Plan) -> Vec<Column<'_>> {
    let mut columns = vec![
        crps(),
        column("ensemble", "CRPS of all seeds as one", |_, s| s.ensemble.map(score)),
        Column::new("target", "the CRPS to reach", |o: &&Ended| {
            Some(match plan.cells[o.cell].target {
                Target::Crps(most) => format!("≤ {}", number(most)),
                _ => "all baselines".to_owned(),
            })
        }),
        verdict(),
        column("ridge", "CRPS of ridge regression with residuals", |_, s| {
            s.baseline("ridge").map(|b| score(b.crps))
        }),
        column("best baseline", "the smallest CRPS among all baselines", |_, s| {
            s.best().map(named)
        }),
        column("naive", "the better of last value and seasonal naive, with residuals", |_, s| {
            s.naive().map(|b| score(b.crps))
        }),
    ];
    columns.extend(cited(plan, |target| target != Target::Returns));
    columns
}

/// Columns of numbers that others report, for cells of some targets: those whose source has such a cell, or no
/// cell at all.
fn cited(plan: &Plan, wanted: fn(Target) -> bool) -> Vec<Column<'_>> {
    let columns = plan.cited.iter().filter_map(|cited| {
        let mut cells = plan.cells.iter().filter(|cell| cell.cited.contains_key(&cited.name));
        let any = cells.any(|cell| wanted(cell.target));
        let column = Column::new(&cited.name, &cited.source, |outcome: &&Ended| {
            plan.cells[outcome.cell].cited.get(&cited.name).map(|value| number(*value))
        });
        any.then_some(column)
    });
    columns.collect()
}

fn named(baseline: &Baseline) -> String {
    format!("{} ({})", score(baseline.crps), baseline.name)
}

fn differences<'a>() -> Vec<Column<'a>> {
    let ridge = |s: &Scored| s.baseline("ridge")?.difference.crps;
    let best = |s: &Scored| s.best()?.difference.crps;
    let range = |d: Difference| interval(d.low, d.high, d.error);
    vec![
        column("− ridge", "CRPS minus ridge’s", move |_, s| ridge(s).map(plus_minus)),
        column("95 % interval", "of the difference to ridge", move |_, s| ridge(s).map(range)),
        column("best baseline", "its name", |_, s| s.best().map(|b| b.name.clone())),
        column("− best", "CRPS minus that of the best baseline", move |_, s| {
            best(s).map(plus_minus)
        }),
        column("95 % interval (best)", "of the difference to the best baseline", move |_, s| {
            best(s).map(range)
        }),
    ]
}

fn plus_minus(paired: Difference) -> String {
    difference(paired.mean, paired.error)
}

fn squared_errors(plan: &Plan) -> Vec<Column<'_>> {
    let mut columns = vec![
        verdict(),
        column("MSE", "of the mean, all windows", |_, s| s.points.as_ref().map(|p| score(p.model))),
        column("zero", "MSE of predicting zero, all windows", |_, s| {
            s.points.as_ref()?.zero.map(score)
        }),
        column("− zero", "difference of the two", |_, s| {
            s.points.as_ref()?.to_zero.map(plus_minus)
        }),
        column("MSE, D-Va’s", "on the windows that D-Va’s loader keeps", |_, s| {
            s.points.as_ref().map(|p| score(p.kept))
        }),
        column("zero, D-Va’s", "on the windows that D-Va’s loader keeps", |_, s| {
            s.points.as_ref()?.zero_kept.map(score)
        }),
    ];
    columns.extend(cited(plan, |target| target == Target::Returns));
    columns
}

fn distributions<'a>() -> Vec<Column<'a>> {
    let less = |name: &'static str, of: fn(&Compared) -> Option<Difference>| {
        move |_: &Ended, s: &Scored| of(&s.baseline(name)?.difference).map(plus_minus)
    };
    let crps_of = |c: &Compared| c.crps;
    let log_of = |c: &Compared| c.log_score;
    vec![
        verdict(),
        crps(),
        column("− climatology", "CRPS minus climatology’s", less("climatology", crps_of)),
        column("− GARCH", "CRPS minus that of GARCH(1,1)-t", less("GARCH(1,1)-t", crps_of)),
        column("log score", "nats a value", |_, s| s.log_score.map(score)),
        column("log − climatology", "log score minus climatology’s", less("climatology", log_of)),
        column("log − GARCH", "log score minus that of GARCH(1,1)-t", less("GARCH(1,1)-t", log_of)),
        column("in 90 %", "percent", |_, s| Some(percent(s.coverage_90))),
    ]
}

fn of_default<'a>(outcomes: &'a [Ended], plan: &'a Plan) -> Vec<Column<'a>> {
    let own = move |outcome: &Ended| {
        let label = &plan.cells[outcome.cell].label;
        let mut all = outcomes.iter();
        let of_own = |o: &&Ended| {
            plan.cells[o.cell].label == *label && plan.cells[o.cell].group == Group::Own
        };
        all.find(of_own)?.scored()
    };
    let ridge = |s: &Scored| s.baseline("ridge")?.difference.crps;
    vec![
        crps(),
        column("ridge", "CRPS of ridge regression with residuals", |_, s| {
            s.baseline("ridge").map(|b| score(b.crps))
        }),
        column("− ridge", "CRPS minus ridge’s", move |_, s| ridge(s).map(plus_minus)),
        column("95 % interval", "of that difference", move |_, s| {
            ridge(s).map(|d| interval(d.low, d.high, d.error))
        }),
        verdict(),
        column("own config", "CRPS of the config of the cell", move |o, _| {
            own(o).map(|s| score(s.crps.mean))
        }),
    ]
}

fn costs<'a>() -> Vec<Column<'a>> {
    vec![
        column("in 90 %", "percent", |_, s| Some(percent(s.coverage_90))),
        column("log score", "nats a value, standardized", |_, s| s.log_score.map(score)),
        column("seeds", "number of seeds", |_, s| Some(s.seeds.len().to_string())),
        column("windows", "scored", |_, s| Some(s.windows.to_string())),
        column("parameters", "of the model", |_, s| Some(s.parameters.to_string())),
        column("training, CPU s", "of one seed, mean over seeds", |_, s| {
            s.train_seconds.map(|t| format!("{:.0}", t.mean))
        }),
        column("scoring, CPU s", "all seeds, ensemble and baselines", |_, s| {
            s.evaluate_seconds.map(|t| format!("{t:.0}"))
        }),
    ]
}

/// All digits, one line per cell.
pub(super) fn csv(plan: &Plan, outcomes: &[Ended]) -> String {
    fn pick<'a>(of: fn(&Scored) -> Option<f64>) -> Field<'a, Ended> {
        Box::new(move |outcome| {
            outcome.scored().and_then(of).map(|value| value.to_string()).unwrap_or_default()
        })
    }
    fn to_ridge(scored: &Scored) -> Option<Difference> {
        scored.baseline("ridge")?.difference.crps
    }
    fn to_best(scored: &Scored) -> Option<Difference> {
        scored.best()?.difference.crps
    }
    let fields: Vec<(&str, Field<Ended>)> = vec![
        ("cell", Box::new(|outcome| plan.cells[outcome.cell].name.clone())),
        ("state", Box::new(|outcome| outcome.word().to_owned())),
        ("seeds", Box::new(|o| o.scored().map_or(0, |s| s.seeds.len()).to_string())),
        (
            "best_baseline_name",
            Box::new(|o| {
                o.scored().and_then(Scored::best).map_or(String::new(), |b| b.name.clone())
            }),
        ),
        ("crps", pick(|s| Some(s.crps.mean))),
        ("crps_error", pick(|s| s.crps.error())),
        ("ensemble", pick(|s| s.ensemble)),
        ("ridge", pick(|s| Some(s.baseline("ridge")?.crps))),
        ("naive", pick(|s| Some(s.naive()?.crps))),
        ("best_baseline", pick(|s| Some(s.best()?.crps))),
        ("ridge_difference", pick(|s| Some(to_ridge(s)?.mean))),
        ("ridge_difference_error", pick(|s| Some(to_ridge(s)?.error))),
        ("ridge_difference_low", pick(|s| Some(to_ridge(s)?.low))),
        ("ridge_difference_high", pick(|s| Some(to_ridge(s)?.high))),
        ("best_difference", pick(|s| Some(to_best(s)?.mean))),
        ("best_difference_error", pick(|s| Some(to_best(s)?.error))),
        ("best_difference_low", pick(|s| Some(to_best(s)?.low))),
        ("best_difference_high", pick(|s| Some(to_best(s)?.high))),
        ("coverage_90", pick(|s| Some(s.coverage_90))),
        ("log_score", pick(|s| s.log_score)),
        ("mse", pick(|s| Some(s.points.as_ref()?.model))),
        ("mse_zero", pick(|s| s.points.as_ref()?.zero)),
        ("mse_kept", pick(|s| Some(s.points.as_ref()?.kept))),
        ("train_cpu_seconds", pick(|s| Some(s.train_seconds?.mean))),
        ("evaluate_cpu_seconds", pick(|s| s.evaluate_seconds)),
    ];
    page::csv(outcomes, &fields)
}
