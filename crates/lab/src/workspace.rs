//! The checkout, and what its build automation does for us.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The checkout this was started in. `cargo run` names the package, which lies in it; with a shared
/// `CARGO_TARGET_DIR` the executable may have been compiled in another one.
///
/// # Errors
/// A folder that is not inside a checkout.
pub fn find() -> Result<PathBuf> {
    let from = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => PathBuf::from(package),
        None => env::current_dir().context("finding the current folder")?,
    };
    from.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_owned)
        .context("not inside a Ballast checkout; run it as `cargo xtask experiment` there")
}

/// Has `cargo xtask build` install libtorch and build `ballast`; returns the executable.
pub(crate) fn ballast(root: &Path) -> Result<PathBuf> {
    // `cargo xtask experiment` says where it is; a `lab` started by hand has cargo find it.
    let mut xtask = match env::var_os("BALLAST_XTASK") {
        Some(xtask) => Command::new(xtask),
        None => {
            let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["run", "--quiet", "--package", "xtask", "--"]);
            cargo
        }
    };
    let output = xtask
        .arg("build")
        .current_dir(root)
        .env("CARGO_MANIFEST_DIR", root.join("xtask"))
        .stderr(Stdio::inherit())
        .output()
        .context("starting `cargo xtask build`")?;
    if !output.status.success() {
        bail!("`cargo xtask build` failed ({})", output.status);
    }
    let said = String::from_utf8(output.stdout).context("the path of `ballast` is not UTF-8")?;
    said.lines().next_back().map(PathBuf::from).context("`cargo xtask build` named no executable")
}
