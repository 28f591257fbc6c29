//! Forward diffusion against `x + noise` of the same size, the floor that memory sets.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group};
use noise::{Coherent, Diffuser, Marginals, Normalization, Reinjection, Schedule, Windows};
use tch::{Device, Kind, Tensor};

/// A window batch as users train on, and one that no cache holds.
const SHAPES: [[i64; 3]; 2] = [[64, 120, 7], [4096, 512, 32]];

fn diffusion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diffusion");
    for shape in SHAPES {
        let id = |name: &str| BenchmarkId::new(name, format!("{shape:?}"));
        let Setup { x0, noise, t, diffuser } = setup(shape);
        group.sample_size(if x0.numel() > 1_000_000 { 10 } else { 100 });
        group.bench_function(id("floor: x + noise"), |b| b.iter(|| &x0 + &noise));
        group.bench_function(id("apply"), |b| b.iter(|| apply(&diffuser, &x0, &t, &noise)));
        group.bench_function(id("floor: x + randn"), |b| b.iter(|| &x0 + x0.randn_like()));
        group.bench_function(id("apply_drawn"), |b| b.iter(|| draw(&diffuser, &x0, &t)));
    }
    group.finish();
}

/// Prints each cost over its floor, the two measured in turns so that other load hits both.
#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn ratios() {
    for shape in SHAPES {
        let Setup { x0, noise, t, diffuser } = setup(shape);
        let rounds = if x0.numel() > 1_000_000 { 15 } else { 3000 };
        let given = least_ratio(rounds, || &x0 + &noise, || apply(&diffuser, &x0, &t, &noise));
        let drawn = least_ratio(rounds, || &x0 + x0.randn_like(), || draw(&diffuser, &x0, &t));
        println!("{shape:?}: apply / (x + noise) = {given:.2}");
        println!("{shape:?}: apply_drawn / (x + randn) = {drawn:.2}");
    }
}

/// The least time of `cost` over the least time of `floor`.
fn least_ratio(rounds: usize, floor: impl Fn() -> Tensor, cost: impl Fn() -> Tensor) -> f64 {
    let seconds = |f: &dyn Fn() -> Tensor| {
        let start = Instant::now();
        drop(black_box(f()));
        start.elapsed().as_secs_f64()
    };
    let mut least = [f64::INFINITY; 2];
    for _ in 0..rounds {
        least[0] = least[0].min(seconds(&floor));
        least[1] = least[1].min(seconds(&cost));
    }
    least[1] / least[0]
}

struct Setup {
    x0: Tensor,
    noise: Tensor,
    t: Tensor,
    diffuser: Diffuser,
}

fn setup(shape: [i64; 3]) -> Setup {
    tch::manual_seed(7);
    let schedule = Schedule::linear(100, 1e-4, 0.1).expect("legal");
    let process = Reinjection::new(schedule, 1.0, Normalization::Variance).expect("legal");
    let x0 = Tensor::randn(shape, (Kind::Float, Device::Cpu));
    Setup {
        noise: x0.randn_like(),
        t: Tensor::randint_low(1, 101, [shape[0]], (Kind::Int64, Device::Cpu)),
        diffuser: Diffuser::new(&process, Device::Cpu, Kind::Float).expect("on the CPU"),
        x0,
    }
}

fn apply(diffuser: &Diffuser, x0: &Tensor, t: &Tensor, noise: &Tensor) -> Tensor {
    diffuser.apply(x0, t, noise).expect("the tensors fit")
}

fn draw(diffuser: &Diffuser, x0: &Tensor, t: &Tensor) -> Tensor {
    diffuser.apply_drawn(x0, t).expect("the tensors fit")
}

/// Prints the cost of coherent noise over that of white noise on context and target, for batches as users train on.
#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn coherent_ratios() {
    for shape in [[64, 35, 4], [64, 120, 7]] {
        let Setup { x0, t, diffuser, .. } = setup(shape);
        let white = || draw(&diffuser, &x0, &t);
        let channels = x0.permute([2, 0, 1]).reshape([shape[2], -1]);
        for (text, knots) in [
            ("shape = 'window'", None),
            ("shape = 'gaussian'", None),
            ("shape = 'gaussian'\nspace = 'normal-scores'", None),
            ("shape = 'gaussian'\nspace = 'normal-scores'", Some(512)),
        ] {
            let noise = toml::from_str(&format!("schedule = 'linear'\n{text}")).expect("legal");
            let coherent = Coherent::new(&noise, Device::Cpu, Kind::Float).expect("on the CPU");
            let coherent = match knots {
                None => coherent,
                Some(knots) => {
                    let marginals = Marginals::fit(&channels, None).expect("a table");
                    coherent.with_marginals(marginals.thinned(knots).expect("two or more"))
                }
            };
            let noised = || coherent.apply_drawn(Windows::new(&x0), &t).expect("the tensors fit");
            let start = Instant::now();
            (0..200).for_each(|_| drop(black_box(noised())));
            let micros = start.elapsed().as_micros() / 200;
            let ratio = least_ratio(500, white, noised);
            let text = text.replace('\n', ", ");
            println!(
                "{shape:?}: {text}, fixed table {knots:?}: {ratio:.2} of white noise, {micros} µs"
            );
        }
    }
}

criterion_group!(benches, diffusion);

fn main() {
    benches();
    coherent_ratios();
    ratios();
    Criterion::default().configure_from_args().final_summary();
}
