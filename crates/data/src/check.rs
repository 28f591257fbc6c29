//! A description of a table for `ballast data check`: how it was understood, its doubtful places, the windows of a model.

mod suspicion;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use suspicion::Suspicion;

use crate::config::{CalendarFeature, DataConfig, SplitConfig, TimeColumns};
use crate::error::DataError;
use crate::finding::{Finding, FindingKind};
use crate::lengths;
use crate::panel::Panel;
use crate::read::{assemble, read_table, where_from};
use crate::split::Split;
use crate::window::PartWindows;

/// A description of a table. `Display` writes it for people, `Serialize` for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The file or folder.
    pub path: PathBuf,
    /// SHA-256 over what was read.
    pub fingerprint: String,
    /// Rows of all series, inserted ones included.
    pub rows: usize,
    /// Time step, such as `1h`.
    pub frequency: String,
    /// Rows in a natural cycle: 24 for hours, 7 for days.
    pub season: Option<usize>,
    /// How times, numbers and cells were read.
    pub reading: String,
    /// Readings that could have been others, and how they were decided.
    pub doubts: Vec<String>,
    /// The columns that tell the time together, where the table needs several that were not configured.
    pub time: Option<Vec<String>>,
    /// The column that tells series apart, where the table needs one that was not configured.
    pub id: Option<String>,
    /// Every series.
    pub series: Vec<SeriesInfo>,
    /// Every channel.
    pub channels: Vec<ChannelInfo>,
    /// Gaps, holidays, clock changes, with a remedy each.
    pub findings: Vec<Remark>,
    /// How the table was understood: columns left out, rows numbered.
    pub notes: Vec<String>,
    /// Lengths and split that fit the table; `None` where it is too short for any.
    pub proposal: Option<Proposal>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesInfo {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// Time of the first.
    pub from: String,
    /// Time of the last.
    pub to: String,
    /// Cells without a value.
    pub missing: usize,
}

/// One channel over all series, in original units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelInfo {
    /// Its name.
    pub name: String,
    /// `target`, `past covariate`, `future covariate`.
    pub role: &'static str,
    /// Cells with a value.
    pub observed: usize,
    /// Cells without.
    pub missing: usize,
    /// Least value.
    pub least: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n − 1).
    pub std: f64,
    /// Greatest value.
    pub greatest: f64,
    /// Signs of a fault, or of a setting that is missing.
    pub suspicions: Vec<Suspicion>,
}

/// A finding with its remedy, as text and as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remark {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The remedy.
    pub remedy: String,
}

/// Lengths and split that fit, and what a model then sees.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Rows to look back over.
    pub context: usize,
    /// Rows to forecast.
    pub horizon: usize,
    /// How rows are divided.
    pub split: SplitConfig,
    /// Calendar features that mean something at the time step.
    pub calendar: Vec<CalendarFeature>,
    /// Training windows, one at every row.
    pub train_windows: usize,
    /// Training windows that share no target: how much independent evidence there is.
    pub disjoint_windows: usize,
    /// Validation windows.
    pub validation_windows: usize,
    /// Test windows.
    pub test_windows: usize,
}

/// Describes what `config` names, and proposes a context, a horizon and a split.
///
/// # Errors
/// [`DataError`] where the table cannot be read: the message says where and what to do.
pub fn check(config: &DataConfig, base: &Path) -> Result<Description, DataError> {
    config.validate()?;
    let (panel, found) = read_guessing(config, base)?;
    Ok(describe(&panel, found, config))
}

/// Columns the table needs that were not configured.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) id: Option<String>,
    pub(crate) time: Option<Vec<String>>,
}

/// Reads the table that `config` names. Columns that name the series, or tell the time together, are found where the
/// table needs them and `config` does not give them; the returned config names them.
///
/// # Errors
/// [`DataError`] where the table cannot be read.
pub fn discover(config: &DataConfig, base: &Path) -> Result<(Panel, DataConfig), DataError> {
    config.validate()?;
    let (panel, found) = read_guessing(config, base)?;
    let config = DataConfig {
        id: found.id.or_else(|| config.id.clone()),
        time: found.time.map(TimeColumns::from).or_else(|| config.time.clone()),
        ..config.clone()
    };
    Ok((panel, config))
}

/// Reads; where times repeat and other columns tell the rows apart, takes those as part of the time, or one of
/// text as `id`.
pub(crate) fn read_guessing(config: &DataConfig, base: &Path) -> Result<(Panel, Found), DataError> {
    let path = where_from(config, base);
    let table = read_table(config, base, None);
    let (texts, only_id) = match &table {
        Ok(table) => (table.text_columns.clone(), table.only_id.clone()),
        Err(_) => (Vec::new(), None),
    };
    let error = match table.and_then(|table| assemble::assemble(table, config, &path)) {
        Ok(_) if config.id.is_none() && only_id.is_some() => {
            let keyed = DataConfig { id: only_id.clone(), ..config.clone() };
            return Ok((crate::read(&keyed, base)?, Found { id: only_id, time: None }));
        }
        Ok(panel) => return Ok((panel, Found::default())),
        Err(error) => error,
    };
    let (findings, columns) = match &error {
        DataError::Timeline { findings, .. } => (findings.as_slice(), None),
        DataError::SplitTime { columns, .. } => (&[][..], Some(columns.clone())),
        _ => return Err(error),
    };
    let joined = DataConfig {
        time: columns.clone().map(TimeColumns::from).or_else(|| config.time.clone()),
        ..config.clone()
    };
    if columns.is_some() {
        match crate::read(&joined, base) {
            Ok(panel) => return Ok((panel, Found { id: None, time: columns })),
            Err(doubt @ DataError::Ambiguous { .. }) => return Err(doubt),
            Err(_) => {}
        }
    }
    let repeats = |f: &Finding| {
        matches!(
            f.kind,
            FindingKind::Duplicate { clock_change: false, .. } | FindingKind::Unsorted { .. }
        )
    };
    if config.id.is_none() && (columns.is_some() || findings.iter().any(repeats)) {
        for column in texts {
            let keyed = DataConfig { id: Some(column.clone()), ..joined.clone() };
            if let Ok(panel) = crate::read(&keyed, base)
                && panel.series.len() * 2 <= panel.rows()
            {
                return Ok((panel, Found { id: Some(column), time: columns }));
            }
        }
    }
    Err(error)
}

