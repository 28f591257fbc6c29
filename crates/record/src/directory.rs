//! The directory of a run: where its files lie, and how they are read and written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use files::Lock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RecordError;
use crate::evaluation::Evaluation;
use crate::features::Features;
use crate::file::{altered, damaged, read_json, read_text, read_toml, write_json, write_toml};
use crate::known::Known;
use crate::metrics::Epoch;
use crate::run::RunInfo;
use crate::search::NoiseSearch;

/// The directory of one run.
///
/// | file | content |
/// |---|---|
/// | `config.toml` | the resolved config, with what was chosen: reproduces the run by itself |
/// | `asked.toml` | the config that the run was started with |
/// | `run.json` | seed, device, versions, data fingerprint, scaler, parameter count, wall time |
/// | `noise.json` | with `noise = "auto"`: every candidate's validation scores and steps, and the choice |
/// | `search/` | the state of such a search, while it goes on |
/// | `metrics.jsonl` | one JSON object per epoch |
/// | `model.safetensors` | the weights of the best epoch by validation (or the last, by `train.keep`) |
/// | `refit.safetensors` | with `train.refit`: the weights of the same training on all rows, which forecast |
/// | `refit/` | the state of that training, while it goes on |
/// | `rows.json` | which rows the run knows: times, and a few digits per row that tell whether a value was revised |
/// | `updates/N/` | weights and `rows.json` of the last update with newer rows; those of `updates/N` forecast |
/// | `last.safetensors` | with `train.keep = "both"`: the weights of the last epoch |
/// | `checkpoint.safetensors` | the state of training, to go on from bit for bit |
/// | `events/` | the same metrics, latent histograms and pictures for TensorBoard |
/// | `lock` | host and process of who trains here, while it does |
/// | `evaluation.json` | scores of the model and the baselines, written by `evaluate` |
/// | `scores.csv`, `scores-stride-N.csv` | the same scores window by window |
/// | `pool.json` | of `ballast forecast FILE`: members, weights, calibration, scores on past rows |
/// | `features.json` | what the latent variables know over the diffusion steps, written by `features` |
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// The run at `path`, which must have ended.
    ///
    /// # Errors
    /// [`RecordError::Missing`] if there is no such directory or no finished training in it.
    pub fn open(path: &Path) -> Result<RunDirectory, RecordError> {
        let run = RunDirectory::at(path);
        for file in [run.config(), run.info(), run.weights()] {
            if !file.exists() {
                let hint = format!("train first: `ballast train CONFIG --run {}`", path.display());
                return Err(RecordError::Missing { path: file, hint });
            }
        }
        Ok(run)
    }

    /// The directory at `path`, whether or not it is there.
    pub fn at(path: &Path) -> RunDirectory {
        RunDirectory { path: path.to_owned() }
    }

    /// A directory to write into; it is made where it is missing.
    ///
    /// # Errors
    /// [`RecordError::Write`] if it cannot be made.
    pub fn create(path: &Path) -> Result<RunDirectory, RecordError> {
        fs::create_dir_all(path).map_err(RecordError::writing(path))?;
        Ok(RunDirectory::at(path))
    }

    /// A folder of this directory to write into, by its path; it is made where it is missing.
    ///
    /// # Errors
    /// [`RecordError::Refused`] if it is a link, which would lead what is written elsewhere; [`RecordError::Write`] if
    /// it cannot be made.
    pub fn create_in(&self, folder: &Path) -> Result<RunDirectory, RecordError> {
        let inner = folder.strip_prefix(&self.path).unwrap_or(folder);
        let mut path = self.path.clone();
        for part in inner {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(there) if there.is_symlink() => {
                    let reason = "is a link, and a training writes into no other folder".to_owned();
                    let hint = "remove it, or choose another directory with `--run`".to_owned();
                    return Err(RecordError::Refused { path, reason, hint });
                }
                Ok(_) => {}
                Err(_) => fs::create_dir(&path).map_err(RecordError::writing(&path))?,
            }
        }
        Ok(RunDirectory { path })
    }

    /// Makes this process the only one that trains here, and removes what killed ones left unfinished.
    ///
    /// # Errors
    /// [`RecordError::Locked`] if another process trains here; [`RecordError::Write`] if there can be no lock.
    pub fn lock(&self) -> Result<Lock, RecordError> {
        let path = self.path.join("lock");
        let lock = Lock::acquire(&path)?;
        if let Some(error) = lock.unsupported() {
            tracing::warn!(%error, path = %path.display(), "this file system cannot lock");
        }
        files::remove_unfinished(&self.path).map_err(RecordError::writing(&self.path))?;
        Ok(lock)
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `asked.toml`.
    pub fn asked(&self) -> PathBuf {
        self.path.join("asked.toml")
    }

    /// `refit.safetensors`.
    pub fn refit_weights(&self) -> PathBuf {
        self.path.join("refit.safetensors")
    }

    /// `refit/`.
    pub fn refit(&self) -> PathBuf {
        self.path.join("refit")
    }

    /// `updates/`.
    pub fn updates(&self) -> PathBuf {
        self.path.join("updates")
    }

    /// `updates/N/`, the directory of update `number`, from 1: it has weights and `rows.json`.
    pub fn update(&self, number: usize) -> RunDirectory {
        RunDirectory::at(&self.updates().join(number.to_string()))
    }

    /// `rows.json`.
    pub fn known(&self) -> PathBuf {
        self.path.join("rows.json")
    }

    /// `run.json`.
    pub fn info(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// `pool.json`.
    pub fn pool(&self) -> PathBuf {
        self.path.join("pool.json")
    }

    /// `noise.json`.
    pub fn noise(&self) -> PathBuf {
        self.path.join("noise.json")
    }

    /// `search/`.
    pub fn search(&self) -> PathBuf {
        self.path.join("search")
    }

    /// `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `model.safetensors`.
    pub fn weights(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// `last.safetensors`.
    pub fn last_weights(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// `checkpoint.safetensors`.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// `events/`.
    pub fn events(&self) -> PathBuf {
        self.path.join("events")
    }

    /// `evaluation.json`.
    pub fn evaluation(&self) -> PathBuf {
        self.path.join("evaluation.json")
    }

    /// `scores.csv`, or `scores-stride-N.csv` for windows of another stride than the protocol's.
    pub fn scores(&self, stride: Option<usize>) -> PathBuf {
        match stride {
            None => self.path.join("scores.csv"),
            Some(stride) => self.path.join(format!("scores-stride-{stride}.csv")),
        }
    }

    /// `features.json`.
    pub fn features(&self) -> PathBuf {
        self.path.join("features.json")
    }

    /// Whether something was trained here that would be lost with the config.
    pub fn begun(&self) -> bool {
        [self.info(), self.checkpoint(), self.noise()].iter().any(|file| file.exists())
    }

    /// Removes everything that a finished training and its evaluations leave: a run that is not finished has none of
    /// it. Config, metrics, events, search and checkpoint stay.
    ///
    /// # Errors
    /// [`RecordError::Write`] if a file cannot be removed.
    pub fn remove_results(&self) -> Result<(), RecordError> {
        let is_scores = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("scores") && name.ends_with(".csv")
        };
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let scores = entries.map(|entry| entry.path()).filter(is_scores);
        let weights = [self.weights(), self.last_weights(), self.refit_weights()];
        let named = [self.info(), self.evaluation(), self.features(), self.known(), self.pool()];
        let named = named.into_iter().chain(weights);
        for path in named.chain(scores) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(RecordError::Write { path, source });
                }
                _ => {}
            }
        }
        remove_folder(self.updates())
    }

    /// Removes the state of a refit that has ended.
    ///
    /// # Errors
    /// [`RecordError::Write`] if it cannot be removed.
    pub fn remove_refit(&self) -> Result<(), RecordError> {
        remove_folder(self.refit())
    }

    /// Removes the weights of every update but the last, `number`, and the state of its training, which has ended.
    ///
    /// # Errors
    /// [`RecordError::Write`] if they cannot be removed.
    pub fn keep_update(&self, number: usize) -> Result<(), RecordError> {
        let kept = self.update(number);
        for folder in folders(&self.updates()) {
            if folder != kept.path {
                remove_folder(folder)?;
            }
        }
        folders(&kept.path).into_iter().try_for_each(remove_folder)
    }

    /// `pool.json`, whose content is of a type of crate `auto`, in version `version` of its form.
    ///
    /// # Errors
    /// [`RecordError::Missing`]; [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_pool<T: DeserializeOwned>(&self, version: u32) -> Result<T, RecordError> {
        read_json(&self.pool(), version)
    }

    /// Writes `pool.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_pool(&self, pool: &impl Serialize) -> Result<(), RecordError> {
        write_json(&self.pool(), pool)
    }

    /// The SHA-256 of `metrics.jsonl` and of the weights that are there, by their paths in this directory. It is part of
    /// `run.json`, which is written after them.
    ///
    /// # Errors
    /// [`RecordError::Refused`] if a file cannot be read.
    pub fn checksums(&self) -> Result<BTreeMap<String, String>, RecordError> {
        let files = [self.metrics(), self.weights(), self.last_weights(), self.refit_weights()];
        let sum = |path: &PathBuf| {
            Ok((self.name(path), files::sha256(path).map_err(RecordError::reading(path))?))
        };
        files.iter().filter(|path| path.exists()).map(sum).collect()
    }

    /// Checks that `bytes`, read from `path` in this directory, are those of which `info` has the SHA-256. A run of an
    /// earlier version has none.
    ///
    /// # Errors
    /// [`RecordError::Refused`].
    pub fn check(&self, info: &RunInfo, path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
        let Some(expected) = info.checksums.get(&self.name(path)) else { return Ok(()) };
        let found = files::sha256_of(bytes).map_err(RecordError::reading(path))?;
        if found == *expected { Ok(()) } else { Err(altered(path)) }
    }

    /// The path of a file relative to this directory.
    pub fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.path).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// `rows.json`; `None` in a run of an earlier version.
    ///
    /// # Errors
    /// [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_known(&self) -> Result<Option<Known>, RecordError> {
        let path = self.known();
        if path.exists() { read_json(&path, Known::VERSION).map(Some) } else { Ok(None) }
    }

    /// Writes `rows.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_known(&self, known: &Known) -> Result<(), RecordError> {
        write_json(&self.known(), known)
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// [`RecordError::Missing`] or [`RecordError::Refused`].
    pub fn read_config(&self) -> Result<String, RecordError> {
        read_toml(&self.config())
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// [`RecordError::Write`], the old file intact, as of the other writing functions.
    pub fn write_config(&self, text: &str) -> Result<(), RecordError> {
        write_toml(&self.config(), text)
    }

    /// The text of `asked.toml`; `None` in a run of an earlier version, whose `config.toml` is as it was asked for.
    ///
    /// # Errors
    /// [`RecordError::Refused`].
    pub fn read_asked(&self) -> Result<Option<String>, RecordError> {
        let path = self.asked();
        if path.exists() { read_toml(&path).map(Some) } else { Ok(None) }
    }

    /// Writes `asked.toml`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_asked(&self, text: &str) -> Result<(), RecordError> {
        write_toml(&self.asked(), text)
    }

    /// `run.json`.
    ///
    /// # Errors
    /// [`RecordError::Missing`]; [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_info(&self) -> Result<RunInfo, RecordError> {
        read_json(&self.info(), RunInfo::VERSION)
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_info(&self, info: &RunInfo) -> Result<(), RecordError> {
        write_json(&self.info(), info)
    }

    /// `noise.json`; `None` if no search was begun.
    ///
    /// # Errors
    /// [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_search(&self) -> Result<Option<NoiseSearch>, RecordError> {
        let path = self.noise();
        if path.exists() { read_json(&path, NoiseSearch::VERSION).map(Some) } else { Ok(None) }
    }

    /// Writes `noise.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_search(&self, search: &NoiseSearch) -> Result<(), RecordError> {
        write_json(&self.noise(), search)
    }

    /// The lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// [`RecordError::Missing`]; [`RecordError::Refused`] with the number of a line that is not an epoch.
    pub fn read_epochs(&self) -> Result<Vec<Epoch>, RecordError> {
        let path = self.metrics();
        let text = read_text(&path)?;
        if self.info().exists() {
            self.check(&self.read_info()?, &path, text.as_bytes())?;
        }
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parse = |(index, line)| {
            serde_json::from_str(line)
                .map_err(|error| damaged(&path, format!("line {}: {error}", index + 1)))
        };
        lines.map(parse).collect()
    }

    /// Writes `metrics.jsonl` with the epochs so far.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_epochs(&self, epochs: &[Epoch]) -> Result<(), RecordError> {
        let path = self.metrics();
        let write = |file: &mut dyn Write| epochs.iter().try_for_each(|epoch| line(file, epoch));
        files::replace(&path, write).map_err(RecordError::writing(&path))
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`RecordError::Write`]; the last line may then be a part of one.
    pub fn append_epoch(&self, epoch: &Epoch) -> Result<(), RecordError> {
        let path = self.metrics();
        let mut whole = Vec::new();
        line(&mut whole, epoch)
            .and_then(|()| files::append(&path, &whole))
            .map_err(RecordError::writing(&path))
    }

    /// `evaluation.json`, whose parts fit together.
    ///
    /// # Errors
    /// [`RecordError::Missing`]; [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_evaluation(&self) -> Result<Evaluation, RecordError> {
        let path = self.evaluation();
        let evaluation: Evaluation = read_json(&path, Evaluation::VERSION)?;
        match evaluation.contradiction() {
            None => Ok(evaluation),
            Some(reason) => {
                let hint = "the file was altered; run `ballast evaluate` again".to_owned();
                Err(RecordError::Refused { path, reason, hint })
            }
        }
    }

    /// Writes `evaluation.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_evaluation(&self, evaluation: &Evaluation) -> Result<(), RecordError> {
        write_json(&self.evaluation(), evaluation)
    }

    /// `features.json`.
    ///
    /// # Errors
    /// [`RecordError::Missing`]; [`RecordError::Refused`] if it is damaged or of another version.
    pub fn read_features(&self) -> Result<Features, RecordError> {
        read_json(&self.features(), Features::VERSION)
    }

    /// Writes `features.json`.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write_features(&self, features: &Features) -> Result<(), RecordError> {
        write_json(&self.features(), features)
    }
}

/// The folders in a folder.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn remove_folder(path: PathBuf) -> Result<(), RecordError> {
    match fs::remove_dir_all(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RecordError::Write { path, source })
        }
        _ => Ok(()),
    }
}

fn line(file: &mut dyn Write, epoch: &Epoch) -> io::Result<()> {
    serde_json::to_writer(&mut *file, epoch)?;
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests;
