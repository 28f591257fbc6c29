//! Rows on the device, windows gathered from them by index.

use tch::{Device, Kind, Tensor};
use vae::Shape;

use crate::error::TrainError;

/// The widths of a window's columns, in the order in which they lie in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// `L`: rows a forecast sees.
    pub context: i64,
    /// `H`: rows it forecasts.
    pub horizon: i64,
    /// `C`: channels that are forecast; the first columns.
    pub targets: i64,
    /// Columns known up to the present only, after the targets.
    pub past: i64,
    /// `F`: columns known for the horizon too; the last columns.
    pub future: i64,
}

/// All rows of a panel on one device, in standardized units.
///
/// They lie column by column, and so do the windows gathered from them: networks read channels one by
/// one, and statistics of a window are sums over neighbors in memory.
#[derive(Debug)]
pub struct Rows {
    /// `[W, R]`.
    values: Tensor,
    /// `[W, R]`, 1 where a value was observed; absent where nothing is missing.
    observed: Option<Tensor>,
    statics: Option<Statics>,
    columns: Columns,
    filled: bool,
}

/// What is known of each series as a whole.
#[derive(Debug)]
pub struct Statics {
    /// One past the last row of each series, `[K]`.
    ends: Tensor,
    /// `[K, S]`.
    values: Tensor,
}

impl Statics {
    /// From the ends of the series and their values, row-major.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if the device has no room.
    pub fn new(ends: &[i64], values: &[f32], device: Device) -> Result<Statics, TrainError> {
        let series = ends.len() as i64;
        Ok(Statics {
            ends: Tensor::f_from_slice(ends)?.f_to(device)?,
            values: Tensor::f_from_slice(values)?.f_view([series, -1])?.f_to(device)?,
        })
    }

    /// `[B, rows, S]`, the same at every step.
    fn gather(&self, starts: &Tensor, rows: i64) -> Result<Tensor, TrainError> {
        let series = starts.f_bucketize(&self.ends, false, true)?;
        let values = self.values.f_index_select(0, &series)?.f_unsqueeze(1)?;
        Ok(values.f_expand([-1, rows, -1], false)?)
    }
}

/// Some windows, `B` of them.
#[derive(Debug)]
pub struct Batch {
    /// `[B, L, C]`: what the targets were; zero, the training mean, where missing.
    pub context: Tensor,
    /// `[B, L, E]`: covariates, the mask of everything where something is missing, statics.
    pub extras: Option<Tensor>,
    /// `[B, H, F]`: covariates that are known for the horizon.
    pub future: Option<Tensor>,
    /// `[B, H, C]`: what is to be forecast; zero where missing.
    pub target: Tensor,
    /// `[B, L, C]`, 1 where observed.
    pub context_observed: Option<Tensor>,
    /// `[B, H, C]`, 1 where observed.
    pub target_observed: Option<Tensor>,
}

impl Rows {
    /// Moves rows to the device. `values` is row-major, `observed` of the same length; a value that
    /// was not observed may be NaN.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if the device has no room.
    pub fn new(
        values: &[f32],
        observed: Option<&[bool]>,
        columns: Columns,
        device: Device,
    ) -> Result<Rows, TrainError> {
        let width = columns.targets + columns.past + columns.future;
        let columnwise = |rows: Tensor| -> Result<Tensor, TrainError> {
            Ok(rows.f_view([-1, width])?.f_tr()?.f_contiguous()?.f_to(device)?)
        };
        let values = columnwise(Tensor::f_from_slice(values)?)?;
        let observed = observed
            .map(|mask| -> Result<Tensor, TrainError> {
                columnwise(Tensor::f_from_slice(mask)?.f_to_kind(Kind::Float)?)
            })
            .transpose()?;
        // A missing value may be stored as NaN; downstream it is zero under a mask of zero.
        let values = if observed.is_some() {
            values.f_nan_to_num(0.0, None::<f64>, None::<f64>)?
        } else {
            values
        };
        Ok(Rows { values, observed, statics: None, columns, filled: false })
    }

    /// The same with what is known of each series.
    pub fn with_statics(self, statics: Statics) -> Rows {
        Rows { statics: Some(statics), ..self }
    }

