//! Rows as they arrive, from any format, into one buffer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::columns::{Unit, check_duplicates, is_of_date, join_times, unit_of};
use super::lines::Row;
use super::roles::Roles;
use super::table::{Bad, Cells, Lines, RawSeries, RowFault, Use};
use crate::config::DataConfig;
use crate::error::DataError;
use crate::number::{self, Cell, Style};
use crate::reading::Reading;
use crate::text::decode;
use crate::time::Clock;
use crate::time::column::TimeColumn;
use crate::time::parse::Written;

/// Collects the rows of one table, file by file.
pub(crate) struct Builder<'a> {
    pub(super) config: &'a DataConfig,
    /// How the table of a trained model was read.
    pub(super) trained: Option<&'a Reading>,
    pub(super) files: Vec<PathBuf>,
    /// Settled by the first file.
    pub(super) roles: Option<Roles>,
    pub(super) rows: Rows,
    pub(super) groups: Groups,
    pub(super) notes: Vec<String>,
    pub(super) doubts: Vec<String>,
}

/// The cells of all rows so far.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) count: usize,
    /// Channels of a row.
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
    /// The same in double precision, where differences will be taken.
    pub(super) exact: Option<Vec<f64>>,
    /// The cells of each channel that are not plain numbers.
    pub(super) cells: Vec<Cells>,
    /// For each channel a bit for every count of decimals seen, 7 standing for more.
    pub(super) decimals: Vec<u8>,
    pub(super) times: Option<TimeColumn>,
    pub(super) lines: Lines,
    /// Rows that end with a separator more than the header.
    pub(super) trailing: usize,
}

/// Which series each row belongs to.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) series: Vec<RawSeries>,
    pub(super) ids: HashMap<Vec<u8>, usize>,
    pub(super) current: usize,
    pub(super) of_row: Vec<u32>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(config: &'a DataConfig, trained: Option<&'a Reading>) -> Self {
        let (files, notes) = (Vec::new(), Vec::new());
        let (rows, groups) = (Rows::default(), Groups::default());
        Builder { config, trained, files, roles: None, rows, groups, notes, doubts: Vec::new() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.count
    }

    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Begins a file whose header is `header` and whose first row has the cells `first`; `sample` gives the first
    /// rows.
    pub(crate) fn begin_file(
        &mut self,
        path: &Path,
        series: &str,
        header: &[String],
        first: &[String],
        sample: &dyn Fn() -> Vec<Vec<String>>,
    ) -> Result<FileUses, DataError> {
        check_duplicates(path, header)?;
        let (config, trained) = (self.config, self.trained);
        let roles = match self.roles.take() {
            Some(roles) => roles,
            None => {
                let how = (config, trained);
                let roles = Roles::settle(path, header, first, sample, how, &mut self.notes)?;
                self.rows.begin(&roles, config, trained);
                roles
            }
        };
        let uses = roles.uses(path, header, config)?;
        self.files.push(path.to_path_buf());
        if roles.id.is_none() {
            self.groups.begin(series.to_owned(), self.files.len() - 1, self.rows.count);
        }
        if self.files.len() > 1
            && roles.trial
            && let Some(extra) = roles.extra(header, &uses)
        {
            return Err(DataError::HeaderMismatch {
                path: path.to_path_buf(),
                first: self.files[0].clone(),
                missing: None,
                extra: Some(extra.clone()),
            });
        }
        let units = roles.time.iter().map(|name| unit_of(name)).collect();
        let id = uses.iter().position(|what| *what == Use::Id);
        self.roles = Some(roles);
        Ok(FileUses { header: header.to_vec(), runs: runs(&uses), uses, id, units })
    }

    /// Adds one row of text cells. `line` is 0 where the format has no lines.
    pub(crate) fn push_row<'r>(
        &mut self,
        mut cells: impl Row<'r>,
        file: &FileUses,
        style: Style,
        (line, byte): (u64, u64),
    ) -> Result<(), RowFault> {
        let rows = &mut self.rows;
        let start = rows.values.len();
        rows.values.resize(start + rows.width, f32::NAN);
        if let Some(exact) = &mut rows.exact {
            exact.resize(start + rows.width, f64::NAN);
        }
        if let Some(field) = file.id {
            let id = cells.clone().nth(field).unwrap_or_default().trim_ascii();
            self.groups.find(id, self.files.len() - 1, rows.count);
        }
        let (asked, number) = (self.config.targets.is_some(), self.files.len() - 1);
        let trials = if asked { 0 } else { self.roles.as_ref().map_or(0, |roles| roles.targets) };
        let bad = |field: usize, cell: &[u8]| Bad {
            file: number,
            line,
            byte,
            field,
            header: file.header[field].clone(),
            cell: decode(cell).trim().to_owned(),
        };
        // A thousands separator, markers such as -999 and double precision need the full look at every cell.
        let missing = self.config.missing.as_slice();
        let direct = missing.is_empty() && style.thousands.is_none() && rows.exact.is_none();
        let mut parts: Vec<String> = Vec::new();
        let width = rows.width;
        let (row, decimals) = (&mut rows.values[start..start + width], &mut rows.decimals[..width]);
        let (shapes, mut exact) = (&mut rows.cells, rows.exact.as_mut());
        let mut field = 0;
        while let Some(what) = file.uses.get(field) {
            if let (Use::Channel(slot), true) = (*what, direct) {
                let run = slot..slot + file.runs[field];
                let taken =
                    cells.numbers(style.decimal, &mut row[run.clone()], &mut decimals[run.clone()]);
                field += taken;
                if taken == run.len() {
                    continue;
                }
            }
            let what = &file.uses[field];
            let Some(cell) = cells.next() else { return Err(RowFault::Ragged) };
            match *what {
                Use::Channel(slot) => {
                    let shape = &mut shapes[slot];
                    match number::parse(cell, style, missing) {
                        Cell::Value(value) => {
                            row[slot] = value;
                            decimals[slot] |= 1 << number::decimals(cell, style.decimal).min(7);
                            if let Some(exact) = &mut exact {
                                exact[start + slot] =
                                    number::exact(cell, style).unwrap_or(value.into());
                            }
                        }
                        Cell::Missing => shape.missing += 1,
                        Cell::Bad => match number::marked(cell, style) {
                            Some(marked) if (marked.value as f32).is_finite() => {
                                row[slot] = marked.value as f32;
                                if let Some(exact) = &mut exact {
                                    exact[start + slot] = marked.value;
                                }
                                let digits = number::bare(cell);
                                let count = number::decimals(digits.as_bytes(), style.decimal);
                                decimals[slot] |= 1 << count.min(7);
                                shape.mark(marked, || bad(field, cell));
                            }
                            _ if slot >= trials => return Err(RowFault::Cell(bad(field, cell))),
                            _ => shape.text(cell, || bad(field, cell)),
                        },
                    }
                }
                Use::Skip | Use::Id => {}
                Use::Time(_) if file.units.len() > 1 => {
                    parts.resize(file.units.len(), String::new());
                    if let Use::Time(part) = *what {
                        parts[part] = decode(cell);
                    }
                }
                Use::Time(_) => {
                    if let Some(times) = &mut rows.times {
                        times.push(cell).map_err(|why| RowFault::Time(bad(field, cell), why))?;
                    }
                }
                Use::Static(i) => self.groups.check_static(i, cell, &file.header[field])?,
            }
            field += 1;
        }
        if let Some(last) = cells.next() {
            if !last.trim_ascii().is_empty() || cells.next().is_some() {
                return Err(RowFault::Ragged);
            }
            rows.trailing += 1;
        }
        if let (false, Some(times)) = (parts.is_empty(), &mut rows.times) {
            let joined = match &self.config.time_format {
                Some(form) if is_of_date(form, &file.units) => {
                    let date = Written::Pattern(form.clone()).parse(parts[0].as_bytes());
                    if let Some(date) = date {
                        parts[0] = Clock::Civil.show(date.value);
                    }
                    join_times(&file.units, &parts)
                }
                Some(_) => parts.join(" "),
                None => join_times(&file.units, &parts),
            };
            let field = file.uses.iter().position(|u| *u == Use::Time(0)).unwrap_or(0);
            let fault = |why| RowFault::Time(bad(field, joined.as_bytes()), why);
            times.push(joined.as_bytes()).map_err(fault)?;
        }
        rows.lines.push(rows.count, line);
        rows.count += 1;
        self.groups.series[self.groups.current].rows.end = rows.count;
        Ok(())
    }

    /// A time of the column that was understood.
    pub(crate) fn time_like(&self) -> Option<String> {
        self.rows.times.as_ref().and_then(TimeColumn::like)
    }
}

