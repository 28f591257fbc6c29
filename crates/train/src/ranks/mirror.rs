//! A run directory for each rank.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use record::RecordError;
use torch_ext::ProcessGroup;

use crate::error::TrainError;
use crate::part::eight;

/// The run directory of a rank: for the first the one that was asked for, for each other a temporary one with the same
/// files, which is removed at the end. So the ranks need no file system in common.
#[derive(Debug)]
pub struct Mirror {
    path: PathBuf,
    temporary: bool,
}

impl Mirror {
    /// Copies the files of the first rank's directory to the others. A single process keeps the directory.
    ///
    /// # Errors
    /// [`TrainError::Record`] if a file cannot be read or written, [`TrainError::Extension`] if a rank is lost.
    pub fn new(group: Option<&ProcessGroup>, directory: &Path) -> Result<Mirror, TrainError> {
        let own = Mirror { path: directory.to_owned(), temporary: false };
        let Some(group) = group else { return Ok(own) };
        if group.rank() == 0 {
            let mut message = Vec::new();
            if directory.exists() {
                pack(directory, directory, &mut message)
                    .map_err(RecordError::reading(directory))?;
            }
            group.bytes_of_first(&message)?;
            return Ok(own);
        }
        let name = format!("ballast-{}-{}", group.rank(), std::process::id());
        let path = std::env::temp_dir().join(name);
        let mirror = Mirror { path, temporary: true };
        let message = group.bytes_of_first(&[])?;
        fs::create_dir(&mirror.path)
            .and_then(|()| unpack(&mirror.path, &message))
            .map_err(RecordError::writing(&mirror.path))?;
        Ok(mirror)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Appends the files of a run that a training may read: all but locks, event files, and what is not a plain file.
fn pack(root: &Path, folder: &Path, message: &mut Vec<u8>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            pack(root, &path, message)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path);
        let file = entry.file_name().to_string_lossy().into_owned();
        let (Some(name), true) = (name.to_str(), kind.is_file()) else { continue };
        if file.ends_with(".lock") || file == "lock" || file.contains("tfevents") {
            continue;
        }
        for part in [name.as_bytes(), &fs::read(&path)?] {
            message.extend((part.len() as u64).to_le_bytes());
            message.extend(part);
        }
    }
    Ok(())
}

/// Writes the files of a message, all of them inside of `root`.
fn unpack(root: &Path, mut message: &[u8]) -> io::Result<()> {
    let part = |message: &mut &[u8]| -> io::Result<Vec<u8>> {
        let length = u64::from_le_bytes(eight(message)) as usize;
        let (front, rest) = message.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        *message = rest;
        Ok(front.to_vec())
    };
    while !message.is_empty() {
        let name = String::from_utf8_lossy(&part(&mut message)?).into_owned();
        let bytes = part(&mut message)?;
        let name = Path::new(&name);
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_arrives_as_it_was_without_locks_and_events() {
        let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for (name, text) in [
            ("checkpoint", "a\0b"),
            ("refit/deep/checkpoint", ""),
            ("run.lock", "locked"),
            ("events.out.tfevents.1", "curves"),
        ] {
            let path = from.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut message = Vec::new();
        pack(from.path(), from.path(), &mut message).unwrap();
        unpack(to.path(), &message).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("checkpoint")).unwrap(), "a\0b");
        assert_eq!(fs::read_to_string(to.path().join("refit/deep/checkpoint")).unwrap(), "");
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 2);
        let outside = [6_u64.to_le_bytes().as_slice(), b"../far", &0_u64.to_le_bytes()].concat();
        assert!(unpack(to.path(), &outside).is_err());
    }
}
