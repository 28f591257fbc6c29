//! The distribution of noised batches: moments, and the theorem by sampling.

use noise::{Diffuser, ImpliedDensity, Normalization, Reinjection, Schedule, StepDistribution};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};

fn normal(rng: &mut StdRng, n: usize) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

/// Two lumps of unequal weight: nothing a Gaussian could be mistaken for.
fn lumps(rng: &mut StdRng, n: usize) -> Vec<f64> {
    (0..n)
        .map(|_| {
            let noise: f64 = StandardNormal.sample(rng);
            if rng.random_bool(0.3) { 2.0 + 0.1 * noise } else { -0.5 + 0.2 * noise }
        })
        .collect()
}

/// `x̃_t` at the steps `t` by the crate, with noise from `rng`.
fn noised(process: &Reinjection, x0: &[f64], t: &[i64], rng: &mut StdRng) -> Vec<f64> {
    let diffuser = Diffuser::new(process, Device::Cpu, Kind::Double).unwrap();
    let noise = Tensor::from_slice(&normal(rng, x0.len()));
    let xt = diffuser.apply(&Tensor::from_slice(x0), &Tensor::from_slice(t), &noise).unwrap();
    Vec::try_from(&xt).unwrap()
}

/// Plain diffusion at a share of signal, by hand.
fn plain(alpha_bar: f64, x0: &[f64], rng: &mut StdRng) -> Vec<f64> {
    let noise = normal(rng, x0.len());
    x0.iter().zip(noise).map(|(x, e)| alpha_bar.sqrt() * x + (1.0 - alpha_bar).sqrt() * e).collect()
}

/// Two-sample Kolmogorov–Smirnov statistic, scaled: above 1.95 with probability 0.001 if equal
/// (Smirnov 1948; the limit law is 2 Σ (−1)^{k−1} exp(−2 k² x²)).
fn kolmogorov_smirnov(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut gap) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        if a[i] <= b[j] {
            i += 1
        } else {
            j += 1
        }
        gap = gap.max((i as f64 / n - j as f64 / m).abs());
    }
    gap * (n * m / (n + m)).sqrt()
}

/// Oracle: for x_0 ~ N(0, 1) mean 0, variance a² + s², covariance a; the standard errors of n
/// Gaussian draws are σ/√n, σ²√(2/n) and √((σ_x² σ_y² + cov²)/n).
#[test]
fn moments_are_those_of_the_formula() {
    let n = 200_000;
    for (i, normalization) in [Normalization::None, Normalization::Signal, Normalization::Variance]
        .into_iter()
        .enumerate()
    {
        let schedule = Schedule::linear(100, 1e-4, 0.1).unwrap();
        let (alpha_bar, t) = (schedule.alpha_bar()[60], vec![60_i64; n]);
        let process = Reinjection::new(schedule, 0.7, normalization).unwrap();
        let (mut a, mut s) = (alpha_bar.sqrt() + 0.7, (1.0 - alpha_bar).sqrt());
        let divisor = [1.0, a, a.hypot(s)][i];
        a /= divisor;
        s /= divisor;
        let mut rng = StdRng::seed_from_u64(11 + i as u64);
        let x0 = normal(&mut rng, n);
        let xt = noised(&process, &x0, &t, &mut rng);
        let count = n as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / count;
        let covariance = |v: &[f64], w: &[f64]| {
            let (mv, mw) = (mean(v), mean(w));
            v.iter().zip(w).map(|(v, w)| (v - mv) * (w - mw)).sum::<f64>() / (count - 1.0)
        };
        let variance = a * a + s * s;
        let z = [
            mean(&xt) / (variance / count).sqrt(),
            (covariance(&xt, &xt) - variance) / (variance * (2.0 / count).sqrt()),
            (covariance(&xt, &x0) - a) / ((variance + a * a) / count).sqrt(),
        ];
        assert!(z.iter().all(|z| z.abs() < 4.0), "{normalization:?}: {z:?} standard errors");
    }
}

