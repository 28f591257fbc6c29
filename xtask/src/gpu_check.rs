//! `cargo xtask gpu-check`: what a GPU can do with our models, also on a machine that can build nothing.
//!
//! The folder `runs/gpu-check` holds all that such a machine needs but PyTorch: a stripped program and a script that
//! starts it with the libraries of Python's PyTorch. The script takes less than eight minutes.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::build::executable;
use crate::setup;
use crate::workspace::{Workspace, run};

/// Measure what a device does with our models: numbers, speed, memory; `runs/gpu-check` can be taken to a GPU machine
#[derive(clap::Args)]
pub(crate) struct GpuCheck {
    /// The device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: String,
    /// Seconds of each timing
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Only pack the folder, for a machine with a GPU: `sh runs/gpu-check/run.sh`
    #[arg(long)]
    pack: bool,
}

/// Most that may be carried to the other machine.
const MOST_BYTES: u64 = 60 << 20;

impl GpuCheck {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let libtorch = setup::ensure(workspace, None)?.folder;
        let built =
            executable(workspace, &["--package", "train", "--example", "device"], "device")?;
        let folder = workspace.root.join("runs/gpu-check");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let program = folder.join("device");
        strip(&built, &program)?;
        let size = fs::metadata(&program).context("measuring the program")?.len();
        ensure!(size <= MOST_BYTES, "{} has {size} bytes, too many to carry", program.display());
        let script = folder.join("run.sh");
        fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        println!("packed {} ({} MB)", folder.display(), size / 1_000_000);
        if self.pack {
            return Ok(());
        }
        let mut check = Command::new(&program);
        check.env("LD_LIBRARY_PATH", libtorch.join("lib"));
        check.args([self.device, self.seconds.to_string()]).arg(folder.join("device.json"));
        run(&mut check)
    }
}

/// Writes the program without its symbols, which are three quarters of it.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let mut strip = Command::new("strip");
    run(strip.arg("-o").arg(to).arg(from)).context("`strip` comes with the compiler's binutils")
}

/// Starts the program beside it with Python's PyTorch, whose version must be that of our libtorch.
const SCRIPT: &str = r#"#!/bin/sh
# What a GPU does with Ballast's models: sh run.sh [DEVICE [SECONDS]]. It builds nothing and takes less than eight minutes.
# The table goes to stdout, and to device.json in $OUT or beside this script. $PYTHON names the Python that has PyTorch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
if ! found=$("$python" -c 'import importlib.util as i, pathlib as p
folder = p.Path(i.find_spec("torch").origin).parent
print(next(l.split("\x27")[1] for l in open(folder / "version.py") if l.startswith("__version__")))
print(folder / "lib")'); then
    echo "error: $python has no PyTorch; name another with PYTHON=..." >&2
    exit 2
fi
version=$(printf '%s\n' "$found" | head -n 1)
lib=$(printf '%s\n' "$found" | tail -n 1)
case $version in
    2.11.0 | 2.11.0+*) ;;
    *)
        echo "error: the program was built against libtorch 2.11.0, and $python has PyTorch $version: their interfaces differ" >&2
        exit 2
        ;;
esac
echo "PyTorch $version in $lib"
LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} \
    exec timeout 480 "$here/device" "${1:-auto}" "${2:-8}" "${OUT:-$here}/device.json"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// The script with a stand-in for Python and one for the program, in a folder of its own.
    fn started(version: &str) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let script = write("run.sh", SCRIPT);
        let python = write("python", &format!("#!/bin/sh\necho {version}\necho /torch/lib\n"));
        write("device", "#!/bin/sh\necho \"$LD_LIBRARY_PATH: $*\"\n");
        let mut sh = Command::new("sh");
        sh.arg(script).args(["cpu", "0.5"]).env("PYTHON", python).env_remove("LD_LIBRARY_PATH");
        let output = sh.env("OUT", "/out").output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_script_starts_the_program_with_the_libraries_of_python() {
        let (success, text) = started("2.11.0+cu130");
        assert!(success, "{text}");
        assert!(text.ends_with("/torch/lib: cpu 0.5 /out/device.json\n"), "{text}");
    }

    #[test]
    fn another_version_of_pytorch_is_refused() {
        for version in ["2.12.0", "2.1", "2.11.01"] {
            let (success, text) = started(version);
            assert!(!success && text.contains(version), "{text}");
        }
    }
}
