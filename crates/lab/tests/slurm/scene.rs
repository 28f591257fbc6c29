//! A checkout with an experiment, the real `lab`, and stand-ins for everything else.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::prepared::{self, Skill};

pub(super) const PLAN: &str = r#"
title = "Trial"
question = "Does it run?"
base = "../base.toml"
seeds = [1, 2]
reference = "none"

[[arm]]
name = "none"
label = "no noise"

[[arm]]
name = "x0"
label = "x0"
set = { "noise.input.reinject" = 1.0 }
"#;

const BENCHMARKS: &str = r#"
kind = "benchmarks"
title = "Benchmarks"
question = "Are the targets met?"
seeds = [1, 2]
default = "../base.toml"
notes = []
cited = []

[[cell]]
name = "weather"
label = "Weather"
config = "../base.toml"
target = "every-baseline"
"#;

const SQUEUE: &str = "#!/bin/sh\ncat \"$(dirname \"$0\")/queue\" 2>/dev/null || true\n";

const SCONTROL: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = requeue ]; then
  if [ -f "$here/deny" ]; then
    echo "Requested operation not permitted" >&2
    exit 1
  fi
  touch "$here/requeue-$2"
else
  echo "MaxArraySize            = ${FAKE_ARRAY:-1001}"
fi
"#;

pub(super) struct Scene {
    dir: TempDir,
    /// Put before PATH.
    bin: PathBuf,
}

impl Scene {
    /// With stand-ins for Slurm.
    pub(super) fn new() -> Scene {
        let scene = Scene::real();
        scene.program("bin/sbatch", include_str!("sbatch.sh"));
        scene.program("bin/squeue", SQUEUE);
        scene.program("bin/scontrol", SCONTROL);
        scene
    }

    /// With the Slurm of this machine.
    pub(super) fn real() -> Scene {
        // Beside what is built, which the nodes of a real Slurm are more likely to see than /tmp.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bin = dir.path().join("bin");
        let scene = Scene { dir, bin };
        scene.write("xtask/Cargo.toml", "");
        scene.write("configs/base.toml", "[data]\nsource = \"seattle-weather\"\n");
        scene.write("configs/experiments/trial.toml", PLAN);
        scene.write("configs/experiments/benchmarks.toml", BENCHMARKS);
        scene.program("ballast", include_str!("ballast.sh"));
        let ballast = scene.root().join("ballast");
        scene.program("build", &format!("#!/bin/sh\necho '{}'\n", ballast.display()));
        for seed in [1, 2] {
            for (arm, test) in [("none", 0.40), ("x0", 0.36)] {
                let skill = Skill { test, gap: 0.1 };
                for (file, text) in prepared::run(arm, seed, skill, 0.38) {
                    scene.write(&format!("prepared/{arm}/seed-{seed}/{file}"), &text);
                    for cell in ["weather", "default-weather"] {
                        scene.write(&format!("prepared/{cell}/seed-{seed}/{file}"), &text);
                    }
                }
            }
        }
        for cell in ["weather", "default-weather"] {
            let text = prepared::json(&prepared::cell(prepared::GOOD));
            scene.write(&format!("prepared/{cell}/evaluation.json"), &text);
        }
        scene
    }

    pub(super) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.root().join(path).exists()
    }

    // Through a child: a file that this process has open for writing, and thereby any child that another
    // test starts meanwhile, cannot be executed ("text file busy").
    pub(super) fn program(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    /// `cargo xtask experiment NAME --poll … ARGS`.
    pub(super) fn experiment(&self, name: &str, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_lab"));
        command
            .arg(name)
            .args(args)
            .env("CARGO_MANIFEST_DIR", self.root().join("xtask"))
            .env("BALLAST_XTASK", self.root().join("build"))
            .env("BALLAST_CACHE", self.root().join("cache"))
            .env("OMP_NUM_THREADS", "1");
        command
    }

    /// A task of the first array, as Slurm would start it.
    pub(super) fn task(&self, index: usize) -> Command {
        let mut command = self.command("bash");
        command
            .arg("runs/trial/slurm/1/job-1.sh")
            .env("SLURM_ARRAY_JOB_ID", "41")
            .env("SLURM_ARRAY_TASK_ID", index.to_string());
        command
    }

    fn command(&self, program: &str) -> Command {
        let path = env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command.current_dir(self.root()).env("PATH", format!("{}:{path}", self.bin.display()));
        command
    }

    /// An experiment on Slurm, to its end.
    pub(super) fn slurm(&self, name: &str, args: &[&str]) -> Said {
        let mut all = vec!["--launcher", "slurm", "--poll", "0.05"];
        all.extend(args);
        Said::of(self.experiment(name, &all))
    }

    pub(super) fn results(&self) -> Value {
        serde_json::from_str(&self.read("runs/trial/results.json")).unwrap()
    }

    /// The number of times that `ballast` was started since the last call.
    pub(super) fn calls(&self) -> usize {
        self.taken("calls")
    }

    /// Likewise `sbatch`.
    pub(super) fn submissions(&self) -> usize {
        self.taken("bin/submitted")
    }

    fn taken(&self, path: &str) -> usize {
        let text = fs::read_to_string(self.root().join(path)).unwrap_or_default();
        let _ = fs::remove_file(self.root().join(path));
        text.lines().count()
    }
}

/// Output and exit code of a command.
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    pub(super) fn of(mut command: Command) -> Said {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    #[track_caller]
    pub(super) fn succeeded(self) -> Said {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(super) fn failed(self) -> Said {
        assert_eq!(self.code, Some(1), "{}\n{}", self.out, self.err);
        self
    }
}
