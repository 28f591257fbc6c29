//! The layers of crate `vae`.

use tch::Tensor;
use train::TrainError;

use super::Builder;
use crate::graph::{Binary, Graph, Unary, Value};
use crate::parts::LOG_SCALE_BOUND;

/// One input of an affine map: its name, and its values, which are zero if there are none.
pub(super) type Part<'a> = (&'a str, Option<Value>);

impl Builder<'_> {
    /// `Σ_i W_i u_i + b`, with the weights under `path`.
    pub(super) fn linear(&mut self, path: &str, parts: &[Part]) -> Result<Value, TrainError> {
        let mut sum = self.constant(&format!("{path}.bias"))?;
        for (part, input) in parts {
            let Some(input) = *input else { continue };
            let name = match parts {
                [_] => format!("{path}.weight"),
                _ => format!("{path}.{part}_weight"),
            };
            let weight = self.transposed(&name)?;
            let term = self.graph.matmul(input, weight);
            sum = self.graph.add(term, sum);
        }
        Ok(sum)
    }

    /// A matrix with inputs first.
    fn transposed(&mut self, name: &str) -> Result<Value, TrainError> {
        let matrix: Tensor = self.parameter(name).f_detach()?.f_tr()?.f_contiguous()?;
        let numbers = Vec::<f32>::try_from(matrix.f_view([-1])?)?;
        Ok(self.graph.weight(name, numbers, &matrix.size()))
    }

    /// The affine map, and the activation unless the model is linear.
    pub(super) fn layer(&mut self, path: &str, parts: &[Part]) -> Result<Value, TrainError> {
        let affine = self.linear(path, parts)?;
        Ok(self.activated(affine))
    }

    pub(super) fn activated(&mut self, input: Value) -> Value {
        if !self.parts.model().nonlinear() {
            return input;
        }
        let gate = self.graph.unary(Unary::Sigmoid, input);
        self.graph.mul(input, gate)
    }
}

/// `7 · tanh(s / 7)`.
pub(super) fn soft_bound(graph: &mut Graph, input: Value) -> Value {
    let small = graph.with(Binary::Mul, input, 1.0 / LOG_SCALE_BOUND);
    let bent = graph.unary(Unary::Tanh, small);
    graph.with(Binary::Mul, bent, LOG_SCALE_BOUND)
}
