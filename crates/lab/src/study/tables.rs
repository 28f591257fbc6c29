//! The tables of a study: every cell with all its arms, and every comparison.

use record::Scores;
use stats::Spread;

use super::claims::{Comparison, Judged, Tested, p_text, percent as share, signed};
use super::measure::{Table, value};
use super::plan::Measure;
use super::runs::Studied;
use super::simulate::BestScores;
use crate::number::{difference, percent, plain, with_error};
use crate::page::{self, Column, Field};

/// A row of a cell's table; numbers are absent where there is nothing to say.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) label: String,
    /// The arm, if it is one.
    pub(super) arm: Option<usize>,
    pub(super) finished: usize,
    pub(super) planned: usize,
    pub(super) test: Option<Spread>,
    /// Chosen epoch, minus the reference arm, paired.
    pub(super) to_reference: Option<(f64, f64)>,
    pub(super) test_end: Option<Spread>,
    pub(super) gap_end: Option<Spread>,
    pub(super) log_score: Option<Spread>,
    pub(super) slope: Option<Spread>,
    pub(super) covered: Option<Spread>,
    pub(super) kl: Option<Spread>,
    pub(super) active: Option<Spread>,
    pub(super) features: Option<Spread>,
    pub(super) information: Option<Spread>,
    pub(super) seconds: Option<Spread>,
}

fn columns<'a>() -> Vec<Column<'a, Row>> {
    fn spread<'a>(heading: &str, meaning: &str, of: fn(&Row) -> Option<Spread>) -> Column<'a, Row> {
        Column::new(heading, meaning, move |row: &Row| of(row).map(|s| with_error(s.mean, s.std)))
    }
    fn mean<'a>(heading: &str, meaning: &str, of: fn(&Row) -> Option<Spread>) -> Column<'a, Row> {
        Column::new(heading, meaning, move |row: &Row| of(row).map(|s| plain(s.mean)))
    }
    vec![
        spread(
            "CRPS",
            "standardized, test windows, weights chosen on validation; ± one standard deviation over seeds",
            |r| r.test,
        )
        .best(|row: &Row| row.arm.and(row.test).map(|test| test.mean)),
        Column::new(
            "− no noise",
            "the same minus that of the arm without noise, ± standard error, paired by window and seed",
            |row: &Row| row.to_reference.map(|(mean, error)| difference(mean, error)),
        ),
        spread("CRPS, end", "standardized, test windows, weights at the end of training", |r| {
            r.test_end
        }),
        spread("gap, end", "test minus training CRPS of the weights at the end", |r| r.gap_end),
        spread(
            "log score",
            "log predictive density per value in nats, chosen weights; larger is better",
            |r| r.log_score,
        ),
        spread(
            "slope",
            "slope of the truth regressed on the mean forecast: 1 is unbiased, above 1 shrunk",
            |r| r.slope,
        ),
        Column::new(
            "in 90 %",
            "share of the truth inside the 90 % interval, in percent",
            |row: &Row| row.covered.map(|s| percent(s.mean)),
        ),
        mean("KL", "from posterior to prior on validation windows, nats", |r| r.kl),
        mean("active", "latent units whose posterior mean varies", |r| r.active),
        spread("R²", "of a ridge probe from the features of clean windows to the future", |r| {
            r.features
        }),
        mean("I(z; x)", "information of the features about the window, nats, clean windows", |r| {
            r.information
        }),
        mean("CPU s", "processor seconds of one training", |r| r.seconds),
    ]
}

/// The rows of a cell: arms, tuned arms, baselines, and the best that is possible where that is known.
pub(super) fn rows(table: &Table, cell: usize) -> Vec<Row> {
    let plan = table.plan;
    let mut rows: Vec<Row> =
        plan.cells[cell].arms.iter().map(|arm| arm_row(table, cell, *arm)).collect();
    for tuned in &plan.tuned {
        if !tuned.among.iter().all(|arm| plan.cells[cell].arms.contains(arm)) {
            continue;
        }
        let Some(best) = table.tuned(cell, &tuned.among) else { continue };
        let label = format!("{} ({})", tuned.label, plan.arms[best].label);
        rows.push(Row { label, arm: None, ..arm_row(table, cell, best) });
    }
    rows.extend(baselines(table, cell));
    rows.extend(best(table, cell));
    rows
}

