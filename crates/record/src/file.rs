//! Reading and writing one file of a run, with its path in the error.

use std::io;
use std::path::Path;

use files::Seal;
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

/// The first key of our JSON files.
const JSON: Seal = Seal::after("{\n  \"sha256\": \"");
/// The first line of our TOML files.
const TOML: Seal = Seal::after("# sha256 = ");

/// Refuses a content that is not as it was sealed. Earlier versions wrote no seals.
fn check(seal: Seal, path: &Path, content: &[u8]) -> Result<(), RecordError> {
    match seal.holds(content) {
        Some(false) => Err(altered(path)),
        Some(true) | None => Ok(()),
    }
}

/// The error for content that is not what was written.
pub(crate) fn altered(path: &Path) -> RecordError {
    RecordError::Refused {
        path: path.to_owned(),
        reason: "was altered or damaged since it was written: its SHA-256 is another one"
            .to_owned(),
        hint: "restore a copy of it, or train again in another directory".to_owned(),
    }
}

/// Reads a TOML file with a seal.
pub(crate) fn read_toml(path: &Path) -> Result<String, RecordError> {
    let text = read_text(path)?;
    check(TOML, path, text.as_bytes())?;
    // Digits without a marker before them: the marker itself was altered.
    let first = text.lines().next().unwrap_or_default().as_bytes();
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    if TOML.holds(text.as_bytes()).is_none() && first.windows(Seal::OPEN.len()).any(digits) {
        return Err(altered(path));
    }
    Ok(text)
}

/// Writes TOML with a seal in its first line.
pub(crate) fn write_toml(path: &Path, text: &str) -> Result<(), RecordError> {
    let mut sealed = format!("# sha256 = {}\n{text}", Seal::OPEN).into_bytes();
    TOML.close(&mut sealed);
    files::replace(path, |file| file.write_all(&sealed)).map_err(RecordError::writing(path))
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
    check(JSON, path, &bytes)?;
    // From the text, whose errors say in which line.
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, error))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordError> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other);
    let text = text.map_err(RecordError::writing(path))?;
    let rest = text.strip_prefix("{\n").unwrap_or(&text);
    let mut sealed = format!("{{\n  \"sha256\": \"{}\",\n{rest}\n", Seal::OPEN).into_bytes();
    JSON.close(&mut sealed);
    files::replace(path, |file| file.write_all(&sealed)).map_err(RecordError::writing(path))
}

/// The error for content that is not of the type of its file.
pub(crate) fn damaged(
    path: &Path,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> RecordError {
    RecordError::reading(path)(io::Error::new(io::ErrorKind::InvalidData, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flip is refused, or leaves the value as it was.
    #[test]
    fn altered_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (json, toml) = (folder.path().join("a.json"), folder.path().join("a.toml"));
        let value = serde_json::json!({ "version": 1, "mean": 0.1, "text": "\"sha256\": \"" });
        write_json(&json, &value).unwrap();
        write_toml(&toml, "seed = 3\n").unwrap();
        let same = |mut found: Value| {
            found.as_object_mut().unwrap().retain(|key, _| value.get(key).is_some());
            found == value
        };
        assert!(same(read_json(&json, 1).unwrap()));
        assert!(read_toml(&toml).unwrap().ends_with("\nseed = 3\n"));
        for (path, is_toml) in [(&json, false), (&toml, true)] {
            let whole = std::fs::read(path).unwrap();
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                std::fs::write(path, &flipped).unwrap();
                // TOML with a damaged seal would otherwise be taken for a config with a mistake in it.
                let refused = match is_toml {
                    false => {
                        read_json(path, 1).map(|found: Value| assert!(same(found), "bit {bit}"))
                    }
                    true => read_toml(path).map(|text| panic!("bit {bit}: {text}")),
                };
                if let Err(error) = refused {
                    assert_eq!(error.exit_code(), 65);
                    assert!(error.to_string().contains("a."), "{error}");
                }
            }
        }
        // An earlier version wrote no seal.
        std::fs::write(&json, "{ \"version\": 1 }").unwrap();
        read_json::<Value>(&json, 1).unwrap();
    }
}
