//! `cargo xtask adopt`: lets a package outside this workspace use our crates.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::workspace::{Workspace, run};

/// Let a package outside this workspace use our crates, so that `cargo run` works in it
///
/// Installs libtorch where it is missing, and adds to the package: the dependencies, a build script that
/// links libtorch, and `.cargo/config.toml` with `LIBTORCH`. A second time it changes nothing.
#[derive(clap::Args)]
pub(crate) struct Adopt {
    /// The folder of the package, which has a Cargo.toml
    folder: PathBuf,
    /// Our crates to depend on
    #[arg(default_value = "ballast")]
    crates: Vec<String>,
}

const BUILD_SCRIPT: &str = "\
//! Links libtorch, so that programs start without `LD_LIBRARY_PATH`.

fn main() -> std::io::Result<()> {
    libtorch::link()
}
";

impl Adopt {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let manifest = self.folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| {
            format!("no package in {}; make one with `cargo new`", self.folder.display())
        })?;
        let text: toml::Table =
            text.parse().with_context(|| format!("reading {}", manifest.display()))?;
        if let Some(name) = self.crates.iter().find(|name| !ours(workspace, name)) {
            bail!("`{name}` is not a crate of this workspace; `ls crates` lists them");
        }
        setup::ensure(workspace, None)?;
        let script = text.get("package").and_then(|package| package.get("build"));
        let script = script.and_then(toml::Value::as_str).unwrap_or("build.rs");
        write_script(&self.folder.join(script))?;
        write_config(&self.folder, &workspace.root.join(".libtorch"))?;
        let add = |crates: &[String], kind: &[&str]| {
            crates.iter().try_for_each(|name| {
                let mut cargo =
                    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.args(["add", "--quiet", "--offline"]).args(kind);
                cargo.arg("--manifest-path").arg(&manifest).arg("--path");
                run(cargo.arg(workspace.root.join("crates").join(name)))
            })
        };
        add(&self.crates, &[])?;
        add(&["libtorch".to_owned()], &["--build"])?;
        let names = self.crates.join("`, `");
        eprintln!("{} uses `{names}`; `cargo run` there builds and starts it", manifest.display());
        Ok(())
    }
}

/// Whether a package of this name lies among our crates.
fn ours(workspace: &Workspace, name: &str) -> bool {
    Path::new(name).file_name() == Some(OsStr::new(name))
        && workspace.root.join("crates").join(name).join("Cargo.toml").is_file()
}

fn write_script(path: &Path) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(text) if text.contains("libtorch::link()") => Ok(()),
        Ok(_) => bail!(
            "{} is there already: call `libtorch::link()?` in it, then run this again",
            path.display()
        ),
        Err(_) => {
            fs::write(path, BUILD_SCRIPT).with_context(|| format!("writing {}", path.display()))
        }
    }
}

/// Sets `LIBTORCH` for cargo in `folder`, unless its configuration sets it already.
fn write_config(folder: &Path, libtorch: &Path) -> Result<()> {
    let path = folder.join(".cargo/config.toml");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let keys: toml::Table = old.parse().with_context(|| format!("reading {}", path.display()))?;
    let value = toml::Value::String(libtorch.display().to_string());
    match keys.get("env") {
        Some(env) if env.get("LIBTORCH").is_some() => return Ok(()),
        Some(_) => bail!(
            "{} has a table [env]: add `LIBTORCH = {value}` to it, then run this again",
            path.display()
        ),
        None => {}
    }
    let space = if old.is_empty() { "" } else { "\n" };
    let new = format!(
        "{old}{space}# Where libtorch lies. A LIBTORCH of your own wins.\n[env]\nLIBTORCH = {value}\n"
    );
    fs::create_dir_all(folder.join(".cargo"))?;
    fs::write(&path, new).with_context(|| format!("writing {}", path.display()))
}
