//! What stands in for missing cells, and transforms of targets with their inverses.

use crate::config::{Fill, Transform};
use crate::error::DataError;
use crate::panel::Panel;

/// Fills missing cells in place. `borders` are rows over which nothing is interpolated.
pub(crate) fn fill(panel: &mut Panel, how: Fill, borders: &[usize]) {
    if !matches!(how, Fill::Forward | Fill::Interpolate) || panel.observed.is_none() {
        return;
    }
    let width = panel.channels.len();
    for series in 0..panel.series.len() {
        let rows = panel.series[series].rows.clone();
        for channel in 0..width {
            let mut last: Option<usize> = None;
            let mut row = rows.start;
            while row < rows.end {
                if !panel.values[row * width + channel].is_nan() {
                    last = Some(row);
                    row += 1;
                    continue;
                }
                let is_missing = |&r: &usize| panel.values[r * width + channel].is_nan();
                let end = (row..rows.end).take_while(is_missing).count() + row;
                let next = (end < rows.end).then_some(end);
                let crosses =
                    |a: usize, b: usize| borders.iter().any(|&border| a < border && border <= b);
                if let Some(before) = last {
                    let from = panel.values[before * width + channel];
                    let line = next.filter(|&n| how == Fill::Interpolate && !crosses(before, n));
                    for missing in row..end {
                        panel.values[missing * width + channel] = match line {
                            Some(after) => {
                                let to = panel.values[after * width + channel];
                                let share = (missing - before) as f64 / (after - before) as f64;
                                (f64::from(from) + share * (f64::from(to) - f64::from(from))) as f32
                            }
                            None => from,
                        };
                    }
                }
                row = end;
            }
        }
    }
}

/// Applies `transform` to the targets in place; returns the values before, `[rows, targets]`, where the
/// inverse needs them.
pub(crate) fn transform(
    panel: &mut Panel,
    transform: Transform,
) -> Result<Option<Vec<f32>>, DataError> {
    match transform {
        Transform::None => Ok(None),
        Transform::Log => log(panel).map(|()| None),
        Transform::Difference | Transform::Return => steps(panel, transform).map(Some),
    }
}

fn log(panel: &mut Panel) -> Result<(), DataError> {
    let (width, targets) = (panel.channels.len(), panel.channels.targets);
    for row in 0..panel.rows() {
        for channel in 0..targets {
            let value = panel.values[row * width + channel];
            if value <= 0.0 {
                let remedy = "the logarithm needs positive values; use \"none\" or \"difference\"";
                return Err(undefined(panel, "log", value, row, channel, remedy));
            }
            panel.values[row * width + channel] = value.ln();
        }
    }
    Ok(())
}

fn steps(panel: &mut Panel, transform: Transform) -> Result<Vec<f32>, DataError> {
    let (width, targets) = (panel.channels.len(), panel.channels.targets);
    let levels: Vec<f32> =
        panel.values.chunks_exact(width).flat_map(|row| row[..targets].iter().copied()).collect();
    let mut observed = panel.observed.take().unwrap_or_else(|| vec![true; panel.values.len()]);
    for series in 0..panel.series.len() {
        let rows = panel.series[series].rows.clone();
        for row in rows.clone().rev() {
            for channel in 0..targets {
                let at = row * width + channel;
                if row == rows.start {
                    (panel.values[at], observed[at]) = (f32::NAN, false);
                    continue;
                }
                let before = levels[(row - 1) * targets + channel];
                if transform == Transform::Return && before == 0.0 {
                    let remedy = "a return needs values other than zero; use \"difference\"";
                    return Err(undefined(panel, "return", before, row - 1, channel, remedy));
                }
                let now = levels[row * targets + channel];
                panel.values[at] = match transform {
                    Transform::Return => (f64::from(now) / f64::from(before) - 1.0) as f32,
                    _ => now - before,
                };
                observed[at] = observed[at] && observed[(row - 1) * width + channel];
            }
        }
    }
    panel.observed = Some(observed);
    Ok(levels)
}

fn undefined(
    panel: &Panel,
    transform: &'static str,
    value: f32,
    row: usize,
    channel: usize,
    remedy: &'static str,
) -> DataError {
    let series = panel.series_of(row).map(|s| &panel.series[s]);
    DataError::Transform {
        path: panel.path.clone(),
        transform,
        value,
        header: panel.channels.names[channel].clone(),
        series: series.map(|s| s.name.clone()).unwrap_or_default(),
        row: row - series.map_or(0, |s| s.rows.start) + 1,
        remedy,
    }
}

/// Undoes `transform` on one path of one target, in place; `level` is the last value before the path.
pub(crate) fn invert(
    transform: Transform,
    path: impl Iterator<Item = usize>,
    values: &mut [f32],
    level: f32,
) {
    let mut level = f64::from(level);
    for at in path {
        let value = f64::from(values[at]);
        values[at] = match transform {
            Transform::None => continue,
            Transform::Log => value.exp() as f32,
            Transform::Difference => {
                level += value;
                level as f32
            }
            Transform::Return => {
                level *= 1.0 + value;
                level as f32
            }
        };
    }
}
