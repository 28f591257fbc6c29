//! The table, as Markdown, CSV, and for the terminal.

use super::grid::{Cell, Grid, Heading, Line, quoted};
use super::number::{difference, duration, percent, with_error};
use super::statistics::Spread;
use super::summary::{Row, RowScores, Summary};

/// A column of the table: heading, unit or remark, and the cell of a row.
struct Column {
    heading: &'static str,
    note: &'static str,
    cell: fn(&Row) -> Option<String>,
    /// How far from ideal a row is; the best row is marked.
    badness: Option<fn(&RowScores) -> f64>,
    place: Place,
}

/// Where a column is shown: a terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    Pages,
    Terminal,
}

const COLUMNS: [Column; 12] = [
    Column {
        heading: "test CRPS",
        note: "original units, relative to the size of the truth",
        cell: |row| over_seeds(row, |s| Some(s.crps)),
        badness: Some(|s| s.crps.mean),
        place: Place::Everywhere,
    },
    Column {
        heading: "standardized",
        note: "test CRPS in standard deviations of the training rows",
        cell: |row| over_seeds(row, |s| Some(s.crps_standardized)),
        badness: Some(|s| s.crps_standardized.mean),
        place: Place::Everywhere,
    },
    Column {
        heading: "− reference",
        note: "standardized test CRPS less that of the reference arm, ± standard error",
        cell: |row| row.difference.map(|d| difference(d.mean, d.error)),
        badness: None,
        place: Place::Everywhere,
    },
    Column {
        heading: "gap",
        note: "standardized CRPS, test less training windows",
        cell: |row| over_seeds(row, |s| s.gap),
        badness: None,
        place: Place::Everywhere,
    },
    Column {
        heading: "MAE",
        note: "original units",
        cell: |row| over_seeds(row, |s| Some(s.mae)),
        badness: Some(|s| s.mae.mean),
        place: Place::Pages,
    },
    Column {
        heading: "MSE",
        note: "original units",
        cell: |row| over_seeds(row, |s| Some(s.mse)),
        badness: Some(|s| s.mse.mean),
        place: Place::Pages,
    },
    Column {
        heading: "in 50 %",
        note: "percent of the truth inside the 50 % interval",
        cell: |row| share(row, |s| s.coverage_50),
        badness: Some(|s| (s.coverage_50.mean - 0.5).abs()),
        place: Place::Pages,
    },
    Column {
        heading: "in 80 %",
        note: "percent of the truth inside the 80 % interval",
        cell: |row| share(row, |s| s.coverage_80),
        badness: Some(|s| (s.coverage_80.mean - 0.8).abs()),
        place: Place::Pages,
    },
    Column {
        heading: "in 90 %",
        note: "percent of the truth inside the 90 % interval",
        cell: |row| share(row, |s| s.coverage_90),
        badness: Some(|s| (s.coverage_90.mean - 0.9).abs()),
        place: Place::Pages,
    },
    Column {
        heading: "in 50/80/90 %",
        note: "percent of the truth inside the interval",
        cell: |row| {
            let scores = row.scores.as_ref()?;
            let shares = [scores.coverage_50, scores.coverage_80, scores.coverage_90];
            Some(shares.map(|share| format!("{:.0}", 100.0 * share.mean)).join(" "))
        },
        badness: None,
        place: Place::Terminal,
    },
    Column {
        heading: "training",
        note: "time by the clock, mean over seeds",
        cell: |row| Some(duration(row.scores.as_ref()?.seconds?.mean)),
        badness: None,
        place: Place::Pages,
    },
    Column {
        heading: "seeds",
        note: "finished of planned",
        cell: |row| Some(format!("{}/{}", row.finished, row.planned)),
        badness: None,
        place: Place::Everywhere,
    },
];

fn over_seeds(row: &Row, value: fn(&RowScores) -> Option<Spread>) -> Option<String> {
    let spread = value(row.scores.as_ref()?)?;
    // Seeds move a baseline's samples at most; where they move nothing, ± 0 says nothing.
    Some(with_error(spread.mean, spread.std.filter(|std| *std > 1e-12)))
}

fn share(row: &Row, value: fn(&RowScores) -> Spread) -> Option<String> {
    Some(percent(value(row.scores.as_ref()?).mean))
}

