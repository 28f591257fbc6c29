//! `kill -9` at any moment, of the laboratory, of a child, or of both; files that go away or change under it. What
//! comes out is in the end what an undisturbed call leaves, or an error says why not.
//!
//! The gate kills a few times, with a stand-in for `ballast`. `BALLAST_KILLS=200` kills that often, and
//! `BALLAST_EXECUTABLE=target/debug/ballast` names the real one, which then trains for a second or so.
#![allow(clippy::print_stdout, reason = "counts of what was tried")]

#[path = "../src/tests/prepared.rs"]
mod prepared;
#[allow(dead_code, reason = "shared with the tests of the launcher")]
#[path = "slurm/scene.rs"]
mod scene;

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use scene::{Said, Scene};
use serde_json::Value;

/// Kills in the gate.
const KILLS: usize = 6;

/// Config of the real `ballast`: a training of a second.
const TINY: &str = r#"
[data]
source = "seattle-weather"
targets = ["temp_max"]
context = 8
horizon = 2
[noise]
schedule = "linear"
steps = 4
[model]
hidden = 4
latent = 1
[train]
epochs = 1
steps_per_epoch = 20
batch_size = 16
refit = false
choose_instance_norm = false
[evaluate]
samples = 10
train_windows = 20
baselines = ["last-value"]
"#;

/// A checkout whose `ballast` is a stand-in that takes its time, or the real one.
fn scene() -> Scene {
    let scene = Scene::real();
    scene.program("ballast", include_str!("kills/ballast.sh"));
    if let Some(real) = env::var_os("BALLAST_EXECUTABLE") {
        let real = fs::canonicalize(&real).unwrap_or_else(|e| panic!("BALLAST_EXECUTABLE: {e}"));
        scene.program("build", &format!("#!/bin/sh\necho '{}'\n", real.display()));
        scene.write("configs/base.toml", TINY);
    }
    scene
}

/// Results of an experiment, without times.
#[derive(Debug, PartialEq)]
struct Left {
    table: Vec<String>,
    rows: Value,
    answers: Value,
    files: Vec<(String, String)>,
}

fn left(scene: &Scene) -> Left {
    let results = scene.results();
    let mut files = Vec::new();
    for run in ["none/seed-1", "none/seed-2", "x0/seed-1", "x0/seed-2"] {
        for file in ["metrics.jsonl", "evaluation.json", "model.safetensors", "fingerprint.json"] {
            let path = scene.root().join(format!("runs/trial/{run}/{file}"));
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            files.push((format!("{run}/{file}"), format!("{bytes:?}")));
        }
    }
    let timeless = |key: &str| {
        let mut value = results[key].clone();
        remove_times(&mut value);
        value
    };
    let table = scene.read("runs/trial/table.csv");
    let names: Vec<&str> = table.lines().next().unwrap_or_default().split(',').collect();
    let kept = |line: &str| {
        let cells = line.split(',').zip(&names).filter(|(_, name)| !name.starts_with("seconds"));
        cells.map(|(cell, _)| cell).collect::<Vec<_>>().join(",")
    };
    let table = table.lines().map(kept).collect();
    Left { table, rows: timeless("rows"), answers: timeless("answers"), files }
}

/// Removes what a clock said.
fn remove_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.contains("seconds"));
            fields.values_mut().for_each(remove_times);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_times),
        _ => {}
    }
}

/// The reports that are there are whole, whenever one looks.
fn reports_are_whole(scene: &Scene) {
    let read = |file: &str| fs::read_to_string(scene.root().join("runs/trial").join(file)).ok();
    if let Some(results) = read("results.json") {
        serde_json::from_str::<Value>(&results).expect("results.json is whole");
    }
    if let Some(report) = read("report.html") {
        assert!(report.trim_end().ends_with("</html>"), "report.html is whole");
    }
    for file in ["table.csv", "table.md"] {
        assert!(read(file).is_none_or(|text| text.ends_with('\n')), "{file} is whole");
    }
}

