//! Pythons of our own, for the tests that have other programs read our files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use files::Lock;

use crate::setup::cache_folder;

/// Packages that a test runs in Python, in a virtual environment of their own.
struct Tool {
    /// Their name in messages.
    name: &'static str,
    /// The packages to install; pip chooses their dependencies for the Python at hand.
    requirements: &'static [&'static str],
    /// The variable that tells the test which Python has them.
    variable: &'static str,
    /// The test that is skipped without them.
    skipped: &'static str,
}

const TOOLS: [Tool; 2] = [
    Tool {
        name: "TensorBoard",
        requirements: &["tensorboard==2.21.0"],
        variable: "BALLAST_TENSORBOARD_PYTHON",
        skipped: "real TensorBoard will not read our event files, only our own decoder",
    },
    Tool {
        name: "onnxruntime",
        requirements: &[
            "onnxruntime==1.32.0",
            "onnx==1.23.2",
            "pandas==3.1.1",
            "pyarrow==26.0.1",
            "polars==2.1.0",
        ],
        variable: "BALLAST_ONNX_PYTHON",
        skipped: "onnxruntime will not run our ONNX files, nor pandas and Polars read our Parquet files",
    },
];

/// The variable that tells a test which Python has PyTorch.
const PYTORCH: &str = "BALLAST_PYTORCH_PYTHON";

/// Tells the tests of `cargo` which Pythons have the packages that some of them run, and installs these where they are
/// missing. If that fails, a message names the test that is skipped. PyTorch, which is large, is only used where
/// `cargo xtask bench --pytorch` has installed it.
pub(crate) fn offer(cargo: &mut Command) {
    for tool in &TOOLS {
        if std::env::var_os(tool.variable).is_some() {
            continue; // the user's own
        }
        let python = cache_folder().and_then(|cache| install(&cache, "python3".as_ref(), tool));
        match python {
            Ok(python) => _ = cargo.env(tool.variable, python),
            Err(error) => eprintln!("SKIPPED: {}: {error:#}", tool.skipped),
        }
    }
    let pytorch = cache_folder().map(|cache| cache.join("pytorch/bin/python"));
    if std::env::var_os(PYTORCH).is_none()
        && let Ok(python) = pytorch
        && python.is_file()
    {
        cargo.env(PYTORCH, python);
    }
}

/// A Python with the requirements, in a virtual environment in the cache that is named after the first.
fn install(cache: &Path, python: &OsStr, tool: &Tool) -> Result<PathBuf> {
    let first = tool.requirements.first().copied().unwrap_or_default();
    let folder = cache.join(first.replace("==", "-"));
    let ours = folder.join("bin/python");
    let complete = folder.join("complete");
    let wanted = tool.requirements.join("\n");
    // An incomplete environment was interrupted, one without Python has lost the Python it was made with, and one with other
    // packages is that of another version. Earlier versions left the list empty.
    let done = || {
        let installed = fs::read_to_string(&complete).ok();
        let same = installed.is_some_and(|installed| {
            installed == wanted || (installed.is_empty() && wanted == first)
        });
        same && ours.is_file()
    };
    if done() {
        return Ok(ours);
    }
    fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let waiting = |owner: &str| eprintln!("{} is being installed by {owner}; waiting", tool.name);
    let _lock = Lock::wait(&cache.join(format!("{}.lock", tool.name.to_lowercase())), waiting)?;
    if done() {
        return Ok(ours);
    }
    eprintln!("installing {} in {}, once", tool.requirements.join(", "), folder.display());
    said(Command::new(python).args(["-I", "-m", "venv", "--clear"]).arg(&folder))?;
    said(
        Command::new(&ours)
            .args(["-I", "-m", "pip", "install", "--quiet", "--no-input"])
            .arg("--disable-pip-version-check")
            .args(["--retries", "1", "--timeout", "10", "--only-binary=:all:"])
            .args(tool.requirements),
    )?;
    fs::write(&complete, wanted).context("marking the installation as complete")?;
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

    const THING: Tool = Tool {
        name: "Thing",
        requirements: &["thing==1.5", "other==2.0"],
        variable: "",
        skipped: "",
    };

    fn calls(folder: &Path) -> String {
        fs::read_to_string(folder.join("calls")).unwrap_or_default().replace('\n', " ")
    }

    #[test]
    fn it_is_installed_once() {
        let folder = tempfile::tempdir().unwrap();
        let python = python(folder.path(), "true");
        let install = || install(&folder.path().join("cache"), python.as_os_str(), &THING);
        let first = install().unwrap();
        assert_eq!(first, folder.path().join("cache/thing-1.5/bin/python"));
        assert_eq!(install().unwrap(), first);
        assert_eq!(calls(folder.path()), "venv pip ");
        // Its Python has gone.
        fs::remove_file(&first).unwrap();
        assert_eq!(install().unwrap(), first);
        assert_eq!(calls(folder.path()), "venv pip venv pip ");
        // Other packages than those that are there.
        let fewer = Tool { requirements: &["thing==1.5"], ..THING };
        super::install(&folder.path().join("cache"), python.as_os_str(), &fewer).unwrap();
        assert_eq!(calls(folder.path()), "venv pip venv pip venv pip ");
    }

    #[test]
    fn what_is_missing_is_said_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let nowhere = install(&cache, OsStr::new("no-such-python"), &THING).unwrap_err();
        assert!(format!("{nowhere:#}").contains("no-such-python"), "{nowhere:#}");
        let python = python(folder.path(), "echo no network >&2; exit 1");
        for _ in 0..2 {
            let error = install(&cache, python.as_os_str(), &THING).unwrap_err();
            assert!(format!("{error:#}").ends_with("no network"), "{error:#}");
        }
        assert_eq!(calls(folder.path()), "venv pip venv pip ");
    }
}
