//! The information that latent variables have about clean windows when they see noised ones.

use journeys::{Desk, autoregression, csv};
use serde_json::Value;

/// Noise that ends at `ᾱ_T = .006`, with `λ` times the clean window added back.
fn config(kind: &str, reinject: f64) -> String {
    format!(
        r#"
seed = 3

[data]
path = "series.csv"
time = "time"
targets = ["x"]
context = 8
horizon = 2
split = {{ train = 0.6, validation = 0.2, test = 0.2 }}

[noise]
schedule = "linear"
steps = 100
beta_end = 0.1
input = {{ reinject = {reinject:.1} }}
target = {{ scale = 0.0 }}

[model]
kind = "{kind}"
hidden = 32
latent = 3
instance_norm = false
linear_skip = false
dropout = 0.0

[objective]
likelihood = "gaussian"
kl_weight = 0.1
crps_weight = 0.0

[train]
ridge_start = false
choose_instance_norm = false
epochs = 10
steps_per_epoch = 0
learning_rate_schedule = "constant"
weight_decay = 0.0
ema_decay = 0.0
patience = 10
batch_size = 32
learning_rate = 3e-3
validation_samples = 20

[evaluate]
season = 4
"#
    )
}

fn number(step: &Value, keys: &[&str]) -> f64 {
    let found = keys.iter().fold(step, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("{keys:?} in {step}"))
}

/// The note's claim: at the last step a plainly diffused window holds no information, and a re-injected one does.
/// A third measurement has the run with re-injection read the same windows through the plain process.
#[test]
fn features_survive_to_the_last_step_only_with_the_window_added_back() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(1500, 0.9, 4)));
    for kind in ["autoencode", "predict"] {
        let steps = |run: &str, words: &[&str]| -> Vec<Value> {
            let said = desk.succeed(&[&["features", run, "--steps", "3"], words].concat());
            assert!(said.contains("posterior mean, 3 dimensions"), "{said}");
            let found = desk.json(&format!("{run}/features.json"));
            assert_eq!(found["noise"], if words.is_empty() { "own" } else { "file" });
            found["steps"].as_array().unwrap().clone()
        };
        for (name, reinject) in [("plain", 0.0), ("reinjected", 1.0)] {
            let (file, run) = (format!("{name}.toml"), format!("{kind}-{name}"));
            desk.write(&file, &config(kind, reinject));
            desk.succeed(&["train", &file, "--run", &run]);
        }
        let r2 = |step: &Value, probe: &str| {
            (number(step, &[probe, "r2"]), number(step, &[probe, "error"]))
        };
        let plain = steps(&format!("{kind}-plain"), &[]);
        let reinjected = steps(&format!("{kind}-reinjected"), &[]);
        let crossed = steps(&format!("{kind}-reinjected"), &["--process", "plain.toml"]);
        assert_eq!(number(&plain[2], &["t"]), 100.0);
        for probe in ["probe_future", "probe_context", "raw_future"] {
            for lost in [&plain[2], &crossed[2]] {
                let (found, error) = r2(lost, probe);
                assert!(found.abs() < 6.0 * error + 0.03, "{kind}, {probe}: {lost}");
            }
            let (kept, error) = r2(&reinjected[2], probe);
            assert!(kept > 0.15 && kept > 4.0 * error, "{kind}, {probe}: {}", reinjected[2]);
        }
        // The same clean windows: at the first step the process does not matter.
        assert_eq!(crossed[0]["probe_future"], reinjected[0]["probe_future"], "{kind}");
        // The latent holds information about the noise, but none about the window behind it.
        let of = |step: &Value, key: &str| number(step, &[key]);
        let error = |step: &Value| of(step, "mutual_information_error");
        assert!(of(&plain[2], "mutual_information").abs() < 0.1 + 6.0 * error(&plain[2]));
        assert!(of(&reinjected[2], "mutual_information") > 0.2, "{kind}: {}", reinjected[2]);
        for step in plain.iter().chain(&reinjected) {
            let noised = of(step, "mutual_information_noised");
            assert!(of(step, "mutual_information") < noised + 6.0 * error(step), "{kind}: {step}");
            // Convexity: the divergence from the aggregate does not exceed that from the prior.
            assert!(noised < of(step, "kl") + 6.0 * error(step), "{kind}: {step}");
        }
    }
}

#[test]
fn measurements_that_cannot_be_made_are_errors() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(300, 0.9, 4)));
    desk.write("config.toml", &config("predict", 1.0));
    assert!(desk.fail(66, &["features", "run"]).contains("ballast train"));
    desk.succeed(&["train", "config.toml", "--run", "run", "--set", "train.epochs=1"]);
    desk.fail(2, &["features", "run", "--steps", "1"]);
    assert!(desk.fail(66, &["features", "run", "--process", "no.toml"]).contains("no.toml"));
    desk.write("odd.toml", "[noise]\nstepz = 5\n");
    let said = desk.fail(2, &["features", "run", "--process", "odd.toml"]);
    assert!(said.contains("odd.toml:2:1") && said.contains("did you mean `steps`"), "{said}");
    desk.write("auto.toml", "noise = \"auto\"\n");
    let said = desk.fail(2, &["features", "run", "--process", "auto.toml"]);
    assert!(said.contains("only training resolves"), "{said}");
    assert!(!desk.path("run/features.json").exists());

    // The same command gives the same bytes; another training removes them.
    desk.succeed(&["features", "run"]);
    let first = desk.read("run/features.json");
    desk.succeed(&["features", "run"]);
    assert_eq!(first, desk.read("run/features.json"));
    desk.write("series.csv", &csv(&autoregression(300, 0.9, 5)));
    assert!(desk.fail(65, &["features", "run"]).contains("not the data it was trained on"));
    desk.write("series.csv", &csv(&autoregression(300, 0.9, 4)));
    std::fs::remove_file(desk.path("run/run.json")).unwrap();
    desk.succeed(&["train", "--run", "run"]);
    assert!(!desk.path("run/features.json").exists());
}
