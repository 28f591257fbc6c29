//! One cell → one number, "missing", or a reason why neither.

mod digits;
mod hint;
#[cfg(test)]
mod tests;
mod unit;

use std::borrow::Cow;

pub(crate) use hint::hint;

use crate::text::decode;

/// How numbers are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Style {
    /// Decimal separator, `.` or `,`.
    pub(crate) decimal: u8,
    /// Thousands separator, if any.
    pub(crate) thousands: Option<char>,
}

impl Default for Style {
    fn default() -> Self {
        Style { decimal: b'.', thousands: None }
    }
}

/// The meaning of a number besides its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `(8.93)`, `8.93-`: a negative amount.
    Accounting,
    /// `574.71K`, `2.31M`: thousands, millions, billions.
    Scaled,
    /// `12%`: read as 12.
    Percent,
    /// `TRUE`, `FALSE`, `yes`, `no`: read as 1 and 0.
    Truth,
    /// `$12`, `12 kWh`: the unit is taken off.
    Unit,
    /// `−5`, with the minus sign of typesetters.
    Minus,
}

/// A number that is written with more than digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Marked {
    pub(crate) value: f64,
    pub(crate) mark: Mark,
    /// Its currency or physical unit.
    pub(crate) unit: Option<&'static str>,
}

/// The content of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Value(f32),
    Missing,
    Bad,
}

/// Spellings of "missing" understood everywhere, compared without regard to case.
pub(crate) const MISSING: [&str; 16] = [
    "", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "null", "nil", "none", "nat", "–", "—",
    "…", "missing",
];

/// Negative powers of ten, each rounded once.
const TENTHS: [f64; 19] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14,
    1e-15, 1e-16, 1e-17, 1e-18,
];

/// A number in plain notation at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plain {
    pub(crate) value: f32,
    /// Bytes it takes.
    pub(crate) length: usize,
    /// Digits after the decimal separator.
    pub(crate) fraction: usize,
}

/// A number of at most 18 digits with at most one decimal separator and a minus sign, at the start of `text`.
/// `None` for all else, which is [`parse`]'s to judge.
///
/// Three roundings in `f64` (digits, power of ten, product) leave at most three units in the last place
/// between the product and the true value, so rounding it to `f32` gives the correctly rounded result unless
/// it lies that close to the middle between two `f32`; then `None` too.
#[inline]
pub(crate) fn plain(text: &[u8], decimal: u8) -> Option<Plain> {
    const HALF: u64 = 1 << 28; // the 29 bits that f32 drops, at their middle
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut mantissa, mut end) = (0, start);
    while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        mantissa = u64::wrapping_mul(mantissa, 10).wrapping_add(u64::from(digit));
        end += 1;
    }
    let (mut digits, mut fraction) = (end - start, 0);
    if text.get(end) == Some(&decimal) {
        let first = end + 1;
        (mantissa, end) = digits::run(text, first, mantissa);
        fraction = end - first;
        digits += fraction;
    }
    if digits == 0 || digits > 18 {
        return None;
    }
    let value = mantissa as i64 as f64 * TENTHS[fraction]; // 18 digits fit, and signed is one instruction
    let dropped = value.to_bits() & (2 * HALF - 1);
    if dropped.abs_diff(HALF) <= 4 {
        return None;
    }
    let value = value as f32;
    Some(Plain { value: if negative { -value } else { value }, length: end, fraction })
}

/// Reads one cell; `extra` are the caller's own spellings of "missing".
pub(crate) fn parse(cell: &[u8], style: Style, extra: &[String]) -> Cell {
    let cell = cell.trim_ascii();
    if cell.is_empty() || (!extra.is_empty() && extra.iter().any(|e| e.as_bytes() == cell)) {
        return Cell::Missing;
    }
    let plain = style.decimal == b'.' && style.thousands.is_none();
    let value = match std::str::from_utf8(cell) {
        Ok(text) if plain => text.parse::<f32>().ok(),
        Ok(text) => rewrite(text, style).and_then(|t| t.parse::<f32>().ok()),
        Err(_) => rewrite(&decode(cell), style).and_then(|t| t.parse::<f32>().ok()),
    };
    match value {
        Some(v) if v.is_finite() => Cell::Value(v),
        _ if is_missing(cell) => Cell::Missing,
        _ => Cell::Bad,
    }
}

