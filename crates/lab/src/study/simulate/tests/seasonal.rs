//! The seasonal AR against the joint Gaussian of all its values.

use std::f64::consts::TAU;

use super::super::{Hidden, Process};
use super::{SEASONAL, assert_mean, assert_near, gaussian, process};

/// The parameters of `SEASONAL`, for formulas of the tests' own.
const PERIOD: f64 = 12.0;
const AMPLITUDE: f64 = 2.0;
const PHI: f64 = 0.9;
const INNOVATION: f64 = 0.25;
const OBSERVATION: f64 = 0.64;

/// `γ_k` of the values less their season.
fn autocovariance(lag: usize) -> f64 {
    let noise = if lag == 0 { OBSERVATION } else { 0.0 };
    INNOVATION / (1.0 - PHI * PHI) * PHI.powi(lag as i32) + noise
}

fn season(row: usize) -> f64 {
    AMPLITUDE * (TAU * row as f64 / PERIOD).sin()
}

/// `x` with `matrix · x = right`, by Gaussian elimination; positive definite, so no pivoting.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for k in 0..n {
        let pivot = matrix[k].clone();
        for i in k + 1..n {
            let factor = matrix[i][k] / pivot[k];
            matrix[i].iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
            right[i] -= factor * right[k];
        }
    }
    for i in (0..n).rev() {
        let rest: f64 = (i + 1..n).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - rest) / matrix[i][i];
    }
    right
}

/// Mean and variance of row `target` given all rows before `origin`:
/// `c^⊤ Γ⁻¹ (y − season)` and `γ_0 − c^⊤ Γ⁻¹ c`.
fn conditional(series: &[f64], origin: usize, target: usize) -> (f64, f64) {
    let covariance: Vec<Vec<f64>> =
        (0..origin).map(|i| (0..origin).map(|j| autocovariance(i.abs_diff(j))).collect()).collect();
    let cross: Vec<f64> = (0..origin).map(|i| autocovariance(target - i)).collect();
    let weights = solve(covariance, cross.clone());
    let known = weights.iter().enumerate().map(|(i, w)| w * (series[i] - season(i)));
    let explained: f64 = weights.iter().zip(&cross).map(|(w, c)| w * c).sum();
    (season(target) + known.sum::<f64>(), autocovariance(0) - explained)
}

/// `∫ F (1 − F)` and `−∫ f ln f` of `N(0, variance)`: what a right forecast scores on average.
fn self_scores(variance: f64) -> (f64, f64) {
    let (steps, std) = (20_000, variance.sqrt());
    let width = 24.0 * std / f64::from(steps);
    let (mut below, mut crps, mut log_score) = (0.0, 0.0, 0.0);
    for i in 0..steps {
        let x = (f64::from(i) + 0.5) * width - 12.0 * std;
        let density = (-x * x / (2.0 * variance)).exp() / (TAU * variance).sqrt();
        let middle: f64 = below + 0.5 * width * density;
        below += width * density;
        crps += width * middle * (1.0 - middle);
        log_score += width * density * density.ln();
    }
    (crps, log_score)
}

/// Oracle: conditioning the joint Gaussian by linear algebra.
#[test]
fn the_filter_conditions_the_joint_gaussian() {
    let process = process(SEASONAL);
    let Process::SeasonalAr(inner) = process else { panic!("{process:?}") };
    let series = process.simulate(13, 5);
    let mut belief = inner.stationary();
    for origin in 0..=8 {
        let mut ahead = belief;
        let mut means = Vec::new();
        for target in origin..origin + 5 {
            let (mean, variance) = gaussian(inner.predict(ahead, target));
            let (right_mean, right_variance) = conditional(&series, origin, target);
            let what = format!("row {target} given {origin} rows");
            assert_near(mean, right_mean, 1e-12, &what);
            assert_near(variance, right_variance, 1e-12, &what);
            means.push(mean);
            ahead = inner.advance(ahead);
        }
        let window = &process.best(&series, &[origin], 5).unwrap()[0];
        assert_eq!(window.mean, means);
        belief = inner.advance(inner.observe(belief, origin, series[origin]));
    }
}

