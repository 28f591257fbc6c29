//! A workspace with an experiment, and a `ballast` that copies prepared files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::Value;
use tempfile::TempDir;

use super::prepared;
pub(super) use super::prepared::Skill;
use crate::arms::Arms;
use crate::experiment::{Experiment, conduct};
use crate::launch::{Jobs, Options, Runner};
use crate::plan::PlanFile;

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
echo "$command of $run with $OMP_NUM_THREADS thread, GPU ${CUDA_VISIBLE_DEVICES-any}"
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

pub(super) const ALL: Options =
    Options { jobs: 1, gpus: None, fresh: false, keep_runs: false, slurm: None };

/// The stand-in workspace.
pub(super) struct Fake {
    folder: TempDir,
    pub(super) executable: PathBuf,
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
        for (file, text) in prepared::run(arm, seed, skill, baseline) {
            self.write(&format!("prepared/{arm}/seed-{seed}/{file}"), &text);
        }
    }

    /// The experiment `trial`.
    pub(super) fn arms(&self) -> Result<Arms> {
        Arms::new(self.root(), PlanFile::read(self.root(), "trial")?)
    }

    pub(super) fn conduct(&self, options: Options) -> Result<()> {
        conduct(self.root(), &self.executable, options, self.arms()?)
    }

    /// The experiment, ready to run: until it is dropped nobody else can run it.
    pub(super) fn ready(&self) -> Runner<'_> {
        let mut jobs = Jobs::new(self.root(), &self.executable).unwrap();
        self.arms().unwrap().jobs(&mut jobs).unwrap();
        Runner::new(self.root(), "trial", jobs, ALL).unwrap()
    }

    pub(super) fn results(&self) -> Value {
        serde_json::from_str(&self.read("runs/trial/results.json")).unwrap()
    }

    /// The number of times that `ballast` was started since the last call.
    pub(super) fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.root().join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.root().join("calls"));
        calls.lines().count()
    }
}
