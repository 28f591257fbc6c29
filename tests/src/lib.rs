//! Helpers of the journeys: the `ballast` binary, series to feed it, and the files that it leaves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use serde_json::Value;
use tempfile::TempDir;

/// The `ballast` binary of this workspace, built if necessary.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--quiet", "--package", "cli", "--message-format", "json"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        // These describe the test's own package, and some build scripts run again when they change.
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_")) {
            command.env_remove(name);
        }
        let output =
            command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH").output();
        let output = output.expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut paths =
            messages.filter_map(|message| Some(message["executable"].as_str()?.to_owned()));
        paths.next_back().map(PathBuf::from).expect("cargo names the binary")
    })
}

/// A temporary folder, and `ballast` commands that run in it.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
}

impl Default for Desk {
    fn default() -> Self {
        Desk::new()
    }
}

impl Desk {
    /// An empty folder.
    pub fn new() -> Desk {
        Desk { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, text: &str) -> &Desk {
        fs::write(self.path(name), text).expect("the folder is writable");
        self
    }

    /// Reads a file in the folder.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Reads a JSON file in the folder.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).expect("valid JSON")
    }

    /// The command `ballast` with these arguments, on one thread.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(words)
            .current_dir(self.folder.path())
            .env("OMP_NUM_THREADS", "1")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs `ballast` with these arguments, on one thread.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("ballast runs")
    }

    /// Runs `ballast` and expects success; returns what it printed.
    pub fn succeed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ballast {}:\n{errors}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs `ballast` and expects this exit code; returns the message.
    pub fn fail(&self, code: i32, words: &[&str]) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "ballast {}:\n{errors}", words.join(" "));
        assert!(!errors.contains("panicked") && !errors.contains("stack backtrace"), "{errors}");
        errors
    }
}

/// The series `x_t = φ x_{t−1} + ε`, `ε ~ N(0, 1)`, from its stationary law.
pub fn autoregression(rows: usize, phi: f64, seed: u64) -> Vec<f64> {
    let mut generator = StdRng::seed_from_u64(seed);
    let mut draw = || generator.sample::<f64, _>(StandardNormal);
    let mut value = draw() / (1.0 - phi * phi).sqrt();
    (0..rows)
        .map(|_| {
            let now = value;
            value = phi * value + draw();
            now
        })
        .collect()
}

/// A CSV of one channel `x` over an integer time.
pub fn csv(values: &[f64]) -> String {
    let rows = values.iter().enumerate().map(|(time, value)| format!("{time},{value}\n"));
    std::iter::once("time,x\n".to_owned()).chain(rows).collect()
}

/// A config for the table of [`csv`], with a small model and a short training.
pub const CONFIG: &str = r#"
seed = 3

[data]
path = "series.csv"
time = "time"
targets = ["x"]
context = 8
horizon = 4
split = { train = 0.6, validation = 0.2, test = 0.2 }

[noise]
schedule = "linear"

[model]
kind = "conditional"
hidden = 16
latent = 2
dropout = 0.0
instance_norm = false

[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0

[train]
ridge_start = false
choose_instance_norm = false
epochs = 3
steps_per_epoch = 0
batch_size = 32
learning_rate_schedule = "constant"
weight_decay = 0.0
ema_decay = 0.0
patience = 10
validation_samples = 20

[evaluate]
samples = 50
season = 4
"#;
