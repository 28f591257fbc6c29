//! The step from one row to the next: inferred, written, counted, advanced.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Clock;
use super::civil::{
    DAY, Date, HOUR, MINUTE, SECOND, business_index, from_business_index, split_day, weekday,
};
use crate::error::DataError;

/// The time step of a series.
///
/// Written as `"15min"`, `"1h"`, `"1d"`, `"7d"`, `"business-day"`, `"month"`, `"month-end"`, `"3 month"`,
/// `"index"` (numbered rows, step 1), `"irregular"` (rows as they come).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Frequency {
    /// A fixed time in microseconds, shorter than a day or not a whole number of days.
    Micros(i64),
    /// Calendar days, one time of day; 23 or 25 hours long where clocks change.
    Days(i64),
    /// Monday to Friday.
    BusinessDays,
    /// Calendar months, one day of the month (its last where the month is shorter).
    Months(i64),
    /// Calendar months, always the last day.
    MonthEnds(i64),
    /// Numbered rows.
    Index(i64),
    /// No fixed step.
    Irregular,
}

impl Frequency {
    /// The step most pairs of neighboring `times` (ascending) have.
    pub(crate) fn infer(times: &[i64], clock: &Clock) -> Frequency {
        if times.len() < 2 {
            return if matches!(clock, Clock::Index) {
                Frequency::Index(1)
            } else {
                Frequency::Irregular
            };
        }
        if matches!(clock, Clock::Index) {
            return mode(times.windows(2).map(|w| w[1].saturating_sub(w[0])))
                .map_or(Frequency::Irregular, Frequency::Index);
        }
        // Clock times decide whether the step is a calendar one; converting all of them would cost a
        // time-zone look-up per row, so a sample of neighbors stands for the column.
        let sample = &times[..times.len().min(10_000)];
        let civil: Vec<(i64, i64)> = sample.iter().map(|&t| split_day(clock.to_civil(t))).collect();
        if civil.iter().all(|&(_, time)| time == civil[0].1) {
            let days: Vec<i64> = civil.iter().map(|&(day, _)| day).collect();
            return infer_days(&days);
        }
        match mode(times.windows(2).map(|w| w[1].saturating_sub(w[0]))) {
            Some(step) => Frequency::Micros(step),
            None => Frequency::Irregular,
        }
    }

    /// The time `steps` after `start`.
    pub(crate) fn advance(self, start: i64, steps: i64, clock: &Clock) -> i64 {
        let on_days = |f: &dyn Fn(i64) -> i64| {
            let (day, time) = split_day(clock.to_civil(start));
            clock.instant_of(f(day).saturating_mul(DAY).saturating_add(time))
        };
        match self {
            Frequency::Micros(step) | Frequency::Index(step) => {
                start.saturating_add(step.saturating_mul(steps))
            }
            Frequency::Days(step) => on_days(&|day| day.saturating_add(step.saturating_mul(steps))),
            Frequency::BusinessDays => {
                on_days(&|day| from_business_index(business_index(day) + steps))
            }
            Frequency::Months(step) => on_days(&|day| {
                let date = Date::from_days(day);
                Date::in_month(date.months() + step * steps, date.day).days()
            }),
            Frequency::MonthEnds(step) => on_days(&|day| {
                Date::in_month(Date::from_days(day).months() + step * steps, 31).days()
            }),
            Frequency::Irregular => start,
        }
    }

    /// How many steps lead from `from` to `to`, or `None` where no whole number does.
    pub(crate) fn steps(self, from: i64, to: i64, clock: &Clock) -> Option<i64> {
        let whole = |difference: i64, step: i64| {
            (step > 0 && difference % step == 0).then(|| difference / step)
        };
        if let Frequency::Micros(step) | Frequency::Index(step) = self {
            return whole(to.checked_sub(from)?, step);
        }
        let (from_day, from_time) = split_day(clock.to_civil(from));
        let (to_day, to_time) = split_day(clock.to_civil(to));
        if from_time != to_time {
            return None;
        }
        let (a, b) = (Date::from_days(from_day), Date::from_days(to_day));
        match self {
            Frequency::Days(step) => whole(to_day - from_day, step),
            Frequency::BusinessDays => (weekday(from_day) < 5 && weekday(to_day) < 5)
                .then(|| business_index(to_day) - business_index(from_day)),
            Frequency::Months(step) => {
                // The anchor is the larger day of month: 31 January → 28 February → 31 March.
                let anchored = a.day == b.day
                    || (b.day < a.day && b.is_month_end())
                    || (a.day < b.day && a.is_month_end());
                anchored.then(|| whole(b.months() - a.months(), step))?
            }
            Frequency::MonthEnds(step) => (a.is_month_end() && b.is_month_end())
                .then(|| whole(b.months() - a.months(), step))?,
            Frequency::Micros(_) | Frequency::Index(_) | Frequency::Irregular => None,
        }
    }

