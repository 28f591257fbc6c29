//! Times that are bare numbers.

use super::{Parsed, Written, at_midnight, short_year};
use crate::time::civil::{DAY, HOUR, MINUTE, SECOND};

pub(super) fn integer(cell: &[u8]) -> Option<i64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// An integer, with or without a decimal part of zeros, and how many characters its digits take.
pub(super) fn whole(cell: &[u8]) -> Option<(i64, usize)> {
    let end = cell.iter().position(|b| matches!(b, b'.' | b',')).unwrap_or(cell.len());
    let zeros = cell[end..].iter().skip(1).all(|&b| b == b'0') && cell.len() != end + 1;
    Some((integer(&cell[..end]).filter(|_| zeros)?, end))
}

/// Whole part, millionths and count of decimals of a plain decimal number.
pub(super) fn decimal(cell: &[u8]) -> Option<(i64, i64, usize)> {
    let end = cell.iter().position(|b| matches!(b, b'.' | b',')).unwrap_or(cell.len());
    let fraction = cell.get(end + 1..).unwrap_or_default();
    if fraction.len() > 20 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let kept = &fraction[..fraction.len().min(15)];
    let digits = kept.iter().fold(0i64, |v, b| v * 10 + i64::from(b - b'0'));
    let millionths = (digits as f64 * 1e6 / 10f64.powi(kept.len() as i32)).round() as i64;
    Some((integer(&cell[..end])?, millionths, fraction.len()))
}

/// Seconds from 1973 on, so that small integers stay row numbers; each unit has its own digit count.
pub(super) fn epoch(cell: &[u8], nanos: i64) -> Option<Parsed> {
    let (value, millionths) = match (nanos, whole(cell)) {
        (_, Some((value, _))) => (value, 0),
        (1_000_000_000, None) => decimal(cell).map(|(value, millionths, _)| (value, millionths))?,
        _ => return None,
    };
    let per_second = 1_000_000_000 / nanos;
    let seconds = value.checked_div(per_second)?;
    if !(100_000_000..10_000_000_000).contains(&seconds) {
        return None;
    }
    let micros =
        if nanos >= 1000 { value.checked_mul(nanos / 1000)? } else { exact_micros(value)? };
    Some(Parsed { value: micros + millionths, offset: Some(0) })
}

/// Nanoseconds → microseconds where nothing is lost.
pub(super) fn exact_micros(nanos: i64) -> Option<i64> {
    (nanos % 1000 == 0).then_some(nanos / 1000)
}

/// A day count of 1927 to 2119; the time of day is rounded to what its decimals can tell.
pub(super) fn spreadsheet(cell: &[u8]) -> Option<Parsed> {
    const START: i64 = -25_569; // 1899-12-30
    let (days, _, decimals) = decimal(cell).filter(|(days, ..)| (10_000..80_000).contains(days))?;
    let fraction: f64 =
        format!("0.{}", std::str::from_utf8(&cell[cell.len() - decimals..]).ok()?).parse().ok()?;
    let unit = if decimals >= 5 { SECOND } else { MINUTE };
    let time = (fraction * DAY as f64 / unit as f64).round() as i64 * unit;
    Some(Parsed::naive((START + days) * DAY + time))
}

pub(super) fn compact(cell: &[u8]) -> Option<Parsed> {
    let cell = cell.strip_suffix(b".0").unwrap_or(cell); // whole numbers as floats
    if !matches!(cell.len(), 8 | 10 | 12 | 14) || !cell.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let field = |range: std::ops::Range<usize>| cell.get(range).map_or(Some(0), integer);
    let date = at_midnight(field(0..4)?, field(4..6)?, field(6..8)?)?;
    let year_likely = (1500..=2500).contains(&field(0..4)?);
    let (hour, minute, second) = (field(8..10)?, field(10..12)?, field(12..14)?);
    let ends_day = hour == 24 && minute == 0 && second == 0;
    let ok = year_likely && (hour < 24 || ends_day) && minute < 60 && second < 60;
    ok.then(|| Parsed::naive(date.value + hour * HOUR + minute * MINUTE + second * SECOND))
}

/// `201205` or `2012.05`, as the year and what follows it.
pub(super) fn six_digits(cell: &[u8]) -> Option<(i64, i64)> {
    let cell = cell.strip_suffix(b".0").filter(|cell| cell.len() == 6).unwrap_or(cell);
    let (year, rest) = match cell.len() {
        6 => (&cell[..4], &cell[4..]),
        7 if cell[4] == b'.' => (&cell[..4], &cell[5..]),
        _ => return None,
    };
    let digits = cell.iter().filter(|b| b.is_ascii_digit()).count() == 6;
    let year = integer(year).filter(|year| digits && (1800..=2200).contains(year))?;
    Some((year, integer(rest)?))
}

/// `31012012`, `01312012`, `120131`: digits of a date in another order than that of [`compact`].
pub(super) fn digits_of_date(cell: &[u8], written: &Written) -> Option<Parsed> {
    let short = *written == Written::CompactShort;
    if cell.len() != if short { 6 } else { 8 } || !cell.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (a, b, c) = (integer(&cell[..2])?, integer(&cell[2..4])?, integer(&cell[4..])?);
    let (year, month, day) = match written {
        Written::CompactShort => (short_year(a), b, c),
        Written::CompactDayFirst => (c, b, a),
        _ => (c, a, b),
    };
    (1800..=2200).contains(&year).then(|| at_midnight(year, month, day))?
}

/// `2012-060`, `2012060`: the sixtieth day of 2012.
pub(super) fn ordinal(cell: &[u8]) -> Option<Parsed> {
    let (year, rest) = cell.split_at_checked(4)?;
    let day = rest.strip_prefix(b"-").unwrap_or(rest);
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if day.len() != 3 || !digits(year) || !digits(day) {
        return None;
    }
    let (year, day) = (integer(year)?, integer(day)?);
    let start = at_midnight(year, 1, 1).filter(|_| (1800..=2200).contains(&year) && day > 0)?;
    let value = start.value + (day - 1) * DAY;
    (value < at_midnight(year + 1, 1, 1)?.value).then_some(Parsed::naive(value))
}
