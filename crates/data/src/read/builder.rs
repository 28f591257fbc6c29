//! Rows as they arrive, from any format, into one buffer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::columns::{check_duplicates, find, guess_time};
use super::lines::Row;
use super::table::{Bad, Lines, RawSeries, RowFault, Trial, Use};
use crate::config::DataConfig;
use crate::error::DataError;
use crate::number::{self, Cell, Style};
use crate::time::column::TimeColumn;

/// Collects rows.
pub(crate) struct Builder<'a> {
    pub(super) config: &'a DataConfig,
    pub(super) files: Vec<PathBuf>,
    pub(super) channels: Vec<String>,
    pub(super) trials: Vec<Trial>,
    pub(super) targets: usize,
    pub(super) time_name: Option<String>,
    pub(super) id_name: Option<String>,
    pub(super) width: usize,
    pub(super) rows: usize,
    pub(super) values: Vec<f32>,
    pub(super) times: Option<TimeColumn>,
    pub(super) series: Vec<RawSeries>,
    pub(super) ids: HashMap<Vec<u8>, usize>,
    pub(super) current: usize,
    pub(super) series_of_row: Vec<u32>,
    pub(super) lines: Lines,
    pub(super) notes: Vec<String>,
    pub(super) text_columns: Vec<String>,
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
            ("spreads", config.spreads.as_flattened()),
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
        let spread = config.spreads.as_flattened();
        let covariates =
            config.past_covariates.iter().chain(spread).chain(&config.future_covariates);
        self.channels.extend(covariates.cloned());
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
                continue;
            }
            let Some(cell) = cells.next() else { return Err(RowFault::Ragged) };
            match *what {
                Use::Channel(slot) | Use::Trial(slot) => {
                    match (number::parse(cell, style, missing), self.trials.get_mut(slot)) {
                        (Cell::Value(value), _) => self.values[start + slot] = value,
                        (Cell::Missing, trial) => trial.into_iter().for_each(|t| t.missing += 1),
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

    /// A time of the column that was understood.
    pub(crate) fn time_like(&self) -> Option<String> {
        self.times.as_ref().and_then(TimeColumn::like)
    }
}
