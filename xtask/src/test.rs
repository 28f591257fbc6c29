//! `cargo xtask test`: every test of the workspace, with libtorch and the Python packages of some tests installed first.

use anyhow::Result;

use crate::workspace::{Workspace, run};
use crate::{python, setup};

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
        python::offer(&mut cargo);
        if self.slow {
            cargo.args(["--", "--include-ignored"]);
        }
        run(&mut cargo)
    }
}

/// Runs every test that is not slow; libtorch must be installed.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo(["test", "--workspace"]);
    python::offer(&mut cargo);
    run(&mut cargo)
}
