//! From a panel in original units to one that a model can train on, and back.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, SplitConfig, Transform};
use crate::error::DataError;
use crate::fill;
use crate::known::KnownRows;
use crate::panel::{Channels, Panel};
use crate::read::read;
use crate::reading::Reading;
use crate::scale::{Affine, Scaler};
use crate::split::Split;
use crate::statics::Encoder;
use crate::text::Count;
use crate::time::Frequency;
use crate::window::PartWindows;

/// Everything needed to treat new data as the training data were treated; saved with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub(crate) config: DataConfig,
    pub(crate) channels: Channels,
    pub(crate) frequency: Frequency,
    pub(crate) scaler: Scaler,
    pub(crate) encoders: Vec<Encoder>,
    /// Models of earlier versions do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reading: Option<Reading>,
}

impl Pipeline {
    /// The configuration it was made with.
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// How the training table was read; later tables are read the same way.
    pub fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    /// Channels by role.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// The time step of the training data.
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// The fitted scaler.
    pub fn scaler(&self) -> &Scaler {
        &self.scaler
    }

    /// Static covariates as columns of numbers, such as `area` or `region=north`, which is an indicator; with what is
    /// subtracted from each, and what it is then divided by.
    pub fn static_columns(&self) -> Vec<(String, Affine)> {
        let columns = self.encoders.iter().flat_map(Encoder::columns);
        columns.map(|(name, [center, spread])| (name, Affine { center, spread })).collect()
    }
}

/// A data set ready for training: scaled, split, with windows of each part.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The panel, transformed, filled and scaled.
    pub panel: Panel,
    /// Training, validation and test rows of each series.
    pub split: Split,
    /// Windows of each part.
    pub windows: PartWindows,
    /// How it was made, to be saved with the model.
    pub pipeline: Pipeline,
    /// Fingerprint of the data as read.
    pub fingerprint: String,
    /// The rows of each series as read, by which a newer table is compared.
    pub known: Vec<KnownRows>,
    pub(crate) inverse: Inverse,
}

/// Everything that the way back to original units needs besides the scaler.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inverse {
    pub(crate) transform: Transform,
    /// Targets before the transform, `[rows, targets]`, for differences and returns.
    pub(crate) levels: Option<Vec<f64>>,
    /// Which statistics each series uses.
    pub(crate) index: Vec<usize>,
}

/// Reads and prepares what `config` names; `path` is relative to `base`.
///
/// # Errors
/// [`DataError`]
pub fn load(config: &DataConfig, base: &Path) -> Result<Prepared, DataError> {
    prepare(config, read(config, base)?)
}

/// As [`prepare`], with all rows up to the end of the test part as training rows: [`Split::whole`].
///
/// # Errors
/// As [`prepare`].
pub fn prepare_whole(config: &DataConfig, panel: Panel) -> Result<Prepared, DataError> {
    let split = Split::new(config, &panel)?.whole();
    prepare_fold(config, panel, split)
}

/// Splits, transforms, fills, fits the scaler on training rows, scales, and places windows.
///
/// # Errors
/// [`DataError`] where the split, the transform or the windows do not fit the data.
pub fn prepare(config: &DataConfig, panel: Panel) -> Result<Prepared, DataError> {
    let split = Split::new(config, &panel)?;
    prepare_fold(config, panel, split)
}

/// As [`prepare`], with a split of the caller's, such as a fold of [`Split::rolling`].
///
/// # Errors
/// As [`prepare`], and [`DataError::Length`] if the split is of another panel.
pub fn prepare_fold(
    config: &DataConfig,
    mut panel: Panel,
    split: Split,
) -> Result<Prepared, DataError> {
    config.validate()?;
    if split.parts.len() != panel.series.len() {
        let expected = format!("{}, one per series", panel.series.len());
        return Err(DataError::Length { what: "split", found: split.parts.len(), expected });
    }
    let (fingerprint, known) = (panel.fingerprint(), panel.known_rows()?);
    let split = split.recent(config.train_fraction);
    let levels = transform_and_fill(config, &mut panel, &split)?;
    let lost = usize::from(levels.is_some());
    let windows = PartWindows::new(config.context, config.horizon, &panel, &split, lost)?;
    let scale = match &config.split {
        // A protocol's numbers are comparable only with its own scaler; `scale = "none"` stays the user's.
        SplitConfig::Protocol(protocol) if config.scale == Default::default() => protocol.scale(),
        _ => config.scale,
    };
    let scaler = Scaler::fit(scale, &panel, &split);
    let index: Vec<usize> = (0..panel.series.len()).collect();
    let unknown = scaler.unseen().to_vec();
    for &(series, channel) in &unknown {
        leave_out(&mut panel, series, channel);
    }
    scaler.scale(&mut panel, &index);
    let pipeline = Pipeline {
        config: config.clone(),
        channels: panel.channels.clone(),
        frequency: panel.frequency,
        scaler,
        encoders: panel.encoders.clone(),
        reading: Some(panel.reading.clone()),
    };
    let inverse = Inverse { transform: config.transform, levels, index };
    Ok(Prepared { panel, split, windows, pipeline, fingerprint, known, inverse })
}

/// Masks a channel of a series that has no value in the rows the scaler was fitted on, and says so: its values
/// would enter losses and scores on a scale of their own.
fn leave_out(panel: &mut Panel, series: usize, channel: usize) {
    let lost = panel.mask(series, channel);
    if lost > 0 {
        panel.doubts.push(format!(
            "`{}` of series `{}` has no value in the training rows: its {} in later rows are left out",
            panel.channels.names[channel],
            panel.series[series].name,
            Count(lost, "value")
        ));
    }
}

