//! One cell → one number, "missing", or a reason why neither.

use crate::error::Hint;

/// How numbers are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Value(f32),
    Missing,
    Bad,
}

/// Spellings of "missing" understood everywhere, compared without regard to case.
pub(crate) const MISSING: [&str; 16] = [
    "", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "nil", "none", "nat", "-", "--", "?", ".",
    "missing",
];

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
        Err(_) => None,
    };
    match value {
        Some(v) if v.is_finite() => Cell::Value(v),
        _ if is_missing(cell) => Cell::Missing,
        _ => Cell::Bad,
    }
}

fn is_missing(cell: &[u8]) -> bool {
    cell.len() <= 7 && MISSING.iter().any(|m| m.as_bytes().eq_ignore_ascii_case(cell))
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
    let well_formed = (1..=3).contains(&first.len())
        && groups.all(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit()));
    well_formed.then(|| whole.replace(separator, ""))
}

/// What a cell that is not a number most likely is.
pub(crate) fn hint(cell: &str, style: Style) -> Hint {
    let cell = cell.trim();
    let lower = cell.trim_start_matches(['-', '+']).to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "∞") {
        return Hint::Infinite;
    }
    let is_number = |s: &str| s.parse::<f64>().is_ok_and(f64::is_finite);
    if is_number(cell) {
        return if cell.parse::<f32>().is_ok_and(f32::is_finite) { Hint::Unknown } else { Hint::TooLarge };
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
    let units = ascii.chars().filter(|c| !c.is_ascii_digit()).count();
    if is_number(bare) && units <= 12 && !bare.is_empty() {
        return Hint::Unit { rewritten: bare.to_owned() };
    }
    if cell.chars().count() <= 12 && cell.chars().any(char::is_alphabetic) {
        return Hint::Marker;
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

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Style = Style { decimal: b',', thousands: None };
    const GERMAN: Style = Style { decimal: b',', thousands: Some('.') };

    #[test]
    fn cells_are_numbers_missing_or_bad() {
        let cases: [(&str, Style, Cell); 24] = [
            ("1", Style::default(), Cell::Value(1.0)),
            (" -1.5e3 ", Style::default(), Cell::Value(-1500.0)),
            ("+.5", Style::default(), Cell::Value(0.5)),
            ("", Style::default(), Cell::Missing),
            ("  ", Style::default(), Cell::Missing),
            ("NaN", Style::default(), Cell::Missing),
            ("-nan", Style::default(), Cell::Bad),
            ("#N/A", Style::default(), Cell::Missing),
            ("NULL", Style::default(), Cell::Missing),
            ("inf", Style::default(), Cell::Bad),
            ("-Infinity", Style::default(), Cell::Bad),
            ("1e308", Style::default(), Cell::Bad),
            ("1e-308", Style::default(), Cell::Value(0.0)),
            ("1,5", Style::default(), Cell::Bad),
            ("1,5", COMMA, Cell::Value(1.5)),
            ("1.5", COMMA, Cell::Bad),
            ("-1.234.567,5", GERMAN, Cell::Value(-1_234_567.5)),
            ("1.23,5", GERMAN, Cell::Bad),
            ("1,2,3", COMMA, Cell::Bad),
            ("0x10", Style::default(), Cell::Bad),
            ("1_000", Style::default(), Cell::Bad),
            ("12%", Style::default(), Cell::Bad),
            ("-", Style::default(), Cell::Missing),
            ("1\0", Style::default(), Cell::Bad),
        ];
        for (text, style, expected) in cases {
            assert_eq!(parse(text.as_bytes(), style, &[]), expected, "{text:?} {style:?}");
        }
        assert_eq!(parse(b"-999", Style::default(), &["-999".into()]), Cell::Missing);
        assert_eq!(parse(b"-999.0", Style::default(), &["-999".into()]), Cell::Value(-999.0));
    }

    #[test]
    fn hints_name_the_likely_cause() {
        let plain = Style::default();
        assert_eq!(hint("12,5", plain), Hint::DecimalComma { rewritten: "12.5".into() });
        assert_eq!(
            hint("1,234.5", plain),
            Hint::Thousands { separator: ',', rewritten: "1234.5".into() }
        );
        assert_eq!(
            hint("1 234 567", plain),
            Hint::Thousands { separator: ' ', rewritten: "1234567".into() }
        );
        assert_eq!(hint("$12.50", plain), Hint::Unit { rewritten: "12.50".into() });
        assert_eq!(hint("12 %", plain), Hint::Unit { rewritten: "12".into() });
        assert_eq!(hint("\u{2212}3", plain), Hint::Unit { rewritten: "-3".into() });
        assert_eq!(hint("1e308", plain), Hint::TooLarge);
        assert_eq!(hint("1e999", plain), Hint::TooLarge);
        assert_eq!(hint("-inf", plain), Hint::Infinite);
        assert_eq!(hint("offline", plain), Hint::Marker);
        assert_eq!(hint("2012/01/01", plain), Hint::Unknown);
    }
}
