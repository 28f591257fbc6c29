//! Text → time. The way a column is written is found from the column as a whole, never cell by cell.

mod digits;
mod scan;

use jiff::civil::{ISOWeekDate, Weekday};
use serde::{Deserialize, Serialize};

use self::digits::{compact, decimal, epoch, six_digits, spreadsheet, whole};
use self::scan::{Scan, numeric};
use super::civil::{DAY, HOUR, MINUTE, SECOND, date_at, date_of, days_of};

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
    /// `2012013109`
    CompactHour,
    /// `201201`, `2012.01`
    YearMonth,
    /// `201205`: the fifth ISO week
    YearWeek,
    /// `2012`, `2012.0`
    Year,
    /// `2012.0833`; the value is a millionth of a year until the column is complete.
    DecimalYear,
    /// `01/2012`, `1-2012`
    MonthYear,
    /// `2012Q1`, `2012-Q1`, `Q1 2012`, `2012M01`, `2012H1`
    Period,
    /// `2012-W05`, `2012W05`, `2012-W05-1`
    IsoWeek,
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

/// Forms with a month's name, short or in full, tried in this order. Stored models hold positions in this
/// list: new forms go to its end.
const NAMED: [&str; 29] = [
    "%d %b %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%d %b %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d-%b-%Y %H:%M",
    "%d-%b-%Y %H:%M:%S",
    "%b %d, %Y %H:%M",
    "%a, %d %b %Y %H:%M:%S %z",
    "%b %Y",
    "%b-%Y",
    "%Y %b",
    "%Y-%b",
    "%Y-%b-%d",
    "%b-%y",
    "%b %y",
    "%b/%Y",
    "%b/%y",
    "%b. %Y",
    "%b.%Y",
    "%d-%b-%y",
    "%d %b %y",
    "%d/%b/%y",
    "%d.%b.%Y",
    "%b-%d-%Y",
    "%Y%b",
    "%y-%b",
];

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
            Period,
            IsoWeek,
            Compact,
            CompactHour,
        ];
        all.extend([YearMonth, YearWeek, Year, DecimalYear, Spreadsheet]);
        all.extend([Epoch(1_000_000_000), Epoch(MILLI), Epoch(1000), Epoch(1), Index, Seconds]);
        all.extend((0..NAMED.len()).map(Named));
        all.retain(|w| w.parse(cell.as_bytes()).is_some());
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
            Written::YearMonth => "year and month".into(),
            Written::YearWeek => "year and ISO week".into(),
            Written::Year => "years".into(),
            Written::DecimalYear => "decimal years".into(),
            Written::MonthYear => "month and year".into(),
            Written::Period => "quarters, months or half-years".into(),
            Written::IsoWeek => "ISO weeks".into(),
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

    #[inline(never)]
    fn parse_any(&self, cell: &[u8]) -> Option<Parsed> {
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
            Written::Compact | Written::CompactHour => {
                compact(cell).filter(|_| (cell.len() == 10) == (*self == Written::CompactHour))
            }
            Written::YearMonth => {
                let (year, month) = six_digits(cell)?;
                at_midnight(year, month, 1)
            }
            Written::YearWeek => {
                let (year, week) = six_digits(cell).filter(|_| cell.len() == 6)?;
                iso_week(year, week, 1)
            }
            Written::Year => {
                let (year, _) = whole(cell)
                    .filter(|(year, length)| *length == 4 && (1800..=2200).contains(year))?;
                at_midnight(year, 1, 1)
            }
            Written::DecimalYear => {
                let (year, millionths, digits) = decimal(cell)?;
                (digits > 0 && (1500..=2500).contains(&year))
                    .then(|| Parsed::naive(year * 1_000_000 + millionths))
            }
            Written::MonthYear => {
                let mut s = Scan { rest: cell };
                let month = s.digits(1, 2)?;
                s.one_of(b"/-")?;
                let year = s.digits(4, 4)?;
                s.rest.is_empty().then(|| at_midnight(year, month, 1))?
            }
            Written::Period => period(cell),
            Written::IsoWeek => week(cell),
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

/// The year of a column whose years have two digits: 1941 to 2040.
fn short_year(two: i64) -> i64 {
    if two <= 40 { 2000 + two } else { 1900 + two }
}

/// `2012-01-31`, `2012/1/31 9:30`, `2012-01-31T09:30:15`: the forms of most files, read in one pass. `None` for
/// all else, which [`numeric`] judges.
#[inline]
fn usual(cell: &[u8]) -> Option<Parsed> {
    let (year, rest) = number(cell, 4)?;
    let [separator @ (b'-' | b'/'), rest @ ..] = rest else { return None };
    let (month, rest) = number(rest, 2)?;
    let [again, rest @ ..] = rest else { return None };
    let (day, rest) = number(rest, 2)?;
    if again != separator || year < 1000 {
        return None;
    }
    let mut parsed = at_midnight(year, month, day)?;
    if rest.is_empty() {
        return Some(parsed);
    }
    let [b' ' | b'T', rest @ ..] = rest else { return None };
    let (hour, rest) = number(rest, 2)?;
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

/// A number of one to `most` digits, and what follows them.
#[inline]
fn number(text: &[u8], most: usize) -> Option<(i64, &[u8])> {
    let (mut value, mut count) = (0, 0);
    while let Some(digit) = text.get(count).map(|b| b.wrapping_sub(b'0'))
        && digit < 10
        && count < most
    {
        value = value * 10 + i64::from(digit);
        count += 1;
    }
    (count > 0).then(|| (value, &text[count..]))
}

/// `20120131T0930`, `20120131T093000Z`
fn basic(cell: &[u8]) -> Option<Parsed> {
    let (date, rest) = cell.split_at_checked(8)?;
    let date = compact(date)?;
    let mut s = Scan { rest: rest.strip_prefix(b"T")? };
    let count = s.rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let clock = match count {
        4 => s.digits(4, 4)? * 100,
        6 => s.digits(6, 6)?,
        _ => return None,
    };
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    let offset = s.offset()?;
    let ok = s.rest.is_empty() && hour < 24 && minute < 60 && second < 60;
    let value = date.value + hour * HOUR + minute * MINUTE + second * SECOND - offset.unwrap_or(0);
    ok.then_some(Parsed { value, offset })
}

fn at_midnight(year: i64, month: i64, day: i64) -> Option<Parsed> {
    Some(Parsed::naive(days_of(date_of(year, month, day)?) * DAY))
}

fn iso_week(year: i64, week: i64, day: i64) -> Option<Parsed> {
    let day = Weekday::from_monday_one_offset(i8::try_from(day).ok()?).ok()?;
    let date =
        ISOWeekDate::new(i16::try_from(year).ok()?, i8::try_from(week).ok()?, day).ok()?.date();
    Some(Parsed::naive(days_of(date) * DAY))
}

/// `2012-W05`, `2012W05`, `2012-W05-1`; a week alone is its Monday.
fn week(cell: &[u8]) -> Option<Parsed> {
    let mut s = Scan { rest: cell };
    let year = s.digits(4, 4)?;
    s.one_of(b" -/");
    s.one_of(b"Ww")?;
    let week = s.digits(1, 2)?;
    let day = if s.one_of(b"-").is_some() { s.digits(1, 1)? } else { 1 };
    s.rest.is_empty().then(|| iso_week(year, week, day))?
}

/// A year with a quarter (Q), a month (M) or a half (H), in either order.
fn period(cell: &[u8]) -> Option<Parsed> {
    const UNITS: &[u8] = b"QqMmHh";
    let mut s = Scan { rest: cell };
    let (year, unit, number) = if let Some(unit) = s.one_of(UNITS) {
        let number = s.digits(1, 2)?;
        s.one_of(b" -/:'");
        (s.year()?, unit, number)
    } else if cell.len() > 2 && UNITS.contains(&cell[1]) {
        let number = s.digits(1, 1)?;
        let unit = s.one_of(UNITS)?;
        s.one_of(b" -/:'");
        (s.year()?, unit, number)
    } else {
        let year = s.digits(4, 4)?;
        s.one_of(b" -/:.");
        let unit = s.one_of(UNITS)?;
        (year, unit, s.digits(1, 2)?)
    };
    let months = match unit.to_ascii_uppercase() {
        b'Q' => 3,
        b'M' => 1,
        _ => 6,
    };
    (s.rest.is_empty() && (1..=12 / months).contains(&number))
        .then(|| at_midnight(year, months * (number - 1) + 1, 1))?
}

/// A `strftime` pattern; what it leaves out is January, the first, midnight, the Monday of a week.
fn pattern(format: &str, cell: &[u8]) -> Option<Parsed> {
    let parts = jiff::fmt::strtime::parse(format, cell).ok()?;
    if let Ok(timestamp) = parts.to_timestamp() {
        let offset = parts.offset().map_or(0, |offset| i64::from(offset.seconds()) * SECOND);
        return Some(Parsed { value: timestamp.as_microsecond(), offset: Some(offset) });
    }
    let date = match (parts.to_date(), parts.iso_week_year(), parts.iso_week()) {
        (Ok(date), ..) => date,
        (Err(_), Some(year), Some(week)) => {
            date_at(iso_week(year.into(), week.into(), 1)?.value / DAY)
        }
        (Err(_), ..) if parts.day().is_none() => {
            date_of(parts.year()?.into(), parts.month().unwrap_or(1).into(), 1)?
        }
        _ => return None,
    };
    let year = match i64::from(date.year()) {
        year if format.contains("%y") => short_year(year.rem_euclid(100)),
        year => year,
    };
    let date = date_of(year, date.month().into(), date.day().into())?;
    let time = parts.to_time().unwrap_or_default();
    let value = days_of(date) * DAY
        + i64::from(time.hour()) * HOUR
        + i64::from(time.minute()) * MINUTE
        + i64::from(time.second()) * SECOND
        + i64::from(time.subsec_nanosecond()) / 1000;
    Some(Parsed::naive(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn civil(text: &str) -> i64 {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond()
    }

    /// Oracle: jiff's reading of the ISO form in the right column.
    #[test]
    fn common_forms_are_read() {
        let cases = [
            ("2012-01-31", "2012-01-31T00:00", false),
            ("2012/1/31", "2012-01-31T00:00", false),
            ("2012.01.31", "2012-01-31T00:00", false),
            ("2012-01", "2012-01-01T00:00", false),
            ("2012-01-31 09:30", "2012-01-31T09:30", false),
            ("1990/1/1 0:00", "1990-01-01T00:00", false),
            ("2012-01-31T09:30:15.25", "2012-01-31T09:30:15.25", false),
            ("2012-01-31T09:30:15Z", "2012-01-31T09:30:15", true),
            ("2012-01-31 09:30:15+01:00", "2012-01-31T08:30:15", true),
            ("2012-01-31 09:30:15 -0530", "2012-01-31T15:00:15", true),
            ("2012-01-31 24:00", "2012-02-01T00:00", false),
            ("31.01.2012 9:30", "2012-01-31T09:30", false),
            ("1/31/2012 12:05 AM", "2012-01-31T00:05", false),
            ("1/31/2012 9:30 pm", "2012-01-31T21:30", false),
            ("31.1.12", "2012-01-31T00:00", false),
            ("1/31/99", "1999-01-31T00:00", false),
            ("20120131", "2012-01-31T00:00", false),
            ("2012013109", "2012-01-31T09:00", false),
            ("201201", "2012-01-01T00:00", false),
            ("2012.0", "2012-01-01T00:00", false),
            ("2012M05", "2012-05-01T00:00", false),
            ("2012H2", "2012-07-01T00:00", false),
            ("Q1-12", "2012-01-01T00:00", false),
            ("05/2012", "2012-05-01T00:00", false),
            ("20120131T0930", "2012-01-31T09:30", false),
            ("20120131T093015Z", "2012-01-31T09:30:15", true),
            ("3Q2012", "2012-07-01T00:00", false),
            ("2015-W01", "2014-12-29T00:00", false),
            ("2015-W53-7", "2016-01-03T00:00", false),
            ("Jan-49", "1949-01-01T00:00", false),
            ("Jan 2010", "2010-01-01T00:00", false),
            ("5-Jan-19", "2019-01-05T00:00", false),
            ("20120131093015", "2012-01-31T09:30:15", false),
            ("2012", "2012-01-01T00:00", false),
            ("2012Q3", "2012-07-01T00:00", false),
            ("Q4 2012", "2012-10-01T00:00", false),
            ("31 Jan 2012", "2012-01-31T00:00", false),
            ("January 31, 2012", "2012-01-31T00:00", false),
            ("Feb 2012", "2012-02-01T00:00", false),
            ("1328002215", "2012-01-31T09:30:15", true),
            ("1328002215000", "2012-01-31T09:30:15", true),
            ("1328002215.5", "2012-01-31T09:30:15.5", true),
            ("43831.0416666667", "2020-01-01T01:00", false),
        ];
        for (cell, expected, has_offset) in cases {
            let first = Written::candidates(cell).into_iter().next().expect(cell);
            let parsed = first.parse(cell.as_bytes()).unwrap();
            assert_eq!(
                (parsed.value, parsed.offset.is_some()),
                (civil(expected), has_offset),
                "{cell}"
            );
        }
    }

    #[test]
    fn impossible_times_are_refused() {
        for cell in [
            "",
            "x",
            "2012-13-01",
            "2012-02-30",
            "2012-1-1-1",
            "2012-01-31T25:00",
            "2012-01-31 9:60",
            "31/31/2012",
            "2012-01-31T09:30+25:00",
            "2012-01-31 09:30 Mars",
            "13:00 PM",
            "2012Q5",
            "2012-01-31T09:30:15.0000001",
            "0000-01-01",
            "99999-01-01",
            "2014-W53",
            "2012M13",
            "--1",
            "9223372036854775808",
        ] {
            assert!(
                Written::candidates(cell).is_empty(),
                "{cell}: {:?}",
                Written::candidates(cell)
            );
        }
    }

    #[test]
    fn day_first_and_month_first_are_both_kept_until_one_fails() {
        assert_eq!(Written::candidates("01/02/2012"), [Written::DayFirst, Written::MonthFirst]);
        assert_eq!(Written::candidates("31/01/2012"), [Written::DayFirst]);
        assert_eq!(Written::candidates("17"), [Written::Index, Written::Seconds]);
    }
}
