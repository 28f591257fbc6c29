//! A workspace with benchmarks, and a `ballast` that copies prepared files.

use std::fs;

use serde_json::Value;

use super::fake::{ALL, Fake};
pub(super) use super::prepared::{GOOD, Numbers, cell as evaluation};
use super::prepared::{info, json};
use crate::benchmarks::{Benchmarks, Choice};
use crate::experiment::conduct;
use crate::launch::Options;
use crate::places::Places;
use crate::plan::PlanFile;

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
            fake.write(&format!("prepared/run-{seed}.json"), &json(&info(seed)));
        }
        let bench = Bench(fake);
        for cell in ["etth1", "weather", "stocks"] {
            bench.prepare(cell, GOOD);
            bench.prepare(&format!("default-{cell}"), GOOD);
        }
        bench
    }

    pub(super) fn prepare(&self, cell: &str, numbers: Numbers) {
        let text = json(&evaluation(numbers));
        self.0.write(&format!("prepared/{cell}/evaluation.json"), &text);
    }

    pub(super) fn choice(&self) -> Choice {
        let data = self.0.root().join("data");
        let places = Places::with_cache(Some(&data), None).unwrap();
        Choice { places, only: vec![], seeds: None, write_docs: true }
    }

    pub(super) fn conduct_with(&self, options: Options, choice: &Choice) -> anyhow::Result<()> {
        conduct(self.0.root(), &self.0.executable, options, self.benchmarks(choice)?)
    }

    pub(super) fn benchmarks(&self, choice: &Choice) -> anyhow::Result<Benchmarks> {
        let root = self.0.root();
        Benchmarks::new(root, PlanFile::read(root, "benchmarks")?, choice.clone())
    }

    pub(super) fn conduct(&self) -> Value {
        self.conduct_with(ALL, &self.choice()).unwrap();
        self.results()
    }

    pub(super) fn results(&self) -> Value {
        serde_json::from_str(&self.0.read("runs/benchmarks/results.json")).unwrap()
    }
}
