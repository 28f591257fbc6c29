//! `cargo xtask setup`: provides the checkout with the one libtorch that fits tch.
//!
//! The candidates are, in this order: `$LIBTORCH`; with `LIBTORCH_USE_PYTORCH=1` the installed Python
//! torch; the target of the link `.libtorch`; our cache; a fresh download. See `docs/decisions/0001` and `0002`.

mod client;
mod disk;
mod fetch;
mod found;
mod install;
mod link;
mod meter;
mod pins;
mod surroundings;
mod unpack;
mod verify;

#[cfg(test)]
mod tests;

use std::env::consts::{ARCH, OS};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use found::{Found, inspect, python_torch};
use pins::Pins;
use surroundings::Surroundings;

use crate::workspace::Workspace;

/// Find or install libtorch, and link `.libtorch` to it
#[derive(clap::Args)]
pub(crate) struct Setup {
    /// Install the CUDA build, whether or not there is an NVIDIA driver
    #[arg(long, conflicts_with = "cpu")]
    cuda: bool,
    /// Install the CPU build, even where there is an NVIDIA driver
    #[arg(long)]
    cpu: bool,
    /// Print the folder, links resolved, on standard output
    #[arg(long)]
    print_path: bool,
    /// Read all files of the installed libtorch, and compare their SHA-256 with those recorded when it was installed
    #[arg(long)]
    verify: bool,
}

impl Setup {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let wanted = match (self.cuda, self.cpu) {
            (true, _) => Some(Build::Cuda),
            (_, true) => Some(Build::Cpu),
            (false, false) => None,
        };
        let libtorch = ensure(workspace, wanted)?;
        if self.verify {
            let files = verify::verify(&libtorch.folder.canonicalize()?)?;
            eprintln!("all {files} files are as they were installed");
        }
        if self.print_path {
            println!("{}", libtorch.folder.canonicalize()?.display());
        }
        Ok(())
    }
}

/// One of the two builds of libtorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Cpu,
    Cuda,
}

/// The place that a libtorch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Variable,
    Python,
    Link,
    Cache,
    Fetched,
}

/// The libtorch to build against.
#[derive(Debug)]
pub(crate) struct Libtorch {
    pub(crate) folder: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) found: Found,
}

/// Resolves libtorch, installs it if there is none, and prints in one line which one it took.
pub(crate) fn ensure(workspace: &Workspace, wanted: Option<Build>) -> Result<Libtorch> {
    if (OS, ARCH) != ("linux", "x86_64") {
        bail!("only Linux on x86-64 is supported, and this is {OS} on {ARCH}");
    }
    let around = Surroundings::from_env(&workspace.root)?;
    let libtorch = resolve(&around, wanted, &Pins::of)?;
    eprintln!("{}", libtorch.sentence(&around, wanted));
    Ok(libtorch)
}

/// The cache folder, which all checkouts share.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    Ok(files::cache_folder(|name| std::env::var_os(name))?)
}

/// [`ensure`] with its dependencies as arguments, so that tests can pass their own.
fn resolve(
    around: &Surroundings,
    wanted: Option<Build>,
    pins: &dyn Fn(Build) -> Pins,
) -> Result<Libtorch> {
    if let Some(folder) = &around.libtorch {
        let found = inspect(folder, wanted).with_context(|| {
            format!("LIBTORCH={} is of no use; correct or unset it", folder.display())
        })?;
        return linked(around, folder.clone(), Origin::Variable, found);
    }
    if around.use_pytorch {
        let folder = python_torch(around)?;
        let found = inspect(&folder, wanted).with_context(|| {
            format!("LIBTORCH_USE_PYTORCH=1, but {} is of no use", folder.display())
        })?;
        return linked(around, folder, Origin::Python, found);
    }
    if let Some(folder) = link::target(&around.link()) {
        match inspect(&folder, wanted) {
            Ok(found) => return Ok(Libtorch { folder, origin: Origin::Link, found }),
            Err(error) if folder == around.link() => {
                return Err(error.context("the folder .libtorch is not ours; move it away"));
            }
            Err(_) => {} // dangling, or not what is wanted now
        }
    }
    let automatic = if around.nvidia_driver { Build::Cuda } else { Build::Cpu };
    let pins = pins(wanted.unwrap_or(automatic));
    let folder = pins.home(&around.cache);
    let origin = match inspect(&folder, None) {
        Ok(_) => Origin::Cache,
        Err(_) => install::install(around, &pins)?,
    };
    let found = inspect(&folder, wanted)?;
    linked(around, folder, origin, found)
}

fn linked(
    around: &Surroundings,
    folder: PathBuf,
    origin: Origin,
    found: Found,
) -> Result<Libtorch> {
    link::point(&around.link(), &folder)?;
    Ok(Libtorch { folder, origin, found })
}

impl Libtorch {
    /// The line that names the libtorch and its origin.
    fn sentence(&self, around: &Surroundings, wanted: Option<Build>) -> String {
        let build = if self.found.cuda { "CUDA" } else { "CPU" };
        let origin = match self.origin {
            Origin::Variable => "from LIBTORCH",
            Origin::Python => "from the installed Python torch",
            Origin::Link => "linked before",
            Origin::Cache => "from the cache",
            Origin::Fetched => "fetched",
        };
        let driver_unused = around.nvidia_driver && !self.found.cuda && wanted.is_none();
        let hint = if driver_unused {
            "; there is an NVIDIA driver: `cargo xtask setup --cuda` installs the CUDA build"
        } else {
            ""
        };
        let (version, folder) = (&self.found.version, self.folder.display());
        format!("libtorch {version} for {build}, {origin}: {folder}{hint}")
    }
}
