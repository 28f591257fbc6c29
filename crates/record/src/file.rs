//! Reading and writing one file of a run, with its path in the error.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::RecordError;

/// The largest file of a run that is read into memory.
const MOST_BYTES: u64 = 1 << 30;

pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, RecordError> {
    files::read(path, MOST_BYTES).map_err(RecordError::reading(path))
}

pub(crate) fn read_text(path: &Path) -> Result<String, RecordError> {
    files::read_text(path, MOST_BYTES).map_err(RecordError::reading(path))
}

/// Reads a JSON file of the version that this program writes.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, version: u32) -> Result<T, RecordError> {
    let bytes = read_bytes(path)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(path, error))?;
    if value["version"] != version {
        return Err(RecordError::Refused {
            path: path.to_owned(),
            reason: format!("is of version {}, and this is version {version}", value["version"]),
            hint: "use the `ballast` that wrote it, or train again in another directory".to_owned(),
        });
    }
    // From the text, whose errors say in which line.
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, error))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    files::replace_json(path, value).map_err(RecordError::writing(path))
}

/// The error for content that is not of the type of its file.
pub(crate) fn damaged(
    path: &Path,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> RecordError {
    RecordError::reading(path)(io::Error::new(io::ErrorKind::InvalidData, reason))
}
