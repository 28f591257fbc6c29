//! Rows as they arrive, from any format, into one buffer: which column is what is decided here.
//!
//! **Which columns are channels.** A column named in `targets` or covariates must hold numbers: the first
//! cell that does not is an error. When `targets` is not given, every column not used otherwise is looked
//! at as a whole: a channel when all of its cells that are not missing are numbers; text, and left out,
//! when at most half of them are; in between, the column means to be numeric and its first bad cell is
//! an error. No column is dropped silently: those left out are listed in the notes.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::lines::Row;
use super::number::{self, Cell, Style};
use crate::config::DataConfig;
use crate::error::{BadCell, BadTime, DataError};
use crate::time::column::{TimeColumn, Times};

/// What a column of a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Skip,
    Time,
    Id,
    /// Index into the static covariates.
    Static(usize),
    /// A channel that was asked for.
    Channel(usize),
    /// A channel if its cells are numbers.
    Trial(usize),
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

/// What went wrong in a row, before it is located.
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

#[derive(Debug, Clone, Default)]
struct Trial {
    good: usize,
    bad: usize,
    first_bad: Option<Bad>,
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
    pub(crate) times: Option<Times>,
    pub(crate) series: Vec<RawSeries>,
    pub(crate) notes: Vec<String>,
    /// Columns left out because they hold text.
    pub(crate) text_columns: Vec<String>,
    lines: Lines,
    /// For rows moved by grouping series: where they were.
    origin: Option<Vec<u32>>,
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
struct Lines {
    /// (row, line): from this row on, line = line + (row − this row). Line 0: no lines.
    starts: Vec<(usize, u64)>,
}

impl Lines {
    fn push(&mut self, row: usize, line: u64) {
        if self.starts.is_empty() || self.line(row) != line {
            self.starts.push((row, line));
        }
    }

