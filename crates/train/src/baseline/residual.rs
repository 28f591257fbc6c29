//! Point forecasts with the errors they made on training windows as samples.

use objective::score::{bandwidth, kernel_log_density};
use tch::{Kind, Tensor};

use super::ets::Ets;
use super::ridge::{Ridge, window_moments};
use super::{Asked, MAX_COMPONENTS, Pairs};
use crate::error::TrainError;
use crate::score::window_crps;

/// At most so many residual blocks are kept, evenly spaced over the training windows.
const MAX_BLOCKS: i64 = 10_000;
/// So many samples decide how residuals are taken.
const SCORED_SAMPLES: i64 = 50;
/// At most so many numbers of a density are worked on at once.
const NUMBERS: i64 = 1 << 19;

/// A point forecaster.
#[derive(Debug)]
pub(super) enum Point {
    /// The last rows, repeated: one, or a season.
    Repeat {
        rows: i64,
        horizon: i64,
    },
    /// The line through the first and the last row.
    Drift {
        horizon: i64,
    },
    Ridge(Ridge),
    Ets(Ets),
}

impl Point {
    /// Windows → `[B, H, C]`.
    pub(super) fn forecast(&self, asked: &Asked) -> Result<Tensor, TrainError> {
        let context = &asked.context()?;
        match self {
            Point::Repeat { rows, horizon } => {
                let last = context.f_narrow(1, context.size()[1] - rows, *rows)?;
                let repeats = (horizon + rows - 1) / rows;
                Ok(last.f_repeat([1, repeats, 1])?.f_narrow(1, 0, *horizon)?)
            }
            Point::Drift { horizon } => {
                let length = context.size()[1];
                let (first, last) =
                    (context.f_narrow(1, 0, 1)?, context.f_narrow(1, length - 1, 1)?);
                let slope = (&last - first) / (length - 1).max(1) as f64;
                let on = (context.kind(), context.device());
                let steps = Tensor::f_arange_start(1, horizon + 1, on)?.f_view([1, -1, 1])?;
                Ok(last + slope * steps)
            }
            Point::Ridge(ridge) => ridge.forecast(context),
            Point::Ets(ets) => ets.forecast(asked),
        }
    }
}

/// A point forecaster with its errors.
#[derive(Debug)]
pub(super) struct WithResiduals {
    pub(super) point: Point,
    pub(super) residuals: Residuals,
    /// Whether the residuals are relative to the scale of their window.
    pub(super) relative: bool,
}

/// Errors made on training windows.
#[derive(Debug)]
pub(super) enum Residuals {
    /// Whole blocks, `[M, H, C]`.
    Joint(Tensor),
    /// Per channel, `[M_c, H]`: where gaps leave no block whole in all channels.
    Channels(Vec<Tensor>),
}

impl Residuals {
    /// From errors `[N, H, C]`, NaN where nothing was observed; `None` if a channel has no whole block.
    pub(super) fn new(errors: &Tensor) -> Result<Option<Residuals>, TrainError> {
        let finite = errors.f_isfinite()?;
        let whole = finite.f_flatten(1, 2)?.f_all_dim(1, false)?;
        let joint = errors.f_index(&[Some(whole)])?;
        if joint.size()[0] > 0 {
            return Ok(Some(Residuals::Joint(joint)));
        }
        let channels = (0..errors.size()[2]).map(|channel| -> Result<Tensor, TrainError> {
            let whole = finite.f_select(2, channel)?.f_all_dim(1, false)?;
            Ok(errors.f_select(2, channel)?.f_index(&[Some(whole)])?)
        });
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        let complete = channels.iter().all(|blocks| blocks.size()[0] > 0);
        Ok(complete.then_some(Residuals::Channels(channels)))
    }

    /// Evenly spaced residuals as components of a density of each element, `[M, H, C]`, M ≥ 2.
    fn components(&self) -> Result<Tensor, TrainError> {
        let some = |blocks: &Tensor, most: i64| -> Result<Tensor, TrainError> {
            let count = blocks.size()[0];
            let on = (Kind::Int64, blocks.device());
            let index = (Tensor::f_arange(most, on)? * count).f_floor_divide_scalar(most)?;
            Ok(blocks.f_index_select(0, &index)?)
        };
        let most = MAX_COMPONENTS as i64;
        match self {
            Residuals::Joint(blocks) => some(blocks, most.min(blocks.size()[0]).max(2)),
            Residuals::Channels(channels) => {
                let most = channels.iter().fold(most, |most, c| most.min(c.size()[0])).max(2);
                let even = channels.iter().map(|blocks| some(blocks, most));
                Ok(Tensor::f_stack(&even.collect::<Result<Vec<_>, _>>()?, 2)?)
            }
        }
    }

