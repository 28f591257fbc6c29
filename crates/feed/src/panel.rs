//! A panel on the device, and batches gathered from it by index.

use data::{DataConfig, Fill, Panel};
use tch::{Device, Kind, Tensor};

use crate::error::FeedError;

/// The shape of a window: its lengths, and the numbers of its columns in the order of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// `L`: rows of the context.
    pub context: i64,
    /// `H`: rows of the target.
    pub horizon: i64,
    /// `C`: channels to forecast; the first columns.
    pub targets: i64,
    /// Columns known only up to the origin; they follow the targets.
    pub past: i64,
    /// `F`: columns that are also known over the horizon; the last columns.
    pub future: i64,
}

/// All rows of a [`Panel`] on one device, in standardized units.
///
/// Rows are stored column by column, and so are the windows gathered from them: networks read channels one by one, and
/// statistics of a window are sums over neighbors in memory.
#[derive(Debug)]
pub struct DevicePanel {
    /// `[W, R]`.
    values: Tensor,
    /// `[W, R]`, 1 where a value was observed; absent if nothing is missing.
    observed: Option<Tensor>,
    per_series: Option<PerSeries>,
    /// `[R, S]`.
    seasonal: Option<Tensor>,
    columns: Columns,
    filled: bool,
}

/// Values of each series that do not change with time.
#[derive(Debug)]
struct PerSeries {
    /// One past the last row of each series, `[K]`.
    ends: Tensor,
    /// `[K, S]`.
    values: Tensor,
}

impl PerSeries {
    /// The values of the series of each window, repeated over its rows: `[B, rows, S]`.
    fn gather(&self, first_rows: &Tensor, rows: i64) -> Result<Tensor, FeedError> {
        let series = first_rows.f_bucketize(&self.ends, false, true)?;
        let values = self.values.f_index_select(0, &series)?.f_unsqueeze(1)?;
        Ok(values.f_expand([-1, rows, -1], false)?)
    }
}

/// A batch of `B` windows.
#[derive(Debug)]
pub struct Batch {
    /// The first row of each context, `[B]`, i64.
    pub first_rows: Tensor,
    /// `[B, L, C]`: past values of the targets; zero, the training mean, where missing.
    pub context: Tensor,
    /// `[B, L, E]`: covariates, the mask of all columns if values are missing, and values per series.
    pub extras: Option<Tensor>,
    /// `[B, H, F]`: covariates that are known over the horizon.
    pub future: Option<Tensor>,
    /// `[B, S]`: Fourier terms of the calendar at the first row of the horizon.
    pub seasonal: Option<Tensor>,
    /// `[B, H, C]`: the values to forecast; zero where missing.
    pub target: Tensor,
    /// `[B, L, C]`, 1 where observed.
    pub context_observed: Option<Tensor>,
    /// `[B, H, C]`, 1 where observed.
    pub target_observed: Option<Tensor>,
}

impl Batch {
    /// Number of windows, `B`.
    pub fn windows(&self) -> i64 {
        self.first_rows.size()[0]
    }

    /// `count` of the windows, from `first` on.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if there are fewer.
    pub fn part(&self, first: i64, count: i64) -> Result<Batch, FeedError> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, first, count);
        let maybe = |tensor: &Option<Tensor>| tensor.as_ref().map(part).transpose();
        Ok(Batch {
            first_rows: part(&self.first_rows)?,
            context: part(&self.context)?,
            extras: maybe(&self.extras)?,
            future: maybe(&self.future)?,
            seasonal: maybe(&self.seasonal)?,
            target: part(&self.target)?,
            context_observed: maybe(&self.context_observed)?,
            target_observed: maybe(&self.target_observed)?,
        })
    }
}