    fn line(&self, row: usize) -> u64 {
        let after = self.starts.partition_point(|&(start, _)| start <= row);
        match after.checked_sub(1).map(|i| self.starts[i]) {
            Some((start, line)) if line > 0 => line + (row - start) as u64,
            _ => 0,
        }
    }
}

/// Collects rows.
pub(crate) struct Builder<'a> {
    config: &'a DataConfig,
    files: Vec<PathBuf>,
    channels: Vec<String>,
    trials: Vec<Trial>,
    targets: usize,
    time_name: Option<String>,
    id_name: Option<String>,
    width: usize,
    rows: usize,
    values: Vec<f32>,
    times: Option<TimeColumn>,
    series: Vec<RawSeries>,
    ids: HashMap<Vec<u8>, usize>,
    current: usize,
    series_of_row: Vec<u32>,
    lines: Lines,
    notes: Vec<String>,
    text_columns: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(config: &'a DataConfig) -> Self {
        Builder {
            config,
            files: Vec::new(),
            channels: Vec::new(),
            trials: Vec::new(),
            targets: 0,
            time_name: None,
            id_name: config.id.clone(),
            width: 0,
            rows: 0,
            values: Vec::new(),
            times: None,
            series: Vec::new(),
            ids: HashMap::new(),
            current: 0,
            series_of_row: Vec::new(),
            lines: Lines::default(),
            notes: Vec::new(),
            text_columns: Vec::new(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    #[cfg(feature = "parquet")]
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Settles what each column of a file is for. `first_cells` are cells of its first row.
    pub(crate) fn begin_file(
        &mut self,
        path: &Path,
        series: &str,
        header: &[String],
        first_cells: &[String],
    ) -> Result<Vec<Use>, DataError> {
        check_duplicates(path, header)?;
        if self.files.is_empty() {
            self.begin_table(path, header, first_cells)?;
        }
        self.files.push(path.to_path_buf());
        if self.id_name.is_none() {
            self.current = self.series.len();
            self.new_series(series.to_owned());
        }
        let uses = self.uses(path, header)?;
        if self.files.len() > 1 && self.config.targets.is_none() {
            let known: Vec<&String> = self.channels.iter().collect();
            let extra =
                header.iter().zip(&uses).find(|(h, u)| **u == Use::Skip && !known.contains(h));
            if let Some((extra, _)) = extra {
                return Err(DataError::HeaderMismatch {
                    path: path.to_path_buf(),
                    first: self.files[0].clone(),
                    missing: None,
                    extra: Some(extra.clone()),
                });
            }
        }
        Ok(uses)
    }

    fn begin_table(
        &mut self,
        path: &Path,
        header: &[String],
        first: &[String],
    ) -> Result<(), DataError> {
        let config = self.config;
        self.time_name = match config.time.as_deref() {
            Some("") => None,
            Some(name) => Some(find(path, header, name, "time")?),
            None => guess_time(header, first, config),
        };
        if let (None, None) = (&self.time_name, &config.time) {
            self.notes.push("no time column: rows are numbered from 0".into());
        }
        if self.time_name.is_some() {
            self.times = Some(TimeColumn::new(config.time_format.as_deref()));
        }
        if let Some(id) = &config.id {
            find(path, header, id, "id")?;
        }
        let mut named = Vec::new();
        let lists = [
            ("targets", config.targets.as_deref().unwrap_or_default()),
            ("past_covariates", config.past_covariates.as_slice()),
            ("future_covariates", config.future_covariates.as_slice()),
            ("static_covariates", config.static_covariates.as_slice()),
        ];
        for (key, names) in lists {
            for name in names {
                find(path, header, name, key)?;
                if self.time_name.as_ref() == Some(name) {
                    return Err(DataError::Config {
                        key,
                        value: format!("{name:?}"),
                        expected: "columns other than the time column; set `time` if it is another"
                            .into(),
                    });
                }
                named.push(name.clone());
            }
        }
        self.channels = match &config.targets {
            Some(targets) => targets.clone(),
            None => {
                let used = |h: &String| {
                    named.contains(h)
                        || self.time_name.as_ref() == Some(h)
                        || config.id.as_ref() == Some(h)
                };
                header.iter().filter(|h| !used(h)).cloned().collect()
            }
        };
        self.targets = self.channels.len();
        self.channels
            .extend(config.past_covariates.iter().chain(&config.future_covariates).cloned());
        self.width = self.channels.len();
        if config.targets.is_none() {
            self.trials = vec![Trial::default(); self.targets];
        }
        Ok(())
    }

    fn uses(&self, path: &Path, header: &[String]) -> Result<Vec<Use>, DataError> {
        let position: HashMap<&str, usize> =
            header.iter().enumerate().map(|(i, h)| (h.as_str(), i)).collect();
        let mut uses = vec![Use::Skip; header.len()];
        let mut set = |name: &str, what: Use| match position.get(name) {
            Some(&i) => {
                uses[i] = what;
                Ok(())
            }
            None => Err(DataError::HeaderMismatch {
                path: path.to_path_buf(),
                first: self.files[0].clone(),
                missing: Some(name.to_owned()),
                extra: None,
            }),
        };
        if let Some(time) = &self.time_name {
            set(time, Use::Time)?;
        }
        if let Some(id) = &self.id_name {
            set(id, Use::Id)?;
        }
        for (i, name) in self.config.static_covariates.iter().enumerate() {
            set(name, Use::Static(i))?;
        }
        for (slot, name) in self.channels.iter().enumerate() {
            set(
                name,
                if slot < self.trials.len() { Use::Trial(slot) } else { Use::Channel(slot) },
            )?;
        }
        Ok(uses)
    }

    fn new_series(&mut self, name: String) {
        let file = self.files.len() - 1;
        self.series.push(RawSeries { name, file, rows: self.rows..self.rows, statics: Vec::new() });
    }

    /// Adds one row of text cells. `line` is 0 where the format has no lines.
    pub(crate) fn push_row<'r>(
        &mut self,
        cells: impl Row<'r>,
        uses: &[Use],
        header: &[String],
        style: Style,
        (line, byte): (u64, u64),
    ) -> Result<(), RowFault> {
        let start = self.values.len();
        self.values.resize(start + self.width, f32::NAN);
        if self.id_name.is_some() {
            self.settle_series(cells.clone(), uses);
        }
        let file = self.files.len() - 1;
        let bad = |field: usize, cell: &[u8]| Bad {
            file,
            line,
            byte,
            field,
            header: header[field].clone(),
            cell: String::from_utf8_lossy(cell).trim().to_owned(),
        };
        let mut cells = cells;
        // A thousands separator, or markers such as -999, need the full look at every cell.
        let missing = self.config.missing.as_slice();
        let direct = missing.is_empty() && style.thousands.is_none();
        for (field, what) in uses.iter().enumerate() {
            if let (Use::Channel(slot) | Use::Trial(slot), true) = (*what, direct)
                && let Some(value) = cells.number(style.decimal)
            {
                self.values[start + slot] = value;
                if let Some(trial) = self.trials.get_mut(slot) {
                    trial.good += 1;
                }
                continue;
            }
            let Some(cell) = cells.next() else { return Err(RowFault::Ragged) };
            match *what {
                Use::Channel(slot) | Use::Trial(slot) => {
                    match (number::parse(cell, style, missing), self.trials.get_mut(slot)) {
                        (Cell::Value(value), trial) => {
                            self.values[start + slot] = value;
                            trial.into_iter().for_each(|t| t.good += 1);
                        }
                        (Cell::Missing, _) => {}
                        (Cell::Bad, None) => return Err(RowFault::Cell(bad(field, cell))),
                        (Cell::Bad, Some(trial)) => {
                            trial.bad += 1;
                            trial.first_bad.get_or_insert_with(|| bad(field, cell));
                        }
                    }
                }
                Use::Skip | Use::Id => {}
                Use::Time => {
                    if let Some(times) = &mut self.times {
                        times.push(cell).map_err(|why| RowFault::Time(bad(field, cell), why))?;
                    }
                }
                Use::Static(i) => self.check_static(i, cell, &header[field])?,
            }
        }
        if cells.next().is_some() {
            return Err(RowFault::Ragged);
        }
        self.lines.push(self.rows, line);
        self.rows += 1;
        self.series[self.current].rows.end = self.rows;
        Ok(())
    }

    /// Finds the series of a long table's row.
    fn settle_series<'r>(&mut self, mut cells: impl Iterator<Item = &'r [u8]>, uses: &[Use]) {
        let field = uses.iter().position(|u| *u == Use::Id).unwrap_or(0);
        let id = cells.nth(field).unwrap_or_default().trim_ascii();
        if let Some(&known) = self.ids.get(id) {
            self.current = known;
        } else {
            self.current = self.series.len();
            self.ids.insert(id.to_vec(), self.current);
            self.new_series(super::open::decode(id, self.config.encoding));
        }
        self.series_of_row.push(self.current as u32);
    }

    fn check_static(&mut self, i: usize, cell: &[u8], header: &str) -> Result<(), RowFault> {
        let series = &mut self.series[self.current];
        let text = || super::open::decode(cell.trim_ascii(), self.config.encoding);
        match series.statics.get(i) {
            None => {
                series.statics.resize(i, String::new());
                series.statics.push(text());
                Ok(())
            }
            Some(first) if first.as_bytes() == cell.trim_ascii() || *first == text() => Ok(()),
            Some(first) => Err(RowFault::Static {
                first: first.clone(),
                second: text(),
                series: series.name.clone(),
                header: header.to_owned(),
            }),
        }
    }

    /// Decides trial columns, groups rows by series and fixes the reading of the time column.
    pub(crate) fn finish(
        mut self,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<Table, DataError> {
        self.decide_trials(locate, style)?;
        let origin = self.group();
        self.values.shrink_to_fit();
        let mut table = Table {
            files: self.files,
            channels: self.channels,
            targets: self.targets,
            values: self.values,
            times: None,
            series: self.series,
            notes: self.notes,
            text_columns: self.text_columns,
            lines: self.lines,
            origin,
        };
        if let Some(column) = self.times {
            let times = column.finish().map_err(|two| DataError::Ambiguous {
                path: table.files.first().cloned().unwrap_or_default(),
                line: table.lines.line(two.row),
                header: self.time_name.clone().unwrap_or_default(),
                cell: two.cell,
                first: two.first,
                second: two.second,
                remedy: "set `time_format` under [data], such as \"%d/%m/%Y\" or \"%m/%d/%Y\"",
            })?;
            table.times = Some(match &table.origin {
                Some(origin) => Times {
                    values: origin.iter().map(|&row| times.values[row as usize]).collect(),
                    ..times
                },
                None => times,
            });
        }
        Ok(table)
    }

    fn decide_trials(
        &mut self,
        locate: &dyn Fn(&Bad) -> u64,
        style: Style,
    ) -> Result<(), DataError> {
        let mut kept = Vec::new();
        for (slot, trial) in self.trials.iter().enumerate() {
            let name = &self.channels[slot];
            match trial {
                Trial { good: 0, bad: 0, .. } => {
                    self.notes.push(format!("column `{name}` has no value in any row: left out"));
                }
                Trial { bad: 0, .. } => kept.push(slot),
                Trial { good, bad, .. } if good <= bad => {
                    self.notes.push(format!("column `{name}` is text: left out"));
                    self.text_columns.push(name.clone());
                }
                Trial { first_bad: Some(bad), .. } => {
                    return Err(bad_cell(&self.files[bad.file], bad, locate(bad), style));
                }
                Trial { first_bad: None, .. } => kept.push(slot),
            }
        }
        if self.config.targets.is_some() {
            return self.check_observed();
        }
        if kept.is_empty() {
            return Err(self.no_numbers(locate, style));
        }
        if kept.len() < self.targets {
            kept.extend(self.targets..self.width);
            let (width, rows) = (self.width, self.rows);
            for row in 0..rows {
                for (to, &from) in kept.iter().enumerate() {
                    self.values[row * kept.len() + to] = self.values[row * width + from];
                }
            }
            self.values.truncate(rows * kept.len());
            self.targets -= width - kept.len();
            self.channels = kept.iter().map(|&slot| self.channels[slot].clone()).collect();
            self.width = kept.len();
        }
        self.check_observed()
    }

    /// A column with some numbers meant to be one; else there is none.
    fn no_numbers(&self, locate: &dyn Fn(&Bad) -> u64, style: Style) -> DataError {
        let mixed = self.trials.iter().find(|t| t.good > 0).and_then(|t| t.first_bad.as_ref());
        if let Some(bad) = mixed {
            return bad_cell(&self.files[bad.file], bad, locate(bad), style);
        }
        let example = self.trials.iter().find_map(|t| t.first_bad.clone());
        DataError::NoNumbers {
            path: self.files.first().cloned().unwrap_or_default(),
            example: example.map(|bad| (bad.line, bad.header, bad.cell)),
            available: self.channels.clone(),
        }
    }

    /// Every channel needs a value somewhere.
    fn check_observed(&self) -> Result<(), DataError> {
        let mut empty: Vec<usize> = (0..self.width).collect();
        for row in self.values.chunks_exact(self.width.max(1)) {
            if empty.is_empty() {
                return Ok(());
            }
            empty.retain(|&slot| row[slot].is_nan());
        }
        match empty.first() {
            Some(&slot) => Err(DataError::EmptyColumn {
                path: self.files.first().cloned().unwrap_or_default(),
                header: self.channels[slot].clone(),
            }),
            None => Ok(()),
        }
    }

    /// Brings the rows of each series together, keeping their order; returns where each row was.
    fn group(&mut self) -> Option<Vec<u32>> {
        if self.series_of_row.is_sorted() {
            if self.id_name.is_some() {
                let mut start = 0;
                for (s, count) in
                    counts(&self.series_of_row, self.series.len()).into_iter().enumerate()
                {
                    self.series[s].rows = start..start + count;
                    start += count;
                }
            }
            return None;
        }
        let mut next = 0;
        let mut starts = Vec::new();
        let counts = counts(&self.series_of_row, self.series.len());
        for (series, count) in self.series.iter_mut().zip(counts) {
            series.rows = next..next + count;
            starts.push(next);
            next += count;
        }
        let mut origin = vec![0u32; self.rows];
        let mut values = vec![0.0f32; self.values.len()];
        for (row, &series) in self.series_of_row.iter().enumerate() {
            let to = &mut starts[series as usize];
            origin[*to] = row as u32;
            values[*to * self.width..(*to + 1) * self.width]
                .copy_from_slice(&self.values[row * self.width..(row + 1) * self.width]);
            *to += 1;
        }
        self.values = values;
        Some(origin)
    }
}

fn counts(series_of_row: &[u32], series: usize) -> Vec<usize> {
    let mut counts = vec![0; series];
    for &s in series_of_row {
        counts[s as usize] += 1;
    }
    counts
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

impl Builder<'_> {
    /// A time of the column that was understood.
    pub(crate) fn time_like(&self) -> Option<String> {
        self.times.as_ref().and_then(TimeColumn::like)
    }
}

fn check_duplicates(path: &Path, header: &[String]) -> Result<(), DataError> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(header.len());
    let mut column = 1;
    for (i, name) in header.iter().enumerate() {
        if let Some(first) = seen.insert(name, i) {
            return Err(DataError::DuplicateHeader {
                path: path.to_path_buf(),
                header: name.clone(),
                first: first + 1,
                second: i + 1,
                column,
            });
        }
        column += name.chars().count() as u64 + 1;
    }
    Ok(())
}

/// The column `name`, or an error that names the closest one.
fn find(
    path: &Path,
    header: &[String],
    name: &str,
    key: &'static str,
) -> Result<String, DataError> {
    if header.iter().any(|h| h == name) {
        return Ok(name.to_owned());
    }
    let close = |h: &&String| strsim::damerau_levenshtein(&h.to_lowercase(), &name.to_lowercase());
    let suggestion = header.iter().take(1000).min_by_key(close);
    let suggestion = suggestion.filter(|h| close(h) <= 1 + name.chars().count() / 4).cloned();
    Err(DataError::MissingColumn {
        path: path.to_path_buf(),
        name: name.to_owned(),
        key,
        available: header.to_vec(),
        suggestion,
    })
}

/// A column whose first cell is a date by its look, one that is called like a time column first of all; else
/// one with such a name and numbers that can be times.
fn guess_time(header: &[String], first: &[String], config: &DataConfig) -> Option<String> {
    const NAMES: [&str; 12] = [
        "date",
        "datetime",
        "time",
        "timestamp",
        "ds",
        "date_time",
        "datum",
        "year",
        "quarter",
        "period",
        "month",
        "t",
    ];
    let used = |h: &String| {
        config.id.as_ref() == Some(h)
            || config.targets.as_ref().is_some_and(|t| t.contains(h))
            || config.past_covariates.contains(h)
            || config.future_covariates.contains(h)
            || config.static_covariates.contains(h)
    };
    let readings = |cell: &str| crate::time::parse::Written::candidates(cell.trim());
    let free = header.iter().zip(first).filter(|(h, _)| !used(h)).take(1000);
    let rank = |(name, cell): &(&String, &String)| {
        let named = NAMES.contains(&name.trim().to_lowercase().as_str());
        let readings = readings(cell);
        match (named, readings.iter().any(|w| w.is_explicit())) {
            (true, true) => Some(0),
            (false, true) => Some(1),
            (true, false) if !readings.is_empty() || cell.trim().is_empty() => Some(2),
            // Called a date and unreadable: better an error than rows numbered in silence.
            (true, false) if number::parse(cell.as_bytes(), Style::default(), &[]) == Cell::Bad => {
                Some(3)
            }
            _ => None,
        }
    };
    free.filter_map(|column| Some((rank(&column)?, column.0)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name.clone())
}
