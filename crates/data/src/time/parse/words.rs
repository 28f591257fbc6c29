//! Times with letters in them: weeks, quarters, months by name, and patterns of the caller's own.

use jiff::civil::{ISOWeekDate, Weekday};

use super::digits::compact;
use super::scan::Scan;
use super::{Parsed, at_midnight, short_year};
use crate::time::civil::{DAY, HOUR, MINUTE, SECOND, date_at, date_of, days_of};

/// Forms with a month's name, short or in full, tried in this order. Stored models hold positions in this
/// list: new forms go to its end.
pub(super) const NAMED: [&str; 35] = [
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
    "%b'%y",
    "%b' %y",
    "%b-%d, %Y",
    "%a %b %d %H:%M:%S %Y",
    "%A, %b %d, %Y",
    "%b, %Y",
];

/// `20120131T0930`, `20120131T093000Z`, `20120131 09:30`, `20120131-093000`
pub(super) fn basic(cell: &[u8]) -> Option<Parsed> {
    let (date, rest) = cell.split_at_checked(8)?;
    let date = compact(date)?;
    let mut s = Scan { rest };
    let separator = s.one_of(b"T -_")?;
    if s.rest.get(1..3).is_some_and(|next| next.contains(&b':')) {
        let value = date.value + s.clock()?;
        s.spaces();
        let offset = s.offset()?;
        let value = value - offset.unwrap_or(0);
        return s.rest.is_empty().then_some(Parsed { value, offset });
    }
    let count = s.rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let clock = match count {
        4 => s.digits(4, 4)? * 100,
        6 => s.digits(6, 6)?,
        2 if separator == b' ' => s.digits(2, 2)? * 10_000,
        _ => return None,
    };
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    let offset = s.offset()?;
    let ok = s.rest.is_empty() && hour < 24 && minute < 60 && second < 60;
    let value = date.value + hour * HOUR + minute * MINUTE + second * SECOND - offset.unwrap_or(0);
    ok.then_some(Parsed { value, offset })
}

pub(super) fn iso_week(year: i64, week: i64, day: i64) -> Option<Parsed> {
    let day = Weekday::from_monday_one_offset(i8::try_from(day).ok()?).ok()?;
    let date =
        ISOWeekDate::new(i16::try_from(year).ok()?, i8::try_from(week).ok()?, day).ok()?.date();
    Some(Parsed::naive(days_of(date) * DAY))
}

/// `2012-W05`, `2012W05`, `2012-W05-1`, `2012W051`, `KW 05/2012`, `W05-2012`; a week alone is its Monday.
pub(super) fn week(cell: &[u8]) -> Option<Parsed> {
    let mut s = Scan { rest: cell };
    if !cell.first()?.is_ascii_digit() {
        s.one_of(b"Kk");
        s.one_of(b"Ww")?;
        s.spaces();
        let week = s.digits(1, 2)?;
        s.one_of(b" -/")?;
        let year = s.digits(4, 4)?;
        return s.rest.is_empty().then(|| iso_week(year, week, 1))?;
    }
    let year = s.digits(4, 4)?;
    s.one_of(b" -/");
    s.one_of(b"Kk");
    s.one_of(b"Ww")?;
    if let Some(both) = s.digits(3, 3) {
        return s.rest.is_empty().then(|| iso_week(year, both / 10, both % 10))?;
    }
    let week = s.digits(1, 2)?;
    let day = if s.one_of(b"-").is_some() { s.digits(1, 1)? } else { 1 };
    s.rest.is_empty().then(|| iso_week(year, week, day))?
}

/// A piece of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    /// A number and how many digits it has.
    Number(i64, usize),
    /// The months of a period that a word names.
    Months(i64),
    /// `FY`
    Fiscal,
}

/// At most four tokens with spaces and signs between them.
fn tokens(cell: &[u8]) -> Option<Vec<Token>> {
    let mut rest = std::str::from_utf8(cell).ok().filter(|cell| cell.len() <= 24)?;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let same = |c: char| if digits { c.is_ascii_digit() } else { c.is_alphabetic() };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end.max(first.len_utf8()));
        rest = after;
        tokens.push(match token.to_lowercase().as_str() {
            " " | "-" | "/" | ":" | "." | "," | "'" => continue,
            _ if digits && token.len() <= 4 => Token::Number(token.parse().ok()?, token.len()),
            "q" | "qtr" | "quarter" | "quartal" | "quart" | "trimestre" | "trim" | "t" => {
                Token::Months(3)
            }
            "m" => Token::Months(1),
            "h" | "hj" | "half" | "halbjahr" | "s" | "sem" | "semester" | "semestre" => {
                Token::Months(6)
            }
            "fy" => Token::Fiscal,
            _ => return None,
        });
    }
    (tokens.len() <= 4).then_some(tokens)
}

/// A year with a quarter, a month or a half, in any order: `2012Q1`, `Q1 2012`, `1Q12`, `2012M01`, `1. Quartal 2012`,
/// `2012-S1`; `FY` before the year, which may then stand alone, says that it is a fiscal one.
pub(super) fn period(cell: &[u8]) -> Option<Parsed> {
    use Token::{Fiscal, Months, Number};
    let all = tokens(cell)?;
    let year = |year, length| match length {
        4 => Some(year),
        2 => Some(short_year(year)),
        _ => None,
    };
    let fiscal = all.iter().position(|token| *token == Fiscal);
    let bare: Vec<Token> = all.iter().copied().filter(|token| *token != Fiscal).collect();
    let (year, months, number) = match bare[..] {
        [Number(y, length)] if fiscal == Some(0) => (year(y, length)?, 12, 1),
        [Number(y, 4), Months(months), Number(number, 1..=2)] => (y, months, number),
        [Number(y, 2), Months(months), Number(number, 1)] if fiscal == Some(0) => {
            (short_year(y), months, number)
        }
        [Months(months), Number(number, 1..=2), Number(y, length)]
        | [Number(number, 1), Months(months), Number(y, length)] => {
            (year(y, length)?, months, number)
        }
        [Number(y, 4), Number(number, 1), Months(months)] => (y, months, number),
        _ => return None,
    };
    (1..=12 / months).contains(&number).then(|| at_midnight(year, months * (number - 1) + 1, 1))?
}

/// A `strftime` pattern; what it leaves out is January, the first, midnight, the Monday of a week.
pub(super) fn pattern(format: &str, cell: &[u8]) -> Option<Parsed> {
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
