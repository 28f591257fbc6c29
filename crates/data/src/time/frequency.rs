//! The step from one row to the next: inferred, written, counted, advanced.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Clock;
use super::civil::{
    DAY, HOUR, MINUTE, SECOND, Weekdays, date_at, days_of, in_month, months_of, split_day, weekday,
};
use crate::error::DataError;

/// The time step of a series.
///
/// Written as `"15min"`, `"1h"`, `"1d"`, `"7d"`, `"business-day"`, `"sun,mon,tue,wed,thu"`, `"month"`, `"3 month"`,
/// `"month@30"` (the 30th, in February its last day), `"month-end"`, `"business-month-end"`, `"index"` (numbered
/// rows, step 1), `"irregular"` (rows as they come).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frequency {
    /// A fixed time in microseconds, shorter than a day or not a whole number of days.
    Micros(i64),
    /// Calendar days, one time of day; 23 or 25 hours long where clocks change.
    Days(i64),
    /// Some days of every week: Monday to Friday, or others.
    Weekdays(Weekdays),
    /// Calendar months, on one day of them.
    Months(i64, MonthDay),
    /// Numbered rows.
    Index(i64),
    /// No fixed step.
    Irregular,
}

/// The day of the month on which rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthDay {
    /// That of the first row, the 28th at the latest.
    Same,
    /// From the 29th to the 31st; the last day of a shorter month.
    Day(i8),
    /// The last.
    Last,
    /// The first from Monday to Friday.
    FirstBusiness,
    /// The last from Monday to Friday.
    LastBusiness,
}

impl MonthDay {
    /// The day in the month of `months`, for a series that was on `date`.
    fn in_month(self, months: i64, date: Date) -> Date {
        let business = |first: i64, step: i64| {
            let day = (0..3).map(|k| first + k * step).find(|&day| weekday(day) < 5);
            date_at(day.unwrap_or(first))
        };
        match self {
            MonthDay::Same => in_month(months, date.day()),
            MonthDay::Day(day) => in_month(months, day),
            MonthDay::Last => in_month(months, 31),
            MonthDay::FirstBusiness => business(days_of(in_month(months, 1)), 1),
            MonthDay::LastBusiness => business(days_of(in_month(months, 31)), -1),
        }
    }

    fn holds(self, date: Date) -> bool {
        self.in_month(months_of(date), date) == date
    }

    /// The one that most of `dates` share: all of them, or all but a few of many.
    fn of(dates: &[Date]) -> Option<MonthDay> {
        let most = |holds: &dyn Fn(Date) -> bool| {
            is_rare(dates.iter().filter(|&&date| !holds(date)).count(), dates.len())
        };
        let common = mode(dates.iter().map(|date| i64::from(date.day())))? as i8;
        let largest = dates.iter().map(|date| date.day()).max().unwrap_or(common);
        let days = [largest, common].into_iter().filter(|day| *day > 28).map(MonthDay::Day);
        let known = [MonthDay::Last].into_iter().chain(days);
        if let Some(found) = known.into_iter().find(|anchor| most(&|date| anchor.holds(date))) {
            return Some(found);
        }
        if most(&|date| date.day() == common) {
            return Some(MonthDay::Same);
        }
        [MonthDay::LastBusiness, MonthDay::FirstBusiness]
            .into_iter()
            .find(|anchor| most(&|date| anchor.holds(date)))
    }
}

/// Whether `odd` of `rows` rows are few enough to be exceptions.
pub(super) fn is_rare(odd: usize, rows: usize) -> bool {
    odd == 0 || (rows >= 20 && odd * 20 <= rows)
}

impl Frequency {
    /// Monday to Friday.
    pub const BUSINESS_DAYS: Frequency = Frequency::Weekdays(Weekdays::MONDAY_TO_FRIDAY);

    /// The step most pairs of neighboring `times` (ascending) have.
    pub(crate) fn infer(times: &[i64], clock: &Clock) -> Frequency {
        let steps = || times.windows(2).map(|w| w[1].saturating_sub(w[0]));
        if matches!(clock, Clock::Index) {
            let step = if times.len() < 2 { Some(1) } else { mode(steps()) };
            return step.map_or(Frequency::Irregular, Frequency::Index);
        }
        if times.len() < 2 {
            return Frequency::Irregular;
        }
        // Clock times decide whether the step is a calendar one; converting all of them would cost a
        // time-zone look-up per row, so the first rows stand for the column.
        let sample = &times[..times.len().min(10_000)];
        let civil = |t: i64| split_day(clock.to_civil(t));
        let (_, first) = civil(sample[0]);
        let day = |&t: &i64| Some(civil(t)).filter(|&(_, time)| time == first).map(|(day, _)| day);
        if *clock != Clock::Elapsed
            && let Some(days) = sample.iter().map(day).collect::<Option<Vec<i64>>>()
        {
            return infer_days(&days);
        }
        mode(steps()).map_or(Frequency::Irregular, Frequency::Micros)
    }

