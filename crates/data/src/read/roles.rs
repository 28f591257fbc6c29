//! The use of each column of a table, settled by the header and first row of its first file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::columns::{Unit, companions, find, guess_time, is_index_name, is_of_date, unit_of};
use super::table::Use;
use crate::config::DataConfig;
use crate::error::DataError;
use crate::reading::Reading;
use crate::time::column::{Hints, TimeColumn};
use crate::time::parse::Written;

/// The columns of a table by role.
#[derive(Debug)]
pub(super) struct Roles {
    /// The file that settled them.
    first: PathBuf,
    /// One column, or several that tell a time together; none where rows are numbered.
    pub(super) time: Vec<String>,
    /// Columns that would tell the time together with the one that was found.
    pub(super) companions: Vec<String>,
    /// The column that names the series.
    pub(super) id: Option<String>,
    /// Targets, past covariates, both sides of spreads, future covariates.
    pub(super) channels: Vec<String>,
    pub(super) targets: usize,
    /// Whether the targets are the columns that turn out to hold numbers.
    pub(super) trial: bool,
    /// Whether the first column of the file is a target, for want of another use.
    pub(super) first_is_target: bool,
    /// Targets that are left out if they turn out to number the rows, and whether by any numbers.
    pub(super) indices: Vec<(String, bool)>,
}

impl Roles {
    pub(super) fn settle(
        path: &Path,
        header: &[String],
        first: &[String],
        sample: &dyn Fn() -> Vec<Vec<String>>,
        (config, trained): (&DataConfig, Option<&Reading>),
        notes: &mut Vec<String>,
    ) -> Result<Roles, DataError> {
        let remembered = trained.map(Reading::time_columns);
        let time: Vec<String> = match (&config.time, remembered) {
            (Some(columns), _) => columns.names().to_vec(),
            (None, Some(columns)) => columns.to_vec(),
            (None, None) => guess_time(header, first, sample, config).into_iter().collect(),
        };
        for name in &time {
            find(path, header, name, "time")?;
        }
        if time.is_empty() && config.time.is_none() {
            refuse_sideways(path, header, config)?;
            notes.push("no time column: rows are numbered from 0".into());
        }
        if let Some(id) = &config.id {
            find(path, header, id, "id")?;
        }
        let mut named = Vec::new();
        let lists = [
            ("targets", config.targets.as_deref().unwrap_or_default()),
            ("past_covariates", config.past_covariates.as_slice()),
            ("spreads", config.spreads.as_flattened()),
            ("future_covariates", config.future_covariates.as_slice()),
            ("static_covariates", config.static_covariates.as_slice()),
        ];
        for (key, names) in lists {
            for name in names {
                find(path, header, name, key)?;
                if time.contains(name) {
                    return Err(DataError::Config {
                        key,
                        value: format!("{name:?}"),
                        expected: "columns other than the time column; set `time` if it is another"
                            .into(),
                    });
                }
                named.push(name.clone());
            }
        }
        let companions = match (&time[..], &config.time) {
            ([only], None) => companions(only, header, first, config),
            _ => Vec::new(),
        };
        let mut indices = Vec::new();
        let mut channels = match &config.targets {
            Some(targets) => targets.clone(),
            None => {
                let mut targets = Vec::new();
                for (i, (name, cell)) in header.iter().zip(first).enumerate() {
                    if named.contains(name)
                        || time.contains(name)
                        || config.id.as_ref() == Some(name)
                    {
                        continue;
                    }
                    if header.len() > 1 && tells_time(name, cell) {
                        notes.push(format!(
                            "column `{name}` tells the time: left out; name it in `targets` to forecast it"
                        ));
                        continue;
                    }
                    if is_index_name(name, i) {
                        indices.push((name.clone(), true));
                    } else if super::columns::may_count_rows(name) {
                        indices.push((name.clone(), false));
                    }
                    targets.push(name.clone());
                }
                targets.extend(header.iter().skip(first.len()).cloned());
                targets
            }
        };
        let targets = channels.len();
        let first_is_target = channels.first() == header.first();
        let spread = config.spreads.as_flattened();
        let covariates =
            config.past_covariates.iter().chain(spread).chain(&config.future_covariates);
        channels.extend(covariates.cloned());
        Ok(Roles {
            first: path.to_path_buf(),
            time,
            companions,
            id: config.id.clone(),
            channels,
            targets,
            trial: config.targets.is_none(),
            first_is_target,
            indices,
        })
    }

