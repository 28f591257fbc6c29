//! `cargo xtask experiment … --launcher slurm`, with the real binary: on stand-ins for Slurm's commands, and on
//! the Slurm of this machine where there is one.

#[path = "../src/tests/prepared.rs"]
mod prepared;
#[path = "slurm/real.rs"]
mod real;
#[path = "slurm/scene.rs"]
mod scene;

use std::fs;

use scene::{PLAN, Said, Scene};

#[test]
fn a_job_array_leaves_what_a_local_run_leaves() {
    let (local, slurm) = (Scene::new(), Scene::new());
    Said::of(local.experiment("trial", &[])).succeeded();
    let said = slurm.slurm("trial", &["--jobs", "3"]).succeeded();
    assert!(said.out.contains("submitted to Slurm: array 41 (4 tasks)"), "{}", said.out);
    assert!(said.out.contains("squeue --jobs=41") && said.out.contains("scancel 41"));
    assert_eq!((slurm.calls(), slurm.submissions()), (8, 1));
    for file in ["table.csv", "none/seed-1/evaluation.json", "x0/seed-2/log.txt"] {
        let path = format!("runs/trial/{file}");
        assert_eq!(local.read(&path), slurm.read(&path), "{file}");
    }
    // The executable lies elsewhere, but it is the same.
    let mark = "runs/trial/x0/seed-1/fingerprint.json";
    assert_eq!(local.read(mark), slurm.read(mark));
    let script = slurm.read("runs/trial/slurm/1/job-1.sh");
    assert!(script.contains("#SBATCH --array=0-3%3\n"), "{script}");
    // Each is the other's, and finished.
    slurm.slurm("trial", &[]).succeeded();
    Said::of(slurm.experiment("trial", &[])).succeeded();
    assert_eq!((slurm.calls(), slurm.submissions()), (0, 0));
}

#[test]
fn a_failed_task_is_listed_and_tried_again_by_the_next_call() {
    let scene = Scene::new();
    scene.write("prepared/x0/seed-2/exit", "");
    let said = scene.slurm("trial", &[]).failed();
    assert!(said.err.contains("1 of 4 runs failed"), "{}", said.err);
    let results = scene.results();
    let failed =
        results["runs"].as_array().unwrap().iter().find(|r| r["status"] == "failed").unwrap();
    assert_eq!(failed["directory"], "runs/trial/x0/seed-2");
    assert_eq!(failed["failure"]["reason"], "`ballast train` ended with exit code 65: bad data");
    let last = failed["failure"]["tail"].as_array().unwrap().last().unwrap();
    assert_eq!(last, "error: mine.csv:3:1: not a number");
    scene.calls();
    scene.remove("prepared/x0/seed-2/exit");
    scene.slurm("trial", &[]).succeeded();
    assert_eq!(scene.calls(), 2, "only the one that had failed");
    assert_eq!(scene.results()["rows"][1]["finished"], 2);
}

#[test]
fn a_training_goes_on_after_its_time_limit() {
    let scene = Scene::new();
    scene.write("prepared/none/seed-1/stop", "");
    scene.slurm("trial", &["--time-limit", "30"]).succeeded();
    let calls = scene.read("calls");
    let trained = calls.lines().filter(|l| l.starts_with("train") && l.contains("/none/seed-1"));
    assert_eq!(trained.count(), 2, "{calls}");
    assert!(scene.exists("runs/trial/none/seed-1/half"), "it went on in the same folder");
    let log = scene.read("runs/trial/slurm/1/job-1-0.log");
    let line = "`ballast train` ended with exit code 75: stopped early, its state is saved; back into \
                the queue";
    assert!(log.contains(line), "{log}");
    let cost = scene.read("runs/trial/none/seed-1/cost.json");
    assert!(cost.contains("\"begun\": 2") && cost.contains("\"ended\": 2"), "{cost}");
}

#[test]
fn an_evaluation_that_is_longer_than_the_limit_fails_instead_of_starting_forever() {
    let scene = Scene::new();
    scene.write("prepared/none/seed-1/long", "");
    let said = scene.slurm("trial", &[]).failed();
    let reason = "needs longer than --time-limit allows and cannot save its state";
    assert!(said.err.contains(reason), "{}", said.err);
    let calls = scene.read("calls");
    assert_eq!(calls.lines().filter(|l| *l == "evaluate runs/trial/none/seed-1").count(), 2);
}

