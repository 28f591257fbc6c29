//! jiff's calendar in days and microseconds since 1970-01-01, and weeks in which only some days count.

use jiff::SignedDuration;
use jiff::civil::Date;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// `None` for a date that does not exist, or a year outside 1..=9999.
#[inline]
pub(crate) fn date_of(year: i64, month: i64, day: i64) -> Option<Date> {
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(i16::try_from(year).ok().filter(|y| (1..=9999).contains(y))?, month, day).ok()
}

/// Days from 1970-01-01 to a date by its parts, as [`date_of`] and [`days_of`] give them: the years of a cycle of 400
/// begin with March, so that the day that a leap year adds is the last of its year.
#[inline]
pub(crate) fn days_at(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    };
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1; // the months from March on have 31, 30, 31, 30, 31 days
    Some(365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468)
}

/// Days since 1970-01-01.
#[inline]
pub(crate) fn days_of(date: Date) -> i64 {
    date.duration_since(EPOCH).as_secs() / (24 * 3600)
}

/// The date `days` after 1970-01-01; the calendar's first or last where that lies outside.
pub(crate) fn date_at(days: i64) -> Date {
    EPOCH.saturating_add(SignedDuration::from_hours(24 * days.clamp(-5_000_000, 5_000_000)))
}

/// Months since year 0.
pub(crate) fn months_of(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// The date `day` of the month counted since year 0, moved back to the month's end where the month is shorter.
pub(crate) fn in_month(months: i64, day: i8) -> Date {
    let year = months.div_euclid(12).clamp(-9998, 9999) as i16;
    let first = jiff::civil::date(year, months.rem_euclid(12) as i8 + 1, 1);
    jiff::civil::date(year, first.month(), day.clamp(1, first.days_in_month()))
}

/// Monday 0 to Sunday 6.
pub(crate) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Splits microseconds into days and the time within the day.
pub(crate) fn split_day(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}

/// Days of the week on which rows come; bit 0 is Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    pub(crate) const MONDAY_TO_FRIDAY: Weekdays = Weekdays(0b001_1111);

    /// `None` without a single day.
    pub(crate) fn new(has: impl Fn(i64) -> bool) -> Option<Weekdays> {
        let bits = (0..7).filter(|&day| has(day)).fold(0, |bits, day| bits | 1 << day);
        (bits != 0).then_some(Weekdays(bits))
    }

    pub(crate) fn has(self, days: i64) -> bool {
        self.0 >> weekday(days) & 1 == 1
    }

    pub(crate) fn per_week(self) -> i64 {
        i64::from(self.0.count_ones())
    }

    /// Days of these before `days`, up to a constant: differences count them.
    pub(crate) fn index(self, days: i64) -> i64 {
        let before = self.0 & ((1 << weekday(days)) - 1);
        (days + 3).div_euclid(7) * self.per_week() + i64::from(before.count_ones())
    }

    /// The inverse of [`Weekdays::index`] on these days.
    pub(crate) fn at(self, index: i64) -> i64 {
        let (week, rank) = (index.div_euclid(self.per_week()), index.rem_euclid(self.per_week()));
        let mut left = rank;
        let day = (0..7).find(|day| {
            let counts = self.0 >> day & 1 == 1;
            left -= i64::from(counts);
            counts && left < 0
        });
        week.saturating_mul(7).saturating_add(day.unwrap_or(0)) - 3
    }

    /// The day `steps` of these after `days`; from a day between them, the first step leads to the next.
    pub(crate) fn advance(self, days: i64, steps: i64) -> i64 {
        let between = i64::from(!self.has(days) && steps > 0);
        self.at(self.index(days).saturating_add(steps) - between)
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(day, _)| self.0 >> day & 1 == 1)
            .map(|(_, name)| name)
    }

    /// `"sun,mon,tue"`; `None` for another word.
    pub(crate) fn parse(text: &str) -> Option<Weekdays> {
        let days: Option<Vec<usize>> = text
            .split(',')
            .map(|name| NAMES.iter().position(|known| *known == name.trim()))
            .collect();
        let days = days?;
        Weekdays::new(|day| days.contains(&(day as usize)))
    }
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: days and dates are inverse.
        #[test]
        fn days_and_dates_are_inverse(day in -719_162i64..2_932_896) {
            let date = date_at(day);
            prop_assert_eq!(days_of(date), day);
            let parts = (date.year().into(), date.month().into(), date.day().into());
            prop_assert_eq!(days_at(parts.0, parts.1, parts.2), Some(day));
            prop_assert_eq!(weekday(day), i64::from(date.weekday().to_monday_zero_offset()));
            prop_assert_eq!(in_month(months_of(date), date.day()), date);
        }

        /// Oracle: jiff's calendar.
        #[test]
        fn only_dates_that_exist_have_days(year in -2_i64..10_002, month in -1_i64..15, day in -1_i64..34) {
            prop_assert_eq!(days_at(year, month, day), date_of(year, month, day).map(days_of));
        }

        /// Oracle: counting the days of the week one by one.
        #[test]
        fn days_of_the_week_are_counted(bits in 1u8..128, start in -800_000i64..800_000, length in 0i64..60) {
            let week = Weekdays(bits);
            let counted = (start..start + length).filter(|&day| week.has(day)).count() as i64;
            prop_assert_eq!(week.index(start + length) - week.index(start), counted);
            if week.has(start) {
                prop_assert_eq!(week.at(week.index(start)), start);
            }
            let next = (start + 1..).find(|&day| week.has(day)).unwrap();
            prop_assert_eq!(week.advance(start, 1), next);
        }
    }
}
