//! Wheels, from the cache or fetched, each checked against its pinned hash.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::client::Client;
use super::disk;
use super::meter::Meter;
use super::pins::{Pins, Wheel};

/// The folders of the cache that an installation works in.
pub(super) struct Workshop {
    /// Finished wheels, kept until libtorch is installed.
    pub(super) wheels: PathBuf,
    /// Unfinished files, which may be deleted.
    pub(super) scratch: PathBuf,
}

/// Provides every wheel intact; returns the number of bytes fetched.
pub(super) fn fetch(pins: &Pins, workshop: &Workshop, path: &OsStr, lock: &File) -> Result<u64> {
    let mut missing = Vec::new();
    for wheel in &pins.wheels {
        if !have(wheel, &workshop.wheels)? {
            missing.push(wheel);
        }
    }
    disk::check(&workshop.wheels, needed(pins, workshop))?;
    if missing.is_empty() {
        return Ok(0);
    }
    // Small ones first, so that network problems show early.
    missing.sort_by_key(|wheel| wheel.bytes);
    let client = Client::find(path)?;
    for (at, wheel) in missing.iter().enumerate() {
        let label = format!("fetching {}/{} {}", at + 1, missing.len(), wheel.requirement());
        let work = workshop.scratch.join(format!("fetch-{at}"));
        fs::create_dir_all(&work)?;
        client.fetch(wheel, &work, lock, Meter::new(label, wheel.bytes))?;
        let fetched = work.join(wheel.file);
        if !fetched.is_file() {
            bail!(
                "pip said that it fetched {}, but {} is not there",
                wheel.file,
                fetched.display()
            );
        }
        let sum = sha256(&fetched, wheel)?;
        if sum != wheel.sha256 {
            fs::remove_file(&fetched)?;
            bail!(
                "{} is not the file we know: its SHA-256 is {sum} instead of {}. It was deleted; \
                 ask whoever runs your package index or mirror",
                wheel.file,
                wheel.sha256
            );
        }
        fs::rename(&fetched, workshop.wheels.join(wheel.file))?;
        fs::remove_dir_all(&work)?;
    }
    Ok(missing.iter().map(|wheel| wheel.bytes).sum())
}

/// Peak of the bytes on disk that the rest of the installation needs.
pub(super) fn needed(pins: &Pins, workshop: &Workshop) -> u64 {
    let missing = |wheel: &&Wheel| !workshop.wheels.join(wheel.file).exists();
    let sizes = || pins.wheels.iter().filter(missing).map(|wheel| wheel.bytes);
    // pip copies a finished wheel, so the largest exists twice; later the unpacked files do.
    sizes().sum::<u64>() + sizes().max().unwrap_or(0).max(pins.installed_bytes)
}

/// Whether an intact wheel is in the cache; a damaged one is deleted.
fn have(wheel: &Wheel, wheels: &Path) -> Result<bool> {
    let file = wheels.join(wheel.file);
    match fs::metadata(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        Ok(there) if there.len() == wheel.bytes && sha256(&file, wheel)? == wheel.sha256 => {
            return Ok(true);
        }
        Ok(_) => {}
    }
    eprintln!("{} is not the file we know (its SHA-256 differs): deleted", file.display());
    fs::remove_file(&file)?;
    Ok(false)
}

/// The SHA-256 of a file, in hexadecimal, with a meter, because large files take a while.
fn sha256(file: &Path, wheel: &Wheel) -> Result<String> {
    let meter = Meter::quiet(format!("checking {}", wheel.requirement()), wheel.bytes);
    File::open(file)
        .and_then(|source| files::sha256_of(Metered { source, meter }))
        .with_context(|| format!("reading {}", file.display()))
}

/// A file whose meter shows the share read.
struct Metered {
    source: File,
    meter: Meter,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.meter.advance(read as u64);
        Ok(read)
    }
}
