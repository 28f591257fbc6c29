//! Tests.

use super::*;
use crate::error::Hint;
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
    use Mark::{Accounting, Minus, Percent, Scaled, Truth, Unit};
    let reads = |text: &str| marked(text.as_bytes(), Style::default()).map(|m| (m.value, m.mark));
    for (text, value, mark) in [
        ("(8.93)", -8.93, Accounting),
        ("($ 8)", -8.0, Accounting),
        ("(£12.50)", -12.5, Accounting),
        ("\u{2212}3", -3.0, Minus),
        ("$12.50", 12.5, Unit),
        ("-$1.5M", -1_500_000.0, Scaled),
        ("3 °C", 3.0, Unit),
        ("8.5-", -8.5, Accounting),
        ("574.71K", 574_710.0, Scaled),
        ("1.2bn", 1_200_000_000.0, Scaled),
        ("3.5 Mio.", 3_500_000.0, Scaled),
        ("(0.5%)", -0.5, Percent),
        ("\u{2212}1.5K", -1500.0, Scaled),
        ("($1.2M)", -1_200_000.0, Accounting),
        ("\u{2212}$3", -3.0, Minus),
        ("2.31M", 2_310_000.0, Scaled),
        ("-1.5B", -1.5e9, Scaled),
        ("-1.11%", -1.11, Percent),
        ("12 %", 12.0, Percent),
        ("TRUE", 1.0, Truth),
        ("false", 0.0, Truth),
        ("WAHR", 1.0, Truth),
        ("N", 0.0, Truth),
    ] {
        assert_eq!(reads(text), Some((value, mark)), "{text}");
    }
    for other in ["(-8.93)", "()", "K", "%", "12m", "5 TEUR", "($-8)", "5%€", ""] {
        assert_eq!(reads(other), None, "{other}");
    }
    let german = |cell| marked(cell, GERMAN).map(|m| (m.value, m.mark, m.unit));
    assert_eq!(german("(1.234,5)".as_bytes()), Some((-1234.5, Accounting, None)));
    assert_eq!(german("1.234,5 €".as_bytes()), Some((1234.5, Unit, Some("€"))));
    assert_eq!(german(b"1.234,5 \x80"), Some((1234.5, Unit, Some("€"))), "Windows-1252");
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
    assert_eq!(hint("-inf", plain), Hint::Infinite { text: "-inf".into() });
    assert_eq!(hint("offline", plain), Hint::Marker { text: "offline".into() });
    assert_eq!(hint("2012/01/01", plain), Hint::Unknown);
}
