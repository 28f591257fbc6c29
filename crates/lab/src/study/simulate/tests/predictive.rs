//! Scores against integrals of the density itself.

use super::super::predictive::Predictive;
use super::assert_near;

const STEPS: usize = 40_000;

/// A Gaussian's density, as written in every textbook.
fn normal(x: f64, mean: f64, std: f64) -> f64 {
    let z = (x - mean) / std;
    (-z * z / 2.0).exp() / (std * (2.0 * std::f64::consts::PI).sqrt())
}

/// The density as a function, its largest scale, and the distribution under test.
type Case = (Box<dyn Fn(f64) -> f64>, f64, Predictive);

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (mean, std) in [(0.0, 1.0), (3.0, 0.2), (-1.5, 7.0)] {
        let predictive = Predictive::Gaussian { mean, variance: std * std };
        cases.push((Box::new(move |x| normal(x, mean, std)), std, predictive));
    }
    for (first, stds) in
        [(0.5, [1.0, 3.0]), (0.9, [0.3, 2.0]), (0.02, [4.0, 0.5]), (0.0, [9.0, 1.0])]
    {
        let weights = [first, 1.0 - first];
        let density = move |x| (0..2).map(|i| weights[i] * normal(x, 0.0, stds[i])).sum();
        let predictive = Predictive::ScaleMixture { weights, stds };
        cases.push((Box::new(density), stds[0].max(stds[1]), predictive));
    }
    cases
}

/// `(∫ f, ∫ x f, ∫ (F − 1{y ≤ x})² dx)` by the trapezoidal rule on both sides of `y`, `F` being the
/// running integral of the density `f`.
fn integrals(density: &dyn Fn(f64) -> f64, [from, y, to]: [f64; 3]) -> (f64, f64, f64) {
    let (mut mass, mut first, mut score) = (0.0, 0.0, 0.0);
    for (start, end, after) in [(from, y, 0.0), (y, to, 1.0)] {
        let width = (end - start) / STEPS as f64;
        for i in 0..STEPS {
            let (a, b) = (start + i as f64 * width, start + (i + 1) as f64 * width);
            let (f, g) = (density(a), density(b));
            let before: f64 = mass;
            mass += width * (f + g) / 2.0;
            first += width * (a * f + b * g) / 2.0;
            score += width * ((before - after).powi(2) + (mass - after).powi(2)) / 2.0;
        }
    }
    (mass, first, score)
}

/// Oracle: quadrature of the definition, with the distribution function from the density alone.
#[test]
fn crps_is_the_integral_that_defines_it() {
    for (density, std, predictive) in cases() {
        for offset in [-6.0, -1.3, 0.0, 0.4, 2.5] {
            let y = predictive.mean() + offset * std;
            let center = predictive.mean();
            let ends = [center - 12.0 * std, y, center + 12.0 * std];
            let (mass, mean, score) = integrals(&*density, ends);
            let what = format!("{predictive:?} at {y}");
            assert_near(mass, 1.0, 1e-6, &what);
            assert_near(predictive.mean(), mean, 1e-5, &what);
            assert_near(predictive.crps(y), score, 1e-5 * std.min(1.0), &what);
        }
    }
}

/// Oracle: the density as written in textbooks, where it does not underflow.
#[test]
fn log_density_is_that_of_the_density() {
    for (density, std, predictive) in cases() {
        for offset in [-5.0, -1.0, 0.0, 0.3, 4.0] {
            let y = predictive.mean() + offset * std;
            let what = format!("{predictive:?} at {y}");
            assert_near(predictive.log_density(y), density(y).ln(), 1e-12, &what);
        }
    }
}

/// Oracle: far out, only the wider component is left, and the CRPS is the distance less a constant.
#[test]
fn scores_hold_far_out() {
    let mixture = Predictive::ScaleMixture { weights: [0.25, 0.75], stds: [2.0, 0.5] };
    let left = 0.25_f64.ln() - (2.0 * (2.0 * std::f64::consts::PI).sqrt()).ln();
    assert_near(mixture.log_density(1e4), left - 1e8 / 8.0, 1e-15, "log density");
    let constant = 1e4 - mixture.crps(1e4);
    assert_near(1e6 - mixture.crps(1e6), constant, 1e-9, "CRPS");
    assert_near(mixture.crps(-1e6), mixture.crps(1e6), 0.0, "symmetry");
}