    /// Rows in one day, week or year, whichever is the natural season: 24 for hours, 7 for days,
    /// 5 for business days, 12 for months.
    pub fn season(self) -> Option<usize> {
        let whole = |unit: i64, step: i64| {
            (step > 0 && unit % step == 0 && unit / step > 1).then(|| (unit / step) as usize)
        };
        match self {
            Frequency::Micros(step) if step < MINUTE => whole(MINUTE, step),
            Frequency::Micros(step) => whole(DAY, step),
            Frequency::Days(1) => Some(7),
            Frequency::Days(7) => Some(52),
            Frequency::BusinessDays => Some(5),
            Frequency::Months(step) | Frequency::MonthEnds(step) => whole(12, step),
            Frequency::Days(_) | Frequency::Index(_) | Frequency::Irregular => None,
        }
    }
}

/// The most common positive step; the smallest of several.
fn mode(steps: impl Iterator<Item = i64>) -> Option<i64> {
    let mut counts = std::collections::BTreeMap::<i64, usize>::new();
    let mut count = |step: i64, times: usize| {
        // Jittered times give as many steps as rows: past a limit only steps seen before are counted.
        if step > 0 && (counts.len() < 10_000 || counts.contains_key(&step)) {
            *counts.entry(step).or_default() += times;
        }
    };
    let (mut last, mut run) = (0, 0); // steps come in long runs
    for step in steps {
        if step != last {
            count(last, run);
            (last, run) = (step, 0);
        }
        run += 1;
    }
    count(last, run);
    counts.into_iter().max_by_key(|&(step, count)| (count, std::cmp::Reverse(step))).map(|(s, _)| s)
}

fn infer_days(days: &[i64]) -> Frequency {
    let steps = || days.windows(2).map(|w| w[1] - w[0]);
    let Some(common) = mode(steps()) else { return Frequency::Irregular };
    let dates: Vec<Date> = days.iter().map(|&d| Date::from_days(d)).collect();
    if common >= 28 {
        let months = mode(dates.windows(2).map(|w| w[1].months() - w[0].months())).unwrap_or(0);
        let largest = dates.iter().map(|d| d.day).max().unwrap_or(0);
        let anchored = dates.iter().all(|d| d.day == largest || d.is_month_end());
        if months > 0 && dates.iter().all(|d| d.is_month_end()) {
            return Frequency::MonthEnds(months);
        }
        if months > 0 && anchored {
            return Frequency::Months(months);
        }
    }
    let weekdays_only = days.iter().all(|&d| weekday(d) < 5);
    let over_weekend = days.windows(2).any(|w| weekday(w[1]) < weekday(w[0]));
    if common == 1 && weekdays_only && over_weekend {
        return Frequency::BusinessDays;
    }
    Frequency::Days(common)
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |f: &mut fmt::Formatter<'_>, n: i64, unit: &str| {
            if n == 1 { f.write_str(unit) } else { write!(f, "{n} {unit}") }
        };
        match *self {
            Frequency::Micros(step) => {
                for (unit, name) in [(HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1000, "ms")] {
                    if step % unit == 0 {
                        return write!(f, "{}{name}", step / unit);
                    }
                }
                write!(f, "{step}us")
            }
            Frequency::Days(days) => write!(f, "{days}d"),
            Frequency::BusinessDays => f.write_str("business-day"),
            Frequency::Months(n) => counted(f, n, "month"),
            Frequency::MonthEnds(n) => counted(f, n, "month-end"),
            Frequency::Index(n) => counted(f, n, "index"),
            Frequency::Irregular => f.write_str("irregular"),
        }
    }
}

impl From<Frequency> for String {
    fn from(frequency: Frequency) -> String {
        frequency.to_string()
    }
}

