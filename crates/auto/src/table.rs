//! The table to forecast, as it was understood.

use std::path::Path;

use data::{DataConfig, Panel, TableForm, lengths};
use train::TrainError;

/// A table that was read, with what a forecast needs to know of it.
#[derive(Debug, Clone)]
pub struct Table {
    /// The `[data]` table with every choice that was made, but for the split.
    pub(crate) config: DataConfig,
    /// The rows, without calendar features.
    pub(crate) panel: Panel,
    /// Rows of each series up to its last observed target.
    pub(crate) known: Vec<usize>,
    /// Rows per season, the shortest first.
    pub(crate) seasons: Vec<usize>,
    /// How times, numbers and cells were read, and doubts about it.
    pub(crate) understood: String,
    /// Readings that could have been others, and how they were decided.
    pub(crate) doubts: Vec<String>,
}

/// One channel of one series.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) series: usize,
    pub(crate) channel: usize,
    /// All its values, NaN where missing.
    pub(crate) values: Vec<f64>,
}

/// Wishes of the user about a table.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// File, columns and form of the table; context, horizon and split are not looked at.
    pub data: DataConfig,
    /// Rows to forecast; one natural season when not given.
    pub horizon: Option<usize>,
    /// Rows that the network looks back over; chosen when not given.
    pub context: Option<usize>,
    /// Rows per season; those of the time step when not given.
    pub season: Option<usize>,
}

impl Table {
    /// Reads a table. Columns that name the series or tell the time together are found where they are not given.
    ///
    /// # Errors
    /// [`TrainError::Feed`] where the table cannot be read: the message says where, and what to do.
    pub fn read(wanted: &Wanted) -> Result<Table, TrainError> {
        let bare =
            DataConfig { context: 1, horizon: 1, calendar: Vec::new(), ..wanted.data.clone() };
        let (panel, config) = data::discover(&bare, Path::new(""))?;
        let natural = panel.frequency().seasons();
        let seasons = match wanted.season {
            Some(0 | 1) => Vec::new(),
            Some(season) => vec![season],
            None => natural,
        };
        let known = known(&panel);
        let rows = known.iter().copied().max().unwrap_or(0);
        let horizon = wanted.horizon.unwrap_or_else(|| lengths::horizon(rows, &seasons));
        let context = wanted.context.unwrap_or_else(|| lengths::context(rows, horizon, &seasons));
        let channels = panel.channels();
        let config = DataConfig {
            context,
            horizon,
            calendar: wanted.data.calendar.clone(),
            targets: Some(channels.names()[channels.targets()].to_vec()),
            ..config
        };
        config.validate()?;
        Ok(Table {
            understood: panel.reading().describe(),
            doubts: panel.doubts().to_vec(),
            config,
            known,
            panel,
            seasons,
        })
    }

    /// A later table of the same form.
    pub(crate) fn later(
        form: &TableForm,
        input: &Path,
        seasons: &[usize],
    ) -> Result<Table, TrainError> {
        let read = form.read(input);
        let panel = read.map_err(|error| train::other_reading(error, Some(form.reading())))?;
        let path = Some(input.to_owned());
        Ok(Table {
            config: DataConfig { path, source: None, ..form.config().clone() },
            known: known(&panel),
            seasons: seasons.to_vec(),
            understood: panel.reading().describe(),
            doubts: panel.doubts().to_vec(),
            panel,
        })
    }

    /// How it was read, by which later tables are.
    pub(crate) fn form(&self) -> TableForm {
        TableForm::of(&self.panel, &self.config)
    }

    /// Names of the series and of the channels that are forecast.
    pub(crate) fn names(&self) -> (Vec<String>, Vec<String>) {
        let channels = self.panel.channels();
        let series = self.panel.series().iter().map(|series| series.name().to_owned());
        (series.collect(), channels.names()[channels.targets()].to_vec())
    }

    /// The file or folder that it was read from.
    pub fn path(&self) -> &Path {
        self.config.path.as_deref().unwrap_or(Path::new(""))
    }

    /// How times, numbers and cells were read.
    pub fn understood(&self) -> &str {
        &self.understood
    }

    /// Columns and lines left out, and why.
    pub fn notes(&self) -> &[String] {
        self.panel.notes()
    }

    /// SHA-256 of the rows as they were read.
    pub fn fingerprint(&self) -> String {
        self.panel.fingerprint()
    }

    /// Rows to forecast.
    pub fn horizon(&self) -> usize {
        self.config.horizon
    }

    /// Rows of each series up to its last observed target.
    pub fn known(&self) -> &[usize] {
        &self.known
    }

    /// Every channel of every series.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let channels = self.panel.channels().targets();
        let of_series = |(series, &known): (usize, &usize)| {
            let unit = move |channel| {
                let mut values = self.panel.target(series, channel);
                values.truncate(known);
                Unit { series, channel, values }
            };
            channels.clone().map(unit).collect::<Vec<_>>()
        };
        self.known.iter().enumerate().flat_map(of_series).collect()
    }

    /// The table as it was known when each series had `ends` rows; series of `ends` 0 are left out.
    ///
    /// # Errors
    /// [`TrainError::Feed`] unless there is one end per series.
    pub fn until(&self, ends: &[usize]) -> Result<Table, TrainError> {
        let panel = self.panel.until(ends, self.config.horizon)?;
        Ok(Table { known: known(&panel), panel, ..self.clone() })
    }
}

/// Rows of each series up to its last observed target.
fn known(panel: &Panel) -> Vec<usize> {
    let (width, targets) = (panel.channels().len(), panel.channels().targets());
    let rows = panel.series().iter().map(|series| {
        let seen = |row: &usize| {
            panel.values()[row * width..][targets.clone()].iter().any(|v| !v.is_nan())
        };
        series.rows().rev().find(seen).map_or(0, |row| row + 1 - series.rows().start)
    });
    rows.collect()
}
