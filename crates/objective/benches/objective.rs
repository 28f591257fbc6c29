//! Time of the divergences, the bound, the likelihoods and the scores at the sizes of a training step.
//!
//! `cargo bench -p objective`; each group's name holds the batch, each id the dimension. Backward passes are
//! included where training needs them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use objective::elbo::{FreeBits, sum_over_target};
use objective::score::{PairEstimator, crps, energy_score, window_scores};
use objective::{DiagonalGaussian, Elbo, FullGaussian, Gaussian, Likelihood};
use tch::{Device, Kind, Tensor};

const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

fn leaf(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, F32).set_requires_grad(true)
}

fn divergences(criterion: &mut Criterion) {
    tch::manual_seed(7);
    let mut group = criterion.benchmark_group("kl, batch 64, forward and backward");
    for z in [8, 32] {
        let laws = || -> [(&str, Gaussian); 2] {
            let packed = leaf(&[64, FullGaussian::packed_len(z)]) * 0.1;
            [
                ("diagonal", DiagonalGaussian::new(leaf(&[64, z]), leaf(&[64, z])).unwrap().into()),
                ("full", FullGaussian::new(leaf(&[64, z]), &packed).unwrap().into()),
            ]
        };
        let (q, p) = (laws(), laws());
        for (name, q) in &q {
            group.bench_function(BenchmarkId::new(format!("{name} to standard"), z), |bencher| {
                bencher.iter(|| gradient(&q.kl_to_standard(), q.mean()));
            });
            for (other, p) in &p {
                group.bench_function(
                    BenchmarkId::new(format!("{name} to {other}"), z),
                    |bencher| {
                        bencher.iter(|| gradient(&q.kl(p).unwrap(), q.mean()));
                    },
                );
            }
        }
    }
    group.finish();
}

/// The gradient of the sum with respect to one leaf; the graph is kept.
fn gradient(values: &Tensor, leaf: &Tensor) -> Vec<Tensor> {
    black_box(Tensor::run_backward(&[values.sum(Kind::Float)], &[leaf], true, false))
}

fn bounds(criterion: &mut Criterion) {
    tch::manual_seed(7);
    let mut group =
        criterion.benchmark_group("elbo, batch 64, horizon 24, 7 channels, forward and backward");
    let (loc, log_scale, log_excess) = (leaf(&[64, 24, 7]), leaf(&[64, 24, 7]), leaf(&[7]));
    let y = Tensor::randn([64, 24, 7], F32);
    let (signal, noise) = (Tensor::rand([64, 1, 1], F32) + 0.5, Tensor::rand([64, 1, 1], F32));
    let q = DiagonalGaussian::new(leaf(&[64, 8]), leaf(&[64, 8])).unwrap();
    let law = |name: &str| {
        let (loc, log_scale) = (loc.shallow_clone(), log_scale.shallow_clone());
        match name {
            "gaussian" => Likelihood::gaussian(loc, log_scale),
            "laplace" => Likelihood::laplace(loc, log_scale),
            _ => Likelihood::student_t(loc, log_scale, log_excess.shallow_clone()),
        }
        .unwrap()
    };
    for name in ["gaussian", "laplace", "student-t"] {
        for noised in [false, true] {
            let id = BenchmarkId::new(name, if noised { "noised" } else { "clean" });
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let log_prob = if noised {
                        law(name).log_prob_noised(&y, &signal, &noise).unwrap()
                    } else {
                        law(name).log_prob(&y).unwrap()
                    };
                    let likelihood = sum_over_target(&log_prob, None).unwrap();
                    let kl = q.kl_to_standard_per_dim();
                    let elbo = Elbo::new(likelihood, vec![kl], 1.0, FreeBits::None).unwrap();
                    black_box(Tensor::run_backward(
                        &[elbo.loss()],
                        &[&loc, &log_scale],
                        false,
                        false,
                    ))
                });
            });
        }
    }
    group.finish();
}

fn scores(criterion: &mut Criterion) {
    tch::manual_seed(7);
    let mut group = criterion.benchmark_group("scores, 30 windows, horizon 24, 7 channels");
    let truth = Tensor::randn([30, 24, 7], F32);
    for s in [100, 1000] {
        let samples = Tensor::randn([s, 30, 24, 7], F32);
        group.bench_function(BenchmarkId::new("crps", s), |bencher| {
            bencher.iter(|| black_box(crps(&samples, &truth, PairEstimator::Fair).unwrap()));
        });
        group.bench_function(BenchmarkId::new("window scores", s), |bencher| {
            bencher.iter(|| black_box(window_scores(&samples, &truth, None).unwrap()));
        });
        group.bench_function(BenchmarkId::new("energy score", s), |bencher| {
            bencher
                .iter(|| black_box(energy_score(&samples, &truth, PairEstimator::Fair).unwrap()));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    targets = divergences, bounds, scores
}
criterion_main!(benches);