fn arm_row(table: &Table, cell: usize, arm: usize) -> Row {
    let plan = table.plan;
    let of = |measure| Spread::of(table.values(cell, arm, measure));
    let each = |value: fn(&Studied) -> Option<f64>| {
        Spread::of(table.of(cell, arm).filter_map(|(_, run)| value(run)))
    };
    let is_reference = arm == plan.reference;
    let to_reference = table
        .difference(cell, arm, plan.reference, Measure::Test)
        .filter(|_| !is_reference)
        .map(|found| (found.mean, found.error));
    Row {
        label: plan.arms[arm].label.clone(),
        arm: Some(arm),
        finished: table.of(cell, arm).count(),
        planned: plan.seeds.len(),
        test: of(Measure::Test),
        to_reference,
        test_end: of(Measure::TestEnd),
        gap_end: of(Measure::GapEnd),
        log_score: of(Measure::LogScore),
        slope: each(|run| run.chosen.model().test.slope),
        covered: each(|run| Some(run.chosen.model().test.coverage.ninety)),
        kl: each(|run| Some(run.chosen.evaluation.health.kl())),
        active: each(|run| Some(run.chosen.evaluation.health.active() as f64)),
        features: each(|run| value(run, Measure::FeaturesClean)),
        information: each(|run| run.features.as_ref()?.steps.first()?.mutual_information),
        seconds: Spread::of(table.runs(cell, arm).filter_map(|run| run.seconds)),
    }
}

/// Baselines are scored beside the reference arm.
fn baselines(table: &Table, cell: usize) -> Vec<Row> {
    let Some((_, run)) = table.of(cell, table.plan.reference).next() else { return vec![] };
    let row = |baseline: &record::Scored| {
        let Scores { crps_standardized, log_score, slope, coverage, .. } = &baseline.test;
        Row {
            label: baseline.name.clone(),
            test: Spread::of([*crps_standardized]),
            log_score: Spread::of(*log_score),
            slope: Spread::of(*slope),
            covered: Spread::of([coverage.ninety]),
            ..Row::default()
        }
    };
    run.chosen.baselines().map(row).collect()
}

/// For a simulated set the scores of a forecaster that knows the process and everything before the forecast.
fn best(table: &Table, cell: usize) -> Option<Row> {
    let data = &table.plan.data[table.plan.cells[cell].data];
    let simulation = data.simulation.as_ref()?;
    let arms = &table.plan.cells[cell].arms;
    let (_, run) = arms.iter().find_map(|arm| table.of(cell, *arm).next())?;
    let horizon = run.chosen.evaluation.horizon;
    let windows = run.chosen.model().test.windows;
    // A window every row, the last one at the end of the series.
    let first = (simulation.rows + 1).checked_sub(windows + horizon)?;
    let series = simulation.process.simulate(simulation.rows, simulation.seed);
    let origins: Vec<usize> = (first..first + windows).collect();
    let scores = simulation.process.best(&series, &origins, horizon).ok()?;
    let spread = run.spread;
    let mean =
        |value: fn(&BestScores) -> f64| stats::mean(&scores.iter().map(value).collect::<Vec<_>>());
    Some(Row {
        label: match simulation.process.expected(horizon) {
            Some(long_run) => {
                let crps = plain(long_run.crps / spread);
                format!("best possible, knowing the process (in the long run {crps})")
            }
            None => "best possible, knowing the process".to_owned(),
        },
        test: Spread::of([mean(|score| score.crps) / spread]),
        log_score: Spread::of([mean(|score| score.log_score) + spread.ln()]),
        ..Row::default()
    })
}

/// A cell's table; the best CRPS of the arms is marked.
pub(super) fn cell(table: &Table, cell: usize) -> page::Table {
    let rows = rows(table, cell);
    let first = rows.iter().find(|row| row.arm.is_none());
    let head = |row: &Row| {
        let partial = row.arm.is_some() && row.finished < row.planned;
        let missing = match partial {
            true => format!(" ({} of {} seeds)", row.finished, row.planned),
            false => String::new(),
        };
        let rule = first.is_some_and(|first| std::ptr::eq(first, row));
        page::Head { rule, ..page::Head::new(format!("{}{missing}", row.label)) }
    };
    page::Table::new("arm", &rows, head, &columns()).without_empty_columns()
}

