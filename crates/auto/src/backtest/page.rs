//! A backtest in pictures: forecasts from past origins against what came, and scores by step and by fold.

use std::collections::BTreeSet;

use chart::{Chart, Color, escape};

use super::{Backtest, Window};
use crate::names::{NAIVE, POOL};
use crate::picture::{html, intervals, short};
use crate::score::Score;
use crate::table::Table;

/// Charts of series on one page at most.
const MOST: usize = 20;

/// Lower and upper levels of the bands.
const BANDS: [(f64, f64); 2] = [(0.25, 0.75), (0.1, 0.9)];

impl Backtest {
    /// A self-contained SVG of the pool for one channel of one series: what came, and the forecasts of origins whose
    /// horizons do not overlap, the latest first. `None` without a forecast.
    pub fn picture(&self, table: &Table, series: usize, channel: usize) -> Option<String> {
        let of_unit = |window: &&Window| {
            (window.forecaster, window.series, window.channel) == (0, series, channel)
        };
        let mut shown: Vec<&Window> = Vec::new();
        for window in self.windows.iter().filter(of_unit).rev() {
            let free = |later: &&Window| window.known + self.horizon <= later.known;
            if shown.last().is_none_or(free) {
                shown.push(window);
            }
        }
        let first = shown.last()?.known;
        let values = table.panel.target(series, channel);
        let end = table.known[series].max(shown[0].known + shown[0].truth.len());
        let season = table.seasons.first().copied().unwrap_or(0);
        let start = first.saturating_sub((2 * season).max(self.horizon).max(12));
        let row = table.panel.series()[series].rows().start;
        let times = (start..end).map(|at| table.panel.time(row + at).unwrap_or_default());
        let times = short(times.collect());
        let places = |from: usize, count: usize| -> Vec<f64> {
            (0..count).map(|step| (from - start + step) as f64).collect()
        };
        let name = &self.names.1[channel];
        let title = match self.names.0.len() {
            1 => format!("{name}: forecasts and what came"),
            _ => format!("{name}, {}: forecasts and what came", self.names.0[series]),
        };
        let mut chart = Chart::new(title).size(720.0, 320.0).x_sequence(times);
        let label = intervals(&BANDS.map(|(low, high)| 100.0 * (high - low)));
        for (low, high) in BANDS {
            for ((xs, low), (_, high)) in
                self.along(&shown, low).iter().zip(self.along(&shown, high))
            {
                let xs: Vec<f64> = xs.iter().map(|row| (row - start) as f64).collect();
                chart = chart.band(&label, &xs, low, &high).color(Color::Blue);
            }
        }
        for (xs, median) in self.along(&shown, 0.5) {
            let xs: Vec<f64> = xs.iter().map(|row| (row - start) as f64).collect();
            chart = chart.line("median", &xs, &median).color(Color::Blue);
        }
        if self.horizon > 1 {
            for window in &shown {
                chart = chart.vertical_rule("origin", (window.known - start) as f64);
            }
        }
        let came = &values[start..end.min(values.len())];
        Some(chart.line("what came", &places(start, came.len()), came).color(Color::Ink).render())
    }

    /// Rows and quantiles at one level: of each window, or of all together where each has a single step.
    fn along(&self, windows: &[&Window], level: f64) -> Vec<(Vec<usize>, Vec<f64>)> {
        let of = |window: &&Window| {
            let steps = 0..window.truth.len();
            let rows = steps.clone().map(|step| window.known + step).collect();
            (rows, steps.map(|step| window.quantiles.at(step, level)).collect())
        };
        let all: Vec<(Vec<usize>, Vec<f64>)> = windows.iter().rev().map(of).collect();
        match self.horizon {
            1 => {
                let (rows, values): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                vec![(rows.concat(), values.concat())]
            }
            _ => all,
        }
    }

