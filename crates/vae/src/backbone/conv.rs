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
/// last step and the mean over time, so that earlier steps count at any depth.
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
                // A dilation of 2^40 is wider than any window; the limit prevents an overflow at great depth.
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
        // Steps have an axis of their own here, which the statics lack.
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
            hidden = hidden.f_add(&self.activation.apply(out, train)?)?;
        }
        let last = hidden.f_select(2, -1)?;
        let mean = hidden.f_mean_dim(Some([2i64].as_slice()), false, None)?;
        let [batch, groups] = rows.lead();
        Ok(Tensor::f_cat(&[last, mean], 1)?.f_view([batch, groups, -1])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::tests::{rows, sizes};
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    /// The documented receptive field, at its border and just past it; the mean sees every step.
    #[test]
    fn the_last_step_sees_its_receptive_field_and_no_more() {
        let store = VarStore::new(Device::Cpu);
        let config =
            ModelConfig { hidden: 4, layers: 2, kernel: 3, dropout: 0.0, ..ModelConfig::default() };
        let conv = Conv::new(&store.root(), &config, &sizes(12, 1, 0)).unwrap();
        let field = 1 + 2 * 3;
        let forward = |rows: &Rows| conv.forward(rows, &[], false).unwrap();
        for age in 0..12 {
            let mut window = rows(&[5, 3, 12, 1], None);
            let before = forward(&window);
            let bump = Tensor::zeros([12, 1], (Kind::Float, Device::Cpu));
            let _ = bump.narrow(0, 11 - age, 1).fill_(1.0);
            window.targets = &window.targets + bump;
            let moved = (forward(&window) - before).abs();
            let last = moved.narrow(2, 0, 4).max().double_value(&[]);
            let mean = moved.narrow(2, 4, 4).max().double_value(&[]);
            assert_eq!(last > 0.0, age < field, "{age} steps back");
            assert!(mean > 0.0, "{age} steps back");
        }
    }

    /// Oracle: the sum over taps, `out[t] = b + Σ_k W_k h[t − d (K − 1 − k)]`, zero before the window.
    #[test]
    fn a_block_is_the_sum_over_its_taps() {
        let store = VarStore::new(Device::Cpu);
        let config =
            ModelConfig { hidden: 4, layers: 2, kernel: 2, dropout: 0.0, ..ModelConfig::default() };
        let conv = Conv::new(&store.root(), &config, &sizes(6, 1, 0)).unwrap();
        let rows = rows(&[5, 3, 6, 1], None);
        let found = conv.forward(&rows, &[], false).unwrap();
        let mut hidden = conv.embed.forward(&[&rows.targets]).unwrap();
        for block in &conv.blocks {
            let taps = block.weight.unbind(2);
            let out: Vec<Tensor> = (0..6)
                .map(|t| {
                    let mut sum = hidden.select(2, t).matmul(&taps[1].tr()) + &block.bias;
                    if t >= block.dilation {
                        sum += hidden.select(2, t - block.dilation).matmul(&taps[0].tr());
                    }
                    &sum * sum.sigmoid()
                })
                .collect();
            hidden += Tensor::stack(&out, 2);
        }
        let mean = hidden.mean_dim(Some([2i64].as_slice()), false, Kind::Float);
        let expected = Tensor::cat(&[hidden.select(2, 5), mean], -1);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
    }
}
