//! The weights that a training keeps, and the choices made before it.

use journeys::{CONFIG, Desk, autoregression, csv};
use serde_json::Value;

/// The scores of the model on test windows.
fn scores(desk: &Desk, file: &str) -> Value {
    desk.json(file)["forecasters"][0]["test"].clone()
}

/// Oracle: trainings that keep only the best or only the last weights.
#[test]
fn both_weights_are_kept_and_scored_apart() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(300, 0.9, 4)));
    desk.write("c.toml", CONFIG);
    let more = ["--set", "train.epochs=12", "--set", "train.learning_rate=0.01"];
    for keep in ["both", "best", "last"] {
        let keeps = format!("train.keep={keep}");
        let words = ["train", "c.toml", "--run", keep, "--set", &keeps];
        desk.succeed(&[&words[..], &more].concat());
        desk.succeed(&["evaluate", keep]);
    }
    desk.succeed(&["evaluate", "both", "--last"]);
    let (best, last) =
        (scores(&desk, "best/evaluation.json"), scores(&desk, "last/evaluation.json"));
    assert_ne!(best, last, "the best epoch is the last one, so that the test proves nothing");
    assert_eq!(scores(&desk, "both/evaluation.json"), best);
    assert_eq!(scores(&desk, "both/last/evaluation.json"), last);
    let errors = desk.fail(66, &["evaluate", "best", "--last"]);
    assert!(
        errors.contains("last.safetensors") && errors.contains("train.keep = \"both\""),
        "{errors}"
    );
}

/// The level of a window is subtracted in a random walk and not in white noise; evaluation and forecasts use the same
/// choice.
#[test]
fn validation_windows_choose_instance_normalization() {
    let desk = Desk::new();
    let noise = autoregression(1200, 0.0, 5);
    let walk: Vec<f64> = noise
        .iter()
        .scan(0.0, |sum, step| {
            *sum += step;
            Some(*sum)
        })
        .collect();
    for (name, values, expected) in [("noise", &noise, false), ("walk", &walk, true)] {
        desk.write("series.csv", &csv(values));
        desk.write("c.toml", CONFIG);
        desk.succeed(&[
            "train",
            "c.toml",
            "--run",
            name,
            "--set",
            "train.choose_instance_norm=true",
        ]);
        desk.succeed(&["evaluate", name]);
        assert_eq!(desk.json(&format!("{name}/run.json"))["instance_norm"], expected, "{name}");
        // Oracle: the same config with the choice spelled out.
        let (said, by_hand) =
            (format!("model.instance_norm={expected}"), format!("{name}-by-hand"));
        desk.succeed(&["train", "c.toml", "--run", &by_hand, "--set", &said]);
        desk.succeed(&["evaluate", &by_hand]);
        let of = |run: &str| scores(&desk, &format!("{run}/evaluation.json"));
        assert_eq!(of(name), of(&by_hand));
        let forecast = |run: &str| {
            let file = format!("{run}.csv");
            desk.succeed(&["forecast", run, "--input", "series.csv", "--output", &file]);
            desk.read(&file)
        };
        assert_eq!(forecast(name), forecast(&by_hand));
        // The finished training is started again, with nothing left to do.
        let again = desk.succeed(&[
            "train",
            "c.toml",
            "--run",
            name,
            "--set",
            "train.choose_instance_norm=true",
        ]);
        assert!(again.contains("already") || again.contains("done"), "{again}");
    }
}

/// Oracle: forecast errors of an autoregression are correlated between steps, so that sums over steps vary more than
/// independent steps would. Forecasts of single steps are as good as before.
#[test]
fn correlated_residuals_make_honest_sums() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(3000, 0.95, 6)));
    desk.write("c.toml", CONFIG);
    let number = |run: &str, key: &str| {
        scores(&desk, &format!("{run}/evaluation.json"))[key].as_f64().unwrap()
    };
    for residuals in ["independent", "correlated"] {
        let said = format!("model.residuals={residuals}");
        let mut words = vec!["train", "c.toml", "--run", residuals, "--set", &said];
        // A KL so expensive that the latent variable does not carry the dependence.
        let more = ["train.epochs=6", "evaluate.samples=200", "objective.kl_weight=50"];
        words.extend(more.iter().flat_map(|set| ["--set", set]));
        desk.succeed(&words);
        desk.succeed(&["evaluate", residuals]);
    }
    let of = |key: &str| ["independent", "correlated"].map(|run| number(run, key));
    let ([alone, together], [apart, summed]) = (of("crps_standardized"), of("crps_of_step_sum"));
    assert!((together / alone - 1.0).abs() < 0.02, "one by one: {alone} {together}");
    assert!(summed < 0.99 * apart, "sums over steps: {apart} {summed}");
    let [independent, correlated] = of("energy");
    assert!(correlated < independent, "energy: {independent} {correlated}");
}
