//! The tables of a study: every cell with all its arms, and every comparison.

use super::super::grid::{Cell as GridCell, Grid, Heading, Line, quoted};
use super::super::number::{difference, percent, plain, with_error};
use super::super::read::{Evaluation, Scores};
use super::super::statistics::Spread;
use super::claims::{Verdict, p_text};
use super::measure::{Table, value};
use super::plan::Measure;
use super::runs::Studied;

/// What a row of a cell's table shows; absent where there is nothing to say.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) label: String,
    /// The arm, if it is one.
    pub(super) arm: Option<usize>,
    pub(super) finished: usize,
    pub(super) planned: usize,
    pub(super) test: Option<Spread>,
    /// Chosen epoch, less the reference arm, paired.
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

/// A column: heading, meaning, and what it shows.
type Column = (&'static str, &'static str, fn(&Row) -> Option<String>);

const COLUMNS: [Column; 12] = [
    (
        "CRPS",
        "standardized, test windows, weights chosen on validation; ± one standard deviation over seeds",
        |r| spread(r.test),
    ),
    (
        "− no noise",
        "the same less that of the arm without noise, ± standard error, paired by window and seed",
        |r| r.to_reference.map(|(mean, error)| difference(mean, error)),
    ),
    ("CRPS, end", "standardized, test windows, weights at the end of training", |r| {
        spread(r.test_end)
    }),
    ("gap, end", "test less training CRPS of the weights at the end", |r| spread(r.gap_end)),
    (
        "log score",
        "log predictive density per value in nats, chosen weights; larger is better",
        |r| spread(r.log_score),
    ),
    ("slope", "of the truth regressed on the mean forecast: 1 is unbiased, above 1 shrunk", |r| {
        spread(r.slope)
    }),
    ("in 90 %", "share of the truth inside the 90 % interval, in percent", |r| {
        r.covered.map(|s| percent(s.mean))
    }),
    ("KL", "from posterior to prior on validation windows, nats", |r| r.kl.map(|s| plain(s.mean))),
    ("active", "latent units whose posterior mean varies", |r| r.active.map(|s| plain(s.mean))),
    ("R²", "of a ridge probe from the features of clean windows to the future", |r| {
        spread(r.features)
    }),
    ("I(z; x)", "information of the features about the window, nats, clean windows", |r| {
        r.information.map(|s| plain(s.mean))
    }),
    ("CPU s", "processor seconds of one training", |r| r.seconds.map(|s| plain(s.mean))),
];

fn spread(spread: Option<Spread>) -> Option<String> {
    spread.map(|spread| with_error(spread.mean, spread.std))
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
        kl: each(|run| Some(run.chosen.evaluation.health.as_ref()?.kl())),
        active: each(|run| Some(run.chosen.evaluation.health.as_ref()?.active())),
        features: each(|run| value(run, Measure::FeaturesClean)),
        information: each(|run| run.features.as_ref()?.steps.first()?.mutual_information),
        seconds: Spread::of(table.runs(cell, arm).filter_map(|run| run.seconds)),
    }
}

