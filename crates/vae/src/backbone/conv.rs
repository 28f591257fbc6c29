//! Dilated causal convolutions over the steps of a window.

use tch::Tensor;
use tch::nn::{Init, Path};

use super::{Rows, Sizes, activation};
use crate::ModelConfig;
use crate::error::Result;
use crate::layer::{Activation, HIDDEN_GAIN, Linear};

/// Residual blocks `h ← h + act(conv_d(h))` with dilation `d = 2^i`, padded on the left only.
///
/// The receptive field of the last step is `1 + (kernel − 1)(2^layers − 1)`; the features are the
/// last step and the mean over time, so that earlier steps count whatever the depth.
///
/// # References
/// Bai, Kolter & Koltun (2018), section 3, arXiv:1803.01271; one convolution per block here.
#[derive(Debug)]
pub(crate) struct Conv {
    embed: Linear,
    blocks: Vec<Block>,
    activation: Activation,
}

#[derive(Debug)]
struct Block {
    weight: Tensor,
    bias: Tensor,
    dilation: i64,
    padding: i64,
}

impl Conv {
    pub(super) fn new(path: &Path, config: &ModelConfig, sizes: &Sizes) -> Result<Conv> {
        let ModelConfig { hidden, kernel, layers, .. } = *config;
        let embed = Linear::new(&path.sub("embed"), &sizes.step_parts(1), hidden, 1.0)?;
        // Each block adds about a `1/layers` share of the variance it finds.
        let std = HIDDEN_GAIN / ((hidden * kernel * layers) as f64).sqrt();
        let bound = 3f64.sqrt() * std;
        let init = Init::Uniform { lo: -bound, up: bound };
        let blocks = (0..layers)
            .map(|i| {
                let path = path.sub(format!("block{i}"));
                // Wider than any window at dilation 2^40: no overflow, whatever the depth.
                let dilation = (1i64 << i.min(40)).min(sizes.context);
                Ok(Block {
                    weight: path.f_var("weight", &[hidden, hidden, kernel], init)?,
                    bias: path.f_zeros("bias", &[hidden])?,
                    dilation,
                    padding: (kernel - 1) * dilation,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Conv { embed, blocks, activation: activation(config) })
    }

    pub(super) fn forward(&self, rows: &Rows, statics: &[&Tensor], train: bool) -> Result<Tensor> {
        // A step has an axis of its own here, which the statics lack.
        let statics = statics
            .iter()
            .map(|s| s.f_unsqueeze(-2))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let inputs: Vec<_> =
            std::iter::once(&rows.targets).chain(&rows.extras).chain(&statics).collect();
        let embedded = self.embed.forward(&inputs)?;
        let mut hidden = embedded.f_flatten(0, 1)?.f_transpose(1, 2)?.f_contiguous()?;
        for block in &self.blocks {
            let padded = hidden.f_constant_pad_nd([block.padding, 0])?;
            let out = padded.f_conv1d(&block.weight, Some(&block.bias), 1, 0, block.dilation, 1)?;
            hidden = hidden + self.activation.apply(out, train)?;
        }
        let last = hidden.f_select(2, -1)?;
        let mean = hidden.f_mean_dim(Some([2i64].as_slice()), false, None)?;
        let [batch, groups] = rows.lead();
        Ok(Tensor::f_cat(&[last, mean], 1)?.f_view([batch, groups, -1])?)
    }
}
