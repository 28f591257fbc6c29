//! Faults of a table or of its configuration. Variants hold data; the text is made here.

mod cell;
mod text;

use std::path::PathBuf;

pub use cell::{BadCell, BadTime, Hint};
use text::{Difference, Example, Joined, Listed, Ragged, Shown, Suggest, TimelineText, Unit};

use crate::finding::Finding;
use crate::text::Count;

/// Everything this crate refuses, located as closely as the fault allows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file.
    #[error("{}: cannot be {verb}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// "opened", "read", "written".
        verb: &'static str,
        /// The message of the system.
        source: std::io::Error,
    },
    /// The path names something that is not a table: a pipe, a socket, a device.
    #[error("{}: is {what}, not a file of rows\n  hint: write it to a regular file first", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// "a pipe", "a device".
        what: &'static str,
    },
    /// A folder without a single table in it.
    #[error("{}: the folder holds no table\n  hint: expected files named *.csv, *.tsv, *.txt, *.csv.gz or *.parquet", .path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The bytes are not text, or text of a kind we do not read.
    #[error("{}: {what}\n  hint: {remedy}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The content that was recognized.
        what: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// The file stops in the middle of compressed or structured content.
    #[error("{}: ends too early after {}: {message}\n  hint: the file is cut off or damaged; copy or download it again", .path.display(), Count(*.rows, "row"))]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Rows read before the end.
        rows: usize,
        /// The message of the decoder.
        message: String,
    },
    /// No header and no rows, or a header alone.
    #[error(
        "{}: {}\n  hint: it may not have been written to the end; export the table again",
        .path.display(),
        if *.header { "has a header but no rows" } else { "is empty" }
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// Whether there was a header.
        header: bool,
    },
    /// The first line is a row of numbers.
    #[error("{}:{line}:1: the first line has no column names, it starts with `{}`\n  hint: add a header line, or set `header = false` under [data] (columns are then column_1, column_2, …)", .path.display(), Shown(.first))]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The first cell.
        first: String,
    },
    /// Two columns have one name.
    #[error("{}:1:{column}: column name `{}` appears twice (columns {first} and {second})\n  hint: rename one of them, or set `skip_rows = …` under [data] if the names stand in a later line", .path.display(), Shown(.header))]
    DuplicateHeader {
        /// The file.
        path: PathBuf,
        /// The name.
        header: String,
        /// One-based position of the first.
        first: usize,
        /// One-based position of the second.
        second: usize,
        /// Character column of the second in the header line.
        column: u64,
    },
    /// A configured column is not in the file.
    #[error("{}:1:1: no column `{name}` for `{key}`{}\n  hint: the columns are {}", .path.display(), Suggest(.suggestion), Listed(.available))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The configuration key that asked.
        key: &'static str,
        /// The columns there are.
        available: Vec<String>,
        /// The closest of them.
        suggestion: Option<String>,
    },
    /// Files of one folder that do not have the same columns.
    #[error("{}:1:1: {}\n  hint: every file of a folder needs the columns of {}", .path.display(), Difference(.missing, .extra), .first.display())]
    HeaderMismatch {
        /// The file that differs.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
        /// A column this file lacks.
        missing: Option<String>,
        /// A column only this file has.
        extra: Option<String>,
    },
    /// A row with more or fewer cells than the header.
    #[error("{}:{line}:1: row has {}, the header has {expected}\n  hint: {}", .path.display(), Count(*.found, "cell"), Ragged(*.line, *.found, *.open_quote))]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// Line the row starts on.
        line: u64,
        /// Cells found.
        found: usize,
        /// Cells expected.
        expected: usize,
        /// Whether the row spans several lines.
        open_quote: bool,
    },
    /// A single row larger than we are willing to hold.
    #[error("{}:{line}:1: one row is longer than {limit} bytes\n  hint: is this a table with one row per line? a quote may be left open", .path.display())]
    RowTooLong {
        /// The file.
        path: PathBuf,
        /// Line the row starts on.
        line: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A cell that does not hold a number.
    #[error(transparent)]
    BadCell(#[from] Box<BadCell>),
    /// A cell that does not hold a time.
    #[error(transparent)]
    BadTime(#[from] Box<BadTime>),
    /// Dates that could be day-month or month-day, or numbers that could be decimals or thousands.
    #[error("{}:{line}:1: `{cell}` in column `{header}` can be read as {first} and as {second}\n  hint: {remedy}", .path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// A line that shows it.
        line: u64,
        /// The column.
        header: String,
        /// The cell.
        cell: String,
        /// One reading.
        first: String,
        /// The other.
        second: String,
        /// The key that decides.
        remedy: &'static str,
    },
    /// Nothing numeric to forecast.
    #[error("{}: no column of numbers besides time and id{}\n  hint: the columns are {}", .path.display(), Example(.example), Listed(.available))]
    NoNumbers {
        /// The file.
        path: PathBuf,
        /// Line, column and content of a cell that is no number.
        example: Option<(u64, String, String)>,
        /// The columns there are.
        available: Vec<String>,
    },
    /// A target or covariate without a single observed value.
    #[error("{}: column `{header}` has no value in any row\n  hint: leave it out of `targets` and covariates", .path.display())]
    EmptyColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        header: String,
    },
    /// Times out of order, repeated, missing or of mixed spacing; every finding of every series.
    #[error("{}", TimelineText(.path, .findings))]
    Timeline {
        /// The file or folder.
        path: PathBuf,
        /// All findings; the first few are printed.
        findings: Vec<Finding>,
    },
    /// `fill = "error"` and a cell is missing.
    #[error("{}:{line}:1: no value in column `{header}` of series `{series}` ({} in all)\n  hint: set `fill = \"mask\"`, `fill = \"forward\"` or `fill = \"interpolate\"` under [data]", .path.display(), Count(*.missing, "missing cell"))]
    MissingValue {
        /// The file.
        path: PathBuf,
        /// Line of the first missing cell.
        line: u64,
        /// Its column.
        header: String,
        /// Its series.
        series: String,
        /// Missing cells in all.
        missing: usize,
    },
    /// A static covariate that varies within a series.
    #[error("{}:{line}:1: static covariate `{header}` changes from `{}` to `{}` within series `{series}`\n  hint: list it under past_covariates or future_covariates", .path.display(), Shown(.first), Shown(.second))]
    StaticVaries {
        /// The file.
        path: PathBuf,
        /// Line of the change.
        line: u64,
        /// The column.
        header: String,
        /// The series.
        series: String,
        /// Its first value.
        first: String,
        /// The other value.
        second: String,
    },
    /// A key of `[data]` with a value outside its range.
    #[error("data.{key} = {value}: expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// The value as given.
        value: String,
        /// The range or the choices.
        expected: String,
    },
    /// A transform that is not defined at a value.
    #[error("{}: transform = \"{transform}\" is undefined at {value} (column `{header}`, series `{series}`, row {row})\n  hint: {remedy}", .path.display())]
    Transform {
        /// The file.
        path: PathBuf,
        /// The transform.
        transform: &'static str,
        /// The offending value.
        value: f32,
        /// The column.
        header: String,
        /// The series.
        series: String,
        /// One-based row within the series.
        row: usize,
        /// The remedy.
        remedy: &'static str,
    },
    /// A part of the split without a single window.
    #[error(
        "{part} part has no window: the longest series has {} there, context {context} and horizon {horizon} need {needed}\n  hint: shorten context or horizon, give {part} more rows, or bring more data",
        Count(*.rows, "usable row")
    )]
    NoWindows {
        /// "training", "validation" or "test".
        part: &'static str,
        /// Usable rows of the longest series.
        rows: usize,
        /// Rows needed.
        needed: usize,
        /// The context.
        context: usize,
        /// The horizon.
        horizon: usize,
    },
    /// Fewer rows than a protocol's borders or the given row counts ask for.
    #[error("split needs {}, series `{series}` has {rows}\n  hint: {remedy}", Count(*.needed, "row"))]
    TooFewRows {
        /// The series.
        series: String,
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        needed: usize,
        /// The remedy.
        remedy: &'static str,
    },
    /// A table that does not go on from the rows of a trained model.
    #[error("{}: {what}\n  hint: give the whole table, the rows of the training first and the new ones after them, or train again", .path.display())]
    NotContinued {
        /// The file.
        path: PathBuf,
        /// The difference.
        what: String,
    },
    /// A forecast input shorter than the context.
    #[error("{}: series `{series}` ends with {}, the model looks back over {context}\n  hint: give at least {} before the first one to forecast", .path.display(), Count(*.rows, "row"), Count(*.context, "row"))]
    ShortContext {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
        /// Rows with a target.
        rows: usize,
        /// Rows needed.
        context: usize,
    },
    /// A series whose last context has no value of a channel, for a model without masks.
    #[error("{}: series `{series}` has no value of `{header}` in its last {}, and the model was trained without gaps\n  hint: give values in these rows, or train on data with gaps and `fill = \"mask\"`", .path.display(), Count(*.context, "row"))]
    EmptyContext {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
        /// The channel.
        header: String,
        /// Rows of the context.
        context: usize,
    },
    /// A gap in a forecast input for a model that was trained with `fill = "error"`.
    #[error("{}: series `{series}` has no value of `{header}` at {time}, and the model was trained with `fill = \"error\"`\n  hint: fill the gap in the file, or train with `fill = \"mask\"`", .path.display())]
    RefusedGap {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
        /// The channel.
        header: String,
        /// Time of the row.
        time: String,
    },
    /// A forecast input without the known-future covariates of the horizon.
    #[error("{}: series `{series}` lacks `{header}` for row {row} of {horizon} to be forecast\n  hint: `future_covariates` must be given for every row of the horizon, with the targets left empty", .path.display())]
    NoFuture {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
        /// The covariate.
        header: String,
        /// One-based row of the horizon.
        row: usize,
        /// The horizon.
        horizon: usize,
    },
    /// A series or category the training data did not have.
    #[error("{}: {what} `{name}` was not in the training data\n  hint: {remedy}", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// "series" or "value of static covariate …".
        what: String,
        /// Its name.
        name: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A series without a value of any target in the training rows, so that its scale is not known.
    #[error("{}: series `{series}` had no value of a target in the training rows, so that its scale is not known\n  hint: train on rows of it, or with `scale = {{ kind = \"standard\", per = \"all\" }}`", .path.display())]
    Untrained {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
    },
    /// A stored pipeline whose parts do not fit each other.
    #[error("the stored pipeline was changed: {what}\n  hint: train the model again")]
    Stored {
        /// The parts that do not fit.
        what: &'static str,
    },
    /// Two columns tell the time together, and only one of them was taken for it.
    #[error("{}: times repeat, because {} tell the time together\n  hint: set `time = [{}]` under [data]", .path.display(), Joined(.columns, '`', " and "), Joined(.columns, '"', ", "))]
    SplitTime {
        /// The file.
        path: PathBuf,
        /// The columns, from coarse to fine.
        columns: Vec<String>,
    },
    /// A forecast input that is not written as the training data were.
    #[error("{}: {what} are {found}, those of the training data were {expected}\n  hint: write the file as the training data, or forecast with `--set data.{key}=…` for this file", .path.display())]
    ReadingChanged {
        /// The file.
        path: PathBuf,
        /// "cells", "times".
        what: &'static str,
        /// How they are written.
        found: String,
        /// How those of the training data were.
        expected: String,
        /// The key that decides.
        key: &'static str,
    },
    /// A column of a forecast input whose cells carry another unit than those of the training data.
    #[error("{}: cells of column `{header}` have {}, those of the training data had {}\n  hint: give the numbers in the unit of the training data, written as there", .path.display(), Unit(.found), Unit(.expected))]
    UnitChanged {
        /// The file.
        path: PathBuf,
        /// The column.
        header: String,
        /// Its unit.
        found: Option<String>,
        /// That of the training data.
        expected: Option<String>,
    },
    /// A forecast input of another time step than the training data.
    #[error("{}: series `{series}` has time step {found}, the model was trained on {expected}\n  hint: aggregate or resample the input to {expected}", .path.display())]
    FrequencyChanged {
        /// The file.
        path: PathBuf,
        /// The series.
        series: String,
        /// Step found.
        found: String,
        /// Step of the training data.
        expected: String,
    },
    /// A download that failed.
    #[error(
        "{url}: {name} cannot be fetched: {message}\n  hint: check the network and try again; nothing was changed"
    )]
    Fetch {
        /// The data set.
        name: &'static str,
        /// Its address.
        url: String,
        /// The message of the client.
        message: String,
    },
    /// A download that is not the published file.
    #[error(
        "{url}: {name} has another SHA-256 than the published file: {found} after {bytes} bytes, expected {expected}\n  hint: it was changed or cut off on the way; nothing was kept"
    )]
    Checksum {
        /// The data set.
        name: &'static str,
        /// Its address.
        url: String,
        /// SHA-256 of the published file.
        expected: &'static str,
        /// SHA-256 of what came.
        found: String,
        /// Bytes that came.
        bytes: u64,
    },
    /// A slice whose length does not match what it should hold.
    #[error("{what} holds {found} numbers, expected {expected}")]
    Length {
        /// The content of the slice.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length it should have, in words and numbers.
        expected: String,
    },
    /// A row, series or channel that the panel does not have.
    #[error("{what} {index} is out of range: there are {count}")]
    OutOfRange {
        /// "row", "series", "channel".
        what: &'static str,
        /// The index.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// No observed value to start a difference or return from.
    #[error(
        "series `{series}` has no observed value of `{header}` before row {row} to start the forecast from"
    )]
    NoLevel {
        /// The series.
        series: String,
        /// The channel.
        header: String,
        /// One-based row of the forecast's start within the series.
        row: usize,
    },
}

/// The class of an error, for a caller that must choose an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration is wrong (exit code 2).
    Config,
    /// There is no such file (66).
    NoSuchFile,
    /// The data are wrong (65).
    Data,
    /// The disk, the network or the system failed (74).
    Disk,
}

impl DataError {
    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            DataError::Config { .. } => ErrorKind::Config,
            DataError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                ErrorKind::NoSuchFile
            }
            DataError::Io { .. } | DataError::Fetch { .. } => ErrorKind::Disk,
            _ => ErrorKind::Data,
        }
    }
}
