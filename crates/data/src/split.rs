//! Training, validation and test rows of every series, in order of time.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, Rules, SplitConfig};
use crate::error::DataError;
use crate::panel::Panel;
use crate::time::Clock;
use crate::time::column::{Hints, TimeColumn};
use crate::time::parse::Written;

/// The parts of one series, as rows of the buffer. Targets of a part's windows lie inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Rows to learn from.
    pub train: Range<usize>,
    /// Rows to choose by.
    pub validation: Range<usize>,
    /// Rows to judge by.
    pub test: Range<usize>,
    /// Rows the scaler is fitted on: the training rows, unless a protocol says otherwise.
    pub scaler: Range<usize>,
}

/// The parts of every series, and how windows are placed in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub(crate) parts: Vec<Parts>,
    /// Rows between validation or test windows.
    pub(crate) stride: usize,
    /// Leave out a last window that ends exactly at the border (ProbTS counts this way).
    pub(crate) drop_exact: bool,
    /// Rows before the first training target, besides the context.
    pub(crate) lags: usize,
}

/// Rolling origins: folds whose test parts follow one another to the end of each series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    /// How many folds, at least 1.
    pub folds: usize,
    /// Test rows of each fold, at least 1.
    pub test: usize,
    /// Validation rows before each test part.
    pub validation: usize,
    /// Training rows before those: this many (sliding), or all there are (expanding).
    #[serde(default)]
    pub train: Option<usize>,
}

impl Split {
    /// Splits every series of `panel` as `config` says.
    ///
    /// # Errors
    /// [`DataError::TooFewRows`] where borders lie beyond the data; [`DataError::Config`] for dates that
    /// cannot be read or do not ascend.
    pub fn new(config: &DataConfig, panel: &Panel) -> Result<Split, DataError> {
        let mut split = Split {
            parts: Vec::new(),
            stride: config.stride.unwrap_or(1),
            drop_exact: false,
            lags: 0,
        };
        let dates = match &config.split {
            SplitConfig::Dates { validation_from, test_from, until } => {
                Some(dates(validation_from, test_from, until.as_deref(), &panel.clock)?)
            }
            _ => None,
        };
        for series in &panel.series {
            let rows = series.rows.len();
            let borders = match &config.split {
                SplitConfig::Fractions { train, validation, test } => {
                    fractions(rows, *train, *validation, *test)
                }
                SplitConfig::Rows(counts) => row_counts(*counts, rows, &series.name)?,
                SplitConfig::Last([validation, test]) => {
                    let test_from = rows - (*test).min(rows * 2 / 5);
                    [test_from - (*validation).min(rows * 2 / 5), test_from, rows]
                }
                SplitConfig::Dates { .. } => dates
                    .unwrap_or([i64::MAX; 3])
                    .map(|moment| series.timeline.rows_before(moment, rows, &panel.clock)),
                SplitConfig::Protocol(protocol) => {
                    let Rules { borders, scaler_rows, lags, stride, drop_exact } =
                        protocol.rules(rows, &series.name)?;
                    (split.stride, split.drop_exact, split.lags) = (stride, drop_exact, lags);
                    split.parts.push(parts(
                        borders,
                        config.purge,
                        series.rows.start,
                        Some(scaler_rows),
                    ));
                    continue;
                }
            };
            split.parts.push(parts(borders, config.purge, series.rows.start, None));
        }
        Ok(split)
    }

    /// The same with the last `⌈share · n⌉` of the `n` training rows of each series; what scalers are fitted on stays.
    pub(crate) fn recent(mut self, share: f64) -> Split {
        for Parts { train, .. } in &mut self.parts {
            // A tenth of 70 rows is 7, though 0.1 · 70 rounds up to a little more.
            let kept = (share * train.len() as f64 - 1e-9).ceil() as usize;
            train.start = train.end - kept.min(train.len());
        }
        self
    }

    /// The same with all rows of each series, up to the end of its test part, as training rows. Scalers are fitted on
    /// these rows, and the other parts are empty. Rows after the test part stay unused.
    #[must_use]
    pub fn whole(mut self) -> Split {
        for Parts { train, validation, test, scaler } in &mut self.parts {
            let end = train.end.max(validation.end).max(test.end);
            (train.end, *validation, *test) = (end, end..end, end..end);
            *scaler = train.clone();
        }
        self
    }