impl Column {
    /// The cells of this column, one per row; `–` where there is nothing to say.
    fn cells(&self, rows: &[Row]) -> Vec<Cell> {
        let badness = |row: &Row| Some((self.badness?)(row.scores.as_ref()?));
        let best = rows.iter().filter_map(badness).fold(f64::INFINITY, f64::min);
        let cell = |row: &Row| Cell {
            best: badness(row).is_some_and(|value| value <= best),
            ..Cell::plain((self.cell)(row))
        };
        rows.iter().map(cell).collect()
    }
}

/// The columns that are not left out in one place.
fn grid(summary: &Summary, without: Place) -> Grid {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| column.place != without).collect();
    let cells: Vec<Vec<Cell>> = columns.iter().map(|column| column.cells(&summary.rows)).collect();
    let baselines = summary.rows.iter().position(|row| row.kind == "baseline");
    let line = |(index, row): (usize, &Row)| Line {
        label: row.label.clone(),
        link: (row.kind == "arm").then(|| format!("#runs-{}", row.name)),
        rule: index > 0 && Some(index) == baselines,
        cells: cells.iter().map(|column| column[index].clone()).collect(),
    };
    let heading = |column: &&Column| Heading {
        text: column.heading.to_owned(),
        note: column.note.to_owned(),
    };
    Grid {
        columns: columns.iter().map(heading).collect(),
        lines: summary.rows.iter().enumerate().map(line).collect(),
    }
}

/// The table of the report and of Markdown.
pub(super) fn page(summary: &Summary) -> Grid {
    grid(summary, Place::Terminal)
}

/// The caption that makes the table readable by itself.
pub(super) fn caption(summary: &Summary) -> String {
    format!(
        "Mean ± standard deviation over seeds. The reference is “{}”. Smaller is better but for \
         coverage, which should equal its heading; the best of a column is marked.",
        summary.reference
    )
}

pub(super) fn markdown(summary: &Summary) -> String {
    let mut out = page(summary).markdown("forecaster");
    out += &format!("\n{}\n", caption(summary));
    for answer in &summary.answers {
        out += &format!("\n- {answer}");
    }
    for warning in &summary.warnings {
        out += &format!("\n- Note: {warning}");
    }
    out + "\n"
}

/// All digits, for programs.
pub(super) fn csv(summary: &Summary) -> String {
    type Pick = fn(&RowScores) -> Option<Spread>;
    let spreads: [(&str, Pick); 10] = [
        ("crps", |s| Some(s.crps)),
        ("crps_standardized", |s| Some(s.crps_standardized)),
        ("gap", |s| s.gap),
        ("nmae", |s| Some(s.nmae)),
        ("mae", |s| Some(s.mae)),
        ("mse", |s| Some(s.mse)),
        ("coverage_50", |s| Some(s.coverage_50)),
        ("coverage_80", |s| Some(s.coverage_80)),
        ("coverage_90", |s| Some(s.coverage_90)),
        ("seconds", |s| s.seconds),
    ];
    let mut out = String::from("kind,name,label,seeds_finished,seeds_planned,parameters");
    spreads.iter().for_each(|(name, _)| out += &format!(",{name}_mean,{name}_std"));
    out += ",difference_mean,difference_error\n";
    let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for row in &summary.rows {
        let scores = row.scores.as_ref();
        let parameters = scores.and_then(|s| s.parameters).map(|p| p.to_string());
        let (name, label) = (quoted(&row.name), quoted(&row.label));
        let (kind, finished, planned) = (row.kind, row.finished, row.planned);
        out += &format!(
            "{kind},{name},{label},{finished},{planned},{}",
            parameters.unwrap_or_default()
        );
        for (_, spread) in spreads {
            let spread = scores.and_then(spread);
            out += &format!(
                ",{},{}",
                number(spread.map(|s| s.mean)),
                number(spread.and_then(|s| s.std))
            );
        }
        let difference = row.difference;
        let (mean, error) = (difference.map(|d| d.mean), difference.map(|d| d.error));
        out += &format!(",{},{}\n", number(mean), number(error));
    }
    out
}

/// Aligned columns; the best of each has a star.
pub(super) fn terminal(summary: &Summary) -> String {
    let reference = &summary.reference;
    grid(summary, Place::Pages).terminal()
        + &format!("± over seeds; “− reference”: standardized, less “{reference}”; * best\n")
}