/// Slurm signals what is cancelled as well; put back into the queue it would come to life again.
#[test]
fn a_cancelled_task_stays_cancelled() {
    let scene = Scene::new();
    scene.write("prepared/x0/seed-2/stop", ""); // the last task, whose state then remains
    scene.write("bin/cancel", "");
    let said = scene.slurm("trial", &[]).failed();
    assert!(said.err.contains("task 41_3 of Slurm has ended (CANCELLED) without a result"));
    let log = scene.read("runs/trial/slurm/1/job-1-3.log");
    assert!(log.contains("not put back into the queue, since Slurm calls the task COMPLETING"));
    scene.remove("bin/cancel");
    scene.slurm("trial", &[]).succeeded();
    assert!(scene.exists("runs/trial/x0/seed-2/half"), "the next call goes on where it was");
}

#[test]
fn a_call_that_does_not_wait_is_collected_by_a_later_one() {
    let scene = Scene::new();
    scene.write("bin/lazy", "");
    for again in [false, true] {
        let said = scene.slurm("trial", &["--no-wait"]).succeeded();
        assert!(
            said.out.contains("4 of 4 runs are in Slurm's queue, 0 have ended"),
            "{}",
            said.out
        );
        assert_eq!(scene.submissions(), usize::from(!again), "submitted once");
        assert!(!scene.exists("runs/trial/results.json"));
    }
    let local = Said::of(scene.experiment("trial", &[])).failed();
    assert!(local.err.contains("has tasks in Slurm's queue"), "{}", local.err);
    let fresh = scene.slurm("trial", &["--fresh"]).failed();
    assert!(fresh.err.contains("is being made by task 41_0 of Slurm, by an earlier call"));
    // A new arm, and one of another content.
    scene.write("configs/experiments/trial.toml", &PLAN.replace("1.0", "2.0"));
    let other = scene.slurm("trial", &["--no-wait"]).failed();
    assert!(other.err.contains("from another config or code; first scancel 41_1"), "{}", other.err);
    let new = format!("{PLAN}\n[[arm]]\nname = \"none2\"\nlabel = \"new\"\nset = {{ a = 1 }}\n");
    scene.write("configs/experiments/trial.toml", &new);
    scene.slurm("trial", &["--no-wait"]).succeeded();
    let script = scene.read("runs/trial/slurm/2/job-1.sh");
    assert!(script.contains("--array=0-1%1"), "only what is missing: {script}");
    scene.submissions();
    // Time passes: the first array runs, the second is lost.
    scene.remove("bin/lazy");
    scene.remove("bin/queue");
    for task in 0..4 {
        Said::of(scene.task(task)).succeeded();
    }
    let said = scene.slurm("trial", &["--no-wait"]).failed();
    assert_eq!(scene.submissions(), 0, "the end of what was submitted is reported first");
    assert!(said.err.contains("2 of 6 runs failed"), "{}", said.err);
    assert!(said.err.contains("is this folder shared with the nodes?"), "{}", said.err);
    assert!(scene.exists("runs/trial/slurm/1/collected"));
}

#[test]
fn what_needs_others_waits_for_them_and_long_arrays_are_cut() {
    let scene = Scene::new();
    let args = ["--launcher", "slurm", "--poll", "0.05", "--slurm-option", "partition=cpu"];
    let mut command = scene.experiment("benchmarks", &args);
    command.env("FAKE_ARRAY", "3");
    let said = Said::of(command).succeeded();
    // 2 seeds of the config and 2 of the default, then an evaluation of each.
    let submitted = scene.read("bin/submitted");
    let expected = "--parsable runs/benchmarks/slurm/1/job-1.sh
--parsable --dependency=afterany:41 runs/benchmarks/slurm/1/job-2.sh
--parsable --dependency=afterany:41:42 runs/benchmarks/slurm/1/job-3.sh
";
    assert_eq!(submitted, expected, "{}", said.err);
    assert!(said.out.contains("array 43 (2 tasks, after 41, 42)"), "{}", said.out);
    for number in 1..=3 {
        let script = scene.read(&format!("runs/benchmarks/slurm/1/job-{number}.sh"));
        assert!(script.contains("#SBATCH --partition=cpu\n") && !script.contains("gpus"));
        let first = 2 * (number - 1);
        assert!(script.contains(&format!("--index $(({first} + SLURM_ARRAY_TASK_ID))")));
    }
}

