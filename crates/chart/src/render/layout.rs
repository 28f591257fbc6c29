//! The place of everything: title, legend, labels and ticks, and the plot between them.

use crate::axis::{Kind, Scale, Tick};
use crate::builder::Chart;
use crate::marks::{Mark, Shape};
use crate::text::{ellipsis, width, wrap};

pub(super) const TITLE: f64 = 15.0;
/// Distance between lines of the title.
const TITLE_LINE: f64 = TITLE + 4.0;
pub(super) const SMALL: f64 = 12.0;
/// Distance between lines of small text.
pub(super) const LINE: f64 = 15.0;
pub(super) const MARGIN: f64 = 10.0;
/// Width of a legend swatch with its gap.
pub(super) const SWATCH: f64 = 27.0;

/// The plot's rectangle in pixels, its scales, and the text around it.
pub(super) struct Layout {
    /// Height of the whole chart, which exceeds the one asked for if the text needs more room.
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) title: Vec<(String, f64)>,
    pub(super) legend: Vec<Entry>,
    pub(super) x_ticks: Vec<Placed>,
    pub(super) y_ticks: Vec<Placed>,
    pub(super) x_label: Option<(f64, f64)>,
    pub(super) y_label: Option<(f64, f64)>,
    /// The labels, shortened where the chart is too small for them.
    pub(super) x_text: String,
    pub(super) y_text: String,
}

/// One entry of the legend; `y` is its middle.
pub(super) struct Entry {
    pub(super) mark: usize,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
}

/// A tick with its label broken into lines.
pub(super) struct Placed {
    pub(super) pixel: f64,
    pub(super) lines: Vec<String>,
}

impl Layout {
    pub(super) fn of(chart: &Chart) -> Self {
        let usable = chart.width - 2.0 * MARGIN;
        // From the top: title, legend, the label of the y axis, the plot.
        let baseline = |line: usize| MARGIN + (line + 1) as f64 * TITLE_LINE - 5.0;
        let lines = wrap(&chart.title, TITLE, usable).into_iter().enumerate();
        let title: Vec<_> = lines.map(|(i, text)| (text, baseline(i))).collect();
        let (legend, below_legend) = place_legend(chart, MARGIN + title.len() as f64 * TITLE_LINE);
        let y_text = ellipsis(&chart.y.label, SMALL, usable);
        let (y_label, below_label) = if y_text.is_empty() {
            (None, below_legend)
        } else {
            (Some((MARGIN, below_legend + LINE - 1.0)), below_legend + LINE + 4.0)
        };
        let (x, y_scale) = scales(chart);
        let left = left_margin(chart, y_scale);
        let right = chart.width - right_margin(chart, x);
        let x_ticks = x_ticks(chart, x.onto(left, right));
        let x_rows = x_ticks.iter().map(|tick| tick.lines.len()).max().unwrap_or(1);
        let x_text = ellipsis(&chart.x.label, SMALL, usable);
        let below = 4.0 + LINE * x_rows.max(1) as f64 + 2.0;
        let label_height = if x_text.is_empty() { 4.0 } else { LINE + 6.0 };
        let top = below_label + 8.0;
        // A low chart with much text above the plot grows, so that the plot keeps some height.
        let bottom = (chart.height - below - label_height).max(top + 60.0);
        let height = bottom + below + label_height;
        let y_scale = match chart.y.kind {
            Kind::Categories(_) => y_scale.onto(top, bottom),
            _ => y_scale.onto(bottom, top),
        };
        let x_label = (!x_text.is_empty()).then(|| {
            let half = width(&x_text, SMALL) / 2.0;
            let (low, high) = (MARGIN + half, chart.width - MARGIN - half);
            (((left + right) / 2.0).max(low).min(high.max(low)), bottom + below + LINE - 2.0)
        });
        let y_ticks = y_ticks(chart, y_scale, left);
        let x = x.onto(left, right);
        Layout {
            height,
            left,
            right,
            top,
            bottom,
            x,
            y: y_scale,
            title,
            legend,
            x_ticks,
            y_ticks,
            x_label,
            y_label,
            x_text,
            y_text,
        }
    }
}

fn scales(chart: &Chart) -> (Scale, Scale) {
    // Bands and lines may touch the left and right edges; points and bars need a margin.
    let touch = |mark: &Mark| !matches!(mark.shape, Shape::Points { .. } | Shape::Bars(_));
    let tight = chart.marks.iter().all(touch);
    let xs = chart.marks.iter().flat_map(|mark| mark.shape.xs());
    let ys = chart.marks.iter().flat_map(|mark| mark.shape.ys());
    (
        Scale::fit(&chart.x.kind, xs, chart.x.range, tight),
        Scale::fit(&chart.y.kind, ys, chart.y.range, false),
    )
}

