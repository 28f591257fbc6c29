//! An installation, damaged after it was recorded.

use std::fs;
use std::process::Command;

use super::super::verify::{RECORD, record, verify};
use super::scene::Scene;

/// An installation is verified, then damaged in one way after the other.
#[test]
fn what_was_changed_since_the_installation_is_named() {
    let scene = Scene::new(1000);
    scene.pip("cp $wheel $dest");
    let home = scene.resolve().unwrap().folder;
    assert_eq!(verify(&home).unwrap(), 5);
    let (library, header) = (home.join("lib/libtorch_cpu.so"), home.join("include/torch/torch.h"));
    let intact = fs::read(&library).unwrap();
    let mut damaged = intact.clone();
    damaged[500] ^= 1;
    let fault = || format!("{:#}", verify(&home).unwrap_err());

    fs::write(&library, &damaged).unwrap();
    let said = fault();
    assert!(said.contains("lib/libtorch_cpu.so was changed") && said.contains("setup"), "{said}");
    fs::write(&library, &intact).unwrap();
    assert_eq!(verify(&home).unwrap(), 5);

    fs::rename(&header, home.join("include/torch/other.h")).unwrap();
    let said = fault();
    assert!(said.contains("include/torch/torch.h is missing"), "{said}");
    assert!(said.contains("include/torch/other.h was added"), "{said}");
    fs::write(home.join(RECORD), "").unwrap();
    assert!(fault().contains("is empty"));
    fs::remove_file(home.join(RECORD)).unwrap();
    assert!(fault().contains("has no record of its files"));
}

/// Oracle: the program of the system.
#[test]
fn the_record_is_one_that_sha256sum_reads() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lib")).unwrap();
    fs::write(folder.path().join("lib/a.so"), "a").unwrap();
    record(folder.path()).unwrap();
    let mut check = Command::new("sha256sum");
    match check.args(["--check", RECORD]).current_dir(folder.path()).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => eprintln!("SKIPPED: there is no sha256sum to check with: {error}"),
    }
    assert_eq!(verify(&folder.path().join("lib")).unwrap(), 1, "found from a folder in it");
}
