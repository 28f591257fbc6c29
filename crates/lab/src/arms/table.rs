//! The table of arms and baselines, for readers and for programs.

use stats::Spread;

use super::compare::{Kind, Row, RowScores};
use super::summary::Summary;
use crate::number::{difference, duration, percent, with_error};
use crate::page::{self, Column, Field, Form, Table};

const WIDE: &[Form] = &[Form::Page, Form::Markdown];

fn columns() -> Vec<Column<'static, Row>> {
    /// The mean over seeds with its standard deviation. Seeds hardly move a baseline; ± 0 would say nothing.
    fn score(value: fn(&RowScores) -> Option<Spread>) -> impl Fn(&Row) -> Option<String> {
        move |row| {
            let spread = value(row.scores.as_ref()?)?;
            Some(with_error(spread.mean, spread.std.filter(|std| *std > 1e-12)))
        }
    }
    fn smallest(value: fn(&RowScores) -> Spread) -> impl Fn(&Row) -> Option<f64> {
        move |row| Some(value(row.scores.as_ref()?).mean)
    }
    fn share(level: f64, heading: &str, value: fn(&RowScores) -> Spread) -> Column<'static, Row> {
        let meaning = format!("percent of the truth inside the {:.0} % interval", 100.0 * level);
        Column::new(heading, &meaning, move |row: &Row| {
            Some(percent(value(row.scores.as_ref()?).mean))
        })
        .best(move |row| Some((value(row.scores.as_ref()?).mean - level).abs()))
        .only(WIDE)
    }
    vec![
        Column::new(
            "test CRPS",
            "original units, relative to the size of the truth",
            score(|s| Some(s.crps)),
        )
        .best(smallest(|s| s.crps)),
        Column::new(
            "standardized",
            "test CRPS in standard deviations of the training rows",
            score(|s| Some(s.crps_standardized)),
        )
        .best(smallest(|s| s.crps_standardized)),
        Column::new(
            "− reference",
            "standardized test CRPS minus that of the reference arm, ± standard error",
            |row: &Row| row.difference.map(|d| difference(d.mean, d.error)),
        ),
        Column::new("gap", "standardized CRPS, test minus training windows", score(|s| s.gap)),
        Column::new("MAE", "original units", score(|s| Some(s.mae)))
            .best(smallest(|s| s.mae))
            .only(WIDE),
        Column::new("MSE", "original units", score(|s| Some(s.mse)))
            .best(smallest(|s| s.mse))
            .only(WIDE),
        share(0.5, "in 50 %", |s| s.coverage_50),
        share(0.8, "in 80 %", |s| s.coverage_80),
        share(0.9, "in 90 %", |s| s.coverage_90),
        Column::new("in 50/80/90 %", "percent of the truth inside the interval", |row: &Row| {
            let scores = row.scores.as_ref()?;
            let shares = [scores.coverage_50, scores.coverage_80, scores.coverage_90];
            Some(shares.map(|share| format!("{:.0}", 100.0 * share.mean)).join(" "))
        })
        .only(&[Form::Terminal]),
        Column::new("training", "time by the clock, mean over seeds", |row: &Row| {
            Some(duration(row.scores.as_ref()?.seconds?.mean))
        })
        .only(WIDE),
        Column::new("seeds", "finished of planned", |row: &Row| {
            Some(format!("{}/{}", row.finished, row.planned))
        }),
    ]
}

pub(super) fn table(summary: &Summary) -> Table {
    let first_baseline = summary.rows.iter().find(|row| row.kind == Kind::Baseline);
    let head = |row: &Row| page::Head {
        link: (row.kind == Kind::Arm).then(|| format!("#runs-{}", row.name)),
        rule: first_baseline.is_some_and(|first| std::ptr::eq(first, row)),
        ..page::Head::new(&row.label)
    };
    Table::new("forecaster", &summary.rows, head, &columns())
}

/// The caption that makes the table readable by itself.
pub(super) fn caption(summary: &Summary) -> String {
    format!(
        "Mean ± standard deviation over seeds. The reference is “{}”. Smaller is better, but for \
         coverage, which should equal its heading; the best of a column is marked.",
        summary.reference
    )
}

/// `table.csv`.
pub(super) fn csv(summary: &Summary) -> String {
    fn number(value: Option<f64>) -> String {
        value.map(|v| v.to_string()).unwrap_or_default()
    }
    fn pick(of: impl Fn(&Row) -> Option<f64> + 'static) -> Field<'static, Row> {
        Box::new(move |row| number(of(row)))
    }
    let mut fields: Vec<(&str, Field<Row>)> = vec![
        ("kind", Box::new(|row| format!("{:?}", row.kind).to_lowercase())),
        ("name", Box::new(|row| row.name.clone())),
        ("label", Box::new(|row| row.label.clone())),
        ("seeds_finished", Box::new(|row| row.finished.to_string())),
        ("seeds_planned", Box::new(|row| row.planned.to_string())),
        (
            "parameters",
            Box::new(|row| {
                let parameters = row.scores.as_ref().and_then(|scores| scores.parameters);
                parameters.map(|count| count.to_string()).unwrap_or_default()
            }),
        ),
    ];
    type Pick = fn(&RowScores) -> Option<Spread>;
    let spreads: [([&str; 2], Pick); 10] = [
        (["crps_mean", "crps_std"], |s| Some(s.crps)),
        (["crps_standardized_mean", "crps_standardized_std"], |s| Some(s.crps_standardized)),
        (["gap_mean", "gap_std"], |s| s.gap),
        (["nmae_mean", "nmae_std"], |s| Some(s.nmae)),
        (["mae_mean", "mae_std"], |s| Some(s.mae)),
        (["mse_mean", "mse_std"], |s| Some(s.mse)),
        (["coverage_50_mean", "coverage_50_std"], |s| Some(s.coverage_50)),
        (["coverage_80_mean", "coverage_80_std"], |s| Some(s.coverage_80)),
        (["coverage_90_mean", "coverage_90_std"], |s| Some(s.coverage_90)),
        (["seconds_mean", "seconds_std"], |s| s.seconds),
    ];
    for ([mean, std], spread) in spreads {
        fields.push((mean, pick(move |row| Some(spread(row.scores.as_ref()?)?.mean))));
        fields.push((std, pick(move |row| spread(row.scores.as_ref()?)?.std)));
    }
    fields.push(("difference_mean", pick(|row| row.difference.map(|d| d.mean))));
    fields.push(("difference_error", pick(|row| row.difference.map(|d| d.error))));
    page::csv(&summary.rows, &fields)
}
