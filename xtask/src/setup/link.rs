//! The link `.libtorch` in the checkout.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Where the link leads, or the folder itself where the user has put one there.
pub(super) fn target(link: &Path) -> Option<PathBuf> {
    match fs::read_link(link) {
        Ok(target) => Some(link.parent()?.join(target)),
        Err(_) => link.is_dir().then(|| link.to_owned()),
    }
}

/// Points the link at `folder`, in one step: at any moment it leads to the old or to the new one.
/// A folder of the user's in its place stays.
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
    // Our build script watches `lib`: what was linked against another build is linked again.
    // Where the folder is somebody else's, its owner's time has to do.
    let _ = File::open(folder.join("lib")).and_then(|lib| lib.set_modified(SystemTime::now()));
    Ok(())
}
