//! Room on the disk: checked before, explained after a failure.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};

/// The disk that holds `folder` is too small.
#[derive(Debug)]
pub(super) struct DiskFull {
    pub(super) folder: PathBuf,
    pub(super) needed: u64,
    pub(super) free: u64,
}

impl std::error::Error for DiskFull {}

impl std::fmt::Display for DiskFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (folder, needed, free) =
            (self.folder.display(), megabytes(self.needed), megabytes(self.free));
        write!(
            f,
            "the disk is full: installing libtorch in {folder} needs {needed} and {free} are free; \
             make room, or set BALLAST_CACHE to a folder elsewhere"
        )
    }
}

/// Bytes free for us on the disk of `folder`.
pub(super) fn free(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail * disk.f_frsize)
}

/// Fails like a write would, unless `needed` bytes are free for `folder`.
pub(super) fn check(folder: &Path, needed: u64) -> Result<()> {
    if free(folder)? < needed {
        return Err(io::Error::from(ErrorKind::StorageFull).into());
    }
    Ok(())
}

/// Whether the cause of an error is a full disk or an exhausted quota.
pub(super) fn is_full(error: &Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// Bytes for people, such as `540 MB`.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
