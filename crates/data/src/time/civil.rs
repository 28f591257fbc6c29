//! Calendar arithmetic on microseconds since 1970-01-01T00:00, proleptic Gregorian.
//!
//! Reference: H. Hinnant, "chrono-compatible low-level date algorithms" (2013), `days_from_civil`.

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl Date {
    /// `None` for a date that does not exist, or a year outside 1..=9999.
    pub(crate) fn new(year: i64, month: u8, day: u8) -> Option<Date> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i64::from(self.month);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The inverse of [`Date::days`].
    pub(crate) fn from_days(days: i64) -> Date {
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let shifted = (5 * doy + 2) / 153;
        let day = (doy - (153 * shifted + 2) / 5 + 1) as u8;
        let month = (if shifted < 10 { shifted + 3 } else { shifted - 9 }) as u8;
        Date { year: yoe + era * 400 + i64::from(month <= 2), month, day }
    }

    /// Months since year 0.
    pub(crate) fn months(self) -> i64 {
        self.year * 12 + i64::from(self.month) - 1
    }

    /// The date `day` of the month counted since year 0, moved back to the month's end where it is shorter.
    pub(crate) fn in_month(months: i64, day: u8) -> Date {
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u8 + 1);
        Date { year, month, day: day.min(days_in_month(year, month)) }
    }

    pub(crate) fn is_month_end(self) -> bool {
        self.day == days_in_month(self.year, self.month)
    }

    /// One-based day of the year.
    pub(crate) fn day_of_year(self) -> i64 {
        self.days() - Date { year: self.year, month: 1, day: 1 }.days() + 1
    }
}

pub(crate) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Monday 0 to Sunday 6.
pub(crate) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Weekdays (Monday to Friday) in `[0001-01-01, days)` up to a constant: differences count business days.
pub(crate) fn business_index(days: i64) -> i64 {
    let since_monday = days + 3; // 1969-12-29 was a Monday
    since_monday.div_euclid(7) * 5 + since_monday.rem_euclid(7).min(5)
}

/// The inverse of [`business_index`] on weekdays.
pub(crate) fn from_business_index(index: i64) -> i64 {
    index.div_euclid(5) * 7 + index.rem_euclid(5) - 3
}

/// Splits microseconds into days and the time within the day.
pub(crate) fn split_day(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Oracle: jiff's calendar.
        #[test]
        fn dates_agree_with_jiff(year in 1i16..=9999, month in 1i8..=12, day in 1i8..=31) {
            let theirs = jiff::civil::Date::new(year, month, day).ok();
            let ours = Date::new(i64::from(year), month as u8, day as u8);
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let epoch = jiff::civil::date(1970, 1, 1);
                prop_assert_eq!(ours.days(), i64::from(theirs.since(epoch).unwrap().get_days()));
                prop_assert_eq!(Date::from_days(ours.days()), ours);
                prop_assert_eq!(weekday(ours.days()), i64::from(theirs.weekday().to_monday_zero_offset()));
                prop_assert_eq!(ours.day_of_year(), i64::from(theirs.day_of_year()));
                prop_assert_eq!(ours.is_month_end(), theirs == theirs.last_of_month());
            }
        }

        /// Oracle: counting weekdays one by one.
        #[test]
        fn business_days_are_counted(start in -800_000i64..800_000, length in 0i64..60) {
            let counted = (start..start + length).filter(|&d| weekday(d) < 5).count() as i64;
            prop_assert_eq!(business_index(start + length) - business_index(start), counted);
            if weekday(start) < 5 {
                prop_assert_eq!(from_business_index(business_index(start)), start);
            }
        }
    }
}
