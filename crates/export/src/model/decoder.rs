//! The decoder, its law, and the limits of forecasts.

use objective::Family;
use train::TrainError;
use vae::{Channels, Location, Residuals, Scale};

use super::Builder;
use super::encoder::Encoded;
use super::layer::{Part, soft_bound};
use crate::graph::{Binary, Dim, Kind, Numbers, Reduction, Unary, Value};
use crate::input::Of;

/// Widths of the limits, as in crate `train`.
const REACH: f64 = 0.5;
const LEAST_REACH: f64 = 1.0;

impl Builder<'_> {
    /// Draws of the target in the units of the decoder, `[S, B, T, C]`.
    pub(super) fn decoded(
        &mut self,
        encoded: &Encoded,
        latent: Value,
    ) -> Result<Value, TrainError> {
        let model = self.parts.model();
        let outputs = self.outputs(encoded, latent)?;
        let width = self.graph.shape(outputs)[3].known();
        let (location, raw_scale) = match (model.location, model.scale) {
            (Location::Skip, _) => (None, Some(outputs)),
            (Location::Predicted, Scale::Predicted) => (
                Some(self.graph.slice(outputs, 3, 0, width / 2)),
                Some(self.graph.slice(outputs, 3, width / 2, width / 2)),
            ),
            (Location::Predicted, _) => (Some(outputs), None),
        };
        let location = location.map(|location| self.arranged(location));
        let log_scale = match (raw_scale, model.scale) {
            (Some(raw), _) => {
                let raw = self.arranged(raw);
                soft_bound(&mut self.graph, raw)
            }
            (None, Scale::Fixed(scale)) => {
                self.graph.constant(Numbers::F32(vec![scale.ln() as f32]), &[1])
            }
            (None, _) => {
                let raw = self.constant("decoder.likelihood.log_scale")?;
                soft_bound(&mut self.graph, raw)
            }
        };
        let location = match (location, encoded.skip) {
            (Some(location), Some(skip)) => Some(self.graph.add(location, skip)),
            (one, other) => one.or(other),
        };
        let noise = self.noise()?;
        let scale = self.graph.unary(Unary::Exp, log_scale);
        let spread = self.graph.mul(noise, scale);
        Ok(match location {
            None => spread,
            Some(location) => self.graph.add(spread, location),
        })
    }

    /// Outputs of the head, `[S, B, G, ..]`.
    fn outputs(&mut self, encoded: &Encoded, latent: Value) -> Result<Value, TrainError> {
        let model = self.parts.model();
        let mut inputs: Vec<Part> = vec![("latent", Some(latent))];
        match model.kind {
            vae::ModelKind::Autoencode | vae::ModelKind::Predict => {
                inputs.extend(&encoded.exogenous);
            }
            vae::ModelKind::Conditional | vae::ModelKind::Hierarchical => {
                inputs.push(("features", Some(encoded.features)));
            }
        }
        let depth = if model.nonlinear() { model.decoder_layers } else { 0 };
        for i in 0..depth {
            let hidden = self.layer(&format!("decoder.layer{i}"), &inputs)?;
            inputs = vec![("hidden", Some(hidden))];
        }
        self.linear("decoder.head", &inputs)
    }

    /// `[S, B, G, T · c]` to `[S, B, T, C]`.
    fn arranged(&mut self, rows: Value) -> Value {
        let (steps, channels) = (self.parts.steps(), self.parts.shape().channels);
        match self.parts.model().channels {
            Channels::Independent => self.graph.transpose(rows, &[0, 1, 3, 2]),
            Channels::Joint => {
                let flat = self.graph.select(rows, 2, 0);
                self.graph.unflatten(flat, 2, &[steps, channels])
            }
        }
    }

    /// Noise of the standardized family, `[S, B, T, C]`.
    fn noise(&mut self) -> Result<Value, TrainError> {
        let (steps, channels) = (self.parts.steps(), self.parts.shape().channels);
        let shape = vec![Dim::Samples, Dim::Batch, Dim::Known(steps), Dim::Known(channels)];
        let mut normals = self.input(Of::ValueNoise, Kind::F32, shape.clone());
        if self.parts.model().residuals == Residuals::Correlated {
            let steps = self.constant("copula.steps")?;
            let channels = self.constant("copula.channels")?;
            let turned = self.graph.transpose(channels, &[1, 0]);
            let of_steps = self.graph.matmul(steps, normals);
            normals = self.graph.matmul(of_steps, turned);
        }
        match self.parts.family() {
            Family::Gaussian => Ok(normals),
            Family::Laplace => Ok(self.laplace(normals)),
            Family::StudentT => {
                let squares = self.input(Of::ChiSquare, Kind::F32, shape);
                let freedom = self.parts.degrees_of_freedom()?.unwrap_or_default();
                let freedom = freedom.into_iter().map(|number| number as f32).collect();
                let graph = &mut self.graph;
                let freedom = graph.constant(Numbers::F32(freedom), &[channels]);
                let ratio = graph.div(freedom, squares);
                let mixing = graph.unary(Unary::Sqrt, ratio);
                Ok(graph.mul(normals, mixing))
            }
        }
    }

    /// Laplace draws from standard normals, `−sign(g) ln erfc(|g|/√2)`.
    ///
    /// The logarithm of `erfc` is `ln t − x² + P(t)` with `t = 1/(1 + x/2)`, whose error is below 1.2e-7: Press et al. (1992),
    /// Numerical Recipes, section 6.2, `erfcc`.
    fn laplace(&mut self, normals: Value) -> Value {
        const P: [f64; 10] = [
            -1.265_512_23,
            1.000_023_68,
            0.374_091_96,
            0.096_784_18,
            -0.186_288_06,
            0.278_868_07,
            -1.135_203_98,
            1.488_515_87,
            -0.822_152_23,
            0.170_872_77,
        ];
        let graph = &mut self.graph;
        let wide = graph.cast(normals, Kind::F64);
        let size = graph.unary(Unary::Abs, wide);
        let x = graph.with(Binary::Mul, size, std::f64::consts::FRAC_1_SQRT_2);
        let half = graph.with(Binary::Mul, x, 0.5);
        let below = graph.with(Binary::Add, half, 1.0);
        let one = graph.number(1.0, below);
        let t = graph.div(one, below);
        let mut polynomial = graph.number(P[9], t);
        for coefficient in P[..9].iter().rev() {
            let next = graph.mul(polynomial, t);
            polynomial = graph.with(Binary::Add, next, *coefficient);
        }
        let log = graph.unary(Unary::Log, t);
        let square = graph.mul(x, x);
        let log = graph.sub(log, square);
        let log = graph.add(log, polynomial);
        // As in crate `objective`, so that a normal beyond 13 gives a large number, and one near zero none of the wrong sign.
        let log = graph.with(Binary::Max, log, f64::from(f32::MIN_POSITIVE).ln());
        let log = graph.with(Binary::Min, log, 0.0);
        let sign = graph.unary(Unary::Sign, wide);
        let sign = graph.unary(Unary::Neg, sign);
        let draw = graph.mul(sign, log);
        graph.cast(draw, Kind::F32)
    }

    /// Values within the limits of crate `train`, in units of the window; `context` is that of the window.
    pub(super) fn limited(&mut self, values: Value, context: Value) -> Value {
        let Some(limits) = self.parts.limits.filter(|_| !self.parts.autoencodes()) else {
            return values;
        };
        let channels = limits.low.len() as i64;
        let graph = &mut self.graph;
        let [low, high] = [&limits.low, &limits.high].map(|limit| {
            let numbers = limit.iter().map(|&limit| limit as f32).collect();
            graph.constant(Numbers::F32(numbers), &[channels])
        });
        let least = graph.reduce(Reduction::Min, context, 1);
        let greatest = graph.reduce(Reduction::Max, context, 1);
        let low = graph.binary(Binary::Min, least, low);
        let high = graph.binary(Binary::Max, greatest, high);
        let width = graph.sub(high, low);
        let reach = graph.with(Binary::Mul, width, REACH);
        let reach = graph.with(Binary::Max, reach, LEAST_REACH);
        let (floor, ceiling) = (graph.sub(low, reach), graph.add(high, reach));
        let inside = graph.binary(Binary::Max, values, floor);
        let inside = graph.binary(Binary::Min, inside, ceiling);
        let excess = graph.sub(values, inside);
        let excess = graph.div(excess, reach);
        let excess = graph.unary(Unary::Tanh, excess);
        let excess = graph.mul(excess, reach);
        let bent = graph.add(inside, excess);
        // Zero, or NaN if the value is not finite.
        let nothing = graph.with(Binary::Mul, values, 0.0);
        graph.add(bent, nothing)
    }
}
