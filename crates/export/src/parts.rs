//! All that a forecast is made of.

use data::{DataConfig, Pipeline, Transform};
use objective::Family;
use record::Limits;
use train::{Config, Forecaster, TrainError};
use vae::{Channels, ModelConfig, ModelKind, Shape};

/// Bound on every logarithm of a scale, as in crate `vae`.
pub(crate) const LOG_SCALE_BOUND: f64 = 7.0;

/// The parts of a forecast.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The config, with what was chosen.
    pub config: &'a Config,
    /// The network, with its weights.
    pub forecaster: &'a Forecaster,
    /// The preparation of the data that goes with the weights.
    pub pipeline: &'a Pipeline,
    /// Whether the network is told of gaps.
    pub masked: bool,
    /// Limits of forecasts, if it has any.
    pub limits: Option<&'a Limits>,
    /// Levels of the quantiles, in rising order.
    pub levels: &'a [f64],
}

impl<'a> Parts<'a> {
    pub(crate) fn data(&self) -> &'a DataConfig {
        self.pipeline.config()
    }

    pub(crate) fn model(&self) -> &'a ModelConfig {
        self.forecaster.model().config()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.forecaster.model().shape()
    }

    pub(crate) fn family(&self) -> Family {
        self.forecaster.model().family()
    }

    pub(crate) fn autoencodes(&self) -> bool {
        self.model().kind == ModelKind::Autoencode
    }

    /// Steps that are described: those of the horizon, or of the context for `autoencode`.
    pub(crate) fn steps(&self) -> i64 {
        if self.autoencodes() { self.shape().context } else { self.shape().horizon }
    }

    /// Rows of a window before the horizon: a difference or return takes one more than the context.
    pub(crate) fn rows(&self) -> i64 {
        let lost = matches!(self.data().transform, Transform::Difference | Transform::Return);
        self.shape().context + i64::from(lost)
    }

    /// Rows of the network per window: `G`.
    pub(crate) fn groups(&self) -> i64 {
        if self.model().channels == Channels::Joint { 1 } else { self.shape().channels }
    }

    /// The degrees of freedom of each channel, for Student's t.
    pub(crate) fn degrees_of_freedom(&self) -> Result<Option<Vec<f64>>, TrainError> {
        let mut variables = self.forecaster.store().variables();
        let Some(raw) = variables.remove("decoder.likelihood.log_excess_df") else {
            return Ok(None);
        };
        let raw = Vec::<f32>::try_from(raw.f_detach()?)?;
        Ok(Some(raw.into_iter().map(|raw| 2.0 + bounded(raw.into()).exp()).collect()))
    }
}

/// `7 · tanh(s / 7)`, the bound on logarithms of scales in crate `vae`.
fn bounded(number: f64) -> f64 {
    LOG_SCALE_BOUND * (number / LOG_SCALE_BOUND).tanh()
}
