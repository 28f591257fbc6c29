//! `cargo xtask doc`: the API documentation, with warnings denied.

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run};

/// Build the documentation of our crates, with warnings denied
#[derive(clap::Args)]
pub(crate) struct Doc {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
}

impl Doc {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        setup::ensure(workspace, None)?;
        build(workspace, self.open)
    }
}

pub(crate) fn build(workspace: &Workspace, open: bool) -> Result<()> {
    let mut cargo = workspace.cargo(["doc", "--workspace", "--no-deps"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    if open {
        cargo.arg("--open");
    }
    run(&mut cargo)
}
