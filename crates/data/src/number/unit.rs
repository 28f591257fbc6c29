//! Currencies and physical units beside a number: `$12`, `12 €`, `12.5 kWh`.
//!
//! Only signs that cannot change the number are known: no `k`, `m`, `M` or `T`, which stand for thousands, millions
//! and trillions as well as for units.

/// Signs and codes of currencies; they stand before or after the number.
const CURRENCIES: [&str; 47] = [
    "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₪", "₫", "฿", "₿", "US$", "A$", "C$", "HK$",
    "NZ$", "S$", "R$", "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "CNY", "RMB", "INR",
    "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR", "TRY", "RUB", "KRW", "Rs.",
    "kr", "zł", "Kč",
];

/// Units that stand after the number.
const UNITS: [&str; 64] = [
    "Wh", "kWh", "kwh", "KWH", "MWh", "GWh", "TWh", "kW", "MW", "GW", "kVA", "kV", "mV", "mA",
    "kJ", "MJ", "GJ", "kcal", "kg", "mg", "µg", "lb", "lbs", "oz", "km", "cm", "mm", "ml", "mL",
    "kB", "MB", "GB", "TB", "Hz", "kHz", "MHz", "GHz", "dB", "ms", "min", "hrs", "days", "Pa",
    "hPa", "kPa", "bar", "mbar", "ppm", "ppb", "bps", "m/s", "km/h", "mph", "m²", "m2", "m³", "m3",
    "°", "°C", "°F", "ºC", "℃", "W/m²", "W/m2",
];

/// A unit and the text without it, which begins with the sign of the number.
pub(crate) fn split(text: &str) -> Option<(&'static str, String)> {
    let before = CURRENCIES.iter().find_map(|unit| Some((*unit, without_prefix(text, unit)?)));
    let after = || {
        let units = CURRENCIES.iter().chain(&UNITS);
        units.copied().find_map(|unit| {
            let number = text.strip_suffix(unit)?.trim_end();
            number.ends_with(|c: char| c.is_ascii_digit()).then(|| (unit, number.to_owned()))
        })
    };
    before.or_else(after)
}

/// `-$5` and `$-5` as `-5`.
fn without_prefix(text: &str, unit: &str) -> Option<String> {
    let rest = text.strip_prefix(['-', '+', '\u{2212}']).unwrap_or(text);
    let sign = &text[..text.len() - rest.len()];
    let number = rest.strip_prefix(unit)?.trim_start();
    let unsigned = if sign.is_empty() { number.trim_start_matches(['-', '+']) } else { number };
    let signs = number.len() - unsigned.len();
    (signs < 2 && unsigned.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')))
        .then(|| format!("{sign}{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_taken_off() {
        for (text, unit, number) in [
            ("$12.50", "$", "12.50"),
            ("-$5", "$", "-5"),
            ("$-5", "$", "-5"),
            ("US$ 1,200", "US$", "1,200"),
            ("1.234,50 €", "€", "1.234,50"),
            ("1 234,5\u{a0}€", "€", "1 234,5"),
            ("12.5kWh", "kWh", "12.5"),
            ("-3 °C", "°C", "-3"),
            ("$1.2M", "$", "1.2M"),
            ("USD 7", "USD", "7"),
        ] {
            assert_eq!(split(text), Some((unit, number.to_owned())), "{text}");
        }
        for text in [
            "12k", "5m", "12 T", "12 TEUR", "1.2M €", "$", "kWh", "--$5", "-$-5", "12PM", "$a",
            "12", "é",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
