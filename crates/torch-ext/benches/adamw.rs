//! One clipped optimizer step on one thread: the fused kernel against operations of tch.
//!
//! The benchmark id holds the number of parameters. Neither skips a step; the fused one also
//! looks for gradients that are not finite.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tch::{Device, Kind, Tensor, no_grad};
use torch_ext::{AdamWSettings, FusedAdamW, Guard};

const RATE: f64 = 1e-3;
const DECAY: f64 = 0.01;
const CLIP: f64 = 1.0;

/// The update as `train` writes it with operations of tch.
struct Operations {
    first: Tensor,
    second: Tensor,
    step: i32,
}

impl Operations {
    fn step(&mut self, parameters: &mut Tensor, gradient: &mut Tensor) {
        self.step += 1;
        let correction_1 = 1.0 - 0.9_f64.powi(self.step);
        let correction_2 = 1.0 - 0.999_f64.powi(self.step);
        no_grad(|| {
            let norm = gradient.norm();
            let _ = gradient.g_mul_(&(CLIP / norm).clamp_max(1.0));
            let _ = self.first.lerp_(gradient, 0.1);
            let _ = self.second.lerp_(&gradient.square(), 0.001);
            let mut update = (&self.second / correction_2).sqrt_();
            let _ = update.g_add_scalar_(1e-8);
            let mut update = &self.first / update;
            let _ = update.g_mul_scalar_(-RATE / correction_1);
            let _ = parameters.g_mul_scalar_(1.0 - RATE * DECAY);
            let _ = parameters.g_add_(&update);
        });
    }
}

fn fused(optimizer: &mut FusedAdamW, parameters: &Tensor, gradients: &Tensor) {
    let norm = gradients.norm();
    let found_inf = norm.isfinite().logical_not();
    let scale = (norm / CLIP).clamp_min(1.0);
    let guard = Guard { grad_scale: Some(&scale), found_inf: Some(&found_inf) };
    optimizer.step(parameters, gradients, RATE, guard).expect("tensors fit");
}

fn step(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(7);
    let mut group = criterion.benchmark_group("adamw");
    group.sample_size(50).measurement_time(std::time::Duration::from_secs(2));
    group.warm_up_time(std::time::Duration::from_millis(300));
    for count in [10_000, 200_000, 1_000_000] {
        let options = (Kind::Float, Device::Cpu);
        let mut parameters = Tensor::randn([count], options);
        let mut gradients = Tensor::randn([count], options);
        let settings = AdamWSettings {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: DECAY,
            decayed: count * 9 / 10,
        };
        let mut optimizer = FusedAdamW::new(&parameters, settings).expect("settings are valid");
        group.bench_function(BenchmarkId::new("fused", count), |bencher| {
            bencher.iter(|| fused(&mut optimizer, &parameters, &gradients));
        });
        let mut operations =
            Operations { first: parameters.zeros_like(), second: parameters.zeros_like(), step: 0 };
        group.bench_function(BenchmarkId::new("operations of tch", count), |bencher| {
            bencher.iter(|| operations.step(&mut parameters, &mut gradients));
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
