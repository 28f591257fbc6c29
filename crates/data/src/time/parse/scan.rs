//! A cursor over the bytes of a cell: dates in three parts, clock times, offsets from UTC.

use super::digits::exact_micros;
use super::{Parsed, at_midnight, short_year};
use crate::time::civil::{HOUR, MINUTE, SECOND};

/// Date by `date`, then an optional clock time, then an optional offset.
pub(super) fn numeric(
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
        parsed.offset = Some(offset);
    }
    s.rest.is_empty().then_some(parsed)
}

/// Names of zones that mean one offset all over the world, in hours east of UTC; not `CST`, `IST` or `BST`.
const ZONES: [(&[u8], i64); 18] = [
    (b"Z", 0),
    (b"z", 0),
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"WEST", 1),
    (b"CET", 1),
    (b"CEST", 2),
    (b"MEZ", 1),
    (b"MESZ", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CDT", -5),
    (b"MST", -7),
    (b"PST", -8),
    (b"PDT", -7),
];

/// A cursor over the bytes of a cell.
pub(super) struct Scan<'a> {
    pub(super) rest: &'a [u8],
}

impl Scan<'_> {
    /// Between `least` and `most` digits, and no digit after them.
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count < least || count > most {
            return None;
        }
        let value = self.rest[..count].iter().fold(0, |v, b| v * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[count..];
        Some(value)
    }

    /// A year of four digits, or of two.
    pub(super) fn year(&mut self) -> Option<i64> {
        self.digits(4, 4).or_else(|| self.digits(2, 2).map(short_year))
    }

    pub(super) fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        allowed.contains(&first).then(|| {
            self.rest = rest;
            first
        })
    }

    pub(super) fn skip(&mut self, byte: u8) -> bool {
        self.one_of(&[byte]).is_some()
    }

    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// `a/b/year` with one separator; the year has four digits or two.
    pub(super) fn three(&mut self) -> Option<(i64, i64, i64)> {
        let a = self.digits(1, 2)?;
        let separator = self.one_of(b"/.-")?;
        let b = self.digits(1, 2)?;
        if !self.skip(separator) {
            return None;
        }
        Some((a, b, self.year()?))
    }

    /// `9:30`, `09:30:00.25`, `9:30 PM`, `24:00`; microseconds since midnight.
    pub(super) fn clock(&mut self) -> Option<i64> {
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

    /// `Z`, `CET`, `+01`, `+0100`, `+01:00`, `+01:00[Europe/Berlin]`, or nothing; the outer `None` is a malformed
    /// offset.
    pub(super) fn offset(&mut self) -> Option<Option<i64>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        if let [rest @ .., b']'] = self.rest
            && let Some(bracket) = rest.iter().position(|b| *b == b'[').filter(|at| *at > 0)
        {
            self.rest = &rest[..bracket];
        }
        let name = self.rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        if let Some((_, hours)) = ZONES.iter().find(|(zone, _)| *zone == &self.rest[..name]) {
            self.rest = &self.rest[name..];
            return Some(Some(hours * HOUR));
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
