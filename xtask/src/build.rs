//! `cargo xtask build`: the executable `ballast`, and others that cargo builds for us.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::workspace::{Workspace, shown};

/// Install libtorch where it is missing, build `ballast`, and print the path of the executable
#[derive(clap::Args)]
pub(crate) struct Build {}

impl Build {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        setup::ensure(workspace, None)?;
        let ballast = executable(workspace, &["--package", "cli"], "ballast")?;
        println!("{}", ballast.display());
        Ok(())
    }
}

/// Builds the packages that `arguments` select and returns the path of the executable `name`. Compiler
/// messages pass through; cargo prints nothing if everything is built.
pub(crate) fn executable(workspace: &Workspace, arguments: &[&str], name: &str) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(["build", "--message-format=json-render-diagnostics"]);
    cargo.args(arguments);
    let shown = shown(&cargo);
    let output = cargo
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    find(&String::from_utf8_lossy(&output.stdout), name)
        .with_context(|| format!("`{shown}` named no executable called {name}"))
}

/// The path of the executable `name` in cargo's messages, one JSON object per line.
fn find(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == name;
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_the_executable_is() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"train"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"ballast"},"executable":"/elsewhere/debug/ballast"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(find(messages, "ballast"), Some(PathBuf::from("/elsewhere/debug/ballast")));
        assert_eq!(find(r#"{"reason":"build-finished","success":true}"#, "ballast"), None);
    }
}
