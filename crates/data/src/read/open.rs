//! From a path to a stream of UTF-8 lines: pipes refused, gzip unpacked, encodings converted, line ends made one.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::config::Encoding;
use crate::error::DataError;

/// The longest row we hold in memory.
pub(crate) const LONGEST_ROW: u64 = 64 << 20;
/// How much is read at once.
const BUFFER: usize = 64 << 10;
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

/// The kind of a file, by its first bytes.
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
    /// The text after the sample.
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
    let mut raw = BufReader::with_capacity(BUFFER, source.open()?);
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
    let mut unpacked = BufReader::with_capacity(BUFFER, unpacked);
    let first = peek(&mut unpacked, source)?;
    if first.starts_with(&[0xff, 0xfe, 0, 0]) || first.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(wrong(source, "is UTF-32 text".into(), "save it in UTF-8"));
    }
    let long = unpacked.buffer().len() >= BUFFER / 2;
    let known = known_encoding(&first, encoding);
    let wide = known.is_some_and(|known| known != WINDOWS_1252 && known != UTF_8)
        || (encoding != Encoding::Latin1
            && matches!(first[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]));
    let whole: Box<dyn Read> =
        if wide { Box::new(Pairs { inner: unpacked, odd: false }) } else { Box::new(unpacked) };
    let decoded = DecodeReaderBytesBuilder::new()
        .encoding(known)
        .bom_sniffing(encoding != Encoding::Latin1)
        .bom_override(true)
        .strip_bom(true)
        .utf8_passthru(true)
        .build(whole);
    let row_bytes = Rc::new(Cell::new(0));
    let mut lines = Lines {
        inner: decoded,
        last: b'\n',
        held: false,
        done: false,
        row_bytes: row_bytes.clone(),
    };
    // A buffer that grows would touch each page of a long file twice.
    let mut sample = Vec::with_capacity(if long { SAMPLE as usize } else { 0 });
    if let Err(e) = read_sample(&mut lines, &mut sample) {
        let line = sample.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
        return Err(read_error(e, source, 0, line));
    }
    row_bytes.set(0);
    if let Some(at) = memchr::memchr(0, &sample) {
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
            Err(e) if sample.is_empty() || is_row_too_long(&e) => return Err(e),
            Err(_) => return Ok(()),
            Ok(n) if (n as u64) < want || memchr::memchr(0, sample).is_some() => return Ok(()),
            Ok(_) => {}
        }
        if sample[before..].contains(&b'\n')
            && sample.iter().filter(|&&b| b == b'\n').nth(1).is_some()
        {
            return Ok(());
        }
    }
}

/// A row that does not end within [`LONGEST_ROW`] bytes.
#[derive(Debug, thiserror::Error)]
#[error("a row is longer than {LONGEST_ROW} bytes")]
pub(crate) struct RowTooLong;

fn is_row_too_long(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<RowTooLong>())
}

/// An I/O fault after `rows` rows in line `line`, told apart: a row without end and a file cut short are bad
/// data, the rest is the system.
pub(crate) fn read_error(error: io::Error, source: &Source, rows: usize, line: u64) -> DataError {
    let path = source.path().to_path_buf();
    if is_row_too_long(&error) {
        return DataError::RowTooLong { path, line, limit: LONGEST_ROW };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            DataError::Truncated { path, rows, message: error.to_string() }
        }
        _ => DataError::Io { path, verb: "read", source: error },
    }
}

fn peek(reader: &mut impl BufRead, source: &Source) -> Result<Vec<u8>, DataError> {
    let bytes = reader.fill_buf().map_err(|e| read_error(e, source, 0, 1))?;
    Ok(bytes[..bytes.len().min(4096)].to_vec())
}

/// The encoding where it is not for a byte-order mark to say, or the text is not UTF-8 for certain.
fn known_encoding(first: &[u8], encoding: Encoding) -> Option<&'static encoding_rs::Encoding> {
    match encoding {
        Encoding::Latin1 => Some(WINDOWS_1252),
        Encoding::Utf16 => Some(UTF_16LE),
        Encoding::Utf8 => None,
        Encoding::Auto => {
            // ASCII as UTF-16 without a mark: every other byte is zero.
            let zeros =
                |from: usize| first.iter().skip(from).step_by(2).filter(|&&b| b == 0).count();
            let half = first.len() / 2;
            let mostly = |count: usize| half >= 4 && count * 10 >= half * 9;
            match (mostly(zeros(0)), mostly(zeros(1))) {
                (true, false) => Some(UTF_16BE),
                (false, true) => Some(UTF_16LE),
                _ => None,
            }
        }
    }
}

/// A stream of byte pairs; one that ends within a pair was cut short.
struct Pairs<R> {
    inner: R,
    odd: bool,
}

impl<R: Read> Read for Pairs<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.odd ^= n % 2 == 1;
        if n == 0 && self.odd && !out.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the text ends within a character",
            ));
        }
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

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || self.done {
            return Ok(0);
        }
        loop {
            let n = self.inner.read(out)?;
            self.row_bytes.set(self.row_bytes.get() + n as u64);
            if self.row_bytes.get() > LONGEST_ROW {
                return Err(io::Error::other(RowTooLong));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::decode;
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
    }

    #[test]
    fn a_row_that_never_ends_is_stopped() {
        let mut stream = lines(&[b'x'; 1000]);
        stream.row_bytes.set(LONGEST_ROW - 10);
        let error = stream.read(&mut [0; 100]).unwrap_err();
        assert!(is_row_too_long(&error));
    }

    #[test]
    fn latin_1_is_read_as_windows_1252() {
        assert_eq!(decode(b"temp\xe9rature \x80"), "température €");
        assert_eq!(decode("é".as_bytes()), "é");
        let source = Source::Bytes("t.csv".into(), b"\xc3\xa9,\x80\n"[..].into());
        let read = |encoding| {
            String::from_utf8(open_text(&source, encoding).unwrap().sample).unwrap_or_default()
        };
        assert_eq!(read(Encoding::Latin1), "Ã©,€\n");
        assert_eq!(read(Encoding::Auto), "", "left as it is, for each cell to decide");
    }
}
