//! The ingredients of a run, by content: equal fingerprints, equal results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use files::{sha256, sha256_of};
use serde::{Deserialize, Serialize};

use crate::plan::Config;

/// Written into a run directory as the very last file: where it is, the run has finished.
const FILE: &str = "fingerprint.json";
/// Written into it before anything else: an interrupted run goes on if its fingerprint is the same.
const BEGUN: &str = "begun.json";

/// The ingredients of a training: a config, settings that override it, and a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) config: &'a Config,
    /// Dotted key and TOML value, as `--set` takes them.
    pub(crate) set: &'a [(String, String)],
    pub(crate) seed: u64,
    pub(crate) device: Option<&'a str>,
}

/// Everything a run depends on, by content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    version: u32,
    /// The config as parsed, so that its comments may change.
    base: serde_json::Value,
    set: BTreeMap<String, String>,
    seed: u64,
    device: Option<String>,
    /// `OMP_NUM_THREADS`: sums in another order round differently.
    threads: String,
    /// SHA-256 of what is at `data.path`, a file or a folder; bundled data are part of the executable.
    data: Option<String>,
    /// SHA-256 of the weights that an evaluation reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weights: Vec<Option<String>>,
    /// SHA-256.
    executable: String,
}

/// The match between a finished run and the run that is wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Same,
    /// The same but for the executable.
    OtherCode,
    Different,
}

/// Makes fingerprints; reads each file once.
pub(crate) struct Fingerprints {
    executable: String,
    threads: String,
    data: BTreeMap<PathBuf, Option<String>>,
}

impl Fingerprints {
    pub(crate) fn new(executable: &Path, threads: &str) -> Result<Self> {
        let threads = threads.to_owned();
        let executable =
            sha256(executable).with_context(|| format!("reading {}", executable.display()))?;
        Ok(Fingerprints { executable, threads, data: BTreeMap::new() })
    }

    pub(crate) fn of(&mut self, root: &Path, recipe: Recipe) -> Result<Fingerprint> {
        let data = data_path(recipe).and_then(|path| {
            // A missing file is for `ballast` to complain about.
            self.data.entry(root.join(path)).or_insert_with_key(|path| content(path)).clone()
        });
        Ok(Fingerprint {
            version: 1,
            base: serde_json::to_value(&recipe.config.table).context("the config as JSON")?,
            set: recipe.set.iter().cloned().collect(),
            seed: recipe.seed,
            device: recipe.device.map(str::to_owned),
            threads: self.threads.clone(),
            data,
            weights: Vec::new(),
            executable: self.executable.clone(),
        })
    }
}

impl Fingerprint {
    pub(crate) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Fails where the executable, the config or the data are no longer what this was made of.
    pub(crate) fn verify(&self, root: &Path, config: &Path, executable: &Path) -> Result<()> {
        let config = if config.as_os_str().is_empty() {
            Config::none()
        } else {
            let text = fs::read_to_string(root.join(config))
                .with_context(|| format!("reading {}", config.display()))?;
            let table = crate::plan::parse(config, &text)?;
            Config { path: config.to_owned(), text, table }
        };
        let set: Vec<(String, String)> = self.set.clone().into_iter().collect();
        let (seed, device) = (self.seed, self.device.as_deref());
        let recipe = Recipe { config: &config, set: &set, seed, device };
        let now = Fingerprints::new(executable, &self.threads)?.of(root, recipe)?;
        let what = if now.executable != self.executable {
            executable.display()
        } else if now.base != self.base {
            config.path.display()
        } else if now.data != self.data {
            bail!("the data have changed since this was planned; run the same command again");
        } else {
            return Ok(());
        };
        bail!("{what} has changed since this was planned; run the same command again")
    }

    /// The same, of an evaluation that reads what is now in these run directories.
    pub(crate) fn with_weights<'a>(&self, runs: impl Iterator<Item = &'a Path>) -> Fingerprint {
        let weights = runs.map(|run| content(&run.join("model.safetensors"))).collect();
        Fingerprint { weights, ..self.clone() }
    }

    /// Compares with the finished run in a directory.
    pub(crate) fn compare(&self, run: &Path) -> Match {
        let Some(found) = Fingerprint::read(&run.join(FILE)) else { return Match::Different };
        let other_code = found.executable != self.executable;
        match (Fingerprint { executable: self.executable.clone(), ..found } == *self, other_code) {
            (false, _) => Match::Different,
            (true, true) => Match::OtherCode,
            (true, false) => Match::Same,
        }
    }

    /// Whether the directory holds a run of the same that was begun and not finished.
    pub(crate) fn continues(&self, run: &Path) -> bool {
        !is_finished(run) && Fingerprint::read(&run.join(BEGUN)).as_ref() == Some(self)
    }

    fn read(path: &Path) -> Option<Fingerprint> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Marks a run directory as begun.
    pub(crate) fn begin(&self, run: &Path) -> Result<()> {
        self.write_as(run, BEGUN)
    }

    /// Marks a run directory as finished.
    pub(crate) fn write(&self, run: &Path) -> Result<()> {
        self.write_as(run, FILE)
    }

    fn write_as(&self, run: &Path, file: &str) -> Result<()> {
        let path = run.join(file);
        files::replace_json(&path, self).with_context(|| format!("writing {}", path.display()))
    }
}

/// Whether the run in this directory has finished, of whatever it is made.
pub(crate) fn is_finished(run: &Path) -> bool {
    run.join(FILE).exists()
}

/// SHA-256 of a file, or of the names and contents of all files in a folder; `None` for what cannot be read.
fn content(path: &Path) -> Option<String> {
    if !path.is_dir() {
        return sha256(path).ok();
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).ok()?.map(|entry| Some(entry.ok()?.path())).collect::<Option<_>>()?;
    entries.sort();
    let mut all = String::new();
    for entry in entries {
        // A name cannot hold a `/`, and the hash behind it has a fixed length.
        all += &format!("{}/{}\n", entry.file_name()?.to_string_lossy(), content(&entry)?);
    }
    sha256_of(all.as_bytes()).ok()
}

/// The data of a recipe: an override's path is relative to the workspace, that of the config to its
/// folder.
fn data_path(recipe: Recipe) -> Option<PathBuf> {
    let overridden = recipe.set.iter().find(|(key, _)| key == "data.path");
    if let Some((_, value)) = overridden {
        let parsed: toml::Table = toml::from_str(&format!("v = {value}")).ok()?;
        return parsed.get("v")?.as_str().map(PathBuf::from);
    }
    let path = recipe.config.table.get("data")?.get("path")?.as_str()?;
    Some(recipe.config.path.parent()?.join(path))
}
