//! A workspace with an experiment, and a `ballast` that copies prepared files.

use std::f64::consts::TAU;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::experiment::conduct;
use crate::experiment::plan::Plan;
use crate::experiment::runner::Options;

/// Copies what lies under `prepared/ARM/seed-N`; a file `exit` there makes it fail, `kill` die.
const BALLAST: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
command=$1
run=$2
while [ $# -gt 1 ]; do
  if [ "$1" = --run ]; then run=$2; fi
  shift
done
prepared=$here/prepared/${run#runs/*/}
echo "$command of $run with $OMP_NUM_THREADS thread"
if [ "$command" = train ]; then
  [ -f "$prepared/kill" ] && kill -9 $$
  if [ -f "$prepared/exit" ]; then
    echo "error: mine.csv:3:1: not a number" >&2
    exit 65
  fi
  cp "$prepared/run.json" "$prepared/metrics.jsonl" "$run/"
else
  cp "$prepared/evaluation.json" "$run/"
fi
"#;

pub(super) const BASE: &str = "[data]\nsource = \"seattle-weather\"\n[noise]\nsteps = 100\n";

pub(super) const PLAN: &str = r#"
title = "Does it <help>?"
question = "One question & another"
base = "../base.toml"
seeds = [1, 2, 3]
reference = "none"

[[arm]]
name = "none"
label = "no noise"
set = { "noise.schedule" = "none" }

[[arm]]
name = "x0"
label = "x₀ re-injection"
set = { "noise.input.reinject" = 1.0 }

[[claim]]
asks = "Does re-injection forecast better?"
better = "x0"
than = "none"

[[claim]]
asks = "Does re-injection narrow the gap?"
better = "x0"
than = "none"
measure = "gap"
"#;

pub(super) const ALL: Options = Options { jobs: 1, fresh: false, keep_runs: false };

/// The stand-in workspace.
pub(super) struct Fake {
    folder: TempDir,
    pub(super) executable: PathBuf,
}

/// Which part of a forecaster's scores: standardized CRPS on test windows and gap to training.
#[derive(Clone, Copy)]
pub(super) struct Skill {
    pub(super) test: f64,
    pub(super) gap: f64,
}

impl Fake {
    /// Arms `none` and `x0` with test CRPS 0.40 and 0.36, and a baseline with 0.38.
    pub(super) fn new() -> Fake {
        let fake = Fake::bare(BALLAST);
        fake.write("configs/base.toml", BASE);
        fake.write("configs/experiments/trial.toml", PLAN);
        for seed in 1..=3 {
            fake.prepare("none", seed, Skill { test: 0.40, gap: 0.10 }, 0.38);
            fake.prepare("x0", seed, Skill { test: 0.36, gap: 0.02 }, 0.38);
        }
        fake
    }

    /// Nothing but a stand-in for `ballast`.
    pub(super) fn bare(script: &str) -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("ballast");
        let fake = Fake { folder, executable };
        fake.install(script);
        fake
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Another build of `ballast`, which does the same.
    pub(super) fn rebuild(&self) {
        self.install(&format!("{BALLAST}# another build\n"));
    }

    // Through a child: a file that this process has open for writing, and thereby any child that
    // another test starts meanwhile, cannot be executed ("text file busy").
    pub(super) fn install(&self, script: &str) {
        let mut shell = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&self.executable)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    pub(super) fn prepare(&self, arm: &str, seed: u64, skill: Skill, baseline: f64) {
        let folder = format!("prepared/{arm}/seed-{seed}");
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        self.write(&format!("{folder}/run.json"), &pretty(&run_info(seed)));
        self.write(&format!("{folder}/metrics.jsonl"), &metrics(seed, skill));
        let evaluation = evaluation(arm, seed, skill, baseline);
        self.write(&format!("{folder}/evaluation.json"), &pretty(&evaluation));
    }

    pub(super) fn plan(&self) -> Plan {
        Plan::load(self.root(), "trial").unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub(super) fn conduct(&self, options: Options) -> Result<()> {
        conduct(self.root(), &self.plan(), &self.executable, options)
    }

    pub(super) fn results(&self) -> Value {
        serde_json::from_str(&self.read("runs/trial/results.json")).unwrap()
    }

    /// How many times `ballast` was started since the last time this was asked.
    pub(super) fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.root().join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.root().join("calls"));
        calls.lines().count()
    }
}

fn run_info(seed: u64) -> Value {
    json!({
        "version": 1, "status": "done", "seed": seed, "device": "cpu", "threads": 1,
        "parameters": 20_412, "epochs": 40, "best_epoch": 25, "steps": 640, "wall_seconds": 12.5,
        "data": {
            "name": "seattle-weather", "fingerprint": "0123456789abcdef0123", "rows": 1461,
            "channels": ["precipitation", "temp_max"],
            "windows": {"train": 988, "validation": 140, "test": 280}
        },
        "libtorch": "2.11.0", "ballast": "0.1.0", "something_new": [1, 2]
    })
}

fn metrics(seed: u64, skill: Skill) -> String {
    let line = |epoch: u64| {
        let fall = (-(epoch as f64) / 8.0).exp();
        let rise = skill.gap * (epoch as f64 / 10.0);
        let wiggle = 0.1 * ((epoch * 7 + seed * 13) as f64).sin();
        json!({
            "epoch": epoch, "step": epoch * 16, "loss": 30.0 + 15.0 * fall - 8.0 * rise,
            "reconstruction": 1.0, "kl": 2.0, "kl_weight": 1.0, "learning_rate": 1e-3,
            "validation_loss": 33.0 + 12.0 * fall + 3.0 * rise + wiggle,
            "validation_crps": skill.test + 0.3 * fall + 0.05 * rise + 0.01 * wiggle,
            "best": epoch <= 25
        })
    };
    (1..=40).map(|epoch| format!("{}\n", line(epoch))).collect()
}

/// Scores whose windows vary around the skill, alike for all but for some noise of their own;
/// the mean is the skill exactly.
fn scores(crps: f64, windows: usize, seed: u64) -> Value {
    let noise = |w: f64| (((w * 12.9898 + seed as f64 * 78.233 + crps).sin()) * 43_758.547).fract();
    let raw: Vec<f64> =
        (0..windows).map(|w| 0.1 * (w as f64 * 0.7).sin() + 0.1 * noise(w as f64)).collect();
    let center = raw.iter().sum::<f64>() / windows as f64;
    let all: Vec<f64> = raw.iter().map(|v| crps + v - center).collect();
    json!({
        "windows": windows, "crps": 0.7 * crps, "crps_standardized": crps, "nmae": 0.9 * crps,
        "mae": 4.0 * crps, "mse": 60.0 * crps,
        "coverage": {"50": 0.47, "80": 0.78, "90": 0.88}, "window_crps": all
    })
}

fn evaluation(arm: &str, seed: u64, skill: Skill, baseline: f64) -> Value {
    let levels: Vec<f64> = (1..20).map(|i| f64::from(i) * 0.05).collect();
    let bent = |by: f64| levels.iter().map(|l| l + by * (l * TAU).sin()).collect::<Vec<_>>();
    let jitter = 0.001 * (seed as f64 - 2.0);
    let calibration = |by: f64| json!({"levels": levels, "observed": bent(by)});
    let model = json!({
        "name": "ballast", "kind": "model", "test": scores(skill.test + jitter, 280, seed),
        "train": scores(skill.test + jitter - skill.gap, 250, seed),
        "calibration": calibration(skill.gap / 2.0)
    });
    let other = |name: &str, crps: f64| {
        json!({
            "name": name, "kind": "baseline", "test": scores(crps, 280, 0), "train": null,
            "calibration": calibration(0.02)
        })
    };
    let forecasters =
        json!([model, other("ridge", baseline), other("seasonal-naive", baseline + 0.05)]);
    let t: Vec<usize> = (0..=100).collect();
    let snr = |lambda: f64| -> Vec<Value> {
        let alpha_bar = |t: f64| (-5.0 * (t / 100.0_f64).powi(2)).exp();
        let db = |t: f64| {
            let a = alpha_bar(t).sqrt() + lambda;
            10.0 * (a * a / (1.0 - alpha_bar(t))).log10()
        };
        t.iter().map(|t| if *t == 0 { Value::Null } else { db(*t as f64).into() }).collect()
    };
    let none = vec![Value::Null; t.len()];
    let noise = match arm {
        "none" | "no-noise" => {
            json!({"steps": 100, "t": t, "snr_db": none, "snr_reinjected_db": none})
        }
        "plain" => json!({"steps": 100, "t": t, "snr_db": snr(0.0), "snr_reinjected_db": snr(0.0)}),
        _ => json!({"steps": 100, "t": t, "snr_db": snr(0.0), "snr_reinjected_db": snr(1.0)}),
    };
    json!({
        "version": 1, "channels": ["precipitation", "temp_max"], "context": 28, "horizon": 7,
        "samples": 100, "forecasters": forecasters, "noise": noise,
        "fans": [fan("good", 3, 0.5), fan("median", 120, 1.5), fan("bad", 201, 4.0)]
    })
}

fn fan(label: &str, window: usize, miss: f64) -> Value {
    let times: Vec<String> = (0..35)
        .map(|d| {
            if d < 17 { format!("2015-01-{:02}", d + 15) } else { format!("2015-02-{:02}", d - 16) }
        })
        .collect();
    let truth = |d: usize| {
        let d = d as f64;
        9.0 + 3.0 * (d * 0.4).sin() + 1.5 * (d * 1.7).cos()
    };
    let levels = [0.05, 0.25, 0.5, 0.75, 0.95];
    let quantiles: Vec<Vec<f64>> = [-4.0, -1.6, 0.0, 1.6, 4.0]
        .iter()
        .map(|q| (0..7).map(|h| 9.0 + q * (1.0 + 0.05 * h as f64)).collect())
        .collect();
    let mut context: Vec<Value> = (0..28).map(|d| truth(d).into()).collect();
    context[11] = Value::Null;
    let target: Vec<f64> = (28..35).map(|d| truth(d) + miss).collect();
    json!({
        "label": label, "window": window, "channel": "temp_max", "times": times,
        "context": context, "target": target, "levels": levels, "quantiles": quantiles,
        "crps": 0.1 + miss / 8.0
    })
}
