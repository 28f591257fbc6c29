//! What a run was made of: equal fingerprints, equal results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::binary::sha256;
use super::job::Recipe;

/// Written into a run directory as the very last file: where it is, the run has finished.
const FILE: &str = "fingerprint.json";
/// Written into it before anything else: a run that was interrupted goes on if it is of the same.
const BEGUN: &str = "begun.json";

/// Everything a run depends on, by content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
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

/// How far a finished run matches what is wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Same,
    /// The same but for the executable.
    OtherCode,
    Different,
}

/// Makes fingerprints; reads each file once.
pub(super) struct Fingerprints {
    executable: String,
    threads: String,
    data: BTreeMap<PathBuf, Option<String>>,
}

impl Fingerprints {
    pub(super) fn new(executable: &Path, threads: &str) -> Result<Self> {
        let (executable, threads) = (sha256(executable)?, threads.to_owned());
        Ok(Fingerprints { executable, threads, data: BTreeMap::new() })
    }

    pub(super) fn of(&mut self, root: &Path, recipe: Recipe) -> Result<Fingerprint> {
        let data = data_path(recipe).and_then(|path| {
            // A missing file is for `ballast` to complain about.
            self.data.entry(root.join(path)).or_insert_with_key(|path| content(path)).clone()
        });
        Ok(Fingerprint {
            version: 1,
            base: serde_json::to_value(recipe.table).context("the config as JSON")?,
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
    pub(super) fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Fails where the executable, the config or the data are no longer what this was made of.
    pub(super) fn verify(&self, root: &Path, config: &Path, executable: &Path) -> Result<()> {
        let text = fs::read_to_string(root.join(config))
            .with_context(|| format!("reading {}", config.display()))?;
        let table = super::plan::parse_toml(config, &text)?;
        let set: Vec<(String, String)> = self.set.clone().into_iter().collect();
        let (seed, device) = (self.seed, self.device.as_deref());
        let recipe = Recipe { config, table: &table, set: &set, seed, device };
        let now = Fingerprints::new(executable, &self.threads)?.of(root, recipe)?;
        let what = if now.executable != self.executable {
            executable.display()
        } else if now.base != self.base {
            config.display()
        } else if now.data != self.data {
            bail!("the data have changed since this was planned; run the same command again");
        } else {
            return Ok(());
        };
        bail!("{what} has changed since this was planned; run the same command again")
    }

    /// The same, of an evaluation that reads what is now in these run directories.
    pub(super) fn with_weights<'a>(&self, runs: impl Iterator<Item = &'a Path>) -> Fingerprint {
        let weights = runs.map(|run| content(&run.join("model.safetensors"))).collect();
        Fingerprint { weights, ..self.clone() }
    }

    /// Compares with the finished run in a directory.
    pub(super) fn compare(&self, run: &Path) -> Match {
        let Some(found) = Fingerprint::read(&run.join(FILE)) else { return Match::Different };
        let other_code = found.executable != self.executable;
        match (Fingerprint { executable: self.executable.clone(), ..found } == *self, other_code) {
            (false, _) => Match::Different,
            (true, true) => Match::OtherCode,
            (true, false) => Match::Same,
        }
    }

    /// Whether the directory holds a run of the same that was begun and not finished.
    pub(super) fn continues(&self, run: &Path) -> bool {
        !is_finished(run) && Fingerprint::read(&run.join(BEGUN)).as_ref() == Some(self)
    }

    fn read(path: &Path) -> Option<Fingerprint> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Marks a run directory as begun.
    pub(super) fn begin(&self, run: &Path) -> Result<()> {
        self.write_as(run, BEGUN)
    }

    /// Marks a run directory as finished.
    pub(super) fn write(&self, run: &Path) -> Result<()> {
        self.write_as(run, FILE)
    }

    fn write_as(&self, run: &Path, file: &str) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("a fingerprint as JSON")?;
        let (part, path) = (run.join(format!("{file}.part")), run.join(file));
        fs::write(&part, text)
            .and_then(|()| fs::rename(&part, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// Whether the run in this directory has finished, of whatever it is made.
pub(super) fn is_finished(run: &Path) -> bool {
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
    let mut all = Sha256::new();
    for entry in entries {
        // A name cannot hold a `/`, and the hash behind it has a fixed length.
        all.update(format!("{}/{}\n", entry.file_name()?.to_string_lossy(), content(&entry)?));
    }
    Some(all.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The data of a recipe: an override's path is relative to the workspace, that of the config to its
/// folder.
fn data_path(recipe: Recipe) -> Option<PathBuf> {
    let overridden = recipe.set.iter().find(|(key, _)| key == "data.path");
    if let Some((_, value)) = overridden {
        let parsed: toml::Table = toml::from_str(&format!("v = {value}")).ok()?;
        return parsed.get("v")?.as_str().map(PathBuf::from);
    }
    let path = recipe.table.get("data")?.get("path")?.as_str()?;
    Some(recipe.config.parent()?.join(path))
}
