//! One cell → one number, "missing", or a reason why neither.

use crate::error::Hint;

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
    "", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "nil", "none", "nat", "-", "--", "?",
    ".", "missing",
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
        Err(_) => None,
    };
    match value {
        Some(v) if v.is_finite() => Cell::Value(v),
        _ if is_missing(cell) => Cell::Missing,
        _ => Cell::Bad,
    }
}

/// The number in double precision, for a cell that [`parse`] or [`marked`] read.
pub(crate) fn exact(cell: &[u8], style: Style) -> Option<f64> {
    let text = std::str::from_utf8(cell.trim_ascii()).ok()?;
    let value: f64 = match style == Style::default() {
        true => text.parse().ok()?,
        false => rewrite(text, style)?.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// Digits after the decimal separator.
pub(crate) fn decimals(cell: &[u8], decimal: u8) -> usize {
    let digits = cell.trim_ascii().iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let sign = cell.trim_ascii().iter().rev().nth(digits);
    if sign == Some(&decimal) { digits } else { 0 }
}

/// Reads a cell that [`parse`] calls bad and that means a number all the same.
pub(crate) fn marked(cell: &[u8], style: Style) -> Option<(f64, Mark)> {
    let text = std::str::from_utf8(cell.trim_ascii()).ok()?;
    match text {
        "TRUE" | "True" | "true" | "T" | "YES" | "Yes" | "yes" => return Some((1.0, Mark::Truth)),
        "FALSE" | "False" | "false" | "F" | "NO" | "No" | "no" => return Some((0.0, Mark::Truth)),
        _ => {}
    }
    let number = |text: &str| exact(text.as_bytes(), style);
    let unsigned = |text: &str| {
        number(text).filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
    };
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let amount = inner.trim().trim_start_matches(['$', '€', '£', '¥']);
        return Some((-unsigned(amount)?, Mark::Accounting));
    }
    if let Some(amount) = text.strip_suffix('-') {
        return Some((-unsigned(amount)?, Mark::Accounting));
    }
    if let Some(percent) = text.strip_suffix('%') {
        return Some((number(percent.trim_end())?, Mark::Percent));
    }
    let (digits, suffix) =
        text.split_at(text.len() - text.chars().next_back().filter(char::is_ascii)?.len_utf8());
    let scale = match suffix {
        "K" | "k" => 1e3,
        "M" => 1e6,
        "B" => 1e9,
        "T" => 1e12,
        _ => return None,
    };
    // `574.71 · 1000` is 574710.0000000001 in binary; the decimal number that was meant is nearest.
    let value = number(digits.trim_end())? * scale;
    Some((format!("{value:.15e}").parse().unwrap_or(value), Mark::Scaled))
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

/// The likely meaning of a cell that is not a number.
pub(crate) fn hint(cell: &str, style: Style) -> Hint {
    let cell = cell.trim();
    let lower = cell.trim_start_matches(['-', '+']).to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "∞") {
        return Hint::Infinite;
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
            if let Some(Plain { value, length, .. }) = plain(text.as_bytes(), b'.') {
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
            if let Some(Plain { value, length, .. }) = plain(text.as_bytes(), b'.') {
                prop_assert_eq!(length, text.len());
                prop_assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{}", text);
            }
        }
    }

    #[test]
    fn the_plain_reading_takes_most_numbers_and_nothing_else() {
        let reads = |text: &str| {
            plain(text.as_bytes(), b'.')
                .map(|Plain { value, length, fraction }| (value, length, fraction))
        };
        assert_eq!(reads("-12.50"), Some((-12.5, 6, 2)));
        assert_eq!(reads("5.827000141143799,1"), Some((5.827, 17, 15)));
        assert_eq!(reads("-0"), Some((-0.0, 2, 0)));
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
    fn amounts_multiples_percent_and_truth_keep_their_meaning() {
        use Mark::{Accounting, Percent, Scaled, Truth};
        let reads = |text: &str| marked(text.as_bytes(), Style::default());
        for (text, value, mark) in [
            ("(8.93)", -8.93, Accounting),
            ("($ 8)", 0.0, Accounting),
            ("(£12.50)", -12.5, Accounting),
            ("8.5-", -8.5, Accounting),
            ("574.71K", 574_710.0, Scaled),
            ("2.31M", 2_310_000.0, Scaled),
            ("-1.5B", -1.5e9, Scaled),
            ("-1.11%", -1.11, Percent),
            ("12 %", 12.0, Percent),
            ("TRUE", 1.0, Truth),
            ("false", 0.0, Truth),
        ] {
            let expected = (text != "($ 8)").then_some((value, mark));
            assert_eq!(reads(text), expected, "{text}");
        }
        for other in ["(-8.93)", "()", "K", "%", "12m", "tRuE", "5€", ""] {
            assert_eq!(reads(other), None, "{other}");
        }
        assert_eq!(marked(b"(1.234,5)", GERMAN), Some((-1234.5, Accounting)));
    }

    #[test]
    fn hints_name_the_likely_cause() {
        let plain = Style::default();
        assert_eq!(hint("1,317", plain), Hint::Either { separator: ',', thousands: "1317".into() });
        assert_eq!(hint("1.317", COMMA), Hint::Either { separator: '.', thousands: "1317".into() });
        assert_eq!(
            hint("1.317,5", COMMA),
            Hint::Thousands { separator: '.', rewritten: "1317,5".into() }
        );
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
