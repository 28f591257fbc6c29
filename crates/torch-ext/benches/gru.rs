//! Forward and backward of one GRU layer on one thread, ours and ATen's.
//!
//! The benchmark id holds the batch, the steps and the hidden units. One input, the loss on the last state.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tch::{Device, Kind, Tensor};

fn layer(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    tch::manual_seed(7);
    let randn = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let mut group = criterion.benchmark_group("gru");
    group.sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    group.warm_up_time(std::time::Duration::from_millis(300));
    for (batch, steps, hidden) in [
        (64, 24, 64),
        (64, 96, 64),
        (64, 24, 128),
        (64, 96, 128),
        (448, 24, 64),
        (448, 96, 64),
        (448, 24, 128),
        (448, 96, 128),
    ] {
        let input = randn(&[batch, steps, 1]);
        let start = Tensor::zeros([1, batch, hidden], (Kind::Float, Device::Cpu));
        let shapes =
            [vec![3 * hidden, 1], vec![3 * hidden, hidden], vec![3 * hidden], vec![3 * hidden]];
        let weights = shapes.map(|shape| (randn(&shape) * 0.1).set_requires_grad(true));
        let size = format!("B{batch} L{steps} H{hidden}");
        let mut measure = |name: &str, forward: &dyn Fn() -> Tensor| {
            group.bench_function(BenchmarkId::new(name, &size), |bencher| {
                bencher.iter(|| {
                    let loss = forward().square().sum(Kind::Float);
                    Tensor::run_backward(&[loss], &weights, false, false)
                });
            });
        };
        measure("fused", &|| {
            torch_ext::gru(&input, &start, &weights, 0.0, true).expect("shapes fit").1
        });
        measure("aten", &|| input.gru(&start, &weights, true, 1, 0.0, true, false, true).1);
    }
    group.finish();
}

criterion_group!(benches, layer);
criterion_main!(benches);
