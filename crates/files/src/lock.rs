//! One process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;

/// A lock between processes, held until it is dropped.
///
/// It is an advisory lock of the operating system on a file that names host and process. It ends with the
/// process, however that ends, so that a killed one leaves nothing to clean up; the file alone is no lock.
///
/// ```
/// use files::{Lock, LockError};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("lock");
/// let held = Lock::acquire(&path)?;
/// assert!(matches!(Lock::acquire(&path), Err(LockError::Held { .. })));
/// drop(held);
/// Lock::acquire(&path)?;
/// # Ok::<(), LockError>(())
/// ```
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
    unsupported: Option<io::Error>,
}

/// Why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is locked by {owner}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Host and process, as that process has written them.
        owner: String,
    },
    /// There can be no such file.
    #[error("{} cannot be locked: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Bytes read of a file that should hold the names of a host and a process.
const MOST_OWNER: u64 = 400;

impl Lock {
    /// Takes the lock at `path`, or fails at once.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process has it, [`LockError::Io`] if there can be no such file.
    pub fn acquire(path: &Path) -> Result<Lock, LockError> {
        Lock::take(path, |_, owner| Err(LockError::Held { path: path.to_owned(), owner }))
    }

    /// Takes the lock at `path`, and waits for whoever has it; `waiting` is told who that is.
    ///
    /// # Errors
    /// [`LockError::Io`] if there can be no such file.
    pub fn wait(path: &Path, mut waiting: impl FnMut(&str)) -> Result<Lock, LockError> {
        Lock::take(path, |file, owner| {
            waiting(&owner);
            file.lock().map_err(|source| LockError::Io { path: path.to_owned(), source })
        })
    }

    /// The locked file, for a child process that is to go on holding the lock where it outlives this one.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Why the file system gives no locks, if it gives none: then nobody is kept out, and the user should be told.
    pub fn unsupported(&self) -> Option<&io::Error> {
        self.unsupported.as_ref()
    }

    fn take(
        path: &Path,
        mut held: impl FnMut(&File, String) -> Result<(), LockError>,
    ) -> Result<Lock, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        loop {
            let mut file = open(path).map_err(failed)?;
            let mut unsupported = None;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => held(&file, owner(&file))?,
                Err(TryLockError::Error(error)) => unsupported = Some(error),
            }
            // The holder before may have removed the file between our opening and our locking it.
            if !is_at(&file, path) {
                continue;
            }
            let host = rustix::system::uname();
            let owner =
                format!("{}, process {}\n", host.nodename().to_string_lossy(), std::process::id());
            let written = file.set_len(0).and_then(|()| file.rewind());
            written.and_then(|()| file.write_all(owner.as_bytes())).map_err(failed)?;
            return Ok(Lock { path: path.to_owned(), file, unsupported });
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked here: nobody else's file can be at the path.
        let _ = fs::remove_file(&self.path);
        // Closing is not enough: a child that is just being started still has the file open.
        let _ = self.file.unlock();
    }
}

/// The file, made where it is missing; a link or a device in its place is refused.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits() as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// The first line, without what a terminal might obey.
fn owner(file: &File) -> String {
    let mut text = Vec::new();
    let _ = file.take(MOST_OWNER).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("").chars().filter(|c| !c.is_control()).collect()
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::acquire(&path).unwrap();
        assert!(held.unsupported().is_none());
        let error = Lock::acquire(&path).unwrap_err();
        let process = format!("process {}", std::process::id());
        assert!(error.to_string().ends_with(&process), "{error}");
        drop(held);
        assert!(!path.exists());
        drop(Lock::acquire(&path).unwrap());
    }

    /// A file without a lock on it is what a killed process leaves.
    #[test]
    fn a_file_left_behind_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, "elsewhere, process 1, with a long name that is overwritten\n").unwrap();
        let _held = Lock::acquire(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!(", process {}\n", std::process::id())), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    /// Threads stand for processes: the lock belongs to the opened file. Those that wait go on one by one, though
    /// each holder removes the file that the others wait for.
    #[test]
    fn those_that_wait_hold_it_one_after_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (inside, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let first = Lock::acquire(&path).unwrap();
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let told = |owner: &str| {
                        assert!(owner.is_empty() || owner.contains(", process "), "{owner}");
                        told.fetch_add(1, Ordering::SeqCst);
                    };
                    let _held = Lock::wait(&path, told).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
                    assert!(matches!(Lock::acquire(&path), Err(LockError::Held { .. })));
                    thread::sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
            while told.load(Ordering::SeqCst) < 6 {
                thread::sleep(Duration::from_millis(1));
            }
            drop(first);
        });
        assert!(!path.exists());
    }

    /// A child that is being started has a copy of the file for a moment, and must not keep the lock.
    #[test]
    fn a_copy_of_the_file_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::acquire(&path).unwrap();
        let copy = held.file().try_clone().unwrap();
        fs::hard_link(&path, folder.path().join("same")).unwrap();
        drop(held);
        fs::rename(folder.path().join("same"), &path).unwrap();
        Lock::acquire(&path).unwrap();
        drop(copy);
    }

    #[test]
    fn a_planted_link_is_refused_and_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (path, precious) = (folder.path().join("lock"), folder.path().join("precious"));
        fs::write(&precious, "old").unwrap();
        symlink(&precious, &path).unwrap();
        assert!(matches!(Lock::acquire(&path), Err(LockError::Io { .. })));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "old");
        fs::remove_file(&path).unwrap();
        symlink("/dev/null", &path).unwrap();
        assert!(matches!(Lock::acquire(&path), Err(LockError::Io { .. })));
    }

    #[test]
    fn what_is_shown_of_an_owner_is_short_and_harmless() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::write(&path, format!("host\x1b[31m, process 1{}\nsecond", "x".repeat(1000))).unwrap();
        let shown = owner(&File::open(&path).unwrap());
        assert!(shown.starts_with("host[31m, process 1x") && shown.len() < 400, "{shown}");
    }
}
