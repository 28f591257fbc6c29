//! Determinism under a seed. The generator belongs to the process, so this test has one of its own.

use objective::Family;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use vae::{BackboneKind, Inputs, Model, ModelConfig, ModelKind, Shape};

#[test]
fn one_seed_one_model_one_forecast() {
    let shape = Shape::new(12, 4, 2);
    let run = |seed, kind, backbone| {
        tch::manual_seed(seed);
        let config = ModelConfig {
            kind,
            backbone,
            latent: 8,
            hidden: 8,
            patch: 4,
            ..ModelConfig::default()
        };
        let store = VarStore::new(Device::Cpu);
        let model = Model::new(&store.root(), &config, Family::StudentT, shape).unwrap();
        let x = Inputs::new(Tensor::ones([3, 12, 2], (Kind::Float, Device::Cpu)));
        model.sample(&x, 5).unwrap()
    };
    for kind in [ModelKind::Predict, ModelKind::Conditional, ModelKind::Hierarchical] {
        for backbone in
            [BackboneKind::Mlp, BackboneKind::Gru, BackboneKind::Conv, BackboneKind::Patch]
        {
            let first = run(7, kind, backbone);
            assert_eq!(first, run(7, kind, backbone), "{kind:?} {backbone:?}");
            assert_ne!(first, run(8, kind, backbone), "{kind:?} {backbone:?}");
        }
    }
}
