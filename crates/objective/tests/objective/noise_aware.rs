//! Laws that a decoder learns from noised targets: with the noise-aware likelihood the clean law, with the
//! direct one a shrunk mean and a variance that includes the noise.

use objective::{Family, Likelihood};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, Exp1, StandardNormal, StudentT};
use tch::nn::{self, OptimizerConfig};
use tch::{Device, Kind, Tensor};

/// Signal and noise of a strong linear schedule (β from 1e-4 to 0.1 in 100 steps, ᾱ_T = 0.006), one step
/// per row; `reinject` is λ.
fn steps(seed: u64, n: i64, reinject: f64) -> (Tensor, Tensor) {
    let mut alpha_bar = vec![1.0];
    for t in 0..100 {
        alpha_bar.push(alpha_bar[t] * (1.0 - (1e-4 + (0.1 - 1e-4) * t as f64 / 99.0)));
    }
    let mut generator = StdRng::seed_from_u64(seed);
    let drawn: Vec<f64> = (0..n).map(|_| alpha_bar[generator.random_range(0..=100)]).collect();
    let drawn = Tensor::from_slice(&drawn).unsqueeze(-1);
    let noise = (1.0f64 - &drawn).sqrt();
    (drawn.sqrt() + reinject, noise)
}

/// A law with three elements; its parameters are the rows of `[2 or 3, 3]`.
fn law(family: Family, parameters: &Tensor) -> Likelihood {
    let row = |i: i64| parameters.select(-2, i);
    match family {
        Family::Gaussian => Likelihood::gaussian(row(0), row(1)),
        Family::Laplace => Likelihood::laplace(row(0), row(1)),
        Family::StudentT => Likelihood::student_t(row(0), row(1), row(2)),
    }
    .unwrap()
}

/// Independent draws `[n, 3]` of the standardized family, from a generator of their own.
fn draws(seed: u64, n: i64, family: Family) -> Tensor {
    let mut generator = StdRng::seed_from_u64(seed);
    let student = StudentT::new(2.0 + 2.0).unwrap();
    let drawn: Vec<f64> = (0..3 * n)
        .map(|_| match family {
            Family::Gaussian => generator.sample(StandardNormal),
            Family::Laplace => generator.sample::<f64, _>(Exp1) - generator.sample::<f64, _>(Exp1),
            Family::StudentT => student.sample(&mut generator),
        })
        .collect();
    Tensor::from_slice(&drawn).view([n, 3])
}

/// True parameters: location, log scale, and for Student's t `ln(ν − 2)`.
fn truth(family: Family) -> Tensor {
    let rows = [2.0, -1.0, 0.5, 0.3f64.ln(), 0.0, 1.5f64.ln(), 2f64.ln(), 2f64.ln(), 2f64.ln()];
    let count = if family == Family::StudentT { 3 } else { 2 };
    Tensor::from_slice(&rows[..3 * count]).view([-1, 3])
}

/// Fits the rows of parameters from zero: gradient descent (Adam) on the whole sample, then Newton's method.
fn fit(log_prob: impl Fn(&Tensor) -> Tensor, rows: i64) -> Tensor {
    tch::set_num_threads(1); // small tensors: more threads only wait for each other
    let mut store = nn::VarStore::new(Device::Cpu);
    let parameters = store.root().zeros("parameters", &[rows, 3]);
    store.double();
    let mut optimizer = nn::Adam::default().build(&store, 0.1).unwrap();
    for step in 0..80 {
        optimizer.set_lr(0.1 * 0.97f64.powi(step));
        optimizer.backward_step(&-log_prob(&parameters).mean(Kind::Double));
    }
    let slope = |at: &Tensor| {
        let leaf = at.copy().set_requires_grad(true);
        log_prob(&leaf)
            .mean_dim([0i64].as_slice(), false, Kind::Double)
            .sum(Kind::Double)
            .backward();
        leaf.grad()
    };
    let mut fitted = parameters.detach();
    for _ in 0..20 {
        // The three elements do not interact: each has its own Hessian, by differences of the slope.
        let column = |row: i64| {
            let shift = fitted.zeros_like();
            let _ = shift.get(row).fill_(1e-4);
            (slope(&(&fitted + &shift)) - slope(&(&fitted - shift))) / 2e-4
        };
        let hessian =
            Tensor::stack(&(0..rows).map(column).collect::<Vec<_>>(), 0).permute([2, 1, 0]);
        let step =
            hessian.inverse().matmul(&slope(&fitted).tr().unsqueeze(-1)).squeeze_dim(-1).tr();
        fitted -= &step;
        if step.abs().max().double_value(&[]) < 1e-6 {
            return fitted;
        }
    }
    panic!("the fit has not converged");
}

