//! A TensorBoard of our own, for the journey that has it read our event files.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use files::Lock;

use crate::setup::cache_folder;

/// The package to install; pip chooses its dependencies for the Python at hand.
const REQUIREMENT: &str = "tensorboard==2.21.0";

/// The variable that tells the journey which Python has TensorBoard.
const VARIABLE: &str = "BALLAST_TENSORBOARD_PYTHON";

/// Tells the tests of `cargo` where TensorBoard is, and installs it if it is missing. If that fails, a
/// message names the test that is skipped.
pub(crate) fn offer(cargo: &mut Command) {
    if std::env::var_os(VARIABLE).is_some() {
        return; // the user's own
    }
    let python = cache_folder().and_then(|cache| install(&cache, "python3".as_ref(), REQUIREMENT));
    match python {
        Ok(python) => _ = cargo.env(VARIABLE, python),
        Err(error) => eprintln!(
            "SKIPPED: real TensorBoard will not read our event files, only our own decoder: {error:#}"
        ),
    }
}

/// A Python with the requirement, in a virtual environment in the cache.
fn install(cache: &Path, python: &OsStr, requirement: &str) -> Result<PathBuf> {
    let folder = cache.join(requirement.replace("==", "-"));
    let ours = folder.join("bin/python");
    let complete = folder.join("complete");
    // An incomplete environment was interrupted, and one without Python has lost the Python it was made with.
    if complete.is_file() && ours.is_file() {
        return Ok(ours);
    }
    fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let waiting = |owner: &str| eprintln!("TensorBoard is being installed by {owner}; waiting");
    let _lock = Lock::wait(&cache.join("tensorboard.lock"), waiting)?;
    if complete.is_file() && ours.is_file() {
        return Ok(ours);
    }
    eprintln!("installing {requirement} in {}, once", folder.display());
    said(Command::new(python).args(["-I", "-m", "venv", "--clear"]).arg(&folder))?;
    said(
        Command::new(&ours)
            .args(["-I", "-m", "pip", "install", "--quiet", "--no-input"])
            .arg("--disable-pip-version-check")
            .args(["--retries", "1", "--timeout", "10", "--only-binary=:all:", requirement]),
    )?;
    File::create(&complete).context("marking the installation as complete")?;
    Ok(ours)
}

/// Runs a command to its end; an error holds the last line it wrote to stderr.
fn said(command: &mut Command) -> Result<()> {
    let shown = crate::workspace::shown(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        bail!("`{shown}` failed ({}): {last}", output.status);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A Python that records each call, and answers `venv` by copying itself. Without `-I`, modules of the current folder
    /// would be imported in place of its own.
    fn python(folder: &Path, pip: &str) -> PathBuf {
        let path = folder.join("python3");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = -I ] || exit 9\nshift\necho \"$2\" >>\"{}/calls\"\n\
             case $2 in\n\
             venv) rm -rf \"$4\"; mkdir -p \"$4/bin\" && cp \"$0\" \"$4/bin/python\" ;;\n\
             pip) {pip} ;;\n\
             esac\n",
            folder.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn calls(folder: &Path) -> String {
        fs::read_to_string(folder.join("calls")).unwrap_or_default().replace('\n', " ")
    }

    #[test]
    fn it_is_installed_once() {
        let folder = tempfile::tempdir().unwrap();
        let python = python(folder.path(), "true");
        let install = || install(&folder.path().join("cache"), python.as_os_str(), "thing==1.5");
        let first = install().unwrap();
        assert_eq!(first, folder.path().join("cache/thing-1.5/bin/python"));
        assert_eq!(install().unwrap(), first);
        assert_eq!(calls(folder.path()), "venv pip ");
        // Its Python has gone.
        fs::remove_file(&first).unwrap();
        assert_eq!(install().unwrap(), first);
        assert_eq!(calls(folder.path()), "venv pip venv pip ");
    }

    #[test]
    fn what_is_missing_is_said_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let nowhere = install(&cache, OsStr::new("no-such-python"), "thing==1.5").unwrap_err();
        assert!(format!("{nowhere:#}").contains("no-such-python"), "{nowhere:#}");
        let python = python(folder.path(), "echo no network >&2; exit 1");
        for _ in 0..2 {
            let error = install(&cache, python.as_os_str(), "thing==1.5").unwrap_err();
            assert!(format!("{error:#}").ends_with("no network"), "{error:#}");
        }
        assert_eq!(calls(folder.path()), "venv pip venv pip ");
    }
}