/// Oracle: variances by linear algebra after a past of 60 rows, their scores by quadrature.
#[test]
fn the_expected_scores_are_those_of_a_long_past() {
    let series = vec![0.0; 60];
    for horizon in [1, 3, 24] {
        let scores = (0..horizon).map(|h| self_scores(conditional(&series, 60, 60 + h).1));
        let (crps, log_score) = scores.fold((0.0, 0.0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
        let expected = process(SEASONAL).expected(horizon).unwrap();
        assert_near(expected.crps, crps / horizon as f64, 1e-6, "CRPS");
        assert_near(expected.log_score, log_score / horizon as f64, 1e-6, "log score");
    }
}

/// Oracles: without observation noise the past is one value, `v_1 = σ_ε²`; with nothing but
/// noise, or far ahead, it says nothing.
#[test]
fn the_expected_scores_have_their_limits() {
    let crps = |from: &str, to: &str, horizon| {
        process(&SEASONAL.replacen(from, to, 1)).expected(horizon).unwrap().crps
    };
    let root_pi = std::f64::consts::PI.sqrt();
    assert_near(crps("= 0.8", "= 0", 1), 0.5 / root_pi, 1e-15, "no noise");
    assert_near(crps("= 0.5", "= 1e-9", 9), 0.8 / root_pi, 1e-12, "only noise");
    let white = (0.25_f64 + 0.64).sqrt() / root_pi;
    assert_near(crps("= 0.9", "= 0", 9), white, 1e-15, "no memory");
    let far = autocovariance(0).sqrt() / root_pi;
    assert_near(crps("", "", 1_000_000), far, 1e-5, "far ahead");
}

/// Oracle: the filter's own recursion, run until it stands still.
#[test]
fn the_filter_settles_on_the_expected_variance() {
    for (phi, innovation, observation) in
        [(0.9, 0.5, 0.8), (-0.6, 1.0, 3.0), (0.2, 0.01, 5.0), (0.999, 2.0, 0.0), (0.5, 1e-6, 1e3)]
    {
        let text = format!(
            "kind = \"seasonal-ar\"\nperiod = 7\namplitude = 1\nphi = {phi}\n\
             innovation_std = {innovation}\nobservation_std = {observation}"
        );
        let process = process(&text);
        let Process::SeasonalAr(inner) = process else { panic!("{process:?}") };
        let mut belief = inner.stationary();
        for row in 0..20_000 {
            belief = inner.advance(inner.observe(belief, row, 0.0));
        }
        let (_, variance) = gaussian(inner.predict(belief, 0));
        let crps = process.expected(1).unwrap().crps;
        let settled = (variance / std::f64::consts::PI).sqrt();
        assert_near(crps / settled, 1.0, 1e-12, &text);
    }
}

/// Oracles: the autocovariance in closed form, and the season as a regression on its sine.
#[test]
fn simulated_values_have_the_autocovariance_of_the_process() {
    let series = process(SEASONAL).simulate(400_000, 11);
    let rest: Vec<f64> = series.iter().enumerate().map(|(row, y)| y - season(row)).collect();
    for lag in [0, 1, 2, 5, 20] {
        let products: Vec<f64> = rest.iter().zip(&rest[lag..]).map(|(a, b)| a * b).collect();
        assert_mean(&products, autocovariance(lag), &format!("lag {lag}"));
    }
    let sine = |row: usize| 2.0 * (TAU * row as f64 / PERIOD).sin();
    let parts: Vec<f64> = series.iter().enumerate().map(|(row, y)| sine(row) * y).collect();
    assert_mean(&parts, AMPLITUDE, "amplitude");
}

/// Oracle: the variance in the long run is that of the very first value.
#[test]
fn simulation_starts_as_it_goes_on() {
    let process = process(SEASONAL);
    let squares: Vec<f64> = (0..20_000).map(|s| process.simulate(1, s)[0].powi(2)).collect();
    assert_mean(&squares, autocovariance(0), "variance of the first value");
}
