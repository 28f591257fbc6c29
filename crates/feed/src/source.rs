//! The data of a run: read, prepared and put on the device.

mod later;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use data::{DataConfig, Pipeline, Prepared, Protocol, SplitConfig, Transform};
use stats::Pairing;
use tch::{Device, Kind, Tensor};

use crate::error::FeedError;
use crate::history::{History, SeriesRows};
use crate::panel::DevicePanel;
use crate::windows::WindowSet;

/// A part of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The rows that models are fitted on.
    Train,
    /// The rows that models and settings are selected on.
    Validation,
    /// The rows that are scored, once.
    Test,
}

impl Part {
    /// The name of the part in messages.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }

    fn of(self, prepared: &Prepared) -> &data::Windows {
        match self {
            Part::Train => &prepared.windows.train,
            Part::Validation => &prepared.windows.validation,
            Part::Test => &prepared.windows.test,
        }
    }
}

/// Number of validation windows that is enough to select a model.
const ENOUGH_WINDOWS: i64 = 100;

/// The settings of a config, outside its `[data]` table, that concern its data; 0 leaves a choice to the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Rows per season; 0 to take the season from the frequency.
    pub season: usize,
    /// Rows between neighboring validation windows; 0 to take the stride of the split, or a smaller one if that leaves
    /// fewer than 100 windows.
    pub validation_stride: usize,
}

/// The data of a run, in standardized units on the device, with the conversion back to original units.
#[derive(Debug)]
pub struct Source {
    config: DataConfig,
    season: usize,
    prepared: Prepared,
    panel: DevicePanel,
    windows: [WindowSet; 3],
}

impl Source {
    /// Reads and prepares the data that `config` names. The validation and the test part may be empty, see
    /// [`Source::required`].
    ///
    /// # Errors
    /// [`FeedError::Data`], or [`FeedError::NoWindows`] if the training part is too short for one window.
    pub fn load(
        config: &DataConfig,
        selection: Selection,
        device: Device,
    ) -> Result<Source, FeedError> {
        Source::of_panel(config, selection, data::read(config, Path::new(""))?, device)
    }

