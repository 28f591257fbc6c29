//! What a run was made of: equal fingerprints, equal results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::binary::sha256;
use super::plan::{Arm, Plan};

/// Written into a run directory as the very last file: where it is, the run has finished.
const FILE: &str = "fingerprint.json";
/// Written into it before anything else: a run that was interrupted goes on if it is of the same.
const BEGUN: &str = "begun.json";

/// Everything a run depends on, by content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    version: u32,
    /// The base config as parsed, so that its comments may change.
    base: serde_json::Value,
    set: BTreeMap<String, String>,
    seed: u64,
    device: Option<String>,
    /// `OMP_NUM_THREADS`: sums in another order round differently.
    threads: String,
    /// SHA-256 of the file at `data.path`; bundled data are part of the executable.
    data: Option<String>,
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
    base: serde_json::Value,
    executable: String,
    data: BTreeMap<PathBuf, Option<String>>,
}

impl Fingerprints {
    pub(super) fn new(plan: &Plan, executable: &Path) -> Result<Self> {
        let base = serde_json::to_value(&plan.base_table).context("the base config as JSON")?;
        Ok(Fingerprints { base, executable: sha256(executable)?, data: BTreeMap::new() })
    }

    pub(super) fn of(
        &mut self,
        root: &Path,
        plan: &Plan,
        arm: &Arm,
        seed: u64,
        threads: &str,
    ) -> Fingerprint {
        let data = data_path(plan, arm).and_then(|path| {
            // A missing file is for `ballast` to complain about.
            self.data.entry(root.join(path)).or_insert_with_key(|path| sha256(path).ok()).clone()
        });
        Fingerprint {
            version: 1,
            base: self.base.clone(),
            set: arm.set.iter().cloned().collect(),
            seed,
            device: plan.device.clone(),
            threads: threads.to_owned(),
            data,
            executable: self.executable.clone(),
        }
    }
}

impl Fingerprint {
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
        !run.join(FILE).exists() && Fingerprint::read(&run.join(BEGUN)).as_ref() == Some(self)
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

/// The data file of an arm: an override's path is relative to the workspace, that of the base
/// config to its folder.
fn data_path(plan: &Plan, arm: &Arm) -> Option<PathBuf> {
    let overridden = arm.set.iter().find(|(key, _)| key == "data.path");
    if let Some((_, value)) = overridden {
        let parsed: toml::Table = toml::from_str(&format!("v = {value}")).ok()?;
        return parsed.get("v")?.as_str().map(PathBuf::from);
    }
    let path = plan.base_table.get("data")?.get("path")?.as_str()?;
    Some(plan.base.parent()?.join(path))
}
