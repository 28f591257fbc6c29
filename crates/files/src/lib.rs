//! Files that other processes may read: written whole or not at all, locked, hashed, cached.
//!
//! | to | call |
//! |---|---|
//! | write where a user says | [`write()`], [`write_text`], [`write_json`]: follow links, write into devices and to stdout |
//! | write in a directory of ours | [`replace`], [`replace_text`], [`replace_json`], [`append`]: never follow a link |
//! | read what somebody may have put there | [`read`], [`read_text`], [`read_json`]: regular files up to a size |
//! | be the only process at work | [`Lock`] |
//! | compare contents, and know damaged ones | [`sha256`], [`sha256_of`], [`Seal`] |
//! | keep what was downloaded | [`cache_folder`] |
//!
//! A crash at any moment leaves the old file or the new one:
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("scores.csv");
//! files::write_text(&path, "window,crps\n0,0.5\n")?;
//!
//! // A writer that fails half-way changes nothing.
//! let failed = files::write(&path, |file| {
//!     file.write_all(b"window,crps\n0,")?;
//!     Err(std::io::ErrorKind::StorageFull.into())
//! });
//! assert!(failed.is_err());
//! assert_eq!(files::read_text(&path, 1000)?, "window,crps\n0,0.5\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Errors are those of the operating system; the caller knows the path and adds it.

mod cache;
mod hash;
mod lock;
mod read;
mod write;

pub use cache::{CacheError, cache_folder};
pub use hash::{Seal, sha256, sha256_of};
pub use lock::{Lock, LockError};
pub use read::{read, read_json, read_text};
pub use write::{
    append, remove_unfinished, replace, replace_json, replace_text, write, write_json, write_text,
};
