//! New data for a trained model: read, ordered, transformed and scaled as the training data were.

use std::fmt;
use std::path::Path;

use crate::config::{DataConfig, Fill};
use crate::error::DataError;
use crate::fill;
use crate::panel::{Channels, Panel, Series};
use crate::prepare::{Inverse, Pipeline};
use crate::read::assemble;
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
    /// Gaps of the contexts that were filled; none if the model sees them masked.
    pub filled: Vec<Filled>,
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

/// The missing cells of one channel in the contexts of a file, which were filled for a model without masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The channel.
    pub channel: String,
    /// The first series with such a cell.
    pub series: String,
    /// Time of the first such cell of that series.
    pub time: String,
    /// Number of such cells of all series.
    pub count: usize,
    /// How they were filled.
    pub fill: Fill,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filled { channel, series, time, count, fill } = self;
        let (noun, verb) = if *count == 1 { ("row", "it takes") } else { ("rows", "each takes") };
        let value = match fill {
            Fill::Interpolate => "a value between its neighbors",
            _ => "the last value before it, or else the next one",
        };
        write!(
            f,
            "`{channel}` has no value in {count} {noun} of the context, the first at {time} in series `{series}`; \
             the model was trained without gaps, so {verb} {value}"
        )
    }
}

/// The treatment of gaps in the contexts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gaps {
    /// As `fill` of the config says; the model sees a mask.
    Mask,
    /// None is left.
    Fill,
}

/// The keys of `[data]` that may differ between the training data and a later file.
const READING_KEYS: [&str; 14] = [
    "format",
    "delimiter",
    "decimal",
    "thousands",
    "encoding",
    "skip_rows",
    "header",
    "missing",
    "id",
    "time",
    "time_format",
    "time_zone",
    "unsorted",
    "duplicates",
];

