//! From a path to a stream of UTF-8 lines: pipes refused, gzip unpacked, encodings converted, line ends made one.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::config::Encoding;
use crate::error::DataError;

/// The longest row we hold in memory.
pub(crate) const LONGEST_ROW: u64 = 64 << 20;
/// How much of a file is looked at to find delimiter, decimal sign and time column.
const SAMPLE: u64 = 256 << 10;

/// Where a table comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    /// A name for messages, and the content.
    Bytes(PathBuf, Arc<[u8]>),
}

impl Source {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Source::File(path) | Source::Bytes(path, _) => path,
        }
    }

    /// The raw bytes.
    pub(crate) fn open(&self) -> Result<Box<dyn Read>, DataError> {
        match self {
            Source::Bytes(_, content) => Ok(Box::new(Cursor::new(content.clone()))),
            Source::File(path) => Ok(Box::new(open_file(path)?)),
        }
    }
}

/// Opens a regular file; a pipe is refused before it can block.
pub(crate) fn open_file(path: &Path) -> Result<File, DataError> {
    let io = |verb| move |source| DataError::Io { path: path.to_path_buf(), verb, source };
    let metadata = std::fs::metadata(path).map_err(io("opened"))?;
    let kind = metadata.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { special(kind) };
        return Err(DataError::NotAFile { path: path.to_path_buf(), what });
    }
    File::open(path).map_err(io("opened"))
}

#[cfg(unix)]
fn special(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_kind: std::fs::FileType) -> &'static str {
    "a device"
}

/// What the first bytes say a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Magic {
    Text,
    Gzip,
    Parquet,
    Other(&'static str, &'static str),
}

pub(crate) fn magic(first: &[u8]) -> Magic {
    let packed = "unpack it first; only gzip is unpacked here";
    let sheet = "export the sheet as CSV first";
    let known: [(&[u8], Magic); 10] = [
        (&[0x1f, 0x8b], Magic::Gzip),
        (b"PAR1", Magic::Parquet),
        (
            b"PK\x03\x04",
            Magic::Other(
                "is a zip archive or a spreadsheet, not text",
                "export it as CSV, or unpack it first",
            ),
        ),
        (&[0xd0, 0xcf, 0x11, 0xe0], Magic::Other("is a spreadsheet or document, not text", sheet)),
        (&[0x28, 0xb5, 0x2f, 0xfd], Magic::Other("is compressed with zstd", packed)),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], Magic::Other("is compressed with xz", packed)),
        (b"BZh", Magic::Other("is compressed with bzip2", packed)),
        (
            b"\x89HDF",
            Magic::Other("is an HDF5 file, not text", "export it as CSV or Parquet first"),
        ),
        (
            b"SQLite format 3\0",
            Magic::Other("is a database, not text", "export the table as CSV first"),
        ),
        (b"ARROW1", Magic::Other("is an Arrow file, not text", "save it as Parquet or CSV first")),
    ];
    known.iter().find(|(bytes, _)| first.starts_with(bytes)).map_or(Magic::Text, |&(_, m)| m)
}

/// A text table ready for the CSV parser.
pub(crate) struct Text {
    /// The first lines, for finding out how the table is written.
    pub(crate) sample: Vec<u8>,
    /// What follows the sample.
    pub(crate) rest: Box<dyn Read>,
    /// Set to zero at every row; the stream fails when a row outgrows [`LONGEST_ROW`].
    pub(crate) row_bytes: Rc<Cell<u64>>,
}

impl Text {
    /// Everything, from the first byte.
    pub(crate) fn stream(self) -> impl Read {
        Cursor::new(self.sample).chain(self.rest)
    }
}

/// Unpacks, converts and samples a text file.
pub(crate) fn open_text(source: &Source, encoding: Encoding) -> Result<Text, DataError> {
    let mut raw = BufReader::with_capacity(64 << 10, source.open()?);
    let first = peek(&mut raw, source)?;
    let unpacked: Box<dyn Read> = match magic(&first) {
        Magic::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        Magic::Text => Box::new(raw),
        Magic::Parquet => {
            return Err(wrong(
                source,
                "is a Parquet file, not text".into(),
                "set `format = \"parquet\"` or \"auto\"",
            ));
        }
        Magic::Other(what, remedy) => return Err(wrong(source, what.into(), remedy)),
    };
    let mut unpacked = BufReader::with_capacity(64 << 10, unpacked);
    let first = peek(&mut unpacked, source)?;
    let decoded: Box<dyn Read> = match detect(&first, encoding, source)? {
        Wide::No { skip } => {
            unpacked.consume(skip);
            Box::new(unpacked)
        }
        Wide::Utf16 { big_endian, skip } => {
            unpacked.consume(skip);
            Box::new(Utf16 { inner: unpacked, big_endian, ready: Vec::new(), at: 0, high: None })
        }
    };
    let row_bytes = Rc::new(Cell::new(0));
    let mut lines = Lines {
        inner: decoded,
        last: b'\n',
        held: false,
        done: false,
        row_bytes: row_bytes.clone(),
    };
    let mut sample = Vec::new();
    read_sample(&mut lines, &mut sample).map_err(|e| match e {
        e if e.to_string() == ROW_TOO_LONG => DataError::RowTooLong {
            path: source.path().to_path_buf(),
            line: sample.iter().filter(|&&b| b == b'\n').count() as u64 + 1,
            limit: LONGEST_ROW,
        },
        e => read_error(e, source, 0),
    })?;
    row_bytes.set(0);
    if let Some(at) = sample.iter().position(|&b| b == 0) {
        let what = format!("has a zero byte at byte {at}; this is not a text table");
        return Err(wrong(source, what, "export it as CSV in UTF-8"));
    }
    Ok(Text { sample, rest: Box::new(lines), row_bytes })
}

