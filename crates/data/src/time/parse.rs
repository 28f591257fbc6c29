//! Text → time. The way a column is written is found from the column as a whole, never cell by cell.

mod digits;
mod names;
mod scan;
#[cfg(test)]
mod tests;
mod words;
mod years;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use self::digits::{
    compact, decimal, digits_of_date, epoch, ordinal, six_digits, spreadsheet, whole,
};
use self::names::in_english;
use self::scan::{Scan, numeric};
use self::words::{NAMED, basic, pattern, period, week};
use self::years::{season, year_and_week};
use super::civil::{DAY, HOUR, MINUTE, SECOND, days_at};

/// A way to write times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Written {
    /// `2012-01-31`, `2012/1/31 9:30`, `2012-01-31T09:30:00.25+01:00`, `2012-01`
    YearFirst,
    /// `31.01.2012`, `31/1/2012 9:30`, `31.1.12`
    DayFirst,
    /// `1/31/2012 9:30 PM`, `1/31/12`
    MonthFirst,
    /// `12-01-31`
    ShortYearFirst,
    /// `20120131`, `201201310930`, `20120131093000`
    Compact,
    /// `31012012`
    CompactDayFirst,
    /// `01312012`
    CompactMonthFirst,
    /// `120131`
    CompactShort,
    /// `2012-031`, `2012031`: a year and a day of it
    Ordinal,
    /// `2012013109`
    CompactHour,
    /// `201201`, `2012.01`
    YearMonth,
    /// `201205`, `2012-05`, `05/2012`: the fifth ISO week
    YearWeek,
    /// `2012`, `2012.0`
    Year,
    /// `2012/13`, `2012-2013`: the year in which it begins
    Season,
    /// `2012.0833`, `2012`; the value is a millionth of a year until the column is complete.
    DecimalYear,
    /// `01/2012`, `1-2012`
    MonthYear,
    /// `01.2012`
    MonthPoint,
    /// `2012Q1`, `2012-Q1`, `Q1 2012`, `2012M01`, `2012H1`
    Period,
    /// `2012-W05`, `2012W05`, `2012-W05-1`
    IsoWeek,
    /// The begin of spans such as `01.02.2012 00:00 - 01.02.2012 01:00`, and the form of both ends.
    Span(Box<Written>),
    /// Month by name, in one of [`NAMED`].
    Named(usize),
    /// Seconds (1), milliseconds, microseconds or nanoseconds since 1970; the unit in nanoseconds.
    Epoch(i64),
    /// Days since 1899-12-30, as spreadsheets count them, with a fraction for the time of day.
    Spreadsheet,
    /// Decimal seconds from a start of the table's own.
    Seconds,
    /// Any integer: a row number. Below 2^62, so that differences stay in range.
    Index,
    /// The caller's own `strftime` pattern.
    Pattern(String),
}

/// Years that a number can mean.
const YEARS: RangeInclusive<i64> = 1500..=2500;

/// 1000-01-01.
const YEAR_1000: i64 = -354_285 * DAY;

/// A parsed time: microseconds since 1970 (or the index), and its offset from UTC if it carried one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) value: i64,
    /// Microseconds east of UTC.
    pub(crate) offset: Option<i64>,
}

impl Parsed {
    fn naive(value: i64) -> Parsed {
        Parsed { value, offset: None }
    }
}

impl Written {
    /// Every way `cell` can be read, most likely first.
    pub(crate) fn candidates(cell: &str) -> Vec<Written> {
        use Written::*;
        const MILLI: i64 = 1_000_000;
        let mut all = vec![
            YearFirst,
            DayFirst,
            MonthFirst,
            ShortYearFirst,
            MonthYear,
            Season,
            Period,
            IsoWeek,
            Compact,
            CompactHour,
            CompactDayFirst,
            CompactMonthFirst,
            Ordinal,
        ];
        all.extend([MonthPoint, YearMonth, CompactShort, YearWeek, Year, DecimalYear, Spreadsheet]);
        all.extend([Epoch(1_000_000_000), Epoch(MILLI), Epoch(1000), Epoch(1), Index, Seconds]);
        all.extend((0..NAMED.len()).map(Named));
        all.retain(|w| w.parse(cell.as_bytes()).is_some());
        if all.is_empty()
            && let Some((begin, _)) = halves(cell)
        {
            let ends = Written::candidates(begin).into_iter().filter(Written::is_explicit);
            all.extend(ends.map(|end| Span(Box::new(end))));
            all.retain(|w| w.parse(cell.as_bytes()).is_some());
        }
        all
    }

    /// Whether this form is a date by its look, not a bare number.
    pub(crate) fn is_explicit(&self) -> bool {
        !self.is_number()
    }

