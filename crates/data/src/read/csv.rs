//! Delimited text, row by row: plain lines split in place, from the first quote on through the csv crate.

use std::borrow::Cow;
use std::io::Read;
use std::iter::repeat;
use std::rc::Rc;

use super::builder::{Builder, FileUses};
use super::dialect::{Dialect, EitherComma, single_spaces};
use super::lines::{Cells, Next, PlainLines, Row, Split};
use super::open::{self, Source};
use super::table::{RowFault, bad_cell, bad_time};
use crate::config::{DataConfig, Encoding};
use crate::error::DataError;
use crate::number::{self, Mark};
use crate::reading::Reading;
use crate::text::Count;
use crate::text::decode;

/// Reads one file into `builder`; returns how it is written.
pub(crate) fn read(
    source: &Source,
    series: &str,
    config: &DataConfig,
    builder: &mut Builder<'_>,
) -> Result<Dialect, DataError> {
    let path = source.path();
    let text = open::open_text(source, config.encoding)?;
    let start = Start::of(&text.sample, config);
    if start.comments > 0 {
        let count = Count(start.comments, "line");
        builder.note(format!("left out before the table: {count} with `#`"));
    }
    let sample = &text.sample[start.byte as usize..];
    if sample.iter().all(u8::is_ascii_whitespace) {
        return Err(DataError::Empty { path: path.to_path_buf(), header: false });
    }
    let declared = DataConfig { delimiter: config.delimiter.or(start.delimiter), ..config.clone() };
    let dialect = Dialect::detect(sample, &declared, builder.trained)
        .map_err(|e| either_comma(e, source, config, start.line))?;
    if let Some(trained) = builder.trained {
        refuse_other_delimiter(sample, &declared, trained, source)?;
    }
    let spaced = dialect.delimiter == b' ';
    let text_of = if spaced { Cow::from(single_spaces(sample)) } else { Cow::from(sample) };
    let Header { names, first, end, before, units } =
        header(&text_of, dialect, config, source, &start)?;
    for (row, place) in before.iter().zip(repeat("before")).chain(units.iter().zip(repeat("after")))
    {
        let cells: Vec<String> = row.iter().map(|cell| format!("`{cell}`")).collect();
        let cells = cells.join(", ");
        builder.note(format!("a row of text {place} the header is left out: {cells}"));
    }
    let few = || few_rows(&text_of[end.1 as usize..], dialect, names.len());
    let uses = builder.begin_file(path, series, &names, &first, &few)?;
    let byte = if spaced { bytes_before(sample, end.0) } else { end.1 };
    let end = (end.0 + start.line, byte + start.byte);
    let earlier = builder.rows();
    let mut rows = Rows { uses: &uses, dialect, config, source, builder, next_line: end.0 };
    let row_bytes = text.row_bytes;
    rows.read(PlainLines::new(text.sample, text.rest, end), &row_bytes)?;
    if builder.rows() == earlier {
        return Err(DataError::Empty { path: path.to_path_buf(), header: true });
    }
    Ok(dialect)
}

/// Where the table starts: after `skip_rows` lines, lines with a `#`, and a spreadsheet's `sep=;`.
struct Start {
    /// Lines and bytes before it.
    line: u64,
    byte: u64,
    comments: u64,
    /// The last of the comments, without its sign: it may hold the names.
    names: Option<Vec<u8>>,
    delimiter: Option<char>,
}

impl Start {
    fn of(sample: &[u8], config: &DataConfig) -> Start {
        let mut start = Start { line: 0, byte: 0, comments: 0, names: None, delimiter: None };
        let mut blank = (0, 0); // blank lines count only before a comment
        for line in sample.split_inclusive(|&b| b == b'\n') {
            let text = line.trim_ascii();
            let skipped = (start.line as usize) < config.skip_rows;
            let comment = config.header && text.starts_with(b"#") && !skipped;
            let separator = text.strip_prefix(b"sep=").filter(|sign| sign.len() == 1 && !skipped);
            if text.is_empty() && !skipped {
                blank = (blank.0 + 1, blank.1 + line.len() as u64);
                continue;
            }
            if !(skipped || comment || separator.is_some()) {
                break;
            }
            start.line += 1 + blank.0;
            start.byte += line.len() as u64 + blank.1;
            start.comments += u64::from(comment);
            if comment {
                start.names = Some(text.trim_ascii_start()[1..].to_vec());
            }
            start.delimiter = start.delimiter.or(separator.map(|sign| char::from(sign[0])));
            blank = (0, 0);
        }
        start
    }
}

