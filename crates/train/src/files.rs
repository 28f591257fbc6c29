//! The files of a run directory, and how they are written: whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;

/// The directory of one run.
///
/// | file | content |
/// |---|---|
/// | `config.toml` | the resolved config: reproduces the run by itself |
/// | `run.json` | seed, device, versions, data fingerprint, scaler, parameter count, wall time |
/// | `noise.json` | with `noise = "auto"`: every candidate's validation scores and steps, and the choice |
/// | `search/` | where such a search stands, while it goes on |
/// | `metrics.jsonl` | one JSON object per epoch |
/// | `model.safetensors` | the weights of the best epoch by validation (or the last, by `train.keep`) |
/// | `last.safetensors` | with `train.keep = "both"`: the weights of the last epoch |
/// | `checkpoint.safetensors` | where training stands, to go on from bit for bit |
/// | `events/` | the same metrics, latent histograms and pictures for TensorBoard |
/// | `lock` | host and process of who trains here, while it does |
/// | `evaluation.json` | scores of the model and the baselines, written by `evaluate` |
/// | `features.json` | what the latent variables know over the diffusion steps, written by `features` |
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// The run at `path`, which must exist.
    ///
    /// # Errors
    /// [`TrainError::Missing`] if there is no such directory or no finished training in it.
    pub fn open(path: &Path) -> Result<RunDirectory, TrainError> {
        let run = RunDirectory { path: path.to_owned() };
        for file in [run.config(), run.info(), run.weights()] {
            if !file.exists() {
                return Err(TrainError::Missing {
                    path: file,
                    hint: format!("train first: `ballast train CONFIG --run {}`", path.display()),
                });
            }
        }
        Ok(run)
    }

    /// The directory at `path`, whether or not it is there.
    pub(crate) fn at(path: &Path) -> RunDirectory {
        RunDirectory { path: path.to_owned() }
    }

    /// A directory to train into; it is made where it is missing.
    ///
    /// # Errors
    /// [`TrainError::Write`] if it cannot be made.
    pub fn create(path: &Path) -> Result<RunDirectory, TrainError> {
        fs::create_dir_all(path)
            .map_err(|source| TrainError::Write { path: path.to_owned(), source })?;
        Ok(RunDirectory { path: path.to_owned() })
    }

    /// Where the run lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `run.json`.
    pub fn info(&self) -> PathBuf {
        self.path.join("run.json")
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

    /// `lock`.
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// `events/`.
    pub fn events(&self) -> PathBuf {
        self.path.join("events")
    }

    /// `evaluation.json`.
    pub fn evaluation(&self) -> PathBuf {
        self.path.join("evaluation.json")
    }

    /// `features.json`.
    pub fn features(&self) -> PathBuf {
        self.path.join("features.json")
    }
}

/// Writes a file so that a reader sees the old content or the new, never a part: into a temporary
/// file beside it, synced, then renamed.
///
/// # Errors
/// [`TrainError::Write`], the old file intact.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), TrainError> {
    let mut temporary = path.as_os_str().to_owned();
    // Before the last extension, which tells libtorch the format.
    temporary.push(".part");
    if let Some(extension) = path.extension() {
        temporary.push(".");
        temporary.push(extension);
    }
    let temporary = PathBuf::from(temporary);
    let attempt = || {
        write(&temporary)?;
        File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, path)?;
        // The new name is on the disk once its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    attempt().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        TrainError::Write { path: path.to_owned(), source }
    })
}

/// Writes `text` as a whole or not at all.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_text(path: &Path, text: &str) -> Result<(), TrainError> {
    write_atomically(path, |temporary| fs::write(temporary, text))
}

/// Writes `value` as pretty JSON as a whole or not at all.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    write_atomically(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.flush()
    })
}

/// Reads a JSON file of a run.
///
/// # Errors
/// [`TrainError::Missing`] or [`TrainError::Run`].
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| TrainError::Run {
        path: path.to_owned(),
        reason: error.to_string(),
        hint: "the file was altered or is of another version; train anew in another directory"
            .to_owned(),
    })
}

/// Reads a text file of a run.
///
/// # Errors
/// [`TrainError::Missing`] or [`TrainError::Run`].
pub(crate) fn read_text(path: &Path) -> Result<String, TrainError> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TrainError::Missing {
            path: path.to_owned(),
            hint: "check the path, or train first".to_owned(),
        },
        _ => TrainError::Run {
            path: path.to_owned(),
            reason: error.to_string(),
            hint: "check that it is a readable text file".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        write_text(&path, "old").unwrap();
        let failed = write_atomically(&path, |temporary| {
            fs::write(temporary, "half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().exit_code(), 74);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-written stays");
    }
}
