//! Inputs and targets of the regressions.

use crate::fourier::angle;

/// The level taken out of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// None.
    Zero,
    /// Mean of the last season.
    Season,
    /// Last row.
    Last,
    /// The row one season before, for targets and inputs alike.
    Phase,
}

/// Inputs of the regression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inputs {
    /// Whether values are in logarithms.
    pub(crate) log: bool,
    pub(crate) level: Level,
    /// Whether the phases of the seasons are inputs.
    pub(crate) calendar: bool,
    /// Rows back from the last known row, which is 0.
    pub(crate) lags: Vec<usize>,
    /// The season of the level: rows averaged.
    pub(crate) window: usize,
    /// Season with a column for each phase; 1 for none.
    pub(crate) phases: usize,
    /// Seasons as harmonics.
    pub(crate) long: Vec<usize>,
}

/// Harmonics of a long season.
const HARMONICS: usize = 3;

impl Inputs {
    /// Rows needed up to the origin.
    pub(crate) fn reach(&self) -> usize {
        let last = self.lags.iter().max().map_or(1, |lag| lag + 1);
        if self.level == Level::Phase { last + self.window } else { last.max(self.window) }
    }

    /// The level before an origin, given the rows up to it, where it is the same for all inputs.
    pub(crate) fn level(&self, known: &[f64]) -> f64 {
        let rows = match self.level {
            Level::Zero | Level::Phase => return 0.0,
            Level::Season => self.window,
            Level::Last => 1,
        };
        let last = &known[known.len() - rows.min(known.len())..];
        last.iter().sum::<f64>() / last.len().max(1) as f64
    }

    /// The level of a target, `step` rows after the first unknown one.
    pub(crate) fn anchor(&self, known: &[f64], step: usize) -> f64 {
        match self.level {
            Level::Phase => known[known.len() - self.window + step % self.window],
            Level::Zero | Level::Season | Level::Last => self.level(known),
        }
    }

    /// One row of inputs: one, lags, phases, harmonics, and a trend
    /// where a long season asks for one and no level is taken out. `time` is the number of the first unknown row.
    pub(crate) fn row(&self, known: &[f64], time: usize, out: &mut Vec<f64>) {
        let level = self.level(known);
        out.push(1.0);
        let last = known.len() - 1;
        if self.level == Level::Phase {
            let before = last - self.window;
            out.extend(self.lags.iter().map(|lag| known[last - lag] - known[before - lag]));
        } else {
            out.extend(self.lags.iter().map(|lag| known[last - lag] - level));
        }
        if self.calendar {
            let phase = time % self.phases.max(1);
            let phases = if self.phases > 1 { self.phases } else { 0 };
            out.extend((0..phases).map(|other| f64::from(u8::from(other == phase))));
            for &season in &self.long {
                for order in 1..=HARMONICS {
                    let (sin, cos) = angle(time, season, order).sin_cos();
                    out.extend([cos, sin]);
                }
            }
            if !self.long.is_empty() && self.level == Level::Zero {
                out.push(time as f64);
            }
        }
    }

    /// Penalty of each column of standardized inputs: none for the one in front, `strength` for lags, and a small fixed
    /// one for the calendar, so that a strong penalty leaves the level and the season.
    pub(crate) fn penalty(&self, strength: f64, size: usize) -> Vec<f64> {
        const CALENDAR: f64 = 1.0;
        let mut penalty = vec![CALENDAR; size];
        penalty[0] = 0.0;
        penalty[1..=self.lags.len()].fill(strength);
        penalty
    }
}

/// Standardized inputs of all origins, and their levels.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) size: usize,
    /// Number of origins.
    pub(crate) count: usize,
    /// Inputs, `[count, size]`.
    pub(crate) rows: Vec<f64>,
    /// Levels of the targets at each origin, `[count, horizon]`.
    anchors: Vec<f64>,
    horizon: usize,
    /// Number of the first unknown row at the first origin.
    pub(crate) first: usize,
    /// Mean and scale of each column.
    moments: Vec<(f64, f64)>,
}

impl Design {
    /// Inputs of every origin of `values` that leaves `horizon` rows after it; `None` if there are fewer than `least`.
    pub(crate) fn new(
        values: &[f64],
        inputs: &Inputs,
        horizon: usize,
        least: usize,
    ) -> Option<Design> {
        let first = inputs.reach();
        let count = (values.len() + 1).checked_sub(first + horizon)?;
        if count < least.max(1) {
            return None;
        }
        let mut rows = Vec::new();
        for origin in first..first + count {
            inputs.row(&values[..origin], origin, &mut rows);
        }
        let anchors = (first..first + count)
            .flat_map(|origin| (0..horizon).map(move |step| inputs.anchor(&values[..origin], step)))
            .collect();
        let size = rows.len() / count;
        let moments = (0..size).map(|column| moments(&rows, size, column)).collect();
        let mut design = Design { size, count, rows, anchors, horizon, first, moments };
        let mut rows = std::mem::take(&mut design.rows);
        rows.chunks_exact_mut(size).for_each(|row| design.standardize(row));
        design.rows = rows;
        Some(design)
    }

    /// Brings a row of inputs to the scale of the design.
    pub(crate) fn standardize(&self, row: &mut [f64]) {
        row.iter_mut().zip(&self.moments).for_each(|(x, (mean, scale))| *x = (*x - mean) / scale);
    }

    pub(crate) fn row(&self, at: usize) -> &[f64] {
        &self.rows[at * self.size..(at + 1) * self.size]
    }

    /// The target of one origin, `step` rows after the first unknown one, without the level.
    pub(crate) fn target(&self, values: &[f64], at: usize, step: usize) -> f64 {
        values[self.first + at + step] - self.anchor(at, step)
    }

    /// The level of a target.
    pub(crate) fn anchor(&self, at: usize, step: usize) -> f64 {
        self.anchors[at * self.horizon + step]
    }
}

/// Mean and standard deviation of a column; nothing is changed in a column of ones, nor scaled in a constant one.
fn moments(rows: &[f64], size: usize, column: usize) -> (f64, f64) {
    if column == 0 {
        return (0.0, 1.0);
    }
    let values = || rows.iter().skip(column).step_by(size);
    let count = values().len() as f64;
    let mean = values().sum::<f64>() / count;
    let std = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    (mean, if std > 1e-12 { std } else { 1.0 })
}
