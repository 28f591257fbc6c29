//! The link `.libtorch` in the checkout.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// The target of the link, or the folder itself if the user has put one in its place.
pub(super) fn target(link: &Path) -> Option<PathBuf> {
    match fs::read_link(link) {
        Ok(target) => Some(link.parent()?.join(target)),
        Err(_) => link.is_dir().then(|| link.to_owned()),
    }
}

/// Points the link at `folder` atomically: at any moment it leads to the old or to the new folder.
/// A folder that the user has put in its place stays.
pub(super) fn point(link: &Path, folder: &Path) -> Result<()> {
    match fs::symlink_metadata(link) {
        Ok(there) if !there.is_symlink() => return Ok(()),
        Ok(_) if fs::read_link(link).is_ok_and(|target| target == folder) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("reading .libtorch"),
    }
    let fresh = link.with_extension(format!("new-{}", process::id()));
    symlink(folder, &fresh)
        .and_then(|()| fs::rename(&fresh, link))
        .with_context(|| format!("linking {} to {}", link.display(), folder.display()))?;
    // Our build script watches `lib`, so programs linked against another build are linked again.
    // If the folder belongs to another user, its time cannot be changed and stays.
    let _ = File::open(folder.join("lib")).and_then(|lib| lib.set_modified(SystemTime::now()));
    Ok(())
}