    /// One split per rolling origin, in order of time; `purge` rows are left out before each border.
    ///
    /// # Errors
    /// [`DataError::Config`] for no folds or empty tests; [`DataError::TooFewRows`] where the longest
    /// series is too short for all of them.
    pub fn rolling(
        config: &DataConfig,
        rolling: Rolling,
        panel: &Panel,
    ) -> Result<Vec<Split>, DataError> {
        let Rolling { folds, test, validation, train } = rolling;
        if folds == 0 || test == 0 || train == Some(0) {
            return Err(DataError::Config {
                key: "backtest",
                value: format!("{{ folds = {folds}, test = {test}, train = {train:?} }}"),
                expected: "at least 1 fold, 1 test row and 1 training row".into(),
            });
        }
        let needed = folds
            .checked_mul(test)
            .and_then(|all| all.checked_add(validation)?.checked_add(train.unwrap_or(1)))
            .unwrap_or(usize::MAX);
        let longest = panel.series.iter().max_by_key(|s| s.rows.len());
        if let Some(series) = longest.filter(|s| s.rows.len() < needed) {
            return Err(DataError::TooFewRows {
                series: series.name.clone(),
                rows: series.rows.len(),
                needed,
                remedy: "take fewer folds or shorter parts",
            });
        }
        let fold = |k: usize| Split {
            parts: panel
                .series
                .iter()
                .map(|series| {
                    let rows = series.rows.len();
                    let end = rows.saturating_sub((folds - 1 - k) * test);
                    let test_from = end.saturating_sub(test);
                    let validation_from = test_from.saturating_sub(validation);
                    let mut parts = parts(
                        [validation_from, test_from, end],
                        config.purge,
                        series.rows.start,
                        None,
                    );
                    let length = train.unwrap_or(validation_from).min(validation_from);
                    parts.train.start =
                        (series.rows.start + validation_from - length).min(parts.train.end);
                    parts.scaler = parts.train.clone();
                    parts
                })
                .collect(),
            stride: config.stride.unwrap_or(1),
            drop_exact: false,
            lags: 0,
        };
        Ok((0..folds).map(fold).collect())
    }

    /// The parts of each series, in the order of the panel.
    pub fn parts(&self) -> &[Parts] {
        &self.parts
    }
}

/// Ranges from the ends of training, validation and test; `purge` rows before each border stay unused.
fn parts(ends: [usize; 3], purge: usize, start: usize, scaler: Option<usize>) -> Parts {
    let [train, validation, test] = ends;
    let cut = |from: usize, to: usize, next: usize| {
        let to = if next > to { to.saturating_sub(purge) } else { to }; // nothing follows: nothing to purge
        start + from..start + to.max(from)
    };
    let train_rows = cut(0, train, test);
    Parts {
        scaler: scaler.map_or(train_rows.clone(), |rows| start..start + rows),
        train: train_rows,
        validation: cut(train, validation, test),
        test: start + validation..start + test.max(validation),
    }
}

/// Training and test rows are rounded down, the rest is validation (Wu et al., Autoformer, 2021); with
/// shares that leave rows over, all three are rounded down and the last rows stay unused.
fn fractions(rows: usize, train: f64, validation: f64, test: f64) -> [usize; 3] {
    let share = |f: f64| ((rows as f64 * f + 1e-9).floor() as usize).min(rows);
    let first = share(train);
    if train + validation + test > 1.0 - 1e-9 {
        let last = if validation == 0.0 { rows - first } else { share(test) };
        let last = if test == 0.0 { 0 } else { last };
        return [first, rows - last, rows];
    }
    let second = first + share(validation);
    [first, second, second + share(test)]
}

fn row_counts(counts: [usize; 3], rows: usize, series: &str) -> Result<[usize; 3], DataError> {
    let ends = [counts[0], counts[0] + counts[1], counts[0] + counts[1] + counts[2]];
    if ends[2] > rows {
        return Err(DataError::TooFewRows {
            series: series.to_owned(),
            rows,
            needed: ends[2],
            remedy: "lower the counts under `split.rows`, or split by fractions",
        });
    }
    Ok(ends)
}

