//! Point forecasts of a window.

use std::fmt::Debug;

use feed::Batch;
use tch::Tensor;

use crate::error::Result;

/// A fitted point forecaster.
pub(crate) trait Point: Debug {
    /// The forecast of each window, `[B, H, C]`, in standardized units.
    fn forecast(&self, batch: &Batch) -> Result<Tensor>;
}

/// Repeats the last `rows` rows of the context: one row, or one season.
#[derive(Debug)]
pub(crate) struct Repeat {
    pub(crate) rows: i64,
    pub(crate) horizon: i64,
}

impl Point for Repeat {
    fn forecast(&self, batch: &Batch) -> Result<Tensor> {
        let Repeat { rows, horizon } = *self;
        let context = batch.filled_context()?;
        let last = context.f_narrow(1, context.size()[1] - rows, rows)?;
        let repeats = (horizon + rows - 1) / rows;
        Ok(last.f_repeat([1, repeats, 1])?.f_narrow(1, 0, horizon)?)
    }
}

/// Extends the line through the first and the last row of the context.
#[derive(Debug)]
pub(crate) struct Drift {
    pub(crate) horizon: i64,
}

impl Point for Drift {
    fn forecast(&self, batch: &Batch) -> Result<Tensor> {
        let context = batch.filled_context()?;
        let length = context.size()[1];
        let (first, last) = (context.f_narrow(1, 0, 1)?, context.f_narrow(1, length - 1, 1)?);
        let slope = (&last - first) / (length - 1).max(1) as f64;
        let on = (context.kind(), context.device());
        let steps = Tensor::f_arange_start(1, self.horizon + 1, on)?.f_view([1, -1, 1])?;
        Ok(last + slope * steps)
    }
}