/// Standard errors of a maximum-likelihood estimate, from the outer product of the scores of `n` rows.
fn standard_errors(log_prob: impl Fn(&Tensor) -> Tensor, fitted: &Tensor, n: i64) -> Tensor {
    let copies = fitted.repeat([n, 1, 1]).set_requires_grad(true);
    log_prob(&copies).sum(Kind::Double).backward();
    let scores = copies.grad().permute([2, 0, 1]); // [3, n, rows]
    scores.transpose(1, 2).matmul(&scores).inverse().diagonal(0, -2, -1).sqrt().tr()
}

/// With the noise-aware likelihood every family's clean parameters come back, within 5 standard errors of
/// the maximum-likelihood estimate (from the outer product of per-row scores).
#[test]
fn the_noise_aware_likelihood_recovers_the_clean_law() {
    for (family, reinject) in [
        (Family::Gaussian, 0.0),
        (Family::Gaussian, 1.0),
        (Family::Laplace, 0.0),
        (Family::StudentT, 1.0),
    ] {
        let truth = truth(family);
        let n = if family == Family::Gaussian { 20_000 } else { 2_000 };
        let (signal, noise) = steps(1, n, reinject);
        let clean = law(family, &truth).sample_with(&draws(10, n, family)).unwrap();
        let noised = &signal * clean + &noise * draws(11, n, Family::Gaussian);
        let aware = |parameters: &Tensor| {
            law(family, parameters).log_prob_noised(&noised, &signal, &noise).unwrap()
        };
        let fitted = fit(aware, truth.size()[0]);
        let error = standard_errors(aware, &fitted, n);
        let miss = ((&fitted - &truth) / error).abs().max().double_value(&[]);
        assert!(
            miss < 5.0,
            "{family:?}, λ = {reinject}: {miss:.1} standard errors from the clean law"
        );
    }
}

/// The direct likelihood learns the moments of the noised target instead:
///
/// ```text
/// m = E[a] μ,    v = E[a²](μ² + σ²) + E[s²] − E[a]² μ²      (expectations over the steps)
/// ```
///
/// seen within 5 standard errors; the noise-aware one of the test above does not shrink.
#[test]
fn the_direct_likelihood_shrinks_the_mean_as_predicted() {
    const N: i64 = 20_000;
    let truth = truth(Family::Gaussian);
    let (mean, variance) = (truth.get(0), (truth.get(1) * 2.0).exp());
    let (signal, noise) = steps(2, N, 0.0);
    let clean = law(Family::Gaussian, &truth).sample_with(&draws(20, N, Family::Gaussian)).unwrap();
    let noised = &signal * &clean + &noise * draws(21, N, Family::Gaussian);
    let fitted = fit(|parameters| law(Family::Gaussian, parameters).log_prob(&noised).unwrap(), 2);

    let average = |tensor: &Tensor| tensor.mean(Kind::Double).double_value(&[]);
    let shrinkage = average(&signal);
    assert!(shrinkage < 0.6, "the schedule should be strong: {shrinkage}");
    let expected_mean = &mean * shrinkage;
    let expected_variance = (mean.square() + &variance) * average(&signal.square())
        + average(&noise.square())
        - expected_mean.square();
    // Given the steps, the rows' means differ: their spread counts for neither estimate's error.
    let error = (&expected_variance / N as f64).sqrt();
    let z = ((fitted.get(0) - &expected_mean) / &error).abs().max().double_value(&[]);
    assert!(z < 5.0, "mean is {z:.1} standard errors from its prediction");
    let shrunk = ((&expected_mean - &mean) / error).abs().min().double_value(&[]);
    assert!(shrunk > 20.0, "the prediction should be far from the clean mean: {shrunk:.1}");
    let fourth = (&noised - &expected_mean).square().var_dim([0i64].as_slice(), true, false);
    let error = (fourth / N as f64).sqrt();
    let found = (fitted.get(1) * 2.0).exp();
    let z = ((found - expected_variance) / error).abs().max().double_value(&[]);
    assert!(z < 5.0, "variance is {z:.1} standard errors from its prediction");

    // Divided by a, the direct target's mean is unbiased and its variance is inflated by E[s²/a²].
    let (signal, noise) = steps(3, N, 1.0);
    let normalized = &clean + &noise / &signal * draws(22, N, Family::Gaussian);
    let fitted =
        fit(|parameters| law(Family::Gaussian, parameters).log_prob(&normalized).unwrap(), 2);
    let expected_variance = &variance + average(&(&noise / &signal).square());
    let error = (&expected_variance / N as f64).sqrt();
    let z = ((fitted.get(0) - &mean) / error).abs().max().double_value(&[]);
    assert!(z < 5.0, "normalized mean is {z:.1} standard errors from the clean one");
    let fourth = (&normalized - &mean).square().var_dim([0i64].as_slice(), true, false);
    let z = (((fitted.get(1) * 2.0).exp() - expected_variance) / (fourth / N as f64).sqrt())
        .abs()
        .max();
    assert!(
        z.double_value(&[]) < 5.0,
        "normalized variance is {z} standard errors from its prediction"
    );
}