impl Pipeline {
    /// The keys of `[data]` that [`Pipeline::rereading`] takes from another config.
    pub const READING_KEYS: &'static [&'static str] = &READING_KEYS;

    /// Reads `path` as the training table was read and prepares one forecast per series, from the row after its
    /// last observed target. Series that cannot be forecast are listed, while there are others. Channels of a series
    /// without a value in the training rows are masked, as they were there.
    ///
    /// Rows after that one may give `future_covariates`, with the targets left empty.
    ///
    /// # Errors
    /// [`DataError`]: the file's own faults; one that is not written as the training table was; no series with
    /// enough rows, known to the scaler, of the trained time step, and with the covariates of its horizon.
    pub fn forecast_input(&self, path: &Path) -> Result<ForecastInput, DataError> {
        self.read_input(path, Gaps::Mask)
    }

    /// As [`Pipeline::forecast_input`], for a model that was trained without gaps and has no mask: missing cells of
    /// a context that `fill` leaves take the last value before them in their series, or else the next one. A series
    /// without any value of a channel in its context is left out.
    ///
    /// # Errors
    /// As [`Pipeline::forecast_input`], and [`DataError::RefusedGap`] if the model was trained with `fill = "error"`.
    pub fn forecast_input_without_gaps(&self, path: &Path) -> Result<ForecastInput, DataError> {
        self.read_input(path, Gaps::Fill)
    }

    /// As [`Pipeline::forecast_input`], from rows that are read already and have no calendar features yet, such as a
    /// [`Panel::until`]; with `masks` false as [`Pipeline::forecast_input_without_gaps`].
    ///
    /// # Errors
    /// As these two, but for the faults of a file.
    pub fn forecast_panel(&self, panel: Panel, masks: bool) -> Result<ForecastInput, DataError> {
        self.validate()?;
        self.forecast_from(panel, if masks { Gaps::Mask } else { Gaps::Fill })
    }

    fn read_input(&self, path: &Path, gaps: Gaps) -> Result<ForecastInput, DataError> {
        self.validate()?;
        let panel = self.read_raw(path)?;
        self.forecast_from(panel, gaps)
    }

    /// The same model for tables that are written as `config` says: its keys for the form of a file, its times
    /// and its order take the place of the trained ones, where they differ from those the model was trained with.
    /// Only the keys of [`Pipeline::READING_KEYS`] are taken from it.
    pub fn rereading(&self, config: &DataConfig) -> Pipeline {
        let mut reading = self.reading.clone();
        let config = crate::form::written_as(&self.config, &mut reading, config);
        Pipeline { config, reading, ..self.clone() }
    }

    /// Checks that its parts fit each other: a stored pipeline may have been changed.
    pub(crate) fn validate(&self) -> Result<(), DataError> {
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
    pub(crate) fn input_config(&self, path: &Path) -> DataConfig {
        let targets = self.channels.names[self.channels.targets()].to_vec();
        DataConfig {
            path: Some(path.to_path_buf()),
            source: None,
            targets: Some(targets),
            ..self.config.clone()
        }
    }

    fn forecast_from(&self, panel: Panel, gaps: Gaps) -> Result<ForecastInput, DataError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        let (mut panel, left_out) = self.append_horizon(panel, gaps)?;
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
        let filled = match gaps {
            Gaps::Mask => Vec::new(),
            Gaps::Fill => self.gaps(&panel, &origins)?,
        };
        fill::fill(&mut panel, self.config.fill, &origins);
        if !filled.is_empty() {
            fill::hold(&mut panel, self.config.fill, &origins);
        }
        self.clear_horizon(&mut panel, horizon);
        let levels = fill::transform(&mut panel, self.config.transform)?;
        for (series, &own) in index.iter().enumerate() {
            let unseen = |&channel: &usize| self.scaler.is_unseen(own, channel);
            for channel in (0..panel.channels.len()).filter(unseen) {
                panel.mask(series, channel);
            }
        }
        self.scaler.scale(&mut panel, &index);
        let segments = origins.iter().enumerate().map(|(series, &origin)| Segment {
            series,
            first: origin - context,
            stride: 1,
            count: 1,
        });
        let windows = Windows::new(context, horizon, segments);
        let inverse = Inverse { transform: self.config.transform, levels, index };
        Ok(ForecastInput { panel, windows, left_out, filled, pipeline: self.clone(), inverse })
    }

    /// Whether the one series of a file needs no name: a model of one file forecasts another file, but a model of
    /// one `id` no other `id`.
    pub(crate) fn takes_any(&self, panel: &Panel) -> bool {
        panel.series.len() == 1 && self.config.id.is_none()
    }

    /// Cuts each series after its last observed target and appends the horizon; lists those for which that, or
    /// their scale, is not known.
    fn append_horizon(&self, panel: Panel, gaps: Gaps) -> Result<(Panel, Vec<LeftOut>), DataError> {
        let (width, targets) = (panel.channels.len(), panel.channels.targets);
        let only_one = self.takes_any(&panel);
        let mut values = Vec::new();
        let mut exact = panel.exact.as_ref().map(|_| Vec::new());
        let (mut all, mut kept) = (Vec::new(), Vec::new());
        let (mut left_out, mut first_error) = (Vec::new(), None);
        for (index, series) in panel.series.iter().enumerate() {
            let extended = self
                .known(&panel, index, only_one)
                .and_then(|own| self.with_horizon(&panel, series, own, gaps));
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

    /// The scale of a series, if it has one and the encoders know its static covariates.
    fn known(&self, panel: &Panel, index: usize, only_one: bool) -> Result<usize, DataError> {
        let name = &panel.series[index].name;
        let unknown = |what: String, name: &str, remedy| DataError::Unknown {
            path: panel.path.clone(),
            what,
            name: name.to_owned(),
            remedy,
        };
        let Some(own) = self.scaler.index_of(name, only_one) else {
            let remedy = "forecast series of the training data, or train with `scale = { kind = \"standard\", per = \"all\" }`";
            return Err(unknown("series".into(), name, remedy));
        };
        if panel.channels.targets().all(|channel| self.scaler.is_unseen(own, channel)) {
            return Err(DataError::Untrained { path: panel.path.clone(), series: name.clone() });
        }
        match panel.statics.unknown(index) {
            None => Ok(own),
            Some((column, value)) => Err(unknown(
                format!("value of static covariate `{column}`"),
                value,
                "use a value the model was trained with",
            )),
        }
    }

    /// How many rows a series has up to its last observed target, and its values with the horizon appended.
    fn with_horizon(
        &self,
        panel: &Panel,
        series: &Series,
        own: usize,
        gaps: Gaps,
    ) -> Result<(usize, Vec<f32>), DataError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        let (width, targets) = (panel.channels.len(), panel.channels.targets);
        let lost = self.config.transform.lost_rows();
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
        let empty = |&c: &usize| {
            !self.scaler.is_unseen(own, c)
                && (origin - context..origin).all(|row| cell(row, c).is_nan())
        };
        if let Some(empty) = (0..width).find(empty).filter(|_| gaps == Gaps::Fill) {
            return Err(DataError::EmptyContext {
                path: panel.path.clone(),
                series: series.name.clone(),
                header: panel.channels.names[empty].clone(),
                context,
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

    /// The missing cells of the contexts that end at `origins`, by channel.
    fn gaps(&self, panel: &Panel, origins: &[usize]) -> Result<Vec<Filled>, DataError> {
        let (width, fill) = (panel.channels.len(), self.config.fill);
        // A difference or return takes one row more.
        let levels = self.config.transform.lost_rows();
        let mut gaps = Vec::new();
        for (channel, name) in panel.channels.names.iter().enumerate() {
            let mut found: Option<Filled> = None;
            for (series, &origin) in panel.series.iter().zip(origins) {
                let rows = origin - self.config.context - levels..origin;
                for row in rows.filter(|row| panel.values[row * width + channel].is_nan()) {
                    if let Some(found) = &mut found {
                        found.count += 1;
                        continue;
                    }
                    let (channel, series) = (name.clone(), series.name.clone());
                    let time = panel.time(row)?;
                    if fill == Fill::Error {
                        let (path, header) = (panel.path.clone(), channel);
                        return Err(DataError::RefusedGap { path, series, header, time });
                    }
                    found = Some(Filled { channel, series, time, count: 1, fill });
                }
            }
            gaps.extend(found);
        }
        Ok(gaps)
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
    /// Brings forecasts of series `series` back to original units, in place; NaN for a target of the series that had
    /// no value in the training rows.
    ///
    /// # Shapes
    /// `values`: `[.., H, targets]`, any number of paths.
    ///
    /// # Errors
    /// [`DataError::Length`], [`DataError::OutOfRange`], [`DataError::NoLevel`].
    pub fn to_original(&self, series: usize, values: &mut [f32]) -> Result<(), DataError> {
        let origin = self.origin(series)?;
        let horizon = self.windows.horizon();
        self.inverse.in_place(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// As [`ForecastInput::to_original`], in double precision.
    ///
    /// # Errors
    /// As [`ForecastInput::to_original`].
    pub fn original(&self, series: usize, values: &[f32]) -> Result<Vec<f64>, DataError> {
        let origin = self.origin(series)?;
        let horizon = self.windows.horizon();
        self.inverse.apply(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// The first row to be forecast of a series.
    fn origin(&self, series: usize) -> Result<usize, DataError> {
        let count = self.panel.series.len();
        let out = || DataError::OutOfRange { what: "series", index: series, count };
        self.windows.origin(series).ok_or_else(out)
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
