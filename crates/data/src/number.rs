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
    "", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "nil", "none", "nat", "-", "--", "?",
    ".", "missing",
];

/// Negative powers of ten, each rounded once.
const TENTHS: [f64; 19] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14,
    1e-15, 1e-16, 1e-17, 1e-18,
];

/// A number of at most 18 digits with at most one decimal separator and a minus sign, at the start of `text`,
/// and how many bytes it takes. `None` for all else, which is [`parse`]'s to judge.
///
/// Three roundings in `f64` (digits, power of ten, product) leave at most three units in the last place
/// between the product and the true value, so rounding it to `f32` gives the correctly rounded result unless
/// it lies that close to the middle between two `f32`; then `None` too.
#[inline]
pub(crate) fn plain(text: &[u8], decimal: u8) -> Option<(f32, usize)> {
    const HALF: u64 = 1 << 28; // the 29 bits that f32 drops, at their middle
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut mantissa, mut point, mut end) = (0_u64, None, start);
    while let Some(&byte) = text.get(end) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if byte == decimal && point.is_none() {
            point = Some(end);
        } else {
            break;
        }
        end += 1;
    }
    let digits = end - start - usize::from(point.is_some());
    if digits == 0 || digits > 18 {
        return None;
    }
    let fraction = point.map_or(0, |at| end - at - 1);
    let value = mantissa as i64 as f64 * TENTHS[fraction]; // 18 digits fit, and signed is one instruction
    let dropped = value.to_bits() & (2 * HALF - 1);
    if dropped.abs_diff(HALF) <= 4 {
        return None;
    }
    let value = value as f32;
    Some((if negative { -value } else { value }, end))
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
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Oracle: the standard library's correctly rounded reading.
        #[test]
        fn the_plain_reading_is_correctly_rounded(text in "-?[0-9]{0,10}(\\.[0-9]{0,12})?") {
            if let Some((value, length)) = plain(text.as_bytes(), b'.') {
                prop_assert_eq!(length, text.len());
                prop_assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{}", text);
            }
        }

        /// Oracle as above, close to the middle between two neighbors, where rounding twice goes wrong.
        #[test]
        fn the_middle_between_two_numbers_is_left_to_the_exact_reading(
            bits in 0x3f80_0000_u32..0x4780_0000, nudge in -3i64..=3,
        ) {
            let (low, high) = (f64::from(f32::from_bits(bits)), f64::from(f32::from_bits(bits + 1)));
            let text = format!("{:.14}", (low + high) / 2.0 + nudge as f64 * 1e-14);
            if let Some((value, length)) = plain(text.as_bytes(), b'.') {
                prop_assert_eq!(length, text.len());
                prop_assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{}", text);
            }
        }
    }

    #[test]
    fn the_plain_reading_takes_most_numbers_and_nothing_else() {
        let reads = |text: &str| plain(text.as_bytes(), b'.');
        assert_eq!(reads("-12.50"), Some((-12.5, 6)));
        assert_eq!(reads("5.827000141143799,1"), Some((5.827, 17)));
        assert_eq!(reads("-0"), Some((-0.0, 2)));
        for (text, taken) in [("1e5", 1), ("1.2.3", 3), ("1,5", 1), ("7 ", 1)] {
            assert_eq!(reads(text).unwrap().1, taken, "{text}"); // the caller sees that the cell goes on
        }
        for other in ["", "-", ".", "-.", "+1", " 1", "nan", "1234567890123456789"] {
            assert_eq!(reads(other), None, "{other}");
        }
    }

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