    /// As [`Source::load`], from rows that were read, with the calendar features of `config`.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn of_panel(
        config: &DataConfig,
        selection: Selection,
        panel: data::Panel,
        device: Device,
    ) -> Result<Source, FeedError> {
        Source::of(data::prepare(config, panel)?, config, selection, device)
    }

    /// As [`Source::of_panel`], with every row up to the end of the test part as a training row, on which the scaler is
    /// fitted too; the other parts are empty. This is for a model whose settings have been selected.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn whole(
        config: &DataConfig,
        selection: Selection,
        panel: data::Panel,
        device: Device,
    ) -> Result<Source, FeedError> {
        Source::of(data::prepare_whole(config, panel)?, config, selection, device)
    }

    fn of(
        prepared: Prepared,
        config: &DataConfig,
        selection: Selection,
        device: Device,
    ) -> Result<Source, FeedError> {
        let set = |part: Part| {
            let segments = part.of(&prepared).segments().iter();
            let segments = segments.map(|s| (s.first as i64, s.count as i64, s.stride as i64));
            WindowSet::new(segments, device)
        };
        let windows = [set(Part::Train)?, set(Part::Validation)?, set(Part::Test)?];
        let panel = DevicePanel::of(&prepared.panel, config, device)?;
        let season = selection.season;
        let mut source = Source { config: config.clone(), season, prepared, panel, windows };
        source.required(Part::Train)?;
        if let Some(windows) = source.selection_windows(selection.validation_stride)? {
            source.windows[Part::Validation as usize] = windows;
        }
        Ok(source)
    }

    /// Validation windows that replace those of the split, if any: `asked` rows apart. If `asked` is 0 and the split
    /// has fewer than [`ENOUGH_WINDOWS`], the stride is the largest divisor of the split's that gives as many, or else 1.
    fn selection_windows(&self, asked: usize) -> Result<Option<WindowSet>, FeedError> {
        let part = Part::Validation;
        if self.windows(part).count() == 0 {
            return Ok(None);
        }
        let stride = self.windows(part).stride();
        // The windows of a protocol are kept: it may leave out one that ends at the border.
        if asked == stride {
            return Ok(None);
        }
        if asked > 0 {
            return self.windows_every(part, asked).map(Some);
        }
        let mut found = None;
        for divisor in (1..stride).rev().filter(|&divisor| stride.is_multiple_of(divisor)) {
            if found.as_ref().unwrap_or(self.windows(part)).count() >= ENOUGH_WINDOWS {
                break;
            }
            found = Some(self.windows_every(part, divisor)?);
        }
        Ok(found)
    }

    /// The `[data]` table that the source was loaded from.
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// All rows, on the device.
    pub fn panel(&self) -> &DevicePanel {
        &self.panel
    }

    /// The windows of a part. Without rows in the validation or the test part, there are none.
    pub fn windows(&self, part: Part) -> &WindowSet {
        &self.windows[part as usize]
    }

    /// The windows of a part that cannot be done without.
    ///
    /// # Errors
    /// [`FeedError::NoWindows`] if there are none.
    pub fn required(&self, part: Part) -> Result<&WindowSet, FeedError> {
        let windows = self.windows(part);
        if windows.count() == 0 {
            let (context, horizon) = (self.config.context, self.config.horizon);
            return Err(FeedError::NoWindows { part: part.name(), context, horizon });
        }
        Ok(windows)
    }

    /// The training windows in two parts, in order of time within each series. The first part has about `share` of
    /// them; windows whose targets lie in both are left out.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn divided_train(&self, share: f64) -> Result<[WindowSet; 2], FeedError> {
        let (device, gap) = (self.panel.device(), self.config.horizon - 1);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for segment in Part::Train.of(&self.prepared).segments() {
            let border = (share * segment.count as f64).ceil() as usize;
            let later = (border + gap.div_ceil(segment.stride)).min(segment.count);
            let (first, stride) = (segment.first as i64, segment.stride as i64);
            before.push((first, border.min(segment.count) as i64, stride));
            after.push((first + stride * later as i64, (segment.count - later) as i64, stride));
        }
        Ok([WindowSet::new(before, device)?, WindowSet::new(after, device)?])
    }

    /// Maximum number of windows of a series in `windows` whose targets do not overlap.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn disjoint_horizons(&self, windows: &WindowSet) -> Result<usize, FeedError> {
        let first_rows = Vec::<i64>::try_from(windows.first_rows()?.f_to(Device::Cpu)?)?;
        let (mut most, mut here, mut series, mut free) = (0, 0, None, 0);
        for row in first_rows {
            let of = self.prepared.panel.series_of(row as usize);
            if of != series {
                (here, series, free) = (0, of, row);
            }
            if row >= free {
                (here, free) = (here + 1, row + self.config.horizon as i64);
            }
            most = most.max(here);
        }
        Ok(most)
    }

    /// The windows of a part, `stride` rows apart, from the first one of each series to the end of the part.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn windows_every(&self, part: Part, stride: usize) -> Result<WindowSet, FeedError> {
        let DataConfig { context, horizon, .. } = &self.config;
        let segments = part.of(&self.prepared).segments().iter().map(|segment| {
            let parts = &self.prepared.split.parts()[segment.series];
            let end = match part {
                Part::Train => parts.train.end,
                Part::Validation => parts.validation.end,
                Part::Test => parts.test.end,
            };
            let free = end.saturating_sub(segment.first + context + horizon);
            (segment.first as i64, (free / stride) as i64 + 1, stride as i64)
        });
        WindowSet::new(segments, self.panel.device())
    }

    /// The name of the file or of the bundled source.
    pub fn name(&self) -> String {
        match (&self.config.path, &self.config.source) {
            (Some(path), _) => path.display().to_string(),
            (None, source) => source.clone().unwrap_or_default(),
        }
    }

    /// The number of rows of all series.
    pub fn rows(&self) -> usize {
        self.prepared.panel.rows()
    }

    /// The number of training rows of all series.
    pub fn fitted_rows(&self) -> usize {
        self.prepared.split.parts().iter().map(|parts| parts.train.len()).sum()
    }

    /// The names of the channels to forecast.
    pub fn channels(&self) -> &[String] {
        let channels = self.prepared.panel.channels();
        &channels.names()[channels.targets()]
    }

    /// Rows per season: from the config if it gives them, otherwise from the frequency.
    pub fn season(&self) -> Option<usize> {
        match self.season {
            0 => self.prepared.panel.frequency().season(),
            season => Some(season),
        }
    }

    /// Doubts about the table, such as a reading that was decided between two, or a channel of a series
    /// without training rows.
    pub fn doubts(&self) -> &[String] {
        self.prepared.panel.doubts()
    }

    /// SHA-256 of the data as they were read.
    pub fn fingerprint(&self) -> &str {
        &self.prepared.fingerprint
    }

    /// The preparation of new data and its inverse, which is saved with the run.
    pub fn pipeline(&self) -> &Pipeline {
        &self.prepared.pipeline
    }

    /// The targets of all rows by series, and the rows that may be fitted on.
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

    /// Whether the transform or the protocol of the config makes the targets returns.
    pub fn returns(&self) -> bool {
        self.config.transform == Transform::Return
            || self.config.split == SplitConfig::Protocol(Protocol::Stocks)
    }

    /// Whether each original value is an increasing function of its standardized value alone.
    pub fn elementwise(&self) -> bool {
        matches!(self.config.transform, Transform::None | Transform::Log)
    }

    /// The names of all series.
    pub fn series_names(&self) -> Vec<&str> {
        self.prepared.panel.series().iter().map(data::Series::name).collect()
    }

    /// The series and the time of the origin of the window that starts at row `first`.
    ///
    /// # Errors
    /// [`FeedError::Data`] if there is no such row.
    pub fn origin(&self, first: usize) -> Result<(usize, String), FeedError> {
        let panel = &self.prepared.panel;
        let series = panel.series_of(first).unwrap_or(0);
        Ok((series, panel.time(first + self.config.context)?))
    }

    /// The dependence between forecasts of `windows`: which of them share a time, and how much their horizons overlap.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn pairing(&self, windows: &WindowSet) -> Result<Pairing, FeedError> {
        let first_rows = Vec::<i64>::try_from(windows.first_rows()?.f_to(Device::Cpu)?)?;
        self.pairing_of(&first_rows, windows.stride(), self.config.horizon)
    }

    /// As [`Source::pairing`], for windows that start at `first_rows`. They come from a set of stride `stride`, and
    /// each of their scores depends on `length` rows.
    ///
    /// ```text
    /// rows between origins = max(stride, ⌊rows from the first to the last window of a series / (distinct times − 1)⌋)
    /// ```
    ///
    /// This is the stride for a whole set, and more for one that was thinned evenly.
    ///
    /// # Errors
    /// [`FeedError::Data`] if there is no such row.
    pub fn pairing_of(
        &self,
        first_rows: &[i64],
        stride: usize,
        length: usize,
    ) -> Result<Pairing, FeedError> {
        let mut times = Vec::with_capacity(first_rows.len());
        let mut reach = BTreeMap::new();
        for &row in first_rows {
            let (series, time) = self.origin(row as usize)?;
            times.push(time);
            let (first, last) = reach.entry(series).or_insert((row, row));
            (*first, *last) = ((*first).min(row), (*last).max(row));
        }
        let span = reach.values().map(|(first, last)| (last - first) as usize).max().unwrap_or(0);
        let distinct = times.iter().collect::<BTreeSet<_>>().len();
        let apart = span / distinct.saturating_sub(1).max(1);
        Ok(Pairing::new(&times, length, apart.max(stride)))
    }

    /// The times of the `L + H` rows of the window that starts at row `first`.
    ///
    /// # Errors
    /// [`FeedError::Data`] if there are no such rows.
    pub fn times(&self, first: usize) -> Result<Vec<String>, FeedError> {
        let rows = self.config.context + self.config.horizon;
        let time = |row| Ok(self.prepared.panel.time(row)?);
        (first..first + rows).map(time).collect()
    }

    /// Converts standardized forecasts `[S, B, H, C]` of the windows that start at `first_rows`, `[B]`, to original
    /// units on the CPU.
    ///
    /// # Errors
    /// [`FeedError::Data`] if a forecast cannot be converted.
    pub fn to_original(&self, samples: &Tensor, first_rows: &Tensor) -> Result<Tensor, FeedError> {
        // Window by window, since each is converted from its own last value.
        let by_window = samples.f_transpose(0, 1)?.f_contiguous()?;
        let size = by_window.size();
        let mut values = host(&by_window)?;
        let starts = Vec::<i64>::try_from(first_rows.f_to(Device::Cpu)?)?;
        let (context, horizon) = (self.config.context, self.config.horizon);
        let each = values.len() / starts.len().max(1);
        for (window, start) in values.chunks_mut(each.max(1)).zip(starts) {
            let drawn = window.to_vec();
            self.prepared.to_original(start as usize + context, horizon, window)?;
            // A target without training rows has no original units. It is scored nowhere, and zeros keep the other
            // scores finite; a sample that was not finite stays so.
            let lost =
                window.iter_mut().zip(drawn).filter(|(now, was)| now.is_nan() && was.is_finite());
            lost.for_each(|(now, _)| *now = 0.0);
        }
        Ok(Tensor::f_from_slice(&values)?.f_view(size.as_slice())?.f_transpose(0, 1)?)
    }

    /// The targets of the windows that start at `first_rows`, `[B, H, C]` in original units on the CPU, NaN where
    /// nothing was observed. They are read from the data, since the standardized copy on the device has zeros for gaps.
    ///
    /// # Errors
    /// [`FeedError::Data`] if there are no such rows.
    pub fn truth(&self, first_rows: &Tensor) -> Result<Tensor, FeedError> {
        let (context, horizon) = (self.config.context, self.config.horizon);
        self.original(first_rows, context, horizon)
    }

    /// As [`Source::truth`], for the contexts: `[B, L, C]`.
    ///
    /// # Errors
    /// As [`Source::truth`].
    pub fn contexts(&self, first_rows: &Tensor) -> Result<Tensor, FeedError> {
        self.original(first_rows, 0, self.config.context)
    }

    fn original(
        &self,
        first_rows: &Tensor,
        skip: usize,
        count: usize,
    ) -> Result<Tensor, FeedError> {
        let starts = Vec::<i64>::try_from(first_rows.f_to(Device::Cpu)?)?;
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

    /// Upper bound per channel on the rounding error of f32 on the way to standardized units and back. A true zero
    /// comes back smaller than this, and a score relative to it would be noise.
    fn rounding(&self, series: usize) -> Result<Vec<f32>, FeedError> {
        let floor = |channel| -> Result<f32, FeedError> {
            let affine = self.prepared.scaler().affine(series, channel)?;
            Ok(4.0 * f32::EPSILON * (affine.center.abs() + affine.spread) as f32)
        };
        (0..self.channels().len()).map(floor).collect()
    }

    /// The first channel of the first context of a part, in standardized units: an example for pictures.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn first_context(&self, part: Part) -> Result<Vec<f64>, FeedError> {
        let first = Tensor::f_from_slice(&[0_i64])?.f_to(self.panel.device())?;
        let batch = self.panel.gather(&self.windows(part).first_rows_of(&first)?)?;
        let channel = batch.filled_context()?.f_select(2, 0)?.f_view([-1])?;
        Ok(Vec::try_from(channel.f_to_kind(Kind::Double)?.f_to(Device::Cpu)?)?)
    }
}

fn host(tensor: &Tensor) -> Result<Vec<f32>, FeedError> {
    let flat = tensor.f_contiguous()?.f_view([-1])?.f_to_kind(Kind::Float)?;
    Ok(Vec::try_from(flat.f_to(Device::Cpu)?)?)
}
