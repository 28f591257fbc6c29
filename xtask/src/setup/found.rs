//! The check whether a folder holds the libtorch that tch needs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Build;
use super::pins::VERSION;
use super::surroundings::Surroundings;

/// The libtorch found in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The version, such as `2.11.0+cu130`.
    pub(crate) version: String,
    /// Whether it can use a GPU.
    pub(crate) cuda: bool,
}

/// Checks that `folder` holds libtorch of our version and of the wanted build.
pub(super) fn inspect(folder: &Path, wanted: Option<Build>) -> Result<Found> {
    if !folder.join("lib/libtorch_cpu.so").is_file() {
        bail!("{} has no lib/libtorch_cpu.so", folder.display());
    }
    if !folder.join("include/torch").is_dir() {
        bail!("{} has no headers in include/torch", folder.display());
    }
    let version = version(folder);
    // The same escape as in torch-sys, which makes the same check.
    let unchecked = env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_some();
    let fits = version.as_deref().is_some_and(|version| version.split('+').next() == Some(VERSION));
    if !fits && !unchecked {
        let is = version.as_deref().unwrap_or("of an unknown version (it has no build-version)");
        bail!("{} is {is}, and tch needs libtorch {VERSION}", folder.display());
    }
    let cuda = folder.join("lib/libtorch_cuda.so").is_file();
    if wanted == Some(Build::Cuda) && !cuda {
        bail!("{} is a CPU build, and --cuda was asked for", folder.display());
    }
    if wanted == Some(Build::Cpu) && cuda {
        bail!("{} is a CUDA build, and --cpu was asked for", folder.display());
    }
    Ok(Found { version: version.unwrap_or_else(|| "of an unknown version".into()), cuda })
}

/// From `build-version` (the zip of libtorch, and our layouts) or `version.py` (Python's torch).
fn version(folder: &Path) -> Option<String> {
    if let Ok(version) = fs::read_to_string(folder.join("build-version")) {
        return Some(version.trim().to_owned());
    }
    let python = fs::read_to_string(folder.join("version.py")).ok()?;
    let line = python.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim_matches(['\'', '"']).to_owned())
}

/// The folder of the torch that the user's Python would import.
pub(super) fn python_torch(around: &Surroundings) -> Result<PathBuf> {
    // Not `import torch`, which takes seconds; and not a `torch` of the current folder.
    const PROGRAM: &str = "import sys; sys.path = [p for p in sys.path if p]; \
                           import importlib.util as u; s = u.find_spec('torch'); \
                           print(s.submodule_search_locations[0] if s else '')";
    // As in torch-sys.
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let output = Command::new(python)
        .args(["-c", PROGRAM])
        .env("PATH", &around.path)
        .output()
        .with_context(|| format!("LIBTORCH_USE_PYTORCH=1, but {python} does not start"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || folder.is_empty() {
        bail!(
            "LIBTORCH_USE_PYTORCH=1, but {python} has no torch; \
             install torch {VERSION} there or unset the variable"
        );
    }
    Ok(PathBuf::from(folder))
}
