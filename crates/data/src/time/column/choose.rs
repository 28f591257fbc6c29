//! The choice among the readings that all cells allow.

use std::ops::Range;

use super::super::civil::{DAY, date_at, date_of, days_of};
use super::super::frequency::{Frequency, is_rare};
use super::super::order::Spacing;
use super::{Clock, TimeColumn, TwoReadings, Written};

impl TimeColumn {
    /// Position of the reading to take.
    pub(super) fn choose(
        &self,
        series: &[Range<usize>],
        doubts: &mut Vec<String>,
    ) -> Result<Option<usize>, TwoReadings> {
        if self.alive.len() < 2 {
            return Ok((!self.alive.is_empty()).then_some(0));
        }
        let position = |wanted: &Written| self.alive.iter().position(|(w, _)| w == wanted);
        // `2000-01, 2001-02, …` are no months: every one of them would be thirteen after the one before.
        if let Some(season) = position(&Written::Season)
            && self.differs.is_some()
        {
            return Ok(Some(season));
        }
        if !self.alive.iter().any(|(written, _)| written.is_number()) {
            return self.choose_order(series, doubts).map(Some);
        }
        let level = |i: usize| {
            let (written, values) = &self.alive[i];
            let clock = if *written == Written::Index { Clock::Index } else { Clock::Civil };
            regularity(values, series, &clock)
        };
        let hints = self.hints;
        let fits = |i: usize| {
            match &self.alive[i].0 {
                // Ten digits are seconds only where those are regular and hours are not.
                Written::CompactHour => {
                    level(i) > 0
                        || position(&Written::Epoch(1_000_000_000)).is_none_or(|e| level(e) == 0)
                }
                Written::YearMonth => {
                    !(hints.weeks && position(&Written::YearWeek).is_some())
                        && (hints.months || level(i) > 0)
                }
                Written::YearFirst | Written::MonthYear => {
                    !(hints.weeks && position(&Written::YearWeek).is_some())
                }
                Written::CompactDayFirst | Written::CompactMonthFirst => {
                    hints.dates && level(i) > 0
                }
                Written::CompactShort => hints.dates && !hints.months && level(i) > 0,
                Written::Ordinal => hints.dates || level(i) > 0,
                Written::YearWeek => hints.weeks || level(i) > 0,
                Written::MonthPoint => hints.months || level(i) > 0,
                Written::Year => {
                    hints.years || hints.dates || self.alive[i].1.iter().all(is_recent)
                }
                Written::DecimalYear => hints.years || level(i) > 0,
                Written::Spreadsheet => {
                    hints.dates || (position(&Written::Index).is_none() && level(i) > 0)
                }
                _ => true,
            }
        };
        let chosen = (0..self.alive.len()).find(|&i| fits(i)).unwrap_or(self.alive.len() - 1);
        let written = &self.alive[chosen].0;
        // The same digits as dates in another order, as regular: `010201`, or a month of 2001.
        let rival = match written {
            Written::CompactDayFirst => position(&Written::CompactMonthFirst),
            Written::YearMonth => position(&Written::CompactShort).filter(|&i| fits(i)),
            _ => None,
        };
        if let (Some(rival), Some((row, cell))) = (rival.filter(|&i| level(i) > 0), &self.differs) {
            return Err(self.two_readings(*row, cell, chosen, rival));
        }
        let cell = self.like.as_deref().unwrap_or_default();
        use Written::{Compact, Epoch, Index, Year, YearFirst};
        if !matches!(written, Index | Year | Compact | Epoch(_) | YearFirst) {
            let time = self.alive[chosen].1.first().map_or(String::new(), |&t| match written {
                Written::Seconds => Clock::Elapsed.show(t),
                _ => Clock::Civil.show(t),
            });
            doubts.push(format!("times such as `{cell}` are read as {}: {time}", written.name()));
        }
        Ok(Some(chosen))
    }

