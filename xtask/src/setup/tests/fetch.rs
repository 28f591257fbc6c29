//! Fetching and unpacking: what can go wrong ends in a message, and with nothing half installed.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;

use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::pins::{Keep, Pins};
use super::super::{Build, Origin};
use super::interrupted::child_command;
use super::scene::{CORE, RUNTIME, Scene, list, wheel};

/// With the machine's own pip: our options are ones that it takes.
#[test]
fn installs_with_the_users_pip() {
    let scene = Scene::new(3_000_000);
    if !scene.real_pip() {
        return;
    }
    assert_eq!(scene.resolve().unwrap().origin, Origin::Fetched);
    scene.assert_installed();
    assert_eq!(scene.resolve().unwrap().origin, Origin::Link);
}

/// Modules of the current folder, which `python3 -m pip` without `-I` would import.
#[test]
fn a_pip_of_the_current_folder_is_not_imported() {
    let scene = Scene::new(10);
    if !scene.real_pip() {
        return;
    }
    let here = scene.dir.join("here");
    fs::create_dir(&here).unwrap();
    for module in ["pip.py", "runpy.py", "venv.py"] {
        fs::write(here.join(module), "open('imported', 'w'); raise SystemExit(9)").unwrap();
    }
    let words = child_command(&scene.dir);
    let output = Command::new(&words[0]).args(&words[1..]).current_dir(&here).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("CHILD FAILED"), "{said}");
    assert!(!here.join("imported").exists(), "a module of the current folder was run");
    scene.assert_installed();
}

#[test]
fn the_users_pip_refuses_a_tampered_wheel() {
    let scene = Scene::new(10);
    if !scene.real_pip() {
        return;
    }
    wheel(&scene.dir.join("index").join(CORE), &[("torch/lib/libtorch_cpu.so", b"evil")]);
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains("demo-core==1.0") && error.contains("HASHES"), "{error}");
    scene.assert_nothing_installed();
}

/// A pip that checks nothing: we do.
#[test]
fn a_tampered_wheel_is_deleted_and_named() {
    let scene = Scene::new(10);
    wheel(&scene.dir.join("index").join(RUNTIME), &[("nvidia/cu13/lib/libcudart.so.13", b"evil")]);
    scene.pip("cp $wheel $dest");
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains(RUNTIME) && error.contains("deleted"), "{error}");
    scene.assert_nothing_installed();
    assert!(!list(&scene.cache().join("wheels")).contains(&RUNTIME.to_owned()));
}

/// One that was intact when it came, and is not now, is fetched again.
#[test]
fn a_kept_wheel_is_checked_before_it_is_used() {
    let scene = Scene::new(10);
    let wheels = scene.cache().join("wheels");
    fs::create_dir_all(&wheels).unwrap();
    let mut content = fs::read(scene.dir.join("index").join(CORE)).unwrap();
    content[40] ^= 1; // same length
    fs::write(wheels.join(CORE), content).unwrap();
    fs::copy(scene.dir.join("index").join(RUNTIME), wheels.join(RUNTIME)).unwrap();
    scene.pip("cp $wheel $dest");
    scene.resolve().unwrap();
    scene.assert_installed();
    assert_eq!(scene.calls(), ["demo_core"]);
}

#[test]
fn a_failed_fetch_is_taken_up_where_it_stopped() {
    let scene = Scene::new(100_000);
    // The small wheel comes first, and the network breaks half-way through the large one.
    scene.pip(
        "if [ $name = demo_rt ]; then cp $wheel $dest; exit; fi\n\
         head -c 50 $wheel > $dest/half; echo 'ERROR: connection broken' >&2; exit 1",
    );
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains("demo-core==1.0") && error.contains("connection broken"), "{error}");
    assert!(error.contains("run the command again"), "{error}");
    scene.assert_nothing_installed();
    assert_eq!(list(&scene.cache().join("wheels")), [RUNTIME]);
    scene.pip("cp $wheel $dest");
    scene.resolve().unwrap();
    scene.assert_installed();
    assert_eq!(scene.calls(), ["demo_rt", "demo_core", "demo_core"]);
}

