//! The scores of others: published.csv.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

/// Rows of published.csv; none where there is no file.
#[derive(Debug, Default)]
pub(super) struct Published(Vec<Row>);

/// The scores of a model on a task.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    task: String,
    pub(super) model: String,
    pub(super) kind: String,
    #[serde(rename = "WQL")]
    pub(super) wql: f64,
    #[serde(rename = "MASE")]
    pub(super) mase: f64,
}

impl Published {
    pub(super) fn read(path: &Path) -> Result<Published> {
        if !path.exists() {
            return Ok(Published::default());
        }
        Ok(Published(csv::Reader::from_path(path)?.deserialize().collect::<Result<_, _>>()?))
    }

    /// The rows of a task, the best first.
    pub(super) fn of(&self, task: &str) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.0.iter().filter(|row| row.task == task).collect();
        rows.sort_by(|a, b| a.wql.total_cmp(&b.wql));
        rows
    }
}
