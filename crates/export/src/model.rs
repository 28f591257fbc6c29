//! The forecast of a trained network as a graph, from a window in the units of the table to samples and quantiles in
//! these units.

mod backbone;
mod calendar;
mod decoder;
mod encoder;
mod gaps;
mod instance;
mod latent;
mod layer;
mod original;
mod quantile;
mod window;

use std::collections::HashMap;

use data::{DataConfig, Pipeline, Transform};
use noise::TargetLikelihood;
use objective::Family;
use record::Limits;
use tch::Tensor;
use train::{Config, Forecaster, TrainError};
use vae::{Channels, ModelConfig, ModelKind, Shape};

use crate::description::{Description, Of};
use crate::graph::{Graph, Value};

/// All that a forecast is made of.
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

/// A graph, and the meaning of its inputs and outputs.
#[derive(Debug)]
pub struct Exported {
    pub(crate) graph: Graph,
    pub(crate) description: Description,
}

/// A graph under construction.
struct Builder<'a> {
    graph: Graph,
    inputs: Vec<Of>,
    weights: HashMap<String, Tensor>,
    parts: &'a Parts<'a>,
    /// Factor that noising gives a clean context.
    input_signal: f64,
    /// Factor of the target that the decoder describes, where that is the noised one.
    target_signal: f64,
}

impl<'a> Parts<'a> {
    /// The graph of the forecast.
    ///
    /// # Errors
    /// [`TrainError::NoiseUndecided`] for a config whose noise has not been chosen; an error of libtorch.
    pub fn graph(&'a self) -> Result<Exported, TrainError> {
        let noise = self.config.noise.fixed().ok_or(TrainError::NoiseUndecided)?;
        let direct = noise.likelihood() == TargetLikelihood::Direct && !self.autoencodes();
        let mut builder = Builder {
            graph: Graph::default(),
            inputs: Vec::new(),
            weights: self.forecaster.store().variables(),
            parts: self,
            input_signal: noise.input().signal()[0],
            target_signal: if direct { noise.target().signal()[0] } else { 1.0 },
        };
        builder.forecast()?;
        let Builder { graph, inputs, .. } = builder;
        Ok(Exported { description: Description::new(self, &inputs, &graph)?, graph })
    }

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
        if self.family() != Family::StudentT {
            return Ok(None);
        }
        let variables = self.forecaster.store().variables();
        let raw = Vec::<f32>::try_from(variables["decoder.likelihood.log_excess_df"].detach())?;
        Ok(Some(raw.into_iter().map(|raw| 2.0 + layer::bounded(raw.into()).exp()).collect()))
    }
}

impl Builder<'_> {
    fn forecast(&mut self) -> Result<(), TrainError> {
        let window = self.window()?;
        let instance = self.instance(&window);
        let relative = self.relative(&window, &instance);
        let encoded = self.encoded(&window, relative)?;
        let latents = self.latents(&encoded)?;
        let drawn = self.decoded(&encoded, latents)?;
        let drawn = match self.target_signal {
            1.0 => drawn,
            signal => self.graph.with(crate::graph::Binary::Div, drawn, signal),
        };
        let limited = self.limited(drawn, relative);
        let standardized = self.standardized(limited, &instance);
        let samples = self.original(standardized, &window)?;
        let quantiles = self.quantiles(samples);
        self.graph.output("samples", samples);
        self.graph.output("quantiles", quantiles);
        Ok(())
    }

    fn parameter(&self, name: &str) -> &Tensor {
        &self.weights[name]
    }

    /// The numbers of a parameter.
    fn numbers(&self, name: &str) -> Result<Vec<f32>, TrainError> {
        Ok(Vec::try_from(self.parameter(name).f_detach()?.f_contiguous()?.f_view([-1])?)?)
    }

    /// A parameter as a constant of the graph.
    fn constant(&mut self, name: &str) -> Result<Value, TrainError> {
        let (numbers, size) = (self.numbers(name)?, self.parameter(name).size());
        Ok(self.graph.weight(name, numbers, &size))
    }
}