/// The columns of one file by their use.
pub(crate) struct FileUses {
    pub(crate) header: Vec<String>,
    uses: Vec<Use>,
    /// How many columns from each one on are channels that follow one another.
    runs: Vec<usize>,
    /// The column that names the series.
    id: Option<usize>,
    /// The units of the time's columns, by their names.
    units: Vec<Option<Unit>>,
}

fn runs(uses: &[Use]) -> Vec<usize> {
    let mut runs = vec![0; uses.len()];
    for (field, what) in uses.iter().enumerate().rev() {
        let Use::Channel(slot) = *what else { continue };
        let follows = uses.get(field + 1) == Some(&Use::Channel(slot + 1));
        runs[field] = if follows { runs[field + 1] + 1 } else { 1 };
    }
    runs
}

impl Rows {
    fn begin(&mut self, roles: &Roles, config: &DataConfig, trained: Option<&Reading>) {
        self.width = roles.channels.len();
        self.cells = vec![Cells::default(); self.width];
        self.decimals = vec![0; self.width];
        let differs = config.transform.lost_rows() > 0;
        self.exact = (differs || !config.spreads.is_empty()).then(Vec::new);
        self.times = roles.time_column(config, trained);
    }
}

impl Groups {
    fn begin(&mut self, name: String, file: usize, row: usize) {
        self.current = self.series.len();
        self.series.push(RawSeries { name, file, rows: row..row, statics: Vec::new() });
    }

    /// Finds the series of a long table's row.
    fn find(&mut self, id: &[u8], file: usize, row: usize) {
        match self.ids.get(id) {
            Some(&known) => self.current = known,
            None => {
                self.begin(decode(id), file, row);
                self.ids.insert(id.to_vec(), self.current);
            }
        }
        self.of_row.push(self.current as u32);
    }

    fn check_static(&mut self, i: usize, cell: &[u8], header: &str) -> Result<(), RowFault> {
        let series = &mut self.series[self.current];
        let text = || decode(cell.trim_ascii());
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
}
