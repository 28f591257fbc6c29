//! Time: how it is written, how rows are spaced, and what is wrong with it.

pub(crate) mod civil;
pub(crate) mod column;
mod frequency;
pub(crate) mod order;
pub(crate) mod parse;
mod written;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use civil::Weekdays;
pub use frequency::{Frequency, MonthDay};
pub use written::WrittenTime;

use crate::error::DataError;
use civil::{DAY, date_at, split_day};

/// The unit and origin of time values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Clock {
    /// Row numbers.
    Index,
    /// Microseconds from a start of the table's own, shown as decimal seconds.
    Elapsed,
    /// Microseconds of clock time since 1970 with no zone: every day has 24 hours.
    Civil,
    /// Microseconds since 1970 in UTC, shown in a zone.
    Zoned(TimeZone),
}

impl Clock {
    pub(crate) fn in_zone(name: &str) -> Result<Clock, DataError> {
        TimeZone::get(name).map(Clock::Zoned).map_err(|_| DataError::Config {
            key: "time_zone",
            value: format!("{name:?}"),
            expected: "an IANA time zone such as \"Europe/Berlin\" or \"UTC\"".into(),
        })
    }

    /// Whether a time has a date.
    pub(crate) fn is_dated(&self) -> bool {
        !matches!(self, Clock::Index | Clock::Elapsed)
    }

    /// The name of the zone that times are shown in, or its offset from UTC, such as `+01:00`.
    pub(crate) fn zone_name(&self) -> Option<String> {
        let Clock::Zoned(zone) = self else { return None };
        Some(match (zone.iana_name(), zone.to_fixed_offset()) {
            (Some(name), _) => name.to_owned(),
            (None, Ok(offset)) => {
                let minutes = offset.seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            (None, Err(_)) => "UTC".to_owned(),
        })
    }

    /// Clock time of an instant.
    pub(crate) fn to_civil(&self, time: i64) -> i64 {
        match self {
            Clock::Zoned(zone) => Timestamp::from_microsecond(time)
                .map_or(time, |t| time + i64::from(zone.to_offset(t).seconds()) * civil::SECOND),
            _ => time,
        }
    }

    /// The instant of a clock time; the earlier of two, and the time after a gap in a gap.
    pub(crate) fn instant_of(&self, time: i64) -> i64 {
        match self {
            Clock::Zoned(zone) => to_instant(zone, time, None).unwrap_or(time),
            _ => time,
        }
    }

    /// As a forecast file writes it; midnight as a date alone.
    pub(crate) fn show(&self, time: i64) -> String {
        self.show_with(time, false)
    }

    /// As [`Clock::show`], at midnight too with the time of day if `clock_time`.
    pub(crate) fn show_with(&self, time: i64, clock_time: bool) -> String {
        match self {
            Clock::Index => return time.to_string(),
            Clock::Elapsed => {
                let sign = if time < 0 { "-" } else { "" };
                let (seconds, micros) = (time.abs() / civil::SECOND, time.abs() % civil::SECOND);
                let text = format!("{sign}{seconds}.{micros:06}");
                return text.trim_end_matches('0').trim_end_matches('.').to_owned();
            }
            Clock::Civil | Clock::Zoned(_) => {}
        }
        let (day, within) = split_day(self.to_civil(time));
        let date = date_at(day);
        let mut text = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
        let zoned = match self {
            Clock::Zoned(zone) => Timestamp::from_microsecond(time).ok().map(|t| zone.to_offset(t)),
            _ => None,
        };
        if clock_time || within != 0 || zoned.is_some() {
            let (seconds, micros) = (within / civil::SECOND, within % civil::SECOND);
            let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            text += &format!(" {h:02}:{m:02}:{s:02}");
            if micros != 0 {
                text += &format!(".{micros:06}");
            }
        }
        if let Some(offset) = zoned {
            let minutes = offset.seconds() / 60;
            let sign = if minutes < 0 { '-' } else { '+' };
            text += &format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        }
        text
    }
}

/// The instant of a clock time in `zone`. In the hour that comes twice, `after` (the instant of the row
/// before) picks the later one when the earlier would not lie after it.
pub(crate) fn to_instant(zone: &TimeZone, civil_micros: i64, after: Option<i64>) -> Option<i64> {
    let (day, within) = split_day(civil_micros);
    let time = date_at(day).at(
        (within / civil::HOUR) as i8,
        (within / civil::MINUTE % 60) as i8,
        (within / civil::SECOND % 60) as i8,
        (within % civil::SECOND * 1000) as i32,
    );
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let fold = matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Fold { .. });
    if fold {
        let earlier = ambiguous.earlier().ok()?.as_microsecond();
        let later = ambiguous.later().ok()?.as_microsecond();
        return Some(if after.is_some_and(|a| a >= earlier) { later } else { earlier });
    }
    Some(ambiguous.compatible().ok()?.as_microsecond())
}

