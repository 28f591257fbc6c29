//! `cargo xtask lint`: formatting and clippy, without warnings.

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run};

/// Check the formatting, and clippy with warnings denied
#[derive(clap::Args)]
pub(crate) struct Lint {}

impl Lint {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        format(workspace)?;
        setup::ensure(workspace, None)?;
        clippy(workspace)
    }
}

pub(crate) fn format(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(["fmt", "--all", "--", "--check"]))
}

/// Warnings are denied as an argument to clippy: `RUSTFLAGS` would recompile every dependency.
pub(crate) fn clippy(workspace: &Workspace) -> Result<()> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run(&mut workspace.cargo(args))
}
