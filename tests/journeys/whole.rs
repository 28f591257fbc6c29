//! Train, evaluate, forecast.

use journeys::{CONFIG, Desk, autoregression, csv};

#[test]
fn bundled_data_goes_from_config_to_forecast() {
    let desk = Desk::new();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/seattle-weather.toml");
    desk.succeed(&["train", config, "--run", "run", "--set", "train.epochs=2"]);
    let table = desk.succeed(&["evaluate", "run"]);
    for name in ["ballast", "last value", "seasonal naive (7)", "ridge"] {
        assert!(table.contains(name), "{table}");
    }
    assert!(table.contains("units active"), "{table}");
    let health = &desk.json("run/evaluation.json")["health"];
    assert!(health["iwae"].as_f64() >= health["elbo"].as_f64(), "{health}");
    let metrics = String::from_utf8(desk.read("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 2);
    let info = desk.json("run/run.json");
    assert_eq!(info["status"], "done");
    assert_eq!(info["data"]["rows"], 1461);

    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/data/bundled/seattle-weather.csv");
    desk.succeed(&["forecast", "run", "--input", data, "--output", "forecast.csv"]);
    let forecast = String::from_utf8(desk.read("forecast.csv")).unwrap();
    let lines: Vec<&str> = forecast.lines().collect();
    assert_eq!(lines.len(), 1 + 7, "a header and a row per step");
    assert!(lines[0].starts_with("time,precipitation_mean,precipitation_q05,"), "{}", lines[0]);
    assert!(
        lines[1].starts_with("2016-01-01,") || lines[1].starts_with("2016/01/01,"),
        "{}",
        lines[1]
    );
    for line in &lines[1..] {
        let numbers: Vec<f64> = line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 4 * 8);
        for channel in numbers.chunks(8) {
            assert!(channel[1..].is_sorted(), "quantiles do not cross: {line}");
        }
    }
}

/// Every config of the repository trains; those that forecast are evaluated.
#[test]
fn every_config_trains() {
    let desk = Desk::new();
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let configs: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|e| e == "toml")).collect();
    assert!(configs.len() >= 4, "{configs:?}");
    for config in configs {
        let name = config.file_stem().unwrap().to_str().unwrap();
        let config = config.to_str().unwrap();
        desk.succeed(&["train", config, "--run", name, "--set", "train.epochs=1"]);
        if name == "autoencode" {
            assert!(desk.fail(2, &["evaluate", name]).contains("forecasts nothing"));
        } else {
            desk.succeed(&["evaluate", name]);
        }
    }
}

/// Oracle: the best forecast of an AR(1) is known, `N(φ^h x, (1 − φ^{2h})/(1 − φ²))`, and the CRPS of
/// a calibrated Gaussian forecast is `σ/√π` on average. Nothing can beat it but by luck.
#[test]
fn an_autoregression_is_forecast_nearly_as_well_as_it_can_be() {
    let (phi, rows) = (0.8_f64, 3000);
    let values = autoregression(rows, phi, 11);
    let desk = Desk::new();
    desk.write("series.csv", &csv(&values)).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run", "--set", "train.epochs=15"]);
    desk.succeed(&["evaluate", "run"]);

    let train = &values[..rows * 6 / 10];
    let mean = train.iter().sum::<f64>() / train.len() as f64;
    let squares = train.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let spread = (squares / (train.len() - 1) as f64).sqrt();
    let std = |h: i32| ((1.0 - phi.powi(2 * h)) / (1.0 - phi * phi)).sqrt();
    let best = (1..=4).map(std).sum::<f64>() / 4.0 / std::f64::consts::PI.sqrt() / spread;

    let evaluation = desk.json("run/evaluation.json");
    let test = &evaluation["forecasters"][0]["test"];
    let scores = test["window_crps"].as_array().unwrap();
    let scores: Vec<f64> = scores.iter().map(|score| score.as_f64().unwrap()).collect();
    let n = scores.len() as f64;
    let found = scores.iter().sum::<f64>() / n;
    let variance = scores.iter().map(|score| (score - found).powi(2)).sum::<f64>() / n;
    // Windows overlap by 11 of 12 rows: about n/12 of them are independent.
    let error = (variance / (n / 12.0)).sqrt();
    assert!(found > best - 4.0 * error, "{found} is too good beside {best} ± {error}");
    assert!(found < 1.05 * best + 4.0 * error, "{found} is far from {best} ± {error}");
    let naive = evaluation["forecasters"][1]["test"]["crps_standardized"].as_f64().unwrap();
    assert!(found < naive, "{found} loses to the last value, {naive}");
}

