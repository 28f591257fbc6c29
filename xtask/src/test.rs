//! `cargo xtask test`: every test of the workspace, after seeing to libtorch.

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run};

/// Install libtorch where it is missing, then run all unit, integration and documentation tests
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Also run the tests marked slow
    #[arg(long)]
    slow: bool,
}

impl Test {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        setup::ensure(workspace, None)?;
        let mut cargo = workspace.cargo(["test", "--workspace"]);
        if self.slow {
            cargo.args(["--", "--include-ignored"]);
        }
        run(&mut cargo)
    }
}

/// Every test that is not slow; libtorch is there.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(["test", "--workspace"]))
}
