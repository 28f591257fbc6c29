//! Attention between patches of a window.

use tch::Tensor;
use tch::nn::{Init, Path};

use super::{Rows, Sizes, activation};
use crate::error::Result;
use crate::layer::{Activation, LayerNorm, Linear, part};
use crate::{ModelConfig, VaeError};

/// Patches are embedded, given a position, and attend to each other; all of them enter the features.
///
/// ```text
/// u ← u + W_o attention(norm(u)),    u ← u + W_2 act(W_1 norm(u))
/// ```
///
/// The window is filled up on the left with its first value to a whole number of patches.
///
/// # References
/// Nie et al. (2023), section 3.1, arXiv:2211.14730; Vaswani et al. (2017), eq. 1, arXiv:1706.03762,
/// with the normalization before each branch.
#[derive(Debug)]
pub(crate) struct Patch {
    embed: Linear,
    position: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    out: Linear,
    fill: i64,
    patch: i64,
    heads: i64,
    activation: Activation,
}

#[derive(Debug)]
struct Block {
    attention_norm: LayerNorm,
    query_key_value: Linear,
    attention_out: Linear,
    mlp_norm: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
}

impl Patch {
    pub(super) fn new(path: &Path, config: &ModelConfig, sizes: &Sizes) -> Result<Patch> {
        let ModelConfig { hidden, patch, heads, layers, .. } = *config;
        if patch > sizes.context {
            let (value, range) = (patch.to_string(), "at most the context".to_owned());
            return Err(VaeError::Config { key: "patch", value, range });
        }
        let patches = (sizes.context + patch - 1) / patch;
        let activation = activation(config);
        // Branches start small, so that the variance does not grow with depth.
        let branch = 1.0 / (2.0 * layers as f64).sqrt();
        let blocks = (0..layers)
            .map(|i| {
                let path = path.sub(format!("block{i}"));
                let linear = |name: &str, from, to, gain| {
                    Linear::new(&path.sub(name), &[part("hidden", from)], to, gain)
                };
                Ok(Block {
                    attention_norm: LayerNorm::new(&path.sub("attention_norm"), hidden)?,
                    query_key_value: linear("query_key_value", hidden, 3 * hidden, 1.0)?,
                    attention_out: linear("attention_out", hidden, hidden, branch)?,
                    mlp_norm: LayerNorm::new(&path.sub("mlp_norm"), hidden)?,
                    mlp_in: linear("mlp_in", hidden, 2 * hidden, activation.gain())?,
                    mlp_out: linear("mlp_out", 2 * hidden, hidden, branch)?,
                })
            })
            .collect::<Result<_>>()?;
        let flat = [part("patches", patches * hidden)];
        Ok(Patch {
            embed: Linear::new(&path.sub("embed"), &sizes.step_parts(patch), hidden, 1.0)?,
            position: path.f_var(
                "position",
                &[patches, hidden],
                Init::Randn { mean: 0.0, stdev: 0.1 },
            )?,
            blocks,
            norm: LayerNorm::new(&path.sub("norm"), hidden)?,
            out: Linear::new(&path.sub("out"), &flat, hidden, activation.gain())?,
            fill: patches * patch - sizes.context,
            patch,
            heads,
            activation,
        })
    }

    pub(super) fn forward(&self, rows: &Rows, statics: &[&Tensor], train: bool) -> Result<Tensor> {
        let targets = self.cut(&rows.targets)?;
        let extras = rows.extras.as_ref().map(|extras| self.cut(extras)).transpose()?;
        let statics = statics
            .iter()
            .map(|s| s.f_unsqueeze(-2))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let inputs: Vec<_> = std::iter::once(&targets).chain(&extras).chain(&statics).collect();
        let embedded = self.embed.forward(&inputs)? + &self.position;
        let mut tokens = embedded.f_flatten(0, 1)?;
        for block in &self.blocks {
            tokens = block.forward(tokens, self.heads, self.activation, train)?;
        }
        let flat = self.norm.forward(&tokens)?.f_flatten(1, 2)?;
        let [batch, groups] = rows.lead();
        let features = self.out.forward(&[&flat.f_view([batch, groups, -1])?])?;
        self.activation.apply(features, train)
    }

    /// `[B, G, L, w]` to `[B, G, patches, patch · w]`.
    fn cut(&self, window: &Tensor) -> Result<Tensor> {
        let size = window.size();
        let whole = if self.fill == 0 {
            window.shallow_clone()
        } else {
            let first = window
                .f_narrow(2, 0, 1)?
                .f_expand([size[0], size[1], self.fill, size[3]], false)?;
            Tensor::f_cat(&[&first, window], 2)?
        };
        Ok(whole.f_reshape([size[0], size[1], -1, self.patch * size[3]])?)
    }
}

