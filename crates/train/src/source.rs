//! The data of a run: read, prepared and put on the device.

use std::path::Path;

use data::{DataConfig, Fill, Pipeline, Prepared, Protocol, SplitConfig, Transform, Windows};
use tch::{Device, Kind, Tensor};
use vae::Shape;

use crate::baseline::{History, SeriesRows};
use crate::batch::{Columns, Rows, Starts, Statics};
use crate::config::Config;
use crate::error::TrainError;
use crate::run::{DataInfo, WindowCounts};

/// A part of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Fitted on.
    Train,
    /// Selected on.
    Validation,
    /// Scored on, once.
    Test,
}

impl Part {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// Validation windows that are enough to select by.
const ENOUGH: i64 = 100;

/// The data of a run, in standardized units on the device, with the way back.
#[derive(Debug)]
pub struct Source {
    config: Config,
    prepared: Prepared,
    rows: Rows,
    starts: [Starts; 3],
}

impl Source {
    /// Reads and prepares what the config names.
    ///
    /// # Errors
    /// [`TrainError::Data`], or [`TrainError::NoWindows`] if a part is too short for one window.
    pub fn load(config: &Config, device: Device) -> Result<Source, TrainError> {
        let prepared = data::load(&config.data, Path::new(""))?;
        let windows = &prepared.windows;
        let parts = [
            (Part::Train, &windows.train),
            (Part::Validation, &windows.validation),
            (Part::Test, &windows.test),
        ];
        for (part, windows) in parts {
            if windows.is_empty() {
                let (context, horizon) = (config.data.context, config.data.horizon);
                return Err(TrainError::NoWindows { part: part.name(), context, horizon });
            }
        }
        let starts = |windows: &Windows| starts(windows, device);
        let starts =
            [starts(&windows.train)?, starts(&windows.validation)?, starts(&windows.test)?];
        let rows = rows(&prepared.panel, &config.data, device)?;
        let mut source = Source { config: config.clone(), prepared, rows, starts };
        source.starts[Part::Validation as usize] = source.selecting()?;
        Ok(source)
    }

    /// The validation windows: as far apart as the config says, or else as test windows; where that leaves fewer than
    /// [`ENOUGH`], by the largest divisor of it that does not, or by one row.
    fn selecting(&self) -> Result<Starts, TrainError> {
        let part = Part::Validation;
        let windows = &self.prepared.windows.validation;
        let stride = windows.segments().first().map_or(1, |segment| segment.stride);
        let mut found = starts(windows, self.rows.device())?;
        // Those of a protocol may leave out one that ends at the border.
        match self.config.train.validation_stride {
            0 => {}
            asked if asked == stride => return Ok(found),
            asked => return self.restarted(part, asked),
        }
        for divisor in (1..stride).rev().filter(|&divisor| stride.is_multiple_of(divisor)) {
            if found.count() >= ENOUGH {
                break;
            }
            found = self.restarted(part, divisor)?;
        }
        Ok(found)
    }

    /// The config it was loaded by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Decides `model.instance_norm`, where the config leaves it to validation windows.
    pub(crate) fn set_instance_norm(&mut self, on: bool) {
        self.config.model.instance_norm = on;
    }

    /// All rows, on the device.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The windows of a part.
    pub fn starts(&self, part: Part) -> &Starts {
        &self.starts[part as usize]
    }

    /// What a model for this data has to fit.
    pub fn shape(&self) -> Shape {
        self.rows.shape()
    }

    /// Names of the channels that are forecast.
    pub fn channels(&self) -> &[String] {
        let channels = self.prepared.panel.channels();
        &channels.names()[channels.targets()]
    }

    /// Rows per season: the config's, else what the frequency suggests.
    pub fn season(&self) -> Option<usize> {
        match self.config.evaluate.season {
            0 => self.prepared.panel.frequency().season(),
            season => Some(season),
        }
    }

    /// SHA-256 of the data as read.
    pub fn fingerprint(&self) -> &str {
        &self.prepared.fingerprint
    }

    /// What undoes the preparation of new data; saved with the run.
    pub fn pipeline(&self) -> &Pipeline {
        &self.prepared.pipeline
    }

    /// The targets of all rows by series, with what may be fitted on.
    pub fn history(&self) -> History {
        let panel = &self.prepared.panel;
        let (width, targets) = (panel.channels().len(), self.channels().len());
        let cells = panel.values().iter().enumerate();
        let of_target = cells.filter(|(cell, _)| cell % width < targets);
        let seen = |cell: usize| panel.observed().is_none_or(|observed| observed[cell]);
        let values =
            of_target.map(|(cell, value)| if seen(cell) { f64::from(*value) } else { f64::NAN });
        let series = panel.series().iter().zip(self.prepared.split.parts());
        let series =
            series.map(|(s, parts)| SeriesRows { rows: s.rows(), train: parts.train.clone() });
        History::new(values.collect(), targets, series.collect())
    }