    /// The column of times, ready for its first cell.
    pub(super) fn time_column(
        &self,
        config: &DataConfig,
        trained: Option<&Reading>,
    ) -> Option<TimeColumn> {
        let all: Vec<Option<Unit>> = self.time.iter().map(|name| unit_of(name)).collect();
        let units: Vec<Unit> = all.iter().filter_map(|unit| *unit).collect();
        let speaks = |word: &str| self.time.iter().any(|name| name.to_lowercase().contains(word));
        let hints = Hints {
            weeks: units.contains(&Unit::Week) || speaks("week") || speaks("woche"),
            months: units.contains(&Unit::Month)
                || speaks("month")
                || speaks("period")
                || speaks("yyyymm"),
            dates: speaks("dat") || units.contains(&Unit::Day),
            years: units.contains(&Unit::Year),
            zone: config.time_zone.is_some(),
        };
        let remembered = trained.and_then(|reading| Some(reading.time.as_ref()?.written.clone()));
        let written = match &config.time_format {
            Some(pattern) if is_of_date(pattern, &all) => Some(Written::YearFirst),
            Some(pattern) => Some(Written::Pattern(pattern.clone())),
            None => remembered,
        };
        let trained = trained.is_some() && config.time_format.is_none();
        (!self.time.is_empty()).then(|| TimeColumn::new(written, trained, hints))
    }

    /// The use of each column of a file.
    pub(super) fn uses(
        &self,
        path: &Path,
        header: &[String],
        config: &DataConfig,
    ) -> Result<Vec<Use>, DataError> {
        let position: HashMap<&str, usize> =
            header.iter().enumerate().map(|(i, h)| (h.as_str(), i)).collect();
        let mut uses = vec![Use::Skip; header.len()];
        let channels =
            self.channels.iter().enumerate().map(|(slot, name)| (name, Use::Channel(slot)));
        let statics =
            config.static_covariates.iter().enumerate().map(|(i, name)| (name, Use::Static(i)));
        let times = self.time.iter().enumerate().map(|(i, name)| (name, Use::Time(i)));
        let id = self.id.iter().map(|name| (name, Use::Id));
        for (name, what) in times.chain(id).chain(statics).chain(channels) {
            let missing = || DataError::HeaderMismatch {
                path: path.to_path_buf(),
                first: self.first.clone(),
                missing: Some(name.clone()),
                extra: None,
            };
            uses[*position.get(name.as_str()).ok_or_else(missing)?] = what;
        }
        Ok(uses)
    }

    /// A column that only this file has, where every column is a target.
    pub(super) fn extra<'h>(&self, header: &'h [String], uses: &[Use]) -> Option<&'h String> {
        let known = |name: &String| self.channels.contains(name) || unit_of(name).is_some();
        let mut columns = header.iter().zip(uses);
        columns.find(|(name, what)| **what == Use::Skip && !known(name)).map(|(name, _)| name)
    }
}

/// A table with one series a row, and a column for each time.
fn refuse_sideways(path: &Path, header: &[String], config: &DataConfig) -> Result<(), DataError> {
    const FEW: usize = 3;
    let is_time = |name: &&String| {
        let forms = Written::candidates(name);
        forms.contains(&Written::Year) || forms.iter().any(Written::is_explicit)
    };
    let times: Vec<&String> = header.iter().filter(is_time).collect();
    let [first, second, ..] = times[..] else { return Ok(()) };
    if config.targets.is_some() || times.len() < FEW || times.len() * 2 < header.len() {
        return Ok(());
    }
    Err(DataError::Format {
        path: path.to_path_buf(),
        what: format!("has a column for each time (`{first}`, `{second}`, …)"),
        remedy: "write one row for each time and one column for each series: transpose the table",
    })
}

/// Whether a column is part of a time besides the time column: `year` beside `date`.
fn tells_time(name: &str, cell: &str) -> bool {
    let unit = unit_of(name).is_some_and(|unit| unit != Unit::Vague);
    unit && (!Written::candidates(cell.trim()).is_empty() || super::columns::is_clock(cell))
}