/// A file separated by another sign than that of a trained model, where the latter finds no cells.
fn refuse_other_delimiter(
    sample: &[u8],
    config: &DataConfig,
    trained: &Reading,
    source: &Source,
) -> Result<(), DataError> {
    let Some(expected) = trained.delimiter.filter(|_| config.delimiter.is_none()) else {
        return Ok(());
    };
    let first = sample
        .split(|&b| b == b'\n')
        .find(|line| !line.trim_ascii().is_empty())
        .unwrap_or_default();
    let found = char::from(super::dialect::find_delimiter(sample));
    if found == expected || first.contains(&(expected as u8)) || !first.contains(&(found as u8)) {
        return Ok(());
    }
    Err(DataError::ReadingChanged {
        path: source.path().to_path_buf(),
        what: "cells",
        found: format!("separated by `{}`", found.escape_default()),
        expected: format!("separated by `{}`", expected.escape_default()),
        key: "delimiter",
    })
}

/// Whether a row that begins with `#` is a comment: it has other cells than the table.
fn is_comment(text: &[u8], cells: usize, width: usize) -> bool {
    text.first() == Some(&b'#') && cells != width
}

fn parser<R: Read>(stream: R, dialect: Dialect, buffer: usize) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(buffer)
        .from_reader(stream)
}

/// The bytes before a line of a text; lines count from 1.
fn bytes_before(text: &[u8], line: u64) -> u64 {
    let lines = text.split_inclusive(|&b| b == b'\n').take(line as usize - 1);
    lines.map(|line| line.len() as u64).sum()
}

/// The first rows of a text that have as many cells as the header.
fn few_rows(text: &[u8], dialect: Dialect, width: usize) -> Vec<Vec<String>> {
    const FEW_ROWS: usize = 100;
    let records = parser(text, dialect, FEW).into_byte_records().take(FEW_ROWS);
    let rows = records.map_while(Result::ok).filter(|record| record.len() == width);
    rows.map(|record| record.iter().map(decode).collect()).collect()
}

#[derive(Default)]
struct Header {
    names: Vec<String>,
    /// Cells of the first row.
    first: Vec<String>,
    /// Line and byte after the header.
    end: (u64, u64),
    /// Rows before the names.
    before: Vec<Vec<String>>,
    /// Rows between the names and the values.
    units: Vec<Vec<String>>,
}

fn header(
    sample: &[u8],
    dialect: Dialect,
    config: &DataConfig,
    source: &Source,
    start: &Start,
) -> Result<Header, DataError> {
    let path = source.path();
    let mut reader = parser(sample, dialect, FEW);
    let mut record = csv::ByteRecord::new();
    let mut next = || {
        let more = reader.read_byte_record(&mut record).unwrap_or(false);
        let row = more.then(|| record.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        (row, (reader.position().line(), reader.position().byte()))
    };
    let cells = |row: Vec<Vec<u8>>| -> Vec<String> {
        row.iter().map(|cell| decode(cell).trim().to_owned()).collect()
    };
    let (raw, end) = next();
    let raw = raw.unwrap_or_default();
    if !config.header {
        let first = cells(raw);
        let names = (1..=first.len()).map(|i| format!("column_{i}")).collect();
        return Ok(Header { names, first, end: (1, 0), ..Header::default() });
    }
    if config.encoding == Encoding::Utf8 && raw.iter().any(|c| std::str::from_utf8(c).is_err()) {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "has a header that is not UTF-8".into(),
            remedy: "set `encoding = \"latin-1\"` or `encoding = \"auto\"` under [data]",
        });
    }
    let all_numbers = raw.iter().all(|cell| is_value(cell, dialect));
    let mut names = cells(raw);
    if all_numbers {
        // The names may stand in the last comment.
        let commented = start.names.as_deref().and_then(|line| {
            let mut record = csv::ByteRecord::new();
            parser(line, dialect, FEW).read_byte_record(&mut record).ok()?;
            (record.len() == names.len())
                .then(|| cells(record.iter().map(<[u8]>::to_vec).collect()))
        });
        if let Some(commented) = commented {
            let (names, first) = (commented, names);
            return Ok(Header { names, first, end: (1, 0), ..Header::default() });
        }
        let first = names.first().cloned().unwrap_or_default();
        return Err(DataError::NoHeader { path: path.to_path_buf(), line: start.line + 1, first });
    }
    let following: Vec<_> = (0..=MOST_UNITS).map(|_| next()).collect();
    let row = |at: usize| {
        let row = following.get(at).and_then(|(row, _)| row.as_ref());
        row.filter(|row| row.len() == names.len())
    };
    let texts = (0..).take_while(|&at| row(at).is_some_and(|row| is_text(row, dialect))).count();
    let values = |row: &Vec<Vec<u8>>| row.iter().any(|cell| is_value(cell, dialect));
    let texts = if row(texts).is_some_and(values) { texts } else { 0 };
    let end = texts.checked_sub(1).map_or(end, |last| following[last].1);
    let mut rows = following.into_iter().map(|(row, _)| row.map(cells).unwrap_or_default());
    let mut units: Vec<Vec<String>> = rows.by_ref().take(texts).collect();
    // A first row with an empty cell is a title, if a full one follows.
    let full = |row: &Vec<String>| row.iter().all(|cell| !cell.is_empty());
    let mut before = Vec::new();
    if names.iter().skip(1).any(String::is_empty)
        && let Some(at) = units.iter().position(full)
    {
        before = vec![std::mem::replace(&mut names, std::mem::take(&mut units[at]))];
        before.extend(units.drain(..=at).take(at));
    }
    for (i, name) in names.iter_mut().enumerate() {
        if name.is_empty() {
            *name = format!("column_{}", i + 1); // pandas writes its index without a name
        }
    }
    Ok(Header { names, first: rows.next().unwrap_or_default(), end, before, units })
}