    /// Test windows every `stride` rows, from the first one of each series to the end of its test rows.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if the device has no room.
    pub fn test_starts(&self, stride: usize) -> Result<Starts, TrainError> {
        self.restarted(Part::Test, stride.max(1))
    }

    /// The windows of a held-out part every `stride` rows, from the first one of each series to the end.
    pub(crate) fn restarted(&self, part: Part, stride: usize) -> Result<Starts, TrainError> {
        let DataConfig { context, horizon, .. } = &self.config.data;
        let windows = match part {
            Part::Train => &self.prepared.windows.train,
            Part::Validation => &self.prepared.windows.validation,
            Part::Test => &self.prepared.windows.test,
        };
        let segments = windows.segments().iter().map(|segment| {
            let parts = &self.prepared.split.parts()[segment.series];
            let end = match part {
                Part::Train => parts.train.end,
                Part::Validation => parts.validation.end,
                Part::Test => parts.test.end,
            };
            let free = end.saturating_sub(segment.first + context + horizon);
            (segment.first as i64, (free / stride) as i64 + 1, stride as i64)
        });
        Starts::new(segments, self.rows.device())
    }

    /// Rows between neighboring test windows.
    pub fn test_stride(&self) -> usize {
        self.prepared.windows.test.segments().first().map_or(1, |segment| segment.stride)
    }

    /// Whether the targets are returns, by the config: the transform or the protocol says so.
    pub fn returns(&self) -> bool {
        self.config.data.transform == Transform::Return
            || self.config.data.split == SplitConfig::Protocol(Protocol::Stocks)
    }

    /// Whether each standardized value alone decides its original, and increases with it.
    pub fn elementwise(&self) -> bool {
        matches!(self.config.data.transform, Transform::None | Transform::Log)
    }

    /// The names of all series.
    pub fn series_names(&self) -> Vec<&str> {
        self.prepared.panel.series().iter().map(data::Series::name).collect()
    }

    /// The index of the series and the time of the first forecast row of the window that starts at `start`.
    ///
    /// # Errors
    /// [`TrainError::Data`] if there is no such row.
    pub fn origin(&self, start: usize) -> Result<(usize, String), TrainError> {
        let panel = &self.prepared.panel;
        let series = panel.series_of(start).unwrap_or(0);
        Ok((series, panel.time(start + self.config.data.context)?))
    }

    /// Times of the `L + H` rows of the window that starts at `start`.
    ///
    /// # Errors
    /// [`TrainError::Data`] if there are no such rows.
    pub fn times(&self, start: usize) -> Result<Vec<String>, TrainError> {
        let rows = self.config.data.context + self.config.data.horizon;
        let time = |row| Ok(self.prepared.panel.time(row)?);
        (start..start + rows).map(time).collect()
    }

    /// Standardized forecasts `[S, B, H, C]` of the windows that start at `rows`, `[B]`, in original
    /// units, on the CPU.
    ///
    /// # Errors
    /// [`TrainError::Data`] if a forecast has no way back.
    pub fn to_original(&self, samples: &Tensor, rows: &Tensor) -> Result<Tensor, TrainError> {
        // Window by window: each starts from its own last value.
        let by_window = samples.f_transpose(0, 1)?.f_contiguous()?;
        let size = by_window.size();
        let mut values = host(&by_window)?;
        let starts = Vec::<i64>::try_from(rows.f_to(Device::Cpu)?)?;
        let (context, horizon) = (self.config.data.context, self.config.data.horizon);
        let each = values.len() / starts.len().max(1);
        for (window, start) in values.chunks_mut(each.max(1)).zip(starts) {
            self.prepared.to_original(start as usize + context, horizon, window)?;
        }
        Ok(Tensor::f_from_slice(&values)?.f_view(size.as_slice())?.f_transpose(0, 1)?)
    }

    /// What was observed, `[B, H, C]` in original units on the CPU, NaN where nothing was: read from
    /// the data and not from its standardized copy.
    ///
    /// # Errors
    /// [`TrainError::Data`] if there are no such rows.
    pub fn truth(&self, rows: &Tensor) -> Result<Tensor, TrainError> {
        let (context, horizon) = (self.config.data.context, self.config.data.horizon);
        self.original(rows, context, horizon)
    }

