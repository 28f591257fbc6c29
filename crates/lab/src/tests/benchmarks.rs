//! Benchmarks conducted with a stand-in for `ballast`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::bench::{BALLAST, Bench, GOOD, Numbers, PLAN, evaluation};
use super::fake::ALL;
use super::prepared::json;
use crate::benchmarks::{Benchmarks, Choice};
use crate::launch::Options;
use crate::places::Places;
use crate::plan::PlanFile;

fn cell<'a>(results: &'a Value, name: &str) -> &'a Value {
    results["cells"].as_array().unwrap().iter().find(|cell| cell["name"] == name).unwrap()
}

fn sentence(results: &Value, name: &str) -> String {
    cell(results, name)["sentence"].as_str().unwrap().to_owned()
}

const CELLS: usize = 6;

#[test]
fn each_seed_is_trained_and_all_are_evaluated_once() {
    let bench = Bench::new();
    bench.conduct();
    let calls = bench.0.read("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert_eq!(lines.len(), CELLS * 3);
    assert_eq!(
        lines[0],
        "train configs/own.toml --set data.path=\"runs/benchmarks/data/ETTh1.csv\" --seed 1 \
         --run runs/benchmarks/etth1/seed-1 --no-events --device cpu"
    );
    assert_eq!(
        lines[2],
        "evaluate runs/benchmarks/etth1/seed-1 runs/benchmarks/etth1/seed-2 \
         --output runs/benchmarks/etth1/evaluation-2 --device cpu"
    );
    // The default config: what the own config says of its data, without its choice of features.
    assert_eq!(
        lines[9],
        "train configs/default.toml --set data.context=24 --set data.split={ protocol = \"ett\" } \
         --set data.path=\"runs/benchmarks/data/ETTh1.csv\" --seed 1 \
         --run runs/benchmarks/default-etth1/seed-1 --no-events --device cpu"
    );
    assert!(
        lines[12].contains("--set data.path=\"crates/data/bundled/seattle-weather.csv\""),
        "{}",
        lines[12]
    );
    assert_eq!(
        fs::read_to_string(bench.0.root().join("runs/benchmarks/data/ETTh1.csv")).unwrap(),
        "date,a\n"
    );
}

/// Rows of a config are its `--set`; of the default config those of the data alone.
#[test]
fn a_cell_changes_keys_of_its_config() {
    let bench = Bench::new();
    let changes = "set = { \"data.context\" = 96, \"data.split.protocol\" = \"exchange\", \"data.calendar\" = [], \
        \"model.hidden\" = 32, train = { epochs = 3 } }";
    let plan =
        PLAN.replacen("data = \"ETTh1.csv\"", &format!("{changes}\ndata = \"ETTh1.csv\""), 1);
    bench.0.write("configs/experiments/benchmarks.toml", &plan);
    bench.conduct();
    let calls = bench.0.read("calls");
    let lines: Vec<&str> = calls.lines().collect();
    let own = "train configs/own.toml --set data.calendar=[] --set data.context=96 \
        --set data.split.protocol=\"exchange\" --set model.hidden=32 --set train.epochs=3 --set data.path=";
    assert!(lines[0].starts_with(own), "{}", lines[0]);
    let default = "train configs/default.toml --set data.split={ protocol = \"ett\" } --set data.context=96 \
        --set data.split.protocol=\"exchange\" --set data.path=";
    assert!(lines[9].starts_with(default), "{}", lines[9]);
    let seed = plan.replacen("\"model.hidden\"", "seed", 1);
    bench.0.write("configs/experiments/benchmarks.toml", &seed);
    let found = bench.benchmarks(&bench.choice()).err().expect("refused").to_string();
    assert!(found.contains("a cell cannot set `seed`"), "{found}");
}

/// Oracle: by hand from the prepared numbers: mean of .212 and .216 with s/√2 = .002.
#[test]
fn numbers_are_those_of_the_evaluation() {
    let results = Bench::new().conduct();
    let scored = &cell(&results, "etth1")["state"]["scored"]["scored"];
    let near = |value: &Value, expected: f64| {
        assert!((value.as_f64().unwrap() - expected).abs() < 1e-12, "{value} is not {expected}");
    };
    near(&scored["crps"]["mean"], 0.214);
    near(&scored["crps"]["std"], 0.004 / 2.0_f64.sqrt());
    near(&scored["ensemble"], 0.209);
    near(&scored["points"]["zero_kept"], 0.912);
    assert!(scored["train_seconds"]["mean"].as_f64().unwrap() > 0.0, "{scored}");
    assert_eq!(
        sentence(&results, "etth1"),
        "CRPS 0.2140 ± 0.0020, target 0.218: met by 0.00400 (1.8 %)"
    );
    assert_eq!(
        sentence(&results, "weather"),
        "CRPS minus that of ridge, the closest baseline: −0.0260 ± 0.0040, 95 % interval −0.0340 to −0.0180; \
         below zero for every baseline"
    );
    assert_eq!(results["headline"], "6 targets: 6 met.");
}

#[test]
fn what_is_missed_is_missed_by_so_much() {
    let bench = Bench::new();
    bench.prepare("etth1", Numbers { seeds: [0.220, 0.220], ..GOOD });
    bench.prepare("weather", Numbers { ridge: [-0.006, 0.004, -0.014, 0.002], ..GOOD });
    bench.prepare("default-etth1", Numbers { ridge: [0.003, 0.004, -0.005, 0.011], ..GOOD });
    bench.prepare("default-weather", Numbers { ridge: [0.006, 0.004, -0.002, 0.014], ..GOOD });
    let worse = Numbers {
        coverage: 0.94,
        log: [-0.1, -0.02],
        to_zero: [0.003, 0.004, -0.005, 0.011],
        ..GOOD
    };
    bench.prepare("stocks", worse);
    let results = bench.conduct();
    assert_eq!(
        sentence(&results, "etth1"),
        "CRPS 0.2200 ± 0.0000, target 0.218: missed by 0.00200 (0.9 %)"
    );
    let weather = sentence(&results, "weather");
    assert!(
        weather.ends_with("95 % interval −0.0140 to +0.0020; reaches 0.00200 above zero"),
        "{weather}"
    );
    let default = sentence(&results, "default-etth1");
    assert!(default.ends_with("; no loss beyond its standard error"), "{default}");
    let default = sentence(&results, "default-weather");
    assert!(default.ends_with("; a loss of 0.00200 beyond its standard error"), "{default}");
    let stocks = sentence(&results, "stocks");
    assert_eq!(stocks.matches("missed: ").count(), 3, "{stocks}");
    assert!(
        stocks.contains("missed: squared error of the mean minus that of zero: +0.0030 ± 0.0040"),
        "{stocks}"
    );
    assert!(stocks.contains("missed: log score minus climatology’s: −0.1000 ± 0.0010"), "{stocks}");
    assert!(stocks.contains("missed: 90 % intervals cover 94.0 % (87 to 93 wanted)"), "{stocks}");
    assert!(
        stocks.ends_with(
            "met: CRPS minus climatology’s: −0.100 ± 0.010, 95 % interval −0.120 to −0.080"
        ),
        "{stocks}"
    );
    assert_eq!(results["headline"], "6 targets: 2 met, 4 missed.");
    let average = results["average"].to_string();
    assert!(
        average.contains("log score minus GARCH(1,1)-t’s, mean of 1 cells: −0.02000"),
        "{average}"
    );
    let docs = bench.0.read("docs/benchmarks.md");
    let at = |text: &str| docs.find(text).unwrap_or_else(|| panic!("`{text}` in {docs}"));
    assert!(
        at("- **Missed.** ETTh1 24 → 24: CRPS") < at("- **Met.** ETTh1 24 → 24, default config: ")
    );
    assert!(
        docs.contains("Tries for the cells that miss their target: [lab notebook](lab/README.md).")
    );
}

/// A number that `evaluation.json` lacks is neither a success nor a failure.
#[test]
fn what_is_not_known_is_said() {
    let bench = Bench::new();
    let mut numbers = evaluation(GOOD);
    numbers.drop_last = None;
    numbers.forecasters.retain(|forecaster| forecaster.name != "GARCH(1,1)-t");
    bench.0.write("prepared/stocks/evaluation.json", &json(&numbers));
    let results = bench.conduct();
    assert_eq!(cell(&results, "stocks")["verdict"], "unknown");
    let text = sentence(&results, "stocks");
    assert!(
        text.starts_with(
            "unknown: squared error of the mean minus that of zero: missing in evaluation.json"
        ),
        "{text}"
    );
    assert_eq!(results["average"][0]["outcome"], "unknown");
}

#[test]
fn finished_cells_are_reused_by_content() {
    let bench = Bench::new();
    bench.conduct();
    assert_eq!(bench.0.calls(), CELLS * 3);
    let table = bench.0.read("runs/benchmarks/table.csv");
    bench.conduct();
    assert_eq!(bench.0.calls(), 0, "nothing had changed");
    assert_eq!(bench.0.read("runs/benchmarks/table.csv"), table);
    // Data that lie elsewhere are the same data.
    fs::rename(bench.0.root().join("data"), bench.0.root().join("moved")).unwrap();
    let places = Places::with_cache(Some(&bench.0.root().join("moved")), None).unwrap();
    let moved = Choice { places, ..Bench::new().choice() };
    bench.conduct_with(ALL, &moved).unwrap();
    assert_eq!(bench.0.calls(), 0, "the data have moved");
    bench.0.write("moved/stocks/2016/B.csv", "date,target\n");
    bench.conduct_with(ALL, &moved).unwrap();
    assert_eq!(bench.0.calls(), 2 * 2 + 2, "one more file in a folder");
    fs::write(bench.0.root().join("runs/benchmarks/etth1/seed-2/model.safetensors"), "other")
        .unwrap();
    bench.conduct_with(ALL, &moved).unwrap();
    assert_eq!(bench.0.calls(), 1, "other weights are evaluated again");
}

#[test]
fn kept_runs_are_scored_by_the_code_at_hand() {
    let bench = Bench::new();
    bench.conduct();
    bench.0.calls();
    bench.0.install(&format!("{BALLAST}# another build\n"));
    bench.conduct_with(Options { keep_runs: true, ..ALL }, &bench.choice()).unwrap();
    let calls = bench.0.read("calls");
    assert_eq!(calls.lines().count(), CELLS);
    assert!(calls.lines().all(|call| call.starts_with("evaluate ")), "{calls}");
    let docs = bench.0.read("docs/benchmarks.md");
    assert!(docs.contains("12 trainings were made by another version of the code"), "{docs}");
}

#[test]
fn missing_data_are_listed_with_a_remedy() {
    let bench = Bench::new();
    fs::remove_dir_all(bench.0.root().join("data/stocks")).unwrap();
    fs::remove_file(bench.0.root().join("configs/weather.toml")).unwrap();
    let choice = Choice { places: Places::with_cache(None, None).unwrap(), ..bench.choice() };
    bench.conduct_with(ALL, &choice).unwrap();
    assert_eq!(bench.0.calls(), 0);
    let results = bench.results();
    assert_eq!(results["headline"], "6 targets: 0 met, 6 not run.");
    assert_eq!(
        sentence(&results, "etth1"),
        "ETTh1.csv missing; fetch it with `ballast data fetch etth1`, or name the folder that \
         holds ETTh1.csv with `--data DIR`"
    );
    assert_eq!(
        sentence(&results, "default-stocks"),
        "stocks/2016 missing; name the folder that holds stocks/2016 with `--data DIR`"
    );
    let weather = sentence(&results, "weather");
    assert_eq!(weather, "configs/weather.toml missing; the config is still to be written");
    for file in ["runs/benchmarks/report.html", "runs/benchmarks/table.md", "docs/benchmarks.md"] {
        let text = bench.0.read(file);
        assert!(
            text.contains("ETTh1.csv missing") && text.contains("stocks/2016 missing"),
            "{file}"
        );
    }
    // Cited numbers and the target of a cell do not depend on its run.
    let table = bench.0.read("runs/benchmarks/table.md");
    assert!(
        table.contains("| ETTh1 24 → 24 | – | – | ≤ 0.218 | not run | – | – | – | 0.226 |"),
        "{table}"
    );
    // Fetched data are found.
    bench.0.write("cache/data/ETTh1.csv", "date,a\n");
    let places = Places::with_cache(None, Some(&bench.0.root().join("cache"))).unwrap();
    bench.conduct_with(ALL, &Choice { places, ..choice }).unwrap();
    assert_eq!(bench.0.calls(), 6, "own and default config");
    let error =
        Places::with_cache(Some(Path::new("/nowhere/at/all")), None).expect_err("no such folder");
    assert_eq!(error.to_string(), "--data /nowhere/at/all: no such folder");
}

#[test]
fn only_what_is_asked_for_is_run_and_the_rest_counts_if_finished() {
    let bench = Bench::new();
    let only = |names: &[&str]| Choice {
        only: names.iter().map(|name| (*name).to_owned()).collect(),
        ..bench.choice()
    };
    bench.conduct_with(ALL, &only(&["etth1"])).unwrap();
    assert_eq!(bench.0.calls(), 3);
    assert_eq!(bench.results()["headline"], "6 targets: 1 met, 5 not run.");
    bench.conduct_with(ALL, &only(&["default"])).unwrap();
    assert_eq!(bench.0.calls(), 9);
    assert_eq!(bench.results()["headline"], "6 targets: 4 met, 2 not run.");
    let error = bench.conduct_with(ALL, &only(&["etth2"])).expect_err("no such cell").to_string();
    assert!(
        error.starts_with(
            "--only etth2: no such cell; there are: etth1, weather, stocks, default-etth1"
        ),
        "{error}"
    );
    bench.conduct_with(ALL, &Choice { seeds: Some(1), ..only(&["weather"]) }).unwrap();
    assert_eq!(bench.0.calls(), 2);
}

#[test]
fn the_default_config_may_have_fewer_seeds() {
    let bench = Bench::new();
    let plan = PLAN.replacen("default =", "default_seeds = 1\ndefault =", 1);
    bench.0.write("configs/experiments/benchmarks.toml", &plan);
    bench.conduct_with(ALL, &bench.choice()).unwrap();
    assert_eq!(bench.0.calls(), 3 * 3 + 3 * 2, "trainings and an evaluation of each cell");
    let docs = bench.0.read("docs/benchmarks.md");
    assert!(docs.contains("trains seeds 1, 2 of every cell"), "{docs}");
    assert!(docs.contains("(the default config with 1), reuses"), "{docs}");
}

#[test]
fn a_failed_seed_fails_its_cell_alone() {
    let bench = Bench::new();
    bench.0.write("prepared/weather/exit", "");
    for jobs in [1, 3] {
        let error =
            bench.conduct_with(Options { jobs, ..ALL }, &bench.choice()).expect_err("fails");
        assert_eq!(
            error.to_string(),
            "1 of 6 cells failed; run the same command to try them again"
        );
        let results = bench.results();
        assert_eq!(results["headline"], "6 targets: 5 met, 1 failed.");
        let text = sentence(&results, "weather");
        assert!(text.starts_with("runs/benchmarks/weather/seed-1: `ballast train` ended with exit code 3: training diverged"), "{text}");
        assert!(
            text.contains("runs/benchmarks/weather/evaluation-2: 2 of the runs it needs failed"),
            "{text}"
        );
    }
}

#[test]
fn several_at_once_give_the_same_table() {
    let without_times = |bench: &Bench| -> Vec<String> {
        let table = bench.0.read("runs/benchmarks/table.csv");
        table.lines().map(|line| line.rsplitn(3, ',').last().unwrap().to_owned()).collect()
    };
    let (one, three) = (Bench::new(), Bench::new());
    one.conduct();
    three.conduct_with(Options { jobs: 3, ..ALL }, &three.choice()).unwrap();
    assert_eq!(without_times(&one), without_times(&three));
    assert_eq!(three.0.calls(), CELLS * 3);
}

#[test]
fn the_page_is_complete_and_holds_no_path_of_this_machine() {
    let bench = Bench::new();
    bench.conduct();
    let docs = bench.0.read("docs/benchmarks.md");
    for part in [
        "# Benchmarks\n\nAre the <targets> met?",
        "    cargo xtask experiment benchmarks --data DIR\n",
        "6 targets: 6 met.",
        "| cell | CRPS | ensemble | target | verdict | ridge | best baseline | naive | VolDy |",
        "| ETTh1 24 → 24 | 0.2140 ± 0.0020 | 0.2090 | ≤ 0.218 | met | 0.2400 | 0.2400 (ridge) | 0.2470 | 0.226 |",
        "| ETTh1 24 → 24 | −0.0260 ± 0.0040 | −0.0340 to −0.0180 | ridge | −0.0260 ± 0.0040 |",
        "## Stocks: distribution",
        "| Stocks 10 → 10 | met | 0.9000 | 0.9020 | −0.0020 ± 0.0010 | 0.9100 | 0.9120 |",
        "## The default config",
        "- A note.\n- VolDy: elsewhere\n",
        "    ballast evaluate runs/benchmarks/etth1/seed-1 runs/benchmarks/etth1/seed-2 --output",
        "The origin of the configs: [lab notebook](lab/README.md).",
    ] {
        assert!(docs.contains(part), "`{part}` is missing in\n{docs}");
    }
    let report = bench.0.read("runs/benchmarks/report.html");
    assert!(report.contains("<svg ") && !report.contains("<targets>"));
    let here = bench.0.root().display().to_string();
    for text in [&docs, &report] {
        assert!(!text.contains(&here) && !text.contains("NaN"), "{text}");
    }
    for link in report.split(" href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert_eq!(report.matches(&format!(" id=\"{link}\"")).count(), 1, "{link}");
    }
}

