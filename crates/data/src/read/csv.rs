//! Delimited text, row by row, through the csv crate.

use std::io::Read;

use super::dialect::{Dialect, EitherComma};
use super::number;
use super::open::{self, ROW_TOO_LONG, Source, Text};
use super::table::{Builder, RowFault, Use, bad_cell, bad_time};
use crate::config::{DataConfig, Encoding};
use crate::error::DataError;

/// Reads one file into `builder`; returns how it is written.
pub(crate) fn read(
    source: &Source,
    series: &str,
    config: &DataConfig,
    builder: &mut Builder<'_>,
) -> Result<Dialect, DataError> {
    let path = source.path();
    let text = open::open_text(source, config.encoding)?;
    if text.sample.iter().all(u8::is_ascii_whitespace) {
        return Err(DataError::Empty { path: path.to_path_buf(), header: false });
    }
    let dialect = Dialect::detect(&text.sample, config).map_err(|e| either_comma(e, source, config))?;
    let (header, first) = header(&text, dialect, config, source)?;
    let uses = builder.begin_file(path, series, &header, &first)?;
    let before = builder.rows();
    read_rows(text, &header, &uses, dialect, config, source, builder)?;
    if builder.rows() == before {
        return Err(DataError::Empty { path: path.to_path_buf(), header: true });
    }
    Ok(dialect)
}

fn parser<R: Read>(stream: R, dialect: Dialect) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(64 << 10)
        .from_reader(stream)
}

/// Column names, and the first row of cells.
fn header(
    text: &Text,
    dialect: Dialect,
    config: &DataConfig,
    source: &Source,
) -> Result<(Vec<String>, Vec<String>), DataError> {
    let path = source.path();
    let mut reader = parser(text.sample.as_slice(), dialect);
    let mut record = csv::ByteRecord::new();
    let mut next = || {
        let more = reader.read_byte_record(&mut record).unwrap_or(false);
        more.then(|| record.iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
    };
    let cells = |row: Vec<Vec<u8>>| -> Vec<String> {
        row.iter().map(|cell| open::decode(cell, config.encoding).trim().to_owned()).collect()
    };
    let raw = next().unwrap_or_default();
    if !config.header {
        let first = cells(raw);
        let names = (1..=first.len()).map(|i| format!("column_{i}")).collect();
        return Ok((names, first));
    }
    if config.encoding == Encoding::Utf8 && raw.iter().any(|c| std::str::from_utf8(c).is_err()) {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            what: "has a header that is not UTF-8".into(),
            remedy: "set `encoding = \"latin-1\"` or \"auto\" under [data]",
        });
    }
    let all_numbers = raw.iter().all(|cell| {
        matches!(number::parse(cell, dialect.style, &[]), number::Cell::Value(_))
            || crate::time::parse::Written::candidates(&String::from_utf8_lossy(cell))
                .iter()
                .any(|w| w.is_explicit())
    });
    let mut names = cells(raw);
    if all_numbers {
        let first = names.first().cloned().unwrap_or_default();
        return Err(DataError::NoHeader { path: path.to_path_buf(), first });
    }
    for (i, name) in names.iter_mut().enumerate() {
        if name.is_empty() {
            *name = format!("column_{}", i + 1); // pandas writes its index without a name
        }
    }
    Ok((names, next().map(cells).unwrap_or_default()))
}

fn read_rows(
    text: Text,
    header: &[String],
    uses: &[Use],
    dialect: Dialect,
    config: &DataConfig,
    source: &Source,
    builder: &mut Builder<'_>,
) -> Result<(), DataError> {
    let row_bytes = text.row_bytes;
    let mut reader = parser(text.stream, dialect);
    let mut record = csv::ByteRecord::new();
    let mut skip_header = config.header;
    let mut next_line = 1;
    loop {
        row_bytes.set(0);
        let byte = reader.position().byte();
        let more = reader
            .read_byte_record(&mut record)
            .map_err(|e| stream_error(e, source, reader_line(&record), builder.rows()))?;
        if !more {
            return Ok(());
        }
        if std::mem::take(&mut skip_header) {
            next_line = reader.position().line();
            continue;
        }
        if header.len() > 1 && record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue; // a line of spaces
        }
        // The parser's own line is that of a blank line before the row; the line after it is exact.
        let last_line = reader.position().line() - 1;
        if record.len() != header.len() {
            let inner = newlines(&record);
            return Err(DataError::RaggedRow {
                path: source.path().to_path_buf(),
                line: last_line - inner,
                found: record.len(),
                expected: header.len(),
                open_quote: inner > 0,
            });
        }
        // A row inside quotes over several lines: found by the lines the parser counted.
        let start = record.position().map_or(last_line, csv::Position::line);
        let line = if last_line > start { last_line - newlines(&record) } else { last_line };
        while header.len() == 1 && next_line < line {
            // In a table of one column a blank line is a missing value.
            builder
                .push_row(std::iter::once(&b""[..]), uses, header, dialect.style, (next_line, byte))
                .map_err(|fault| row_error(fault, source, next_line, byte, dialect, config, builder))?;
            next_line += 1;
        }
        next_line = last_line + 1;
        builder
            .push_row(record.iter(), uses, header, dialect.style, (line, byte))
            .map_err(|fault| row_error(fault, source, line, byte, dialect, config, builder))?;
    }
}

fn newlines(record: &csv::ByteRecord) -> u64 {
    record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64
}

fn reader_line(record: &csv::ByteRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}

fn stream_error(error: csv::Error, source: &Source, line: u64, rows: usize) -> DataError {
    match error.into_kind() {
        csv::ErrorKind::Io(e) if e.to_string() == ROW_TOO_LONG => DataError::RowTooLong {
            path: source.path().to_path_buf(),
            line: line + 1,
            limit: open::LONGEST_ROW,
        },
        csv::ErrorKind::Io(e) => open::read_error(e, source, rows),
        other => DataError::Truncated {
            path: source.path().to_path_buf(),
            rows,
            message: format!("{other:?}"),
        },
    }
}

fn row_error(
    fault: RowFault,
    source: &Source,
    line: u64,
    byte: u64,
    dialect: Dialect,
    config: &DataConfig,
    builder: &Builder<'_>,
) -> DataError {
    let path = source.path();
    let column = |field| column_of(source, config.encoding, dialect.delimiter, byte, field);
    match fault {
        RowFault::Cell(bad) => bad_cell(path, &bad, column(bad.field), dialect.style),
        RowFault::Time(bad, why) => {
            let column = column(bad.field);
            bad_time(path, bad, column, builder.time_like(), why)
        }
        RowFault::Static { first, second, series, header } => DataError::StaticVaries {
            path: path.to_path_buf(),
            line,
            header,
            series,
            first,
            second,
        },
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
    let mut stream = text.stream;
    if std::io::copy(&mut stream.by_ref().take(byte), &mut std::io::sink()).is_err() {
        return 1;
    }
    let row_bytes = text.row_bytes;
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

fn either_comma(either: EitherComma, source: &Source, config: &DataConfig) -> DataError {
    let grouped = either.cell.replace(',', "");
    let header = format!("#{}", either.column + 1);
    DataError::Ambiguous {
        path: source.path().to_path_buf(),
        line: either.row as u64 + 1 + u64::from(config.header),
        header,
        first: either.cell.replace(',', "."),
        second: grouped,
        cell: either.cell,
        remedy: "set `decimal = \",\"` or `thousands = \",\"` under [data]",
    }
}
