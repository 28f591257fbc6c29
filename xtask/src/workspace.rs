//! The checkout, and commands run in it.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The checkout this xtask was started from.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// Finds the checkout at run time, because with a shared `CARGO_TARGET_DIR` the binary may have been
    /// compiled in another checkout.
    pub(crate) fn find() -> Result<Workspace> {
        if let Some(manifest) = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
            && let Some(root) = manifest.parent()
        {
            return Ok(Workspace { root: root.to_owned() });
        }
        let here = env::current_dir().context("finding the current folder")?;
        here.ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .map(|root| Workspace { root: root.to_owned() })
            .context("not inside a Ballast checkout; run it as `cargo xtask` there")
    }

    /// A cargo command in the checkout, with one thread per libtorch operation unless the user sets
    /// another number: tests already run in parallel, and results then repeat bit for bit.
    pub(crate) fn cargo<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(args).current_dir(&self.root);
        // These describe xtask, or the package that started it. Some build scripts run again when they change, and with
        // them a plain `cargo build` and one of ours would undo each other's work.
        let ours = |name: &OsStr| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
            cargo.env_remove(name);
        }
        if env::var_os("OMP_NUM_THREADS").is_none() {
            cargo.env("OMP_NUM_THREADS", "1");
        }
        cargo
    }
}

/// Runs a command to its end; a failure is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("starting `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command to its end and returns its output; a failure is an error with what it said.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, arg| line + " " + &arg.to_string_lossy())
}