/// The number in double precision, for a cell that [`parse`] or [`marked`] read.
pub(crate) fn exact(cell: &[u8], style: Style) -> Option<f64> {
    exact_text(&text(cell), style)
}

fn exact_text(text: &str, style: Style) -> Option<f64> {
    let value: f64 = match style == Style::default() {
        true => text.parse().ok()?,
        false => rewrite(text, style)?.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// A cell as text: UTF-8, or else Windows-1252.
fn text(cell: &[u8]) -> Cow<'_, str> {
    let cell = cell.trim_ascii();
    std::str::from_utf8(cell).map_or_else(|_| decode(cell).into(), Cow::from)
}

/// The part of a cell that holds its digits: without a unit, a percent sign, or brackets.
pub(crate) fn bare(cell: &[u8]) -> Cow<'_, str> {
    let text = text(cell);
    let plain = |b| matches!(b, b'0'..=b'9' | b'.' | b',' | b'-' | b'+');
    if text.bytes().all(plain) && !text.ends_with('-') {
        return text;
    }
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(&text);
    let inner = inner.trim_start_matches('\u{2212}').trim_end_matches(['%', '-']).trim();
    let number = unit::split(inner).map_or_else(|| inner.to_owned(), |(_, number)| number);
    scaled(&number).map_or(number.as_str(), |(digits, _)| digits).to_owned().into()
}

/// Digits after the decimal separator.
pub(crate) fn decimals(cell: &[u8], decimal: u8) -> usize {
    let digits = cell.trim_ascii().iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let sign = cell.trim_ascii().iter().rev().nth(digits);
    if sign == Some(&decimal) { digits } else { 0 }
}

