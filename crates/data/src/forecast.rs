//! New data for a trained model: read, ordered, transformed and scaled as the training data were.

use std::path::Path;

use crate::config::DataConfig;
use crate::error::DataError;
use crate::fill;
use crate::panel::{Panel, Series};
use crate::prepare::{Inverse, Pipeline};
use crate::read::{assemble, read_table, where_from};
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
    pipeline: Pipeline,
    inverse: Inverse,
}

impl Pipeline {
    /// Reads `path` and prepares one forecast per series, from the row after its last observed target.
    ///
    /// Rows after that one may give `future_covariates`, with the targets left empty.
    ///
    /// # Errors
    /// [`DataError`]: the file's own faults; a series without enough rows, unknown to the scaler, of
    /// another time step, or without the covariates of its horizon.
    pub fn forecast_input(&self, path: &Path) -> Result<ForecastInput, DataError> {
        let config = self.input_config(path);
        let base = Path::new("");
        let table = read_table(&config, base)?;
        let where_from = where_from(&config, base);
        let bare = DataConfig { calendar: Vec::new(), ..config };
        let panel = assemble::assemble_with(
            table,
            &bare,
            &where_from,
            Some(self.frequency),
            Some(&self.encoders),
        )?;
        self.forecast_from(panel)
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
        let only_one = panel.series.len() == 1;
        let index = panel.series.iter().map(|series| {
            self.scaler.index_of(&series.name, only_one).ok_or_else(|| DataError::Unknown {
                path: panel.path.clone(),
                what: "series".into(),
                name: series.name.clone(),
                remedy: "forecast series of the training data, or train with `scale = { kind = \"standard\", per = \"all\" }`",
            })
        });
        let index: Vec<usize> = index.collect::<Result<_, _>>()?;
        let mut panel = self.append_horizon(panel)?;
        assemble::add_calendar(&mut panel, &self.config.calendar)?;
        self.mark(&mut panel, horizon);
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
        Ok(ForecastInput { panel, windows, pipeline: self.clone(), inverse })
    }

    /// Cuts each series after its last observed target and appends the horizon.
    fn append_horizon(&self, panel: Panel) -> Result<Panel, DataError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        let (width, targets) = (panel.channels.len(), panel.channels.targets);
        let lost = usize::from(matches!(
            self.config.transform,
            crate::config::Transform::Difference | crate::config::Transform::Return
        ));
        let known = panel.channels.known_ahead();
        let mut values = Vec::new();
        let mut all = Vec::new();
        for series in &panel.series {
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
            let start = values.len() / width;
            values.extend_from_slice(&panel.values[series.rows.start * width..origin * width]);
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
            let timeline = extend(&panel, series, rows, horizon);
            all.push(Series {
                name: series.name.clone(),
                rows: start..values.len() / width,
                timeline,
            });
        }
        Ok(Panel { values, series: all, observed: None, ..panel })
    }

    fn mark(&self, panel: &mut Panel, horizon: usize) {
        debug_assert!(horizon > 0);
        panel.observed = Some(panel.values.iter().map(|v| !v.is_nan()).collect());
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