    /// The same without telling the model what is missing: for rows without gaps in their contexts.
    pub fn without_masks(self) -> Rows {
        Rows { observed: None, ..self }
    }

    /// The same with gaps that were filled in the values: they count as seen in the context, and as
    /// missing where they are to be forecast.
    pub fn with_filled_gaps(self) -> Rows {
        Rows { filled: true, ..self }
    }

    /// How many windows to score at once: their samples are to take a bounded share of memory.
    pub fn scored_at_once(&self, samples: i64) -> i64 {
        const NUMBERS: i64 = 8 << 20;
        let Columns { horizon, targets, .. } = self.columns;
        (NUMBERS / (samples * horizon * targets).max(1)).clamp(1, 128)
    }

    /// At most so many windows to fit a baseline on: enough for a linear map, bounded in memory.
    pub fn fitted_at_most(&self) -> i64 {
        const NUMBERS: i64 = 32 << 20;
        let Columns { context, horizon, targets, .. } = self.columns;
        (NUMBERS / ((context + horizon) * targets).max(1)).clamp(200, 20_000)
    }

    /// Every horizon of rows as a view, `[R − H + 1, H, C]`: zero where missing.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if there are fewer rows than a horizon.
    pub fn target_blocks(&self) -> Result<Tensor, TrainError> {
        let Columns { horizon, targets, .. } = self.columns;
        let (_, count) = self.values.size2()?;
        let size = [count - horizon + 1, horizon, targets];
        Ok(self.values.f_as_strided(size, [1, 1, count], 0)?)
    }

    /// Whether the model is told what is missing.
    pub fn masked(&self) -> bool {
        self.observed.is_some() && !self.filled
    }

    /// The device the rows lie on.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// What a model for these rows has to fit.
    pub fn shape(&self) -> Shape {
        let Columns { context, horizon, targets, past, future } = self.columns;
        let masks = if self.masked() { targets + past + future } else { 0 };
        let statics = self.statics.as_ref().map_or(0, |statics| statics.values.size()[1]);
        let extras = past + future + masks + statics;
        Shape { context, horizon, channels: targets, extras, future }
    }

    /// The windows whose contexts start at rows `starts`, `[B]`, i64.
    ///
    /// One overlapping view and one gather per buffer; never waits for the device.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if a window leaves the buffer (checked on the CPU only).
    pub fn gather(&self, starts: &Tensor) -> Result<Batch, TrainError> {
        let Columns { context: length, horizon, targets, past, future } = self.columns;
        let covariates = past + future;
        let window = windows(&self.values, length + horizon, starts)?;
        let mask = match &self.observed {
            Some(observed) => Some(windows(observed, length + horizon, starts)?),
            None => None,
        };
        let before = window.f_narrow(1, 0, length)?;
        let after = window.f_narrow(1, length, horizon)?;
        let part = |of: &Option<Tensor>, from, count| -> Result<Option<Tensor>, TrainError> {
            Ok(match of {
                Some(mask) => Some(mask.f_narrow(1, from, count)?.f_narrow(2, 0, targets)?),
                None => None,
            })
        };
        let mut extras = Vec::new();
        if covariates > 0 {
            extras.push(before.f_narrow(2, targets, covariates)?);
        }
        if let Some(mask) = mask.as_ref().filter(|_| self.masked()) {
            extras.push(mask.f_narrow(1, 0, length)?);
        }
        if let Some(statics) = &self.statics {
            extras.push(statics.gather(starts, length)?);
        }
        Ok(Batch {
            context: before.f_narrow(2, 0, targets)?,
            extras: if extras.is_empty() { None } else { Some(Tensor::f_cat(&extras, 2)?) },
            future: match future {
                0 => None,
                _ => Some(after.f_narrow(2, targets + past, future)?),
            },
            target: after.f_narrow(2, 0, targets)?,
            context_observed: if self.masked() { part(&mask, 0, length)? } else { None },
            target_observed: part(&mask, length, horizon)?,
        })
    }
}