    /// As [`Source::truth`], of the contexts: `[B, L, C]`.
    ///
    /// # Errors
    /// As [`Source::truth`].
    pub fn contexts(&self, rows: &Tensor) -> Result<Tensor, TrainError> {
        self.original(rows, 0, self.config.data.context)
    }

    fn original(&self, rows: &Tensor, skip: usize, count: usize) -> Result<Tensor, TrainError> {
        let starts = Vec::<i64>::try_from(rows.f_to(Device::Cpu)?)?;
        let mut values = Vec::with_capacity(starts.len() * count * self.channels().len());
        for start in &starts {
            let first = *start as usize + skip;
            let mut rows = self.prepared.original_targets(first..first + count)?;
            let series = self.prepared.panel.series_of(first).unwrap_or(0);
            for (channel, floor) in self.rounding(series)?.into_iter().enumerate() {
                let column = rows.iter_mut().skip(channel).step_by(self.channels().len());
                column.filter(|value| value.abs() < floor).for_each(|value| *value = 0.0);
            }
            values.extend(rows);
        }
        let size = [starts.len() as i64, count as i64, self.channels().len() as i64];
        Ok(Tensor::f_from_slice(&values)?.f_view(size)?)
    }

    /// What f32 loses on the way to standardized units and back, per channel: a true zero comes back as
    /// less than this, and a score relative to it would be noise.
    fn rounding(&self, series: usize) -> Result<Vec<f32>, TrainError> {
        let floor = |channel| -> Result<f32, TrainError> {
            let affine = self.prepared.scaler().affine(series, channel)?;
            Ok(4.0 * f32::EPSILON * (affine.center.abs() + affine.spread) as f32)
        };
        (0..self.channels().len()).map(floor).collect()
    }

    /// The first context of a part, first channel only, standardized: a window to look at.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn first_context(&self, part: Part) -> Result<Vec<f64>, TrainError> {
        let first = Tensor::f_from_slice(&[0_i64])?.f_to(self.rows.device())?;
        let batch = self.rows.gather(&self.starts(part).rows(&first)?)?;
        let channel = batch.filled_context()?.f_select(2, 0)?.f_view([-1])?;
        Ok(Vec::try_from(channel.f_to_kind(Kind::Double)?.f_to(Device::Cpu)?)?)
    }

    /// What stands in `run.json` of the data.
    pub fn info(&self) -> DataInfo {
        let name = match (&self.config.data.path, &self.config.data.source) {
            (Some(path), _) => path.display().to_string(),
            (None, source) => source.clone().unwrap_or_default(),
        };
        DataInfo {
            name,
            fingerprint: self.fingerprint().to_owned(),
            rows: self.prepared.panel.rows(),
            series: self.prepared.panel.series().len(),
            channels: self.channels().to_vec(),
            windows: WindowCounts {
                train: self.starts(Part::Train).count(),
                validation: self.starts(Part::Validation).count(),
                test: self.starts(Part::Test).count(),
            },
        }
    }
}

/// A panel's rows on the device.
///
/// # Errors
/// [`TrainError::Torch`] if the device has no room.
pub(crate) fn rows(
    panel: &data::Panel,
    config: &DataConfig,
    device: Device,
) -> Result<Rows, TrainError> {
    let channels = panel.channels();
    let columns = Columns {
        context: config.context as i64,
        horizon: config.horizon as i64,
        targets: channels.targets().len() as i64,
        past: channels.past_covariates().len() as i64,
        future: channels.known_ahead().len() as i64,
    };
    let rows = Rows::new(panel.values(), panel.observed(), columns, device)?;
    let rows = match config.fill {
        Fill::Forward | Fill::Interpolate => rows.with_filled_gaps(),
        _ => rows,
    };
    let statics = panel.statics();
    if statics.names().is_empty() {
        return Ok(rows);
    }
    let ends: Vec<i64> = panel.series().iter().map(|series| series.rows().end as i64).collect();
    Ok(rows.with_statics(Statics::new(&ends, statics.values(), device)?))
}

/// Windows as segments on the device.
///
/// # Errors
/// [`TrainError::Torch`] if the device has no room.
pub(crate) fn starts(windows: &Windows, device: Device) -> Result<Starts, TrainError> {
    let segments = windows.segments().iter();
    Starts::new(segments.map(|s| (s.first as i64, s.count as i64, s.stride as i64)), device)
}

fn host(tensor: &Tensor) -> Result<Vec<f32>, TrainError> {
    let flat = tensor.f_contiguous()?.f_view([-1])?.f_to_kind(Kind::Float)?;
    Ok(Vec::try_from(flat.f_to(Device::Cpu)?)?)
}
