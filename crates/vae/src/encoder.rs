//! The encoder, which turns a window, and everything else that is known about it, into features.

use tch::Tensor;
use tch::nn::{Init, Path};

use crate::backbone::{Backbone, Rows, Sizes};
use crate::error::Result;
use crate::layer::{Linear, Part, part};
use crate::{Channels, Inputs, ModelConfig, ModelKind, Shape};

/// Sources of a row's static inputs, and the backbone that reads them with its window.
#[derive(Debug)]
pub(crate) struct Encoder {
    channel: Option<Tensor>,
    future: Option<Linear>,
    level: bool,
    backbone: Backbone,
    /// Size of the features.
    pub(crate) features: i64,
    channels: Channels,
    shape: Shape,
}

/// Static inputs of a row, known besides its window; each broadcasts to `[B, G, size]`.
pub(crate) struct Statics {
    channel: Option<Tensor>,
    future: Option<Tensor>,
    level: Option<Tensor>,
}

impl Statics {
    /// All of them, for the encoder.
    fn all(&self) -> Vec<&Tensor> {
        [&self.channel, &self.future, &self.level].into_iter().flatten().collect()
    }

    /// Those that do not describe the noised window, for a decoder that sees `z` only.
    pub(crate) fn exogenous(&self) -> Vec<&Tensor> {
        [&self.channel, &self.future].into_iter().flatten().collect()
    }
}

impl Encoder {
    pub(crate) fn new(path: &Path, config: &ModelConfig, shape: &Shape) -> Result<Encoder> {
        let independent = config.channels == Channels::Independent;
        let channel = if independent && config.channel_embedding > 0 {
            let size = [shape.channels, config.channel_embedding];
            let init = Init::Randn { mean: 0.0, stdev: 1.0 };
            Some((path / "channel").f_var("embedding", &size, init)?)
        } else {
            None
        };
        let future = if shape.future > 0 && config.kind != ModelKind::Autoencode {
            // All channels share it, so it is mapped once per example.
            let flat = [part("future", shape.horizon * shape.future)];
            Some(Linear::new(&(path / "future"), &flat, config.hidden, 1.0)?)
        } else {
            None
        };
        let level = config.noise_conditioning;
        let mut statics = exogenous_parts(&channel, &future, config.hidden);
        if level {
            statics.push(part("level", 1));
        }
        let targets = if independent { 1 } else { shape.channels };
        let sizes = Sizes { context: shape.context, targets, extras: shape.extras, statics };
        let backbone = Backbone::new(&(path / "encoder"), config, &sizes)?;
        let features = backbone.features(config);
        let (channels, shape) = (config.channels, *shape);
        Ok(Encoder { channel, future, level, backbone, features, channels, shape })
    }

    /// The parts of [`Statics::exogenous`].
    pub(crate) fn exogenous_parts(&self, config: &ModelConfig) -> Vec<Part> {
        exogenous_parts(&self.channel, &self.future, config.hidden)
    }

    /// The static inputs of a batch; a missing level means clean.
    pub(crate) fn statics(&self, inputs: &Inputs) -> Result<Statics> {
        let channel = self.channel.as_ref().map(Tensor::shallow_clone);
        let future = match (&self.future, &inputs.future) {
            (Some(map), Some(future)) => {
                Some(map.forward(&[&future.f_flatten(1, 2)?.f_unsqueeze(1)?])?)
            }
            _ => None,
        };
        let level = match (self.level, &inputs.level) {
            (false, _) => None,
            (true, Some(level)) => Some(level.f_view([-1, 1, 1])?),
            (true, None) => {
                let context = &inputs.context;
                Some(Tensor::f_zeros([1, 1, 1], (context.kind(), context.device()))?)
            }
        };
        Ok(Statics { channel, future, level })
    }

    /// Features of the window, `[B, G, features]`.
    pub(crate) fn features(
        &self,
        inputs: &Inputs,
        statics: &Statics,
        train: bool,
    ) -> Result<Tensor> {
        let rows = Rows::new(inputs, &self.shape, self.channels)?;
        self.backbone.forward(&rows, &statics.all(), train)
    }
}

fn exogenous_parts(channel: &Option<Tensor>, future: &Option<Linear>, hidden: i64) -> Vec<Part> {
    let channel = channel.as_ref().map(|embedding| part("channel", embedding.size()[1]));
    let future = future.as_ref().map(|_| part("future", hidden));
    channel.into_iter().chain(future).collect()
}
