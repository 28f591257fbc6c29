use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{StandardNormal, StudentT};

use super::*;

/// Results of `arch` (Sheppard), made by `tests/goldens/baselines.py`.
#[derive(serde::Deserialize)]
struct Case {
    returns: Vec<f64>,
    mu: f64,
    omega: f64,
    alpha: f64,
    beta: f64,
    nu: f64,
    log_likelihood: f64,
    variance: [f64; 3],
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/goldens/baselines.json");
    let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(document["garch"].take()).unwrap()
}

fn law(mean: f64, omega: f64, alpha: f64, beta: f64, degrees: Option<f64>) -> Returns {
    Returns { mean, omega, alpha, beta, degrees, presample: omega / (1.0 - alpha - beta) }
}

/// A path simulated from a law, starting at its unconditional variance.
fn simulated(law: Returns, rows: usize, seed: u64) -> Vec<f64> {
    let mut generator = StdRng::seed_from_u64(seed);
    let mut variance = law.next(law.presample, law.presample);
    (0..rows)
        .map(|_| {
            let z: f64 = match law.degrees {
                None => generator.sample(StandardNormal),
                Some(df) => generator.sample(StudentT::new(df).unwrap()) * ((df - 2.0) / df).sqrt(),
            };
            let shock = variance.sqrt() * z;
            variance = law.next(shock * shock, variance);
            law.mean + shock
        })
        .collect()
}

/// Oracle: another implementation at its own optimum: the same likelihood and variances, and no likelier parameters.
#[test]
fn garch_is_as_another_library_has_it() {
    for Case { returns, mu, omega, alpha, beta, nu, log_likelihood, variance } in cases() {
        let fitted = Returns::fit(Kind::Garch, &returns).unwrap();
        let theirs = Returns {
            mean: mu,
            omega,
            alpha,
            beta,
            degrees: Some(nu),
            presample: fitted.presample,
        };
        let found = theirs.log_likelihood(&returns);
        assert!((found - log_likelihood).abs() < 1e-6, "{found} against {log_likelihood}");
        let filtered = theirs.filter(&returns);
        for (found, theirs) in filtered[returns.len() - 3..].iter().zip(variance) {
            assert!((found / theirs - 1.0).abs() < 1e-9, "{found} against {theirs}");
        }
        let ours = fitted.log_likelihood(&returns);
        assert!(ours > log_likelihood - 1e-4, "{ours} is less likely than {log_likelihood}");
        for (name, ours, theirs, within) in [
            ("mu", fitted.mean, mu, 2e-3),
            ("omega", fitted.omega, omega, 0.01),
            ("alpha", fitted.alpha, alpha, 5e-3),
            ("beta", fitted.beta, beta, 0.01),
            ("nu", fitted.degrees.unwrap(), nu, 0.1),
        ] {
            assert!((ours - theirs).abs() < within, "{name}: {ours} against {theirs}");
        }
    }
}

/// Oracle: the parameters of the simulation, with standard errors from the observed information (central differences).
#[test]
fn garch_recovers_its_parameters() {
    let truth = [0.1, 0.05, 0.1, 0.85, 6.0];
    let make = |x: &[f64]| law(x[0], x[1], x[2], x[3], Some(x[4]));
    let mut squared = Vec::new();
    for seed in 0..4 {
        let returns = simulated(make(&truth), 4000, seed);
        let fitted = Returns::fit(Kind::Garch, &returns).unwrap();
        let at = [fitted.mean, fitted.omega, fitted.alpha, fitted.beta, fitted.degrees.unwrap()];
        let likelihood =
            |x: &[f64]| Returns { presample: fitted.presample, ..make(x) }.log_likelihood(&returns);
        let covariance = inverse(information(&likelihood, &at));
        for i in 0..5 {
            let z = (at[i] - truth[i]) / covariance[i][i].sqrt();
            assert!(z.abs() < 4.0, "seed {seed}, parameter {i}: {} is {z:.1} errors off", at[i]);
            squared.push(z * z);
        }
    }
    // χ² with 20 degrees of freedom: with standard errors far too large or small, its mean would not be near 1.
    let mean = squared.iter().sum::<f64>() / squared.len() as f64;
    assert!((0.3..2.5).contains(&mean), "{mean}");
}

