//! Point forecasts plus errors that they made on training windows.

use feed::Batch;
use objective::score::{bandwidth, kernel_log_density, window_crps};
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::examples::Examples;
use crate::law::{Law, MAX_COMPONENTS, NUMBERS};
use crate::point::Point;
use crate::ridge::window_moments;

/// Maximum number of residual blocks to keep, evenly spaced over the training windows.
const MAX_BLOCKS: i64 = 10_000;
/// Samples per window for the scores that decide whether residuals are relative to the scale of their window.
const SCORED_SAMPLES: i64 = 50;

/// A point forecaster with its residuals.
#[derive(Debug)]
pub(crate) struct WithResiduals {
    pub(crate) point: Box<dyn Point>,
    pub(crate) residuals: Residuals,
    /// Whether the residuals are relative to the scale of their window.
    pub(crate) relative: bool,
}

/// Errors made on training windows.
#[derive(Debug)]
pub(crate) enum Residuals {
    /// Blocks of all channels together, `[M, H, C]`.
    Joint(Tensor),
    /// Blocks of each channel alone, `[M_c, H]`, if no block is without gaps in all channels.
    Channels(Vec<Tensor>),
}

impl Residuals {
    /// Residuals from errors `[N, H, C]`, NaN where nothing was observed; `None` if a channel has no block without gaps.
    pub(crate) fn new(errors: &Tensor) -> Result<Option<Residuals>> {
        let finite = errors.f_isfinite()?;
        let whole = finite.f_flatten(1, 2)?.f_all_dim(1, false)?;
        let joint = errors.f_index(&[Some(whole)])?;
        if joint.size()[0] > 0 {
            return Ok(Some(Residuals::Joint(joint)));
        }
        let channels = (0..errors.size()[2]).map(|channel| -> Result<Tensor> {
            let whole = finite.f_select(2, channel)?.f_all_dim(1, false)?;
            Ok(errors.f_select(2, channel)?.f_index(&[Some(whole)])?)
        });
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        let complete = channels.iter().all(|blocks| blocks.size()[0] > 0);
        Ok(complete.then_some(Residuals::Channels(channels)))
    }

    /// Evenly spaced residuals as the components of a kernel estimate for each element, `[M, H, C]`, with M ≥ 2.
    fn components(&self) -> Result<Tensor> {
        let some = |blocks: &Tensor, most: i64| -> Result<Tensor> {
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

    /// The mean residual, `[H, C]`.
    fn mean(&self) -> Result<Tensor> {
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
    fn draw(&self, count: i64) -> Result<Tensor> {
        let pick = |blocks: &Tensor| -> Result<Tensor> {
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
    /// Gathers the errors of `point` on training windows, either as they are or relative to the scale of the window,
    /// whichever scores better on validation windows. `None` if gaps leave a channel without a complete window.
    pub(crate) fn fit(
        point: Box<dyn Point>,
        train: &Examples,
        validation: &Examples,
    ) -> Result<Option<WithResiduals>> {
        let count = train.context().size()[0];
        let stride = ((count + MAX_BLOCKS - 1) / MAX_BLOCKS).max(1);
        let kept = train.every(stride)?;
        let errors = kept.target() - point.forecast(kept.batch())?;
        let scaled = &errors / window_moments(kept.context())?.1;
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

    /// Mean fair CRPS over `windows`.
    fn score(&self, windows: &Examples) -> Result<f64> {
        let scores = self.scores(windows)?.f_nanmean([0_i64].as_slice(), false, Kind::Double)?;
        Ok(scores.f_double_value(&[])?)
    }

    /// Fair CRPS of each of `windows`, `[N]`; NaN where nothing was observed.
    pub(crate) fn scores(&self, windows: &Examples) -> Result<Tensor> {
        let samples = self.sample(windows.batch(), SCORED_SAMPLES)?;
        let observed = windows.target().f_isfinite()?;
        let truth = windows.target().f_nan_to_num(0.0, None::<f64>, None::<f64>)?;
        Ok(window_crps(&samples, &truth, Some(&observed))?)
    }
}

impl Law for WithResiduals {
    fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor> {
        let point = self.point.forecast(batch)?;
        let (windows, horizon, channels) = point.size3()?;
        let errors = self.residuals.draw(samples * windows)?;
        let errors = errors.f_view([samples, windows, horizon, channels])?;
        let errors = match self.relative {
            true => errors * window_moments(&batch.filled_context()?)?.1,
            false => errors,
        };
        Ok(errors + point)
    }

    fn mean(&self, batch: &Batch) -> Result<Tensor> {
        let bias = self.residuals.mean()?;
        let bias = match self.relative {
            true => bias * window_moments(&batch.filled_context()?)?.1,
            false => bias,
        };
        Ok(self.point.forecast(batch)? + bias)
    }

    /// The log density of each element under a kernel estimate from up to 200 residuals, `[B, H, C]`.
    fn log_density(&self, batch: &Batch, _: i64) -> Result<Tensor> {
        let mut errors = &batch.target - self.point.forecast(batch)?;
        let mut shift = errors.f_zeros_like()?;
        if self.relative {
            let scale = window_moments(&batch.filled_context()?)?.1;
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