#[test]
fn a_later_array_that_is_refused_is_submitted_by_the_next_call() {
    let scene = Scene::new();
    scene.write("bin/refuse", "job-2.sh");
    let said = scene.slurm("benchmarks", &[]).failed();
    assert!(said.err.contains("left in the queue: 41): sbatch refused"), "{}", said.err);
    scene.remove("bin/refuse");
    scene.calls();
    scene.slurm("benchmarks", &[]).succeeded();
    assert_eq!(scene.calls(), 2, "the evaluations");
}

#[test]
fn what_needs_a_failed_run_fails() {
    let scene = Scene::new();
    scene.write("prepared/weather/seed-2/exit", "");
    scene.slurm("benchmarks", &[]).failed();
    let results = scene.read("runs/benchmarks/results.json");
    assert!(results.contains("evaluation-2: 1 of the runs it needs failed"), "{results}");
}

#[test]
fn a_gpu_is_asked_for_where_the_plan_wants_one() {
    let scene = Scene::new();
    scene.write(
        "configs/experiments/trial.toml",
        &PLAN.replace("seeds", "device = \"cuda\"\nseeds"),
    );
    scene.slurm("trial", &[]).succeeded();
    assert!(scene.read("runs/trial/slurm/1/job-1.sh").contains("#SBATCH --gpus-per-task=1\n"));
}

#[test]
fn a_change_while_tasks_wait_is_noticed() {
    for (path, text) in [("ballast", "# another build\n"), ("configs/base.toml", "seed = 3\n")] {
        let scene = Scene::new();
        scene.write("bin/lazy", "");
        scene.slurm("trial", &["--no-wait"]).succeeded();
        let before = scene.read(path);
        scene.program(path, &format!("{text}{before}"));
        let said = Said::of(scene.task(0)).failed().err;
        assert!(
            said.contains(path) && said.contains("has changed since this was planned"),
            "{said}"
        );
        assert!(scene.exists("runs/trial/slurm/1/failed-0.json"));
        scene.program(path, &before);
        Said::of(scene.task(0)).succeeded();
    }
}

#[test]
fn a_task_that_cannot_go_on_says_why() {
    let scene = Scene::new();
    scene.write("bin/lazy", "");
    scene.slurm("trial", &["--no-wait"]).succeeded();
    scene.write("prepared/none/seed-1/save", "");
    scene.write("bin/queue", "41_0|RUNNING|None\n");
    let mut often = scene.task(0);
    often.env("SLURM_RESTART_COUNT", "100");
    let said = Said::of(often).failed();
    assert!(said.err.contains("begun 100 times and makes no progress"), "{}", said.err);
    scene.write("bin/deny", "");
    let said = Said::of(scene.task(0)).failed();
    assert!(
        said.err.contains("scontrol refused: Requested operation not permitted"),
        "{}",
        said.err
    );
    scene.remove("bin/deny");
    assert_eq!(Said::of(scene.task(0)).code, Some(75));
    assert!(scene.exists("bin/requeue-41_0"));
    let mut outside = scene.task(0);
    outside.env_remove("SLURM_ARRAY_JOB_ID");
    let said = Said::of(outside).failed();
    assert!(said.err.contains("runs outside of Slurm"), "{}", said.err);
}

#[test]
fn what_stands_in_the_way_is_one_message() {
    let scene = Scene::new();
    scene.write("bin/refuse", "job-1.sh");
    let said = scene.slurm("trial", &[]).failed();
    let refused = "error: submitting runs/trial/slurm/1/job-1.sh: sbatch refused: sbatch: error: invalid \
                   partition specified: nowhere";
    assert_eq!(said.err.trim_end().lines().last(), Some(refused));
    fs::remove_dir_all(scene.root().join("bin")).unwrap();
    let mut command = scene.experiment("trial", &["--launcher", "slurm"]);
    command.env("PATH", scene.root());
    let said = Said::of(command).failed();
    assert!(said.err.contains("error: there is no `squeue` on PATH"), "{}", said.err);
    assert!(said.err.contains("run this where Slurm's commands are"), "{}", said.err);
    let local = Said::of(scene.experiment("trial", &["--no-wait"])).failed();
    assert!(local.err.contains("are for `--launcher slurm`"), "{}", local.err);
}
