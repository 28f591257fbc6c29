//! Newer tables, which go on where the rows of a trained model end.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{Fill, SplitConfig};
use crate::error::DataError;
use crate::fill;
use crate::forecast::LeftOut;
use crate::known::{DIGITS, KnownRows};
use crate::panel::{Panel, Series};
use crate::prepare::{Inverse, Pipeline, Prepared, transform_and_fill};
use crate::read::assemble::Trained;
use crate::split::{Parts, Split};
use crate::window::PartWindows;

/// Rows of one series that a newer table adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedRows {
    /// Name of the series.
    pub series: String,
    /// Number of rows.
    pub rows: usize,
    /// Time of the first one.
    pub first: String,
    /// Time of the last one.
    pub last: String,
}

/// A table that begins with rows that a model knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// Its series that the model knows, as they were read, up to the last observed target of each.
    pub panel: Panel,
    /// Number of rows of each series that the model knows.
    pub known: Vec<usize>,
    /// The rows after them, of each series that has some.
    pub added: Vec<AddedRows>,
    /// Number of known rows that are different now.
    pub revised: usize,
    /// Series that the model does not know.
    pub left_out: Vec<LeftOut>,
}

impl Pipeline {
    /// Reads `path` as the training table was read, and compares it with the rows that a model knows. The known rows of
    /// each series come first in it; their values may have been revised. Series that the model does not know are left out.
    ///
    /// # Errors
    /// [`DataError`]: the file's own faults; one that is not written as the training table was;
    /// [`DataError::NotContinued`] if a series is missing, or does not begin with the rows that are known.
    pub fn continuation(
        &self,
        path: &Path,
        known: &[KnownRows],
    ) -> Result<Continuation, DataError> {
        self.validate()?;
        let mut panel = self.read_raw(path)?;
        if let ([only], [series], None) = (known, &mut panel.series[..], &self.config.id) {
            series.name.clone_from(&only.series); // a file is named after itself
        }
        let (mut ends, mut counts, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut added, mut revised) = (Vec::new(), 0);
        for (index, series) in panel.series.iter().enumerate() {
            let Some(known) = known.iter().find(|known| known.series == series.name) else {
                let reason =
                    "the model was not trained on it; to include it, train again".to_owned();
                left_out.push(LeftOut { series: series.name.clone(), reason });
                ends.push(0);
                continue;
            };
            if let Some((column, value)) = panel.statics.unknown(index) {
                return Err(DataError::Unknown {
                    path: panel.path.clone(),
                    what: format!("value of static covariate `{column}`"),
                    name: value.to_owned(),
                    remedy: "use a value the model was trained with",
                });
            }
            let rows = panel.with_targets(series);
            panel.check_beginning(series, rows, known)?;
            let start = series.rows.start;
            for row in 0..known.rows {
                let print = known.prints.get(row * DIGITS..(row + 1) * DIGITS);
                revised += usize::from(print != Some(&panel.print(start + row)?));
            }
            if rows > known.rows {
                added.push(AddedRows {
                    series: series.name.clone(),
                    rows: rows - known.rows,
                    first: panel.time(start + known.rows)?,
                    last: panel.time(start + rows - 1)?,
                });
            }
            ends.push(rows);
            if rows > 0 {
                counts.push(known.rows);
            }
        }
        let there = |known: &&KnownRows| panel.series.iter().any(|s| s.name == known.series);
        if let Some(missing) = known.iter().find(|known| !there(known)) {
            let what =
                format!("series `{}`, which the model was trained on, is missing", missing.series);
            return Err(panel.not_continued(what));
        }
        Ok(Continuation { panel: panel.until(&ends, 0)?, known: counts, added, revised, left_out })
    }

