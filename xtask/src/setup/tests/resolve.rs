//! The order in which libtorch is looked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::surroundings::users_libtorch;
use super::super::{Build, Origin, resolve};
use super::scene::{Scene, libtorch};

/// All sources at once; one after the other is taken away, and the next in line is used.
#[test]
fn sources_are_tried_in_the_documented_order() {
    let scene = Scene::new(10);
    let folder = |name: &str| scene.dir.join(name);
    for name in ["variable", "python", "linked"] {
        libtorch(&folder(name), "2.11.0+cpu");
    }
    let link = folder("root/.libtorch");
    let mut around = scene.around();
    around.libtorch = Some(folder("variable"));
    around.use_pytorch = true;
    scene.program("python3", &format!("echo {}", folder("python").display()));
    let take = |around: &_| resolve(around, None, &|_| scene.pins.clone()).unwrap();

    let first = take(&around);
    assert_eq!((first.origin, first.folder), (Origin::Variable, folder("variable")));
    assert_eq!(fs::read_link(&link).unwrap(), folder("variable"));

    around.libtorch = None;
    let second = take(&around);
    assert_eq!((second.origin, second.folder), (Origin::Python, folder("python")));
    assert_eq!(fs::read_link(&link).unwrap(), folder("python"));

    around.use_pytorch = false;
    fs::remove_file(&link).unwrap();
    symlink(folder("linked"), &link).unwrap();
    let third = take(&around);
    assert_eq!((third.origin, third.folder), (Origin::Link, folder("linked")));

    fs::remove_dir_all(folder("linked")).unwrap(); // the link dangles
    libtorch(&folder("cache/demo"), "2.11.0+cu130");
    let fourth = take(&around);
    assert_eq!((fourth.origin, fourth.folder), (Origin::Cache, folder("cache/demo")));
    assert_eq!(fs::read_link(&link).unwrap(), folder("cache/demo"));

    fs::remove_dir_all(folder("cache")).unwrap();
    scene.pip("cp $wheel $dest");
    let fifth = take(&around);
    assert_eq!((fifth.origin, fifth.folder), (Origin::Fetched, folder("cache/demo")));
    scene.assert_installed();
}

#[test]
fn a_libtorch_that_does_not_fit_is_refused_by_name() {
    let scene = Scene::new(10);
    let other = scene.dir.join("other");
    let mut around = scene.around();
    around.libtorch = Some(other.clone());
    let refusal = |around: &_, wanted| {
        let error = resolve(around, wanted, &|_| panic!("looked further")).unwrap_err();
        format!("{error:#}")
    };
    let text = refusal(&around, None);
    assert!(text.contains("LIBTORCH=") && text.contains("no lib/libtorch_cpu.so"), "{text}");
    libtorch(&other, "2.10.0+cpu\n");
    let text = refusal(&around, None);
    assert!(text.contains("is 2.10.0+cpu, and tch needs libtorch 2.11.0"), "{text}");
    libtorch(&other, "2.11.01");
    assert!(refusal(&around, None).contains("2.11.01"));
    libtorch(&other, "2.11.0+cpu\n");
    assert!(refusal(&around, Some(Build::Cuda)).contains("--cuda was asked for"));
    fs::write(other.join("lib/libtorch_cuda.so"), "").unwrap();
    assert!(refusal(&around, Some(Build::Cpu)).contains("--cpu was asked for"));
    // An installed Python torch keeps its version elsewhere.
    fs::remove_file(other.join("build-version")).unwrap();
    assert!(refusal(&around, None).contains("unknown version"));
    fs::write(other.join("version.py"), "__version__ = '2.11.0+cu130'\ndebug = False\n").unwrap();
    let found = resolve(&around, None, &|_| panic!("looked further")).unwrap().found;
    assert_eq!((found.version.as_str(), found.cuda), ("2.11.0+cu130", true));

    around.libtorch = None;
    around.use_pytorch = true;
    scene.program("python3", "echo");
    assert!(refusal(&around, None).contains("python3 has no torch"));
}

/// A driver decides only where nothing else does.
#[test]
fn an_nvidia_driver_asks_for_the_cuda_build() {
    let scene = Scene::new(10);
    libtorch(&scene.cache().join("demo"), "2.11.0+cu130");
    let asked = |driver, wanted| {
        let mut around = scene.around();
        around.nvidia_driver = driver;
        let _ = fs::remove_file(scene.dir.join("root/.libtorch"));
        let asked = std::cell::Cell::new(None);
        let pins = |build| {
            asked.set(Some(build));
            scene.pins.clone()
        };
        let _ = resolve(&around, wanted, &pins);
        asked.get()
    };
    assert_eq!(asked(false, None), Some(Build::Cpu));
    assert_eq!(asked(true, None), Some(Build::Cuda));
    assert_eq!(asked(true, Some(Build::Cpu)), Some(Build::Cpu));
    assert_eq!(asked(false, Some(Build::Cuda)), Some(Build::Cuda));
}

#[test]
fn a_folder_of_the_users_in_place_of_the_link_stays() {
    let scene = Scene::new(10);
    let folder = scene.dir.join("root/.libtorch");
    fs::create_dir(&folder).unwrap();
    let error = scene.resolve().unwrap_err();
    assert!(format!("{error:#}").contains("move it away"), "{error:#}");
    libtorch(&folder, "2.11.0");
    assert_eq!(scene.resolve().unwrap().origin, Origin::Link);
}

/// Cargo sets `LIBTORCH` to the link in the checkout where the user has not set it.
#[test]
fn the_value_that_cargo_gives_libtorch_is_not_the_users() {
    let scene = Scene::new(10);
    let root = scene.dir.join("root");
    let users = |value: &Path| users_libtorch(&root, Some(value.as_os_str().to_owned())).unwrap();
    assert_eq!(users(&root.join(".libtorch")), None);
    assert_eq!(users(&root.join("../root/.libtorch")), None);
    assert_eq!(users(Path::new("")), None);
    assert_eq!(users_libtorch(&root, None).unwrap(), None);
    let elsewhere = scene.dir.join(".libtorch");
    assert_eq!(users(&elsewhere), Some(elsewhere.clone()));
    assert!(users_libtorch(&root, Some("libtorch".into())).is_err());
}
