//! Unpacks files from a wheel, which is a zip.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use super::meter::Meter;
use super::pins::Wheel;

/// Unpacks the files of a wheel that we keep under `folder`. If an entry would land outside of it or is not a
/// plain file, the whole wheel is refused before anything is written.
pub(super) fn unpack(wheel: &Wheel, file: &Path, folder: &Path) -> Result<()> {
    let source = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let mut zip = ZipArchive::new(BufReader::with_capacity(1 << 20, source))
        .with_context(|| format!("{} is no zip", file.display()))?;
    let (kept, total) = plan(wheel, &mut zip)?;
    let mut meter = Meter::quiet(format!("unpacking {}", wheel.requirement()), total);
    let mut buffer = vec![0; 1 << 20];
    for (index, destination) in kept {
        let mut entry = zip.by_index(index)?;
        let path = folder.join(destination);
        let writing = || format!("writing {}", path.display());
        let parent = path.parent().context("an entry has a folder")?;
        fs::create_dir_all(parent).with_context(writing)?;
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(if executable { 0o755 } else { 0o644 })
            .open(&path)
            .with_context(writing)?;
        loop {
            // Reading to the end of the entry also compares its checksum.
            let read = entry.read(&mut buffer).with_context(|| format!("unpacking {path:?}"))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).with_context(writing)?;
            meter.advance(read as u64);
        }
    }
    Ok(())
}

/// Indices and destinations of the files to unpack, and their size in bytes.
fn plan(
    wheel: &Wheel,
    zip: &mut ZipArchive<BufReader<File>>,
) -> Result<(Vec<(usize, String)>, u64)> {
    let (mut kept, mut total) = (Vec::new(), 0);
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index)?;
        let name = entry.name()?;
        if !stays_inside(&name) || entry.is_symlink() {
            bail!("{} holds `{name}`, which no wheel should: not unpacked", wheel.file);
        }
        if let Some(destination) = wheel.destination(&name).filter(|_| !entry.is_dir()) {
            total += entry.size();
            kept.push((index, destination));
        }
    }
    if kept.is_empty() {
        bail!("{} holds none of the files we want", wheel.file);
    }
    Ok((kept, total))
}

/// Whether the name of an entry is a plain relative path.
fn stays_inside(name: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(_));
    !name.is_empty() && !name.contains(['\\', '\0']) && Path::new(name).components().all(plain)
}
