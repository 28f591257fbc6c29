//! The files of an installed libtorch, compared with what was installed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The record of an installation, in its folder: one line for each file, as `sha256sum --check` reads it.
pub(super) const RECORD: &str = "SHA256SUMS";

/// Files named in an error.
const MOST_NAMED: usize = 10;

/// Writes the hashes of all files of a fresh installation.
pub(super) fn record(folder: &Path) -> Result<()> {
    let lines = hashes(folder)?.into_iter().fold(String::new(), |mut lines, (path, hash)| {
        let _ = writeln!(lines, "{hash}  {path}");
        lines
    });
    let record = folder.join(RECORD);
    fs::write(&record, lines).with_context(|| format!("writing {}", record.display()))
}

/// Reads every file of the installation that `libtorch` belongs to, and returns their number.
pub(super) fn verify(libtorch: &Path) -> Result<usize> {
    // The one for GPUs lies in a folder of its installation.
    let folders = [Some(libtorch), libtorch.parent()];
    let recorded = folders.into_iter().flatten().find_map(|folder| {
        let text = match fs::read_to_string(folder.join(RECORD)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            text => text,
        };
        Some((folder, text))
    });
    let Some((folder, text)) = recorded else {
        bail!(
            "{} has no record of its files: another program or an older setup installed it; \
             remove it and run `cargo xtask setup` again, or check it by the means of whoever installed it",
            libtorch.display()
        );
    };
    let text = text.with_context(|| format!("reading {}", folder.join(RECORD).display()))?;
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    let expected: BTreeMap<String, String> =
        lines.map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect();
    let there = hashes(folder)?;
    let paths = there.keys().chain(expected.keys().filter(|path| !there.contains_key(*path)));
    let mut faults: Vec<String> = paths
        .filter_map(|path| match (expected.get(path), there.get(path)) {
            (Some(expected), Some(there)) if expected == there => None,
            (Some(_), Some(_)) => Some(format!("{path} was changed")),
            (Some(_), None) => Some(format!("{path} is missing")),
            (None, _) => Some(format!("{path} was added")),
        })
        .collect();
    if expected.is_empty() {
        faults.push(format!("{RECORD} is empty"));
    }
    if faults.is_empty() {
        return Ok(there.len());
    }
    let more = match faults.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    faults.truncate(MOST_NAMED);
    bail!(
        "{} is not what was installed; remove the folder and run `cargo xtask setup` again:\n  {}{more}",
        folder.display(),
        faults.join("\n  ")
    )
}

/// The hash of every file but the record, by its path in the folder.
fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("reading {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            if name != RECORD {
                let hash =
                    files::sha256(&path).with_context(|| format!("reading {}", path.display()))?;
                hashes.insert(name, hash);
            }
        }
    }
    Ok(hashes)
}
