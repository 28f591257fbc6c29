//! Signs that a channel is not what it seems: sentinels, unit changes, counters, lost precision.

use std::fmt;

use serde::Serialize;

use crate::panel::Panel;
use crate::text::Count;

/// Something about a channel that a forecaster would want to know before training.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "suspicion", rename_all = "kebab-case")]
pub enum Suspicion {
    /// One value in every row.
    Constant {
        /// The value.
        value: f64,
    },
    /// A value such as −999 far from all others, more than once.
    Sentinel {
        /// The value.
        value: f64,
        /// How often.
        count: usize,
    },
    /// A value very far from the bulk.
    Outlier {
        /// The value.
        value: f64,
        /// Its time.
        time: String,
        /// Its series.
        series: String,
    },
    /// Values from one row on a power of ten larger or smaller than before.
    UnitChange {
        /// By what factor.
        factor: f64,
        /// From when on.
        time: String,
        /// In which series.
        series: String,
    },
    /// Variation that 32-bit numbers hardly resolve beside the level.
    LostPrecision {
        /// Standard deviation over mean.
        relative: f64,
    },
    /// Never falls: a meter reading rather than a rate.
    Counter,
    /// Mostly zero.
    Intermittent {
        /// Share of zeros.
        zeros: f64,
    },
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suspicion::Constant { value } => {
                write!(f, "is {value} in every row: it says nothing; leave it out")
            }
            Suspicion::Sentinel { value, count } => write!(
                f,
                "is {value} in {}, far from the rest: \"missing\"? set `missing = [\"{value}\"]`",
                Count(*count, "row")
            ),
            Suspicion::Outlier { value, time, series } => {
                write!(
                    f,
                    "is {value} at {time} (series `{series}`), very far from the rest: a slip or a change of unit?"
                )
            }
            Suspicion::UnitChange { factor, time, series } => {
                write!(
                    f,
                    "is {factor} times larger from {time} on (series `{series}`): a change of unit?"
                )
            }
            Suspicion::LostPrecision { relative } => write!(
                f,
                "varies by only {relative:.0e} of its level, which 32-bit numbers hardly resolve: subtract a constant first"
            ),
            Suspicion::Counter => {
                f.write_str("never falls: a meter reading? set `transform = \"difference\"`")
            }
            Suspicion::Intermittent { zeros } => {
                write!(f, "is zero in {:.0} % of the rows: a Gaussian fits it badly", 100.0 * zeros)
            }
        }
    }
}

/// Values that stand for "missing" in many a table.
const SENTINELS: [f64; 8] =
    [-999.0, -9999.0, -99.0, 999.0, 9999.0, 99_999.0, -99_999.0, -9_999_999.0];

pub(crate) fn find(panel: &Panel, channel: usize) -> Vec<Suspicion> {
    let width = panel.channels.len();
    let value = |row: usize| f64::from(panel.values[row * width + channel]);
    let mut sorted: Vec<f64> = (0..panel.rows()).map(value).filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(&least), Some(&greatest)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    if least == greatest {
        return vec![Suspicion::Constant { value: least }];
    }
    if let Some(sentinel) = sentinel(&sorted) {
        return vec![sentinel]; // it spoils every other sign
    }
    let mut found = Vec::new();
    let quartile = |q: usize| sorted[(sorted.len() - 1) * q / 4];
    let (low, middle, high) = (quartile(1), quartile(2), quartile(3));
    let reach = 100.0 * (high - low);
    let far = |v: f64| reach > 0.0 && (v < low - reach || v > high + reach);
    if let Some(row) = (0..panel.rows()).find(|&row| far(value(row))) {
        let (time, series) = place(panel, row);
        found.push(Suspicion::Outlier { value: value(row), time, series });
    }
    found.extend(panel.series.iter().find_map(|s| unit_change(panel, s.rows.clone(), &value)));
    let spread = (high - low) / 1.349;
    if spread > 0.0 && spread < 1e-5 * middle.abs() {
        found.push(Suspicion::LostPrecision { relative: spread / middle.abs() });
    }
    let falls = |rows: std::ops::Range<usize>| {
        let seen: Vec<f64> = rows.map(value).filter(|v| !v.is_nan()).collect();
        seen.windows(2).any(|w| w[1] < w[0]) || seen.len() < 20
    };
    if panel.series.iter().all(|s| !falls(s.rows.clone())) {
        found.push(Suspicion::Counter);
    }
    let zeros = sorted.iter().filter(|v| **v == 0.0).count() as f64 / sorted.len() as f64;
    if zeros > 0.5 {
        found.push(Suspicion::Intermittent { zeros });
    }
    found
}

fn place(panel: &Panel, row: usize) -> (String, String) {
    let series = panel.series_of(row).map(|s| panel.series[s].name.clone()).unwrap_or_default();
    (panel.time(row).unwrap_or_default(), series)
}

/// A repeated value of the list that lies further from all others than they spread.
fn sentinel(sorted: &[f64]) -> Option<Suspicion> {
    for value in SENTINELS {
        let rest: Vec<f64> = sorted.iter().copied().filter(|v| *v != value).collect();
        let count = sorted.len() - rest.len();
        let (Some(&least), Some(&greatest)) = (rest.first(), rest.last()) else { continue };
        let distance = if value < least { least - value } else { value - greatest };
        if count >= 2 && count * 2 < sorted.len() && distance > greatest - least {
            return Some(Suspicion::Sentinel { value, count });
        }
    }
    None
}

/// The row from which on the typical size is 10, 100, 1000 or a million times that before, or the inverse.
fn unit_change(
    panel: &Panel,
    rows: std::ops::Range<usize>,
    value: &impl Fn(usize) -> f64,
) -> Option<Suspicion> {
    let seen: Vec<(usize, f64)> =
        rows.map(|row| (row, value(row).abs())).filter(|(_, v)| *v > 0.0).collect();
    if seen.len() < 40 {
        return None;
    }
    // One change of level: where the sums of logarithms on both sides differ most from a single mean.
    let logs: Vec<f64> = seen.iter().map(|(_, v)| v.ln()).collect();
    let (n, all) = (logs.len() as f64, logs.iter().sum::<f64>());
    let mut before = 0.0;
    let mut best = (0.0, 0);
    for (i, log) in logs.iter().enumerate().take(logs.len() - 10) {
        before += log;
        let k = (i + 1) as f64;
        let score = (before - k * all / n).powi(2) / (k * (n - k));
        if i >= 9 && score > best.0 {
            best = (score, i + 1);
        }
    }
    let (left, right) = logs.split_at(best.1);
    let median = |part: &[f64]| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    let spread =
        |part: &[f64], center: f64| part.iter().map(|v| (v - center).abs()).fold(0.0, f64::max);
    let (a, b) = (median(left), median(right));
    let factor = (b - a).exp();
    let near = [10.0, 100.0, 1000.0, 1e6].into_iter().find_map(|power| {
        [power, 1.0 / power].into_iter().find(|p| (factor / p - 1.0).abs() < 0.25)
    })?;
    // Both sides must keep clear of the other's level: a series that grows steadily does not.
    let clear = spread(left, a) < (b - a).abs() && spread(right, b) < (b - a).abs();
    if !clear {
        return None;
    }
    let (time, series) = place(panel, seen[best.1].0);
    Some(Suspicion::UnitChange { factor: near, time, series })
}
