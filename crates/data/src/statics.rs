//! Static covariates: one number, or one indicator per category, for each series.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::number::{self, Cell, Style};

/// Static covariates as numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statics {
    names: Vec<String>,
    values: Vec<f32>,
}

impl Statics {
    /// Names, such as `area` or `region=north`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Those of some series.
    pub(crate) fn select(&self, series: &[usize]) -> Statics {
        let width = self.names.len();
        let values = series.iter().flat_map(|s| &self.values[s * width..(s + 1) * width]);
        Statics { names: self.names.clone(), values: values.copied().collect() }
    }

    /// Values, row-major `[series, names]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// How one static column becomes numbers; learned from the training table, saved with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Encoder {
    pub(crate) column: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Standardized over series.
    Number { center: f64, spread: f64 },
    /// One indicator per value seen.
    Levels(Vec<String>),
}

impl Encoder {
    /// Learns from the values of all series.
    pub(crate) fn fit(column: &str, values: &[&str]) -> Encoder {
        let numbers: Vec<Cell> =
            values.iter().map(|v| number::parse(v.as_bytes(), Style::default(), &[])).collect();
        let numbers: Option<Vec<f64>> = numbers
            .iter()
            .map(|c| if let Cell::Value(v) = c { Some(f64::from(*v)) } else { None })
            .collect();
        let kind = match numbers {
            Some(numbers) => {
                let n = numbers.len().max(1) as f64;
                let center = numbers.iter().sum::<f64>() / n;
                let variance = numbers.iter().map(|x| (x - center).powi(2)).sum::<f64>() / n;
                let spread = if variance > 0.0 { variance.sqrt() } else { 1.0 };
                Kind::Number { center, spread }
            }
            None => {
                let mut levels: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
                levels.sort();
                levels.dedup();
                Kind::Levels(levels)
            }
        };
        Encoder { column: column.to_owned(), kind }
    }

    fn names(&self) -> Vec<String> {
        match &self.kind {
            Kind::Number { .. } => vec![self.column.clone()],
            Kind::Levels(levels) => levels.iter().map(|l| format!("{}={l}", self.column)).collect(),
        }
    }

    fn encode(&self, value: &str, path: &Path, out: &mut Vec<f32>) -> Result<(), DataError> {
        let unknown = || DataError::Unknown {
            path: path.to_path_buf(),
            what: format!("value of static covariate `{}`", self.column),
            name: value.to_owned(),
            remedy: "use a value the model was trained with",
        };
        match &self.kind {
            Kind::Number { center, spread } => {
                let Cell::Value(v) = number::parse(value.as_bytes(), Style::default(), &[]) else {
                    return Err(unknown());
                };
                out.push(((f64::from(v) - center) / spread) as f32);
            }
            Kind::Levels(levels) => {
                if !levels.iter().any(|l| l == value) {
                    return Err(unknown());
                }
                out.extend(levels.iter().map(|l| f32::from(u8::from(l == value))));
            }
        }
        Ok(())
    }
}

/// Numbers of every series: `rows[s][k]` is the text of column k for series s.
pub(crate) fn encode(
    encoders: &[Encoder],
    rows: &[&[String]],
    path: &Path,
) -> Result<Statics, DataError> {
    let names = encoders.iter().flat_map(Encoder::names).collect();
    let mut values = Vec::new();
    for row in rows {
        for (encoder, value) in encoders.iter().zip(*row) {
            encoder.encode(value, path, &mut values)?;
        }
    }
    Ok(Statics { names, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_standardized_and_text_becomes_indicators() {
        let area = Encoder::fit("area", &["1", "3"]);
        let region = Encoder::fit("region", &["north", "south"]);
        let rows = [vec!["1".to_owned(), "south".into()], vec!["3".to_owned(), "north".into()]];
        let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
        let statics = encode(&[area, region.clone()], &rows, Path::new("t.csv")).unwrap();
        assert_eq!(statics.names(), ["area", "region=north", "region=south"]);
        assert_eq!(statics.values(), [-1.0, 0.0, 1.0, 1.0, 1.0, 0.0]); // mean 2, deviation 1
        let unknown = [vec!["east".to_owned()]];
        let error = encode(&[region], &[unknown[0].as_slice()], Path::new("t.csv")).unwrap_err();
        assert!(error.to_string().contains("`east` was not in the training data"), "{error}");
    }
}
