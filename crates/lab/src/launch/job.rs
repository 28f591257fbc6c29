//! Jobs: child processes of `ballast` in order, and the folder they leave their results in.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::fingerprint::{Fingerprint, Fingerprints, Recipe};
use crate::plan::{Config, data_path};
use crate::runs::{self, Finished};
use crate::scores::Backtest;

/// The stages of a run that a job covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// `ballast train`.
    Train,
    /// `ballast train`, then `ballast evaluate` of that run.
    Both,
    /// `ballast evaluate` of runs that other jobs trained.
    Evaluate,
    /// `ballast backtest` of a data file, without a config.
    Backtest,
}

/// One thing to do, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) stage: Stage,
    /// Relative to the workspace.
    pub(crate) config: PathBuf,
    /// For people, while it runs.
    pub(crate) label: String,
    /// The folder, relative to the workspace.
    pub(crate) shown: String,
    pub(crate) seed: u64,
    /// Whether to run it; else it counts only if it has finished before.
    pub(crate) wanted: bool,
    /// Arguments of `ballast`, one child process after the other.
    pub(crate) steps: Vec<Vec<String>>,
    /// Earlier jobs of the list that have to succeed first: their weights are read.
    pub(crate) after: Vec<usize>,
    pub(crate) fingerprint: Fingerprint,
}

impl Job {
    /// The commands that reproduce it, to be typed in the workspace.
    pub(crate) fn commands(&self) -> Vec<String> {
        let command = |args: &Vec<String>| {
            let quoted: Vec<String> = args.iter().map(|arg| quote(arg)).collect();
            format!("ballast {}", quoted.join(" "))
        };
        self.steps.iter().map(command).collect()
    }

    /// Checks that the folder holds the job's results, whole.
    pub(crate) fn check(&self, folder: &Path) -> Result<()> {
        match self.stage {
            Stage::Train => runs::info(folder, self.seed).map(drop),
            Stage::Both => Finished::read(folder, self.seed).map(drop),
            Stage::Evaluate => runs::evaluation(folder).map(drop),
            Stage::Backtest => Backtest::read(folder).map(drop),
        }
    }
}

/// Where a job leaves its results, and under which name.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) label: String,
    /// The folder, relative to the workspace.
    pub(crate) shown: String,
    /// As in [`Job`].
    pub(crate) wanted: bool,
}

/// A list of jobs in the making.
pub(crate) struct Jobs<'a> {
    pub(crate) root: &'a Path,
    pub(crate) executable: &'a Path,
    /// `OMP_NUM_THREADS` of the children.
    pub(crate) threads: String,
    fingerprints: Fingerprints,
    pub(crate) list: Vec<Job>,
}

impl<'a> Jobs<'a> {
    pub(crate) fn new(root: &'a Path, executable: &'a Path) -> Result<Self> {
        // One thread per run: small models gain nothing from more, and results repeat.
        let threads = std::env::var("OMP_NUM_THREADS").unwrap_or_else(|_| "1".to_owned());
        let fingerprints = Fingerprints::new(executable, &threads)?;
        Ok(Jobs { root, executable, threads, fingerprints, list: Vec::new() })
    }

    /// Adds a training, with its evaluation for [`Stage::Both`]; returns its place in the list.
    pub(crate) fn train(&mut self, stage: Stage, recipe: Recipe, place: Place) -> Result<usize> {
        let Place { label, shown, wanted } = place;
        let mut train = vec!["train".to_owned(), recipe.config.path.display().to_string()];
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
    pub(crate) fn evaluate(
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

    /// Adds a backtest of a data file with these options; those that name files in the job's folder are added.
    pub(crate) fn backtest(
        &mut self,
        file: &str,
        options: &[String],
        seed: u64,
        place: Place,
    ) -> Result<usize> {
        let shown = &place.shown;
        let mut step = vec!["backtest".to_owned(), file.to_owned()];
        step.extend_from_slice(options);
        step.extend(["--seed".to_owned(), seed.to_string()]);
        for (option, name) in [
            ("--run", "run"),
            ("--output", "scores.csv"),
            ("--json", "scores.json"),
            ("--picture", "backtest.html"),
        ] {
            step.extend([option.to_owned(), format!("{shown}/{name}")]);
        }
        let set = [data_path(file), ("backtest".to_owned(), options.join(" "))];
        let recipe = Recipe { config: &Config::none(), set: &set, seed, device: None };
        let label = format!("{:<32} seed {seed}", place.label);
        self.add(recipe, Place { label, ..place }, Stage::Backtest, vec![step], Vec::new())
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
        let (config, seed) = (recipe.config.path.clone(), recipe.seed);
        let job = Job { stage, config, label, shown, seed, wanted, steps, after, fingerprint };
        self.list.push(job);
        Ok(self.list.len() - 1)
    }
}

fn device(recipe: Recipe) -> impl Iterator<Item = String> {
    recipe.device.into_iter().flat_map(|device| ["--device".to_owned(), device.to_owned()])
}

/// An argument as a POSIX shell wants it.
pub(crate) fn quote(arg: &str) -> String {
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
