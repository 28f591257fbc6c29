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
    assert!(table.contains("units active") && table.contains("difference"), "{table}");
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
    assert!(lines[0].starts_with("date,precipitation_mean,precipitation_q05,"), "{}", lines[0]);
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

/// An evaluation has the scores of all forecasters by window, differences to each baseline, scores on all test windows
/// besides those of the config, and samples for other programs to score.
#[test]
fn an_evaluation_can_be_checked_by_others() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(500, 0.7, 5))).write("config.toml", CONFIG);
    let all = "evaluate.baselines=[\"last-value\", \"seasonal-naive\", \"drift\", \"climatology\", \
        \"seasonal-climatology\", \"ridge\", \"ets\", \"constant-gaussian\", \"constant-student-t\", \
        \"ewma\", \"ewma-fitted\", \"garch\"]";
    let few = ["--set", "data.stride=4"];
    desk.succeed(&["train", "config.toml", "--run", "run", "--set", all, few[0], few[1]]);
    let said = desk.succeed(&["evaluate", "run", "--stride", "1", "--dump", "samples.safetensors"]);
    assert!(said.contains("a window every row: "), "{said}");
    let evaluation = desk.json("run/evaluation.json");
    let forecasters = evaluation["forecasters"].as_array().unwrap();
    assert_eq!(forecasters.len(), 13, "{said}");
    assert_eq!(evaluation["left_out"].as_array().unwrap().len(), 0, "{said}");

    // Oracle: the mean of the differences is the difference of the means.
    let windows = forecasters[0]["test"]["windows"].as_u64().unwrap();
    let crps = |of: &serde_json::Value| of["test"]["crps"].as_f64().unwrap();
    for baseline in &forecasters[1..] {
        let difference = &baseline["difference"]["crps"];
        let mean = difference["mean"].as_f64().unwrap();
        assert!((mean - (crps(&forecasters[0]) - crps(baseline))).abs() < 1e-9, "{baseline}");
        let (low, high) =
            (difference["low"].as_f64().unwrap(), difference["high"].as_f64().unwrap());
        assert!(low < mean && mean < high, "{difference}");
        assert!(baseline["test"]["log_score"].is_number(), "{}", baseline["name"]);
    }
    let supplement =
        evaluation["supplement"]["forecasters"][0]["test"]["windows"].as_u64().unwrap();
    assert!(supplement > 3 * windows && supplement <= 4 * windows, "{supplement}, {windows}");
    let scores = String::from_utf8(desk.read("run/scores.csv")).unwrap();
    assert_eq!(scores.lines().count() as u64, 1 + 13 * windows);
    let every = String::from_utf8(desk.read("run/scores-stride-1.csv")).unwrap();
    assert_eq!(every.lines().count() as u64, 1 + 13 * supplement);

    // Oracle: CRPS, NMAE and MSE from the dump, by their definitions in plain loops.
    let (targets, samples) = dumped(&desk.read("samples.safetensors"));
    let (steps, draws) = (4, 50);
    assert_eq!(targets.len() as u64, windows * steps as u64);
    let (mut relative, mut squared) = (0.0, 0.0);
    for window in 0..windows as usize {
        let (mut loss, mut size) = (0.0, 0.0);
        for step in 0..steps {
            let truth = targets[window * steps + step];
            let at = |draw: usize| samples[(window * draws + draw) * steps + step];
            let mut sorted: Vec<f64> = (0..draws).map(at).collect();
            let mean = sorted.iter().sum::<f64>() / draws as f64;
            sorted.sort_by(f64::total_cmp);
            for level in (1..20).map(|k| f64::from(k) / 20.0) {
                let position = level * (draws - 1) as f64;
                let low = position as usize;
                let quantile =
                    sorted[low] + (position - low as f64) * (sorted[low + 1] - sorted[low]);
                let below = if truth <= quantile { 1.0 } else { 0.0 };
                loss += 2.0 * ((quantile - truth) * (below - level)).abs() / 19.0;
            }
            size += truth.abs();
            squared += (truth - mean).powi(2) / steps as f64;
        }
        relative += loss / size;
    }
    let test = &forecasters[0]["test"];
    for (found, name) in [(relative, "crps"), (squared, "mse")] {
        let expected = test[name].as_f64().unwrap();
        assert!((found / windows as f64 / expected - 1.0).abs() < 1e-6, "{name}: {found}");
    }
}