impl DevicePanel {
    /// Moves rows to the device. `values` and `observed` are row-major and of one length; a value that was not observed
    /// may be NaN.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn new(
        values: &[f32],
        observed: Option<&[bool]>,
        columns: Columns,
        device: Device,
    ) -> Result<DevicePanel, FeedError> {
        let width = columns.targets + columns.past + columns.future;
        let columnwise = |rows: Tensor| -> Result<Tensor, FeedError> {
            Ok(rows.f_view([-1, width])?.f_tr()?.f_contiguous()?.f_to(device)?)
        };
        let values = columnwise(Tensor::f_from_slice(values)?)?;
        let observed = observed
            .map(|mask| -> Result<Tensor, FeedError> {
                columnwise(Tensor::f_from_slice(mask)?.f_to_kind(Kind::Float)?)
            })
            .transpose()?;
        // A missing value may arrive as NaN; from here on it is a zero whose mask is zero.
        let values = if observed.is_some() {
            values.f_nan_to_num(0.0, None::<f64>, None::<f64>)?
        } else {
            values
        };
        Ok(DevicePanel {
            values,
            observed,
            per_series: None,
            seasonal: None,
            columns,
            filled: false,
        })
    }

    /// Moves `panel` to the device, with the window lengths and the treatment of gaps of `config`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn of(
        panel: &Panel,
        config: &DataConfig,
        device: Device,
    ) -> Result<DevicePanel, FeedError> {
        let channels = panel.channels();
        let columns = Columns {
            context: config.context as i64,
            horizon: config.horizon as i64,
            targets: channels.targets().len() as i64,
            past: channels.past_covariates().len() as i64,
            future: channels.known_ahead().len() as i64,
        };
        let rows = DevicePanel::new(panel.values(), panel.observed(), columns, device)?;
        let rows = match config.fill {
            Fill::Forward | Fill::Interpolate => rows.with_filled_gaps(),
            _ => rows,
        };
        let rows = match config.seasonal.as_slice() {
            [] => rows,
            features => rows.with_seasonal(&panel.fourier_terms(features)?)?,
        };
        let statics = panel.statics();
        if statics.names().is_empty() {
            return Ok(rows);
        }
        let ends: Vec<i64> = panel.series().iter().map(|series| series.rows().end as i64).collect();
        rows.with_values_per_series(&ends, statics.values())
    }

    /// Adds values of each series that do not change with time, row-major `[K, S]`; `ends` is one past the last row of
    /// each series, `[K]`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn with_values_per_series(
        self,
        ends: &[i64],
        values: &[f32],
    ) -> Result<DevicePanel, FeedError> {
        let (series, device) = (ends.len() as i64, self.device());
        let per_series = PerSeries {
            ends: Tensor::f_from_slice(ends)?.f_to(device)?,
            values: Tensor::f_from_slice(values)?.f_view([series, -1])?.f_to(device)?,
        };
        Ok(DevicePanel { per_series: Some(per_series), ..self })
    }

    /// Adds Fourier terms of the calendar to every row, row-major `[R, S]`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room, or the rows are others.
    pub fn with_seasonal(self, terms: &[f32]) -> Result<DevicePanel, FeedError> {
        let (_, rows) = self.values.size2()?;
        let terms = Tensor::f_from_slice(terms)?.f_view([rows, -1])?.f_to(self.device())?;
        Ok(DevicePanel { seasonal: Some(terms), ..self })
    }

    /// Takes the mask away from the model, for rows whose contexts have no gaps.
    pub fn without_masks(self) -> DevicePanel {
        DevicePanel { observed: None, ..self }
    }

    /// Makes every cell of the columns with `false` a missing one.
    ///
    /// # Shapes
    /// `columns`: `[C + P + F]`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if there are other columns, or the device has no room.
    pub fn with_columns(self, columns: &[bool]) -> Result<DevicePanel, FeedError> {
        let kept: Vec<f32> = columns.iter().map(|&kept| f32::from(u8::from(kept))).collect();
        let kept = Tensor::f_from_slice(&kept)?.f_view([-1, 1])?.f_to(self.device())?;
        let hide = |cells: &Tensor| cells.f_mul(&kept);
        let (values, observed) = (hide(&self.values)?, self.observed.as_ref().map(hide));
        Ok(DevicePanel { values, observed: observed.transpose()?, ..self })
    }

    /// Declares that gaps were filled in the values: filled values count as observed in the context and as missing in
    /// the target.
    pub fn with_filled_gaps(self) -> DevicePanel {
        DevicePanel { filled: true, ..self }
    }

    /// The number of windows to score at once, which bounds the memory of their samples.
    pub fn scored_at_once(&self, samples: i64) -> i64 {
        const NUMBERS: i64 = 8 << 20;
        let Columns { horizon, targets, .. } = self.columns;
        (NUMBERS / (samples * horizon * targets).max(1)).clamp(1, 128)
    }

    /// Maximum number of windows to fit a baseline on: enough for a linear map, and bounded in memory.
    pub fn fitted_at_most(&self) -> i64 {
        const NUMBERS: i64 = 32 << 20;
        let Columns { context, horizon, targets, .. } = self.columns;
        (NUMBERS / ((context + horizon) * targets).max(1)).clamp(200, 20_000)
    }

    /// The targets of every block of `H` consecutive rows, `[R − H + 1, H, C]`, as a view; zero where missing.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if there are fewer rows than a horizon.
    pub fn target_blocks(&self) -> Result<Tensor, FeedError> {
        let Columns { horizon, targets, .. } = self.columns;
        let (_, count) = self.values.size2()?;
        let size = [count - horizon + 1, horizon, targets];
        Ok(self.values.f_as_strided(size, [1, 1, count], 0)?)
    }

    /// Whether the model sees a mask of the observed values.
    pub fn masked(&self) -> bool {
        self.observed.is_some() && !self.filled
    }

    /// All rows in standardized units, `[W, R]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The device that holds the rows.
    pub fn device(&self) -> Device {
        self.values.device()
    }

    /// The shape of a window.
    pub fn columns(&self) -> Columns {
        self.columns
    }

    /// `E`: the number of columns of [`Batch::extras`].
    pub fn extras(&self) -> i64 {
        let Columns { targets, past, future, .. } = self.columns;
        let masks = if self.masked() { targets + past + future } else { 0 };
        let per_series = self.per_series.as_ref().map_or(0, |series| series.values.size()[1]);
        past + future + masks + per_series
    }

    /// `S`: the number of columns of [`Batch::seasonal`].
    pub fn seasonal(&self) -> i64 {
        self.seasonal.as_ref().map_or(0, |terms| terms.size()[1])
    }

    /// The windows whose contexts start at rows `first_rows`, `[B]`, i64.
    ///
    /// It takes one overlapping view and one gather per buffer, and never waits for the device.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if a window reaches beyond the rows (checked on the CPU only).
    pub fn gather(&self, first_rows: &Tensor) -> Result<Batch, FeedError> {
        let Columns { context: length, horizon, targets, past, future } = self.columns;
        let covariates = past + future;
        let window = windows(&self.values, length + horizon, first_rows)?;
        let mask = match &self.observed {
            Some(observed) => Some(windows(observed, length + horizon, first_rows)?),
            None => None,
        };
        let before = window.f_narrow(1, 0, length)?;
        let after = window.f_narrow(1, length, horizon)?;
        let part = |of: &Option<Tensor>, from, count| -> Result<Option<Tensor>, FeedError> {
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
        if let Some(series) = &self.per_series {
            extras.push(series.gather(first_rows, length)?);
        }
        Ok(Batch {
            first_rows: first_rows.shallow_clone(),
            context: before.f_narrow(2, 0, targets)?,
            extras: if extras.is_empty() { None } else { Some(Tensor::f_cat(&extras, 2)?) },
            future: match future {
                0 => None,
                _ => Some(after.f_narrow(2, targets + past, future)?),
            },
            seasonal: match &self.seasonal {
                Some(terms) => Some(terms.f_index_select(0, &first_rows.f_add_scalar(length)?)?),
                None => None,
            },
            target: after.f_narrow(2, 0, targets)?,
            context_observed: if self.masked() { part(&mask, 0, length)? } else { None },
            target_observed: part(&mask, length, horizon)?,
        })
    }
}

