//! A configuration for a table, ready to train: `ballast init`.

use std::path::Path;

use crate::check::{propose, read_guessing};
use crate::config::{DataConfig, TimeColumns};
use crate::error::DataError;
use crate::read::where_from;
use crate::text::Count;

/// Wishes of the user about a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// The file or folder, as it shall stand in the configuration, and every key that is to stand there too; its
    /// context, horizon and split are not looked at. Without calendar features it gets those of
    /// [`lengths::calendar`](crate::lengths::calendar).
    pub data: DataConfig,
    /// Rows to forecast; by [`lengths::horizon`](crate::lengths::horizon) when not given.
    pub horizon: Option<usize>,
    /// Rows to look back over; by [`lengths::context`](crate::lengths::context) when not given, fewer where windows
    /// would not fit.
    pub context: Option<usize>,
}

/// A configuration for a table, and the table in a few words.
#[derive(Debug, Clone, PartialEq)]
pub struct Initial {
    /// The configuration, which trains at once.
    pub config: DataConfig,
    /// File, rows, series, time step and missing cells, in one line.
    pub about: String,
    /// How times, numbers and cells were read, in one line.
    pub understood: String,
    /// Readings that could have been others, and how they were decided; columns found besides.
    pub doubtful: Vec<String>,
}

/// Reads a table and proposes how to cut it into windows; `base` is the folder relative paths start from.
///
/// # Errors
/// [`DataError`] where the table cannot be read, or has no window of these lengths in one of the parts.
pub fn init(init: &Init, base: &Path) -> Result<Initial, DataError> {
    let (context, horizon) = (init.context.unwrap_or(1), init.horizon.unwrap_or(1));
    let config = DataConfig { context, horizon, ..init.data.clone() };
    config.validate()?;
    let (panel, found) = read_guessing(&config, base)?;
    let Some(proposal) = propose(&panel, &config, init.context, init.horizon) else {
        return Err(DataError::TooFewRows {
            series: panel.path.display().to_string(),
            rows: panel.series.iter().map(|s| s.rows.len()).max().unwrap_or(0),
            needed: least_rows(&config),
            remedy: "shorten the horizon or the context, or let `ballast forecast FILE` use methods that need fewer rows",
        });
    };
    let missing = panel.observed.iter().flatten().filter(|seen| !**seen).count();
    let mut about = format!(
        "{}: {}, {} series, time step {}",
        where_from(&config, base).display(),
        Count(panel.rows(), "row"),
        panel.series.len(),
        panel.frequency
    );
    if missing > 0 {
        about += &format!(", {} missing", Count(missing, "cell"));
    }
    let mut doubtful = panel.doubts.clone();
    doubtful.extend(found.id.iter().map(|id| format!("`{id}` is taken to name the series")));
    doubtful.extend(found.time.iter().map(|time| {
        let columns: Vec<String> = time.iter().map(|name| format!("`{name}`")).collect();
        format!("{} tell the time together", columns.join(" and "))
    }));
    let config = DataConfig {
        context: proposal.context,
        horizon: proposal.horizon,
        split: proposal.split,
        calendar: proposal.calendar,
        targets: Some(panel.channels.names[panel.channels.targets()].to_vec()),
        id: found.id.or(config.id),
        time: found.time.map(TimeColumns::from).or(config.time),
        ..config
    };
    Ok(Initial { config, about, understood: panel.reading.describe(), doubtful })
}

/// Rows of a training window, and of one horizon each for validation and test, with `purge` rows before both. The
/// split by last rows takes at most two fifths for one of them.
fn least_rows(config: &DataConfig) -> usize {
    let DataConfig { context, horizon, purge, .. } = config;
    let all = context + 3 * horizon + 2 * purge + config.transform.lost_rows();
    all.max(((horizon + purge) * 5).div_ceil(2))
}
