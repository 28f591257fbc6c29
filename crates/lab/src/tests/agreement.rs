//! `cargo xtask experiment` and `ballast evaluate` say the same about the same windows.

use record::{Differences, ForecasterKind, Scored};
use stats::Pairing;

use super::fake::{ALL, Fake, PLAN};
use super::prepared::{bare, json, scored, scores};

/// A panel of two series, one of which begins later, with forecasts of 24 rows every 96.
const HORIZON: usize = 24;
const STRIDE: usize = 96;

/// The origins of the windows, as times.
fn origins() -> Vec<String> {
    let day = |day: usize| format!("2015-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
    (0..60).chain(20..60).map(|place| day(4 * place)).collect()
}

/// Scores that go on in one window as they did in the last, and are alike in both series.
fn windows(center: f64, size: f64) -> Vec<f64> {
    let wave = |place: usize| center + size * (0.35 * place as f64).sin();
    (0..60).chain(20..60).map(wave).collect()
}

#[test]
fn a_panel_of_wide_stride_has_one_error() {
    let (model, baseline) = (windows(0.40, 0.05), windows(0.38, 0.02));
    let differences: Vec<f64> = model.iter().zip(&baseline).map(|(a, b)| a - b).collect();
    // As `ballast evaluate` has it: from the times of the origins.
    let pairing = Pairing::new(&origins(), HORIZON, STRIDE);
    let evaluated = pairing.difference(std::slice::from_ref(&differences)).unwrap();
    assert_eq!((evaluated.origins, evaluated.lag), (60, 3));
    let by_horizon_alone = Pairing::new(&origins(), HORIZON, 1).difference(&[differences]);
    assert!((by_horizon_alone.unwrap().error / evaluated.error - 1.0).abs() > 0.2);

    let difference = Some(Differences {
        crps: None,
        crps_standardized: Some(evaluated),
        mse: None,
        log_score: None,
        energy: None,
        skill: 0.0,
    });
    let ridge = scored("ridge", ForecasterKind::Baseline, scores(0.38, baseline));
    let mut evaluation = bare(vec![
        scored("ballast", ForecasterKind::Model, scores(0.40, model)),
        Scored { difference, ..ridge },
    ]);
    evaluation.horizon = HORIZON;
    evaluation.stride = Some(STRIDE);
    evaluation.origins = pairing.ranks().to_vec();
    let fake = Fake::new();
    let plan = PLAN.replace("seeds = [1, 2, 3]", "seeds = [1]");
    fake.write("configs/experiments/trial.toml", &plan);
    fake.write("prepared/none/seed-1/evaluation.json", &json(&evaluation));
    fake.write("prepared/x0/seed-1/evaluation.json", &json(&evaluation));
    fake.conduct(ALL).unwrap();

    // The table has the baseline minus the reference arm, the evaluation the model minus the baseline.
    let row = &fake.results()["rows"][2];
    assert_eq!(row["name"], "ridge");
    let number = |key: &str| row["difference"][key].as_f64().unwrap();
    for (key, expected) in [
        ("mean", -evaluated.mean),
        ("error", evaluated.error),
        ("low", -evaluated.high),
        ("high", -evaluated.low),
    ] {
        assert!((number(key) - expected).abs() < 1e-15, "{key}: {} {expected}", number(key));
    }
}