/// Bytes to hold at once of a few rows.
const FEW: usize = 4 << 10;

/// Rows of units, and such, that may stand between the header and the values.
const MOST_UNITS: usize = 2;

/// Whether a cell is a number, or a time by its look.
fn is_value(cell: &[u8], dialect: Dialect) -> bool {
    matches!(number::parse(cell, dialect.style, &[]), number::Cell::Value(_))
        || number::marked(cell, dialect.style).is_some_and(|found| found.mark != Mark::Truth)
        || crate::time::parse::Written::candidates(&String::from_utf8_lossy(cell))
            .iter()
            .any(|w| w.is_explicit())
}

/// Whether a row has text in some cells, and in all others nothing.
fn is_text(row: &[Vec<u8>], dialect: Dialect) -> bool {
    let empty = |cell: &Vec<u8>| cell.trim_ascii().is_empty();
    let text = |cell: &Vec<u8>| {
        number::parse(cell, dialect.style, &[]) == number::Cell::Bad && !is_value(cell, dialect)
    };
    row.len() > 1 && !row.iter().all(empty) && row.iter().all(|cell| empty(cell) || text(cell))
}

/// The rows of one file on their way into the table.
struct Rows<'r, 'b> {
    uses: &'r FileUses,
    dialect: Dialect,
    config: &'r DataConfig,
    source: &'r Source,
    builder: &'r mut Builder<'b>,
    /// The line after the last row.
    next_line: u64,
}

impl Rows<'_, '_> {
    fn read(
        &mut self,
        mut lines: PlainLines,
        row_bytes: &Rc<std::cell::Cell<u64>>,
    ) -> Result<(), DataError> {
        let (delimiter, width) = (self.dialect.delimiter, self.uses.header.len());
        loop {
            row_bytes.set(0);
            let (line, _) = lines.place();
            match lines.next().map_err(|e| self.io_error(e, line))? {
                Next::End => return Ok(()),
                Next::Quote => break,
                Next::Line { cells, .. } if cells.trim_ascii().is_empty() => {}
                Next::Line { cells, .. }
                    if cells.first() == Some(&b'#')
                        && is_comment(cells, Cells::new(cells, delimiter).count(), width) =>
                {
                    self.skip_comment();
                }
                Next::Line { cells, line, byte } => {
                    self.push(Cells::new(cells, delimiter), width, (line, byte), false)?;
                }
            }
        }
        let (line, byte) = lines.place();
        self.read_quoted(
            parser(lines.into_rest(), self.dialect, 64 << 10),
            line - 1,
            byte,
            row_bytes,
        )
    }