    /// Prepares the rows of a [`Continuation`] for more training: all of them are training rows, and the scaler stays as it
    /// is, since the weights of the model are in its units. Without `masks` the model was trained without gaps, and those
    /// that `fill` leaves take the last value before them in their series, or else the next one. Returns the number of
    /// such cells too.
    ///
    /// # Errors
    /// [`DataError`] where the transform or the windows do not fit the data; [`DataError::RefusedGap`] for a gap if the
    /// model was trained with `fill = "error"`.
    pub fn prepare(&self, panel: Panel, masks: bool) -> Result<(Prepared, usize), DataError> {
        self.validate()?;
        let mut panel = panel.with_calendar(&self.config.calendar)?;
        if panel.channels != self.channels {
            let what = "its channels are not those of its configuration";
            return Err(DataError::Stored { what });
        }
        let only_one = self.takes_any(&panel);
        let own = |series: &Series| {
            let what = "its scaler does not know a series of its rows";
            self.scaler.index_of(&series.name, only_one).ok_or(DataError::Stored { what })
        };
        let index = panel.series.iter().map(own).collect::<Result<Vec<_>, _>>()?;
        let (fingerprint, known) = (panel.fingerprint(), panel.known_rows()?);
        panel.observed = Some(panel.values.iter().map(|value| !value.is_nan()).collect());
        let split = self.all_rows(&panel)?;
        let mut filled = 0;
        if !masks {
            filled = self.fill_gaps(&mut panel, &index)?;
        }
        let levels = transform_and_fill(&self.config, &mut panel, &split)?;
        let lost = usize::from(levels.is_some());
        let (context, horizon) = (self.config.context, self.config.horizon);
        let windows = PartWindows::new(context, horizon, &panel, &split, lost)?;
        for (series, &own) in index.iter().enumerate() {
            for channel in 0..panel.channels.len() {
                if self.scaler.is_unseen(own, channel) {
                    panel.mask(series, channel);
                }
            }
        }
        self.scaler.scale(&mut panel, &index);
        let inverse = Inverse { transform: self.config.transform, levels, index };
        let pipeline = self.clone();
        Ok((Prepared { panel, split, windows, pipeline, fingerprint, known, inverse }, filled))
    }

    /// A split with every row in the training part; of a protocol only the lags stay.
    fn all_rows(&self, panel: &Panel) -> Result<Split, DataError> {
        let whole = |series: &Series| {
            let (rows, end) = (series.rows.clone(), series.rows.end);
            Parts { train: rows.clone(), validation: end..end, test: end..end, scaler: rows }
        };
        let mut lags = 0;
        if let (SplitConfig::Protocol(protocol), Some(first)) =
            (&self.config.split, panel.series.first())
        {
            lags = protocol.rules(first.rows.len(), &first.name)?.lags;
        }
        let parts = panel.series.iter().map(whole).collect();
        let split = Split { parts, stride: 1, drop_exact: false, lags };
        Ok(split.recent(self.config.train_fraction))
    }

    /// Fills every gap of the channels that the scaler knows; returns their number of cells.
    fn fill_gaps(&self, panel: &mut Panel, index: &[usize]) -> Result<usize, DataError> {
        let ends: Vec<usize> = panel.series.iter().map(|series| series.rows.end).collect();
        let width = panel.channels.len();
        let (mut count, mut first) = (0, None);
        for (series, &own) in panel.series.iter().zip(index) {
            for row in series.rows.clone() {
                let missing = |&c: &usize| {
                    panel.values[row * width + c].is_nan() && !self.scaler.is_unseen(own, c)
                };
                for channel in (0..width).filter(missing) {
                    count += 1;
                    first.get_or_insert((series.name.clone(), channel, row));
                }
            }
        }
        let Some((series, channel, row)) = first else { return Ok(0) };
        if self.config.fill == Fill::Error {
            let (path, header) = (panel.path.clone(), panel.channels.names[channel].clone());
            return Err(DataError::RefusedGap { path, series, header, time: panel.time(row)? });
        }
        fill::fill(panel, self.config.fill, &ends);
        fill::hold(panel, self.config.fill, &ends);
        Ok(count)
    }

    /// The table in a file, read as the training table was, without calendar features.
    pub(crate) fn read_raw(&self, path: &Path) -> Result<Panel, DataError> {
        let trained = Trained {
            frequency: self.frequency,
            encoders: &self.encoders,
            reading: self.reading.as_ref(),
        };
        crate::form::read_as(&self.input_config(path), trained)
    }
}

impl Panel {
    /// Checks that the first rows of a series are at the times of the known ones.
    fn check_beginning(
        &self,
        series: &Series,
        rows: usize,
        known: &KnownRows,
    ) -> Result<(), DataError> {
        if known.rows == 0 {
            return Ok(());
        }
        let (name, start) = (&series.name, series.rows.start);
        if rows < known.rows {
            return Err(self.not_continued(format!(
                "series `{name}` has {rows} rows, and the model knows {}",
                known.rows
            )));
        }
        for (row, word, before) in
            [(0, "first", &known.first), (known.rows - 1, "last known", &known.last)]
        {
            let now = self.time(start + row)?;
            if now != *before {
                return Err(self.not_continued(format!(
                    "the {word} row of series `{name}` is at {now}, and in the training it was at {before}"
                )));
            }
        }
        Ok(())
    }

    fn not_continued(&self, what: String) -> DataError {
        DataError::NotContinued { path: self.path.clone(), what }
    }
}

#[cfg(test)]
mod tests;