fn wrong(source: &Source, what: String, remedy: &'static str) -> DataError {
    DataError::Format { path: source.path().to_path_buf(), what, remedy }
}

/// A sample's worth, and at least the header and one row. A fault in the data is left for the reader, which
/// knows the row, unless it is the very first thing there.
fn read_sample(stream: &mut impl Read, sample: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let (before, want) = (sample.len(), SAMPLE.max(sample.len() as u64));
        match stream.take(want).read_to_end(sample) {
            Err(e) if sample.is_empty() || e.to_string() == ROW_TOO_LONG => return Err(e),
            Err(_) => return Ok(()),
            Ok(n) if (n as u64) < want || sample.contains(&0) => return Ok(()),
            Ok(_) => {}
        }
        if sample[before..].contains(&b'\n')
            && sample.iter().filter(|&&b| b == b'\n').nth(1).is_some()
        {
            return Ok(());
        }
    }
}

/// An I/O fault while reading, told apart: a file cut short is bad data, the rest is the system.
pub(crate) fn read_error(error: io::Error, source: &Source, rows: usize) -> DataError {
    let path = source.path().to_path_buf();
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            DataError::Truncated { path, rows, message: error.to_string() }
        }
        _ => DataError::Io { path, verb: "read", source: error },
    }
}

fn peek(reader: &mut impl BufRead, source: &Source) -> Result<Vec<u8>, DataError> {
    let bytes = reader.fill_buf().map_err(|e| read_error(e, source, 0))?;
    Ok(bytes[..bytes.len().min(4096)].to_vec())
}

enum Wide {
    No { skip: usize },
    Utf16 { big_endian: bool, skip: usize },
}

fn detect(first: &[u8], encoding: Encoding, source: &Source) -> Result<Wide, DataError> {
    let marks: [(&[u8], Wide); 3] = [
        (&[0xef, 0xbb, 0xbf], Wide::No { skip: 3 }),
        (&[0xff, 0xfe], Wide::Utf16 { big_endian: false, skip: 2 }),
        (&[0xfe, 0xff], Wide::Utf16 { big_endian: true, skip: 2 }),
    ];
    if first.starts_with(&[0xff, 0xfe, 0, 0]) || first.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(wrong(source, "is UTF-32 text".into(), "save it in UTF-8"));
    }
    let marked = marks.into_iter().find(|(mark, _)| first.starts_with(mark)).map(|(_, w)| w);
    Ok(match (encoding, marked) {
        (Encoding::Latin1, _) => Wide::No { skip: 0 },
        (Encoding::Auto, Some(wide)) => wide,
        (Encoding::Utf8, Some(Wide::No { skip })) => Wide::No { skip },
        (Encoding::Utf8, _) => Wide::No { skip: 0 },
        (Encoding::Utf16, Some(wide @ Wide::Utf16 { .. })) => wide,
        (Encoding::Utf16, _) => Wide::Utf16 { big_endian: false, skip: 0 },
        (Encoding::Auto, None) => {
            // ASCII as UTF-16 without a mark: every other byte is zero.
            let zeros =
                |from: usize| first.iter().skip(from).step_by(2).filter(|&&b| b == 0).count();
            let half = first.len() / 2;
            let mostly = |count: usize| half >= 4 && count * 10 >= half * 9;
            match (mostly(zeros(0)), mostly(zeros(1))) {
                (true, false) => Wide::Utf16 { big_endian: true, skip: 0 },
                (false, true) => Wide::Utf16 { big_endian: false, skip: 0 },
                _ => Wide::No { skip: 0 },
            }
        }
    })
}

/// UTF-16 → UTF-8; a lone surrogate becomes U+FFFD.
struct Utf16<R> {
    inner: R,
    big_endian: bool,
    ready: Vec<u8>,
    at: usize,
    high: Option<u16>,
}

