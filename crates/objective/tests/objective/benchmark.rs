//! The benchmark's own reference values, where the project's shared reference data lie beside the checkout.

use std::path::PathBuf;

use objective::score::{WindowScores, window_scores, window_scores_sum};
use serde_json::Value;
use tch::Tensor;

/// Oracle: values cross-checked against the Evaluator classes of ProbTS 66f826c and K2VAE 19c602a.
#[test]
#[allow(clippy::print_stderr, reason = "a skipped test must say so")]
fn window_scores_are_the_benchmarks() {
    let folder = std::env::var_os("BALLAST_REFERENCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("golden_metrics.json")) else {
        eprintln!(
            "SKIPPED: no golden_metrics.json in ../shared/reference (or $BALLAST_REFERENCE); the"
        );
        eprintln!(
            "SKIPPED: scores are still checked against this crate's own tests/goldens/scores.json"
        );
        return;
    };
    let document: Value = serde_json::from_str(&text).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let truth = tensor(&case["targets"]);
        let samples = tensor(&case["samples"]).transpose(0, 1); // [N, S, H, C] there
        let pooled = window_scores(&samples, &truth, None).unwrap();
        let summed = window_scores_sum(&samples, &truth, None).unwrap();
        let expected = &case["expected"];
        for (name, found) in named(&pooled, &summed) {
            let value =
                expected[name].as_f64().unwrap_or_else(|| panic!("no {name} in {}", case["name"]));
            assert!(
                (found - value).abs() < 1e-9,
                "{} {name}: {found} against {value}",
                case["name"]
            );
        }
        for (level, value) in expected["coverage_below_q"].as_array().unwrap().iter().enumerate() {
            let found = mean(&pooled, |window| window.coverage_below[level]);
            assert!((found - value.as_f64().unwrap()).abs() < 1e-9);
        }
    }
}

/// The scores under the benchmark's names, averaged over windows.
fn named(pooled: &[WindowScores], summed: &[WindowScores]) -> [(&'static str, f64); 10] {
    [
        ("CRPS", mean(pooled, |window| window.crps)),
        ("ND", mean(pooled, |window| window.nmae)),
        ("MSE", mean(pooled, |window| window.mse)),
        ("NRMSE", mean(pooled, |window| window.nrmse)),
        ("MAE_Coverage", mean(pooled, |window| window.mae_coverage)),
        ("coverage_50", mean(pooled, |window| window.coverage_50)),
        ("coverage_90", mean(pooled, |window| window.coverage_90)),
        ("CRPS-Sum", mean(summed, |window| window.crps)),
        ("ND-Sum", mean(summed, |window| window.nmae)),
        ("MSE-Sum", mean(summed, |window| window.mse)),
    ]
}

/// The mean of one score over windows, which all have observations and a truth that is not zero throughout.
fn mean(windows: &[WindowScores], score: impl Fn(&WindowScores) -> f64) -> f64 {
    windows.iter().map(score).sum::<f64>() / windows.len() as f64
}

/// A tensor from nested lists.
fn tensor(value: &Value) -> Tensor {
    match value {
        Value::Array(items) if items.iter().all(Value::is_number) => {
            Tensor::from_slice(&items.iter().map(|item| item.as_f64().unwrap()).collect::<Vec<_>>())
        }
        Value::Array(items) => Tensor::stack(&items.iter().map(tensor).collect::<Vec<_>>(), 0),
        other => panic!("{other} is not a list"),
    }
}
