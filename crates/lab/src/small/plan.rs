//! The plan of the small series, and the series themselves.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use toml::Spanned;

use crate::plan::{Kind, PlanFile, folder_name};

/// The question, and the targets.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) title: String,
    pub(super) question: String,
    pub(super) notes: Vec<String>,
    pub(super) seeds: Vec<u64>,
    /// The column of peers.csv that ratios are relative to.
    pub(super) reference: String,
    /// Columns of peers.csv that are classical methods.
    pub(super) classics: Vec<String>,
    pub(super) target: Target,
}

/// The numbers to reach.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// Geometric mean over series of the pool's CRPS, relative to the reference.
    pub(super) ratio: f64,
    /// The loss beyond which a series counts as lost, as a share.
    pub(super) loss: f64,
    /// Series lost.
    pub(super) lost: f64,
    /// Mean coverage of 80 % intervals: least and most.
    pub(super) coverage: [f64; 2],
    /// Least coverage of any series.
    pub(super) coverage_each: f64,
    /// As `ratio`, of the network alone.
    pub(super) network: f64,
    pub(super) cost: Vec<Cost>,
}

/// Processor seconds that a run of about this number of rows may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cost {
    pub(super) rows: usize,
    pub(super) seconds: f64,
}

impl Plan {
    pub(super) fn read(file: &PlanFile) -> Result<Plan> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(rename = "kind")]
            _kind: Kind,
            title: String,
            question: String,
            notes: Vec<String>,
            seeds: Spanned<Vec<u64>>,
            reference: String,
            classics: Vec<String>,
            target: Target,
        }
        let Table { title, question, notes, seeds, reference, classics, target, .. } =
            file.parse()?;
        let seeds = file.seeds(&seeds, 1)?;
        Ok(Plan { title, question, notes, seeds, reference, classics, target })
    }
}

/// An entry of series.json; what else it says, such as a season, a stranger would not give.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Series {
    pub(super) name: String,
    #[serde(rename = "n")]
    pub(super) rows: usize,
    #[serde(rename = "H")]
    pub(super) horizon: usize,
    pub(super) test: usize,
    pub(super) stride: usize,
    pub(super) cols: Vec<String>,
}

/// Reads series.json.
pub(super) fn series(folder: &Path) -> Result<Vec<Series>> {
    const MOST_BYTES: u64 = 1 << 24;
    let path = folder.join("series.json");
    let series: Vec<Series> = files::read_json(&path, MOST_BYTES)
        .with_context(|| format!("reading {}", path.display()))?;
    ensure!(!series.is_empty(), "{} lists no series", path.display());
    Ok(series)
}

/// A folder for each series: its name, made fit for a folder, and numbered where two would share one.
pub(super) fn folders(series: &[Series]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (index, Series { name, .. }) in series.iter().enumerate() {
        let plain = folder_name(name);
        let taken = plain == "data" || all.contains(&plain); // data: links to the files
        all.push(if taken { folder_name(&format!("s{index}-{name}")) } else { plain });
    }
    all
}

impl Series {
    /// The CSV file, where `score.py` looks for it.
    pub(super) fn find(&self, folder: &Path) -> Result<PathBuf> {
        let file = format!("{}.csv", self.name);
        let places = ["data", "../../datasets/small", "."].map(|p| folder.join(p).join(&file));
        let found = places.iter().find(|path| path.is_file()).cloned();
        found.with_context(|| format!("no {file} in {}", folder.join("data").display()))
    }

    /// Checks that the file has the rows that the list of series names.
    pub(super) fn check(&self, rows: usize) -> Result<()> {
        let Series { horizon, test, stride, .. } = *self;
        ensure!(rows == self.rows, "{rows} rows instead of the {} of series.json", self.rows);
        let fits = horizon > 0 && stride > 0 && horizon <= test && test < rows;
        ensure!(fits, "H {horizon}, test {test} and stride {stride} do not fit {rows} rows");
        Ok(())
    }
}