#[test]
fn drawn_noise_has_the_variance_it_promises() {
    let (n, steps) = (100_000_i64, [1_i64, 30, 100]);
    let process = Reinjection::plain(Schedule::cosine(100).unwrap());
    let diffuser = Diffuser::new(&process, Device::Cpu, Kind::Float).unwrap();
    let zeros = Tensor::zeros([n, 2], (Kind::Float, Device::Cpu));
    for t in steps {
        let xt = diffuser
            .apply_drawn(&zeros, &Tensor::full([n], t, (Kind::Int64, Device::Cpu)))
            .unwrap();
        let expected = process.schedule().noise_variance()[t as usize];
        let error = expected * (2.0 / (2 * n) as f64).sqrt();
        let z = (xt.var(true).double_value(&[]) - expected) / error;
        assert!(z.abs() < 5.0, "t = {t}: variance is {z:.1} standard errors off");
        let z = xt.mean(Kind::Double).double_value(&[]) / (expected / (2 * n) as f64).sqrt();
        assert!(z.abs() < 5.0, "t = {t}: mean is {z:.1} standard errors off");
        let (left, right) = (xt.select(1, 0), xt.select(1, 1));
        let z = (left * right).mean(Kind::Double).double_value(&[]) / expected * (n as f64).sqrt();
        assert!(z.abs() < 5.0, "t = {t}: channels are correlated, {z:.1} standard errors");
    }
}

/// The theorem: x̃_t and x_τ(t) have one distribution, jointly with x_0.
#[test]
fn reinjected_and_plain_at_the_equivalent_step_are_one_distribution() {
    let n = 40_000;
    let mut seed = 100;
    for schedule in [Schedule::linear(100, 1e-4, 0.1).unwrap(), Schedule::jsd(50).unwrap()] {
        for strength in [0.3, 1.0, 2.5] {
            let process =
                Reinjection::new(schedule.clone(), strength, Normalization::Variance).unwrap();
            for t in [process.steps() / 3, process.steps()] {
                seed += 1;
                let mut rng = StdRng::seed_from_u64(seed);
                let (x0, other) = (lumps(&mut rng, n), lumps(&mut rng, n));
                let ours = noised(&process, &x0, &vec![t as i64; n], &mut rng);
                let tau = process.equivalent_step()[t];
                let theirs = plain(schedule.alpha_bar_at(tau).unwrap(), &other, &mut rng);
                // The law of (x_0, x̃): equal on lines through it (Cramér & Wold 1936).
                for c in [0.0, 0.5, -1.5] {
                    let line =
                        |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| y + c * x).collect();
                    let d = kolmogorov_smirnov(line(&x0, &ours), line(&other, &theirs));
                    assert!(d < 2.3, "λ = {strength}, t = {t}, c = {c}: KS {d:.2}");
                }
                let at_t = plain(schedule.alpha_bar()[t], &other, &mut rng);
                let d = kolmogorov_smirnov(ours, at_t);
                assert!(d > 3.0, "the test has no power: KS {d:.2} against plain x_t");
            }
        }
    }
}

/// The theorem for the mixture that training sees: t uniform, against τ drawn from its atoms.
#[test]
fn uniform_steps_with_reinjection_are_plain_diffusion_under_the_push_forward() {
    let n = 60_000;
    let schedule = Schedule::linear(100, 1e-4, 0.1).unwrap();
    let process = Reinjection::new(schedule.clone(), 1.0, Normalization::Variance).unwrap();
    let uniform = StepDistribution::uniform(&process);
    let atoms: Vec<(f64, f64)> = ImpliedDensity::new(&process, &uniform).unwrap().atoms().collect();
    let mut rng = StdRng::seed_from_u64(5);
    let (x0, other) = (lumps(&mut rng, n), lumps(&mut rng, n));
    let t: Vec<i64> = (0..n).map(|_| rng.random_range(1..=100)).collect();
    let ours = noised(&process, &x0, &t, &mut rng);
    let theirs: Vec<f64> = (other.iter())
        .map(|&x| {
            let (mut u, mut tau): (f64, f64) = (rng.random(), 0.0);
            for &(at, p) in &atoms {
                tau = at;
                u -= p;
                if u < 0.0 {
                    break;
                }
            }
            plain(schedule.alpha_bar_at(tau).unwrap(), &[x], &mut rng)[0]
        })
        .collect();
    let d = kolmogorov_smirnov(ours.clone(), theirs);
    assert!(d < 1.95, "KS {d:.2}");

    let without = Reinjection::plain(schedule);
    let d = kolmogorov_smirnov(ours, noised(&without, &other, &t, &mut rng));
    assert!(d > 3.0, "the test has no power: KS {d:.2} against uniform steps without re-injection");
}
