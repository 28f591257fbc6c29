use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;

use super::*;

/// Results of statsmodels, made by `tests/goldens/baselines.py`.
#[derive(serde::Deserialize)]
struct Case {
    y: Vec<f64>,
    season: usize,
    alpha: f64,
    beta: f64,
    gamma: f64,
    phi: f64,
    forecast: Vec<f64>,
    squares: f64,
}

/// Oracle: another implementation of the six models, with given weights and initial states.
#[test]
fn smoothing_is_as_another_library_has_it() {
    let text = include_str!("../../tests/goldens/baselines.json");
    let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
    let cases: Vec<Case> = serde_json::from_value(document["ets"].take()).unwrap();
    assert_eq!(cases.len(), 6);
    for Case { y, season, alpha, beta, gamma, phi, forecast, squares } in cases {
        let smoother = Smoother { alpha, beta, gamma, phi, season };
        let states = smoother.run(&y);
        assert!((states.squares / squares - 1.0).abs() < 1e-10, "{smoother:?}");
        let found = smoother.forecast(&states, y.len() - 1, forecast.len());
        for (found, expected) in found.zip(forecast) {
            assert!((found - expected).abs() < 1e-9, "{smoother:?}: {found} against {expected}");
        }
    }
}

/// Oracle: the weight that the data were simulated with. The differences of a simple smoother are a moving average with
/// θ = α − 1, whose estimate has the standard error √((1 − θ²)/n).
#[test]
fn the_weight_of_a_level_is_recovered() {
    let (alpha, rows) = (0.3, 3000);
    let mut generator = StdRng::seed_from_u64(1);
    let mut level = 0.0;
    let values: Vec<f64> = (0..rows)
        .map(|_| {
            let error: f64 = generator.sample(StandardNormal);
            let value = level + error;
            level += alpha * error;
            value
        })
        .collect();
    let fitted = Smoother::fit(&values, Some(12)).unwrap();
    let error = ((1.0 - (1.0 - alpha).powi(2)) / rows as f64).sqrt();
    assert!((fitted.alpha - alpha).abs() < 4.0 * error, "{fitted:?}, error {error}");
    assert_eq!(fitted.season, 1, "there is no season: {fitted:?}");
}

/// A clear season is found in spite of gaps, and its forecast repeats.
#[test]
fn a_season_is_found_through_gaps() {
    let wave = |t: usize| (std::f64::consts::TAU * t as f64 / 6.0).sin();
    let mut generator = StdRng::seed_from_u64(2);
    let mut values: Vec<f64> =
        (0..300).map(|t| wave(t) + 0.1 * generator.sample::<f64, _>(StandardNormal)).collect();
    values.iter_mut().skip(50).step_by(17).for_each(|value| *value = f64::NAN);
    let fitted = Smoother::fit(&values, Some(6)).unwrap();
    assert_eq!(fitted.season, 6);
    let states = fitted.run(&values);
    for (h, forecast) in fitted.forecast(&states, 299, 12).enumerate() {
        assert!((forecast - wave(300 + h)).abs() < 0.25, "step {h}: {forecast}");
    }
    assert!(Smoother::fit(&values[..20], Some(6)).is_none());
}
