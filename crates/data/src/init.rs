//! A configuration for a table, ready to train: `ballast init`.

use std::path::{Path, PathBuf};

use crate::check::propose;
use crate::config::DataConfig;
use crate::error::DataError;
use crate::read::where_from;

/// Wishes of the user about a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Init {
    /// The file or folder, as it shall stand in the configuration.
    pub path: PathBuf,
    /// Columns to forecast; all numeric ones when empty.
    pub targets: Vec<String>,
    /// Rows to forecast; one natural cycle when not given.
    pub horizon: Option<usize>,
    /// Rows to look back over; a few cycles when not given.
    pub context: Option<usize>,
    /// Column that names the series of a long table.
    pub id: Option<String>,
    /// Column of times; found when not given.
    pub time: Option<String>,
}

/// A configuration for a table, and the table in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Initial {
    /// The configuration, which trains at once.
    pub config: DataConfig,
    /// File, rows, series, time step and missing cells.
    pub about: String,
}

/// Reads a table and proposes how to cut it into windows; `base` is the folder relative paths start from.
///
/// # Errors
/// [`DataError`] where the table cannot be read, or has too few rows for the lengths.
pub fn init(init: &Init, base: &Path) -> Result<Initial, DataError> {
    let config = DataConfig {
        targets: (!init.targets.is_empty()).then(|| init.targets.clone()),
        id: init.id.clone(),
        time: init.time.clone(),
        ..DataConfig::new(&init.path, init.context.unwrap_or(1), init.horizon.unwrap_or(1))
    };
    let panel = crate::read(&config, base)?;
    let Some(proposal) = propose(&panel, init.context, init.horizon) else {
        let longest = panel.series.iter().map(|s| s.rows.len()).max().unwrap_or(0);
        let horizon = init.horizon.unwrap_or(1);
        return Err(DataError::TooFewRows {
            series: panel.path.display().to_string(),
            rows: longest,
            needed: (horizon * 10).max(init.context.unwrap_or(1) * 2 + horizon),
            remedy: "shorten the horizon or the context, or bring more data",
        });
    };
    let missing = panel.observed.iter().flatten().filter(|seen| !**seen).count();
    let mut about = format!(
        "{}: {} rows, {} series, time step {}",
        where_from(&config, base).display(),
        panel.rows(),
        panel.series.len(),
        panel.frequency
    );
    if missing > 0 {
        about += &format!(", {missing} cells missing");
    }
    let config = DataConfig {
        context: proposal.context,
        horizon: proposal.horizon,
        split: proposal.split,
        targets: Some(panel.channels.names[panel.channels.targets()].to_vec()),
        ..config
    };
    Ok(Initial { config, about })
}
