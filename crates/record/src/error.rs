//! Errors of reading and writing run directories.

use std::io;
use std::path::{Path, PathBuf};

use files::LockError;

/// An error of reading or writing a run directory.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file or folder that should be there is not.
    #[error("{}: no such file or directory\n  hint: {hint}", path.display())]
    Missing {
        /// The path that was looked for.
        path: PathBuf,
        /// A remedy.
        hint: String,
    },
    /// A file that cannot be understood, or not be used together with others.
    #[error("{}: {reason}\n  hint: {hint}", path.display())]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// The fault.
        reason: String,
        /// A remedy.
        hint: String,
    },
    /// Another process writes into the run directory.
    #[error("{}: another process trains here ({owner})\n  hint: wait for it, or choose another directory with `--run`", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Its host and process.
        owner: String,
    },
    /// Writing failed.
    #[error("writing {}: {source}\n  hint: check that its folder exists, may be written to and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl RecordError {
    /// [`RecordError::Write`] for the file at `path`, to be used with `map_err`.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> RecordError {
        |source| RecordError::Write { path: path.to_owned(), source }
    }

    /// [`RecordError::Missing`] or [`RecordError::Refused`] for the file at `path`, to be used with `map_err`.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> RecordError {
        |error| {
            let path = path.to_owned();
            let hint = match error.kind() {
                io::ErrorKind::NotFound => {
                    let hint = "check the path, or train first".to_owned();
                    return RecordError::Missing { path, hint };
                }
                io::ErrorKind::InvalidData => {
                    "the file was altered or is of another version; train again in another directory"
                }
                _ => "check that it is a readable file",
            };
            RecordError::Refused { path, reason: error.to_string(), hint: hint.to_owned() }
        }
    }

    /// The exit code of the `ballast` command for this error, as the README lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            RecordError::Missing { .. } => 66,
            RecordError::Refused { .. } => 65,
            RecordError::Locked { .. } => 2,
            RecordError::Write { .. } => 74,
        }
    }
}

impl From<LockError> for RecordError {
    fn from(error: LockError) -> RecordError {
        match error {
            LockError::Held { path, owner } => RecordError::Locked { path, owner },
            LockError::Io { path, source } => RecordError::Write { path, source },
        }
    }
}