#[test]
fn mistakes_are_reported_where_they_are() {
    for (from, to, place, message) in [
        ("seeds =", "sedes =", ":5:1", "unknown field `sedes`"),
        ("seeds = [1, 2]", "seeds = [2, 2]", ":5:9", "seed 2 is there twice"),
        ("default =", "default_seeds = 3\ndefault =", ":6:17", "must be 1 to 2, the seeds"),
        ("name = \"weather\"", "name = \"etth1\"", ":23:8", "two cells are named `etth1`"),
        (
            "name = \"weather\"",
            "name = \"default-x\"",
            ":23:8",
            "must neither be `data` nor begin with",
        ),
        ("name = \"weather\"", "name = \"data\"", ":23:8", "must neither be `data`"),
        ("{ crps = 0.218 }", "{ crsp = 0.218 }", ":19:12", "unknown variant `crsp`"),
        ("\"every-baseline\"", "\"every\"", ":26:10", "unknown variant `every`"),
        (
            "{ \"VolDy\" = 0.226 }",
            "{ \"VolDi\" = 0.226 }",
            ":20:11",
            "no [[cited]] is named `VolDi`",
        ),
        ("\"stocks/2016\"", "\"../stocks\"", ":32:8", "inside the folder of --data"),
    ] {
        assert!(PLAN.contains(from), "{from}");
        let bench = Bench::new();
        bench.0.write("configs/experiments/benchmarks.toml", &PLAN.replacen(from, to, 1));
        let found = format!("{:#}", bench.benchmarks(&bench.choice()).err().expect(to));
        let start = format!("configs/experiments/benchmarks.toml{place}: ");
        assert!(found.starts_with(&start) && found.contains(message), "{to}: {found}");
    }
    let bench = Bench::new();
    bench.0.write("configs/own.toml", "[data]\npath = \n");
    let found = format!("{:#}", bench.benchmarks(&bench.choice()).err().expect("refused"));
    assert!(found.starts_with("configs/own.toml:2:"), "{found}");
}

/// The benchmark of this repository can be read.
#[test]
fn our_own_benchmark_is_in_order() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let file = PlanFile::read(root, "benchmarks").unwrap();
    let places = Places::with_cache(None, None).unwrap();
    let choice = Choice { places, only: vec![], seeds: None, write_docs: false };
    Benchmarks::new(root, file, choice).unwrap_or_else(|error| panic!("{error:#}"));
}
