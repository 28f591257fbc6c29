//! New data for a trained model: read, ordered, transformed and scaled as the training data were.

use std::path::Path;

use crate::config::{DataConfig, Transform};
use crate::error::DataError;
use crate::fill;
use crate::panel::{Channels, Panel, Series};
use crate::prepare::{Inverse, Pipeline};
use crate::read::assemble::{self, Trained};
use crate::read::{read_table, where_from};
use crate::time::Timeline;
use crate::window::{Segment, Windows};

/// The end of every series with the rows to be forecast appended: times, calendar features and known-future
/// covariates are there, targets and past covariates are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastInput {
    /// The panel, scaled; every series ends with the horizon.
    pub panel: Panel,
    /// One window per series: its last context, and the horizon.
    pub windows: Windows,
    /// Series of the file that cannot be forecast.
    pub left_out: Vec<LeftOut>,
    pipeline: Pipeline,
    inverse: Inverse,
}

/// A series that cannot be forecast, while others can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub series: String,
    /// Why, as an error would say it.
    pub reason: String,
}

impl Pipeline {
    /// Reads `path` as the training table was read and prepares one forecast per series, from the row after its
    /// last observed target. Series that cannot be forecast are listed, while there are others.
    ///
    /// Rows after that one may give `future_covariates`, with the targets left empty.
    ///
    /// # Errors
    /// [`DataError`]: the file's own faults; one that is not written as the training table was; no series with
    /// enough rows, known to the scaler, of the trained time step, and with the covariates of its horizon.
    pub fn forecast_input(&self, path: &Path) -> Result<ForecastInput, DataError> {
        self.validate()?;
        let config = self.input_config(path);
        let base = Path::new("");
        let table = read_table(&config, base, self.reading.as_ref())?;
        let where_from = where_from(&config, base);
        let bare = DataConfig { calendar: Vec::new(), ..config };
        let trained = Trained {
            frequency: self.frequency,
            encoders: &self.encoders,
            reading: self.reading.as_ref(),
        };
        let panel = assemble::assemble_with(table, &bare, &where_from, Some(trained))?;
        self.forecast_from(panel)
    }

    /// The same model for tables that are written as `config` says: its keys for the form of a file, its times
    /// and its order take the place of the trained ones, where they differ from those the model was trained with.
    pub fn rereading(&self, config: &DataConfig) -> Pipeline {
        let old = &self.config;
        let mut reading = self.reading.clone();
        if let Some(reading) = &mut reading {
            if config.delimiter != old.delimiter {
                reading.delimiter = config.delimiter;
            }
            if (config.decimal, config.thousands) != (old.decimal, old.thousands) {
                reading.numbers = None;
            }
            let renamed = config.time != old.time || config.time_format != old.time_format;
            if renamed || config.time_zone != old.time_zone {
                reading.time = None;
            }
        }
        let config = DataConfig {
            format: config.format,
            delimiter: config.delimiter,
            decimal: config.decimal,
            thousands: config.thousands,
            encoding: config.encoding,
            skip_rows: config.skip_rows,
            header: config.header,
            missing: config.missing.clone(),
            id: config.id.clone(),
            time: config.time.clone(),
            time_format: config.time_format.clone(),
            time_zone: config.time_zone.clone(),
            unsorted: config.unsorted,
            duplicates: config.duplicates,
            ..old.clone()
        };
        Pipeline { config, reading, ..self.clone() }
    }

    /// Checks that its parts fit each other: a stored pipeline may have been changed.
    fn validate(&self) -> Result<(), DataError> {
        self.config.validate()?;
        let Channels { names, targets, past, future } = &self.channels;
        let calendar = 2 * self.config.calendar.len();
        let given =
            [*targets, *past, *future, calendar].into_iter().try_fold(0, usize::checked_add);
        let what = if *targets == 0 || given != Some(names.len()) {
            "its channels have other numbers by role"
        } else if !self.scaler.fits(names) {
            "its scaler is not one of its channels"
        } else {
            return Ok(());
        };
        Err(DataError::Stored { what })
    }

