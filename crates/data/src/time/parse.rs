//! Text → time. The way a column is written is found from the column as a whole, never cell by cell.

use super::civil::{DAY, Date, HOUR, MINUTE, SECOND};

/// A way to write times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// `2012-01-31`, `2012/1/31 9:30`, `2012-01-31T09:30:00.25+01:00`, `2012-01`
    YearFirst,
    /// `31.01.2012`, `31/1/2012 9:30`
    DayFirst,
    /// `1/31/2012 9:30 PM`
    MonthFirst,
    /// `20120131`, `201201310930`, `20120131093000`
    Compact,
    /// `2012`
    Year,
    /// `2012Q1`, `2012-Q1`, `Q1 2012`
    Quarter,
    /// Month by name, in one of [`NAMED`].
    Named(usize),
    /// Integer seconds (1), milliseconds, microseconds or nanoseconds since 1970; the unit in nanoseconds.
    Epoch(i64),
    /// Any integer: a row number. Below 2^62, so that differences stay in range.
    Index,
    /// The caller's own `strftime` pattern.
    Pattern(String),
}

/// Forms with a month's name, short or in full, tried in this order.
const NAMED: [&str; 16] = [
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
];

/// 1000-01-01.
const YEAR_1000: i64 = -354_285 * DAY;

/// A parsed time: microseconds since 1970 (or the index), and whether it carried its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) value: i64,
    pub(crate) has_offset: bool,
}

impl Written {
    /// Every way `cell` can be read, most likely first.
    pub(crate) fn candidates(cell: &str) -> Vec<Written> {
        use Written::{Compact, DayFirst, Epoch, Index, MonthFirst, Quarter, Year, YearFirst};
        const MILLI: i64 = 1_000_000;
        let mut all = vec![YearFirst, DayFirst, MonthFirst, Quarter, Compact, Year];
        all.extend([Epoch(1_000_000_000), Epoch(MILLI), Epoch(1000), Epoch(1), Index]);
        all.extend((0..NAMED.len()).map(Written::Named));
        all.retain(|w| w.parse(cell.as_bytes()).is_some());
        all
    }

    /// Whether this form is a date by its look, not a bare integer.
    pub(crate) fn is_explicit(&self) -> bool {
        !matches!(self, Written::Year | Written::Epoch(_) | Written::Index | Written::Compact)
    }