impl TryFrom<String> for Frequency {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl FromStr for Frequency {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let fail = || DataError::Config {
            key: "frequency",
            value: format!("{text:?}"),
            expected:
                "a step such as \"15min\", \"1h\", \"1d\", \"7d\", \"business-day\", \"month\", \
                       \"month-end\", \"quarter\", \"year\", \"index\", or \"irregular\""
                    .into(),
        };
        let trimmed = text.trim();
        let unit = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &trimmed[..trimmed.len() - unit.len()];
        let count: i64 = if digits.is_empty() { 1 } else { digits.parse().map_err(|_| fail())? };
        if !(1..=1_000_000_000).contains(&count) {
            return Err(fail());
        }
        let micros = |unit: i64| {
            let step = count * unit; // at most 1e9 hours in microseconds: 3.6e18, inside i64
            if step % DAY == 0 { Frequency::Days(step / DAY) } else { Frequency::Micros(step) }
        };
        Ok(match unit.trim().to_ascii_lowercase().as_str() {
            "us" => micros(1),
            "ms" => micros(1000),
            "s" | "sec" | "second" | "seconds" => micros(SECOND),
            "min" | "minute" | "minutes" => micros(MINUTE),
            "h" | "hour" | "hours" => micros(HOUR),
            "d" | "day" | "days" | "daily" => Frequency::Days(count),
            "w" | "week" | "weeks" | "weekly" => Frequency::Days(7 * count),
            "b" | "business-day" if count == 1 => Frequency::BusinessDays,
            "month" | "months" | "monthly" => Frequency::Months(count),
            "month-end" => Frequency::MonthEnds(count),
            "quarter" | "quarters" => Frequency::Months(3 * count),
            "year" | "years" => Frequency::Months(12 * count),
            "index" => Frequency::Index(count),
            "irregular" if digits.is_empty() => Frequency::Irregular,
            _ => return Err(fail()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(cells: &[&str]) -> Vec<i64> {
        let mut column = super::super::column::TimeColumn::new(None);
        for cell in cells {
            column.push(cell.as_bytes()).unwrap();
        }
        column.finish().unwrap().values
    }

    #[test]
    fn steps_are_inferred() {
        let cases: [(&[&str], Frequency); 9] = [
            (
                &["2012-01-01 00:00", "2012-01-01 01:00", "2012-01-01 02:00"],
                Frequency::Micros(HOUR),
            ),
            (&["2012-01-01", "2012-01-02", "2012-01-04"], Frequency::Days(1)),
            (&["2012-01-05", "2012-01-06", "2012-01-09", "2012-01-10"], Frequency::BusinessDays),
            (&["2012-01-01", "2012-01-08", "2012-01-15"], Frequency::Days(7)),
            (&["2012-01-15", "2012-02-15", "2012-03-15"], Frequency::Months(1)),
            (&["2012-01-31", "2012-02-29", "2012-03-31"], Frequency::MonthEnds(1)),
            (&["2012-01-30", "2012-02-29", "2012-03-30"], Frequency::Months(1)),
            (&["2010", "2011", "2012"], Frequency::Months(12)),
            (&["2012Q1", "2012Q2", "2012Q3"], Frequency::Months(3)),
        ];
        for (cells, expected) in cases {
            assert_eq!(Frequency::infer(&times(cells), &Clock::Civil), expected, "{cells:?}");
        }
        assert_eq!(Frequency::infer(&[10, 20, 40], &Clock::Index), Frequency::Index(10));
    }

    #[test]
    fn a_day_is_as_long_as_its_zone_says() {
        let berlin = Clock::in_zone("Europe/Berlin").unwrap();
        // 2012-03-25 00:00 in Berlin is 23:00 UTC the day before; that day has 23 hours.
        let start = times(&["2012-03-24 23:00"])[0];
        let next = Frequency::Days(1).advance(start, 1, &berlin);
        assert_eq!((next - start) / HOUR, 23);
        assert_eq!(Frequency::Days(1).steps(start, next, &berlin), Some(1));
    }

    #[test]
    fn names_are_read_and_written() {
        for name in [
            "15min",
            "1h",
            "1d",
            "7d",
            "business-day",
            "month",
            "month-end",
            "3 month",
            "index",
            "irregular",
            "250ms",
            "90min",
            "36h",
        ] {
            assert_eq!(name.parse::<Frequency>().unwrap().to_string(), name);
        }
        assert_eq!("24h".parse::<Frequency>().unwrap(), Frequency::Days(1));
        assert_eq!("quarter".parse::<Frequency>().unwrap(), Frequency::Months(3));
        for bad in ["", "0h", "-1h", "h1", "1 fortnight", "2 irregular", "99999999999h", "1.5h"] {
            let error = bad.parse::<Frequency>().unwrap_err().to_string();
            assert!(error.starts_with("data.frequency = "), "{bad}: {error}");
        }
    }

    proptest! {
        /// Law: advancing by k steps is k steps away.
        #[test]
        fn advance_and_steps_are_inverse(
            day in -20_000i64..40_000, k in 0i64..3000, which in 0usize..6,
        ) {
            let frequency = [
                Frequency::Micros(HOUR), Frequency::Days(3), Frequency::BusinessDays,
                Frequency::Months(1), Frequency::MonthEnds(3), Frequency::Index(5),
            ][which];
            let day = match frequency {
                Frequency::BusinessDays => from_business_index(business_index(day)),
                Frequency::MonthEnds(_) => Date::in_month(Date::from_days(day).months(), 31).days(),
                _ => day,
            };
            let (start, clock) = (day * DAY, Clock::Civil);
            let end = frequency.advance(start, k, &clock);
            prop_assert_eq!(frequency.steps(start, end, &clock), Some(k));
        }
    }
}
