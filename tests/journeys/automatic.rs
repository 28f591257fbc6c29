//! From a file to a forecast in one command, and the same from past origins.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use journeys::{CONFIG, Desk, autoregression, csv};
use rustix::process::{Pid, Signal, kill_process};

/// Keys of a training of seconds.
const QUICK: [&str; 4] = ["--set", "train.epochs=2", "--set", "model.hidden=8"];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("sales.csv", &csv(&autoregression(120, 0.8, 4)));
    desk
}

fn words<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

#[test]
fn a_file_becomes_a_forecast() {
    let desk = desk();
    let command = words(&[&["forecast", "sales.csv", "--horizon", "3", "--run", "run"], &QUICK]);
    let said = desk.succeed(&command);
    assert!(said.starts_with("sales.csv has 120 rows"), "{said}");
    assert!(said.contains("The forecast averages ") && said.contains("past origin"), "{said}");
    assert!(said.contains("1 series, 1 channel, 3 steps each"), "{said}");
    let first = desk.read("sales-forecast.csv");
    let text = String::from_utf8(first.clone()).unwrap();
    assert!(text.starts_with("time,x_mean,x_q05,") && text.lines().count() == 4, "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("120,"), "{text}");
    let page = String::from_utf8(desk.read("sales-forecast.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("The forecast averages"));
    // The run is kept, used again, and is of this question only.
    let before = desk.read("run/model.safetensors");
    desk.succeed(&command);
    assert!(
        desk.read("run/model.safetensors") == before && desk.read("sales-forecast.csv") == first
    );
    let other = desk.fail(2, &words(&[&command, &["--context", "9"]]));
    assert!(other.contains("another config"), "{other}");
    // Its pool forecasts the same rows to the same bits, and each member by itself.
    let of_run = ["forecast", "run", "--input", "sales.csv", "--output", "by-run.csv"];
    let said = desk.succeed(&of_run);
    assert!(said.contains("weights were chosen when there were 120 rows"), "{said}");
    assert!(desk.read("by-run.csv") == first);
    let said = desk.succeed(&words(&[&of_run, &["--member", "network", "--samples", "3"]]));
    assert!(said.contains("The forecast is that of the network alone"), "{said}");
    let alone = String::from_utf8(desk.read("by-run.csv")).unwrap();
    assert!(alone != text && alone.lines().next() == text.lines().next(), "{alone}");
    assert_eq!(String::from_utf8(desk.read("by-run-samples.csv")).unwrap().lines().count(), 10);
    let said = desk.fail(2, &words(&[&of_run, &["--member", "Network"]]));
    assert!(said.contains("`network`") && said.contains("`ETS`"), "{said}");
    let said = desk.fail(2, &words(&[&of_run, &["--horizon", "2"]]));
    assert!(said.contains("`--horizon` is chosen when a table is fitted"), "{said}");
    desk.fail(2, &["forecast", "run", "--output", "by-run.csv"]);
    desk.fail(2, &["forecast", "sales.csv", "--input", "sales.csv"]);
}

#[test]
fn classical_methods_stand_alone_and_take_every_form() {
    let desk = desk();
    let alone = ["forecast", "sales.csv", "--without-network", "--horizon", "1"];
    let said = desk.succeed(&alone);
    assert!(said.contains("1 step each") && !said.contains("network ("), "{said}");
    let more = [
        "--levels",
        "0.9,0.1",
        "--samples",
        "4",
        "--origins",
        "2",
        "--output",
        "a.csv",
        "--picture",
        "a.svg",
    ];
    desk.succeed(&words(&[&alone, &more]));
    let text = String::from_utf8(desk.read("a.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("origin,time,x_mean,x_q10,x_q90", 3));
    assert!(lines[1].starts_with("118,119,") && lines[2].starts_with("119,120,"), "{text}");
    assert_eq!(String::from_utf8(desk.read("a-samples.csv")).unwrap().lines().count(), 1 + 2 * 4);
    assert!(String::from_utf8(desk.read("a.svg")).unwrap().starts_with("<svg"));
    desk.fail(2, &words(&[&alone, &["--levels", "1.5"]]));
    desk.fail(66, &["forecast", "nothing.csv"]);
    desk.fail(74, &words(&[&alone, &["--output", "no/such/folder/a.csv"]]));
    desk.write("one.csv", "time,x\n0,1\n");
    let said = desk.fail(65, &["forecast", "one.csv", "--without-network"]);
    assert!(said.contains("no series can be forecast"), "{said}");
}

#[test]
fn a_backtest_writes_scores() {
    let desk = desk();
    let command = ["backtest", "sales.csv", "--without-network", "--horizon", "2", "--folds", "3"];
    let files = ["--output", "scores.csv", "--json", "scores.json"];
    let said = desk.succeed(&words(&[&command, &files]));
    assert!(said.contains("pool") && said.contains("climatology"), "{said}");
    let scores = desk.json("scores.json");
    assert_eq!(scores["forecasters"][0]["forecaster"], "pool");
    assert_eq!(scores["forecasters"][0]["windows"], 3);
    let lists =
        ["by_fold", "by_step", "coverage_by_step"].map(|key| &scores["forecasters"][0][key]);
    assert_eq!(lists.map(|list| list.as_array().unwrap().len()), [3, 2, 2]);
    assert!(said.contains("CRPS by fold") && said.contains("CRPS by step"), "{said}");
    let page = String::from_utf8(desk.read("sales-backtest.html")).unwrap();
    // Forecasts beside what came, CRPS by step and by fold, and coverage.
    assert_eq!(page.matches("<svg").count(), 4);
    let text = String::from_utf8(desk.read("scores.csv")).unwrap();
    let pooled = text.lines().filter(|line| line.contains(",pool,")).count();
    assert_eq!(pooled, 3 * 2, "{text}");
    desk.succeed(&words(&[&command, &["--refit", "--stride", "1"]]));
}

/// A config names the table and its lengths, and describes the network.
#[test]
fn a_config_is_tried_on_the_past() {
    let desk = Desk::new();
    desk.write("series.csv", &csv(&autoregression(160, 0.8, 4))).write("mine.toml", CONFIG);
    let command = ["backtest", "mine.toml", "--folds", "2", "--run", "run", "--picture", "a.svg"];
    let said = desk.succeed(&words(&[&command, &["--set", "model.hidden=5"]]));
    assert!(said.lines().any(|line| line.starts_with("network ")), "{said}");
    let config = String::from_utf8(desk.read("run/asked.toml")).unwrap();
    assert!(config.contains("hidden = 5") && config.contains("context = 8"), "{config}");
    assert!(String::from_utf8(desk.read("a.svg")).unwrap().starts_with("<svg"));
    let said = desk.fail(2, &words(&[&command, &["--horizon", "3"]]));
    assert!(said.contains("--set data.horizon"), "{said}");
}

#[test]
fn an_interrupted_forecast_is_saved() {
    let desk = desk();
    let command = [
        "forecast",
        "sales.csv",
        "--run",
        "run",
        "--set",
        "train.epochs=100000",
        "--set",
        "train.patience=0",
    ];
    let mut child =
        desk.command(&command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !desk.path("run/metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the training does not start");
        sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert!(desk.path("run/checkpoint.safetensors").exists());
}

/// A run of `ballast forecast FILE` goes on with newer rows: the pool forecasts them, the network learns from them, and the
/// forecast of the first rows stays what it was.
#[test]
fn a_pool_goes_on_with_newer_rows() {
    let desk = desk();
    let command = words(&[&["forecast", "sales.csv", "--horizon", "3", "--run", "run"], &QUICK]);
    desk.succeed(&command);
    let first = desk.read("sales-forecast.csv");
    let kept = desk.read("run/pool.json");
    desk.write("newer.csv", &csv(&autoregression(130, 0.8, 4)));
    let forecast = ["forecast", "run", "--input", "newer.csv"];
    let said = desk.succeed(&forecast);
    let rested = "fitted to all 130 rows, but for the network, which was trained on 120. The weights were chosen when \
                  there were 120 rows.";
    assert!(said.contains(rested), "{said}");
    let text = String::from_utf8(desk.read("newer-forecast.csv")).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("130,"), "{text}");
    let network = words(&[&forecast, &["--member", "network", "--output", "network.csv"]]);
    let classic = words(&[&forecast, &["--member", "ETS", "--output", "classic.csv"]]);
    desk.succeed(&network);
    desk.succeed(&classic);
    let before = ["network.csv", "classic.csv"].map(|name| desk.read(name));
    let said = desk.succeed(&["update", "run", "--input", "newer.csv"]);
    assert!(said.contains("10 new rows") && said.contains("keep their weights"), "{said}");
    // The network alone has learned.
    assert!(desk.read("run/pool.json") == kept);
    assert!(desk.succeed(&forecast).contains("fitted to all 130 rows. The weights"));
    desk.succeed(&network);
    desk.succeed(&classic);
    assert!(desk.read("network.csv") != before[0] && desk.read("classic.csv") == before[1]);
    // The first forecast does not know of the newer rows.
    desk.succeed(&command);
    assert!(desk.read("sales-forecast.csv") == first);
    // Rows too few for the context of the network leave its weight to the classical methods.
    desk.write("few.csv", &csv(&autoregression(6, 0.8, 4)));
    let said = desk.succeed(&["forecast", "run", "--input", "few.csv"]);
    assert!(said.contains("warning: the network is left out"), "{said}");
    assert!(said.contains("fitted to all 6 rows."), "{said}");
    // Both are scored where they were compared.
    let said = desk.succeed(&["evaluate", "run"]);
    for name in ["pool ", "network ", "seasonal naive ", "CRPS by step"] {
        assert!(said.lines().any(|line| line.starts_with(name)), "{said}");
    }
    desk.fail(2, &["evaluate", "run", "--stride", "1"]);
    desk.fail(2, &["evaluate", "run", "run"]);
}

#[test]
fn a_pool_without_a_network_is_kept() {
    let desk = desk();
    let command = ["forecast", "sales.csv", "--without-network", "--run", "run", "--levels", "0.5"];
    let said = desk.succeed(&command);
    assert!(said.contains("the run is kept in run"), "{said}");
    let first = desk.read("sales-forecast.csv");
    desk.succeed(&["forecast", "run", "--input", "sales.csv", "--output", "again.csv"]);
    assert!(desk.read("again.csv") == first);
    let said = desk.succeed(&["update", "run", "--input", "sales.csv"]);
    assert!(said.contains("nothing to do"), "{said}");
    assert!(desk.succeed(&["evaluate", "run"]).contains("seasonal naive"));
    let said = desk.fail(2, &["forecast", "run", "--input", "sales.csv", "--member", "network"]);
    assert!(said.contains("no member of this pool"), "{said}");
    // A file of other columns is refused, and a damaged pool is named.
    desk.write("other.csv", "time,y\n0,1\n1,2\n");
    let said = desk.fail(65, &["forecast", "run", "--input", "other.csv"]);
    assert!(said.contains("`x`"), "{said}");
    desk.write("run/pool.json", "{ \"version\": 1 }");
    assert!(desk.fail(65, &["forecast", "run", "--input", "sales.csv"]).contains("pool.json"));
}