#[test]
fn without_pip_there_are_two_ways_out() {
    let scene = Scene::new(10);
    for program in ["python3", "python"] {
        scene.program(program, "echo 'No module named pip' >&2; exit 1");
    }
    scene.program("pip", "echo 'pip 20.3 from /usr/lib (python 2.7)'"); // too old to be of use
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains("python3-pip") && error.contains("LIBTORCH"), "{error}");
    scene.assert_nothing_installed();
}

#[test]
fn uv_stands_in_for_pip() {
    let scene = Scene::new(10);
    scene.pip("cp $wheel $dest");
    let python = scene.dir.join("bin/python3");
    let script = fs::read_to_string(&python).unwrap();
    fs::remove_file(python).unwrap();
    scene.program("uv", &format!("[ \"$1 $2 $3\" = 'tool run pip' ] || exit 2\n{script}"));
    scene.resolve().unwrap();
    scene.assert_installed();
}

/// Entries that would land elsewhere: their wheel is refused, and nothing of it is written.
#[test]
fn an_entry_that_leaves_its_folder_is_refused() {
    for name in ["../evil", "torch/lib/../../../evil", "/evil", "torch\\..\\evil"] {
        let scene = Scene::new(10);
        let index = scene.dir.join("index").join(CORE);
        wheel(&index, &[("torch/lib/libtorch_cpu.so", b"x"), (name, b"evil")]);
        assert_refused(&scene, name);
    }
    let scene = Scene::new(10);
    let mut zip = ZipWriter::new(File::create(scene.dir.join("index").join(CORE)).unwrap());
    zip.add_symlink("torch/lib/link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    assert_refused(&scene, "torch/lib/link");
}

fn assert_refused(scene: &Scene, name: &str) {
    let mut scene = Scene { _owner: None, ..Scene::at(&scene.dir) };
    scene.pins.wheels[0].keep = Keep::All;
    scene.pip("cp $wheel $dest");
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains(&format!("`{name}`")) && error.contains("not unpacked"), "{error}");
    scene.assert_nothing_installed();
    assert!(!scene.dir.join("evil").exists() && !Path::new("/evil").exists());
}

#[test]
fn a_wheel_that_is_no_zip_installs_nothing() {
    let scene = Scene::new(10);
    fs::write(scene.dir.join("index").join(CORE), "not a zip").unwrap();
    let scene = Scene { _owner: None, ..Scene::at(&scene.dir) };
    scene.pip("cp $wheel $dest");
    let error = format!("{:#}", scene.resolve().unwrap_err());
    assert!(error.contains("is no zip"), "{error}");
    scene.assert_nothing_installed();
}

#[test]
fn two_setups_at_once_fetch_once() {
    let scene = Scene::new(100_000);
    scene.pip("sleep 0.3; cp $wheel $dest");
    thread::scope(|threads| {
        let runs = [threads.spawn(|| scene.resolve()), threads.spawn(|| scene.resolve())];
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    scene.assert_installed();
    assert_eq!(scene.calls().len(), 2); // one for each wheel
}

/// The hashes and sizes were taken from the wheels; this guards against slips in the table.
#[test]
fn pins_are_well_formed() {
    for (build, count) in [(Build::Cpu, 3), (Build::Cuda, 18)] {
        let pins = Pins::of(build);
        assert_eq!(pins.wheels.len(), count);
        for wheel in &pins.wheels {
            let hexadecimal = wheel.sha256.bytes().all(|digit| digit.is_ascii_hexdigit());
            assert!(wheel.sha256.len() == 2 * Sha256::output_size() && hexadecimal);
            assert!(
                wheel.platform().starts_with("manylinux") && wheel.file.ends_with("x86_64.whl")
            );
            assert!(wheel.requirement().split_once("==").is_some_and(|(_, v)| !v.is_empty()));
        }
    }
    let torch = &Pins::of(Build::Cpu).wheels[0];
    assert_eq!(torch.requirement(), "torch==2.11.0");
    assert_eq!(torch.destination("torch/lib/libc10.so").as_deref(), Some("lib/libc10.so"));
    assert_eq!(torch.destination("torch/lib/libc10_cuda.so"), None);
    assert_eq!(torch.destination("torch/include/a/b.h").as_deref(), Some("include/a/b.h"));
    assert_eq!(torch.destination("torch/lib/libtorch.so"), None);
}