fn dates(
    validation: &str,
    test: &str,
    until: Option<&str>,
    clock: &Clock,
) -> Result<[i64; 3], DataError> {
    let read = |key: &'static str, text: &str| {
        let numbers = match clock {
            Clock::Index => Some(Written::Index),
            Clock::Elapsed => Some(Written::Seconds),
            _ => None,
        };
        let hints = Hints { zone: true, ..Hints::default() };
        let mut column = TimeColumn::new(numbers, false, hints);
        let fail = || DataError::Config {
            key,
            value: format!("{text:?}"),
            expected: match clock {
                Clock::Index => "a row number, as the rows here are numbered".into(),
                Clock::Elapsed => "seconds, as the times here are".into(),
                _ => "a time such as \"2015-01-31\" or \"2015-01-31 09:30\"".into(),
            },
        };
        column.push(text.as_bytes()).map_err(|_| fail())?;
        let times = column.finish(None, std::slice::from_ref(&(0..1))).map_err(|_| fail())?;
        if times.clock().is_dated() != clock.is_dated() {
            return Err(fail());
        }
        let moment = times.values[0];
        Ok(if times.offset.is_there() { moment } else { clock.instant_of(moment) })
    };
    let validation_from = read("split.validation_from", validation)?;
    let test_from = read("split.test_from", test)?;
    let end = until.map(|text| read("split.until", text)).transpose()?.unwrap_or(i64::MAX);
    if !(validation_from <= test_from && test_from <= end) {
        return Err(DataError::Config {
            key: "split",
            value: format!("validation_from {validation:?}, test_from {test:?}, until {until:?}"),
            expected: "validation_from ≤ test_from ≤ until".into(),
        });
    }
    Ok([validation_from, test_from, end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fractions_follow_the_field() {
        assert_eq!(fractions(7588, 0.7, 0.1, 0.2), [5311, 6071, 7588]); // exchange, PROTOCOL section 2
        assert_eq!(fractions(966, 0.7, 0.1, 0.2), [676, 773, 966]); // illness
        assert_eq!(fractions(10, 0.7, 0.1, 0.2), [7, 8, 10]);
        assert_eq!(fractions(10, 0.5, 0.2, 0.2), [5, 7, 9]);
        assert_eq!(fractions(11, 0.8, 0.0, 0.2), [8, 8, 11]);
        assert_eq!(fractions(11, 0.8, 0.2, 0.0), [8, 11, 11]);
    }

    /// Oracle: borders by hand, of a series that starts at row 5; two purged rows come back.
    #[test]
    fn a_whole_split_trains_on_everything() {
        let parts = |ends| parts(ends, 2, 5, Some(3));
        let split = |parts| Split { parts: vec![parts], stride: 1, drop_exact: false, lags: 0 };
        let expected = Parts { train: 5..15, validation: 15..15, test: 15..15, scaler: 5..15 };
        for ends in [[6, 8, 10], [6, 10, 10], [10, 10, 10]] {
            assert_eq!(split(parts(ends)).whole(), split(expected.clone()));
        }
        // Rows after the test part stay unused, and a learning curve keeps the recent rows of all.
        assert_eq!(split(parts([4, 6, 8])).whole().parts[0].train, 5..13);
        assert_eq!(split(parts([6, 8, 10])).whole().recent(0.3).parts[0].train, 12..15);
    }

    proptest! {
        /// Law: parts are in order, do not overlap, and keep the purge gap.
        #[test]
        fn parts_are_disjoint(
            a in 0usize..50, b in 0usize..50, c in 0usize..50, purge in 0usize..20, start in 0usize..9,
        ) {
            let p = parts([a, a + b, a + b + c], purge, start, None);
            prop_assert!(p.train.end <= p.validation.start && p.validation.end <= p.test.start);
            prop_assert!(p.train.start == start && p.test.end == start + a + b + c);
            if !p.train.is_empty() && !p.validation.is_empty() {
                prop_assert!(p.validation.start - p.train.end >= purge);
            }
            if !p.validation.is_empty() && !p.test.is_empty() {
                prop_assert!(p.test.start - p.validation.end >= purge);
            }
        }
    }
}
