//! `cargo xtask fuzz`: starts the package `fuzz`.

use std::ffi::OsString;

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run};

/// Feed the readers with changed files; a panic, an overflow, a hang or much memory is a finding
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Fuzz {
    /// Options; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Fuzz {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        setup::ensure(workspace, None)?;
        let features = ["--package", "fuzz", "--features", "parquet,train", "--"];
        run(workspace.cargo(["run", "--quiet"]).args(features).args(self.arguments))
    }
}

/// A short run of every target.
pub(crate) fn short(workspace: &Workspace) -> Result<()> {
    Fuzz { arguments: Vec::new() }.run(workspace)
}