fn start(scene: &Scene) -> Child {
    let mut lab = scene.experiment("trial", &["--jobs", "2"]);
    lab.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The processes that a process started.
fn children(of: u32) -> Vec<u32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut all: Vec<u32> = text.split_whitespace().map(|id| id.parse().unwrap()).collect();
    // Threads start the children of a job.
    for task in fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn kill(target: &str) {
    let mut kill = Command::new("kill");
    let _ = kill.args(["-9", "--", target]).stderr(Stdio::null()).status();
}

/// Ends an experiment however often it has to be called: a child that was killed is a failed run, which the next call
/// makes again.
fn to_the_end(scene: &Scene) {
    let mut said = Vec::new();
    for _ in 0..4 {
        let call = Said::of(scene.experiment("trial", &["--jobs", "2"]));
        if call.code == Some(0) {
            return;
        }
        said.push(call.err);
    }
    panic!("no end after four calls:\n{}", said.join("\n"));
}

#[test]
fn whatever_is_killed_the_results_are_those_of_an_undisturbed_call() {
    let undisturbed = scene();
    let begun = Instant::now();
    to_the_end(&undisturbed);
    let (expected, whole) = (left(&undisturbed), begun.elapsed());

    let kills: usize = env::var("BALLAST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let scene = scene();
    // Any numbers do; the moments differ between machines in any case.
    let mut random: u64 = 7;
    let mut below = |end: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % end.max(1)
    };
    let (mut killed, mut finished, mut by_kind) = (0, 0, [0; 3]);
    while killed < kills {
        let mut lab = start(&scene);
        thread::sleep(Duration::from_micros(below(whole.as_micros() as u64)));
        if lab.try_wait().unwrap().is_some() {
            // It was faster: its results count, and the next one starts from nothing.
            to_the_end(&scene);
            assert_eq!(left(&scene), expected, "after {killed} kills");
            fs::remove_dir_all(scene.root().join("runs")).unwrap();
            finished += 1;
            continue;
        }
        let kind = killed % by_kind.len();
        let id = lab.id();
        match kind {
            0 => kill(&id.to_string()),
            1 => kill(&format!("-{id}")),
            _ => match children(id)[..] {
                [] => {
                    let _ = lab.wait();
                    continue;
                }
                ref all => kill(&all[below(all.len() as u64) as usize].to_string()),
            },
        }
        let _ = lab.wait();
        reports_are_whole(&scene);
        (killed, by_kind[kind]) = (killed + 1, by_kind[kind] + 1);
    }
    to_the_end(&scene);
    assert_eq!(left(&scene), expected, "after {killed} kills");
    let [alone, group, child] = by_kind;
    println!(
        "{killed} kills ({alone} of the laboratory, {group} with its children, {child} of a child), \
         {} whole experiments compared, none different",
        finished + 1
    );
}

/// A training that waits for us: `training` appears once it is at work.
fn while_training(scene: &Scene, disturb: impl FnOnce()) -> Said {
    scene.write("prepared/x0/seed-1/train", "40");
    let lab = scene.experiment("trial", &[]);
    thread::scope(|threads| {
        let said = threads.spawn(|| Said::of(lab));
        let begun = Instant::now();
        while !scene.exists("training") {
            assert!(begun.elapsed() < Duration::from_secs(60), "x0 is not trained");
            thread::sleep(Duration::from_millis(5));
        }
        disturb();
        said.join().unwrap()
    })
}

/// A stand-in alone can be made to wait.
fn stand_in() -> Scene {
    let scene = Scene::real();
    scene.program("ballast", include_str!("kills/ballast.sh"));
    scene
}

#[test]
fn files_that_go_away_under_a_run_fail_it_and_the_next_call_makes_it_again() {
    let undisturbed = stand_in();
    to_the_end(&undisturbed);
    for gone in ["runs/trial/x0/seed-1", "runs/trial/x0"] {
        let scene = stand_in();
        let said = while_training(&scene, || fs::remove_dir_all(scene.root().join(gone)).unwrap());
        let said = said.failed();
        assert!(said.err.contains("1 of 4 runs failed"), "{gone}: {}", said.err);
        assert!(said.err.contains("failed: runs/trial/x0/seed-1"), "{gone}: {}", said.err);
        scene.remove("prepared/x0/seed-1/train");
        to_the_end(&scene);
        assert_eq!(left(&scene), left(&undisturbed), "{gone}");
    }
}

#[test]
fn a_config_that_changes_under_a_run_fails_it_with_the_reason() {
    let scene = stand_in();
    let said = while_training(&scene, || {
        scene.write("configs/base.toml", "[data]\nsource = \"seattle-weather\"\ncontext = 9\n");
    });
    let said = said.failed();
    let reason = "configs/base.toml has changed since this was planned; run the same command again";
    assert!(said.err.contains(reason), "{}", said.err);
    assert!(
        !scene.exists("runs/trial/x0/seed-1/fingerprint.json"),
        "it does not count as finished"
    );
    scene.remove("prepared/x0/seed-1/train");
    to_the_end(&scene);
    let mark = scene.read("runs/trial/x0/seed-1/fingerprint.json");
    assert!(mark.contains("\"context\": 9"), "of the config as it is now: {mark}");
}