#[test]
fn a_finished_run_is_not_trained_again() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(300, 0.5, 1))).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run"]);
    let before = desk.read("run/run.json");
    let said = desk.succeed(&["train", "config.toml", "--run", "run"]);
    assert!(said.contains("already-done"), "{said}");
    assert_eq!(desk.read("run/run.json"), before);
    let said = desk.fail(2, &["train", "config.toml", "--run", "run", "--seed", "4"]);
    assert!(said.contains("run of another config"), "{said}");
    // The resolved config reproduces the run by itself.
    desk.succeed(&["train", "run/config.toml", "--run", "again"]);
    assert_eq!(desk.read("again/model.safetensors"), desk.read("run/model.safetensors"));
}

#[test]
fn gaps_are_told_to_the_model_and_not_scored() {
    let desk = Desk::new();
    let text = csv(&autoregression(400, 0.7, 5));
    let holes: String = (text.lines().enumerate())
        .map(|(line, text)| match line % 17 {
            5 => format!("{},\n", text.split(',').next().unwrap()),
            _ => format!("{text}\n"),
        })
        .collect();
    desk.write("series.csv", &holes).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run"]);
    desk.succeed(&["evaluate", "run"]);
    let crps = &desk.json("run/evaluation.json")["forecasters"][0]["test"]["crps"];
    assert!(crps.as_f64().is_some_and(|crps| crps > 0.0), "{crps}");
    desk.succeed(&["forecast", "run", "--input", "series.csv", "--output", "forecast.csv"]);
    assert!(!String::from_utf8(desk.read("forecast.csv")).unwrap().contains("NaN"));
}

/// A long outage, zeros for days, and gaps filled: each is scored where there is something to score.
#[test]
fn outages_and_zeros_are_left_out_and_counted() {
    let desk = Desk::new();
    let values = autoregression(400, 0.7, 5);
    let text = |row: usize, value: f64| match row {
        330..350 => format!("{row},\n"),
        360..380 => format!("{row},0\n"),
        _ => format!("{row},{value}\n"),
    };
    let rows = values.iter().enumerate().map(|(row, value)| text(row, *value));
    let csv: String = std::iter::once("time,x\n".to_owned()).chain(rows).collect();
    desk.write("series.csv", &csv).write("config.toml", CONFIG);
    for fill in ["mask", "forward", "interpolate"] {
        let set = format!("data.fill={fill}");
        desk.succeed(&["train", "config.toml", "--run", fill, "--set", &set]);
        let said = desk.succeed(&["evaluate", fill]);
        assert!(said.contains("zero throughout"), "{said}");
        let evaluation = desk.json(&format!("{fill}/evaluation.json"));
        for forecaster in evaluation["forecasters"].as_array().unwrap() {
            let test = &forecaster["test"];
            assert!(test["crps"].is_number(), "{fill}: {}", forecaster["name"]);
            // Horizons of 4 rows: 17 start inside the outage or the zeros and end there too.
            let missing = test["window_crps"].as_array().unwrap().iter().filter(|c| c.is_null());
            assert_eq!(missing.count(), 17, "{fill}: {}", forecaster["name"]);
            assert_eq!(test["zero_windows"], 17, "{fill}: {}", forecaster["name"]);
        }
        desk.succeed(&["forecast", fill, "--input", "series.csv", "--output", "forecast.csv"]);
    }
    let weights = |fill: &str| desk.read(&format!("{fill}/model.safetensors"));
    assert_ne!(weights("mask"), weights("forward"), "filled values are seen");
}