    /// A step of months with the day of the month that `times` show: `month` of month ends is `month-end`.
    pub(crate) fn anchored(self, times: &[i64], clock: &Clock) -> Frequency {
        let Frequency::Months(step, MonthDay::Same) = self else { return self };
        let dates: Vec<Date> =
            times.iter().take(10_000).map(|&t| date_at(split_day(clock.to_civil(t)).0)).collect();
        Frequency::Months(step, MonthDay::of(&dates).unwrap_or(MonthDay::Same))
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
            Frequency::Weekdays(week) => on_days(&|day| week.advance(day, steps)),
            Frequency::Months(step, anchor) => on_days(&|day| {
                let date = date_at(day);
                let months = months_of(date).saturating_add(step.saturating_mul(steps));
                days_of(anchor.in_month(months, date))
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
        match self {
            Frequency::Days(step) => whole(to_day - from_day, step),
            Frequency::Weekdays(week) => (week.has(from_day) && week.has(to_day))
                .then(|| week.index(to_day) - week.index(from_day)),
            Frequency::Months(step, anchor) => {
                let (a, b) = (date_at(from_day), date_at(to_day));
                (anchor.holds(a) && anchor.in_month(months_of(b), a) == b)
                    .then(|| whole(months_of(b) - months_of(a), step))?
            }
            Frequency::Micros(_) | Frequency::Index(_) | Frequency::Irregular => None,
        }
    }

    /// Rows of a calendar step that are on none of its days, by the day that most rows share; their numbers.
    pub(super) fn odd_rows(self, times: &[i64], clock: &Clock) -> Vec<usize> {
        let days: Vec<i64> = times.iter().map(|&t| split_day(clock.to_civil(t)).0).collect();
        let rows = |holds: &dyn Fn(i64) -> bool| {
            (0..days.len()).filter(|&row| !holds(days[row])).collect::<Vec<_>>()
        };
        match self {
            Frequency::Days(step) if step > 1 => {
                let phase = mode(days.iter().map(|day| day.rem_euclid(step) + 1)).unwrap_or(1) - 1;
                rows(&|day| day.rem_euclid(step) == phase)
            }
            Frequency::Weekdays(week) => rows(&|day| week.has(day)),
            Frequency::Months(_, MonthDay::Same) => {
                let common =
                    mode(days.iter().map(|&day| i64::from(date_at(day).day()))).unwrap_or(1);
                rows(&|day| i64::from(date_at(day).day()) == common)
            }
            Frequency::Months(_, anchor) => rows(&|day| anchor.holds(date_at(day))),
            _ => Vec::new(),
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
            Frequency::Weekdays(week) => whole(week.per_week(), 1),
            Frequency::Months(step, _) => whole(12, step),
            Frequency::Days(_) | Frequency::Index(_) | Frequency::Irregular => None,
        }
    }

    /// All natural seasons, in rows, the shortest first: of hours the day and the week, of days the week and the year.
    pub fn seasons(self) -> Vec<usize> {
        let longer = match self {
            Frequency::Micros(step) if step > 0 && step < MINUTE => {
                (HOUR % step == 0).then(|| HOUR / step)
            }
            Frequency::Micros(step) if step > 0 => (7 * DAY % step == 0).then(|| 7 * DAY / step),
            Frequency::Days(1) => Some(365),
            Frequency::Weekdays(week) => Some(52 * week.per_week()),
            _ => None,
        };
        let longer = longer.map(|rows| rows as usize).filter(|rows| *rows > 1);
        let mut seasons: Vec<usize> = self.season().into_iter().chain(longer).collect();
        seasons.dedup();
        seasons
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
    let Some(common) = mode(days.windows(2).map(|w| w[1] - w[0])) else {
        return Frequency::Irregular;
    };
    if common >= 28 {
        let dates: Vec<Date> = days.iter().map(|&d| date_at(d)).collect();
        let steps = || dates.windows(2).map(|w| months_of(w[1]) - months_of(w[0]));
        if let (Some(months), Some(anchor)) = (mode(steps()), MonthDay::of(&dates)) {
            let off = steps().filter(|step| step % months != 0).count();
            let months = if off * 10 > days.len() { 1 } else { months };
            return Frequency::Months(months, anchor);
        }
    }
    if let Some(week) = infer_week(days, common) {
        return Frequency::Weekdays(week);
    }
    let off = days.windows(2).filter(|w| (w[1] - w[0]) % common != 0).count();
    if off * 10 > days.len() {
        return Frequency::Days(1); // the most common of many steps is not one that the others are made of
    }
    Frequency::Days(common)
}

/// The days of the week on which rows come, where some of them have none, or next to none.
fn infer_week(days: &[i64], common: i64) -> Option<Weekdays> {
    let mut counts = [0; 7];
    days.iter().for_each(|&day| counts[weekday(day) as usize] += 1);
    let (most, rows) = (counts.into_iter().max().unwrap_or(0), days.len());
    let week = Weekdays::new(|day| counts[day as usize] * 5 > most)?;
    let odd = days.iter().filter(|&&day| !week.has(day)).count();
    let span = days.last()? - days.first()?;
    if common == 1 && odd == 0 && days.iter().all(|&day| weekday(day) < 5) {
        // A few rows are enough for Monday to Friday, if a weekend lies between them.
        let over_weekend = days.windows(2).any(|w| weekday(w[1]) < weekday(w[0]));
        return over_weekend.then_some(Weekdays::MONDAY_TO_FRIDAY);
    }
    if !(2..=6).contains(&week.per_week()) || span < 28 || !is_rare(odd, rows) {
        return None;
    }
    // Most rows must be neighbors among these days: rows at random are no business week.
    let regular: Vec<i64> = days.iter().copied().filter(|&day| week.has(day)).collect();
    let next = |w: &&[i64]| week.index(w[1]) - week.index(w[0]) == 1;
    (regular.windows(2).filter(next).count() * 10 >= (regular.len() - 1) * 9).then_some(week)
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Frequency::Weekdays(Weekdays::MONDAY_TO_FRIDAY) => f.write_str("business-day"),
            Frequency::Weekdays(week) => f.write_str(&week.names().collect::<Vec<_>>().join(",")),
            Frequency::Index(1) => f.write_str("index"),
            Frequency::Index(n) => write!(f, "{n} index"),
            Frequency::Irregular => f.write_str("irregular"),
            Frequency::Months(n, anchor) => {
                if n != 1 {
                    write!(f, "{n} ")?;
                }
                match anchor {
                    MonthDay::Same => f.write_str("month"),
                    MonthDay::Day(day) => write!(f, "month@{day}"),
                    MonthDay::Last => f.write_str("month-end"),
                    MonthDay::FirstBusiness => f.write_str("business-month-start"),
                    MonthDay::LastBusiness => f.write_str("business-month-end"),
                }
            }
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
        let fail = || {
            DataError::Config {
            key: "frequency",
            value: format!("{text:?}"),
            expected:
                "a step such as \"15min\", \"1h\", \"1d\", \"7d\", \"business-day\", \"mon,wed,fri\", \"month\", \
                       \"month-end\", \"month@30\", \"business-month-end\", \"quarter\", \"year\", \"index\", or \
                       \"irregular\""
                    .into(),
        }
        };
        let trimmed = text.trim().to_ascii_lowercase();
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
        Ok(match unit.trim() {
            "us" => micros(1),
            "ms" => micros(1000),
            "s" | "sec" | "second" | "seconds" => micros(SECOND),
            "min" | "minute" | "minutes" => micros(MINUTE),
            "h" | "hour" | "hours" | "hourly" => micros(HOUR),
            "d" | "day" | "days" | "daily" => Frequency::Days(count),
            "w" | "week" | "weeks" | "weekly" => Frequency::Days(7 * count),
            "b" | "business-day" if count == 1 => Frequency::BUSINESS_DAYS,
            "month" | "months" | "monthly" => Frequency::Months(count, MonthDay::Same),
            "month-end" => Frequency::Months(count, MonthDay::Last),
            "month@29" => Frequency::Months(count, MonthDay::Day(29)),
            "month@30" => Frequency::Months(count, MonthDay::Day(30)),
            "month@31" => Frequency::Months(count, MonthDay::Last),
            "business-month-start" => Frequency::Months(count, MonthDay::FirstBusiness),
            "business-month-end" => Frequency::Months(count, MonthDay::LastBusiness),
            "quarter" | "quarters" | "quarterly" => Frequency::Months(3 * count, MonthDay::Same),
            "quarter-end" => Frequency::Months(3 * count, MonthDay::Last),
            "year" | "years" | "yearly" => Frequency::Months(12 * count, MonthDay::Same),
            "index" => Frequency::Index(count),
            "irregular" if digits.is_empty() => Frequency::Irregular,
            days if digits.is_empty() => {
                Frequency::Weekdays(Weekdays::parse(days).ok_or_else(fail)?)
            }
            _ => return Err(fail()),
        })
    }
}