/// Reads a cell that [`parse`] calls bad and that means a number all the same.
pub(crate) fn marked(cell: &[u8], style: Style) -> Option<Marked> {
    let text = text(cell);
    let found = |(value, mark)| Marked { value, mark, unit: None };
    if let Some(found) = amount(&text, style).map(found) {
        return Some(found);
    }
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let (unit, number) = unit::split(inner.unwrap_or(&text).trim())?;
    let (value, mark) = exact_text(&number, style)
        .filter(|_| number.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
        .map(|value| (value, Mark::Unit))
        .or_else(|| {
            amount(&number, style).filter(|(_, mark)| matches!(mark, Mark::Scaled | Mark::Minus))
        })?;
    match inner {
        Some(_) => {
            let value = -Some(value).filter(|_| is_unsigned(&number))?;
            Some(Marked { value, mark: Mark::Accounting, unit: Some(unit) })
        }
        None => Some(Marked { value, mark, unit: Some(unit) }),
    }
}

fn is_unsigned(number: &str) -> bool {
    number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// A number with a mark, without a unit.
fn amount(text: &str, style: Style) -> Option<(f64, Mark)> {
    if let Some(truth) = truth(text) {
        return Some((truth, Mark::Truth));
    }
    let in_brackets = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let negative = in_brackets
        .map(str::trim)
        .or_else(|| text.strip_suffix('-'))
        .map(|rest| (rest, Mark::Accounting))
        .or_else(|| text.strip_prefix('\u{2212}').map(|rest| (rest, Mark::Minus)));
    let (value, mark) = match negative {
        Some((rest, _)) if !is_unsigned(rest) => return None,
        Some((rest, mark)) => {
            let (value, mark) = multiple(rest, style)
                .or_else(|| exact_text(rest, style).map(|value| (value, mark)))?;
            (-value, mark)
        }
        None => multiple(text, style)?,
    };
    Some((value, mark))
}

/// 1 or 0 for a word that says yes or no, or true or false, as spreadsheets in several languages write them.
fn truth(text: &str) -> Option<f64> {
    const LONGEST: usize = 10;
    if text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "wahr" | "ja" | "vrai" | "oui" | "verdadero"
        | "verdadeiro" | "vero" | "waar" => Some(1.0),
        "false" | "f" | "no" | "n" | "off" | "falsch" | "nein" | "faux" | "non" | "falso"
        | "onwaar" | "nee" => Some(0.0),
        _ => None,
    }
}

/// A number of hundredths, thousands, millions or billions.
fn multiple(text: &str, style: Style) -> Option<(f64, Mark)> {
    let number = |text: &str| exact_text(text.trim_end(), style);
    if let Some(percent) = text.strip_suffix('%') {
        return Some((number(percent)?, Mark::Percent));
    }
    let (digits, scale) = scaled(text)?;
    // `574.71 · 1000` is 574710.0000000001 in binary; the decimal number that was meant is nearest.
    let value = number(digits)? * scale;
    Some((format!("{value:.15e}").parse().unwrap_or(value), Mark::Scaled))
}

/// The digits of `1.2bn` or `574.71K`, and what they are multiples of.
fn scaled(text: &str) -> Option<(&str, f64)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '.');
    let scale = match text[digits.len()..].trim_end_matches('.') {
        "K" | "k" | "Tsd" => 1e3,
        "M" | "mn" | "Mn" | "mln" | "mio" | "Mio" => 1e6,
        "B" | "bn" | "Bn" | "mrd" | "Mrd" => 1e9,
        "T" | "tn" | "trn" => 1e12,
        _ => return None,
    };
    Some((digits.trim_end(), scale))
}

/// Whether `1.234` stands here, or `1,234`: one group of three digits, so that the separator may be decimal or
/// between thousands.
pub(crate) fn may_be_either(cell: &str, separator: char) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let bare = cell.trim_start_matches(['-', '+']);
    bare.split_once(separator).is_some_and(|(whole, fraction)| {
        whole.len() <= 3
            && fraction.len() == 3
            && !whole.starts_with('0')
            && digits(whole)
            && digits(fraction)
    })
}

fn is_missing(cell: &[u8]) -> bool {
    const LONGEST: usize = 7;
    if cell.len() <= LONGEST && cell.iter().all(u8::is_ascii_punctuation) {
        return true; // `--`, `.`, `*`
    }
    cell.len() <= LONGEST && MISSING.iter().any(|m| m.as_bytes().eq_ignore_ascii_case(cell))
}

/// The number in plain notation, or `None` where separators stand in the wrong place.
fn rewrite(text: &str, style: Style) -> Option<String> {
    let decimal = char::from(style.decimal);
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut plain = match style.thousands {
        Some(separator) if whole.contains(separator) => ungroup(whole, separator)?,
        _ => whole.to_owned(),
    };
    if decimal == ',' && plain.contains('.') {
        return None; // a point that is neither decimal nor thousands separator
    }
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

/// `-1,234,567` → `-1234567`; groups after the first have three digits each.
fn ungroup(whole: &str, separator: char) -> Option<String> {
    let digits = whole.trim_start_matches(['-', '+']);
    let mut groups = digits.split(separator);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let (last, middle) = rest.split_last()?;
    // In India all groups but the last have two digits: `1,23,45,678`.
    let lengths = |of: usize| middle.iter().all(|group| group.len() == of);
    let well_formed = (1..=3).contains(&first.len())
        && last.len() == 3
        && (lengths(3) || (first.len() < 3 && separator == ',' && lengths(2)))
        && rest.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit()));
    well_formed.then(|| whole.replace(separator, ""))
}