pub(crate) fn transform_and_fill(
    config: &DataConfig,
    panel: &mut Panel,
    split: &Split,
) -> Result<Option<Vec<f64>>, DataError> {
    let borders: Vec<usize> = split
        .parts
        .iter()
        .flat_map(|p| [p.train.end, p.validation.start, p.validation.end, p.test.start, p.test.end])
        .collect();
    fill::fill(panel, config.fill, &borders);
    fill::transform(panel, config.transform)
}

impl Prepared {
    /// The fitted scaler.
    pub fn scaler(&self) -> &Scaler {
        &self.pipeline.scaler
    }

    /// Brings forecasts back to original units, in place: unscaled, then the transform undone, each path
    /// from the last value before it. NaN for a target of a series that has no value in the training rows.
    ///
    /// `origin` is the row of the buffer that the first step forecasts ([`crate::Windows::origin`]).
    ///
    /// # Shapes
    /// `values`: `[.., H, targets]`, any number of paths.
    ///
    /// # Errors
    /// [`DataError::Length`], [`DataError::OutOfRange`], [`DataError::NoLevel`].
    pub fn to_original(
        &self,
        origin: usize,
        horizon: usize,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        self.inverse.in_place(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// As [`Prepared::to_original`], in double precision: a difference of 3 added to a level of 1e8 is not lost.
    ///
    /// # Errors
    /// As [`Prepared::to_original`].
    pub fn original(
        &self,
        origin: usize,
        horizon: usize,
        values: &[f32],
    ) -> Result<Vec<f64>, DataError> {
        self.inverse.apply(&self.panel, &self.pipeline.scaler, origin, horizon, values)
    }

    /// The observed targets of `rows` in original units, `[rows, targets]`; NaN where not observed.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if a row does not exist.
    pub fn original_targets(&self, rows: std::ops::Range<usize>) -> Result<Vec<f32>, DataError> {
        let targets = self.panel.channels.targets;
        let mut out = Vec::with_capacity(rows.len() * targets);
        for row in rows {
            let values = self.panel.row(row)?;
            let series = self.panel.series_of(row).unwrap_or(0);
            for (channel, &value) in values.iter().enumerate().take(targets) {
                let original = match &self.inverse.levels {
                    Some(_) if self.pipeline.scaler.is_unseen(series, channel) => f32::NAN,
                    Some(levels) => levels[row * targets + channel] as f32,
                    None if !self.panel.is_observed(row, channel) => f32::NAN,
                    None => {
                        let mut value = [value];
                        self.pipeline.scaler.unscale(
                            self.inverse.index[series],
                            channel,
                            &mut value,
                        )?;
                        fill::invert(self.inverse.transform, 0.0)(value[0].into()) as f32
                    }
                };
                out.push(original);
            }
        }
        Ok(out)
    }
}

impl Inverse {
    pub(crate) fn in_place(
        &self,
        panel: &Panel,
        scaler: &Scaler,
        origin: usize,
        horizon: usize,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        let original = self.apply(panel, scaler, origin, horizon, values)?;
        values.iter_mut().zip(original).for_each(|(value, original)| *value = original as f32);
        Ok(())
    }

    pub(crate) fn apply(
        &self,
        panel: &Panel,
        scaler: &Scaler,
        origin: usize,
        horizon: usize,
        values: &[f32],
    ) -> Result<Vec<f64>, DataError> {
        let targets = panel.channels.targets;
        if horizon == 0 || !values.len().is_multiple_of(horizon * targets) {
            let expected = format!("a multiple of horizon × targets = {horizon} × {targets}");
            return Err(DataError::Length { what: "forecast", found: values.len(), expected });
        }
        let out = || DataError::OutOfRange { what: "row", index: origin, count: panel.rows() };
        let series = panel.series_of(origin.saturating_sub(1)).ok_or_else(out)?;
        let mut original = vec![0.0; values.len()];
        for channel in 0..targets {
            let own = self.index[series];
            if scaler.is_unseen(own, channel) {
                original.iter_mut().skip(channel).step_by(targets).for_each(|v| *v = f64::NAN);
                continue;
            }
            let affine = scaler.affine(own, channel)?;
            let level = self.level(panel, series, origin, channel)?;
            for path in 0..values.len() / (horizon * targets) {
                let mut undo = fill::invert(self.transform, level);
                for at in (0..horizon).map(|h| (path * horizon + h) * targets + channel) {
                    let unscaled = (f64::from(values[at]) * affine.spread + affine.center) as f32;
                    original[at] = undo(unscaled.into());
                }
            }
        }
        Ok(original)
    }

    /// The last value of a target before `origin`, for transforms that start from one.
    fn level(
        &self,
        panel: &Panel,
        series: usize,
        origin: usize,
        channel: usize,
    ) -> Result<f64, DataError> {
        let Some(levels) = &self.levels else { return Ok(0.0) };
        let (targets, rows) = (panel.channels.targets, panel.series[series].rows.clone());
        let mut before = (rows.start..origin).rev().map(|row| levels[row * targets + channel]);
        before.find(|v| !v.is_nan()).ok_or_else(|| DataError::NoLevel {
            series: panel.series[series].name.clone(),
            header: panel.channels.names[channel].clone(),
            row: origin - rows.start + 1,
        })
    }
}
