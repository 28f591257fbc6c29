//! Values for missing cells, and transforms of targets with their inverses.

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

/// Fills the cells before `origin` of each series that `fill` left missing: with the last value before them in
/// their series, else with the next one. Targets are filled in double precision too, where `how` takes last values.
pub(crate) fn hold(panel: &mut Panel, how: Fill, origins: &[usize]) {
    let (width, targets) = (panel.channels.len(), panel.channels.targets);
    for (series, &origin) in panel.series.iter().zip(origins) {
        let rows = series.rows.start..origin;
        for channel in 0..width {
            hold_one(&mut panel.values, rows.clone(), width, channel, |value| value.is_nan());
        }
        if let Some(exact) = panel.exact.as_mut().filter(|_| how != Fill::Interpolate) {
            for target in 0..targets {
                hold_one(exact, rows.clone(), targets, target, |value| value.is_nan());
            }
        }
    }
}

fn hold_one<T: Copy>(
    values: &mut [T],
    rows: std::ops::Range<usize>,
    width: usize,
    channel: usize,
    missing: impl Fn(T) -> bool,
) {
    let at = |row: usize| row * width + channel;
    let Some(first) = rows.clone().find(|&row| !missing(values[at(row)])) else { return };
    let mut last = values[at(first)];
    for row in rows {
        match missing(values[at(row)]) {
            true => values[at(row)] = last,
            false => last = values[at(row)],
        }
    }
}

/// Puts zero in place of what is missing, up to the last row of each series with an observed target: rows after
/// it are still to come.
pub(crate) fn zero(panel: &mut Panel) {
    let (width, targets) = (panel.channels.len(), panel.channels.targets);
    for series in &panel.series {
        let seen = |row: &usize| {
            !panel.values[row * width..row * width + targets].iter().all(|v| v.is_nan())
        };
        let end = series.rows.clone().rev().find(seen).map_or(series.rows.start, |row| row + 1);
        let rows = series.rows.start..end;
        for value in &mut panel.values[rows.start * width..rows.end * width] {
            *value = if value.is_nan() { 0.0 } else { *value };
        }
        if let Some(exact) = &mut panel.exact {
            for value in &mut exact[rows.start * targets..rows.end * targets] {
                *value = if value.is_nan() { 0.0 } else { *value };
            }
        }
    }
}

/// Applies `transform` to the targets in place; returns the values before, `[rows, targets]`, where the
/// inverse needs them.
pub(crate) fn transform(
    panel: &mut Panel,
    transform: Transform,
) -> Result<Option<Vec<f64>>, DataError> {
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

/// Differences or returns in double precision: those of a counter near 1e8 would be lost in single.
fn steps(panel: &mut Panel, transform: Transform) -> Result<Vec<f64>, DataError> {
    let (width, targets) = (panel.channels.len(), panel.channels.targets);
    let filled = panel.values.chunks_exact(width).flat_map(|row| row[..targets].iter().copied());
    let levels: Vec<f64> = match panel.exact.take() {
        // Filled cells are known in single precision only.
        Some(exact) => {
            let both = exact.into_iter().zip(filled);
            both.map(|(exact, filled)| if exact.is_nan() { f64::from(filled) } else { exact })
                .collect()
        }
        None => filled.map(f64::from).collect(),
    };
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
                    return Err(undefined(
                        panel,
                        "return",
                        before as f32,
                        row - 1,
                        channel,
                        remedy,
                    ));
                }
                let now = levels[row * targets + channel];
                panel.values[at] = match transform {
                    Transform::Return => (now / before - 1.0) as f32,
                    _ => (now - before) as f32,
                };
                if panel.values[at].is_infinite() {
                    let name = if transform == Transform::Return { "return" } else { "difference" };
                    let remedy = "the step to the next row is beyond the range of 32-bit numbers; use \"none\"";
                    return Err(undefined(panel, name, before as f32, row - 1, channel, remedy));
                }
                observed[at] = observed[at] && observed[(row - 1) * width + channel];
            }
        }
    }
    panel.observed = Some(observed);
    Ok(levels)
}

/// Checks that differences of two columns, in these channels, are within the range of the buffer.
pub(crate) fn finite_spreads(
    panel: &Panel,
    channels: std::ops::Range<usize>,
) -> Result<(), DataError> {
    let width = panel.channels.len();
    let too_large = |at: &usize| panel.values[*at].is_infinite();
    let cells = |channel| (channel..panel.values.len()).step_by(width);
    match channels.flat_map(cells).find(too_large) {
        None => Ok(()),
        Some(at) => Err(undefined(
            panel,
            "spread",
            panel.values[at],
            at / width,
            at % width,
            "their difference is beyond the range of 32-bit numbers; leave the pair out of `spreads`",
        )),
    }
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

/// Undoes `transform` on one path of one target, step by step; `level` is the last value before the path.
pub(crate) fn invert(transform: Transform, level: f64) -> impl FnMut(f64) -> f64 {
    let mut level = level;
    move |value| match transform {
        Transform::None => value,
        Transform::Log => value.exp(),
        Transform::Difference => {
            level += value;
            level
        }
        Transform::Return => {
            level *= 1.0 + value;
            level
        }
    }
}
