//! A disk that is too small, or runs out in the middle.

use std::fs;
use std::process::{Command, Output};

use super::interrupted::child_command;
use super::scene::Scene;

/// Runs the installation of a scene whose cache is a file system of `kilobytes`, and lists in the
/// end what is in it. `None`, said loudly, where the system does not let us mount one.
fn install_on_small_disk(scene: &Scene, kilobytes: u32) -> Option<String> {
    let cache = scene.cache();
    fs::create_dir(&cache).unwrap();
    let script = "mount -t tmpfs -o size=$1k none $2 || exit 99; cd $2; shift 2; \"$@\"; \
                  echo ---; find . ! -name .";
    let Output { status, stdout, stderr } = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(kilobytes.to_string())
        .arg(&cache)
        .args(child_command(&scene.dir))
        .output()
        .ok()?;
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if !status.success() {
        eprintln!("SKIPPED: no small file system can be mounted here: {said}");
        return None;
    }
    assert!(!scene.dir.join("root/.libtorch").is_symlink());
    Some(said)
}

fn assert_explained(said: &str) {
    let line = said.lines().find(|line| line.contains("CHILD FAILED")).unwrap_or_default();
    for part in ["the disk is full", "/cache", "needs", "are free", "BALLAST_CACHE"] {
        assert!(line.contains(part), "no `{part}` in: {said}");
    }
}

fn left(said: &str) -> Vec<&str> {
    let files = said.split_once("---\n").unwrap().1;
    files.lines().take_while(|line| line.starts_with("./")).collect()
}

#[test]
fn a_disk_known_to_be_too_small_is_not_even_tried() {
    let scene = Scene::new(1_000);
    scene.pip("echo called > $dest/called; cp $wheel $dest");
    // The true list of libtorch asks for hundreds of megabytes.
    fs::write(scene.dir.join("installed_bytes"), "500000000").unwrap();
    let Some(said) = install_on_small_disk(&scene, 300) else { return };
    assert_explained(&said);
    assert!(said.contains("needs 500 MB and 0 MB are free"), "{said}");
    assert_eq!(left(&said), ["./wheels"]);
    assert!(scene.calls().is_empty());
}

#[test]
fn a_disk_that_runs_out_while_fetching_leaves_finished_wheels() {
    let scene = Scene::new(10);
    scene.pip(
        "if [ $name = demo_rt ]; then cp $wheel $dest; exit; fi\n\
         head -c 900000 /dev/zero > $dest/half || exit 1; cp $wheel $dest",
    );
    let Some(said) = install_on_small_disk(&scene, 300) else { return };
    assert_explained(&said);
    assert_eq!(left(&said), ["./wheels", &format!("./wheels/{}", super::scene::RUNTIME)]);
}

#[test]
fn a_disk_that_runs_out_while_unpacking_leaves_finished_wheels() {
    let scene = Scene::new(2_000_000); // all one byte: the wheel is small, its content is not
    scene.pip("cp $wheel $dest");
    let Some(said) = install_on_small_disk(&scene, 1_000) else { return };
    assert_explained(&said);
    let left = left(&said);
    assert!(left.len() == 3 && left.iter().all(|file| file.starts_with("./wheels")), "{left:?}");
}