    pub(crate) fn parse(&self, cell: &[u8]) -> Option<Parsed> {
        let cell = cell.trim_ascii();
        match self {
            Written::YearFirst => fixed(cell).or_else(|| {
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
            Written::Compact => compact(cell),
            Written::Year => {
                let year = integer(cell)?;
                (cell.len() == 4 && (1800..=2200).contains(&year))
                    .then(|| at_midnight(year, 1, 1))?
            }
            Written::Quarter => quarter(cell),
            Written::Named(form) => pattern(NAMED[*form], cell)
                .or_else(|| pattern(&NAMED[*form].replace("%b", "%B"), cell))
                .filter(|parsed| parsed.value >= YEAR_1000), // `%d %Y` reads "2012" as day 20 of year 12
            Written::Epoch(nanos) => epoch(cell, *nanos),
            Written::Index => {
                let value = integer(cell)?;
                (value.unsigned_abs() < 1 << 62).then_some(Parsed { value, has_offset: false })
            }
            Written::Pattern(text) => pattern(text, cell),
        }
    }
}

/// `2012-01-31`, `2012-01-31 09:30`, `2012-01-31T09:30:15` with two digits each: what most files hold, read
/// without looking for where its parts end. `None` for all else, which [`numeric`] judges.
fn fixed(cell: &[u8]) -> Option<Parsed> {
    let two = |at: usize| {
        let (a, b) = (cell[at].wrapping_sub(b'0'), cell[at + 1].wrapping_sub(b'0'));
        (a < 10 && b < 10).then_some(i64::from(a) * 10 + i64::from(b))
    };
    let length = cell.len();
    if !matches!(length, 10 | 16 | 19) || cell[4] != cell[7] || !matches!(cell[4], b'-' | b'/') {
        return None;
    }
    let mut parsed = at_midnight(two(0)? * 100 + two(2)?, two(5)?, two(8)?)?;
    if length > 10 {
        let (hour, minute) = (two(11)?, two(14)?);
        let second = if length == 19 { two(17)? } else { 0 };
        let marks = matches!(cell[10], b' ' | b'T')
            && cell[13] == b':'
            && (length == 16 || cell[16] == b':');
        if !marks || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        parsed.value += hour * HOUR + minute * MINUTE + second * SECOND;
    }
    Some(parsed)
}

fn at_midnight(year: i64, month: i64, day: i64) -> Option<Parsed> {
    let date = Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)?;
    Some(Parsed { value: date.days() * DAY, has_offset: false })
}

fn integer(cell: &[u8]) -> Option<i64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// Seconds from 1973 on, so that small integers stay row numbers; each unit has its own digit count.
fn epoch(cell: &[u8], nanos: i64) -> Option<Parsed> {
    let value = integer(cell)?;
    let per_second = 1_000_000_000 / nanos;
    let seconds = value.checked_div(per_second)?;
    if !(100_000_000..10_000_000_000).contains(&seconds) {
        return None;
    }
    let micros =
        if nanos >= 1000 { value.checked_mul(nanos / 1000)? } else { exact_micros(value)? };
    Some(Parsed { value: micros, has_offset: true })
}

/// Nanoseconds → microseconds where nothing is lost.
fn exact_micros(nanos: i64) -> Option<i64> {
    (nanos % 1000 == 0).then_some(nanos / 1000)
}

fn compact(cell: &[u8]) -> Option<Parsed> {
    if !matches!(cell.len(), 8 | 12 | 14) || !cell.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let field = |range: std::ops::Range<usize>| cell.get(range).map_or(Some(0), integer);
    let date = at_midnight(field(0..4)?, field(4..6)?, field(6..8)?)?;
    let year_likely = (1500..=2500).contains(&field(0..4)?);
    let (hour, minute, second) = (field(8..10)?, field(10..12)?, field(12..14)?);
    let ok = year_likely && hour < 24 && minute < 60 && second < 60;
    ok.then(|| Parsed {
        value: date.value + hour * HOUR + minute * MINUTE + second * SECOND,
        has_offset: false,
    })
}

fn quarter(cell: &[u8]) -> Option<Parsed> {
    let mut s = Scan { rest: cell };
    let (year, quarter) = if s.one_of(b"Qq").is_some() {
        let quarter = s.digits(1, 1)?;
        s.one_of(b" -/");
        (s.digits(4, 4)?, quarter)
    } else {
        let year = s.digits(4, 4)?;
        s.one_of(b" -/");
        s.one_of(b"Qq")?;
        (year, s.digits(1, 1)?)
    };
    (s.rest.is_empty() && (1..=4).contains(&quarter))
        .then(|| at_midnight(year, 3 * quarter - 2, 1))?
}

/// A `strftime` pattern; what it leaves out is January, the first, midnight.
fn pattern(format: &str, cell: &[u8]) -> Option<Parsed> {
    let parts = jiff::fmt::strtime::parse(format, cell).ok()?;
    if let Ok(timestamp) = parts.to_timestamp() {
        return Some(Parsed { value: timestamp.as_microsecond(), has_offset: true });
    }
    let date = match parts.to_date() {
        Ok(date) => Date::new(date.year().into(), date.month() as u8, date.day() as u8)?,
        Err(_) if parts.day().is_none() => {
            Date::new(parts.year()?.into(), parts.month().unwrap_or(1) as u8, 1)?
        }
        Err(_) => return None,
    };
    let time = parts.to_time().unwrap_or_default();
    let micros = i64::from(time.subsec_nanosecond()) / 1000;
    let seconds = i64::from(time.second());
    let value = date.days() * DAY
        + i64::from(time.hour()) * HOUR
        + i64::from(time.minute()) * MINUTE
        + seconds * SECOND
        + micros;
    Some(Parsed { value, has_offset: false })
}

/// Date by `date`, then an optional clock time, then an optional offset.
fn numeric(
    cell: &[u8],
    date: impl FnOnce(&mut Scan<'_>) -> Option<(i64, i64, i64)>,
) -> Option<Parsed> {
    let mut s = Scan { rest: cell };
    let (year, month, day) = date(&mut s)?;
    let mut parsed = at_midnight(year, month, day)?;
    if s.rest.is_empty() {
        return Some(parsed);
    }
    match s.one_of(b"Tt ,")? {
        b'T' | b't' => {}
        _ => s.spaces(),
    }
    parsed.value += s.clock()?;
    s.spaces();
    if let Some(offset) = s.offset()? {
        parsed.value -= offset;
        parsed.has_offset = true;
    }
    s.rest.is_empty().then_some(parsed)
}

/// A cursor over the bytes of a cell.
struct Scan<'a> {
    rest: &'a [u8],
}

impl Scan<'_> {
    /// Between `least` and `most` digits, and no digit after them.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count < least || count > most {
            return None;
        }
        let value = self.rest[..count].iter().fold(0, |v, b| v * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[count..];
        Some(value)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        allowed.contains(&first).then(|| {
            self.rest = rest;
            first
        })
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.one_of(&[byte]).is_some()
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// `a/b/year` with one separator.
    fn three(&mut self) -> Option<(i64, i64, i64)> {
        let a = self.digits(1, 2)?;
        let separator = self.one_of(b"/.-")?;
        let b = self.digits(1, 2)?;
        if !self.skip(separator) {
            return None;
        }
        Some((a, b, self.digits(4, 4)?))
    }

    /// `9:30`, `09:30:00.25`, `9:30 PM`, `24:00`; microseconds since midnight.
    fn clock(&mut self) -> Option<i64> {
        let mut hour = self.digits(1, 2)?;
        let (mut minute, mut second, mut micros) = (0, 0, 0);
        if self.skip(b':') {
            minute = self.digits(2, 2)?;
            if self.skip(b':') {
                second = self.digits(2, 2)?;
                if self.one_of(b".,").is_some() {
                    micros = self.fraction()?;
                }
            }
        }
        self.spaces();
        if let Some(half) = self.one_of(b"AaPp") {
            self.one_of(b"Mm")?;
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if half.eq_ignore_ascii_case(&b'p') { 12 } else { 0 };
        }
        let midnight = hour == 24 && minute == 0 && second == 0 && micros == 0;
        (minute < 60 && second < 60 && (hour < 24 || midnight))
            .then_some(hour * HOUR + minute * MINUTE + second * SECOND + micros)
    }

    /// One to nine digits as microseconds; finer ones must be zero.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let value = self.digits(1, 9)?;
        exact_micros(value * 10_i64.pow(9 - u32::try_from(count).ok()?))
    }

    /// `Z`, `UTC`, `+01`, `+0100`, `+01:00`, or nothing; the outer `None` is a malformed offset.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        for name in [&b"Z"[..], b"z", b"UTC", b"GMT"] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Some(Some(0));
            }
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (hours, minutes) = if count == 4 {
            let both = self.digits(4, 4)?;
            (both / 100, both % 100)
        } else {
            let hours = self.digits(1, 2)?;
            (hours, if self.skip(b':') { self.digits(2, 2)? } else { 0 })
        };
        (hours <= 18 && minutes < 60).then(|| Some(sign * (hours * HOUR + minutes * MINUTE)))
    }
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
            ("20120131", "2012-01-31T00:00", false),
            ("20120131093015", "2012-01-31T09:30:15", false),
            ("2012", "2012-01-01T00:00", false),
            ("2012Q3", "2012-07-01T00:00", false),
            ("Q4 2012", "2012-10-01T00:00", false),
            ("31 Jan 2012", "2012-01-31T00:00", false),
            ("January 31, 2012", "2012-01-31T00:00", false),
            ("Feb 2012", "2012-02-01T00:00", false),
            ("1328002215", "2012-01-31T09:30:15", true),
            ("1328002215000", "2012-01-31T09:30:15", true),
        ];
        for (cell, expected, has_offset) in cases {
            let first = Written::candidates(cell).into_iter().next().expect(cell);
            let parsed = first.parse(cell.as_bytes()).unwrap();
            assert_eq!((parsed.value, parsed.has_offset), (civil(expected), has_offset), "{cell}");
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
            "1391.7",
            "0000-01-01",
            "99999-01-01",
            "1.5",
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
        assert_eq!(Written::candidates("01/02/2012"), [Written::DayFirst, Written::MonthFirst],);
        assert_eq!(Written::candidates("31/01/2012"), [Written::DayFirst]);
        assert_eq!(Written::candidates("17"), [Written::Index]);
    }
}