/// Targets and samples of a safetensors file, which is a length, a header in JSON, and numbers.
fn dumped(bytes: &[u8]) -> (Vec<f64>, Vec<f64>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let numbers = |name: &str| -> Vec<f64> {
        assert_eq!(header[name]["dtype"], "F32");
        let at = |i: usize| header[name]["data_offsets"][i].as_u64().unwrap() as usize;
        let cells = &bytes[8 + length + at(0)..8 + length + at(1)];
        let number = |cell: &[u8]| f64::from(f32::from_le_bytes(cell.try_into().unwrap()));
        cells.chunks_exact(4).map(number).collect()
    };
    (numbers("targets"), numbers("samples"))
}

/// Seeds are averaged, and shown one by one and as an ensemble; runs of other configs are refused.
#[test]
fn several_seeds_are_evaluated_together() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(400, 0.7, 5))).write("config.toml", CONFIG);
    for seed in ["1", "2", "3"] {
        let run = format!("runs/{seed}");
        desk.succeed(&["train", "config.toml", "--run", &run, "--seed", seed]);
    }
    let said = desk.succeed(&["evaluate", "runs/1", "runs/2", "runs/3"]);
    assert!(said.contains("mean of 3") && said.contains("ensemble of 3"), "{said}");
    let evaluation = desk.json("runs/evaluation.json");
    let forecasters = evaluation["forecasters"].as_array().unwrap();
    let crps = |i: usize| forecasters[i]["test"]["crps"].as_f64().unwrap();
    assert_eq!(forecasters[0]["kind"], "model");
    assert!((crps(0) - (crps(1) + crps(2) + crps(3)) / 3.0).abs() < 1e-9, "{said}");
    assert_eq!(forecasters[4]["kind"], "ensemble");
    assert!(forecasters[4]["difference"]["crps"]["error"].as_f64().unwrap() > 0.0);
    assert!(!desk.path("runs/1/evaluation.json").exists(), "the runs are left alone");

    let said = desk.fail(65, &["evaluate", "runs/1", "runs/1"]);
    assert!(said.contains("seed 1 of another run"), "{said}");
    desk.succeed(&["train", "config.toml", "--run", "other", "--set", "train.epochs=1"]);
    let said = desk.fail(65, &["evaluate", "runs/1", "other"]);
    assert!(said.contains("more than the seed"), "{said}");
}

/// Every config of the repository trains, as does every kind of model; kinds that forecast are evaluated.
#[test]
fn every_config_trains() {
    let desk = Desk::new();
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let configs: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|e| e == "toml")).collect();
    assert!(configs.len() >= 2, "{configs:?}");
    for config in configs {
        let name = config.file_stem().unwrap().to_str().unwrap();
        let config = config.to_str().unwrap();
        desk.succeed(&["train", config, "--run", name, "--set", "train.epochs=1"]);
        desk.succeed(&["evaluate", name]);
    }
    let weather = folder.join("seattle-weather.toml");
    let train = |name: &str, more: &[&str]| {
        let kind = format!("model.kind={name}");
        let words = ["train", weather.to_str().unwrap(), "--run", name, "--set", &kind];
        desk.succeed(&[&words[..], &["--set", "train.epochs=1"], more].concat());
    };
    train("predict", &["--set", "model.linear_skip=false"]);
    desk.succeed(&["evaluate", "predict"]);
    train("autoencode", &[]);
    assert!(desk.fail(2, &["evaluate", "autoencode"]).contains("forecasts nothing"));
}

/// Oracle: the best forecast of an AR(1) is known, `N(φ^h x, (1 − φ^{2h})/(1 − φ²))`, and the CRPS of
/// a calibrated Gaussian forecast is `σ/√π` on average. Only luck can beat it.
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
    // Windows overlap by 11 of 12 rows, so about n/12 of them are independent.
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

/// Series with a long outage, long runs of zeros, or filled gaps are scored where values were observed.
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
    assert_ne!(weights("mask"), weights("forward"), "the model sees filled values");
}