impl Batch {
    /// The context with each gap filled by the last value before it, or by zero, the training mean, at the start, for
    /// forecasters without a mask.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn filled_context(&self) -> Result<Tensor, FeedError> {
        let Some(observed) = &self.context_observed else {
            return Ok(self.context.shallow_clone());
        };
        let length = self.context.size()[1];
        let on = (Kind::Int64, self.context.device());
        let step = Tensor::f_arange(length, on)?.f_view([1, length, 1])?;
        // The index of the last step observed so far. It is 0 where there is none yet, and the value there is the zero
        // of a missing one.
        let seen = observed.f_to_kind(Kind::Int64)?.f_mul(&step)?;
        let last = seen.f_cummax(1)?.0;
        Ok(self.context.f_gather(1, &last, false)?)
    }
}

/// Cuts one window per first row, `[W, R]` → `[B, rows, W]`; its layout in memory is `[B, W, rows]`.
fn windows(values: &Tensor, rows: i64, first_rows: &Tensor) -> Result<Tensor, FeedError> {
    let (width, count) = values.size2()?;
    let all = values.f_as_strided([count - rows + 1, width, rows], [1, count, 1], 0)?;
    Ok(all.f_index_select(0, first_rows)?.f_transpose(1, 2)?)
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

    #[test]
    fn seasonal_terms_are_those_of_the_first_row_of_the_horizon() {
        let panel = DevicePanel::new(&[0.0; 32], None, columns(), Device::Cpu).unwrap();
        let terms: Vec<f32> = (0..8).flat_map(|row| [row as f32, -(row as f32)]).collect();
        let panel = panel.with_seasonal(&terms).unwrap();
        assert_eq!(panel.seasonal(), 2);
        let batch = panel.gather(&Tensor::from_slice(&[1_i64, 3])).unwrap();
        assert_eq!(numbers(&batch.seasonal.unwrap()), [4., -4., 6., -6.]);
    }

    /// Oracle: row `r` holds `10 r + column`, so that every gathered number tells its origin.
    #[test]
    fn windows_are_the_rows_they_claim() {
        let values: Vec<f32> =
            (0..8).flat_map(|row| (0..4).map(move |column| (10 * row + column) as f32)).collect();
        let panel = DevicePanel::new(&values, None, columns(), Device::Cpu).unwrap();
        let batch = panel.gather(&Tensor::from_slice(&[1_i64, 3])).unwrap();
        assert_eq!(
            numbers(&batch.context),
            [10., 11., 20., 21., 30., 31., 30., 31., 40., 41., 50., 51.]
        );
        assert_eq!(numbers(&batch.target), [40., 41., 50., 51., 60., 61., 70., 71.]);
        assert_eq!(numbers(&batch.future.unwrap()), [43., 53., 63., 73.]);
        let extras = batch.extras.unwrap();
        assert_eq!(extras.size(), [2, 3, 2]);
        assert_eq!(numbers(&extras.get(0)), [12., 13., 22., 23., 32., 33.]);
        assert!(panel.gather(&Tensor::from_slice(&[4_i64])).is_err(), "there is no row 8");
    }

    /// Oracle: the same numbers; the targets of every block of two rows.
    #[test]
    fn target_blocks_are_the_rows_they_claim() {
        let values: Vec<f32> =
            (0..8).flat_map(|row| (0..4).map(move |column| (10 * row + column) as f32)).collect();
        let panel = DevicePanel::new(&values, None, columns(), Device::Cpu).unwrap();
        let blocks = panel.target_blocks().unwrap();
        assert_eq!(blocks.size(), [7, 2, 2]);
        assert_eq!(numbers(&blocks.get(0)), [0., 1., 10., 11.]);
        assert_eq!(numbers(&blocks.get(6)), [60., 61., 70., 71.]);
    }

    /// Oracle: two series of four rows; a window of the second one has the values of the second one.
    #[test]
    fn values_per_series_follow_their_series() {
        let panel = DevicePanel::new(&[0.0; 32], None, columns(), Device::Cpu).unwrap();
        let panel = panel.with_values_per_series(&[4, 8], &[1., 2., 3., 4.]).unwrap();
        assert_eq!(panel.extras(), 2 + 2);
        let extras = panel.gather(&Tensor::from_slice(&[0_i64, 3])).unwrap().extras.unwrap();
        assert_eq!(numbers(&extras.narrow(2, 2, 2).get(0)), [1., 2., 1., 2., 1., 2.]);
        let of_five = panel.per_series.unwrap().gather(&Tensor::from_slice(&[4_i64]), 1).unwrap();
        assert_eq!(numbers(&of_five), [3., 4.]);
    }

    /// Oracle: the same numbers without those of one column.
    #[test]
    fn hidden_columns_are_missing() {
        let panel = DevicePanel::new(&[5.0; 8 * 4], Some(&[true; 8 * 4]), columns(), Device::Cpu);
        let panel = panel.unwrap().with_columns(&[true, false, true, true]).unwrap();
        let batch = panel.gather(&Tensor::from_slice(&[0_i64])).unwrap();
        assert_eq!(numbers(&batch.context), [5., 0., 5., 0., 5., 0.]);
        assert_eq!(numbers(&batch.context_observed.unwrap()), [1., 0., 1., 0., 1., 0.]);
    }

    #[test]
    fn missing_values_are_masked_zeros() {
        let mut values = vec![1.0_f32; 8 * 4];
        let mut observed = vec![true; 8 * 4];
        values[2 * 4] = f32::NAN; // row 2, target 0
        observed[2 * 4] = false;
        let panel = DevicePanel::new(&values, Some(&observed), columns(), Device::Cpu).unwrap();
        assert_eq!(panel.extras(), 2 + 4);
        let batch = panel.gather(&Tensor::from_slice(&[0_i64])).unwrap();
        assert_eq!(numbers(&batch.context), [1., 1., 1., 1., 0., 1.]);
        assert_eq!(numbers(&batch.filled_context().unwrap()), [1.0; 6]);
        assert_eq!(numbers(&batch.context_observed.unwrap()), [1., 1., 1., 1., 0., 1.]);
        assert_eq!(batch.extras.unwrap().size(), [1, 3, 6]);
        assert_eq!(numbers(&batch.target_observed.unwrap()), [1.0; 4]);
    }
}
