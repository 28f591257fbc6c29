//! The tables of a benchmark, for page, terminal and programs.

use super::super::grid::{Cell, Grid, Heading, Line, quoted};
use super::super::number::{difference, interval, percent, score, score_with_error};
use super::super::read::Paired;
use super::plan::{Group, Plan, Target};
use super::result::{Baseline, Compared, Outcome, Scored};
use super::verdict::number;

/// A table and what it shows.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) grid: Grid,
}

/// A column: heading, note, and what it says of a cell.
type Column<'a> = (String, &'a str, Box<dyn Fn(&Outcome) -> Option<String> + 'a>);

/// All tables that have a row.
pub(super) fn sections(plan: &Plan, outcomes: &[Outcome]) -> Vec<Section> {
    let cell = |outcome: &Outcome| &plan.cells[outcome.cell];
    let own = |outcome: &&Outcome| cell(outcome).group == Group::Own;
    let returns = |outcome: &&Outcome| cell(outcome).target == Target::Returns;
    let others: Vec<&Outcome> = outcomes.iter().filter(own).filter(|o| !returns(o)).collect();
    let stocks: Vec<&Outcome> = outcomes.iter().filter(own).filter(returns).collect();
    let default: Vec<&Outcome> = outcomes.iter().filter(|o| !own(o)).collect();
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
            "CRPS of the model less that of a baseline, window by window, ± standard error over windows and \
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
            grid: grid(plan, rows, &columns),
        })
        .collect();
    let scored: Vec<&Outcome> = outcomes.iter().filter(|o| o.scored().is_some()).collect();
    if !scored.is_empty() {
        let note = "Percent of the truth inside 90 % intervals, log predictive density in nats a value, and \
                    processor seconds (user and system) measured of the child processes: of training one \
                    seed, and of scoring all seeds, the ensemble and all baselines.";
        let grid = grid(plan, &scored, &costs());
        sections.push(Section { title: "Calibration and cost", note, grid });
    }
    sections
}

fn grid(plan: &Plan, rows: &[&Outcome], columns: &[Column]) -> Grid {
    let line = |outcome: &&Outcome| {
        let cell = &plan.cells[outcome.cell];
        let cells = columns.iter().map(|(_, _, say)| Cell::plain(say(outcome))).collect();
        let label = match cell.group {
            Group::Own => cell.label.clone(),
            Group::Default => format!("{}, default", cell.label),
        };
        Line { label, link: Some(format!("#{}", cell.name)), rule: false, cells }
    };
    let heading =
        |(text, note, _): &Column| Heading { text: text.clone(), note: (*note).to_owned() };
    Grid { columns: columns.iter().map(heading).collect(), lines: rows.iter().map(line).collect() }
}

/// A column that says something of cells that were scored.
fn column<'a>(
    heading: &str,
    note: &'a str,
    say: impl Fn(&Outcome, &Scored) -> Option<String> + 'a,
) -> Column<'a> {
    always(heading, note, move |outcome| say(outcome, outcome.scored()?))
}

/// A column that says something of all cells.
fn always<'a>(
    heading: &str,
    note: &'a str,
    say: impl Fn(&Outcome) -> Option<String> + 'a,
) -> Column<'a> {
    (heading.to_owned(), note, Box::new(say))
}

fn crps<'a>() -> Column<'a> {
    column("CRPS", "mean over seeds ± standard error over seeds", |_, s| {
        Some(score_with_error(s.crps.mean, s.crps.error()))
    })
}

fn verdict<'a>() -> Column<'a> {
    always("verdict", "whether the target is met", |outcome| Some(outcome.word().to_owned()))
}

fn scores(plan: &Plan) -> Vec<Column<'_>> {
    let mut columns = vec![
        crps(),
        column("ensemble", "CRPS of all seeds as one", |_, s| s.ensemble.map(score)),
        always("target", "CRPS that the cell is to reach", |o| match plan.cells[o.cell].target {
            Target::Crps(most) => Some(format!("≤ {}", number(most))),
            _ => Some("all baselines".to_owned()),
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
    columns.extend(plan.cited.iter().map(|cited| cited_column(plan, &cited.name, &cited.source)));
    columns.retain(|(heading, _, _)| {
        let of_returns = |name: &String| {
            let mut cells = plan.cells.iter().filter(|cell| cell.cited.contains_key(name));
            cells.all(|cell| cell.target == Target::Returns)
        };
        !plan.cited.iter().any(|cited| cited.name == *heading) || !of_returns(heading)
    });
    columns
}

fn cited_column<'a>(plan: &'a Plan, name: &'a str, source: &'a str) -> Column<'a> {
    always(name, source, move |outcome| {
        plan.cells[outcome.cell].cited.get(name).map(|value| number(*value))
    })
}

fn named(baseline: &Baseline) -> String {
    format!("{} ({})", score(baseline.crps), baseline.name)
}

