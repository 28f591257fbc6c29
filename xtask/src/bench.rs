//! `cargo xtask bench`: the benchmarks, in the only profile.

mod pytorch;

use anyhow::Result;

use crate::setup;
use crate::workspace::{Workspace, run};

/// Run the benchmarks
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Only benchmarks whose name contains this
    filter: Option<String>,
    /// Compare training steps with PyTorch instead, eager and compiled, in one run
    #[arg(long)]
    pytorch: bool,
}

impl Bench {
    /// The dev profile is optimized, and another profile would compile torch-sys again.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        setup::ensure(workspace, None)?;
        if self.pytorch {
            return pytorch::compare(workspace, self.filter.as_deref());
        }
        let mut cargo = workspace.cargo(["bench", "--workspace", "--benches", "--profile", "dev"]);
        cargo.args(self.filter.iter().flat_map(|filter| ["--", filter]));
        run(&mut cargo)
    }
}
