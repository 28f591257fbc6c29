//! `cargo xtask experiment`, with a stand-in for cargo.

use std::fs;
use std::process::Command;

use tempfile::tempdir;

#[test]
fn everything_is_passed_on_to_the_laboratory() {
    let dir = tempdir().unwrap();
    let (checkout, elsewhere) = (dir.path().join("checkout"), dir.path().join("elsewhere"));
    fs::create_dir_all(checkout.join("xtask")).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    // Through a child: a file that this process has open for writing cannot be executed ("text file busy").
    let script = "printf '#!/bin/sh\\npwd\\nprintf \"%%s\\\\n\" \"$@\" \"$BALLAST_XTASK\"\\nexit 7\\n' > cargo && chmod +x cargo";
    let made = Command::new("sh").args(["-c", script]).current_dir(dir.path()).status().unwrap();
    assert!(made.success());
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["experiment", "trial", "--help", "--only", "a b"])
        .current_dir(&elsewhere)
        .env("CARGO", dir.path().join("cargo"))
        .env("CARGO_MANIFEST_DIR", checkout.join("xtask"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let manifest = checkout.join("Cargo.toml").display().to_string();
    let expected = [
        &elsewhere.display().to_string(),
        "run",
        "--quiet",
        "--package",
        "lab",
        "--manifest-path",
        &manifest,
        "--",
        "trial",
        "--help",
        "--only",
        "a b",
        env!("CARGO_BIN_EXE_xtask"),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    assert_eq!(output.status.code(), Some(7), "the exit code is that of the laboratory");
}
