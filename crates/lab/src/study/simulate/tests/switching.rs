//! The switching volatility against sums over all of its paths.

use std::f64::consts::TAU;

use super::super::predictive::Predictive;
use super::super::{Hidden, Process};
use super::{SWITCHING, assert_mean, assert_near, process};

/// The parameters of `SWITCHING`, for formulas of the tests' own.
const STDS: [f64; 2] = [0.5, 2.0];
const STAY: [f64; 2] = [0.97, 0.9];
/// `π_0 (1 − p_0) = π_1 (1 − p_1)`
const SHARE: [f64; 2] = [0.1 / 0.13, 0.03 / 0.13];

/// `P(S_target = 1 | rows before origin)` as a sum over every path of the chain.
fn enumerated(series: &[f64], origin: usize, target: usize) -> f64 {
    let mut of_state = [0.0, 0.0];
    for path in 0..1_usize << (target + 1) {
        let state = |row: usize| path >> row & 1;
        let mut weight = SHARE[state(0)];
        for row in 0..target {
            let stay = STAY[state(row)];
            weight *= if state(row) == state(row + 1) { stay } else { 1.0 - stay };
        }
        for (row, y) in series.iter().enumerate().take(origin) {
            let variance = STDS[state(row)].powi(2);
            weight *= (-y * y / (2.0 * variance)).exp() / (TAU * variance).sqrt();
        }
        of_state[state(target)] += weight;
    }
    of_state[1] / (of_state[0] + of_state[1])
}

/// Oracle: enumeration of all paths.
#[test]
fn the_filter_sums_over_all_paths() {
    let process = process(SWITCHING);
    let Process::Switching(inner) = process else { panic!("{process:?}") };
    // Calm, then wild, then calm: the regime is learned from it.
    let series = [0.1, -0.4, 0.7, -3.0, 2.5, 0.3, -0.2, 0.05, 1.0, -1.5, 0.0, 0.4];
    let mut belief = inner.stationary();
    for (origin, value) in series.iter().enumerate().take(9) {
        let mut ahead = belief;
        let mut log_score = 0.0;
        for (target, y) in series.iter().enumerate().skip(origin).take(3) {
            let Predictive::ScaleMixture { weights, stds } = inner.predict(ahead, target) else {
                panic!("not a mixture")
            };
            let wild = enumerated(&series, origin, target);
            let what = format!("row {target} given {origin} rows");
            assert_eq!(stds, STDS);
            assert_near(weights[1], wild, 1e-13, &what);
            assert_near(weights[0], 1.0 - wild, 1e-13, &what);
            let of = |std: f64| (-y * y / (2.0 * std * std)).exp() / (TAU.sqrt() * std);
            log_score += ((1.0 - wild) * of(STDS[0]) + wild * of(STDS[1])).ln() / 3.0;
            ahead = inner.advance(ahead);
        }
        let window = &process.best(&series, &[origin], 3).unwrap()[0];
        assert_near(window.log_score, log_score, 1e-13, "log score");
        assert_eq!(window.mean, [0.0; 3]);
        belief = inner.advance(inner.observe(belief, origin, *value));
    }
}

/// Oracle: regimes of one scale are no regimes, so every step is `N(0, σ²)`.
#[test]
fn equal_regimes_are_white_noise() {
    let process = process("kind = \"switching\"\nstds = [1.5, 1.5]\nstay = [0.9, 0.3]");
    let series = process.simulate(50, 2);
    let white = Predictive::Gaussian { mean: 0.0, variance: 2.25 };
    for (at, window) in process.best(&series, &[0, 20, 49], 1).unwrap().iter().enumerate() {
        let y = series[[0, 20, 49][at]];
        assert_near(window.crps, white.crps(y), 1e-14, "CRPS");
        assert_near(window.log_score, white.log_density(y), 1e-14, "log score");
    }
}

/// Oracles: `E y² = Σ π_i σ_i²` and `Cov(y_t², y_{t+k}²) = π_0 π_1 (σ_1² − σ_0²)² (p_0 + p_1 − 1)^k`
/// for `k > 0`; values themselves are uncorrelated.
#[test]
fn simulated_squares_have_the_autocovariance_of_the_process() {
    let series = process(SWITCHING).simulate(1_000_000, 4);
    let squares: Vec<f64> = series.iter().map(|y| y * y).collect();
    let [calm, wild] = STDS.map(|std| std * std);
    let mean = SHARE[0] * calm + SHARE[1] * wild;
    assert_mean(&squares, mean, "variance");
    let fourth: Vec<f64> = squares.iter().map(|s| s * s).collect();
    let kurtosis = 3.0 * (SHARE[0] * calm * calm + SHARE[1] * wild * wild);
    assert_mean(&fourth, kurtosis, "fourth moment");
    for lag in [1, 3, 10] {
        let pairs = squares.iter().zip(&squares[lag..]);
        let products: Vec<f64> = pairs.map(|(a, b)| (a - mean) * (b - mean)).collect();
        let memory = (STAY[0] + STAY[1] - 1.0).powi(lag as i32);
        let right = SHARE[0] * SHARE[1] * (wild - calm).powi(2) * memory;
        assert_mean(&products, right, &format!("squares at lag {lag}"));
    }
    let products: Vec<f64> = series.iter().zip(&series[1..]).map(|(a, b)| a * b).collect();
    assert_mean(&products, 0.0, "values at lag 1");
}

/// Oracle: the variance in the long run is that of the very first value.
#[test]
fn simulation_starts_as_it_goes_on() {
    let process = process(SWITCHING);
    let squares: Vec<f64> = (0..40_000).map(|s| process.simulate(1, s)[0].powi(2)).collect();
    let right = SHARE[0] * STDS[0].powi(2) + SHARE[1] * STDS[1].powi(2);
    assert_mean(&squares, right, "variance of the first value");
}