/// All cells in one file, a line per cell and arm.
pub(super) fn csv(table: &Table) -> String {
    type Line = (usize, Row);
    fn number(value: Option<f64>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    fn mean<'a>(of: fn(&Row) -> Option<Spread>) -> Field<'a, Line> {
        Box::new(move |(_, row)| number(of(row).map(|spread| spread.mean)))
    }
    fn std<'a>(of: fn(&Row) -> Option<Spread>) -> Field<'a, Line> {
        Box::new(move |(_, row)| number(of(row).and_then(|spread| spread.std)))
    }
    let plan = table.plan;
    let of = |cell: usize| &plan.cells[cell];
    let fields: Vec<(&str, Field<Line>)> = vec![
        ("cell", Box::new(|(cell, _)| plan.cell_label(of(*cell)))),
        ("data", Box::new(|(cell, _)| plan.data[of(*cell).data].name.clone())),
        ("model", Box::new(|(cell, _)| plan.models[of(*cell).model].name.clone())),
        ("percent", Box::new(|(cell, _)| of(*cell).percent.to_string())),
        (
            "row",
            Box::new(|(_, row)| {
                row.arm.map_or(row.label.clone(), |arm| plan.arms[arm].name.clone())
            }),
        ),
        ("seeds", Box::new(|(_, row)| row.finished.to_string())),
        ("crps", mean(|row| row.test)),
        ("crps_std", std(|row| row.test)),
        ("less_reference", Box::new(|(_, row)| number(row.to_reference.map(|r| r.0)))),
        ("less_reference_se", Box::new(|(_, row)| number(row.to_reference.map(|r| r.1)))),
        ("crps_end", mean(|row| row.test_end)),
        ("crps_end_std", std(|row| row.test_end)),
        ("gap_end", mean(|row| row.gap_end)),
        ("gap_end_std", std(|row| row.gap_end)),
        ("log_score", mean(|row| row.log_score)),
        ("slope", mean(|row| row.slope)),
        ("coverage_90", mean(|row| row.covered)),
        ("kl", mean(|row| row.kl)),
        ("active_units", mean(|row| row.active)),
        ("feature_r2", mean(|row| row.features)),
        ("information", mean(|row| row.information)),
        ("train_cpu_seconds", mean(|row| row.seconds)),
    ];
    let cells = 0..plan.cells.len();
    let lines: Vec<Line> =
        cells.flat_map(|cell| rows(table, cell).into_iter().map(move |row| (cell, row))).collect();
    page::csv(&lines, &fields)
}

/// Every comparison behind a claim, a line each.
pub(super) fn comparisons_csv(claims: &[Judged]) -> String {
    type Line<'a> = (&'a Judged, &'a Tested, &'a Comparison);
    fn number<'a>(of: fn(&Comparison) -> f64) -> Field<'a, Line<'a>> {
        Box::new(move |(_, _, comparison)| of(comparison).to_string())
    }
    let fields: Vec<(&str, Field<Line>)> = vec![
        ("claim", Box::new(|(claim, ..)| claim.name.clone())),
        ("question", Box::new(|(_, test, _)| test.asks.clone())),
        ("measure", Box::new(|(_, test, _)| test.measure.label().to_owned())),
        ("expect", Box::new(|(_, test, _)| format!("{:?}", test.expect).to_lowercase())),
        ("cell", Box::new(|(_, _, c)| c.cell.clone())),
        ("difference", number(|c| c.difference.mean)),
        ("standard_error", number(|c| c.difference.error)),
        ("degrees_of_freedom", number(|c| c.difference.freedom)),
        ("relative", number(|c| c.relative.mean)),
        ("interval_low", number(|c| c.interval.0)),
        ("interval_high", number(|c| c.interval.1)),
        ("cohens_d", Box::new(|(_, _, c)| c.effect_size.map_or(String::new(), |d| d.to_string()))),
        ("p_holm", number(|c| c.p_value)),
        ("outcome", Box::new(|(_, _, c)| c.outcome.word().to_lowercase())),
    ];
    let lines = claims.iter().flat_map(|claim| {
        claim.answers.iter().flat_map(move |test| {
            test.comparisons.iter().map(move |comparison| (claim, test, comparison))
        })
    });
    page::csv(&lines.collect::<Vec<Line>>(), &fields)
}

/// The comparisons of one test.
pub(super) fn comparisons(test: &Tested) -> page::Table {
    let relative = test.is_relative();
    let show = |value: f64| if relative { share(value) } else { signed(value) };
    let columns: Vec<Column<Comparison>> = vec![
        Column::new(
            "difference",
            "in units of the measure, ± standard error",
            |c: &Comparison| Some(difference(c.difference.mean, c.difference.error)),
        ),
        Column::new(
            if relative { "relative" } else { "the same" },
            "relative to the score of the reference arm, where the measure is a CRPS",
            move |c: &Comparison| Some(show(c.relative.mean)),
        ),
        Column::new("interval", "interval of that, not corrected", move |c: &Comparison| {
            Some(format!("{} to {}", show(c.interval.0), show(c.interval.1)))
        }),
        Column::new(
            "d",
            "Cohen’s: mean over standard deviation of the paired differences of the seeds",
            |c: &Comparison| c.effect_size.map(|d| format!("{d:+.1}").replace('-', "−")),
        ),
        Column::new(
            "p",
            "two-sided, corrected over all comparisons of the claim (Holm); for “equal” the p-value of a difference \
             outside the margin",
            |c: &Comparison| Some(p_text(c.p_value)),
        ),
        Column::new("alone", "the answer of this cell by itself", |c: &Comparison| {
            Some(c.outcome.word().to_lowercase())
        }),
    ];
    let head = |c: &Comparison| page::Head::new(&c.cell);
    page::Table::new("cell", &test.comparisons, head, &columns).unexplained()
}