/// Where the windows of one part of the data start, as arithmetic and not as a list.
///
/// Window `i` of the segment that holds it starts at row `first + stride · (i − before)`.
#[derive(Debug)]
pub struct Starts {
    count: i64,
    /// Windows up to and including each segment, `[K]`.
    cumulative: Tensor,
    /// `first − stride · before` of each segment, `[K]`.
    shift: Tensor,
    /// `[K]`.
    stride: Tensor,
}

impl Starts {
    /// From segments `(first row, windows, stride)`.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if the device has no room.
    pub fn new(
        segments: impl IntoIterator<Item = (i64, i64, i64)>,
        device: Device,
    ) -> Result<Starts, TrainError> {
        let (mut cumulative, mut shift, mut strides) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for (first, windows, stride) in segments {
            shift.push(first - stride * count);
            strides.push(stride);
            count += windows;
            cumulative.push(count);
        }
        let on_device = |values: &[i64]| -> Result<Tensor, TrainError> {
            Ok(Tensor::f_from_slice(values)?.f_to(device)?)
        };
        Ok(Starts {
            count,
            cumulative: on_device(&cumulative)?,
            shift: on_device(&shift)?,
            stride: on_device(&strides)?,
        })
    }

    /// The device they are computed on.
    pub fn device(&self) -> Device {
        self.stride.device()
    }

    /// How many windows there are.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// The start rows of windows `indices`, `[B]` i64 on the device; never waits for it.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn rows(&self, indices: &Tensor) -> Result<Tensor, TrainError> {
        if self.cumulative.numel() == 1 {
            return Ok(indices * &self.stride + &self.shift);
        }
        let segment = indices.f_bucketize(&self.cumulative, false, true)?;
        Ok(indices * self.stride.f_index_select(0, &segment)?
            + self.shift.f_index_select(0, &segment)?)
    }

    /// The indices `0, …, count − 1`, thinned to at most `most` evenly spaced ones.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn evenly(&self, most: i64) -> Result<Tensor, TrainError> {
        let on = (Kind::Int64, self.stride.device());
        if self.count <= most {
            return Ok(Tensor::f_arange(self.count, on)?);
        }
        // Integer arithmetic: floor(k · count / most) is exact and strictly increasing.
        Ok((Tensor::f_arange(most, on)? * self.count).f_floor_divide_scalar(most)?)
    }
}

impl Batch {
    /// The context with its gaps filled by the last value before them (by zero, the training mean,
    /// at the start): what a forecaster without a mask is given.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn filled_context(&self) -> Result<Tensor, TrainError> {
        let Some(observed) = &self.context_observed else {
            return Ok(self.context.shallow_clone());
        };
        let length = self.context.size()[1];
        let on = (Kind::Int64, self.context.device());
        let step = Tensor::f_arange(length, on)?.f_view([1, length, 1])?;
        // The index of the last observed step so far; 0 where there is none yet, and the value
        // there is the masked zero.
        let seen = observed.f_to_kind(Kind::Int64)?.f_mul(&step)?;
        let last = seen.f_cummax(1)?.0;
        Ok(self.context.f_gather(1, &last, false)?)
    }
}