fn differences<'a>() -> Vec<Column<'a>> {
    let ridge = |s: &Scored| s.baseline("ridge")?.difference.crps;
    let best = |s: &Scored| s.best()?.difference.crps;
    let range = |d: Paired| interval(d.low, d.high, d.error);
    vec![
        column("− ridge", "CRPS less ridge’s", move |_, s| ridge(s).map(plus_minus)),
        column("95 % interval", "of the difference to ridge", move |_, s| ridge(s).map(range)),
        column("best baseline", "its name", |_, s| s.best().map(|b| b.name.clone())),
        column("− best", "CRPS less that of the best baseline", move |_, s| {
            best(s).map(plus_minus)
        }),
        column("95 % interval (best)", "of the difference to the best baseline", move |_, s| {
            best(s).map(range)
        }),
    ]
}

fn plus_minus(paired: Paired) -> String {
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
    for cited in &plan.cited {
        let mut cells = plan.cells.iter().filter(|cell| cell.target == Target::Returns);
        if cells.any(|cell| cell.cited.contains_key(&cited.name)) {
            columns.push(cited_column(plan, &cited.name, &cited.source));
        }
    }
    columns
}

fn distributions<'a>() -> Vec<Column<'a>> {
    let less = |name: &'static str, of: fn(&Compared) -> Option<Paired>| {
        move |_: &Outcome, s: &Scored| of(&s.baseline(name)?.difference).map(plus_minus)
    };
    let crps_of = |c: &Compared| c.crps;
    let log_of = |c: &Compared| c.log_score;
    vec![
        verdict(),
        crps(),
        column("− climatology", "CRPS less climatology’s", less("climatology", crps_of)),
        column("− GARCH", "CRPS less that of GARCH(1,1)-t", less("GARCH(1,1)-t", crps_of)),
        column("log score", "nats a value", |_, s| s.log_score.map(score)),
        column("log − climatology", "log score less climatology’s", less("climatology", log_of)),
        column("log − GARCH", "log score less that of GARCH(1,1)-t", less("GARCH(1,1)-t", log_of)),
        column("in 90 %", "percent", |_, s| Some(percent(s.coverage_90))),
    ]
}

fn of_default<'a>(outcomes: &'a [Outcome], plan: &'a Plan) -> Vec<Column<'a>> {
    let own = move |outcome: &Outcome| {
        let label = &plan.cells[outcome.cell].label;
        let mut all = outcomes.iter();
        let of_own = |o: &&Outcome| {
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
        column("− ridge", "CRPS less ridge’s", move |_, s| ridge(s).map(plus_minus)),
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
        column("seeds", "how many", |_, s| Some(s.seeds.len().to_string())),
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
pub(super) fn csv(plan: &Plan, outcomes: &[Outcome]) -> String {
    type Pick = fn(&Scored) -> Option<f64>;
    fn paired(baseline: Option<&Baseline>, pick: fn(Paired) -> f64) -> Option<f64> {
        baseline?.difference.crps.map(pick)
    }
    let picks: [(&str, Pick); 21] = [
        ("crps", |s| Some(s.crps.mean)),
        ("crps_error", |s| s.crps.error()),
        ("ensemble", |s| s.ensemble),
        ("ridge", |s| Some(s.baseline("ridge")?.crps)),
        ("naive", |s| Some(s.naive()?.crps)),
        ("best_baseline", |s| Some(s.best()?.crps)),
        ("ridge_difference", |s| paired(s.baseline("ridge"), |d| d.mean)),
        ("ridge_difference_error", |s| paired(s.baseline("ridge"), |d| d.error)),
        ("ridge_difference_low", |s| paired(s.baseline("ridge"), |d| d.low)),
        ("ridge_difference_high", |s| paired(s.baseline("ridge"), |d| d.high)),
        ("best_difference", |s| paired(s.best(), |d| d.mean)),
        ("best_difference_error", |s| paired(s.best(), |d| d.error)),
        ("best_difference_low", |s| paired(s.best(), |d| d.low)),
        ("best_difference_high", |s| paired(s.best(), |d| d.high)),
        ("coverage_90", |s| Some(s.coverage_90)),
        ("log_score", |s| s.log_score),
        ("mse", |s| Some(s.points.as_ref()?.model)),
        ("mse_zero", |s| s.points.as_ref()?.zero),
        ("mse_kept", |s| Some(s.points.as_ref()?.kept)),
        ("train_cpu_seconds", |s| Some(s.train_seconds?.mean)),
        ("evaluate_cpu_seconds", |s| s.evaluate_seconds),
    ];
    let mut out = String::from("cell,state,seeds,best_baseline_name");
    picks.iter().for_each(|(name, _)| out += &format!(",{name}"));
    for outcome in outcomes {
        let scored = outcome.scored();
        let seeds = scored.map_or(0, |s| s.seeds.len());
        let best = scored.and_then(Scored::best).map_or(String::new(), |b| quoted(&b.name));
        let name = &plan.cells[outcome.cell].name;
        out += &format!("\n{name},{},{seeds},{best}", outcome.word());
        for (_, pick) in picks {
            let value = scored.and_then(pick).map(|v| v.to_string()).unwrap_or_default();
            out += &format!(",{value}");
        }
    }
    out + "\n"
}