fn describe(panel: &Panel, found: Found, config: &DataConfig) -> Description {
    let width = panel.channels.len();
    let missing_in = |rows: std::ops::Range<usize>| match &panel.observed {
        None => 0,
        Some(observed) => {
            observed[rows.start * width..rows.end * width].iter().filter(|seen| !**seen).count()
        }
    };
    let time = |row: usize| panel.time(row).unwrap_or_default();
    let series = panel.series.iter().map(|s| SeriesInfo {
        name: s.name.clone(),
        rows: s.rows.len(),
        from: time(s.rows.start),
        to: time(s.rows.end.saturating_sub(1)),
        missing: missing_in(s.rows.clone()),
    });
    let findings =
        panel.findings.iter().map(|f| Remark { finding: f.clone(), remedy: f.remedy() }).collect();
    Description {
        path: panel.path.clone(),
        fingerprint: panel.fingerprint(),
        rows: panel.rows(),
        frequency: panel.frequency.to_string(),
        season: panel.frequency.season(),
        reading: panel.reading.describe(),
        doubts: panel.doubts.clone(),
        time: found.time,
        id: found.id,
        series: series.collect(),
        channels: (0..panel.channels.calendar().start).map(|c| channel(panel, c)).collect(),
        findings,
        notes: panel.notes.clone(),
        proposal: propose(panel, config, None, None),
    }
}

fn channel(panel: &Panel, channel: usize) -> ChannelInfo {
    let width = panel.channels.len();
    let values = || {
        let all = panel.values.iter().skip(channel).step_by(width);
        all.filter(|v| !v.is_nan()).map(|&v| f64::from(v))
    };
    let n = values().count();
    let mean = values().sum::<f64>() / n as f64;
    let squares: f64 = values().map(|x| (x - mean) * (x - mean)).sum();
    let targets = panel.channels.targets();
    let past = panel.channels.past_covariates();
    ChannelInfo {
        name: panel.channels.names[channel].clone(),
        role: match channel {
            c if targets.contains(&c) => "target",
            c if past.contains(&c) => "past covariate",
            _ => "future covariate",
        },
        observed: n,
        missing: panel.rows() - n,
        least: values().fold(f64::INFINITY, f64::min),
        mean,
        std: (squares / n.saturating_sub(1).max(1) as f64).sqrt(),
        greatest: values().fold(f64::NEG_INFINITY, f64::max),
        suspicions: suspicion::find(panel, channel),
    }
}

/// Lengths by the rules of [`lengths`] where they are not given, and the first split that has windows in every part.
pub(crate) fn propose(
    panel: &Panel,
    config: &DataConfig,
    context: Option<usize>,
    horizon: Option<usize>,
) -> Option<Proposal> {
    let rows = panel.series.iter().map(|s| s.rows.len()).max()?;
    let seasons = panel.frequency.seasons();
    let horizon = horizon.unwrap_or_else(|| lengths::horizon(rows, &seasons));
    let fractions = SplitConfig::Fractions { train: 0.6, validation: 0.2, test: 0.2 };
    let last = SplitConfig::Last([horizon + config.purge, horizon]);
    let place = |split: SplitConfig| {
        let config = DataConfig { split, ..config.clone() };
        let parts = Split::new(&config, panel).ok()?.recent(config.train_fraction);
        let train = parts.parts().iter().map(|part| part.train.len()).max()?;
        let lost = config.transform.lost_rows();
        let room = train.checked_sub(horizon + lost)?;
        let ruled = lengths::context(rows, horizon, &seasons);
        let context = context.unwrap_or_else(|| lengths::shortened(ruled, room, &seasons));
        let windows = PartWindows::new(context, horizon, panel, &parts, lost).ok()?;
        let full =
            [&windows.train, &windows.validation, &windows.test].map(|part| !part.is_empty());
        (full == [true; 3]).then_some((context, config.split, windows))
    };
    let splits = [SplitConfig::default(), fractions, last];
    let (context, split, windows) = splits.into_iter().find_map(place)?;
    let disjoint = |count: usize| count.div_ceil(horizon);
    let calendar = match config.calendar.is_empty() {
        true => lengths::calendar(panel, rows),
        false => config.calendar.clone(),
    };
    Some(Proposal {
        context,
        horizon,
        split,
        calendar,
        train_windows: windows.train.len(),
        disjoint_windows: windows.train.segments().iter().map(|s| disjoint(s.count)).sum(),
        validation_windows: windows.validation.len(),
        test_windows: windows.test.len(),
    })
}
