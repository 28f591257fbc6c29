//! Forward and backward of one batch for every kind and backbone, on one thread.
//!
//! The benchmark id holds the context and the number of parameters. Horizon 24, 7 independent channels,
//! batch 64: the rows of one batch are 448. Windows lie channel by channel, as crate `train` gathers them.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use objective::Family;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};
use vae::{
    BackboneKind, Channels, Inputs, Model, ModelConfig, ModelKind, Observation, Shape, Terms,
};

const HORIZON: i64 = 24;
const CHANNELS: i64 = 7;
const BATCH: i64 = 64;

struct Case {
    store: VarStore,
    model: Model,
    inputs: Inputs,
    target: Tensor,
    observed: Tensor,
}

impl Case {
    fn new(config: &ModelConfig, context: i64) -> Case {
        tch::manual_seed(7);
        let store = VarStore::new(Device::Cpu);
        let shape = Shape::new(context, HORIZON, CHANNELS);
        let model = Model::new(&store.root(), config, Family::Gaussian, shape)
            .expect("the benchmark's configs are valid");
        let randn = |steps| {
            Tensor::randn([BATCH, CHANNELS, steps], (Kind::Float, Device::Cpu)).transpose(1, 2)
        };
        let (context, target) = (randn(context), randn(HORIZON));
        let autoencode = config.kind == ModelKind::Autoencode;
        let observed = if autoencode { context.shallow_clone() } else { target.shallow_clone() };
        Case { store, model, inputs: Inputs::new(context), target, observed }
    }

    fn parameters(&self) -> usize {
        self.store.trainable_variables().iter().map(Tensor::numel).sum()
    }

    fn loss(&self) -> Tensor {
        let observation = Observation { values: &self.observed, noise: None, observed: None };
        let terms = self.model.terms(&self.inputs, Some(&self.target), observation, true);
        let Terms { log_likelihood, kl_groups } = terms.expect("inputs fit");
        let kl = kl_groups.iter().map(|kl| kl.sum(Kind::Float)).reduce(|a, b| a + b);
        (kl.expect("a model has a latent group") - log_likelihood.sum(Kind::Float)) / BATCH as f64
    }

    /// Eight latent dimensions and no dropout.
    fn plain() -> ModelConfig {
        ModelConfig { latent: 8, dropout: 0.0, ..ModelConfig::default() }
    }

    fn step(&self) {
        self.loss().backward();
        for mut parameter in self.store.trainable_variables() {
            parameter.zero_grad();
        }
    }
}

fn name(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn step(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    let kinds = [
        ModelKind::Autoencode,
        ModelKind::Predict,
        ModelKind::Conditional,
        ModelKind::Hierarchical,
    ];
    let backbones = [
        BackboneKind::Linear,
        BackboneKind::Mlp,
        BackboneKind::Gru,
        BackboneKind::Conv,
        BackboneKind::Patch,
    ];
    let mut group = criterion.benchmark_group("step");
    group.sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    group.warm_up_time(std::time::Duration::from_millis(300));
    for kind in kinds {
        for backbone in backbones {
            for context in [24, 96] {
                let config = ModelConfig { kind, backbone, ..Case::plain() };
                let case = Case::new(&config, context);
                let id = format!("{}/{} {context}", name(kind), name(backbone));
                let id = BenchmarkId::new(id, case.parameters());
                group.bench_function(id, |bencher| bencher.iter(|| case.step()));
            }
        }
    }
    let joint = ModelConfig { channels: Channels::Joint, ..Case::plain() };
    let case = Case::new(&joint, 96);
    let id = BenchmarkId::new("conditional/mlp joint", case.parameters());
    group.bench_function(id, |bencher| bencher.iter(|| case.step()));
    group.finish();
}

fn forecast(criterion: &mut Criterion) {
    let case = Case::new(&Case::plain(), 96);
    let id = BenchmarkId::new("conditional/mlp 100 samples", case.parameters());
    let mut group = criterion.benchmark_group("forecast");
    group.sample_size(10);
    group.bench_function(id, |bencher| {
        bencher.iter(|| tch::no_grad(|| case.model.sample(&case.inputs, 100)).expect("inputs fit"));
    });
    group.finish();
}

criterion_group!(benches, step, forecast);
criterion_main!(benches);