/// The entries of the legend in rows from `top`, and where the last row ends.
fn place_legend(chart: &Chart, top: f64) -> (Vec<Entry>, f64) {
    let (mut entries, mut x, mut bottom) = (Vec::new(), MARGIN, top);
    let limit = chart.width - MARGIN;
    for mark in chart.legend() {
        let text = ellipsis(&chart.marks[mark].name, SMALL, limit - MARGIN - SWATCH);
        let wide = SWATCH + width(&text, SMALL);
        if entries.is_empty() {
            bottom += LINE + 4.0;
        } else if x + wide > limit {
            x = MARGIN;
            bottom += LINE + 3.0;
        }
        entries.push(Entry { mark, x, y: bottom - 8.0, text });
        x += wide + 14.0;
    }
    (entries, bottom)
}

/// Room for the labels of the y axis, of which categories wrap at 36 % of the chart, and for the half of the first label
/// below that extends beyond the plot.
fn left_margin(chart: &Chart, scale: Scale) -> f64 {
    let widest = match &chart.y.kind {
        Kind::Categories(labels) | Kind::Sequence(labels) => labels
            .iter()
            .flat_map(|label| wrap(label, SMALL, 0.36 * chart.width))
            .map(|line| width(&line, SMALL))
            .fold(0.0, f64::max),
        Kind::Linear | Kind::Log => {
            let ticks = scale.ticks(y_count(chart)).into_iter();
            ticks.map(|tick| width(&tick.label, SMALL)).fold(0.0, f64::max)
        }
    };
    let first = match &chart.x.kind {
        Kind::Sequence(labels) => labels.first().map_or(0.0, |label| width(label, SMALL) / 2.0),
        _ => 0.0,
    };
    (MARGIN + widest + 8.0).max(first + 4.0).clamp(MARGIN + 20.0, 0.5 * chart.width)
}

/// Room for the half of the last label that extends beyond the plot.
fn right_margin(chart: &Chart, scale: Scale) -> f64 {
    let last = match &chart.x.kind {
        Kind::Sequence(labels) => labels.iter().map(|l| width(l, SMALL)).fold(0.0, f64::max),
        Kind::Categories(_) => 0.0,
        Kind::Linear | Kind::Log => {
            scale.ticks(8).iter().map(|tick| width(&tick.label, SMALL)).fold(0.0, f64::max)
        }
    };
    (last / 2.0 + 4.0).clamp(MARGIN, 0.25 * chart.width)
}

fn y_count(chart: &Chart) -> usize {
    ((chart.height - 80.0) / 36.0).clamp(2.0, 8.0) as usize
}

fn y_ticks(chart: &Chart, scale: Scale, left: f64) -> Vec<Placed> {
    match &chart.y.kind {
        Kind::Categories(labels) | Kind::Sequence(labels) => labels
            .iter()
            .enumerate()
            .map(|(i, label)| Placed {
                pixel: scale.place(i as f64),
                lines: wrap(label, SMALL, left - MARGIN - 8.0 + 1e-6),
            })
            .collect(),
        Kind::Linear | Kind::Log => {
            let (top, bottom) = scale.pixels();
            let count = y_count(chart).min(((bottom - top) / LINE) as usize).max(1);
            single_lines(scale, scale.ticks(count))
        }
    }
}

fn x_ticks(chart: &Chart, scale: Scale) -> Vec<Placed> {
    let (left, right) = scale.pixels();
    match &chart.x.kind {
        Kind::Categories(labels) => {
            let slot = (right - left) / labels.len().max(1) as f64 - 6.0;
            let placed = |(i, label): (usize, &String)| Placed {
                pixel: scale.place(i as f64),
                lines: wrap(label, SMALL, slot.max(12.0)),
            };
            labels.iter().enumerate().map(placed).collect()
        }
        Kind::Sequence(labels) => {
            let widest = labels.iter().map(|label| width(label, SMALL)).fold(1.0, f64::max);
            let fit = ((right - left) / (widest + 14.0)).floor().max(1.0) as usize;
            let least = labels.len().div_ceil(fit).max(1);
            // Weeks are natural for days; otherwise a round stride.
            let strides = [1, 2, 5, 7, 14, 28, 50, 100, 200, 500, 1000];
            let stride = strides.into_iter().find(|s| *s >= least).unwrap_or(least);
            let placed = |(i, label): (usize, &String)| Placed {
                pixel: scale.place(i as f64),
                lines: vec![label.clone()],
            };
            labels.iter().enumerate().step_by(stride).map(placed).collect()
        }
        Kind::Linear | Kind::Log => {
            let mut count = 8;
            loop {
                let ticks = scale.ticks(count);
                let widest = ticks.iter().map(|t| width(&t.label, SMALL)).fold(1.0, f64::max);
                let distances = ticks
                    .windows(2)
                    .map(|pair| (scale.place(pair[1].at) - scale.place(pair[0].at)).abs());
                if count <= 1 || distances.fold(f64::INFINITY, f64::min) >= widest + 10.0 {
                    return single_lines(scale, ticks);
                }
                count -= 1;
            }
        }
    }
}

fn single_lines(scale: Scale, ticks: Vec<Tick>) -> Vec<Placed> {
    let placed = |tick: Tick| Placed { pixel: scale.place(tick.at), lines: vec![tick.label] };
    ticks.into_iter().map(placed).collect()
}
