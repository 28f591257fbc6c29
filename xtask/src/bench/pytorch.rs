//! `cargo xtask bench --pytorch`: the same training steps in Ballast, PyTorch eager and compiled.
//!
//! The comparison itself is `benches/pytorch/compare.py`. The user's own pip installs PyTorch in
//! a virtual environment in our cache, in the version of our libtorch, so that kernels are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::build::executable;
use crate::setup;
use crate::workspace::{Workspace, run};

const REQUIREMENTS: &str = "benches/pytorch/requirements.txt";

/// Builds our program, installs PyTorch, and prints a table; all measurements go to a file.
pub(super) fn compare(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let python = environment(workspace)?;
    let steps = executable(workspace, &["--package", "train", "--example", "steps"], "steps")?;
    let results = workspace.root.join("runs/pytorch.json");
    fs::create_dir_all(workspace.root.join("runs")).context("creating runs/")?;
    let mut compare = Command::new(python);
    compare.current_dir(&workspace.root).arg("benches/pytorch/compare.py");
    compare.arg("--steps").arg(steps).arg("--out").arg(&results);
    if let Some(etth1) = etth1() {
        compare.arg("--etth1").arg(etth1);
    }
    compare.args(filter.iter().flat_map(|filter| ["--only", filter]));
    run(&mut compare)?;
    println!("\neverything measured: {}", results.display());
    Ok(())
}

/// The data of what users run, which we may not redistribute: in `$BALLAST_DATASETS`, or beside the repository.
fn etth1() -> Option<PathBuf> {
    let folder = std::env::var_os("BALLAST_DATASETS").map(PathBuf::from);
    let path = folder.unwrap_or_else(|| "../shared/datasets".into()).join("ETTh1.csv");
    path.exists().then_some(path)
}

/// The Python of the virtual environment, which is created again if it does not meet the requirements.
fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let wanted = fs::read_to_string(workspace.root.join(REQUIREMENTS))
        .with_context(|| format!("reading {REQUIREMENTS}"))?;
    let folder = setup::cache_folder()?.join("pytorch");
    let (python, done) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) && answers(&python) {
        return Ok(python);
    }
    eprintln!("installing PyTorch into {} (6 GB with the libraries it names)", folder.display());
    run(Command::new("python3").args(["-I", "-m", "venv", "--clear"]).arg(&folder))
        .context("PyTorch needs Python 3.11 or newer with its module venv")?;
    run(Command::new(&python).current_dir(&workspace.root).args([
        "-I",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--requirement",
        REQUIREMENTS,
    ]))?;
    fs::write(&done, wanted).with_context(|| format!("writing {}", done.display()))?;
    Ok(python)
}

/// Whether the Python exists and has PyTorch.
fn answers(python: &Path) -> bool {
    let mut command = Command::new(python);
    let status = command.args(["-c", "import torch"]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
