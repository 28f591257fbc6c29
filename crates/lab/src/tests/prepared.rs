//! The files that a stand-in for `ballast` leaves; the tests of the real binary use them too.

use std::f64::consts::TAU;

use serde_json::{Value, json};

/// Which part of a forecaster's scores: standardized CRPS on test windows and gap to training.
#[derive(Clone, Copy)]
pub(super) struct Skill {
    pub(super) test: f64,
    pub(super) gap: f64,
}

/// The files of a run, by name.
pub(super) fn run(
    arm: &str,
    seed: u64,
    skill: Skill,
    baseline: f64,
) -> [(&'static str, String); 3] {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    [
        ("run.json", pretty(&run_info(seed))),
        ("metrics.jsonl", metrics(seed, skill)),
        ("evaluation.json", pretty(&evaluation(arm, seed, skill, baseline))),
    ]
}

fn run_info(seed: u64) -> Value {
    json!({
        "version": 1, "status": "done", "seed": seed, "device": "cpu", "threads": 1,
        "parameters": 20_412, "epochs": 40, "best_epoch": 25, "steps": 640, "wall_seconds": 12.5,
        "data": {
            "name": "seattle-weather", "fingerprint": "0123456789abcdef0123", "rows": 1461,
            "channels": ["precipitation", "temp_max"],
            "windows": {"train": 988, "validation": 140, "test": 280}
        },
        "libtorch": "2.11.0", "ballast": "0.1.0", "something_new": [1, 2]
    })
}

fn metrics(seed: u64, skill: Skill) -> String {
    let line = |epoch: u64| {
        let fall = (-(epoch as f64) / 8.0).exp();
        let rise = skill.gap * (epoch as f64 / 10.0);
        let wiggle = 0.1 * ((epoch * 7 + seed * 13) as f64).sin();
        json!({
            "epoch": epoch, "step": epoch * 16, "loss": 30.0 + 15.0 * fall - 8.0 * rise,
            "reconstruction": 1.0, "kl": 2.0, "kl_weight": 1.0, "learning_rate": 1e-3,
            "validation_loss": 33.0 + 12.0 * fall + 3.0 * rise + wiggle,
            "validation_crps": skill.test + 0.3 * fall + 0.05 * rise + 0.01 * wiggle,
            "best": epoch <= 25
        })
    };
    (1..=40).map(|epoch| format!("{}\n", line(epoch))).collect()
}

/// Scores whose windows vary around the skill, alike for all but for some noise of their own;
/// the mean is the skill exactly.
fn scores(crps: f64, windows: usize, seed: u64) -> Value {
    let noise = |w: f64| (((w * 12.9898 + seed as f64 * 78.233 + crps).sin()) * 43_758.547).fract();
    let raw: Vec<f64> =
        (0..windows).map(|w| 0.1 * (w as f64 * 0.7).sin() + 0.1 * noise(w as f64)).collect();
    let center = raw.iter().sum::<f64>() / windows as f64;
    let all: Vec<f64> = raw.iter().map(|v| crps + v - center).collect();
    json!({
        "windows": windows, "crps": 0.7 * crps, "crps_standardized": crps, "nmae": 0.9 * crps,
        "mae": 4.0 * crps, "mse": 60.0 * crps,
        "coverage": {"50": 0.47, "80": 0.78, "90": 0.88}, "window_crps": all
    })
}

fn evaluation(arm: &str, seed: u64, skill: Skill, baseline: f64) -> Value {
    let levels: Vec<f64> = (1..20).map(|i| f64::from(i) * 0.05).collect();
    let bent = |by: f64| levels.iter().map(|l| l + by * (l * TAU).sin()).collect::<Vec<_>>();
    let jitter = 0.001 * (seed as f64 - 2.0);
    let calibration = |by: f64| json!({"levels": levels, "observed": bent(by)});
    let model = json!({
        "name": "ballast", "kind": "model", "test": scores(skill.test + jitter, 280, seed),
        "train": scores(skill.test + jitter - skill.gap, 250, seed),
        "calibration": calibration(skill.gap / 2.0)
    });
    let other = |name: &str, crps: f64| {
        json!({
            "name": name, "kind": "baseline", "test": scores(crps, 280, 0), "train": null,
            "calibration": calibration(0.02)
        })
    };
    let forecasters =
        json!([model, other("ridge", baseline), other("seasonal-naive", baseline + 0.05)]);
    let t: Vec<usize> = (0..=100).collect();
    let snr = |lambda: f64| -> Vec<Value> {
        let alpha_bar = |t: f64| (-5.0 * (t / 100.0_f64).powi(2)).exp();
        let db = |t: f64| {
            let a = alpha_bar(t).sqrt() + lambda;
            10.0 * (a * a / (1.0 - alpha_bar(t))).log10()
        };
        t.iter().map(|t| if *t == 0 { Value::Null } else { db(*t as f64).into() }).collect()
    };
    let none = vec![Value::Null; t.len()];
    let noise = match arm {
        "none" | "no-noise" => {
            json!({"steps": 100, "t": t, "snr_db": none, "snr_reinjected_db": none})
        }
        "plain" => json!({"steps": 100, "t": t, "snr_db": snr(0.0), "snr_reinjected_db": snr(0.0)}),
        _ => json!({"steps": 100, "t": t, "snr_db": snr(0.0), "snr_reinjected_db": snr(1.0)}),
    };
    json!({
        "version": 1, "channels": ["precipitation", "temp_max"], "context": 28, "horizon": 7,
        "samples": 100, "forecasters": forecasters, "noise": noise,
        "fans": [fan("good", 3, 0.5), fan("median", 120, 1.5), fan("bad", 201, 4.0)]
    })
}

