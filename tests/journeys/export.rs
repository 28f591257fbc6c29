//! Files for other programs: an exported network in onnxruntime, forecasts in Parquet in pandas and Polars.

use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use journeys::{CONFIG, Desk, autoregression, csv};
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// A Python with the packages; `None`, with a message, where they are not installed.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn interpreter(what: &str) -> Option<OsString> {
    let python = env::var_os("BALLAST_ONNX_PYTHON");
    if python.is_none() {
        eprintln!(
            "SKIPPED on {what}: BALLAST_ONNX_PYTHON is not set to a Python with onnxruntime, pandas and Polars; \
             `cargo xtask test` installs one"
        );
    }
    python
}

/// The JSON that a script prints; `None` without its packages.
fn python(desk: &Desk, script: &str, words: &[&str]) -> Option<Value> {
    let python = interpreter(script)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("journeys").join(script);
    let output = Command::new(python).arg(path).args(words).current_dir(desk.path("")).output();
    let output = output.expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}")))
}

/// A year and a half of daily sales with a season of a week, in the thousands.
fn sales(rows: usize) -> String {
    let mut text = "date,sales\n".to_owned();
    for (row, noise) in autoregression(rows, 0.3, 4).into_iter().enumerate() {
        let (month, day) = (row / 28 % 12 + 1, row % 28 + 1);
        let week = [9.0, 3.0, 0.0, -3.0, -9.0, 1.0, 2.0][row % 7];
        let _ = writeln!(
            text,
            "{}-{month:02}-{day:02},{}",
            2022 + row / 336,
            5000.0 + 6.0 * week + 4.0 * noise
        );
    }
    text
}

/// The README's way: the CSV's own numbers in, forecasts in the same units out, which are those of `ballast forecast` but for
/// the chance of their draws.
#[test]
fn an_exported_network_forecasts_in_python() {
    let desk = Desk::new();
    desk.write("sales.csv", &sales(500));
    let config = CONFIG.replace("series.csv", "sales.csv").replace("\"time\"", "\"date\"").replace(
        "[\"x\"]",
        "[\"sales\"]\nfrequency = \"irregular\"\nseasonal = [\"day-of-month\"]",
    );
    desk.write("config.toml", &config);
    desk.succeed(&["train", "config.toml", "--run", "runs/sales"]);
    let said = desk.succeed(&["export", "runs/sales", "--format", "onnx"]);
    assert!(said.contains("input `context`, float64 [batch, 8, 1]"), "{said}");
    assert!(said.contains("fitted again on all 500 rows"), "{said}");
    assert!(said.contains("written to sales.onnx"), "{said}");
    desk.succeed(&["export", "runs/sales", "--format", "torchscript", "--output", "b.pt"]);
    assert!(desk.read("b.pt").starts_with(b"PK"));
    desk.succeed(&["forecast", "runs/sales", "--input", "sales.csv", "--output", "forecast.csv"]);
    let Some(found) = python(&desk, "forecast_sales.py", &[]) else { return };
    let (ours, theirs) = (&found["ballast"], &found["onnx"]);
    for (step, spread) in found["spread"].as_array().unwrap().iter().enumerate() {
        let spread = spread.as_f64().unwrap();
        assert!((5.0..60.0).contains(&spread), "{spread}");
        for level in 0..7 {
            let [a, b] = [ours, theirs].map(|table| table[step][level].as_f64().unwrap());
            // 1000 draws against 20,000: the standard error of an outer quantile is below a tenth of the spread.
            assert!((a - b).abs() < 0.25 * spread, "step {step}, level {level}: {a} {b}");
        }
    }
}

/// The code in the README, word by word.
#[test]
fn the_readme_forecasts_from_python() {
    let readme = include_str!("../../README.md");
    let (_, code) = readme.split_once("```python\n").expect("code in Python");
    let (code, _) = code.split_once("```").expect("its end");
    let desk = Desk::new();
    let weather = include_str!("../../crates/data/bundled/seattle-weather.csv");
    desk.write("weather.csv", weather)
        .write("forecast.py", &format!("{code}print(quantiles.shape)"));
    desk.succeed(&["init", "weather.csv", "--horizon", "7"]);
    let short = ["--set", "train.epochs=1", "--set", "train.steps_per_epoch=5"];
    desk.succeed(&[&["train", "weather.toml", "--run", "runs/weather"], &short[..]].concat());
    desk.succeed(&["export", "runs/weather", "--format", "onnx"]);
    let Some(python) = interpreter("the README") else { return };
    let output = Command::new(python).arg("forecast.py").current_dir(desk.path("")).output();
    let output = output.expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("2016-01-07") && said.ends_with("(7, 1, 7, 4)\n"), "{said}");
}

#[test]
fn weights_go_with_their_scaler() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(200, 0.5, 1))).write("config.toml", CONFIG);
    desk.succeed(&["train", "config.toml", "--run", "run"]);
    desk.succeed(&["export", "run", "--format", "safetensors"]);
    let (whole, weights) = (desk.read("run.safetensors"), desk.read("run/refit.safetensors"));
    let [ours, theirs] = [&whole, &weights].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (name, tensor) in theirs.tensors() {
        assert_eq!(ours.tensor(&name).unwrap().data(), tensor.data(), "{name}");
    }
    let (_, header) = SafeTensors::read_metadata(&whole).unwrap();
    let note = header.metadata().as_ref().unwrap()["ballast"].clone();
    let note: Value = serde_json::from_str(&note).unwrap();
    // That of the refit, not of the training rows.
    assert_eq!(note["pipeline"], desk.json("run/run.json")["refit"]["pipeline"]);
    assert!(note["config"].as_str().unwrap().contains("kind = \"conditional\""));
}

