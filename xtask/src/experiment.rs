//! `cargo xtask experiment`: starts the laboratory, the package `lab`.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Run an experiment: train every arm of configs/experiments/NAME.toml and write a report
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Experiment {
    /// NAME and options; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Experiment {
    /// Replaces this process by `lab`, in the user's folder, so that relative paths, signals and exit codes are those of `lab`.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["run", "--quiet", "--package", "lab", "--manifest-path"])
            .arg(workspace.root.join("Cargo.toml"))
            .arg("--")
            .args(self.arguments)
            // `lab` calls this executable for libtorch and `ballast`, without another start of cargo.
            .env("BALLAST_XTASK", env::current_exe().context("finding this executable")?);
        Err(cargo.exec()).context("starting `cargo run --package lab`")
    }
}
