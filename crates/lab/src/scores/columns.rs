//! The numbers of a data file.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Origins;

/// Columns of a CSV file; what is no number is NaN.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    /// By column.
    pub(crate) values: Vec<Vec<f64>>,
}

impl Columns {
    /// Reads the columns that are wanted; all but the first for none.
    pub(crate) fn read(path: &Path, wanted: &[String]) -> Result<Columns> {
        let mut reader = csv::Reader::from_path(path)?;
        let headers = reader.headers()?.clone();
        let names: Vec<String> = match wanted {
            [] => headers.iter().skip(1).map(str::to_owned).collect(),
            wanted => wanted.to_vec(),
        };
        ensure!(!names.is_empty(), "there is no column but the first");
        let find = |name: &String| {
            let place = headers.iter().position(|header| header == name);
            place.with_context(|| format!("there is no column `{name}`"))
        };
        let places: Vec<usize> = names.iter().map(find).collect::<Result<_>>()?;
        let mut values = vec![Vec::new(); names.len()];
        for record in reader.records() {
            let record = record?;
            for (column, place) in values.iter_mut().zip(&places) {
                let text = record.get(*place).unwrap_or_default().trim();
                column.push(text.parse::<f64>().ok().filter(|v| v.is_finite()).unwrap_or(f64::NAN));
            }
        }
        Ok(Columns { names, values })
    }

    pub(crate) fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// The number of values that are forecast from these origins.
    pub(super) fn values_at(&self, origins: Origins) -> usize {
        let of = self.values.iter().flat_map(|column| {
            let windows = origins.of(column.len()).into_iter();
            windows.flat_map(move |known| &column[known..known + origins.horizon])
        });
        of.filter(|value| value.is_finite()).count()
    }

    /// The largest magnitude in a column.
    pub(super) fn largest(&self, column: usize) -> f64 {
        self.values[column].iter().fold(0.0, |most, value| value.abs().max(most))
    }

    /// The mean absolute difference of values a season apart, among the first `known` rows.
    pub(super) fn naive_error(&self, column: usize, known: usize, season: usize) -> f64 {
        let errors = self.naive_errors(column, known, season);
        stats::mean_of_finite(errors.into_iter().map(f64::abs)).unwrap_or(f64::NAN)
    }

    pub(super) fn naive_errors(&self, column: usize, known: usize, season: usize) -> Vec<f64> {
        let past = &self.values[column][..known];
        past.iter().skip(season).zip(past).map(|(later, earlier)| later - earlier).collect()
    }
}