/// `[W, R]` → `[B, rows, W]`, one window from each start; in memory `[B, W, rows]`.
fn windows(values: &Tensor, rows: i64, starts: &Tensor) -> Result<Tensor, TrainError> {
    let (width, count) = values.size2()?;
    let all = values.f_as_strided([count - rows + 1, width, rows], [1, count, 1], 0)?;
    Ok(all.f_index_select(0, starts)?.f_transpose(1, 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns { context: 3, horizon: 2, targets: 2, past: 1, future: 1 }
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.contiguous().view([-1])).unwrap()
    }

    /// Oracle: row `r` holds `10 r + column`, so every gathered number says where it came from.
    #[test]
    fn windows_are_the_rows_they_claim() {
        let values: Vec<f32> =
            (0..8).flat_map(|row| (0..4).map(move |column| (10 * row + column) as f32)).collect();
        let rows = Rows::new(&values, None, columns(), Device::Cpu).unwrap();
        let batch = rows.gather(&Tensor::from_slice(&[1_i64, 3])).unwrap();
        assert_eq!(
            numbers(&batch.context),
            [10., 11., 20., 21., 30., 31., 30., 31., 40., 41., 50., 51.]
        );
        assert_eq!(numbers(&batch.target), [40., 41., 50., 51., 60., 61., 70., 71.]);
        assert_eq!(numbers(&batch.future.unwrap()), [43., 53., 63., 73.]);
        let extras = batch.extras.unwrap();
        assert_eq!(extras.size(), [2, 3, 2]);
        assert_eq!(numbers(&extras.get(0)), [12., 13., 22., 23., 32., 33.]);
        assert!(rows.gather(&Tensor::from_slice(&[4_i64])).is_err(), "row 8 is not there");
    }

    /// Oracle: the same numbers; every block of two rows, its targets alone.
    #[test]
    fn target_blocks_are_the_rows_they_claim() {
        let values: Vec<f32> =
            (0..8).flat_map(|row| (0..4).map(move |column| (10 * row + column) as f32)).collect();
        let rows = Rows::new(&values, None, columns(), Device::Cpu).unwrap();
        let blocks = rows.target_blocks().unwrap();
        assert_eq!(blocks.size(), [7, 2, 2]);
        assert_eq!(numbers(&blocks.get(0)), [0., 1., 10., 11.]);
        assert_eq!(numbers(&blocks.get(6)), [60., 61., 70., 71.]);
    }

    /// Oracle: two series of four rows; a window of the second carries the second's statics.
    #[test]
    fn statics_follow_their_series() {
        let statics = Statics::new(&[4, 8], &[1., 2., 3., 4.], Device::Cpu).unwrap();
        let rows = Rows::new(&[0.0; 32], None, columns(), Device::Cpu).unwrap();
        let rows = rows.with_statics(statics);
        assert_eq!(rows.shape().extras, 2 + 2);
        let extras = rows.gather(&Tensor::from_slice(&[0_i64, 3])).unwrap().extras.unwrap();
        assert_eq!(numbers(&extras.narrow(2, 2, 2).get(0)), [1., 2., 1., 2., 1., 2.]);
        let second = Statics::new(&[4, 8], &[1., 2., 3., 4.], Device::Cpu).unwrap();
        let of_five = second.gather(&Tensor::from_slice(&[4_i64]), 1).unwrap();
        assert_eq!(numbers(&of_five), [3., 4.]);
    }

    /// Oracle: the list of starts written out by hand.
    #[test]
    fn starts_walk_through_segments() {
        let starts = Starts::new([(0, 3, 1), (10, 0, 1), (20, 2, 5)], Device::Cpu).unwrap();
        assert_eq!(starts.count(), 5);
        let rows = starts.rows(&starts.evenly(100).unwrap()).unwrap();
        assert_eq!(Vec::<i64>::try_from(rows).unwrap(), [0, 1, 2, 20, 25]);
        let single = Starts::new([(7, 4, 3)], Device::Cpu).unwrap();
        let rows = single.rows(&Tensor::from_slice(&[3_i64, 0])).unwrap();
        assert_eq!(Vec::<i64>::try_from(rows).unwrap(), [16, 7]);
        let thinned = Starts::new([(0, 10, 1)], Device::Cpu).unwrap().evenly(4).unwrap();
        assert_eq!(Vec::<i64>::try_from(thinned).unwrap(), [0, 2, 5, 7]);
    }

    #[test]
    fn missing_values_are_masked_zeros() {
        let mut values = vec![1.0_f32; 8 * 4];
        let mut observed = vec![true; 8 * 4];
        values[2 * 4] = f32::NAN; // row 2, target 0
        observed[2 * 4] = false;
        let rows = Rows::new(&values, Some(&observed), columns(), Device::Cpu).unwrap();
        assert_eq!(rows.shape().extras, 2 + 4);
        let batch = rows.gather(&Tensor::from_slice(&[0_i64])).unwrap();
        assert_eq!(numbers(&batch.context), [1., 1., 1., 1., 0., 1.]);
        assert_eq!(numbers(&batch.filled_context().unwrap()), [1.0; 6]);
        assert_eq!(numbers(&batch.context_observed.unwrap()), [1., 1., 1., 1., 0., 1.]);
        assert_eq!(batch.extras.unwrap().size(), [1, 3, 6]);
        assert_eq!(numbers(&batch.target_observed.unwrap()), [1.0; 4]);
    }
}