impl<R: BufRead> Utf16<R> {
    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let mut units = Vec::new();
        units.extend(self.high.take());
        let mut pair = [0; 2];
        while units.len() < 8192 {
            match self.inner.read(&mut pair[..1])? {
                0 => break,
                _ => self.inner.read_exact(&mut pair[1..])?,
            }
            units.push(if self.big_endian {
                u16::from_be_bytes(pair)
            } else {
                u16::from_le_bytes(pair)
            });
        }
        if units.len() >= 8192 && units.last().is_some_and(|u| (0xd800..0xdc00).contains(u)) {
            self.high = units.pop(); // its other half is still to come
        }
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.refill()?;
        }
        let n = out.len().min(self.ready.len() - self.at);
        out[..n].copy_from_slice(&self.ready[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Makes `\r\n` and a lone `\r` into `\n`, ends the last line, and stops a row that never ends.
struct Lines<R> {
    inner: R,
    last: u8,
    /// A `\r` came last: a `\n` right after it belongs to the same line end.
    held: bool,
    done: bool,
    row_bytes: Rc<Cell<u64>>,
}

/// The message by which a row that never ends is told from other faults.
pub(crate) const ROW_TOO_LONG: &str = "row too long";

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || self.done {
            return Ok(0);
        }
        loop {
            let n = self.inner.read(out)?;
            self.row_bytes.set(self.row_bytes.get() + n as u64);
            if self.row_bytes.get() > LONGEST_ROW {
                return Err(io::Error::other(ROW_TOO_LONG));
            }
            if n == 0 {
                self.done = true;
                if self.last == b'\n' {
                    return Ok(0);
                }
                out[0] = b'\n';
                return Ok(1);
            }
            let kept = self.unify(&mut out[..n]);
            if kept > 0 {
                self.last = out[kept - 1];
                return Ok(kept);
            }
        }
    }
}

impl<R> Lines<R> {
    fn unify(&mut self, bytes: &mut [u8]) -> usize {
        if !self.held && memchr::memchr(b'\r', bytes).is_none() {
            return bytes.len();
        }
        let mut kept = 0;
        for i in 0..bytes.len() {
            let byte = bytes[i];
            let joined = self.held && byte == b'\n';
            self.held = byte == b'\r';
            if !joined {
                bytes[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
        }
        kept
    }
}

/// Text of a cell: UTF-8 where it is, Windows-1252 where it is not.
pub(crate) fn decode(cell: &[u8], encoding: Encoding) -> String {
    match std::str::from_utf8(cell) {
        Ok(text) if encoding != Encoding::Latin1 => text.to_owned(),
        _ => cell.iter().map(|&b| windows_1252(b)).collect(),
    }
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8]) -> Lines<Cursor<Vec<u8>>> {
        let row_bytes = Rc::new(Cell::new(0));
        Lines {
            inner: Cursor::new(bytes.to_vec()),
            last: b'\n',
            held: false,
            done: false,
            row_bytes,
        }
    }

    proptest! {
        /// Oracle: replacing line ends in memory, whatever the size of the reads.
        #[test]
        fn line_ends_become_one(text in "[ab\r\n]{0,60}", chunk in 1usize..9) {
            let mut expected = text.replace("\r\n", "\n").replace('\r', "\n");
            if !expected.is_empty() && !expected.ends_with('\n') {
                expected.push('\n');
            }
            let (mut out, mut buffer, mut stream) = (Vec::new(), vec![0; chunk], lines(text.as_bytes()));
            loop {
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    n => out.extend_from_slice(&buffer[..n]),
                }
            }
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }

        /// Oracle: the standard library's own encoder.
        #[test]
        fn utf16_is_decoded(text in "\\PC{0,40}", big_endian: bool) {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|u| if big_endian { u.to_be_bytes() } else { u.to_le_bytes() })
                .collect();
            let inner = Cursor::new(bytes);
            let mut decoder = Utf16 { inner, big_endian, ready: Vec::new(), at: 0, high: None };
            let mut out = String::new();
            decoder.read_to_string(&mut out).unwrap();
            prop_assert_eq!(out, text);
        }
    }

    #[test]
    fn a_row_that_never_ends_is_stopped() {
        let mut stream = lines(&[b'x'; 1000]);
        stream.row_bytes.set(LONGEST_ROW - 10);
        let error = stream.read(&mut [0; 100]).unwrap_err();
        assert_eq!(error.to_string(), ROW_TOO_LONG);
    }

    #[test]
    fn latin_1_is_read_as_windows_1252() {
        assert_eq!(decode(b"temp\xe9rature \x80", Encoding::Auto), "température €");
        assert_eq!(decode("é".as_bytes(), Encoding::Auto), "é");
        assert_eq!(decode("é".as_bytes(), Encoding::Latin1), "Ã©");
    }
}