    /// Whether this form is a bare number.
    pub(crate) fn is_number(&self) -> bool {
        use Written::*;
        matches!(
            self,
            Compact
                | CompactHour
                | CompactDayFirst
                | CompactMonthFirst
                | CompactShort
                | Ordinal
                | MonthPoint
                | YearMonth
                | YearWeek
                | Year
                | DecimalYear
                | Epoch(_)
                | Spreadsheet
                | Seconds
                | Index
        )
    }

    /// In words, for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Written::YearFirst => "year first".into(),
            Written::DayFirst => "day first".into(),
            Written::MonthFirst => "month first".into(),
            Written::ShortYearFirst => "year first, in two digits".into(),
            Written::Compact => "digits of a date".into(),
            Written::CompactHour => "digits of a date and an hour".into(),
            Written::CompactDayFirst => "digits of a date, day first".into(),
            Written::CompactMonthFirst => "digits of a date, month first".into(),
            Written::CompactShort => "digits of a date, year first, in two digits".into(),
            Written::Ordinal => "year and day of the year".into(),
            Written::YearMonth => "year and month".into(),
            Written::YearWeek => "year and ISO week".into(),
            Written::Year => "years".into(),
            Written::Season => "years of a season, by the first".into(),
            Written::DecimalYear => "decimal years".into(),
            Written::MonthYear | Written::MonthPoint => "month and year".into(),
            Written::Period => "quarters, months or half-years".into(),
            Written::IsoWeek => "ISO weeks".into(),
            Written::Span(end) => format!("spans by their begin, {}", end.name()),
            Written::Named(form) => format!("`{}`", NAMED[*form]),
            Written::Epoch(nanos) => match nanos {
                1_000_000_000 => "seconds since 1970".into(),
                1_000_000 => "milliseconds since 1970".into(),
                1000 => "microseconds since 1970".into(),
                _ => "nanoseconds since 1970".into(),
            },
            Written::Spreadsheet => "days since 1899-12-30, as spreadsheets count them".into(),
            Written::Seconds => "decimal seconds".into(),
            Written::Index => "row numbers".into(),
            Written::Pattern(text) => format!("`{text}`"),
        }
    }

    #[inline]
    pub(crate) fn parse(&self, cell: &[u8]) -> Option<Parsed> {
        let cell = cell.trim_ascii();
        if matches!(self, Written::YearFirst)
            && let Some(parsed) = usual(cell)
        {
            return Some(parsed);
        }
        self.parse_any(cell)
    }

    /// As [`Written::parse`], with months of other languages and days of the week before a date.
    #[inline(never)]
    fn parse_any(&self, cell: &[u8]) -> Option<Parsed> {
        self.parse_english(cell).or_else(|| self.parse_english(in_english(cell)?.as_bytes()))
    }

    fn parse_english(&self, cell: &[u8]) -> Option<Parsed> {
        match self {
            Written::YearFirst => basic(cell).or_else(|| {
                numeric(cell, |s| {
                    let year = s.digits(4, 4)?;
                    let separator = s.one_of(b"-/.")?;
                    let month = s.digits(1, 2)?;
                    let day = match s.skip(separator) {
                        true => s.digits(1, 2)?,
                        false if separator == b'.' => return None, // `1391.7` is a number
                        false => 1,
                    };
                    Some((year, month, day))
                })
            }),
            Written::DayFirst => numeric(cell, |s| {
                let (day, month, year) = s.three()?;
                Some((year, month, day))
            }),
            Written::MonthFirst => numeric(cell, |s| {
                let (month, day, year) = s.three()?;
                Some((year, month, day))
            }),
            Written::ShortYearFirst => numeric(cell, |s| {
                let year = short_year(s.digits(2, 2)?);
                let separator = s.one_of(b"/.-")?;
                let month = s.digits(1, 2)?;
                let day = if s.skip(separator) { s.digits(1, 2)? } else { return None };
                Some((year, month, day))
            }),
            Written::Compact | Written::CompactHour => compact(cell).filter(|_| {
                (whole(cell).is_some_and(|(_, digits)| digits == 10))
                    == (*self == Written::CompactHour)
            }),
            Written::CompactDayFirst | Written::CompactMonthFirst | Written::CompactShort => {
                digits_of_date(cell, self)
            }
            Written::Ordinal => ordinal(cell),
            Written::YearMonth => {
                let (year, month) = six_digits(cell)?;
                at_midnight(year, month, 1)
            }
            Written::YearWeek => year_and_week(cell),
            Written::Year => {
                let (year, _) =
                    whole(cell).filter(|(year, length)| *length == 4 && YEARS.contains(year))?;
                at_midnight(year, 1, 1)
            }
            Written::Season => season(cell),
            Written::DecimalYear => {
                let (year, millionths, _) =
                    decimal(cell).filter(|(year, ..)| YEARS.contains(year))?;
                Some(Parsed::naive(year * 1_000_000 + millionths))
            }
            Written::MonthYear => {
                let mut s = Scan { rest: cell };
                let month = s.digits(1, 2)?;
                s.one_of(b"/-")?;
                let year = s.digits(4, 4)?;
                s.rest.is_empty().then(|| at_midnight(year, month, 1))?
            }
            Written::MonthPoint => {
                let mut s = Scan { rest: cell };
                let month = s.digits(2, 2)?;
                s.one_of(b".")?;
                let year = s.digits(4, 4).filter(|year| (1800..=2200).contains(year))?;
                s.rest.is_empty().then(|| at_midnight(year, month, 1))?
            }
            Written::Period => period(cell),
            Written::IsoWeek => week(cell),
            Written::Span(end) => {
                let (begin, rest) = halves(std::str::from_utf8(cell).ok()?)?;
                let (begin, last) = (end.parse(begin.as_bytes())?, end.parse(rest.as_bytes())?);
                (begin.value < last.value && begin.offset.is_some() == last.offset.is_some())
                    .then_some(begin)
            }
            Written::Named(_) if !cell.iter().any(u8::is_ascii_alphabetic) => None, // no month's name
            Written::Named(form) => pattern(NAMED[*form], cell)
                .or_else(|| pattern(&NAMED[*form].replace("%b", "%B"), cell))
                .filter(|parsed| parsed.value >= YEAR_1000), // `%d %Y` reads "2012" as day 20 of year 12
            Written::Epoch(nanos) => epoch(cell, *nanos),
            Written::Spreadsheet => spreadsheet(cell),
            Written::Seconds => {
                let (seconds, millionths, _) = decimal(cell)?;
                let value = seconds.checked_abs()?.checked_mul(SECOND).filter(|v| *v < 1 << 61)?
                    + millionths;
                Some(Parsed::naive(if cell.first() == Some(&b'-') { -value } else { value }))
            }
            Written::Index => {
                let (value, _) = whole(cell)?;
                (value.unsigned_abs() < 1 << 62).then_some(Parsed::naive(value))
            }
            Written::Pattern(text) => pattern(text, cell),
        }
    }
}

