//! One writer per run directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::TrainError;

/// The lock of a run directory, held until it is dropped.
///
/// An advisory lock of the operating system on a file that names host and process: it ends with the
/// process, however that ends, so that a killed run leaves nothing to clean up.
#[derive(Debug)]
pub(crate) struct RunLock {
    path: PathBuf,
    _file: File,
}

impl RunLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`TrainError::Locked`] if another process holds it; [`TrainError::Write`] if there can be no
    /// such file.
    pub(crate) fn acquire(path: PathBuf) -> Result<RunLock, TrainError> {
        let failed = |source| TrainError::Write { path: path.clone(), source };
        loop {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    let _ = file.read_to_string(&mut owner);
                    return Err(TrainError::Locked { path, owner: owner.trim().to_owned() });
                }
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(%error, path = %path.display(), "this file system cannot lock");
                }
            }
            // The holder before may have removed the file between our opening and our locking it.
            if !is_at(&file, &path) {
                continue;
            }
            let owner = format!("{}, process {}\n", host(), std::process::id());
            let written = file.set_len(0).and_then(|()| file.rewind());
            written.and_then(|()| file.write_all(owner.as_bytes())).map_err(failed)?;
            return Ok(RunLock { path, _file: file });
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Still locked here: nobody else's file can be at the path.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = RunLock::acquire(path.clone()).unwrap();
        let error = RunLock::acquire(path.clone()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let process = format!("process {}", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
        drop(held);
        assert!(!path.exists());
        drop(RunLock::acquire(path).unwrap());
    }

    /// A file without a lock on it is what a killed run leaves.
    #[test]
    fn a_file_left_behind_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, "elsewhere, process 1, with a long name that is overwritten\n").unwrap();
        let _held = RunLock::acquire(path.clone()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!("process {}\n", std::process::id())), "{text}");
    }
}