/// The instants of clock times in `zone`, in place. The hour that comes twice is told apart by the place of
/// its rows, in a table that runs backwards too.
pub(crate) fn to_instants(zone: &TimeZone, times: &mut [i64]) {
    let falls = times.windows(2).filter(|w| w[1] < w[0]).count();
    let rises = times.windows(2).filter(|w| w[1] > w[0]).count();
    let backwards = falls > rises;
    let mut before = None;
    let mut convert = |time: &mut i64| {
        *time = to_instant(zone, *time, before).unwrap_or(*time);
        before = Some(*time);
    };
    match backwards {
        true => times.iter_mut().rev().for_each(&mut convert),
        false => times.iter_mut().for_each(&mut convert),
    }
}

/// The times of a series' rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Timeline {
    /// Every row one step after the row before: nothing stored per row.
    Grid { start: i64, frequency: Frequency },
    /// One time per row.
    Listed(Vec<i64>),
}

impl Timeline {
    /// The time of row `row` of the series.
    pub(crate) fn at(&self, row: usize, clock: &Clock) -> Option<i64> {
        match self {
            Timeline::Grid { start, frequency } => {
                Some(frequency.advance(*start, row as i64, clock))
            }
            Timeline::Listed(times) => times.get(row).copied(),
        }
    }

    /// Rows with a time before `moment`, of `rows` rows.
    pub(crate) fn rows_before(&self, moment: i64, rows: usize, clock: &Clock) -> usize {
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle, clock).is_some_and(|t| t < moment) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The time `steps` rows after the last of `rows` rows.
    pub(crate) fn beyond(
        &self,
        rows: usize,
        steps: usize,
        frequency: Frequency,
        clock: &Clock,
    ) -> i64 {
        let last = rows.checked_sub(1).and_then(|r| self.at(r, clock)).unwrap_or(0);
        if let (Frequency::Irregular, Timeline::Listed(times)) = (frequency, self) {
            let mut gaps: Vec<i64> = times.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
            gaps.sort_unstable();
            let typical = gaps.get(gaps.len() / 2).copied().unwrap_or(DAY);
            return last.saturating_add(typical.saturating_mul(steps as i64));
        }
        frequency.advance(last, steps as i64, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_that_comes_twice_is_told_by_its_order() {
        let Clock::Zoned(zone) = Clock::in_zone("Europe/Berlin").unwrap() else { panic!() };
        // 2012-10-28: 02:30 comes twice.
        let civil = 15_641 * DAY + 2 * civil::HOUR + 30 * civil::MINUTE;
        let first = to_instant(&zone, civil, None).unwrap();
        let second = to_instant(&zone, civil, Some(first)).unwrap();
        assert_eq!(second - first, civil::HOUR);
        let mut newest_first = [civil + civil::HOUR, civil, civil, civil - civil::HOUR];
        to_instants(&zone, &mut newest_first);
        assert!(newest_first.windows(2).all(|w| w[0] - w[1] == civil::HOUR), "{newest_first:?}");
        let clock = Clock::Zoned(zone);
        assert_eq!(clock.show(first), "2012-10-28 02:30:00+02:00");
        assert_eq!(clock.show(second), "2012-10-28 02:30:00+01:00");
    }

    #[test]
    fn decimal_seconds_are_shown_as_such() {
        let shown = [6_000_000, -10_000, 0, 5_990_000].map(|time| Clock::Elapsed.show(time));
        assert_eq!(shown, ["6", "-0.01", "0", "5.99"]);
    }

    #[test]
    fn times_beyond_the_data_follow_the_step() {
        let (frequency, clock) = ("month-end".parse().unwrap(), Clock::Civil);
        let grid = Timeline::Grid { start: 15_340 * DAY, frequency };
        // 2012-01-01 is no month end; the grid snaps to ends from the first step on.
        assert_eq!(clock.show(grid.beyond(1, 1, frequency, &clock)), "2012-02-29");
        let listed = Timeline::Listed(vec![0, DAY, 3 * DAY, 4 * DAY]);
        assert_eq!(listed.beyond(4, 2, Frequency::Irregular, &clock), 6 * DAY);
    }
}
