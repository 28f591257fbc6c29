//! A workspace with benchmarks, and a `ballast` that copies prepared files.

use std::fs;

use serde_json::{Value, json};

use super::fake::{ALL, Fake};
use crate::experiment::benchmarks::{Choice, Places, Plan, conduct};
use crate::experiment::runner::Options;

pub(super) const PLAN: &str = r#"
kind = "benchmarks"
title = "Benchmarks"
question = "Are the <targets> met?"
seeds = [1, 2]
default = "../default.toml"
notes = ["A note."]

[[cited]]
name = "VolDy"
source = "elsewhere"

[[cell]]
name = "etth1"
label = "ETTh1 24 → 24"
config = "../own.toml"
data = "ETTh1.csv"
fetch = "etth1"
target = { crps = 0.218 }
cited = { "VolDy" = 0.226 }

[[cell]]
name = "weather"
label = "Weather"
config = "../weather.toml"
target = "every-baseline"

[[cell]]
name = "stocks"
label = "Stocks 10 → 10"
config = "../stocks.toml"
data = "stocks/2016"
target = "returns"
"#;

/// Copies `prepared/CELL/…` for whatever is asked for.
pub(super) const BALLAST: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
command=$1
while [ $# -gt 0 ]; do
  case "$1" in
    --run) run=$2; seed=${run##*seed-} ;;
    --output) run=$2 ;;
  esac
  shift
done
cell=${run#runs/*/}
cell=${cell%%/*}
if [ "$command" = train ]; then
  [ -f "$here/prepared/$cell/exit" ] && exit 3
  i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
  cp "$here/prepared/run-$seed.json" "$run/run.json"
  echo "weights of $cell $seed" > "$run/model.safetensors"
else
  cp "$here/prepared/$cell/evaluation.json" "$run/"
fi
"#;

/// Numbers of one cell.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// CRPS of the two seeds.
    pub(super) seeds: [f64; 2],
    /// Paired difference of the CRPS to ridge: mean, error, low, high.
    pub(super) ridge: [f64; 4],
    pub(super) coverage: f64,
    /// Squared error less that of zero, as `ridge`.
    pub(super) to_zero: [f64; 4],
    /// Differences of the log score to climatology and to GARCH.
    pub(super) log: [f64; 2],
}

pub(super) const GOOD: Numbers = Numbers {
    seeds: [0.212, 0.216],
    ridge: [-0.026, 0.004, -0.034, -0.018],
    coverage: 0.9,
    to_zero: [-0.002, 0.001, -0.004, 0.0],
    log: [0.05, 0.01],
};

fn paired([mean, error, low, high]: [f64; 4]) -> Value {
    json!({"mean": mean, "error": error, "low": low, "high": high, "decided": high < 0.0, "origins": 30, "lag": 2})
}

pub(super) fn evaluation(numbers: Numbers) -> Value {
    let Numbers { seeds: [one, two], ridge, coverage, to_zero, log } = numbers;
    let mean = (one + two) / 2.0;
    let test = |crps: f64| {
        json!({
            "windows": 2, "crps": crps, "crps_standardized": crps, "nmae": crps, "mae": crps, "mse": crps,
            "coverage": {"50": 0.5, "80": 0.8, "90": coverage}, "log_score": -1.25, "window_crps": [crps, crps]
        })
    };
    let model =
        |name: &str, kind: &str, crps| json!({"name": name, "kind": kind, "test": test(crps)});
    let baseline = |name: &str, crps: f64, difference: [f64; 4], log: f64| {
        let log = paired([log, 0.001, log - 0.002, log + 0.002]);
        let difference = json!({"crps": paired(difference), "log_score": log, "skill": 0.1});
        json!({"name": name, "kind": "baseline", "test": test(crps), "difference": difference})
    };
    let far = [-0.1, 0.01, -0.12, -0.08];
    json!({
        "version": 2, "channels": ["a"], "context": 24, "horizon": 24, "samples": 100, "seeds": [1, 2],
        "forecasters": [
            model("ballast, mean of 2", "model", mean),
            model("ballast, seed 1", "seed", one),
            model("ballast, seed 2", "seed", two),
            model("ensemble of 2", "ensemble", mean - 0.005),
            baseline("last value", 0.442, far, 0.5),
            baseline("seasonal naive (24)", 0.247, far, 0.5),
            baseline("climatology", 0.3, far, log[0]),
            baseline("GARCH(1,1)-t", 0.29, far, log[1]),
            baseline("ridge", 0.24, ridge, 0.1),
        ],
        "drop_last": {"batch": 16, "kept": 128, "forecasters": [
            {"name": "ballast, mean of 2", "kept": 0.91, "all": 0.90, "to_zero": paired(to_zero)},
            {"name": "zero", "kept": 0.912, "all": 0.902, "to_zero": null},
        ]}
    })
}

/// A workspace where every cell is good, and all data are there.
pub(super) struct Bench(pub(super) Fake);

impl Bench {
    pub(super) fn new() -> Bench {
        let fake = Fake::bare(BALLAST);
        fake.write("configs/experiments/benchmarks.toml", PLAN);
        let own = "[data]\npath = \"ETTh1.csv\"\ncontext = 24\ncalendar = [\"hour\"]\nsplit = { protocol = \"ett\" }\n";
        fake.write("configs/own.toml", own);
        fake.write("configs/weather.toml", "[data]\nsource = \"seattle-weather\"\ncontext = 28\n");
        fake.write("configs/stocks.toml", "[data]\npath = \"x\"\ntime = \"date\"\n");
        fake.write("configs/default.toml", "[data]\npath = \"mine.csv\"\n");
        fake.write("data/ETTh1.csv", "date,a\n");
        fake.write("data/stocks/2016/A.csv", "date,target\n");
        fs::create_dir_all(fake.root().join("docs")).unwrap();
        for seed in [1, 2] {
            let info = json!({"status": "done", "seed": seed, "device": "cpu", "parameters": 1234,
                "wall_seconds": 1.0, "best_epoch": 7});
            fake.write(&format!("prepared/run-{seed}.json"), &info.to_string());
        }
        let bench = Bench(fake);
        for cell in ["etth1", "weather", "stocks"] {
            bench.prepare(cell, GOOD);
            bench.prepare(&format!("default-{cell}"), GOOD);
        }
        bench
    }

    pub(super) fn prepare(&self, cell: &str, numbers: Numbers) {
        let text = evaluation(numbers).to_string();
        self.0.write(&format!("prepared/{cell}/evaluation.json"), &text);
    }

    pub(super) fn choice(&self) -> Choice {
        let data = self.0.root().join("data");
        let places = Places::new(Some(&data), None).unwrap();
        Choice { places, only: vec![], seeds: None, write_docs: true }
    }

    pub(super) fn conduct_with(&self, options: Options, choice: &Choice) -> anyhow::Result<()> {
        let plan = Plan::load(self.0.root(), "benchmarks")?;
        conduct(self.0.root(), &plan, &self.0.executable, options, choice)
    }

    pub(super) fn conduct(&self) -> Value {
        self.conduct_with(ALL, &self.choice()).unwrap();
        self.results()
    }

    pub(super) fn results(&self) -> Value {
        serde_json::from_str(&self.0.read("runs/benchmarks/results.json")).unwrap()
    }
}