    /// `[H, C]`.
    fn mean(&self) -> Result<Tensor, TrainError> {
        let mean = |blocks: &Tensor| blocks.f_mean_dim([0_i64].as_slice(), false, None);
        Ok(match self {
            Residuals::Joint(blocks) => mean(blocks)?,
            Residuals::Channels(channels) => {
                let means = channels.iter().map(mean).collect::<Result<Vec<_>, _>>()?;
                Tensor::f_stack(&means, 1)?
            }
        })
    }

    /// `count` blocks drawn with replacement, `[count, H, C]`.
    fn draw(&self, count: i64) -> Result<Tensor, TrainError> {
        let pick = |blocks: &Tensor| -> Result<Tensor, TrainError> {
            let on = (Kind::Int64, blocks.device());
            Ok(blocks.f_index_select(0, &Tensor::f_randint(blocks.size()[0], [count], on)?)?)
        };
        match self {
            Residuals::Joint(blocks) => pick(blocks),
            Residuals::Channels(channels) => {
                let drawn = channels.iter().map(pick).collect::<Result<Vec<_>, _>>()?;
                Ok(Tensor::f_stack(&drawn, 2)?)
            }
        }
    }
}

impl WithResiduals {
    /// Gathers the errors of `point` on training windows, as they are or relative to the window's scale,
    /// whichever scores better on validation windows. `None` where gaps leave a channel without one whole
    /// window.
    pub(super) fn fit(
        point: Point,
        train: &Pairs,
        validation: &Pairs,
    ) -> Result<Option<WithResiduals>, TrainError> {
        let count = train.context.size()[0];
        let stride = ((count + MAX_BLOCKS - 1) / MAX_BLOCKS).max(1);
        let kept = train.every(stride)?;
        let errors = &kept.target - point.forecast(&kept.asked())?;
        let scaled = &errors / window_moments(&kept.context)?.1;
        let (Some(errors), Some(scaled)) = (Residuals::new(&errors)?, Residuals::new(&scaled)?)
        else {
            return Ok(None);
        };
        let mut fitted = WithResiduals { point, residuals: errors, relative: false };
        let held = validation.some()?;
        let absolute_score = fitted.score(&held)?;
        let errors = std::mem::replace(&mut fitted.residuals, scaled);
        fitted.relative = true;
        if fitted.score(&held)? < absolute_score {
            return Ok(Some(fitted));
        }
        Ok(Some(WithResiduals { residuals: errors, relative: false, ..fitted }))
    }

    /// Fair CRPS, mean over some windows.
    fn score(&self, windows: &Pairs) -> Result<f64, TrainError> {
        let scores = self.scores(windows)?.f_nanmean([0_i64].as_slice(), false, Kind::Double)?;
        Ok(scores.f_double_value(&[])?)
    }

    /// Fair CRPS of some windows, `[N]`; NaN where nothing was observed.
    pub(super) fn scores(&self, windows: &Pairs) -> Result<Tensor, TrainError> {
        let samples = self.sample(&windows.asked(), SCORED_SAMPLES)?;
        let observed = windows.target.f_isfinite()?;
        let truth = windows.target.f_nan_to_num(0.0, None::<f64>, None::<f64>)?;
        window_crps(&samples, &truth, Some(&observed))
    }

    /// Samples `[S, B, H, C]`.
    pub(super) fn sample(&self, asked: &Asked, samples: i64) -> Result<Tensor, TrainError> {
        let point = self.point.forecast(asked)?;
        let (batch, horizon, channels) = point.size3()?;
        let errors = self.residuals.draw(samples * batch)?;
        let errors = errors.f_view([samples, batch, horizon, channels])?;
        let errors =
            if self.relative { errors * window_moments(&asked.context()?)?.1 } else { errors };
        Ok(errors + point)
    }

    /// The mean of what is sampled, `[B, H, C]`.
    pub(super) fn mean(&self, asked: &Asked) -> Result<Tensor, TrainError> {
        let bias = self.residuals.mean()?;
        let bias = match self.relative {
            true => bias * window_moments(&asked.context()?)?.1,
            false => bias,
        };
        Ok(self.point.forecast(asked)? + bias)
    }

    /// The log density of each element under a kernel estimate from up to 200 residuals, `[B, H, C]`.
    pub(super) fn log_density(&self, asked: &Asked) -> Result<Tensor, TrainError> {
        let mut errors = &asked.batch.target - self.point.forecast(asked)?;
        let mut shift = errors.f_zeros_like()?;
        if self.relative {
            let scale = window_moments(&asked.context()?)?.1;
            errors /= &scale;
            shift -= scale.f_log()?;
        }
        let blocks = self.residuals.components()?;
        let width = bandwidth(&blocks)?;
        let at_once = (NUMBERS / blocks.numel().max(1) as i64).max(1);
        let blocks = blocks.f_unsqueeze(1)?;
        let parts = errors.f_split(at_once, 0)?.into_iter();
        let parts = parts.map(|errors| kernel_log_density(&blocks, &width, &errors));
        Ok(Tensor::f_cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)? + shift)
    }
}
