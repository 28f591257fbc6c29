//! Static covariates: one number, or one indicator per category, for each series.

use serde::{Deserialize, Serialize};

use crate::number::{self, Cell, Style};

/// Static covariates as numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statics {
    names: Vec<String>,
    values: Vec<f32>,
    /// Series with a value that the encoders do not know, the column and the value.
    unknown: Vec<(usize, String, String)>,
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
        Statics {
            names: self.names.clone(),
            values: values.copied().collect(),
            unknown: Vec::new(),
        }
    }

    /// The column and the value of a series that training did not have, if any.
    pub(crate) fn unknown(&self, series: usize) -> Option<(&str, &str)> {
        let found = self.unknown.iter().find(|(of, ..)| *of == series);
        found.map(|(_, column, value)| (column.as_str(), value.as_str()))
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

    /// Its columns of numbers, each with its center and its spread.
    pub(crate) fn columns(&self) -> Vec<(String, [f64; 2])> {
        let affine = match self.kind {
            Kind::Number { center, spread } => [center, spread],
            Kind::Levels(_) => [0.0, 1.0],
        };
        self.names().into_iter().map(|name| (name, affine)).collect()
    }

    /// Appends the numbers of one value; `false`, and as many missing ones, if training did not have it.
    fn encode(&self, value: &str, out: &mut Vec<f32>) -> bool {
        match &self.kind {
            Kind::Number { center, spread } => {
                match number::parse(value.as_bytes(), Style::default(), &[]) {
                    Cell::Value(v) => {
                        out.push(((f64::from(v) - center) / spread) as f32);
                        true
                    }
                    _ => {
                        out.push(f32::NAN);
                        false
                    }
                }
            }
            Kind::Levels(levels) => {
                let known = levels.iter().any(|l| l == value);
                let indicator = |level: &String| match known {
                    true => f32::from(u8::from(level == value)),
                    false => f32::NAN,
                };
                out.extend(levels.iter().map(indicator));
                known
            }
        }
    }
}

/// Numbers of every series: `rows[s][k]` is the text of column k for series s.
pub(crate) fn encode(encoders: &[Encoder], rows: &[&[String]]) -> Statics {
    let names = encoders.iter().flat_map(Encoder::names).collect();
    let (mut values, mut unknown) = (Vec::new(), Vec::new());
    for (series, row) in rows.iter().enumerate() {
        for (encoder, value) in encoders.iter().zip(*row) {
            if !encoder.encode(value, &mut values) {
                unknown.push((series, encoder.column.clone(), value.clone()));
            }
        }
    }
    Statics { names, values, unknown }
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
        let statics = encode(&[area, region.clone()], &rows);
        assert_eq!(statics.names(), ["area", "region=north", "region=south"]);
        assert_eq!(statics.values(), [-1.0, 0.0, 1.0, 1.0, 1.0, 0.0]); // mean 2, deviation 1
        let unknown = [vec!["east".to_owned()]];
        let statics = encode(&[region], &[unknown[0].as_slice()]);
        assert_eq!(statics.unknown(0), Some(("region", "east")));
        assert!(statics.values().iter().all(|value| value.is_nan()));
    }
}