    /// An HTML page that loads nothing: the scores, as a table and by step and fold, and the pictures of the first series.
    pub fn page(&self, table: &Table) -> String {
        let scores = self.scores();
        let units: BTreeSet<(usize, usize)> =
            self.windows.iter().map(|window| (window.series, window.channel)).collect();
        let count = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            many => format!("{many} {noun}s"),
        };
        let folds = scores.first().map_or(0, |score| score.by_fold.len());
        let series = match units.len() {
            0 | 1 => String::new(),
            many => format!(", {many} series"),
        };
        let head = format!(
            "{}: {} ahead from {}{series}. CRPS is in units of the mean of |y|: smaller is better.",
            table.path().file_name().unwrap_or_default().display(),
            count(self.horizon, "step"),
            count(folds, "past origin"),
        );
        let mut parts = vec![format!("<p>{}</p>", escape(&head)), table_of(&scores)];
        parts.extend(units.iter().take(MOST).filter_map(|(s, c)| self.picture(table, *s, *c)));
        parts.extend(by_step(&scores));
        parts.extend(by_fold(&scores));
        html("Backtest", &parts.join("\n"))
    }
}

fn table_of(scores: &[Score]) -> String {
    let cell = |value: f64, digits: usize, unit: &str| match value.is_finite() {
        true => format!("<td>{value:.digits$}{unit}</td>"),
        false => "<td>–</td>".to_owned(),
    };
    let row = |score: &Score| {
        let difference = score.difference.map_or("<td></td>".to_owned(), |difference| {
            let star = if difference.decided { " *" } else { "" };
            format!(
                "<td>{:+.4}{star} ({:+.4} to {:+.4})</td>",
                difference.mean, difference.low, difference.high
            )
        });
        format!(
            "<tr><th>{}</th>{}{}<td>{}</td>{difference}</tr>",
            escape(&score.forecaster),
            cell(score.crps, 4, ""),
            cell(100.0 * score.coverage_80, 0, " %"),
            score.windows,
        )
    };
    let rows: Vec<String> = scores.iter().map(row).collect();
    format!(
        "<table>\n<tr><th></th><th>CRPS</th><th>in 80 % interval</th><th>windows</th>\
         <th>minus that of the pool, with 95 % interval</th></tr>\n{}\n</table>",
        rows.join("\n")
    )
}

/// The CRPS of every forecaster and the coverage of the pool, over the steps; nothing for one step.
fn by_step(scores: &[Score]) -> Vec<String> {
    let steps = scores.first().map_or(0, |score| score.by_step.len());
    if steps < 2 {
        return Vec::new();
    }
    let xs: Vec<f64> = (0..steps).map(|step| step as f64).collect();
    let labels = (1..=steps).map(|step| step.to_string());
    let chart = Chart::new("CRPS by step").size(720.0, 300.0).x("steps ahead").y("CRPS");
    let chart = chart.x_sequence(labels.clone());
    let crps = lines(chart, scores, |score| &score.by_step, &xs);
    let shares: Vec<f64> =
        scores[0].coverage_by_step.iter().map(|share| 100.0 * share.unwrap_or(f64::NAN)).collect();
    let covered = Chart::new("Coverage of the 80 % intervals of the pool by step")
        .size(720.0, 240.0)
        .x("steps ahead")
        .x_sequence(labels)
        .y("% of what came")
        .y_range(0.0, 100.0)
        .line("inside", &xs, &shares)
        .color(Color::Blue)
        .horizontal_rule("promised", 80.0);
    vec![crps, covered.render()]
}

/// The CRPS of every forecaster over the folds; nothing for one fold.
fn by_fold(scores: &[Score]) -> Option<String> {
    let folds = scores.first().map_or(0, |score| score.by_fold.len());
    let xs: Vec<f64> = (0..folds).map(|fold| fold as f64).collect();
    let chart = Chart::new("CRPS by fold").size(720.0, 300.0).x("fold").y("CRPS");
    let chart = chart.x_sequence((1..=folds).map(|fold| fold.to_string()));
    (folds > 1).then(|| lines(chart, scores, |score| &score.by_fold, &xs))
}

fn lines(
    mut chart: Chart,
    scores: &[Score],
    of: impl Fn(&Score) -> &Vec<Option<f64>>,
    xs: &[f64],
) -> String {
    let colors = || Color::CYCLE.into_iter().filter(|color| *color != Color::Ink).cycle();
    // The pool lies on top, the yardstick is gray.
    for (score, color) in scores.iter().rev().zip(colors()) {
        let ys: Vec<f64> = of(score).iter().map(|crps| crps.unwrap_or(f64::NAN)).collect();
        let color = match score.forecaster.as_str() {
            POOL => Color::Ink,
            NAIVE => Color::Muted,
            _ => color,
        };
        chart = chart.line(&score.forecaster, xs, &ys).color(color);
    }
    chart.render()
}
