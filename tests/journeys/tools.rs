//! Commands that inspect noise and data, and `ballast init`.

use journeys::{CONFIG, Desk, autoregression, csv};

#[test]
fn noise_is_shown_in_words_numbers_and_a_picture() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(300, 0.7, 5))).write("config.toml", CONFIG);
    let said = desk.succeed(&["noise", "config.toml", "--figure", "noise.svg"]);
    assert!(said.contains("of steps carry less than −20 dB of signal"), "{said}");
    let figure = String::from_utf8(desk.read("noise.svg")).unwrap();
    assert!(figure.starts_with("<svg") && figure.contains("Signal to noise"), "no figure");

    let json = desk.succeed(&["noise", "config.toml", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 101, "t = 0, …, 100");
    for key in ["t", "beta", "alpha_bar", "snr", "snr_reinjected", "equivalent_alpha_bar"] {
        assert!(rows[50].get(key).is_some_and(serde_json::Value::is_number), "{key}");
    }
    // Oracle: λ = 1 halves the diffusion angle, ᾱ_τ = (1 + √ᾱ_t)/2, whatever the schedule.
    let number = |row: usize, key: &str| rows[row][key].as_f64().unwrap();
    let expected = 0.5 * (1.0 + number(70, "alpha_bar").sqrt());
    assert!((number(70, "equivalent_alpha_bar") - expected).abs() < 1e-12);
    desk.fail(2, &["noise", "config.toml", "--set", "noise.beta_end=1.5"]);
}

#[test]
fn a_file_is_described_and_becomes_a_config_that_trains() {
    let desk = Desk::new();
    desk.write("load.csv", &csv(&autoregression(400, 0.7, 5)));
    let said = desk.succeed(&["data", "check", "load.csv"]);
    assert!(said.contains("400 rows") && said.contains("proposal"), "{said}");
    let json = desk.succeed(&["data", "check", "load.csv", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");

    desk.succeed(&["init", "load.csv", "--target", "x", "--horizon", "4"]);
    let said = desk.fail(2, &["init", "load.csv", "--target", "x"]);
    assert!(said.contains("already exists"), "{said}");
    desk.succeed(&["train", "load.toml", "--run", "run", "--set", "train.epochs=1"]);
    desk.succeed(&["evaluate", "run"]);
    assert!(desk.fail(66, &["data", "check", "nowhere.csv"]).contains("nowhere.csv"));
    assert!(desk.fail(2, &["data", "fetch", "nothing"]).contains("etth1"));
}
