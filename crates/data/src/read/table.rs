//! A table as read, and what can be wrong with a row of it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{BadCell, BadTime, DataError};
use crate::number::{self, Mark, Marked, Style};
use crate::reading::Reading;
use crate::time::column::Times;

/// The use of a column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Skip,
    /// Part of the time.
    Time(usize),
    Id,
    /// Index into the static covariates.
    Static(usize),
    /// Index into the channels.
    Channel(usize),
}

/// A cell that is no number, to be located in its line later.
#[derive(Debug, Clone)]
pub(crate) struct Bad {
    pub(crate) file: usize,
    pub(crate) line: u64,
    /// Byte of the text stream at which the record starts; `NO_TEXT` where the format has none.
    pub(crate) byte: u64,
    pub(crate) field: usize,
    pub(crate) header: String,
    pub(crate) cell: String,
}

/// A fault of a row, before it is located.
#[derive(Debug)]
pub(crate) enum RowFault {
    Cell(Bad),
    Time(Bad, crate::time::column::Refused),
    Static {
        first: String,
        second: String,
        series: String,
        header: String,
    },
    /// More or fewer cells than the header.
    Ragged,
}

/// The cells of a channel that are not plain numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells {
    pub(super) missing: usize,
    pub(super) bad: usize,
    pub(super) first_bad: Option<Bad>,
    /// Texts that differ from the text before, and texts with a digit.
    pub(super) changes: usize,
    pub(super) with_digits: usize,
    last_bad: Vec<u8>,
    pub(super) percent: usize,
    pub(super) truth: usize,
    pub(super) scaled: usize,
    /// Those with the unit of the first of them.
    pub(super) units: usize,
    pub(super) unit: Option<&'static str>,
    /// The first cell with another unit.
    pub(super) other_unit: Option<Bad>,
    /// The first cell of percent, truth or a unit, and the first of all that are marked.
    pub(super) first_unit: Option<Bad>,
    pub(super) first_marked: Option<String>,
}

impl Cells {
    pub(super) fn text(&mut self, cell: &[u8], bad: impl Fn() -> Bad) {
        self.bad += 1;
        self.with_digits += usize::from(cell.iter().any(u8::is_ascii_digit));
        if self.first_bad.is_none() {
            self.first_bad = Some(bad());
        } else {
            self.changes += usize::from(self.last_bad != cell);
        }
        self.last_bad.clear();
        self.last_bad.extend_from_slice(cell);
    }

    /// Whether each row has another text, with a digit in it, as a time would.
    pub(super) fn labels_rows(&self, rows: usize) -> bool {
        self.with_digits == rows && self.changes + 1 == rows && rows > 2
    }

    pub(super) fn mark(&mut self, marked: Marked, bad: impl Fn() -> Bad) {
        match marked.mark {
            Mark::Percent => self.percent += 1,
            Mark::Truth => self.truth += 1,
            Mark::Scaled => self.scaled += 1,
            Mark::Accounting | Mark::Unit | Mark::Minus => {}
        }
        match (marked.unit, self.unit) {
            (Some(unit), Some(first)) if unit != first => {
                self.other_unit.get_or_insert_with(&bad);
            }
            (Some(unit), _) => {
                self.unit = Some(unit);
                self.units += 1;
            }
            (None, _) => {}
        }
        self.first_marked.get_or_insert_with(|| bad().cell);
        if marked.unit.is_some() || matches!(marked.mark, Mark::Percent | Mark::Truth) {
            self.first_unit.get_or_insert_with(bad);
        }
    }

    /// The unit of its numbers, as a later table must have it.
    pub(super) fn unit(&self) -> Option<&'static str> {
        self.unit.or((self.percent > 0).then_some("%"))
    }
}

/// One series of the table: its rows in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct RawSeries {
    pub(crate) name: String,
    pub(crate) file: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) statics: Vec<String>,
}

/// A table as read: nothing sorted, filled or scaled.
pub(crate) struct Table {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) channels: Vec<String>,
    /// How many of the channels are targets.
    pub(crate) targets: usize,
    /// Row-major, NaN where missing; series one after another.
    pub(crate) values: Vec<f32>,
    /// The same in double precision, where differences will be taken.
    pub(crate) exact: Option<Vec<f64>>,
    pub(crate) times: Option<Times>,
    pub(crate) series: Vec<RawSeries>,
    pub(crate) notes: Vec<String>,
    /// Readings that could have been others, and how they were decided.
    pub(crate) doubts: Vec<String>,
    /// How times and numbers were read.
    pub(crate) reading: Reading,
    /// Columns that would tell the time together, where the one taken is only a part of it.
    pub(crate) companions: Vec<String>,
    /// Columns left out because they hold text.
    pub(crate) text_columns: Vec<String>,
    /// That of them which names the only series, by its name and its one text.
    pub(crate) only_id: Option<String>,
    pub(super) lines: Lines,
    /// For rows moved by grouping series: where they were.
    pub(super) origin: Option<Vec<u32>>,
}

impl Table {
    /// Line of a row; 0 where the format has no lines.
    pub(crate) fn line(&self, row: usize) -> u64 {
        let row = self.origin.as_ref().map_or(row, |o| o[row] as usize);
        self.lines.line(row)
    }
}

/// Lines of rows, stored only where they do not simply follow one another.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// (row, line): from this row on, line = line + (row − this row). Line 0: no lines.
    starts: Vec<(usize, u64)>,
}

impl Lines {
    pub(super) fn push(&mut self, row: usize, line: u64) {
        let follows = |&(start, first): &(usize, u64)| match first {
            0 => line == 0,
            first => line == first + (row - start) as u64,
        };
        if !self.starts.last().is_some_and(follows) {
            self.starts.push((row, line));
        }
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        let after = self.starts.partition_point(|&(start, _)| start <= row);
        match after.checked_sub(1).map(|i| self.starts[i]) {
            Some((start, line)) if line > 0 => line + (row - start) as u64,
            _ => 0,
        }
    }
}

pub(crate) fn bad_cell(path: &Path, bad: &Bad, column: u64, style: Style) -> DataError {
    DataError::BadCell(Box::new(BadCell {
        path: path.to_path_buf(),
        line: bad.line,
        column,
        header: bad.header.clone(),
        cell: bad.cell.clone(),
        hint: number::hint(&bad.cell, style),
    }))
}

pub(crate) fn bad_time(
    path: &Path,
    bad: Bad,
    column: u64,
    like: Option<String>,
    why: crate::time::column::Refused,
) -> DataError {
    DataError::BadTime(Box::new(BadTime {
        path: path.to_path_buf(),
        line: bad.line,
        column,
        header: bad.header,
        cell: bad.cell,
        like,
        hint: why.hint(),
    }))
}
