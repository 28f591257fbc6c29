//! A package outside the workspace uses our crates, as ARCHITECTURE.md tells its author.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::tempdir;

const PROGRAM: &str = r#"
use noise::tch::{Device, Kind, Tensor};
use noise::{Diffuser, Normalization, Reinjection, Schedule};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schedule = Schedule::linear(100, 1e-4, 0.1)?;
    let process = Reinjection::new(schedule, 1.0, Normalization::Variance)?;
    let diffuser = Diffuser::new(&process, Device::Cpu, Kind::Float)?;
    let clean = Tensor::randn([8, 24, 3], (Kind::Float, Device::Cpu));
    let steps = Tensor::full([8], 50, (Kind::Int64, Device::Cpu));
    let noised = diffuser.apply_drawn(&clean, &steps)?;
    println!("{:?} {}", noised.size(), !noised.equal(&clean));
    Ok(())
}
"#;
const PRINTS: &str = "[8, 24, 3] true\n";

/// The workspace's target folder.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// `command` in `folder`, as from a shell: nothing of the running test is in its environment but LIBTORCH.
fn start(command: &mut Command, folder: &Path) -> Output {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_INCREMENTAL" {
            command.env_remove(&*name);
        }
    }
    command.env("CARGO_TARGET_DIR", target()).env_remove("LD_LIBRARY_PATH");
    command.current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn said(output: &Output) -> String {
    text(&output.stderr)
}

/// `cargo new`, `cargo xtask adopt`, `cargo run`, with two concessions to time: the versions and profiles of the
/// workspace and its target folder, so that torch-sys is not compiled again.
#[test]
fn a_package_outside_the_workspace_runs() {
    let scratch = tempdir().unwrap();
    let mine = scratch.path().join("mine");
    let cargo = || Command::new(env!("CARGO"));
    let xtask = env!("CARGO_BIN_EXE_xtask");

    let output = start(cargo().args(["new", "--quiet", "--offline", "mine"]), scratch.path());
    assert!(output.status.success(), "{}", said(&output));
    let adopt = || {
        let output = start(Command::new(xtask).args(["adopt"]).arg(&mine).arg("noise"), root());
        assert!(output.status.success(), "{}", said(&output));
        ["Cargo.toml", "build.rs", ".cargo/config.toml"]
            .map(|name| fs::read_to_string(mine.join(name)).unwrap())
    };
    let [manifest, script, config] = adopt();
    assert_eq!(
        adopt(),
        [manifest.clone(), script, config.clone()],
        "a second time changes nothing"
    );
    let link = root().join(".libtorch");
    assert!(config.contains(&format!("[env]\nLIBTORCH = \"{}\"", link.display())), "{config}");
    fs::write(mine.join("src/main.rs"), PROGRAM).unwrap();

    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profiles = &workspace[workspace.find("[profile.dev]").unwrap()..];
    fs::write(mine.join("Cargo.toml"), format!("{manifest}\n{profiles}")).unwrap();
    fs::copy(root().join("Cargo.lock"), mine.join("Cargo.lock")).unwrap();
    let mut run = cargo();
    let output = start(run.args(["run", "--offline", "--verbose"]), &mine);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(text(&output.stdout), PRINTS);
    assert!(said(&output).contains("Fresh torch-sys"), "it was compiled again: {}", said(&output));

    // The program alone finds libtorch too.
    let output = start(&mut Command::new(target().join("debug/mine")), scratch.path());
    assert_eq!(text(&output.stdout), PRINTS, "{}", said(&output));
}

#[test]
fn what_is_there_already_is_not_overwritten() {
    let scratch = tempdir().unwrap();
    let folder = scratch.path();
    let adopt = |name: &str| {
        let output = start(
            Command::new(env!("CARGO_BIN_EXE_xtask")).arg("adopt").arg(folder).arg(name),
            root(),
        );
        assert_eq!(output.status.code(), Some(1));
        said(&output)
    };
    assert!(adopt("noise").contains("make one with `cargo new`"));
    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"mine\"\nedition = \"2024\"\n")
        .unwrap();
    assert!(adopt("nosie").contains("`nosie` is not a crate of this workspace"));
    fs::write(folder.join("build.rs"), "fn main() {}").unwrap();
    assert!(adopt("noise").contains("call `libtorch::link()?` in it"));
    assert_eq!(fs::read_to_string(folder.join("build.rs")).unwrap(), "fn main() {}");
    fs::remove_file(folder.join("build.rs")).unwrap();
    fs::create_dir(folder.join(".cargo")).unwrap();
    fs::write(folder.join(".cargo/config.toml"), "[env]\nA = \"1\"\n").unwrap();
    assert!(adopt("noise").contains("add `LIBTORCH = \"/"));
    assert_eq!(
        fs::read_to_string(folder.join(".cargo/config.toml")).unwrap(),
        "[env]\nA = \"1\"\n"
    );
}
