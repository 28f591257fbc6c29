//! Setup is killed in the middle, and run again.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::Origin;
use super::super::found::inspect;
use super::scene::{RUNTIME, Scene, list};

/// Names the folder of the scene in which [`child`] installs.
const SCENE: &str = "XTASK_TEST_SCENE";

/// Not a test of its own: what the others start as a process, so as to kill it or to starve it.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child() {
    let Some(dir) = env::var_os(SCENE) else { return };
    if let Err(error) = Scene::at(Path::new(&dir)).resolve() {
        println!("CHILD FAILED: {error:#}");
    }
}

/// The command that installs in a process of its own.
pub(super) fn child_command(dir: &Path) -> Vec<String> {
    let program = env::current_exe().unwrap().to_str().unwrap().to_owned();
    let name = "setup::tests::interrupted::child";
    let set = format!("{SCENE}={}", dir.to_str().unwrap());
    ["env", &set, &program, "--exact", name, "--ignored", "--nocapture"].map(str::to_owned).into()
}

fn start(dir: &Path) -> Child {
    let words = child_command(dir);
    Command::new(&words[0])
        .args(&words[1..])
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(what: &str, there: impl Fn() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        sleep(Duration::from_millis(1));
    }
}

/// As on Ctrl-C, the signal goes to us and to pip. Not SIGINT itself, which is ignored by whatever
/// was started in the background, as a gate may be.
#[test]
fn stopped_while_fetching_leaves_nothing_and_the_next_run_goes_on() {
    let scene = Scene::new(100_000);
    scene.pip(
        "if [ $name = demo_rt ]; then cp $wheel $dest; exit; fi\n\
         head -c 50 $wheel > $dest/half; exec sleep 60",
    );
    let mut child = start(&scene.dir);
    let half = scene.cache().join("unfinished/fetch-1/half");
    wait_for("half a wheel", || half.exists());
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    assert!(!child.wait().unwrap().success());
    assert!(!scene.cache().join("demo").exists());
    assert!(!scene.dir.join("root/.libtorch").is_symlink());
    assert_eq!(list(&scene.cache().join("wheels")), [RUNTIME]);
    scene.pip("cp $wheel $dest");
    assert_eq!(scene.resolve().unwrap().origin, Origin::Fetched);
    scene.assert_installed();
    assert_eq!(scene.calls(), ["demo_rt", "demo_core", "demo_core"]);
}

/// Only we are killed: pip writes on, and the next run waits until it has stopped.
#[test]
fn a_pip_that_outlives_us_keeps_the_lock() {
    let scene = Scene::new(100_000);
    let (going, done) = (scene.dir.join("going"), scene.dir.join("done"));
    scene.pip(&format!("touch {}; sleep 1; touch {}", going.display(), done.display()));
    let mut child = start(&scene.dir);
    wait_for("pip", || going.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!done.exists(), "too slow a machine for this test");
    scene.pip(&format!("[ -e {} ] || exit 3; cp $wheel $dest", done.display()));
    scene.resolve().unwrap();
    scene.assert_installed();
}

/// At whatever moment it is killed, libtorch is there as a whole or not at all.
#[test]
fn killed_while_unpacking_leaves_all_or_nothing() {
    let scene = Scene::new(30_000_000);
    scene.pip("cp $wheel $dest");
    let home = scene.cache().join("demo");
    let unpacking = scene.cache().join("unfinished/demo/lib/libtorch_cpu.so");
    let mut killed_in_time = 0;
    for delay in [0, 15, 60] {
        let mut child = start(&scene.dir);
        wait_for("unpacking", || unpacking.exists() || home.exists());
        sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        if home.exists() {
            inspect(&home, None).unwrap();
            assert_eq!(fs::metadata(home.join("lib/libtorch_cpu.so")).unwrap().len(), 30_000_000);
            assert!(
                home.join("build-version").exists() && home.join("lib/libcudart.so.13").exists()
            );
            fs::remove_dir_all(&home).unwrap();
        } else {
            killed_in_time += 1;
        }
    }
    assert!(killed_in_time > 0, "no run was killed while it unpacked");
    scene.resolve().unwrap();
    scene.assert_installed();
}