/// Baselines are scored beside the reference arm.
fn baselines(table: &Table, cell: usize) -> Vec<Row> {
    let Some((_, run)) = table.of(cell, table.plan.reference).next() else { return vec![] };
    let row = |baseline: &super::super::read::Forecaster| {
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

/// Of a simulated set: what a forecaster scores that knows the process and all that was.
fn best(table: &Table, cell: usize) -> Option<Row> {
    let data = &table.plan.data[table.plan.cells[cell].data];
    let simulation = data.simulation.as_ref()?;
    let arms = &table.plan.cells[cell].arms;
    let (_, run) = arms.iter().find_map(|arm| table.of(cell, *arm).next())?;
    let Evaluation { horizon, .. } = run.chosen.evaluation;
    let windows = run.chosen.model().test.windows;
    // A window every row, the last one at the end of the series.
    let first = (simulation.rows + 1).checked_sub(windows + horizon)?;
    let series = simulation.process.simulate(simulation.rows, simulation.seed);
    let origins: Vec<usize> = (first..first + windows).collect();
    let scores = simulation.process.best(&series, &origins, horizon).ok()?;
    let spread = *run.spreads.first()?;
    let mean = |value: &dyn Fn(&super::simulate::BestScores) -> f64| {
        scores.iter().map(value).sum::<f64>() / scores.len() as f64
    };
    Some(Row {
        label: match simulation.process.expected(horizon) {
            Some(long_run) => {
                let crps = plain(long_run.crps / spread);
                format!("best possible, knowing the process (in the long run {crps})")
            }
            None => "best possible, knowing the process".to_owned(),
        },
        test: Spread::of([mean(&|score| score.crps) / spread]),
        log_score: Spread::of([mean(&|score| score.log_score) + spread.ln()]),
        ..Row::default()
    })
}

/// A cell's table; the best CRPS of the arms is marked.
pub(super) fn grid(table: &Table, cell: usize) -> Grid {
    let rows = rows(table, cell);
    let shown: Vec<&Column> =
        COLUMNS.iter().filter(|(_, _, text)| rows.iter().any(|row| text(row).is_some())).collect();
    let columns = shown
        .iter()
        .map(|(text, note, _)| Heading { text: (*text).to_owned(), note: (*note).to_owned() });
    let of_arms = rows.iter().filter(|row| row.arm.is_some());
    let least = of_arms.filter_map(|row| Some(row.test?.mean)).fold(f64::INFINITY, f64::min);
    let mut parted = false;
    let lines = rows.iter().map(|row| {
        let cells = shown.iter().enumerate().map(|(index, (_, _, text))| {
            let best = index == 0 && row.arm.is_some() && row.test.is_some_and(|t| t.mean == least);
            GridCell { best, ..GridCell::plain(text(row)) }
        });
        let rule = row.arm.is_none() && !parted;
        parted |= rule;
        let missing = row
            .arm
            .filter(|_| row.finished < row.planned)
            .map_or(String::new(), |_| format!(" ({} of {} seeds)", row.finished, row.planned));
        Line { label: format!("{}{missing}", row.label), link: None, rule, cells: cells.collect() }
    });
    Grid { columns: columns.collect(), lines: lines.collect() }
}

/// All cells in one file, a line per cell and arm.
pub(super) fn csv(table: &Table) -> String {
    let mut out = "cell,data,model,percent,row,seeds,crps,crps_std,less_reference,less_reference_se,crps_end,crps_end_std,gap_end,gap_end_std,\
                   log_score,slope,coverage_90,kl,active_units,feature_r2,information,train_cpu_seconds\n"
        .to_owned();
    for (index, cell) in table.plan.cells.iter().enumerate() {
        for row in rows(table, index) {
            let number =
                |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let mean = |spread: Option<Spread>| number(spread.map(|s| s.mean));
            let std = |spread: Option<Spread>| number(spread.and_then(|s| s.std));
            let fields = [
                quoted(&table.plan.cell_label(cell)),
                quoted(&table.plan.data[cell.data].name),
                quoted(&table.plan.models[cell.model].name),
                cell.percent.to_string(),
                quoted(row.arm.map_or(&row.label, |arm| &table.plan.arms[arm].name)),
                row.finished.to_string(),
                mean(row.test),
                std(row.test),
                number(row.to_reference.map(|r| r.0)),
                number(row.to_reference.map(|r| r.1)),
                mean(row.test_end),
                std(row.test_end),
                mean(row.gap_end),
                std(row.gap_end),
                mean(row.log_score),
                mean(row.slope),
                mean(row.covered),
                mean(row.kl),
                mean(row.active),
                mean(row.features),
                mean(row.information),
                mean(row.seconds),
            ];
            out += &(fields.join(",") + "\n");
        }
    }
    out
}

/// Every comparison behind a claim, a line each.
pub(super) fn comparisons_csv(verdicts: &[Verdict]) -> String {
    let mut out = "claim,question,measure,expect,cell,difference,standard_error,degrees_of_freedom,relative,interval_low,interval_high,\
                   cohens_d,p_holm,outcome\n"
        .to_owned();
    for verdict in verdicts {
        for answer in &verdict.answers {
            for c in &answer.comparisons {
                let fields = [
                    quoted(&verdict.name),
                    quoted(&answer.asks),
                    quoted(answer.measure.label()),
                    format!("{:?}", answer.expect).to_lowercase(),
                    quoted(&c.cell),
                    c.difference.mean.to_string(),
                    c.difference.error.to_string(),
                    c.difference.freedom.to_string(),
                    c.relative.mean.to_string(),
                    c.interval.0.to_string(),
                    c.interval.1.to_string(),
                    c.effect_size.map_or(String::new(), |d| d.to_string()),
                    c.p_value.to_string(),
                    c.outcome.word().to_lowercase(),
                ];
                out += &(fields.join(",") + "\n");
            }
        }
    }
    out
}

/// The comparisons of one answer.
pub(super) fn comparisons(answer: &super::claims::Answer) -> Grid {
    let headings = [
        ("difference", "in units of the measure, ± standard error"),
        (
            if answer.is_relative() { "relative" } else { "the same" },
            "to the reference arm’s score, where the measure is a CRPS",
        ),
        ("interval", "of that, at one less the error rate of the plan, not corrected"),
        ("d", "Cohen’s: mean over standard deviation of the paired differences of the seeds"),
        (
            "p",
            "two-sided, corrected over all comparisons of the claim (Holm); for “equal”, of the difference lying outside the margin",
        ),
        ("", "whether this cell by itself says yes"),
    ];
    let heading =
        |(text, note): (&str, &str)| Heading { text: text.to_owned(), note: note.to_owned() };
    let show = |value: f64| match answer.is_relative() {
        true => super::claims::percent(value),
        false => super::claims::signed(value),
    };
    let line = |c: &super::claims::Comparison| {
        let texts = [
            Some(difference(c.difference.mean, c.difference.error)),
            Some(show(c.relative.mean)),
            Some(format!("{} to {}", show(c.interval.0), show(c.interval.1))),
            c.effect_size.map(|d| format!("{d:+.1}").replace('-', "−")),
            Some(p_text(c.p_value)),
            Some(c.outcome.word().to_lowercase()),
        ];
        let cells = texts.into_iter().map(GridCell::plain).collect();
        Line { label: c.cell.clone(), link: None, rule: false, cells }
    };
    Grid {
        columns: headings.into_iter().map(heading).collect(),
        lines: answer.comparisons.iter().map(line).collect(),
    }
}