fn fan(label: &str, window: usize, miss: f64) -> Value {
    let times: Vec<String> = (0..35)
        .map(|d| {
            if d < 17 { format!("2015-01-{:02}", d + 15) } else { format!("2015-02-{:02}", d - 16) }
        })
        .collect();
    let truth = |d: usize| {
        let d = d as f64;
        9.0 + 3.0 * (d * 0.4).sin() + 1.5 * (d * 1.7).cos()
    };
    let levels = [0.05, 0.25, 0.5, 0.75, 0.95];
    let quantiles: Vec<Vec<f64>> = [-4.0, -1.6, 0.0, 1.6, 4.0]
        .iter()
        .map(|q| (0..7).map(|h| 9.0 + q * (1.0 + 0.05 * h as f64)).collect())
        .collect();
    let mut context: Vec<Value> = (0..28).map(|d| truth(d).into()).collect();
    context[11] = Value::Null;
    let target: Vec<f64> = (28..35).map(|d| truth(d) + miss).collect();
    json!({
        "label": label, "window": window, "channel": "temp_max", "times": times,
        "context": context, "target": target, "levels": levels, "quantiles": quantiles,
        "crps": 0.1 + miss / 8.0
    })
}

/// Numbers of one cell.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// CRPS of the two seeds.
    pub(super) seeds: [f64; 2],
    /// Paired difference of the CRPS to ridge: mean, error, low, high.
    pub(super) ridge: [f64; 4],
    pub(super) coverage: f64,
    /// Squared error less that of zero, as `ridge`.
    pub(super) to_zero: [f64; 4],
    /// Differences of the log score to climatology and to GARCH.
    pub(super) log: [f64; 2],
}

pub(super) const GOOD: Numbers = Numbers {
    seeds: [0.212, 0.216],
    ridge: [-0.026, 0.004, -0.034, -0.018],
    coverage: 0.9,
    to_zero: [-0.002, 0.001, -0.004, 0.0],
    log: [0.05, 0.01],
};

fn paired([mean, error, low, high]: [f64; 4]) -> Value {
    json!({"mean": mean, "error": error, "low": low, "high": high, "decided": high < 0.0, "origins": 30, "lag": 2})
}

/// `evaluation.json` of a benchmark's cell.
pub(super) fn cell(numbers: Numbers) -> Value {
    let Numbers { seeds: [one, two], ridge, coverage, to_zero, log } = numbers;
    let mean = (one + two) / 2.0;
    let test = |crps: f64| {
        json!({
            "windows": 2, "crps": crps, "crps_standardized": crps, "nmae": crps, "mae": crps, "mse": crps,
            "coverage": {"50": 0.5, "80": 0.8, "90": coverage}, "log_score": -1.25, "window_crps": [crps, crps]
        })
    };
    let model =
        |name: &str, kind: &str, crps| json!({"name": name, "kind": kind, "test": test(crps)});
    let baseline = |name: &str, crps: f64, difference: [f64; 4], log: f64| {
        let log = paired([log, 0.001, log - 0.002, log + 0.002]);
        let difference = json!({"crps": paired(difference), "log_score": log, "skill": 0.1});
        json!({"name": name, "kind": "baseline", "test": test(crps), "difference": difference})
    };
    let far = [-0.1, 0.01, -0.12, -0.08];
    json!({
        "version": 2, "channels": ["a"], "context": 24, "horizon": 24, "samples": 100, "seeds": [1, 2],
        "forecasters": [
            model("ballast, mean of 2", "model", mean),
            model("ballast, seed 1", "seed", one),
            model("ballast, seed 2", "seed", two),
            model("ensemble of 2", "ensemble", mean - 0.005),
            baseline("last value", 0.442, far, 0.5),
            baseline("seasonal naive (24)", 0.247, far, 0.5),
            baseline("climatology", 0.3, far, log[0]),
            baseline("GARCH(1,1)-t", 0.29, far, log[1]),
            baseline("ridge", 0.24, ridge, 0.1),
        ],
        "drop_last": {"batch": 16, "kept": 128, "forecasters": [
            {"name": "ballast, mean of 2", "kept": 0.91, "all": 0.90, "to_zero": paired(to_zero)},
            {"name": "zero", "kept": 0.912, "all": 0.902, "to_zero": null},
        ]}
    })
}
