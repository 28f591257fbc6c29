//! Columns of texts, then columns of numbers, as CSV or as Parquet.

use std::io;
use std::path::Path;

use super::cells::{Header, Row, decimal};
#[cfg(feature = "parquet")]
use super::parquet;
use crate::error::RecordError;

/// Writes Parquet where the path ends in `.parquet`, in whatever case, and CSV where it does not.
pub(super) fn write<'a>(
    path: &Path,
    header: &Header,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<(), RecordError> {
    check_name(path)?;
    match is_parquet(path) {
        true => write_parquet(path, header, rows),
        false => write_csv(path, header, rows),
    }
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

/// Refuses Parquet in a build without it.
pub(super) fn check_name(path: &Path) -> Result<(), RecordError> {
    if cfg!(feature = "parquet") || !is_parquet(path) {
        return Ok(());
    }
    Err(RecordError::Refused {
        path: path.to_owned(),
        reason: "this build does not write Parquet".to_owned(),
        hint: "build with the feature `parquet`, or let the name end in `.csv`".to_owned(),
    })
}

fn write_csv<'a>(
    path: &Path,
    header: &Header,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<(), RecordError> {
    let mut rows = Some(rows);
    let write = |file: &mut dyn io::Write| -> io::Result<()> {
        let mut table = csv::Writer::from_writer(file);
        let keys = header.keys.iter().map(|key| &key.name);
        table.write_record(keys.chain(&header.numbers))?;
        for row in rows.take().into_iter().flatten() {
            for text in row.texts {
                table.write_field(text)?;
            }
            for number in row.numbers {
                table.write_field(decimal(number))?;
            }
            table.write_record(None::<&[u8]>)?;
        }
        table.flush()
    };
    files::write(path, write).map_err(RecordError::writing(path))
}

#[cfg(feature = "parquet")]
fn write_parquet<'a>(
    path: &Path,
    header: &Header,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<(), RecordError> {
    let bytes = parquet::encode(header, rows).map_err(io::Error::other);
    let bytes = bytes.map_err(RecordError::writing(path))?;
    files::write(path, |file| file.write_all(&bytes)).map_err(RecordError::writing(path))
}

#[cfg(not(feature = "parquet"))]
fn write_parquet<'a>(
    path: &Path,
    _: &Header,
    _: impl Iterator<Item = Row<'a>>,
) -> Result<(), RecordError> {
    check_name(path)
}
