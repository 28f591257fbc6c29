//! Installs a libtorch in the cache, completely or not at all.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Error, Result};
use files::Lock;

use super::Origin;
use super::disk::{self, DiskFull, is_full, megabytes};
use super::fetch::{Workshop, fetch, needed};
use super::found::inspect;
use super::pins::Pins;
use super::surroundings::Surroundings;
use super::unpack::unpack;
use super::verify;

/// Fetches and unpacks libtorch into the cache, unless another process does so first.
pub(super) fn install(around: &Surroundings, pins: &Pins) -> Result<Origin> {
    let cache = &around.cache;
    fs::create_dir_all(cache).with_context(|| format!("creating {}", cache.display()))?;
    let lock = lock(cache)?;
    if inspect(&pins.home(cache), None).is_ok() {
        return Ok(Origin::Cache);
    }
    let workshop = Workshop { wheels: cache.join("wheels"), scratch: cache.join("unfinished") };
    // Only the holder of the lock writes here, so existing files are the remains of a killed process.
    remove(&workshop.scratch)?;
    let done = build(around, pins, &workshop, &lock);
    let swept = remove(&workshop.scratch);
    done.map_err(|error| explain(error, pins, &workshop, cache))?;
    swept.map(|()| Origin::Fetched)
}

fn build(around: &Surroundings, pins: &Pins, workshop: &Workshop, lock: &Lock) -> Result<()> {
    let started = Instant::now();
    fs::create_dir_all(&workshop.wheels)?;
    fs::create_dir_all(&workshop.scratch)?;
    let fetched = fetch(pins, workshop, &around.path, lock.file())?;
    let fresh = workshop.scratch.join(pins.folder);
    eprintln!("unpacking into {}", around.cache.display());
    for wheel in &pins.wheels {
        unpack(wheel, &workshop.wheels.join(wheel.file), &fresh)?;
    }
    for (path, text) in pins.texts {
        fs::write(fresh.join(path), text)?;
    }
    verify::record(&fresh)?;
    let home = around.cache.join(pins.folder);
    remove(&home)?; // it is not whole, or we would not be here
    // Synced to disk before it gets its name, so that a folder of that name is complete even after a power cut.
    rustix::fs::syncfs(File::open(&fresh)?).context("writing to the disk")?;
    fs::rename(&fresh, &home).with_context(|| format!("creating {}", home.display()))?;
    rustix::fs::fsync(File::open(&around.cache)?)?;
    let freed: u64 = pins.wheels.iter().map(|wheel| wheel.bytes).sum();
    for wheel in &pins.wheels {
        fs::remove_file(workshop.wheels.join(wheel.file))?;
    }
    eprintln!(
        "installed libtorch in {:.1} minutes: {} fetched, {} on disk; its wheels ({}) were removed",
        started.elapsed().as_secs_f64() / 60.0,
        megabytes(fetched),
        megabytes(pins.installed_bytes),
        megabytes(freed),
    );
    Ok(())
}

/// Waits until no other setup is at work in this cache.
fn lock(cache: &Path) -> Result<Lock> {
    let waiting = |owner: &str| {
        eprintln!("another setup ({owner}) is at work in {}; waiting for it", cache.display());
    };
    let lock = Lock::wait(&cache.join("setup.lock"), waiting)?;
    if let Some(error) = lock.unsupported() {
        eprintln!("run one setup at a time: {} cannot be locked ({error})", cache.display());
    }
    Ok(lock)
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Adds to the error of a full disk how much room is missing.
fn explain(error: Error, pins: &Pins, workshop: &Workshop, cache: &Path) -> Error {
    match disk::free(cache) {
        Ok(free) if is_full(&error) => {
            DiskFull { folder: cache.to_owned(), needed: needed(pins, workshop), free }.into()
        }
        _ => error,
    }
}
