//! Executables of the workspace: built by cargo, found through what cargo says about them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::workspace::{Workspace, shown};

/// Builds the executable `ballast`.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    build_one(workspace, &["--package", "cli"], "ballast")
}

/// Builds what `arguments` select and returns the executable `name` among it; cargo's messages pass
/// through, and it is silent about no work.
pub(crate) fn build_one(workspace: &Workspace, arguments: &[&str], name: &str) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(["build", "--message-format=json-render-diagnostics"]);
    cargo.args(arguments);
    let shown = shown(&cargo);
    let output = cargo
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("`{shown}` named no executable called {name}"))
}

/// The path of the executable `name` in cargo's messages, one JSON object per line.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

/// The SHA-256 of a file in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let hash = || -> io::Result<String> {
        let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => {
                    return Ok(hasher
                        .finalize()
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect());
                }
                n => hasher.update(&buffer[..n]),
            }
        }
    };
    hash().with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_the_binary_is() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"train"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"ballast"},"executable":"/elsewhere/debug/ballast"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "ballast"),
            Some(PathBuf::from("/elsewhere/debug/ballast"))
        );
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#, "ballast"), None);
    }

    /// Oracle: FIPS 180-2, the one-block example.
    #[test]
    fn the_hash_is_sha_256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
    }
}
