//! The rows that a model was trained on, in a form that tells whether a newer table has them too.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::panel::{Panel, Series};

/// Hexadecimal digits per row in [`KnownRows::prints`].
pub(crate) const DIGITS: usize = 8;

/// The rows of one series that a model was trained on, up to the last with an observed target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRows {
    /// Name of the series.
    pub series: String,
    /// Number of rows.
    pub rows: usize,
    /// Time of the first row; empty if there is none.
    pub first: String,
    /// Time of the last row.
    pub last: String,
    /// Eight hexadecimal digits per row, the beginning of SHA-256 over its time and its values as they were read, without
    /// calendar features.
    pub prints: String,
}

impl Panel {
    /// The rows of each series, for a later comparison with [`crate::Pipeline::continuation`].
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if the panel is inconsistent.
    pub fn known_rows(&self) -> Result<Vec<KnownRows>, DataError> {
        let of = |series: &Series| {
            let rows = self.with_targets(series);
            let time = |row: Option<usize>| row.map_or(Ok(String::new()), |row| self.time(row));
            let mut prints = String::with_capacity(DIGITS * rows);
            for row in series.rows.start..series.rows.start + rows {
                prints.push_str(&self.print(row)?);
            }
            let last = series.rows.start + rows;
            Ok(KnownRows {
                series: series.name.clone(),
                rows,
                first: time((rows > 0).then_some(series.rows.start))?,
                last: time((rows > 0).then(|| last - 1))?,
                prints,
            })
        };
        self.series.iter().map(of).collect()
    }

    /// Number of rows of a series up to its last observed target.
    pub(crate) fn with_targets(&self, series: &Series) -> usize {
        let seen = |&row: &usize| {
            self.channels.targets().any(|c| {
                self.is_observed(row, c) && !self.values[row * self.channels.len() + c].is_nan()
            })
        };
        series.rows.clone().rev().find(seen).map_or(0, |row| row + 1 - series.rows.start)
    }

    /// The digits of a row in [`KnownRows::prints`].
    pub(crate) fn print(&self, row: usize) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        hash.update(self.instant(row)?.to_le_bytes());
        for value in &self.row(row)?[..self.channels.calendar().start] {
            // All that is missing is the same.
            let value = if value.is_nan() { f32::NAN } else { *value };
            hash.update(value.to_le_bytes());
        }
        Ok(hash.finalize().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect())
    }
}
