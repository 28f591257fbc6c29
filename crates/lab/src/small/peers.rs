//! The scores of others: peers.csv.

use std::path::Path;

use anyhow::{Context, Result};

/// CRPS and coverage of others, by series; empty where there is no file.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// As the columns name them.
    pub(super) names: Vec<String>,
    /// Series, and for each name CRPS and coverage.
    rows: Vec<(String, Vec<[Option<f64>; 2]>)>,
}

impl Peers {
    /// Reads `series`, `NAME_crps` and `NAME_cov80`; other columns do not matter.
    pub(super) fn read(path: &Path) -> Result<Peers> {
        if !path.exists() {
            return Ok(Peers::default());
        }
        let mut reader = csv::Reader::from_path(path)?;
        let headers = reader.headers()?.clone();
        let find = |name: &str| headers.iter().position(|header| header == name);
        let series = find("series").context("there is no column `series`")?;
        let names: Vec<String> = headers
            .iter()
            .filter_map(|header| header.strip_suffix("_crps").map(str::to_owned))
            .collect();
        let places = names
            .iter()
            .map(|name| [find(&format!("{name}_crps")), find(&format!("{name}_cov80"))]);
        let places: Vec<[Option<usize>; 2]> = places.collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record?;
            let number = |place: Option<usize>| {
                record.get(place?)?.trim().parse().ok().filter(|value: &f64| value.is_finite())
            };
            let name = record.get(series).unwrap_or_default().to_owned();
            rows.push((name, places.iter().map(|pair| pair.map(number)).collect()));
        }
        Ok(Peers { names, rows })
    }

    pub(super) fn crps(&self, series: &str, name: &str) -> Option<f64> {
        self.get(series, name)?[0].filter(|crps| *crps > 0.0)
    }

    pub(super) fn coverage(&self, series: &str, name: &str) -> Option<f64> {
        self.get(series, name)?[1]
    }

    fn get(&self, series: &str, name: &str) -> Option<&[Option<f64>; 2]> {
        let (_, numbers) = self.rows.iter().find(|(known, _)| known == series)?;
        numbers.get(self.names.iter().position(|known| known == name)?)
    }
}