impl Block {
    /// `tokens`: `[N, patches, hidden]`.
    fn forward(
        &self,
        tokens: Tensor,
        heads: i64,
        activation: Activation,
        train: bool,
    ) -> Result<Tensor> {
        let size = tokens.size();
        let (rows, patches, hidden) = (size[0], size[1], size[2]);
        let normed = self.attention_norm.forward(&tokens)?;
        let split = self
            .query_key_value
            .forward(&[&normed])?
            .f_view([rows, patches, 3, heads, hidden / heads])?
            .f_permute([2, 0, 3, 1, 4])?
            .f_unbind(0)?;
        let [query, key, value] = split.as_slice() else {
            unreachable!("the axis has three entries")
        };
        let attended = Tensor::f_scaled_dot_product_attention::<Tensor>(
            query, key, value, None, 0.0, false, None, false,
        )?;
        let attended = attended.f_transpose(1, 2)?.f_reshape([rows, patches, hidden])?;
        let branch = self.attention_out.forward(&[&attended])?;
        let tokens = tokens + activation.drop(branch, train)?;
        let normed = self.mlp_norm.forward(&tokens)?;
        let inner = activation.apply(self.mlp_in.forward(&[&normed])?, train)?;
        Ok(tokens + self.mlp_out.forward(&[&inner])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::tests::{rows, sizes};
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    fn patch(context: i64, heads: i64) -> Patch {
        let store = VarStore::new(Device::Cpu);
        let config =
            ModelConfig { hidden: 6, patch: 4, heads, dropout: 0.0, ..ModelConfig::default() };
        Patch::new(&store.root(), &config, &sizes(context, 1, 0)).unwrap()
    }

    #[test]
    fn a_window_is_filled_on_the_left_with_its_first_value() {
        let window = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([1, 1, 6, 1]);
        let cut = Vec::<f32>::try_from(patch(6, 2).cut(&window).unwrap().flatten(0, -1)).unwrap();
        assert_eq!(cut, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let whole = window.narrow(2, 1, 4);
        assert_eq!(patch(4, 2).cut(&whole).unwrap().size(), [1, 1, 1, 4]);
    }

    /// Oracle: softmax(Q Kᵀ / √d) V head by head, and both residual branches, written out.
    #[test]
    fn a_block_is_attention_and_a_hidden_layer_added_to_their_input() {
        let block = &patch(12, 2).blocks[0];
        let tokens = rows(&[5, 1, 3, 6], None).targets.squeeze_dim(1);
        let activation = Activation { nonlinear: true, dropout: 0.0 };
        let found = block.forward(tokens.shallow_clone(), 2, activation, true).unwrap();

        let norm = |x: &Tensor| {
            let mean = x.mean_dim(Some([-1i64].as_slice()), true, Kind::Float);
            let centered = x - mean;
            let variance = centered.square().mean_dim(Some([-1i64].as_slice()), true, Kind::Float);
            centered / (variance + 1e-5).sqrt()
        };
        let affine = |layer: &Linear, x: &Tensor| x.matmul(&layer.weight().tr()) + layer.bias();
        let parts = affine(&block.query_key_value, &norm(&tokens)).chunk(3, -1);
        let heads: Vec<Tensor> = (0..2)
            .map(|head| {
                let [q, k, v] = [0, 1, 2].map(|i: usize| parts[i].narrow(-1, 3 * head, 3));
                let scores = q.matmul(&k.transpose(1, 2)) / 3f64.sqrt();
                scores.softmax(-1, Kind::Float).matmul(&v)
            })
            .collect();
        let tokens = &tokens + affine(&block.attention_out, &Tensor::cat(&heads, -1));
        let inner = affine(&block.mlp_in, &norm(&tokens));
        let expected = &tokens + affine(&block.mlp_out, &(&inner * inner.sigmoid()));
        assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn a_patch_longer_than_the_context_is_refused() {
        let store = VarStore::new(Device::Cpu);
        let config = ModelConfig { patch: 5, ..ModelConfig::default() };
        assert!(Patch::new(&store.root(), &config, &sizes(5, 1, 0)).is_ok());
        let error = Patch::new(&store.root(), &config, &sizes(4, 1, 0)).unwrap_err().to_string();
        assert_eq!(error, "model.patch = 5 is out of range: it must be at most the context");
    }
}
