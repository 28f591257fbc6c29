//! How a text table is written: its delimiter and its decimal separator, from the first lines.

use crate::config::DataConfig;
use crate::number::{self, Cell, Style};

/// The writing of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) style: Style,
}

/// A cell whose comma may be decimal or between thousands: its row in the sample, its column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EitherComma {
    pub(crate) row: usize,
    pub(crate) header: String,
    pub(crate) cell: String,
}

/// Lines looked at.
const LINES: usize = 200;

impl Dialect {
    /// What `config` sets, and for the rest what the sample shows.
    pub(crate) fn detect(sample: &[u8], config: &DataConfig) -> Result<Dialect, EitherComma> {
        let given = config.delimiter.and_then(|c| u8::try_from(c).ok());
        let delimiter = given.unwrap_or_else(|| find_delimiter(sample));
        let style = match (config.decimal, config.thousands) {
            (None, None) => find_style(sample, delimiter, config.header)?,
            (decimal, thousands) => Style {
                decimal: if decimal == Some(',') || (decimal.is_none() && thousands == Some('.')) {
                    b','
                } else {
                    b'.'
                },
                thousands,
            },
        };
        Ok(Dialect { delimiter, style })
    }
}

/// The sign that cuts most lines into as many cells as the first; a comma where none does.
fn find_delimiter(sample: &[u8]) -> u8 {
    let mut best = (0, b',');
    for delimiter in *b"\t;|, " {
        let counts: Vec<usize> =
            lines(sample).map(|line| count_outside_quotes(line, delimiter)).collect();
        let Some(&first) = counts.first() else { continue };
        let alike = counts.iter().filter(|&&c| c == first).count();
        let score = if first == 0 { 0 } else { alike * 1000 / counts.len() };
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

/// Complete lines that are not blank; the last one of the sample may be cut and is left out of many.
fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = match sample.iter().rposition(|&b| b == b'\n') {
        Some(end) => &sample[..end],
        None => sample,
    };
    whole.split(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES)
}

fn count_outside_quotes(line: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for &byte in line {
        match byte {
            b'"' => quoted = !quoted,
            b if b == delimiter && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

/// Votes of the sample's cells on what a comma or a point in a number means.
fn find_style(sample: &[u8], delimiter: u8, header: bool) -> Result<Style, EitherComma> {
    let whole = lines(sample).fold(Vec::new(), |mut all: Vec<u8>, line| {
        all.extend_from_slice(line);
        all.push(b'\n');
        all
    });
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(header)
        .from_reader(whole.as_slice());
    let (mut points, mut commas, mut german, mut either) = (0, 0, 0, None);
    let names = match header {
        true => reader.byte_headers().cloned().unwrap_or_default(),
        false => csv::ByteRecord::new(),
    };
    let name = |column: usize| match names.get(column) {
        Some(name) => String::from_utf8_lossy(name).trim().to_owned(),
        None => format!("column_{}", column + 1),
    };
    let mut record = csv::ByteRecord::new();
    let mut row = 0;
    while let Ok(true) = reader.read_byte_record(&mut record) {
        for (column, cell) in record.iter().enumerate() {
            match shape(cell.trim_ascii()) {
                Shape::Point => points += 1,
                Shape::Comma => commas += 1,
                Shape::German => german += 1,
                Shape::Either if either.is_none() => {
                    let cell = String::from_utf8_lossy(cell).trim().to_owned();
                    either = Some(EitherComma { row, header: name(column), cell });
                }
                Shape::Either | Shape::Other => {}
            }
        }
        row += 1;
    }
    if german > 0 && points == 0 {
        return Ok(Style { decimal: b',', thousands: Some('.') });
    }
    if commas > 0 && points == 0 {
        return Ok(Style { decimal: b',', thousands: None });
    }
    match either {
        Some(either) if points == 0 && commas == 0 => Err(either),
        _ => Ok(Style::default()),
    }
}

enum Shape {
    /// `1.5`
    Point,
    /// `1,5`
    Comma,
    /// `1.234,5`
    German,
    /// `1,234`
    Either,
    Other,
}

fn shape(cell: &[u8]) -> Shape {
    let Ok(text) = std::str::from_utf8(cell) else { return Shape::Other };
    let is_value = |style| matches!(number::parse(cell, style, &[]), Cell::Value(_));
    let bare = text.trim_start_matches(['-', '+']);
    match (text.matches('.').count(), text.matches(',').count()) {
        (1, 0) if is_value(Style::default()) => Shape::Point,
        (0, 1) if is_value(Style { decimal: b',', thousands: None }) => {
            match bare.split_once(',') {
                Some((whole, fraction))
                    if fraction.len() == 3
                        && (1..=3).contains(&whole.len())
                        && !whole.starts_with('0') =>
                {
                    Shape::Either
                }
                _ => Shape::Comma,
            }
        }
        (1.., 1)
            if text.find('.') < text.find(',')
                && is_value(Style { decimal: b',', thousands: Some('.') }) =>
        {
            Shape::German
        }
        _ => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(sample: &str) -> Result<Dialect, EitherComma> {
        Dialect::detect(sample.as_bytes(), &DataConfig::new("x.csv", 1, 1))
    }

    #[test]
    fn delimiters_and_decimals_are_found() {
        let comma = Style { decimal: b',', thousands: None };
        let german = Style { decimal: b',', thousands: Some('.') };
        let plain = Style::default();
        let cases = [
            ("date,a,b\n2012-01-01,1.5,2\n", b',', plain),
            ("date;a;b\n2012-01-01;1,5;2,25\n", b';', comma),
            ("date;a;b\n2012-01-01;1.5;2,5\n", b';', plain), // both: the odd cell becomes an error
            ("date\ta\n2012-01-01 00:00\t1\n", b'\t', plain),
            ("date|a\n2012-01-01|1\n", b'|', plain),
            ("date a\n2012-01-01 1\n", b' ', plain),
            ("a\n1\n", b',', plain),
            ("date;a\n01.02.2012;1.234,5\n", b';', german),
            ("\"a;b\",c\n\"1\",2\n", b',', plain),
            ("date,a\n2012-01-01,\"1,5\"\n", b',', comma),
            ("date;a\n2012-01-01;0,123\n", b';', comma),
            ("", b',', plain),
        ];
        for (sample, delimiter, style) in cases {
            assert_eq!(detect(sample), Ok(Dialect { delimiter, style }), "{sample:?}");
        }
    }

    #[test]
    fn a_comma_that_may_be_either_is_asked_about() {
        let either = detect("date;a\n2012-01-01;1,234\n2012-01-02;5,678\n").unwrap_err();
        assert_eq!(either, EitherComma { row: 0, header: "a".into(), cell: "1,234".into() });
        assert!(detect("date;a\n2012-01-01;1,234\n2012-01-02;5,67\n").is_ok());
    }
}
