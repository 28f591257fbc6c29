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

use noise::TargetLikelihood;
use tch::Tensor;
use train::TrainError;

use crate::graph::{Binary, Graph, Value};
use crate::input::Of;
use crate::parts::Parts;

/// The graph of the forecast, and its inputs in the order of the graph.
///
/// # Errors
/// [`TrainError::NoiseUndecided`] for a config whose noise has not been chosen; an error of libtorch.
pub(crate) fn graph(parts: &Parts) -> Result<(Graph, Vec<Of>), TrainError> {
    let noise = parts.config.noise.fixed().ok_or(TrainError::NoiseUndecided)?;
    let direct = noise.likelihood() == TargetLikelihood::Direct && !parts.autoencodes();
    let mut builder = Builder {
        graph: Graph::default(),
        inputs: Vec::new(),
        weights: parts.forecaster.store().variables(),
        parts,
        input_signal: noise.input().signal()[0],
        target_signal: if direct { noise.target().signal()[0] } else { 1.0 },
    };
    builder.forecast()?;
    Ok((builder.graph, builder.inputs))
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
            signal => self.graph.with(Binary::Div, drawn, signal),
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
