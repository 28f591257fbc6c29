//! The same on a real Slurm.

use std::process::Command;
use std::thread;
use std::time::Duration;

use super::scene::{Said, Scene};

/// Whether there is a controller that answers; says so loudly where there is none.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn there_is_slurm() -> bool {
    let ping = Command::new("scontrol").arg("ping").output();
    let up = ping.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("UP"));
    if !up {
        eprintln!(
            "SKIPPED on a real Slurm: `scontrol ping` finds no controller that is up; job arrays are \
             tested with stand-ins for sbatch, squeue and scontrol only"
        );
    }
    up
}

/// One array: two that succeed, one that fails, and one that is cancelled as soon as it trains.
#[test]
fn a_real_slurm_runs_fails_cancels_and_goes_on() {
    if !there_is_slurm() {
        return;
    }
    let scene = Scene::real();
    scene.write("prepared/x0/seed-1/exit", "");
    scene.write("prepared/x0/seed-2/stop", "");
    let args = ["--jobs", "2", "--time-limit", "5", "--no-wait"];
    let said = scene.slurm("trial", &args).succeeded();
    let (_, rest) = said.out.split_once("cancel: scancel ").expect("how to cancel");
    let array = rest.lines().next().unwrap();
    let started = "runs/trial/x0/seed-2/started-train";
    for _ in 0..600 {
        if scene.exists(started) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(scene.exists(started), "the last task does not start");
    assert!(Command::new("scancel").arg(format!("{array}_3")).status().unwrap().success());
    // 2 s are what Slurm needs to let go of a task; a look every half second waits for 3.
    let said =
        Said::of(scene.experiment("trial", &["--launcher", "slurm", "--poll", "0.5"])).failed();
    assert!(said.err.contains("2 of 4 runs failed"), "{}", said.err);
    assert!(said.err.contains("`ballast train` ended with exit code 65"), "{}", said.err);
    assert!(said.err.contains("has ended (CANCELLED) without a result"), "{}", said.err);
    assert_eq!(scene.calls(), 2 + 2 + 1 + 1);
    scene.remove("prepared/x0/seed-1/exit");
    Said::of(scene.experiment("trial", &["--launcher", "slurm", "--poll", "0.5"])).succeeded();
    assert_eq!(scene.calls(), 2 + 2, "only what had not finished");
    assert!(scene.exists("runs/trial/x0/seed-2/half"), "the cancelled one goes on where it was");
}

/// A limit of one minute, the signal half a minute before it, and the two minutes that Slurm lets pass before
/// a task that was put back starts again; what needs that task waits all the while.
#[test]
#[ignore = "slow: waits three to five minutes for Slurm's clock"]
fn a_real_time_limit_saves_and_goes_on() {
    if !there_is_slurm() {
        return;
    }
    let scene = Scene::real();
    scene.write("prepared/weather/seed-1/stop", "");
    let args = ["--launcher", "slurm", "--poll", "0.5", "--jobs", "2", "--time-limit", "1"];
    Said::of(scene.experiment("benchmarks", &args)).succeeded();
    let log = scene.read("runs/benchmarks/slurm/1/job-1-0.log");
    assert!(log.contains("its state is saved; back into the queue"), "{log}");
    assert!(scene.exists("runs/benchmarks/weather/seed-1/half"));
    let calls = scene.read("calls");
    let place = |what: &str| calls.rfind(what).unwrap();
    let trained = place("--run runs/benchmarks/weather/seed-1");
    assert!(trained < place("evaluate runs/benchmarks/weather/seed-1"), "{calls}");
    assert_eq!(scene.calls(), 4 + 1 + 2, "{calls}");
}
