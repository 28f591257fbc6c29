//! How a text table is written: its delimiter and its decimal separator, from the first lines.

use super::columns::{Unit, unit_of};
use crate::config::DataConfig;
use crate::number::{self, Cell, Style};
use crate::reading::Reading;

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
    /// The writing that `config` sets, that a trained model remembers, or that the sample shows, in this order.
    pub(crate) fn detect(
        sample: &[u8],
        config: &DataConfig,
        trained: Option<&Reading>,
    ) -> Result<Dialect, EitherComma> {
        let byte = |sign: Option<char>| sign.and_then(|c| u8::try_from(c).ok());
        let remembered = trained.and_then(|reading| byte(reading.delimiter));
        let delimiter =
            byte(config.delimiter).or(remembered).unwrap_or_else(|| find_delimiter(sample));
        let style = match (config.decimal, config.thousands, trained.and_then(|r| r.numbers)) {
            (None, None, Some(style)) => style,
            (None, None, None) => find_style(sample, delimiter, config.header)?,
            (decimal, thousands, _) => Style {
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

/// The sign that cuts most lines into the same number of cells; a comma where none does.
pub(super) fn find_delimiter(sample: &[u8]) -> u8 {
    let (lines, mut best): (Vec<&[u8]>, _) = (lines(sample).collect(), (0, b','));
    for delimiter in *b"\t;|, " {
        let mut counts: Vec<usize> =
            lines.iter().map(|line| count_outside_quotes(line, delimiter)).collect();
        counts.retain(|count| *count > 0);
        counts.sort_unstable();
        let alike = counts.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap_or(0);
        if alike > best.0 {
            best = (alike, delimiter);
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

/// The cells of a line that are separated by spaces.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = line.trim_ascii();
    let words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    words.chain(line.is_empty().then_some(line))
}

/// The text with one space between cells and none at the ends of lines.
pub(super) fn single_spaces(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|&b| b == b'\n');
    lines.fold(Vec::with_capacity(text.len()), |mut all, line| {
        for (i, word) in words(line).enumerate() {
            all.extend_from_slice(if i > 0 { b" " } else { b"" });
            all.extend_from_slice(word);
        }
        all.extend_from_slice(if line.ends_with(b"\n") { b"\n" } else { b"" });
        all
    })
}

fn count_outside_quotes(line: &[u8], delimiter: u8) -> usize {
    if delimiter == b' ' {
        return words(line).count() - 1; // as many spaces as it takes to align columns
    }
    if memchr::memchr(b'"', line).is_none() {
        return memchr::memchr_iter(delimiter, line).count();
    }
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
    let whole = if delimiter == b' ' { single_spaces(&whole) } else { whole };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(header)
        .from_reader(whole.as_slice());
    // Columns that tell the time have no vote.
    let mut columns: Vec<Option<Votes>> = Vec::new();
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
        for column in columns.len()..record.len() {
            let tells_time = unit_of(&name(column)).is_some_and(|unit| unit != Unit::Vague);
            columns.push((!tells_time).then(Votes::default));
        }
        for (votes, cell) in columns.iter_mut().zip(record.iter()) {
            if let Some(votes) = votes {
                votes.count(cell.trim_ascii(), row);
            }
        }
        row += 1;
    }
    let mut votes = Votes::default();
    for (column, own) in columns.into_iter().enumerate() {
        if let Some(own) = own
            && own.others <= own.numbers
            && !own.padded
        {
            votes.add(own, || name(column));
        }
    }
    votes.style().ok_or(()).or_else(|()| votes.either.map_or(Ok(Style::default()), Err))
}

/// Cells of the sample by their shape.
#[derive(Debug, Default)]
struct Votes {
    points: usize,
    commas: usize,
    german: usize,
    american: usize,
    either_points: usize,
    either_commas: usize,
    /// The sign between thousands in cells such as `1 234`, and how many have it.
    spaced: Option<char>,
    spaces: usize,
    /// Numbers of any shape, and cells that are none.
    numbers: usize,
    others: usize,
    /// A number begins with a zero before another digit: a date or a name.
    padded: bool,
    /// The first of `either_commas`.
    either: Option<EitherComma>,
}

impl Votes {
    fn count(&mut self, cell: &[u8], row: usize) {
        if is_decimal(cell) {
            self.points += 1;
            self.numbers += 1;
            return;
        }
        let text = number::bare(cell);
        let bare = text.trim_start_matches(['-', '+']).as_bytes();
        self.padded |= matches!(bare, [b'0', b'0'..=b'9', ..]);
        let shape = shape(&text);
        match shape {
            Shape::Other if number::parse(cell, Style::default(), &[]) == Cell::Missing => return,
            Shape::Other => self.others += 1,
            _ => self.numbers += 1,
        }
        match shape {
            Shape::Point => self.points += 1,
            Shape::Comma => self.commas += 1,
            Shape::Grouped { by: '.' } => self.german += 1,
            Shape::Grouped { by: ',' } => self.american += 1,
            Shape::Grouped { by } if self.spaced.is_none_or(|sign| sign == by) => {
                self.spaced = Some(by);
                self.spaces += 1;
                self.points += usize::from(text.contains('.'));
                self.commas += usize::from(text.contains(','));
            }
            Shape::EitherPoint => self.either_points += 1,
            Shape::EitherComma => {
                self.either_commas += 1;
                let cell = String::from_utf8_lossy(cell).into_owned();
                self.either.get_or_insert(EitherComma { row, header: String::new(), cell });
            }
            Shape::Grouped { .. } | Shape::Plain | Shape::Other => {}
        }
    }

    fn add(&mut self, other: Votes, name: impl FnOnce() -> String) {
        self.points += other.points;
        self.commas += other.commas;
        self.german += other.german;
        self.american += other.american;
        self.either_points += other.either_points;
        self.either_commas += other.either_commas;
        self.spaced = self.spaced.or(other.spaced);
        self.spaces += other.spaces;
        if let (None, Some(either)) = (&self.either, other.either) {
            self.either = Some(EitherComma { header: name(), ..either });
        }
    }

    /// The style all cells allow; `None` where it takes the user to say what a comma means.
    fn style(&self) -> Option<Style> {
        let Votes { points, commas, german, american, either_points, either_commas, .. } = *self;
        let comma = |thousands| Some(Style { decimal: b',', thousands });
        if let Some(sign) = self.spaced.filter(|_| german == 0 && american == 0) {
            // Beside it a point or comma can only be decimal.
            match (points + either_points, commas + either_commas) {
                (0, 1..) => return comma(Some(sign)),
                (_, 0) => return Some(Style { decimal: b'.', thousands: Some(sign) }),
                _ => {}
            }
        }
        if points == 0 && american == 0 && (german > 0 || commas > 0) {
            // Beside a decimal comma a point can only stand between thousands.
            return comma((german > 0 || either_points > 0).then_some('.'));
        }
        let no_other = commas == 0 && german == 0;
        if no_other && (american > 1 || (points > 0 && either_commas > 0)) {
            return Some(Style { decimal: b'.', thousands: Some(',') });
        }
        (either_commas == 0 || points + commas > 0).then(Style::default)
    }
}

/// Whether a cell is `-12.3456`, or the like: a point before more than three digits is decimal, whatever the shape of
/// other cells. Most cells of most tables are such, and need no closer look.
fn is_decimal(cell: &[u8]) -> bool {
    let mut digits = [0_usize; 2];
    let (mut part, mut padded) = (0, false);
    for &byte in cell.strip_prefix(b"-").unwrap_or(cell) {
        match byte {
            b'0'..=b'9' => {
                padded |= part == 0 && digits[0] == 0 && byte == b'0';
                digits[part] += 1;
            }
            b'.' if part == 0 => part = 1,
            _ => return false,
        }
    }
    let [whole, fraction] = digits;
    whole > 0 && fraction > 3 && !(padded && whole > 1)
}

enum Shape {
    /// `1.5`
    Point,
    /// `1,5`
    Comma,
    /// `1.234,5` by points, `1,234.5` by commas; `1.234.567`, `1,234,567`; `1 234` by a sign that is never decimal
    Grouped {
        by: char,
    },
    /// `1.234`
    EitherPoint,
    /// `1,234`
    EitherComma,
    /// `1234`
    Plain,
    Other,
}

/// Signs that stand between thousands and nowhere else in a number.
const SPACES: [char; 6] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '’'];

/// The shape of a cell with digits, one sign at most, and one separator at most.
fn plain_shape(text: &str) -> Option<Shape> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    let at = bare.iter().position(|byte| !byte.is_ascii_digit());
    let (whole, rest) = bare.split_at(at.unwrap_or(bare.len()));
    let [sign, fraction @ ..] = rest else {
        return (!whole.is_empty()).then_some(Shape::Plain);
    };
    if whole.is_empty() || fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let either = whole.len() <= 3 && fraction.len() == 3 && whole[0] != b'0';
    match (sign, either) {
        (b'.', true) => Some(Shape::EitherPoint),
        (b'.', false) => Some(Shape::Point),
        (b',', true) => Some(Shape::EitherComma),
        (b',', false) => Some(Shape::Comma),
        _ => None,
    }
}

fn shape(text: &str) -> Shape {
    if let Some(shape) = plain_shape(text) {
        return shape;
    }
    let style = |decimal, thousands| Style { decimal, thousands };
    let is_value = |style| matches!(number::parse(text.as_bytes(), style, &[]), Cell::Value(_));
    if let Some(by) = text.chars().find(|sign| SPACES.contains(sign)) {
        let fits = is_value(style(b'.', Some(by))) || is_value(style(b',', Some(by)));
        return if fits { Shape::Grouped { by } } else { Shape::Other };
    }
    match (text.matches('.').count(), text.matches(',').count()) {
        (1, 0) if number::may_be_either(text, '.') => Shape::EitherPoint,
        (0, 1) if number::may_be_either(text, ',') => Shape::EitherComma,
        (1, 0) if is_value(Style::default()) => Shape::Point,
        (0, 1) if is_value(style(b',', None)) => Shape::Comma,
        (0, 0) if is_value(Style::default()) => Shape::Plain,
        (0, 0) => Shape::Other,
        (_, 0..=1) if is_value(style(b',', Some('.'))) => Shape::Grouped { by: '.' },
        (0..=1, _) if is_value(style(b'.', Some(','))) => Shape::Grouped { by: ',' },
        _ => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detect(sample: &str) -> Result<Dialect, EitherComma> {
        Dialect::detect(sample.as_bytes(), &DataConfig::new("x.csv", 1, 1), None)
    }

    #[test]
    fn delimiters_and_decimals_are_found() {
        let comma = Style { decimal: b',', thousands: None };
        let german = Style { decimal: b',', thousands: Some('.') };
        let american = Style { decimal: b'.', thousands: Some(',') };
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
            ("date;a;b\n01.02.2012;1.234;0,5\n", b';', german),
            ("date;a\n01.02.2012;1.234.567\n", b';', german),
            ("date,a\n2012-01-01,\"1,234.5\"\n2012-01-02,\"2,345.6\"\n", b',', american),
            ("date,a,b\n2012-01-01,\"1,234\",0.5\n", b',', american),
            ("date,a\n2012-01-01,\"1,234.5\"\n2012-01-02,12\n", b',', plain), // once may be a slip
            ("\"a;b\",c\n\"1\",2\n", b',', plain),
            ("date,a\n2012-01-01,\"1,5\"\n", b',', comma),
            ("date;a\n2012-01-01;0,123\n", b';', comma),
            ("", b',', plain),
        ];
        for (sample, delimiter, style) in cases {
            assert_eq!(detect(sample), Ok(Dialect { delimiter, style }), "{sample:?}");
        }
    }

    proptest! {
        /// Oracle: the shape of the cell as it is found without the shortcut.
        #[test]
        fn plain_decimals_are_points(cell in "[-+]?[0-9]{0,3}[.,x]?[0-9.]{0,6}", zero in "0?[0-9]{1,3}\\.[0-9]{3,5}") {
            for cell in [cell, zero] {
                if is_decimal(cell.as_bytes()) {
                    prop_assert!(matches!(shape(&number::bare(cell.as_bytes())), Shape::Point), "{cell}");
                    let bare = cell.trim_start_matches('-').as_bytes();
                    prop_assert!(!matches!(bare, [b'0', b'0'..=b'9', ..]), "{cell}");
                }
            }
            prop_assert!(is_decimal(b"-0.12345") && is_decimal(b"12.3456") && !is_decimal(b"1.234"));
        }
    }

    #[test]
    fn a_comma_that_may_be_either_is_asked_about() {
        let either = detect("date;a\n2012-01-01;1,234\n2012-01-02;5,678\n").unwrap_err();
        assert_eq!(either, EitherComma { row: 0, header: "a".into(), cell: "1,234".into() });
        assert!(detect("date;a\n2012-01-01;1,234\n2012-01-02;5,67\n").is_ok());
    }
}