/// The negative matrix of second differences.
fn information(f: &dyn Fn(&[f64]) -> f64, at: &[f64; 5]) -> Vec<Vec<f64>> {
    let step = |i: usize| 1e-3 * at[i].abs().max(0.02);
    let moved = |i: usize, a: f64, j: usize, b: f64| {
        let mut point = *at;
        point[i] += a * step(i);
        point[j] += b * step(j);
        f(&point)
    };
    let second = |i, j| {
        let cross = moved(i, 1.0, j, 1.0) - moved(i, 1.0, j, -1.0) - moved(i, -1.0, j, 1.0)
            + moved(i, -1.0, j, -1.0);
        -cross / (4.0 * step(i) * step(j))
    };
    (0..5).map(|i| (0..5).map(|j| second(i, j)).collect()).collect()
}

/// Gauss–Jordan elimination.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.extend((0..n).map(|j| f64::from(u8::from(i == j))));
    }
    for i in 0..n {
        let pivot = a[i][i];
        assert!(pivot > 0.0, "the information is positive definite");
        a[i].iter_mut().for_each(|x| *x /= pivot);
        let row = a[i].clone();
        for (j, other) in a.iter_mut().enumerate() {
            let factor = other[i];
            if j != i {
                other.iter_mut().zip(&row).for_each(|(x, r)| *x -= factor * r);
            }
        }
    }
    a.into_iter().map(|row| row[n..].to_vec()).collect()
}

/// Oracle: the moments of the normal, the likelihood of Student's t on a grid, and the decay that the data were
/// simulated with.
#[test]
fn simpler_laws_are_fitted() {
    let returns = simulated(law(0.3, 2.0, 0.0, 0.0, None), 2000, 5);
    let fitted = Returns::fit(Kind::ConstantGaussian, &returns).unwrap();
    let mean = returns.iter().sum::<f64>() / 2000.0;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 2000.0;
    assert_eq!((fitted.mean, fitted.omega), (mean, variance));
    let entropy = -0.5 * 2000.0 * ((2.0 * std::f64::consts::PI * variance).ln() + 1.0);
    assert!((fitted.log_likelihood(&returns) - entropy).abs() < 1e-8);

    let returns = simulated(law(-0.2, 1.5, 0.0, 0.0, Some(4.0)), 3000, 6);
    let fitted = Returns::fit(Kind::ConstantStudentT, &returns).unwrap();
    let best = fitted.log_likelihood(&returns);
    for (mean, scale, degrees) in
        [(0.01, 1.0, 1.0), (0.0, 1.03, 1.0), (0.0, 0.97, 1.0), (0.0, 1.0, 1.05)]
    {
        let other = Returns {
            mean: fitted.mean + mean,
            omega: fitted.omega * scale,
            degrees: fitted.degrees.map(|df| df * degrees),
            ..fitted
        };
        assert!(other.log_likelihood(&returns) < best, "({mean}, {scale}, {degrees}) is likelier");
    }
    // The Fisher information of ν = 4 with known scale is about .0087 per draw: ± .25 for 3000 draws.
    assert!((fitted.degrees.unwrap() - 4.0).abs() < 1.2, "{:?}", fitted.degrees);

    let mut integrated = law(0.0, 0.0, 0.1, 0.9, None);
    integrated.presample = 1.0;
    let returns = simulated(integrated, 3000, 7);
    let fitted = Returns::fit(Kind::EwmaFitted, &returns).unwrap();
    assert!((fitted.beta - 0.9).abs() < 0.03 && fitted.omega == 0.0, "{fitted:?}");
    assert!(Returns::fit(Kind::Garch, &returns[..29]).is_none());
}

/// Oracle: the recursion by hand; a missing return leaves a constant law alone and decays others.
#[test]
fn variances_are_filtered_from_what_came_before() {
    let law = law(1.0, 0.1, 0.2, 0.7, None);
    let start = 0.1 + 0.9 * law.presample;
    let first = 0.1 + 0.2 * 4.0 + 0.7 * start;
    let second = 0.1 + 0.9 * first;
    let filtered = law.filter(&[3.0, f64::NAN]);
    for (found, expected) in filtered.iter().zip([start, first, second]) {
        assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
    }
    let without = law.log_likelihood(&[3.0]);
    assert!((law.log_likelihood(&[3.0, f64::NAN]) - without).abs() < 1e-12);
}
