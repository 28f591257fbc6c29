//! The likely meaning of a cell that is not a number.

use super::{Style, may_be_either, rewrite, ungroup};
use crate::error::Hint;

/// The likely meaning of a cell that is not a number.
pub(crate) fn hint(cell: &str, style: Style) -> Hint {
    let cell = cell.trim();
    let lower = cell.trim_start_matches(['-', '+']).to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "∞") {
        return Hint::Infinite { text: cell.to_owned() };
    }
    let is_number = |s: &str| s.parse::<f64>().is_ok_and(f64::is_finite);
    let other = if style.decimal == b',' { '.' } else { ',' };
    if style.thousands.is_none() && may_be_either(cell, other) {
        return Hint::Either { separator: other, thousands: cell.replace(other, "") };
    }
    if style.decimal == b',' && style.thousands.is_none() {
        let point = Style { thousands: Some('.'), ..style };
        if cell.contains('.')
            && rewrite(cell, point).is_some_and(|plain| is_number(&plain))
            && !is_number(cell)
        {
            return Hint::Thousands { separator: '.', rewritten: cell.replace('.', "") };
        }
    }
    if is_number(cell) && style.decimal == b',' && cell.contains('.') {
        return Hint::DecimalPoint { rewritten: cell.replace('.', ",") };
    }
    if is_number(cell) {
        return if cell.parse::<f32>().is_ok_and(f32::is_finite) {
            Hint::Unknown
        } else {
            Hint::TooLarge
        };
    }
    if cell.parse::<f64>().is_ok_and(f64::is_infinite) {
        return Hint::TooLarge;
    }
    for separator in [',', ' ', '\u{a0}', '\u{202f}', '\'', '’', '_'] {
        if let Some(rewritten) = grouped(cell, separator) {
            return Hint::Thousands { separator, rewritten };
        }
    }
    if style.decimal == b'.' && cell.matches(',').count() == 1 {
        let rewritten = cell.replace(',', ".");
        if is_number(&rewritten) {
            return Hint::DecimalComma { rewritten };
        }
    }
    let ascii = cell.replace('\u{2212}', "-");
    let bare = ascii.trim_matches(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+'));
    let bare = bare.trim_end_matches(|c: char| !c.is_ascii_digit());
    let units = ascii.chars().filter(|c| !c.is_ascii_digit()).count();
    let at_an_end = cell.starts_with(|c: char| c.is_ascii_digit() || "+-.($".contains(c))
        || ascii.ends_with(|c: char| c.is_ascii_digit() || ")%".contains(c));
    if is_number(bare) && units <= 12 && !bare.is_empty() && at_an_end {
        return Hint::Unit { rewritten: bare.to_owned() };
    }
    let word = cell.chars().any(char::is_alphabetic) || !cell.chars().any(|c| c.is_ascii_digit());
    if cell.chars().count() <= 12 && word {
        return Hint::Marker { text: cell.to_owned() };
    }
    Hint::Unknown
}

/// `1,234.5` or `1,234,567` with `separator` between groups; a single group of three is left to the
/// decimal-comma hint, for which it is as likely.
fn grouped(cell: &str, separator: char) -> Option<String> {
    let (whole, fraction) = cell.split_once('.').map_or((cell, None), |(w, f)| (w, Some(f)));
    let groups = whole.matches(separator).count();
    if groups == 0 || (separator == ',' && groups == 1 && fraction.is_none()) {
        return None;
    }
    let mut plain = ungroup(whole, separator)?;
    if let Some(fraction) = fraction {
        plain = format!("{plain}.{fraction}");
    }
    plain.parse::<f64>().is_ok_and(f64::is_finite).then_some(plain)
}
