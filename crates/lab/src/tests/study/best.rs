//! The best possible forecast of a simulated set, computed once more.

use stats::mean;

use super::numbers::near;
use super::scene::{CELLS, SPREAD, Study};

/// Oracle: the Kalman filter of the process written once more, on the series as the study wrote it, from the
/// origins of the last windows on; the CRPS of a Gaussian by its integral.
#[test]
fn the_best_possible_is_scored_on_the_windows_of_the_evaluation() {
    let study = Study::new();
    study.conduct();
    let text = study.read("data/ar.csv");
    let series: Vec<f64> =
        text.lines().skip(1).map(|l| l.split_once(',').unwrap().1.parse().unwrap()).collect();
    let (phi, innovation, noise): (f64, f64, f64) = (0.8, 0.16, 0.25);
    let season = |row: usize| (std::f64::consts::TAU * row as f64 / 14.0).sin();
    let evaluation = study.evaluation(CELLS[2].0, "x0", 1);
    let (horizon, windows) = (evaluation.horizon, evaluation.forecasters[0].test.windows);
    let (mut state, mut variance) = (0.0, innovation / (1.0 - phi * phi));
    let (mut crps, mut log_score) = (Vec::new(), Vec::new());
    for origin in 0..=series.len() - horizon {
        if origin + windows > series.len() - horizon {
            let (mut state, mut variance) = (state, variance);
            for (row, value) in series.iter().enumerate().skip(origin).take(horizon) {
                let (mean, total) = (season(row) + state, variance + noise);
                crps.push(gaussian_crps((value - mean) / total.sqrt()) * total.sqrt() / SPREAD);
                let density = (-0.5 * (value - mean).powi(2) / total).exp()
                    / (std::f64::consts::TAU * total).sqrt();
                log_score.push((density * SPREAD).ln());
                (state, variance) = (phi * state, phi * phi * variance + innovation);
            }
        }
        let gain = variance / (variance + noise);
        state += gain * (series[origin] - season(origin) - state);
        (state, variance) = (phi * state, phi * phi * (1.0 - gain) * variance + innovation);
    }
    assert_eq!(crps.len(), windows * horizon);
    let table = study.csv("table.csv");
    for (_, label) in &CELLS[2..] {
        let best = table
            .iter()
            .find(|line| line["cell"] == *label && line["row"].starts_with("best possible"));
        let best = best.expect("a row for the best possible");
        let shown: f64 = best["crps"].parse().unwrap();
        assert!((shown - mean(&crps)).abs() < 5e-6, "{shown}, not {}", mean(&crps));
        near(&best["log_score"], mean(&log_score), "log score");
    }
    assert!(!table.iter().any(|line| line["data"] == "weather" && line["row"].starts_with("best")));
}

/// `∫ (Φ(x) − 1{z ≤ x})² dx`, with Φ from Simpson's rule on the same grid.
fn gaussian_crps(z: f64) -> f64 {
    let (from, steps) = (-12.0 + z.min(0.0), 3000);
    let width = (24.0 + z.abs()) / f64::from(steps);
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let (mut cdf, mut sum, mut x) = (0.0, 0.0, from);
    for _ in 0..steps {
        let next =
            cdf + width / 6.0 * (density(x) + 4.0 * density(x + width / 2.0) + density(x + width));
        // The step at z lies inside one interval, which is split there.
        let part = |a: f64, b: f64| 0.5 * (a + b);
        let (below, above) =
            (part(cdf * cdf, next * next), part((1.0 - cdf).powi(2), (1.0 - next).powi(2)));
        let share = ((z - x) / width).clamp(0.0, 1.0);
        sum += width * (share * below + (1.0 - share) * above);
        (cdf, x) = (next, x + width);
    }
    sum
}

/// Oracle: `z (2Φ(z) − 1) + 2φ(z) − 1/√π` at 0 is `√(2/π) − 1/√π`.
#[test]
fn the_integral_is_the_crps() {
    let exact = (2.0 / std::f64::consts::PI).sqrt() - (1.0 / std::f64::consts::PI).sqrt();
    assert!((gaussian_crps(0.0) - exact).abs() < 2e-5, "{}", gaussian_crps(0.0));
    assert!((gaussian_crps(9.0) - (9.0 - (1.0 / std::f64::consts::PI).sqrt())).abs() < 2e-5);
}
