//! Conditions without which a score means nothing.

use journeys::{CONFIG, Desk, autoregression, csv};

/// The same seed and thread count give the same bytes.
#[test]
fn a_run_repeated_gives_the_same_bytes() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(400, 0.7, 2))).write("config.toml", CONFIG);
    for run in ["a", "b"] {
        desk.succeed(&["train", "config.toml", "--run", run]);
        desk.succeed(&["evaluate", run]);
    }
    for file in ["config.toml", "metrics.jsonl", "model.safetensors", "evaluation.json"] {
        assert_eq!(desk.read(&format!("a/{file}")), desk.read(&format!("b/{file}")), "{file}");
    }
    desk.succeed(&["train", "config.toml", "--run", "c", "--seed", "4"]);
    assert_ne!(desk.read("a/model.safetensors"), desk.read("c/model.safetensors"));
}

/// Training with other test rows gives the same bytes: no scaler, window or selection carries the test
/// part into the weights. Other validation rows do change the records.
#[test]
fn nothing_of_the_test_part_reaches_the_weights() {
    let desk = Desk::new();
    desk.write("config.toml", CONFIG);
    let values = autoregression(400, 0.7, 2);
    let replaced = |from: usize, to: usize| -> String {
        let other = (values.iter().enumerate())
            .map(|(row, value)| if (from..to).contains(&row) { 50.0 - value } else { *value });
        csv(&other.collect::<Vec<_>>())
    };
    for (run, from, to) in
        [("as-is", 0, 0), ("other-test", 320, 400), ("other-validation", 240, 320)]
    {
        desk.write("series.csv", &replaced(from, to));
        desk.succeed(&["train", "config.toml", "--run", run]);
    }
    for file in ["metrics.jsonl", "model.safetensors"] {
        let (as_is, other) =
            (desk.read(&format!("as-is/{file}")), desk.read(&format!("other-test/{file}")));
        assert_eq!(as_is, other, "{file} depends on the test rows");
    }
    assert_ne!(desk.read("as-is/metrics.jsonl"), desk.read("other-validation/metrics.jsonl"));
}

/// An evaluation on data that changed since the training is refused.
#[test]
fn other_data_than_trained_on_is_refused() {
    let desk = Desk::new();
    let values = autoregression(300, 0.7, 2);
    desk.write("series.csv", &csv(&values)).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run"]);
    desk.write("series.csv", &csv(&autoregression(300, 0.7, 9)));
    let said = desk.fail(65, &["evaluate", "run"]);
    assert!(said.contains("not the data it was trained on"), "{said}");
}

/// A training whose validation never beats the naive forecast says so at its end; one that does says nothing.
#[test]
fn a_model_worse_than_the_naive_forecast_is_told() {
    let desk = Desk::new();
    let noise = autoregression(300, 0.0, 5);
    let seasonal: Vec<f64> =
        noise.iter().enumerate().map(|(row, e)| 9.0 * (row % 4) as f64 + 0.1 * e).collect();
    desk.write("series.csv", &csv(&seasonal)).write("config.toml", CONFIG);
    let mut untrained = vec!["train", "config.toml", "--run", "untrained"];
    for key in ["train.learning_rate=1e-9", "train.ridge_start=false", "evaluate.season=4"] {
        untrained.extend(["--set", key]);
    }
    let said = desk.run(&untrained);
    assert_eq!(said.status.code(), Some(0));
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(errors.contains("worse than that of the naive forecast"), "{errors}");

    desk.write("series.csv", &csv(&autoregression(300, 0.7, 2)));
    let said =
        desk.run(&["train", "config.toml", "--run", "trained", "--set", "train.ridge_start=true"]);
    assert_eq!(String::from_utf8_lossy(&said.stderr), "");
}
