//! The real binary, as a user starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use tempfile::{TempDir, tempdir};

/// A checkout that `cargo xtask` could have been started from.
struct Checkout {
    dir: TempDir,
}

impl Checkout {
    fn new() -> Checkout {
        let dir = tempdir().unwrap();
        fs::create_dir_all(dir.path().join("xtask")).unwrap();
        Checkout { dir }
    }

    fn xtask(&self, args: &[&str], libtorch: &Path) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .env_remove("LIBTORCH_USE_PYTORCH")
            .env("CARGO_MANIFEST_DIR", self.dir.path().join("xtask"))
            .env("BALLAST_CACHE", self.dir.path().join("cache"))
            .env("PATH", self.dir.path().join("bin"))
            .env("LIBTORCH", libtorch)
            .output()
            .unwrap()
    }

    /// The value that cargo sets if the user has set none.
    fn default_libtorch(&self) -> PathBuf {
        self.dir.path().join(".libtorch")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_pip_the_message_names_two_ways_out() {
    let checkout = Checkout::new();
    let output = checkout.xtask(&["setup", "--cpu"], &checkout.default_libtorch());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.trim_end().lines().count() == 1, "{said}");
    assert!(said.contains("python3-pip") && said.contains("set LIBTORCH"), "{said}");
    assert!(!checkout.default_libtorch().is_symlink());
}

#[test]
fn a_wrong_libtorch_is_named() {
    let checkout = Checkout::new();
    let output = checkout.xtask(&["setup"], Path::new("/nonexistent"));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("LIBTORCH=/nonexistent is of no use"), "{said}");
}

/// With nothing to do: one line, in no time; the path alone on standard output.
#[test]
fn with_nothing_to_do_it_says_so_at_once() {
    let checkout = Checkout::new();
    let libtorch = checkout.dir.path().canonicalize().unwrap().join("mine");
    fs::create_dir_all(libtorch.join("lib")).unwrap();
    fs::create_dir_all(libtorch.join("include/torch")).unwrap();
    fs::write(libtorch.join("lib/libtorch_cpu.so"), "").unwrap();
    fs::write(libtorch.join("build-version"), "2.11.0+cpu\n").unwrap();
    let first = checkout.xtask(&["setup"], &libtorch);
    assert!(text(&first.stderr).contains("for CPU, from LIBTORCH"), "{}", text(&first.stderr));

    let started = Instant::now();
    let second = checkout.xtask(&["setup", "--print-path"], &checkout.default_libtorch());
    let seconds = started.elapsed().as_secs_f64();
    let said = text(&second.stderr);
    assert!(said.contains("linked before") && said.trim_end().lines().count() == 1, "{said}");
    assert_eq!(text(&second.stdout), format!("{}\n", libtorch.display()));
    assert!(seconds < 0.2, "took {seconds} s");
}

/// `cargo build` without libtorch: our message, and not that of a C++ compiler.
#[test]
fn a_build_without_libtorch_names_the_way_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = tempdir().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--package", "libtorch"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target.path())
        .env("LIBTORCH", "/nonexistent")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("no libtorch at /nonexistent; run `cargo xtask setup`"), "{said}");
}
