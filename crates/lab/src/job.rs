//! What is run: child processes of `ballast` in order, and the folder they leave their results in.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::fingerprint::{Fingerprint, Fingerprints};
use super::read::{Evaluation, Finished, RunInfo};

/// A config, what is changed of it, and a seed: all that one training is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe<'a> {
    /// Relative to the workspace.
    pub(super) config: &'a Path,
    pub(super) table: &'a Table,
    /// Dotted key and TOML value, as `--set` takes them.
    pub(super) set: &'a [(String, String)],
    pub(super) seed: u64,
    pub(super) device: Option<&'a str>,
}

/// What a job does, and so what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// `ballast train`.
    Train,
    /// `ballast train`, then `ballast evaluate` of that run.
    Both,
    /// `ballast evaluate` of runs that other jobs trained.
    Evaluate,
}

/// One thing to do, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) stage: Stage,
    /// Relative to the workspace.
    pub(super) config: PathBuf,
    /// For people, while it runs.
    pub(super) label: String,
    /// The folder, relative to the workspace.
    pub(super) shown: String,
    pub(super) seed: u64,
    /// Whether to run it; else it counts only if it has finished before.
    pub(super) wanted: bool,
    /// Arguments of `ballast`, one child process after the other.
    pub(super) steps: Vec<Vec<String>>,
    /// Earlier jobs of the list that have to succeed first: their weights are read.
    pub(super) after: Vec<usize>,
    pub(super) fingerprint: Fingerprint,
}

impl Job {
    /// What reproduces it, to be typed in the workspace.
    pub(super) fn commands(&self) -> Vec<String> {
        let command = |args: &Vec<String>| {
            let quoted: Vec<String> = args.iter().map(|arg| quote(arg)).collect();
            format!("ballast {}", quoted.join(" "))
        };
        self.steps.iter().map(command).collect()
    }

    /// Whether what the job leaves is in the folder and whole.
    pub(super) fn check(&self, folder: &Path) -> Result<()> {
        match self.stage {
            Stage::Train => RunInfo::read(folder, self.seed).map(drop),
            Stage::Both => Finished::read(folder, self.seed).map(drop),
            Stage::Evaluate => Evaluation::read(folder).map(drop),
        }
    }
}

/// Where a job leaves its results, and under which name.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) label: String,
    /// The folder, relative to the workspace.
    pub(super) shown: String,
    /// As in [`Job`].
    pub(super) wanted: bool,
}

/// A list of jobs in the making.
pub(super) struct Jobs<'a> {
    root: &'a Path,
    pub(super) executable: &'a Path,
    /// `OMP_NUM_THREADS` of the children.
    pub(super) threads: String,
    fingerprints: Fingerprints,
    pub(super) list: Vec<Job>,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(root: &'a Path, executable: &'a Path) -> Result<Self> {
        // One thread per run: small models gain nothing from more, and results repeat.
        let threads = std::env::var("OMP_NUM_THREADS").unwrap_or_else(|_| "1".to_owned());
        let fingerprints = Fingerprints::new(executable, &threads)?;
        Ok(Jobs { root, executable, threads, fingerprints, list: Vec::new() })
    }

    /// Adds a training, with its evaluation for [`Stage::Both`]; returns its place in the list.
    pub(super) fn train(&mut self, stage: Stage, recipe: Recipe, place: Place) -> Result<usize> {
        let Place { label, shown, wanted } = place;
        let mut train = vec!["train".to_owned(), recipe.config.display().to_string()];
        for (key, value) in recipe.set {
            train.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
        let words = ["--seed", &recipe.seed.to_string(), "--run", &shown, "--no-events"];
        train.extend(words.map(str::to_owned));
        train.extend(device(recipe));
        let mut steps = vec![train];
        if stage == Stage::Both {
            let evaluate = ["evaluate".to_owned(), shown.clone()];
            steps.push(evaluate.into_iter().chain(device(recipe)).collect());
        }
        let label = format!("{label:<32} seed {}", recipe.seed);
        self.add(recipe, Place { label, shown, wanted }, stage, steps, Vec::new())
    }

    /// Adds the evaluation of the runs that earlier jobs train, of one recipe but for the seed, together.
    pub(super) fn evaluate(
        &mut self,
        recipe: Recipe,
        place: Place,
        after: Vec<usize>,
    ) -> Result<usize> {
        let Place { label, shown, wanted } = place;
        let mut step = vec!["evaluate".to_owned()];
        step.extend(after.iter().map(|run| self.list[*run].shown.clone()));
        step.extend(["--output".to_owned(), shown.clone()]);
        step.extend(device(recipe));
        let label = format!("{label:<32} scores");
        self.add(recipe, Place { label, shown, wanted }, Stage::Evaluate, vec![step], after)
    }

    fn add(
        &mut self,
        recipe: Recipe,
        place: Place,
        stage: Stage,
        steps: Vec<Vec<String>>,
        after: Vec<usize>,
    ) -> Result<usize> {
        let Place { label, shown, wanted } = place;
        let fingerprint = self.fingerprints.of(self.root, recipe)?;
        let (config, seed) = (recipe.config.to_owned(), recipe.seed);
        let job = Job { stage, config, label, shown, seed, wanted, steps, after, fingerprint };
        self.list.push(job);
        Ok(self.list.len() - 1)
    }
}

fn device(recipe: Recipe) -> impl Iterator<Item = String> {
    recipe.device.into_iter().flat_map(|device| ["--device".to_owned(), device.to_owned()])
}

/// An argument as a POSIX shell wants it.
pub(super) fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%@".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quote("noise.steps=50"), "noise.steps=50");
        assert_eq!(quote(r#"noise.schedule="none""#), r#"'noise.schedule="none"'"#);
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