    /// The configuration with this path and the trained channels by name.
    fn input_config(&self, path: &Path) -> DataConfig {
        let targets = self.channels.names[self.channels.targets()].to_vec();
        DataConfig {
            path: Some(path.to_path_buf()),
            source: None,
            targets: Some(targets),
            ..self.config.clone()
        }
    }

    fn forecast_from(&self, panel: Panel) -> Result<ForecastInput, DataError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        let (mut panel, left_out) = self.append_horizon(panel)?;
        // Every series left has statistics: those without were listed.
        let only_one = self.takes_any(&panel);
        let index: Vec<usize> = panel
            .series
            .iter()
            .filter_map(|series| self.scaler.index_of(&series.name, only_one))
            .collect();
        assemble::add_calendar(&mut panel, &self.config.calendar)?;
        if panel.channels != self.channels {
            return Err(DataError::Stored {
                what: "its channels are not those of its configuration",
            });
        }
        panel.observed = Some(panel.values.iter().map(|v| !v.is_nan()).collect());
        let origins: Vec<usize> = panel.series.iter().map(|s| s.rows.end - horizon).collect();
        fill::fill(&mut panel, self.config.fill, &origins);
        self.clear_horizon(&mut panel, horizon);
        let levels = fill::transform(&mut panel, self.config.transform)?;
        self.scaler.scale(&mut panel, &index);
        let segments = origins.iter().enumerate().map(|(series, &origin)| Segment {
            series,
            first: origin - context,
            stride: 1,
            count: 1,
        });
        let windows = Windows::new(context, horizon, segments);
        let inverse = Inverse { transform: self.config.transform, levels, index };
        Ok(ForecastInput { panel, windows, left_out, pipeline: self.clone(), inverse })
    }

    /// Whether the one series of a file needs no name: a model of one file forecasts another file, but a model of
    /// one `id` no other `id`.
    fn takes_any(&self, panel: &Panel) -> bool {
        panel.series.len() == 1 && self.config.id.is_none()
    }

    /// Cuts each series after its last observed target and appends the horizon; lists those for which that, or
    /// their scale, is not known.
    fn append_horizon(&self, panel: Panel) -> Result<(Panel, Vec<LeftOut>), DataError> {
        let (width, targets) = (panel.channels.len(), panel.channels.targets);
        let only_one = self.takes_any(&panel);
        let mut values = Vec::new();
        let mut exact = panel.exact.as_ref().map(|_| Vec::new());
        let (mut all, mut kept) = (Vec::new(), Vec::new());
        let (mut left_out, mut first_error) = (Vec::new(), None);
        for (index, series) in panel.series.iter().enumerate() {
            let extended = self
                .known(&panel, series, only_one)
                .and_then(|()| self.with_horizon(&panel, series));
            let (rows, own) = match extended {
                Ok(extended) => extended,
                Err(error) => {
                    left_out
                        .push(LeftOut { series: series.name.clone(), reason: error.to_string() });
                    first_error.get_or_insert(error);
                    continue;
                }
            };
            let start = values.len() / width;
            values.extend(own);
            if let (Some(to), Some(from)) = (&mut exact, &panel.exact) {
                to.extend_from_slice(
                    &from[series.rows.start * targets..(series.rows.start + rows) * targets],
                );
                to.extend(std::iter::repeat_n(f64::NAN, self.config.horizon * targets));
            }
            let timeline = extend(&panel, series, rows, self.config.horizon);
            all.push(Series {
                name: series.name.clone(),
                rows: start..values.len() / width,
                timeline,
            });
            kept.push(index);
        }
        match first_error {
            Some(error) if kept.is_empty() => Err(error),
            _ => {
                let statics = panel.statics.select(&kept);
                Ok((
                    Panel { values, exact, series: all, observed: None, statics, ..panel },
                    left_out,
                ))
            }
        }
    }

    /// Whether the scaler knows the series.
    fn known(&self, panel: &Panel, series: &Series, only_one: bool) -> Result<(), DataError> {
        self.scaler.index_of(&series.name, only_one).map(|_| ()).ok_or_else(|| DataError::Unknown {
            path: panel.path.clone(),
            what: "series".into(),
            name: series.name.clone(),
            remedy: "forecast series of the training data, or train with `scale = { kind = \"standard\", per = \"all\" }`",
        })
    }

    /// How many rows a series has up to its last observed target, and its values with the horizon appended.
    fn with_horizon(&self, panel: &Panel, series: &Series) -> Result<(usize, Vec<f32>), DataError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        let (width, targets) = (panel.channels.len(), panel.channels.targets);
        let lost =
            usize::from(matches!(self.config.transform, Transform::Difference | Transform::Return));
        let known = panel.channels.known_ahead();
        let cell = |row: usize, c: usize| panel.values[row * width + c];
        let seen = |row: &usize| (0..targets).any(|c| !cell(*row, c).is_nan());
        let origin = series.rows.clone().rev().find(seen).map_or(series.rows.start, |r| r + 1);
        let rows = origin - series.rows.start;
        if rows < context + lost {
            return Err(DataError::ShortContext {
                path: panel.path.clone(),
                series: series.name.clone(),
                rows,
                context: context + lost,
            });
        }
        let mut values = panel.values[series.rows.start * width..origin * width].to_vec();
        for step in 0..horizon {
            let row = (origin + step < series.rows.end).then_some(origin + step);
            for c in 0..width {
                let value = row.filter(|_| known.contains(&c)).map_or(f32::NAN, |r| cell(r, c));
                if known.contains(&c) && value.is_nan() {
                    return Err(DataError::NoFuture {
                        path: panel.path.clone(),
                        series: series.name.clone(),
                        header: panel.channels.names[c].clone(),
                        row: step + 1,
                        horizon,
                    });
                }
                values.push(value);
            }
        }
        Ok((rows, values))
    }

    /// Filling reached into the horizon: what is not known there goes back to missing.
    fn clear_horizon(&self, panel: &mut Panel, horizon: usize) {
        let width = panel.channels.len();
        let known = panel.channels.known_ahead().start;
        for series in &panel.series {
            for row in series.rows.end - horizon..series.rows.end {
                panel.values[row * width..row * width + known].fill(f32::NAN);
            }
        }
    }
}