/// The two ends of a span.
fn halves(cell: &str) -> Option<(&str, &str)> {
    [" - ", " – ", " to "].iter().find_map(|between| {
        let (begin, end) = cell.split_once(between)?;
        (!end.contains(between)).then_some((begin, end))
    })
}

/// The year of a column whose years have two digits: 1941 to 2040.
fn short_year(two: i64) -> i64 {
    if two <= 40 { 2000 + two } else { 1900 + two }
}

/// `2012-01-31`, `2012/1/31 9:30`, `2012-01-31T09:30:15`: the forms of most files, read in one pass. `None` for
/// all else, which [`numeric`] judges.
#[inline]
fn usual(cell: &[u8]) -> Option<Parsed> {
    let digit = |byte: &u8| i64::from(byte.wrapping_sub(b'0'));
    let [a, b, c, d, separator @ (b'-' | b'/'), rest @ ..] = cell else { return None };
    let year = [a, b, c, d].map(digit);
    let (month, rest) = one_or_two(rest)?;
    let [again, rest @ ..] = rest else { return None };
    let (day, rest) = one_or_two(rest)?;
    let year_is_digits = year.iter().all(|digit| *digit < 10);
    if again != separator || !year_is_digits || year[0] == 0 {
        return None;
    }
    let year = year[0] * 1000 + year[1] * 100 + year[2] * 10 + year[3];
    let mut parsed = at_midnight(year, month, day)?;
    if rest.is_empty() {
        return Some(parsed);
    }
    let [b' ' | b'T', rest @ ..] = rest else { return None };
    let (hour, rest) = one_or_two(rest)?;
    let two = |a: &u8, b: &u8| {
        let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
        (a < 10 && b < 10).then_some(i64::from(a) * 10 + i64::from(b))
    };
    let (minute, second) = match rest {
        [b':', a, b] => (two(a, b)?, 0),
        [b':', a, b, b':', c, d] => (two(a, b)?, two(c, d)?),
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    parsed.value += hour * HOUR + minute * MINUTE + second * SECOND;
    Some(parsed)
}

/// A number of one or two digits, and what follows them.
#[inline]
fn one_or_two(text: &[u8]) -> Option<(i64, &[u8])> {
    let [first, rest @ ..] = text else { return None };
    let first = i64::from(first.wrapping_sub(b'0'));
    if first > 9 {
        return None;
    }
    match rest {
        [second @ b'0'..=b'9', rest @ ..] => Some((first * 10 + i64::from(second - b'0'), rest)),
        _ => Some((first, rest)),
    }
}

fn at_midnight(year: i64, month: i64, day: i64) -> Option<Parsed> {
    Some(Parsed::naive(days_at(year, month, day)? * DAY))
}
