//! Backbones, which turn a window into features.
//!
//! Windows come as rows: `G` is 1 where channels are joint and `C` where they are independent,
//! so that the same code serves both, and values that all channels share are computed once.

mod conv;
mod gru;
mod mlp;
mod patch;

use tch::Tensor;
use tch::nn::Path;

use crate::error::Result;
use crate::layer::{Activation, Part, part};
use crate::{BackboneKind, Channels, Inputs, ModelConfig, Shape};

use conv::Conv;
use gru::Gru;
use mlp::Mlp;
use patch::Patch;

/// Windows as rows.
///
/// # Shapes
/// `targets`: `[B, 1, L, C]` or `[B, C, L, 1]`; `extras`: `[B, 1, L, E]`.
pub(crate) struct Rows {
    pub(crate) targets: Tensor,
    pub(crate) extras: Option<Tensor>,
}

impl Rows {
    pub(crate) fn new(inputs: &Inputs, shape: &Shape, channels: Channels) -> Result<Rows> {
        let context = &inputs.context;
        let (targets, extras) = if shape.extras == 0 {
            (context.shallow_clone(), None)
        } else {
            let extras = context.f_narrow(2, shape.channels, shape.extras)?.f_unsqueeze(1)?;
            (context.f_narrow(2, 0, shape.channels)?, Some(extras))
        };
        let targets = match channels {
            Channels::Joint => targets.f_unsqueeze(1)?,
            Channels::Independent => targets.f_transpose(1, 2)?.f_contiguous()?.f_unsqueeze(-1)?,
        };
        Ok(Rows { targets, extras })
    }

    /// `[B, G]`.
    fn lead(&self) -> [i64; 2] {
        let size = self.targets.size();
        [size[0], size[1]]
    }

    /// Targets and extras side by side, folded into one batch: `[B·G, L, c + E]`.
    fn folded(&self) -> Result<Tensor> {
        let size = self.targets.size();
        let folded = [size[0] * size[1], size[2], -1];
        let Some(extras) = &self.extras else { return Ok(self.targets.f_reshape(folded)?) };
        let extras = extras.f_expand([size[0], size[1], size[2], -1], false)?;
        Ok(Tensor::f_cat(&[&self.targets, &extras], -1)?.f_reshape(folded)?)
    }
}

/// Sizes that a backbone is built for.
pub(crate) struct Sizes {
    /// Steps of the context.
    pub(crate) context: i64,
    /// Target channels per row, 1 or `C`.
    pub(crate) targets: i64,
    /// Extra channels.
    pub(crate) extras: i64,
    /// Static inputs of a row, known besides its window.
    pub(crate) statics: Vec<Part>,
}

impl Sizes {
    /// The parts of one step's input: targets, extras if any, then the statics.
    fn step_parts(&self, steps: i64) -> Vec<Part> {
        let mut parts = vec![part("targets", steps * self.targets)];
        if self.extras > 0 {
            parts.push(part("extras", steps * self.extras));
        }
        parts.extend(&self.statics);
        parts
    }
}

/// A backbone of any kind.
#[derive(Debug)]
pub(crate) enum Backbone {
    Mlp(Mlp),
    Gru(Gru),
    Conv(Conv),
    Patch(Patch),
}

impl Backbone {
    pub(crate) fn new(path: &Path, config: &ModelConfig, sizes: &Sizes) -> Result<Backbone> {
        Ok(match config.backbone {
            BackboneKind::Linear => Backbone::Mlp(Mlp::new(path, config, 1, sizes)?),
            BackboneKind::Mlp => Backbone::Mlp(Mlp::new(path, config, config.layers, sizes)?),
            BackboneKind::Gru => Backbone::Gru(Gru::new(path, config, sizes)?),
            BackboneKind::Conv => Backbone::Conv(Conv::new(path, config, sizes)?),
            BackboneKind::Patch => Backbone::Patch(Patch::new(path, config, sizes)?),
        })
    }

    /// Size of the features.
    pub(crate) fn features(&self, config: &ModelConfig) -> i64 {
        match self {
            // The last step and the mean over time, side by side.
            Backbone::Conv(_) => 2 * config.hidden,
            Backbone::Mlp(_) | Backbone::Gru(_) | Backbone::Patch(_) => config.hidden,
        }
    }

    /// # Shapes
    /// `statics`: each broadcastable to `[B, G, size]`. Returns `[B, G, features]`.
    pub(crate) fn forward(&self, rows: &Rows, statics: &[&Tensor], train: bool) -> Result<Tensor> {
        match self {
            Backbone::Mlp(net) => net.forward(rows, statics, train),
            Backbone::Gru(net) => net.forward(rows, statics, train),
            Backbone::Conv(net) => net.forward(rows, statics, train),
            Backbone::Patch(net) => net.forward(rows, statics, train),
        }
    }
}

fn activation(config: &ModelConfig) -> Activation {
    Activation { nonlinear: config.nonlinear(), dropout: config.dropout }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    pub(super) fn sizes(context: i64, targets: i64, extras: i64) -> Sizes {
        Sizes { context, targets, extras, statics: Vec::new() }
    }

    pub(super) fn rows(targets: &[i64], extras: Option<&[i64]>) -> Rows {
        let randn = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        Rows { targets: randn(targets), extras: extras.map(randn) }
    }

    /// Oracle: entry by entry, `row (b, c)` holds channel `c` of window `b`, then the extras.
    #[test]
    fn rows_hold_what_they_say() {
        let shape =
            Shape { context: 4, horizon: 1, channels: 3, extras: 2, future: 0, seasonal: 0 };
        let context = Tensor::arange(2 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 4, 5]);
        let inputs = Inputs::new(context.shallow_clone());
        let independent =
            Rows::new(&inputs, &shape, Channels::Independent).unwrap().folded().unwrap();
        let joint = Rows::new(&inputs, &shape, Channels::Joint).unwrap().folded().unwrap();
        assert_eq!(independent.size(), [6, 4, 3]);
        assert_eq!(joint, context);
        for (b, l, c) in [(0, 0, 0), (1, 2, 1), (1, 3, 2)] {
            let at = |i: i64| context.double_value(&[b, l, i]);
            let row = 3 * b + c;
            assert_eq!(independent.double_value(&[row, l, 0]), at(c));
            assert_eq!(independent.double_value(&[row, l, 1]), at(3));
            assert_eq!(independent.double_value(&[row, l, 2]), at(4));
        }
    }
}
