//! Models and windows for the tests.

use objective::Family;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use vae::{BackboneKind, Channels, Inputs, Model, ModelConfig, ModelKind, Shape};

pub(crate) const KINDS: [ModelKind; 4] =
    [ModelKind::Autoencode, ModelKind::Predict, ModelKind::Conditional, ModelKind::Hierarchical];
pub(crate) const BACKBONES: [BackboneKind; 5] = [
    BackboneKind::Linear,
    BackboneKind::Mlp,
    BackboneKind::Gru,
    BackboneKind::Conv,
    BackboneKind::Patch,
];
pub(crate) const LAYOUTS: [Channels; 2] = [Channels::Joint, Channels::Independent];

/// A small model of each combination: two groups, two layers, a patch that does not divide the context.
pub(crate) fn small(kind: ModelKind, backbone: BackboneKind, channels: Channels) -> ModelConfig {
    ModelConfig {
        kind,
        backbone,
        channels,
        latent: 3,
        hidden: 8,
        layers: 2,
        decoder_layers: 2,
        channel_embedding: 2,
        patch: 4,
        heads: 2,
        noise_conditioning: true,
        dropout: 0.0,
        ..ModelConfig::default()
    }
}

/// Every kind with every backbone and layout.
pub(crate) fn combinations() -> impl Iterator<Item = ModelConfig> {
    KINDS.into_iter().flat_map(|kind| {
        BACKBONES.into_iter().flat_map(move |backbone| {
            LAYOUTS.into_iter().map(move |channels| small(kind, backbone, channels))
        })
    })
}

/// A shape with everything: three channels, two extras, one covariate known ahead.
pub(crate) const FULL: Shape =
    Shape { context: 10, horizon: 5, channels: 3, extras: 2, future: 1, seasonal: 0 };

pub(crate) struct Built {
    pub(crate) store: VarStore,
    pub(crate) model: Model,
}

pub(crate) fn build(config: &ModelConfig, family: Family, shape: Shape) -> Built {
    let store = VarStore::new(Device::Cpu);
    let model = Model::new(&store.root(), config, family, shape).unwrap();
    Built { store, model }
}

pub(crate) fn randn(size: &[i64]) -> Tensor {
    Tensor::randn(size, (Kind::Float, Device::Cpu))
}

pub(crate) fn inputs(shape: Shape, batch: i64) -> Inputs {
    let Shape { context, horizon, channels, extras, future, .. } = shape;
    let inputs =
        Inputs::new(randn(&[batch, context, channels + extras])).with_level(randn(&[batch]).abs());
    if future == 0 {
        return inputs;
    }
    inputs.with_future(randn(&[batch, horizon, future]))
}

pub(crate) fn target(shape: Shape, batch: i64) -> Tensor {
    randn(&[batch, shape.horizon, shape.channels])
}

/// Noise for every group, so that two passes can be compared.
pub(crate) fn noise(model: &Model, batch: i64) -> Vec<Tensor> {
    (0..model.groups()).map(|_| randn(&[batch, model.latent_dims()])).collect()
}

pub(crate) fn gap(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}