    /// The rest of a file with quotes; `lines` and `bytes` came before it.
    fn read_quoted<R: Read>(
        &mut self,
        mut reader: csv::Reader<R>,
        lines: u64,
        bytes: u64,
        row_bytes: &Rc<std::cell::Cell<u64>>,
    ) -> Result<(), DataError> {
        let mut record = csv::ByteRecord::new();
        let width = self.uses.header.len();
        loop {
            row_bytes.set(0);
            let byte = bytes + reader.position().byte();
            let before = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(e) => return Err(self.csv_error(e, lines + before)),
            }
            if record.len() == 1 && record[0].trim_ascii().is_empty() && self.uses.header.len() > 1
            {
                continue; // a line of spaces
            }
            if record.get(0).is_some_and(|cell| is_comment(cell, record.len(), width)) {
                self.skip_comment();
                continue;
            }
            // `before` is that of a blank line before the row; counting back from the line after it is
            // exact. A quote left open swallows the last line end too, so never before the row's start.
            let after = reader.position().line() - 1;
            let inner = record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
            let line = lines + (after - inner).max(before);
            self.push(Split(record.iter()), record.len(), (line, byte), inner > 0)?;
        }
    }

    fn skip_comment(&mut self) {
        self.builder.note("lines with `#` among the rows are left out".into());
        self.next_line += 1;
    }

    fn push<'c>(
        &mut self,
        cells: impl Row<'c>,
        count: usize,
        (line, byte): (u64, u64),
        open_quote: bool,
    ) -> Result<(), DataError> {
        let width = self.uses.header.len();
        while width == 1 && self.next_line < line {
            // In a table of one column a blank line is a missing value.
            let place = (self.next_line, byte);
            let blank = Cells::new(b"", self.dialect.delimiter);
            let pushed = self.builder.push_row(blank, self.uses, self.dialect.style, place);
            pushed.map_err(|fault| self.row_error(fault, place))?;
            self.next_line += 1;
        }
        self.next_line = line + 1;
        let ragged = |found| DataError::RaggedRow {
            path: self.source.path().to_path_buf(),
            line,
            found,
            expected: width,
            open_quote,
        };
        if count != width && count != width + 1 {
            return Err(ragged(count)); // one cell more may be empty
        }
        let rest = cells.clone();
        let pushed = self.builder.push_row(cells, self.uses, self.dialect.style, (line, byte));
        match pushed {
            Ok(()) => Ok(()),
            Err(RowFault::Ragged) => Err(ragged(rest.count())),
            Err(fault) => Err(self.row_error(fault, (line, byte))),
        }
    }

    fn io_error(&self, e: std::io::Error, line: u64) -> DataError {
        open::read_error(e, self.source, self.builder.rows(), line)
    }

    fn csv_error(&self, error: csv::Error, line: u64) -> DataError {
        match error.into_kind() {
            csv::ErrorKind::Io(e) => self.io_error(e, line),
            other => DataError::Truncated {
                path: self.source.path().to_path_buf(),
                rows: self.builder.rows(),
                message: format!("{other:?}"),
            },
        }
    }

    fn row_error(&self, fault: RowFault, (line, byte): (u64, u64)) -> DataError {
        let path = self.source.path();
        let (encoding, delimiter) = (self.config.encoding, self.dialect.delimiter);
        let column = |field| column_of(self.source, encoding, delimiter, byte, field);
        match fault {
            RowFault::Cell(bad) => bad_cell(path, &bad, column(bad.field), self.dialect.style),
            RowFault::Time(bad, why) => {
                let column = column(bad.field);
                bad_time(path, bad, column, self.builder.time_like(), why)
            }
            RowFault::Static { first, second, series, header } => DataError::StaticVaries {
                path: path.to_path_buf(),
                line,
                header,
                series,
                first,
                second,
            },
            RowFault::Ragged => DataError::RaggedRow {
                path: path.to_path_buf(),
                line,
                found: 0,
                expected: self.uses.header.len(),
                open_quote: false,
            },
        }
    }
}

/// One-based character column at which a field starts, found by reading the file again; 1 where it cannot be.
pub(crate) fn column_of(
    source: &Source,
    encoding: Encoding,
    delimiter: u8,
    byte: u64,
    field: usize,
) -> u64 {
    let Ok(text) = open::open_text(source, encoding) else { return 1 };
    let row_bytes = text.row_bytes.clone();
    let mut stream = text.stream();
    let mut left = byte;
    while left > 0 {
        row_bytes.set(0); // the limit is for rows, not for what is skipped
        match std::io::copy(&mut stream.by_ref().take(left.min(1 << 20)), &mut std::io::sink()) {
            Ok(n) if n > 0 => left -= n,
            _ => return 1,
        }
    }
    row_bytes.set(0);
    let mut line = Vec::new();
    if stream.take(1 << 20).read_to_end(&mut line).is_err() && line.is_empty() {
        return 1;
    }
    let blank = line.iter().take_while(|&&b| b == b'\n').count();
    let line = &line[blank..];
    let (mut quoted, mut passed) = (false, 0);
    for (i, &b) in line.iter().enumerate() {
        if passed == field {
            return String::from_utf8_lossy(&line[..i]).chars().count() as u64 + 1;
        }
        match b {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            b if b == delimiter && !quoted => passed += 1,
            _ => {}
        }
    }
    1
}

fn either_comma(
    either: EitherComma,
    source: &Source,
    config: &DataConfig,
    before: u64,
) -> DataError {
    DataError::Ambiguous {
        path: source.path().to_path_buf(),
        line: before + either.row as u64 + 1 + u64::from(config.header),
        header: either.header,
        first: either.cell.replace(',', "."),
        second: either.cell.replace(',', ""),
        cell: either.cell,
        remedy: "set `decimal = \",\"` or `thousands = \",\"` under [data]",
    }
}
