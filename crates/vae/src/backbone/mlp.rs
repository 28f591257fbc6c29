//! Hidden layers over the flattened window; without activations, the linear backbone.

use tch::Tensor;
use tch::nn::Path;

use super::{Rows, Sizes, activation};
use crate::ModelConfig;
use crate::error::Result;
use crate::layer::{Activation, Linear, part};

/// `h_1 = act(W x + W_e e + … + b)`, `h_{i+1} = act(W_i h_i + b_i)`.
#[derive(Debug)]
pub(crate) struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
}

impl Mlp {
    pub(super) fn new(path: &Path, config: &ModelConfig, depth: i64, sizes: &Sizes) -> Result<Mlp> {
        let (hidden, activation) = (config.hidden, activation(config));
        let layers = (0..depth)
            .map(|i| {
                let parts = if i == 0 {
                    sizes.step_parts(sizes.context)
                } else {
                    vec![part("hidden", hidden)]
                };
                Linear::new(&path.sub(format!("layer{i}")), &parts, hidden, activation.gain())
            })
            .collect::<Result<_>>()?;
        Ok(Mlp { layers, activation })
    }

    pub(super) fn forward(&self, rows: &Rows, statics: &[&Tensor], train: bool) -> Result<Tensor> {
        let flat = rows.targets.f_flatten(2, 3)?;
        let extras = rows.extras.as_ref().map(|extras| extras.f_flatten(2, 3)).transpose()?;
        let inputs: Vec<_> =
            std::iter::once(&flat).chain(&extras).chain(statics.iter().copied()).collect();
        let mut hidden = self.activation.after(&self.layers[0], &inputs, train)?;
        for layer in &self.layers[1..] {
            hidden = self.activation.after(layer, &[&hidden], train)?;
        }
        Ok(hidden)
    }
}
