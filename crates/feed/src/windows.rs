//! Windows of one part of the data as arithmetic on row numbers.

use tch::{Device, Kind, Tensor};

use crate::error::FeedError;
use crate::panel::{Batch, DevicePanel};

/// The windows of one part of the data, which computes the first rows of their contexts instead of listing them.
///
/// Window `i` starts at row `first + stride · (i − before)`, where `first` is the first row of its segment and `before`
/// the number of windows in earlier segments.
#[derive(Debug)]
pub struct WindowSet {
    count: i64,
    /// Windows of the part; more than `count` if the set was thinned.
    all: i64,
    /// Rows between neighboring windows, before thinning.
    rows_between: usize,
    /// Number of windows up to and including each segment, `[K]`.
    cumulative: Tensor,
    /// `first − stride · before` of each segment, `[K]`.
    shift: Tensor,
    /// Stride of each segment, `[K]`.
    stride: Tensor,
}

impl WindowSet {
    /// A set from its segments `(first row, windows, stride)`.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if the device has no room.
    pub fn new(
        segments: impl IntoIterator<Item = (i64, i64, i64)>,
        device: Device,
    ) -> Result<WindowSet, FeedError> {
        let (mut cumulative, mut shift, mut strides) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for (first, windows, stride) in segments {
            shift.push(first - stride * count);
            strides.push(stride);
            count += windows;
            cumulative.push(count);
        }
        let on_device = |values: &[i64]| -> Result<Tensor, FeedError> {
            Ok(Tensor::f_from_slice(values)?.f_to(device)?)
        };
        Ok(WindowSet {
            count,
            all: count,
            rows_between: strides.first().map_or(1, |stride| *stride as usize),
            cumulative: on_device(&cumulative)?,
            shift: on_device(&shift)?,
            stride: on_device(&strides)?,
        })
    }

    /// A thinned set: at most `most` of the windows, evenly spaced.
    pub fn at_most(&self, most: i64) -> WindowSet {
        WindowSet {
            count: self.all.min(most),
            all: self.all,
            rows_between: self.rows_between,
            cumulative: self.cumulative.shallow_clone(),
            shift: self.shift.shallow_clone(),
            stride: self.stride.shallow_clone(),
        }
    }

    /// The device that first rows are computed on.
    pub fn device(&self) -> Device {
        self.stride.device()
    }

    /// The number of windows.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Rows between neighboring windows of a series, before thinning.
    pub fn stride(&self) -> usize {
        self.rows_between
    }

    /// The first row of each window, `[B]` i64 on the device; never waits for it.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn first_rows(&self) -> Result<Tensor, FeedError> {
        self.first_rows_of(&self.indices(0, self.count)?)
    }

    /// The first rows of windows `indices`, `[B]` i64 on the device; never waits for it.
    ///
    /// # Errors
    /// [`FeedError::Torch`] if libtorch fails.
    pub fn first_rows_of(&self, indices: &Tensor) -> Result<Tensor, FeedError> {
        // Integer arithmetic: ⌊i · all / count⌋ is exact and strictly increasing.
        let indices = match self.count == self.all {
            true => indices.shallow_clone(),
            false => (indices * self.all).f_floor_divide_scalar(self.count)?,
        };
        if self.cumulative.numel() == 0 {
            return Ok(indices);
        }
        if self.cumulative.numel() == 1 {
            return Ok(indices * &self.stride + &self.shift);
        }
        let segment = indices.f_bucketize(&self.cumulative, false, true)?;
        Ok(indices * self.stride.f_index_select(0, &segment)?
            + self.shift.f_index_select(0, &segment)?)
    }

    /// All windows in order, `size` at a time; the last batch may be smaller.
    ///
    /// # Errors
    /// Each item fails as [`DevicePanel::gather`] does.
    pub fn batches<'a>(
        &'a self,
        panel: &'a DevicePanel,
        size: i64,
    ) -> impl Iterator<Item = Result<Batch, FeedError>> + 'a {
        (0..self.batch_count(size)).map(move |index| self.batch(panel, size, index))
    }

    /// Number of [`WindowSet::batches`].
    pub fn batch_count(&self, size: i64) -> usize {
        (self.count.max(0) as usize).div_ceil(size as usize)
    }

    /// One of [`WindowSet::batches`].
    ///
    /// # Errors
    /// As [`DevicePanel::gather`].
    pub fn batch(&self, panel: &DevicePanel, size: i64, index: usize) -> Result<Batch, FeedError> {
        let from = index as i64 * size;
        let indices = self.indices(from, self.count.min(from + size))?;
        panel.gather(&self.first_rows_of(&indices)?)
    }

    fn indices(&self, from: i64, to: i64) -> Result<Tensor, FeedError> {
        Ok(Tensor::f_arange_start(from, to, (Kind::Int64, self.device()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::Columns;

    fn first_rows(windows: &WindowSet) -> Vec<i64> {
        Vec::try_from(windows.first_rows().unwrap()).unwrap()
    }

    /// Oracle: first rows written out by hand.
    #[test]
    fn windows_walk_through_segments() {
        let windows = WindowSet::new([(0, 3, 1), (10, 0, 1), (20, 2, 5)], Device::Cpu).unwrap();
        assert_eq!((windows.count(), windows.at_most(100).count()), (5, 5));
        assert_eq!(first_rows(&windows), [0, 1, 2, 20, 25]);
        let single = WindowSet::new([(7, 4, 3)], Device::Cpu).unwrap();
        let rows = single.first_rows_of(&Tensor::from_slice(&[3_i64, 0])).unwrap();
        assert_eq!(Vec::<i64>::try_from(rows).unwrap(), [16, 7]);
        let thinned = WindowSet::new([(0, 10, 1)], Device::Cpu).unwrap().at_most(4);
        assert_eq!(first_rows(&thinned), [0, 2, 5, 7]);
    }

    #[test]
    fn a_set_may_be_empty() {
        let none = WindowSet::new([], Device::Cpu).unwrap();
        assert_eq!((none.count(), none.stride(), none.at_most(3).count()), (0, 1, 0));
        assert!(first_rows(&none).is_empty());
        let columns = Columns { context: 1, horizon: 1, targets: 1, past: 0, future: 0 };
        let panel = DevicePanel::new(&[0.0; 4], None, columns, Device::Cpu).unwrap();
        assert_eq!(none.batches(&panel, 2).count(), 0);
        let nothing = panel.gather(&none.first_rows().unwrap()).unwrap();
        assert_eq!(nothing.target.size(), [0, 1, 1]);
    }

    /// Oracle: batches by hand; the first row of each window holds the number of the window.
    #[test]
    fn batches_are_all_windows_in_order() {
        let columns = Columns { context: 1, horizon: 1, targets: 1, past: 0, future: 0 };
        let values: Vec<f32> = (0..8_u8).map(f32::from).collect();
        let panel = DevicePanel::new(&values, None, columns, Device::Cpu).unwrap();
        let windows = WindowSet::new([(0, 7, 1)], Device::Cpu).unwrap();
        let found = |windows: WindowSet| -> Vec<Vec<f32>> {
            let batches = windows.batches(&panel, 3);
            batches.map(|batch| Vec::try_from(batch.unwrap().context.view([-1])).unwrap()).collect()
        };
        assert_eq!(found(windows.at_most(5)), [vec![0., 1., 2.], vec![4., 5.]]);
        assert_eq!(found(windows), [vec![0., 1., 2.], vec![3., 4., 5.], vec![6.]]);
    }
}