    /// Of several orders of day, month and year, the only one that gives regular steps.
    fn choose_order(
        &self,
        series: &[Range<usize>],
        doubts: &mut Vec<String>,
    ) -> Result<usize, TwoReadings> {
        let Some((row, cell)) = &self.differs else { return Ok(0) };
        let levels: Vec<u8> =
            self.alive.iter().map(|(_, times)| regularity(times, series, &Clock::Civil)).collect();
        let regular: Vec<usize> = (0..levels.len()).filter(|&i| levels[i] > 0).collect();
        let shown = |i: usize| self.shown(i, cell);
        // Points between day, month and year are written day first.
        let pointed = |i: usize| cell.contains('.') && self.alive[i].0 == Written::DayFirst;
        let regular = match (0..self.alive.len()).find(|&i| pointed(i)) {
            Some(day_first) if regular.is_empty() || regular.contains(&day_first) => {
                vec![day_first]
            }
            _ => regular,
        };
        match regular[..] {
            [only] => {
                doubts.push(format!(
                    "`{cell}` is read {}, as {}, by which the steps are regular",
                    self.alive[only].0.name(),
                    shown(only)
                ));
                Ok(only)
            }
            _ => {
                let among = if regular.len() > 1 { regular } else { (0..levels.len()).collect() };
                let other =
                    among.iter().find(|&&i| shown(i) != shown(among[0])).unwrap_or(&among[1]);
                Err(self.two_readings(*row, cell, among[0], *other))
            }
        }
    }

    /// The readings `first` and `second` of a cell.
    fn two_readings(&self, row: usize, cell: &str, first: usize, second: usize) -> TwoReadings {
        let [first, second] = [first, second].map(|i| self.shown(i, cell));
        TwoReadings { row, cell: cell.to_owned(), first, second }
    }

    /// A cell as reading `i` has it.
    fn shown(&self, i: usize, cell: &str) -> String {
        let parsed = self.alive[i].0.parse(cell.as_bytes());
        parsed.map_or(String::new(), |parsed| Clock::Civil.show(parsed.value))
    }
}

/// Whether a time is in the years from 1800 to 2200, which numbers mean even where no name says so.
fn is_recent(micros: &i64) -> bool {
    (-62_091 * DAY..84_371 * DAY).contains(micros)
}

/// How regular times are: 2 without an exception, 1 with a few gaps or odd rows, 0 not at all.
pub(super) fn regularity(times: &[i64], series: &[Range<usize>], clock: &Clock) -> u8 {
    const SERIES: usize = 50;
    const ROWS: usize = 20_000;
    let (mut odd, mut missing, mut rows) = (0, 0u64, 0);
    for range in series.iter().take(SERIES) {
        let mut own = times[range.start..range.end.min(range.start + ROWS)].to_vec();
        let falls = own.windows(2).filter(|w| w[1] < w[0]).count();
        let rises = own.windows(2).filter(|w| w[1] > w[0]).count();
        if falls > 0 && rises > 0 && falls.min(rises) * 20 > own.len() {
            return 0; // in no order at all
        }
        own.sort_unstable();
        own.dedup();
        if own.len() < 2 {
            continue;
        }
        let frequency = Frequency::infer(&own, clock);
        let spacing = Spacing::of(&own, frequency, clock);
        odd += frequency.odd_rows(&own, clock).len().max(spacing.off_grid().div_ceil(2));
        missing = missing.saturating_add(spacing.missing());
        rows += own.len();
        if frequency == Frequency::Irregular || spacing.changes() {
            return 0;
        }
    }
    match (odd, missing) {
        (0, 0) => 2,
        _ if is_rare(odd, rows) && missing.saturating_mul(10) <= rows as u64 => 1,
        _ => 0,
    }
}

/// Millionths of years as times: the first of a month, or where those do not fit, days.
pub(super) fn decimal_years(values: &[i64], series: &[Range<usize>]) -> Vec<i64> {
    const YEAR: i64 = 1_000_000;
    let months = |value: i64| {
        // Two decimals of a month's start fall short of it by up to a twentieth of a month.
        let month = (value.rem_euclid(YEAR) as f64 * 12.0 / YEAR as f64 + 0.06).floor() as i64;
        let date = date_of(value.div_euclid(YEAR), month.min(11) + 1, 1);
        date.map_or(0, |date| days_of(date) * DAY)
    };
    let days = |value: i64| {
        let start = date_of(value.div_euclid(YEAR), 1, 1).map_or(0, days_of);
        let length = f64::from(date_at(start).days_in_year());
        (start + (value.rem_euclid(YEAR) as f64 * length / YEAR as f64 + 0.1).floor() as i64) * DAY
    };
    let monthly: Vec<i64> = values.iter().map(|&value| months(value)).collect();
    let distinct =
        monthly.windows(2).zip(values.windows(2)).all(|(m, v)| m[0] != m[1] || v[0] == v[1]);
    match distinct && regularity(&monthly, series, &Clock::Civil) > 0 {
        true => monthly,
        false => values.iter().map(|&value| days(value)).collect(),
    }
}
