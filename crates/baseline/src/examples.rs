//! Windows that baselines are fitted on and chosen on.

use feed::{Batch, DevicePanel, WindowSet};
use tch::{Kind, Tensor};

use crate::error::Result;

/// Windows to fit or to choose on: contexts with their gaps filled, and targets, NaN where nothing was observed;
/// without covariates or masks.
#[derive(Debug)]
pub struct Examples(Batch);

/// Approximate number of validation windows that decide between fits.
const MAX_SCORED: i64 = 200;

impl Examples {
    /// Gathers all windows of a set at once.
    ///
    /// # Errors
    /// As [`DevicePanel::gather`].
    pub fn new(panel: &DevicePanel, windows: &WindowSet) -> Result<Examples> {
        let batch = panel.gather(&windows.first_rows()?)?;
        let missing = batch.target_observed.as_ref().map(|mask| mask.f_eq(0.0)).transpose()?;
        let target = match missing {
            Some(missing) => batch.target.f_masked_fill(&missing, f64::NAN)?,
            None => batch.target.shallow_clone(),
        };
        Ok(Examples::of(batch.filled_context()?, target, batch.first_rows))
    }

    /// Examples from contexts `[N, L, C]`, targets `[N, H, C]` and the first rows of the contexts, `[N]`.
    pub(crate) fn of(context: Tensor, target: Tensor, first_rows: Tensor) -> Examples {
        Examples(Batch {
            first_rows,
            context,
            extras: None,
            future: None,
            seasonal: None,
            target,
            context_observed: None,
            target_observed: None,
        })
    }

    /// The contexts, `[N, L, C]`.
    pub(crate) fn context(&self) -> &Tensor {
        &self.0.context
    }

    /// The targets, `[N, H, C]`, NaN where missing.
    pub(crate) fn target(&self) -> &Tensor {
        &self.0.target
    }

    /// The windows as a forecaster sees them.
    pub(crate) fn batch(&self) -> &Batch {
        &self.0
    }

    /// Every `stride`-th window.
    pub(crate) fn every(&self, stride: i64) -> Result<Examples> {
        let Batch { context, target, first_rows, .. } = &self.0;
        let on = (Kind::Int64, context.device());
        let kept = Tensor::f_arange_start_step(0, context.size()[0], stride, on)?;
        let pick = |tensor: &Tensor| tensor.f_index_select(0, &kept);
        Ok(Examples::of(pick(context)?, pick(target)?, pick(first_rows)?))
    }

    /// The squared correlation, within channels, between the mean of a context and the mean of its target: the share of
    /// the variance of a horizon's level that the level of its context explains. Zero where nothing varies.
    ///
    /// # Errors
    /// [`FeedError::Torch`](feed::FeedError::Torch) if libtorch fails.
    pub fn persistence(&self) -> Result<f64> {
        let level = |values: &Tensor| {
            values.f_to_kind(Kind::Double)?.f_nanmean([1_i64].as_slice(), false, Kind::Double)
        };
        let (before, after) = (level(self.context())?, level(self.target())?);
        let seen = after.f_isfinite()?.f_to_kind(Kind::Double)?;
        let over = [0_i64];
        let sum = |values: Tensor| {
            (values * &seen).f_sum_dim_intlist(over.as_slice(), true, Kind::Double)
        };
        let after = after.f_nan_to_num(0.0, None::<f64>, None::<f64>)?;
        let count =
            seen.f_sum_dim_intlist(over.as_slice(), true, Kind::Double)?.f_clamp_min(1.0)?;
        let centered = |values: &Tensor| -> Result<Tensor> {
            Ok(values - sum(values.shallow_clone())? / &count)
        };
        let (before, after) = (centered(&before)?, centered(&after)?);
        let total = |values: Tensor| sum(values)?.f_sum(Kind::Double)?.f_double_value(&[]);
        let (both, one, other) =
            (total(&before * &after)?, total(before.f_square()?)?, total(after.f_square()?)?);
        let scale = one * other;
        Ok(if scale > 0.0 { both * both / scale } else { 0.0 })
    }

    /// About [`MAX_SCORED`] of the windows, evenly spaced.
    pub(crate) fn some(&self) -> Result<Examples> {
        self.every((self.context().size()[0] / MAX_SCORED).max(1))
    }
}
