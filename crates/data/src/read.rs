//! Files → one [`Panel`]: formats, folders, series, order in time.

pub(crate) mod assemble;
mod builder;
mod columns;
pub(crate) mod csv;
pub(crate) mod dialect;
mod finish;
mod lines;
pub(crate) mod open;
#[cfg(feature = "parquet")]
mod parquet;
mod roles;
pub(crate) mod table;

use std::path::{Path, PathBuf};

use crate::bundled;
use crate::config::{DataConfig, Format};
use crate::error::DataError;
use crate::panel::Panel;
use crate::reading::Reading;
use builder::Builder;
use open::{Magic, Source};
use table::Table;

/// Reads what `config` names, relative to `base`, in original units: ordered, gaps inserted, nothing scaled.
///
/// # Errors
/// [`DataError`], located by file, line and column.
pub fn read(config: &DataConfig, base: &Path) -> Result<Panel, DataError> {
    config.validate()?;
    let table = read_table(config, base, None)?;
    assemble::assemble(table, config, &where_from(config, base))
}

/// As [`read`], from text in memory; the path of `config` only names it in messages.
///
/// # Errors
/// [`DataError`], located by line and column.
pub fn read_bytes(content: &[u8], config: &DataConfig) -> Result<Panel, DataError> {
    config.validate()?;
    let path = where_from(config, Path::new(""));
    let table = read_sources(config, &[Source::Bytes(path.clone(), content.into())], None)?;
    assemble::assemble(table, config, &path)
}

/// In place of the byte at which a row starts: the format has no text to look into.
pub(crate) const NO_TEXT: u64 = u64::MAX;

/// The path in messages.
pub(crate) fn where_from(config: &DataConfig, base: &Path) -> PathBuf {
    match (&config.path, &config.source) {
        (Some(path), _) if path.is_relative() && !base.as_os_str().is_empty() => base.join(path),
        (Some(path), _) => path.clone(),
        (None, Some(name)) => PathBuf::from(name),
        (None, None) => PathBuf::new(),
    }
}

/// The table as it is in its files, read as that of a trained model was if there is one.
pub(crate) fn read_table(
    config: &DataConfig,
    base: &Path,
    trained: Option<&Reading>,
) -> Result<Table, DataError> {
    let path = where_from(config, base);
    let sources = match &config.source {
        Some(name) => vec![Source::Bytes(PathBuf::from(name), bundled::find(name)?.into())],
        None if std::fs::metadata(&path).is_ok_and(|m| m.is_dir()) => folder(&path)?,
        None => vec![Source::File(path)],
    };
    read_sources(config, &sources, trained)
}

fn read_sources(
    config: &DataConfig,
    sources: &[Source],
    trained: Option<&Reading>,
) -> Result<Table, DataError> {
    let mut builder = Builder::new(config, trained);
    let mut dialect = None;
    for source in sources {
        let name = series_name(source.path());
        if is_parquet(source, config.format)? {
            read_parquet(source, &name, &mut builder)?;
            continue;
        }
        dialect = Some(csv::read(source, &name, config, &mut builder)?);
    }
    let locate = |bad: &table::Bad| {
        let delimiter = dialect.map_or(b',', |dialect| dialect.delimiter);
        if bad.byte == NO_TEXT {
            return bad.field as u64 + 1; // the field's number
        }
        csv::column_of(&sources[bad.file], config.encoding, delimiter, bad.byte, bad.field)
    };
    builder.finish(&locate, dialect.map(|dialect| (dialect.delimiter, dialect.style)))
}

#[cfg(feature = "parquet")]
fn read_parquet(source: &Source, series: &str, builder: &mut Builder<'_>) -> Result<(), DataError> {
    // The parquet crate panics on some damaged files; the builder is dropped with the error.
    let caught = std::panic::AssertUnwindSafe(|| parquet::read(source, series, builder));
    std::panic::catch_unwind(caught).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text =
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        let message = format!("its structure makes no sense ({text})");
        Err(DataError::Truncated { path: source.path().to_path_buf(), rows: 0, message })
    })
}

#[cfg(not(feature = "parquet"))]
fn read_parquet(
    source: &Source,
    _series: &str,
    _builder: &mut Builder<'_>,
) -> Result<(), DataError> {
    Err(DataError::Format {
        path: source.path().to_path_buf(),
        what: "is a Parquet file, and this build does not read Parquet".into(),
        remedy: "build with the feature `parquet`, or export the table as CSV",
    })
}

fn is_parquet(source: &Source, format: Format) -> Result<bool, DataError> {
    match format {
        Format::Parquet => Ok(true),
        Format::Csv => Ok(false),
        Format::Auto => {
            let mut first = [0; 4];
            let mut stream = source.open()?;
            let n = std::io::Read::read(&mut stream, &mut first)
                .map_err(|e| open::read_error(e, source, 0, 1))?;
            Ok(open::magic(&first[..n]) == Magic::Parquet)
        }
    }
}

/// The tables of a folder, in order of name; hidden files and other kinds are passed over.
fn folder(path: &Path) -> Result<Vec<Source>, DataError> {
    let io = |source| DataError::Io { path: path.to_path_buf(), verb: "read", source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let is_table = [".csv", ".tsv", ".txt", ".parquet"].iter().any(|e| plain.ends_with(e));
        if is_table && !name.starts_with('.') && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(DataError::EmptyFolder { path: path.to_path_buf() });
    }
    Ok(files.into_iter().map(Source::File).collect())
}

/// `AAPL` of `stocks/AAPL.csv.gz`.
fn series_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}