/// The times of the first `rows` rows and of `horizon` more.
fn extend(panel: &Panel, series: &Series, rows: usize, horizon: usize) -> Timeline {
    match &series.timeline {
        Timeline::Grid { .. } => series.timeline.clone(),
        Timeline::Listed(times) => {
            let kept = Timeline::Listed(times[..rows].to_vec());
            let given = times.len().min(rows + horizon);
            let mut all = times[..given].to_vec();
            all.extend(
                (given - rows + 1..=horizon)
                    .map(|step| kept.beyond(rows, step, panel.frequency, &panel.clock)),
            );
            Timeline::Listed(all)
        }
    }
}

impl ForecastInput {
    /// Brings forecasts of series `series` back to original units, in place.
    ///
    /// # Shapes
    /// `values`: `[.., H, targets]`, any number of paths.
    ///
    /// # Errors
    /// [`DataError::Length`], [`DataError::OutOfRange`], [`DataError::NoLevel`].
    pub fn to_original(&self, series: usize, values: &mut [f32]) -> Result<(), DataError> {
        let out = || DataError::OutOfRange {
            what: "series",
            index: series,
            count: self.panel.series.len(),
        };
        let origin = self.windows.origin(series).ok_or_else(out)?;
        let horizon = self.windows.horizon();
        self.inverse.in_place(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// As [`ForecastInput::to_original`], in double precision.
    ///
    /// # Errors
    /// As [`ForecastInput::to_original`].
    pub fn original(&self, series: usize, values: &[f32]) -> Result<Vec<f64>, DataError> {
        let out = || DataError::OutOfRange {
            what: "series",
            index: series,
            count: self.panel.series.len(),
        };
        let origin = self.windows.origin(series).ok_or_else(out)?;
        let horizon = self.windows.horizon();
        self.inverse.apply(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// The times to be forecast for series `series`, as a forecast file writes them.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such series.
    pub fn times(&self, series: usize) -> Result<Vec<String>, DataError> {
        let out = || DataError::OutOfRange {
            what: "series",
            index: series,
            count: self.panel.series.len(),
        };
        let rows = self.windows.targets(series).ok_or_else(out)?;
        rows.map(|row| self.panel.time(row)).collect()
    }
}