/// A pool's network is not its forecast, and one without a network has nothing to export.
#[test]
fn the_network_of_a_pool_is_said_to_be_alone() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(120, 0.6, 2)));
    let fit = [
        "forecast",
        "series.csv",
        "--horizon",
        "4",
        "--run",
        "pool",
        "--set",
        "train.max_steps=20",
    ];
    desk.succeed(&fit);
    let output = desk.run(&["export", "pool", "--format", "onnx", "--levels", "0.9,0.5,0.9"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("float64 [2, batch, 4, 1]"), "{said}");
    let pool = desk.json("pool/pool.json");
    let place = pool["members"].as_array().unwrap().iter().position(|name| name == "network");
    let weight = pool["units"][0]["weights"][place.unwrap()].as_f64().unwrap();
    let weight =
        format!("this is the network alone, which has {:.0} % of the weight", 100.0 * weight);
    assert!(said.contains(&weight), "{weight}: {said}");
    assert!(said.contains("on past rows its error (CRPS) was"), "{said}");
    desk.succeed(&[
        "forecast",
        "series.csv",
        "--horizon",
        "4",
        "--run",
        "classics",
        "--without-network",
    ]);
    let said = desk.fail(2, &["export", "classics", "--format", "onnx"]);
    assert!(said.contains("classics: this run has no network to export"), "{said}");
    assert!(desk.fail(66, &["export", "nowhere", "--format", "onnx"]).contains("nowhere"));
    desk.fail(2, &["export", "pool", "--format", "pickle"]);
    desk.fail(74, &["export", "pool", "--format", "onnx", "--output", "no/such/folder/a.onnx"]);
}

/// Hours of a week in which clocks change, of counts in two shops, and of numbered rows.
#[test]
fn parquet_forecasts_have_types() {
    let desk = Desk::new();
    let hour = |row: usize| 100.0 + 10.0 * (row as f64 * 0.26).sin() + (row % 7) as f64;
    let mut zoned = "when,load\n".to_owned();
    for row in 0..252 {
        let (day, clock) = (21 + row / 24, row % 24);
        let _ = writeln!(zoned, "2024-03-{day:02}T{clock:02}:00:00Z,{}", hour(row));
    }
    let mut counts = "shop,day,sales\n".to_owned();
    for shop in 1..=2 {
        for row in 0..84 {
            let (month, day) = (row / 28 + 1, row % 28 + 1);
            let _ = writeln!(counts, "{shop},2023-{month:02}-{day:02},{}", row * 7 % 5 + 3 * shop);
        }
    }
    desk.write("zoned.csv", &zoned).write("naive.csv", &zoned.replace('Z', ""));
    desk.write("counts.csv", &counts).write("rows.csv", &csv(&autoregression(90, 0.5, 1)));
    for (name, more) in [
        ("zoned", vec!["--set", "data.time_zone=\"Europe/Berlin\""]),
        ("naive", vec![]),
        ("counts", vec!["--id", "shop", "--set", "data.frequency=\"irregular\""]),
        ("rows", vec![]),
    ] {
        let file = format!("{name}.csv");
        let mut words = vec!["forecast", &file, "--horizon", "12", "--without-network"];
        words.extend(["--samples", "3", "--format", "parquet"]);
        desk.succeed(&[words, more].concat());
        assert!(desk.read(&format!("{name}-forecast.parquet")).starts_with(b"PAR1"));
    }
    let said = desk.fail(2, &["forecast", "rows.csv", "--format", "parquet", "--output", "a.csv"]);
    assert!(said.contains("the name a.csv says another form"), "{said}");
    let Some(found) = python(&desk, "read_tables.py", &["zoned", "naive", "counts", "rows"]) else {
        return;
    };
    let types = |name: &str, library: &str| found[name][library].clone();
    let berlin = "datetime64[us, Europe/Berlin]";
    assert_eq!(types("zoned", "pandas"), json!([berlin, "float64", "float64"]));
    let berlin = "Datetime(time_unit='us', time_zone='Europe/Berlin')";
    assert_eq!(types("zoned", "polars"), json!([berlin, "Float64", "Float64"]));
    // 12:00 UTC on 31 March, the first row ahead, is 14:00 in Berlin, where clocks changed that night.
    assert_eq!(found["zoned"]["first"], "2024-03-31T14:00:00+02:00");
    assert_eq!(types("naive", "pandas"), json!(["datetime64[us]", "float64", "float64"]));
    assert_eq!(found["naive"]["first"], "2024-03-31T12:00:00");
    assert_eq!(types("counts", "pandas"), json!(["str", "object", "float64"]));
    assert_eq!(types("counts", "polars"), json!(["String", "Date", "Float64"]));
    assert_eq!(found["counts"]["first"], "1");
    assert_eq!(types("rows", "polars"), json!(["Int64", "Float64", "Float64"]));
    // Sample paths: series, time, sample, value.
    let samples = |name: &str| found[name]["samples"].clone();
    assert_eq!(samples("counts"), json!(["String", "Date", "Int64", "Int64"]));
    assert_eq!(samples("rows"), json!(["Int64", "Int64", "Float64"]));
    for name in ["zoned", "naive", "counts", "rows"] {
        assert_eq!(found[name]["equal"], true, "{name}: pandas and Polars read the same");
    }
}
