//! Which runs are made, which are reused, and what happens when they fail.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::fake::{ALL, BASE, Fake, PLAN, Skill};
use crate::launch::Options;

const RUNS: usize = 2 * 3;

#[test]
fn every_arm_is_trained_and_evaluated_on_every_seed() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let calls = fake.read("calls");
    assert_eq!(calls.lines().count(), 2 * RUNS);
    let first = "train configs/base.toml --set noise.schedule=\"none\" --seed 1 --run runs/trial/none/seed-1 --no-events";
    assert_eq!(calls.lines().next(), Some(first));
    assert_eq!(calls.lines().nth(1), Some("evaluate runs/trial/none/seed-1"));
    let log = fake.read("runs/trial/x0/seed-3/log.txt");
    assert!(log.contains("train of runs/trial/x0/seed-3 with 1 thread"), "{log}");
    assert!(log.contains("evaluate of runs/trial/x0/seed-3"), "{log}");
}

/// Oracle: means and deviations by hand from the prepared files: 0.36 ± 0.001 over the seeds.
#[test]
fn numbers_are_those_of_the_runs() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let results = fake.results();
    let row = &results["rows"][1];
    assert_eq!(
        (&row["name"], &row["finished"], &row["planned"]),
        (&"x0".into(), &3.into(), &3.into())
    );
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    };
    near(&row["scores"]["crps_standardized"]["mean"], 0.36);
    near(&row["scores"]["crps_standardized"]["std"], 0.001);
    near(&row["scores"]["crps"]["mean"], 0.7 * 0.36);
    near(&row["scores"]["gap"]["mean"], 0.02);
    near(&row["difference"]["mean"], -0.04);
    assert_eq!(row["difference"]["windows"], 280);
    assert_eq!(results["rows"][2]["name"], "ridge");
    near(&results["rows"][2]["scores"]["crps_standardized"]["mean"], 0.38);
    assert_eq!(results["runs"].as_array().unwrap().len(), RUNS);
    assert_eq!(results["runs"][5]["directory"], "runs/trial/x0/seed-3");
    let csv = fake.read("runs/trial/table.csv");
    let columns = csv.lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
    assert_eq!((columns.len(), columns.iter().all(|n| *n == columns[0])), (5, true), "{csv}");
}

#[test]
fn several_at_once_give_the_same_results() {
    let (one, two) = (Fake::new(), Fake::new());
    one.conduct(ALL).unwrap();
    two.conduct(Options { jobs: 3, ..ALL }).unwrap();
    assert_eq!(one.read("runs/trial/table.csv"), two.read("runs/trial/table.csv"));
    assert_eq!(two.calls(), 2 * RUNS);
}

/// Two workers and two GPUs: each process sees one of them, and both are used.
#[test]
fn gpus_are_shared_among_the_processes() {
    let fake = Fake::new();
    fake.conduct(Options { jobs: 2, gpus: Some(2), ..ALL }).unwrap();
    let seen = |gpu: &str| {
        let logs = ["none", "x0"].into_iter().flat_map(|arm| (1..=3).map(move |seed| (arm, seed)));
        let logs =
            logs.map(|(arm, seed)| fake.read(&format!("runs/trial/{arm}/seed-{seed}/log.txt")));
        logs.filter(|log| log.matches(&format!("thread, GPU {gpu}\n")).count() == 2).count()
    };
    let (first, second) = (seen("0"), seen("1"));
    assert!(first > 0 && second > 0 && first + second == 6, "{first} {second}");
}

#[test]
fn finished_runs_are_reused_while_nothing_changes() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS);
    let first = fake.read("runs/trial/table.csv");
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 0, "nothing had changed");
    assert_eq!(fake.read("runs/trial/table.csv"), first);
    fake.write("configs/base.toml", &format!("# a comment\n{BASE}"));
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 0, "a comment is no change");
    fake.conduct(Options { fresh: true, ..ALL }).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS, "--fresh");
}

/// The clock jumps, back to 1970 and on to 2242: what is finished counts by content.
#[test]
fn times_of_files_do_not_matter() {
    let fake = Fake::new();
    fake.write("configs/mine.csv", "date,a\n2015-01-01,1\n");
    fake.write("configs/base.toml", "[data]\npath = \"mine.csv\"\n");
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS);
    for seconds in [0, 1 << 33] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut folders = vec![fake.root().to_owned()];
        let mut set = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                fs::File::open(&path).unwrap().set_modified(time).unwrap();
                set += 1;
                folders.extend(path.is_dir().then_some(path));
            }
        }
        assert!(set > 30, "{set} files");
        fake.conduct(ALL).unwrap();
        assert_eq!(fake.calls(), 0, "{seconds} seconds after 1970");
        fs::remove_file(fake.root().join("runs/trial/x0/seed-2/evaluation.json")).unwrap();
        fake.conduct(ALL).unwrap();
        assert_eq!(fake.calls(), 2, "and what is gone is made again");
    }
}

#[test]
fn what_a_run_depends_on_makes_it_run_again() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    fake.calls();
    fake.write("configs/base.toml", &BASE.replace("100", "50"));
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS, "the base config");
    let plan = PLAN.replace("reinject\" = 1.0", "reinject\" = 2.0");
    fake.write("configs/experiments/trial.toml", &plan);
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), RUNS, "an override of one arm");
    fake.rebuild();
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS, "the executable");
    fs::remove_file(fake.root().join("runs/trial/x0/seed-2/evaluation.json")).unwrap();
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2, "a file that is gone");
}

#[test]
fn a_data_file_counts_by_its_content() {
    let fake = Fake::new();
    fake.write("configs/mine.csv", "date,a\n2015-01-01,1\n");
    fake.write("configs/base.toml", "[data]\npath = \"mine.csv\"\n");
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS);
    fake.write("configs/mine.csv", "date,a\n2015-01-01,1\n");
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 0, "the same content");
    fake.write("configs/mine.csv", "date,a\n2015-01-01,2\n");
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS, "other content");
}

#[test]
fn runs_of_other_code_are_kept_only_when_asked_and_said_to_be() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    fake.calls();
    fake.rebuild();
    fake.conduct(Options { keep_runs: true, ..ALL }).unwrap();
    assert_eq!(fake.calls(), 0);
    let report = fake.read("runs/trial/report.html");
    assert!(report.contains("6 runs were made by another version of the code"), "not said");
    assert!(report.contains("(other code)"));
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2 * RUNS);
    assert!(!fake.read("runs/trial/report.html").contains("other code"));
}

#[test]
fn a_failed_run_is_listed_and_the_others_still_count() {
    let fake = Fake::new();
    fake.write("prepared/x0/seed-2/exit", "");
    let error = format!("{:#}", fake.conduct(ALL).expect_err("one run fails"));
    assert!(error.starts_with("1 of 6 runs failed"), "{error}");
    let results = fake.results();
    assert_eq!(results["rows"][1]["finished"], 2);
    let failed =
        results["runs"].as_array().unwrap().iter().find(|r| r["status"] == "failed").unwrap();
    assert_eq!(failed["directory"], "runs/trial/x0/seed-2");
    assert_eq!(failed["failure"]["reason"], "`ballast train` ended with exit code 65: bad data");
    let last = failed["failure"]["tail"].as_array().unwrap().last().unwrap();
    assert_eq!(last, "error: mine.csv:3:1: not a number");
    let report = fake.read("runs/trial/report.html");
    assert!(report.contains("1 of 6 runs failed") && report.contains("mine.csv:3:1"));
    assert!(report.contains("x0/seed-2/log.txt"));
    assert!(fake.read("runs/trial/table.md").contains("| 2/3 |"));
    // The next call tries this one again, and only this one.
    fake.calls();
    fs::remove_file(fake.root().join("prepared/x0/seed-2/exit")).unwrap();
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 2);
}

#[test]
fn a_killed_child_is_a_failed_run() {
    let fake = Fake::new();
    fake.write("prepared/none/seed-1/kill", "");
    fake.conduct(ALL).expect_err("one run fails");
    let reason = fake.results()["runs"][0]["failure"]["reason"].clone();
    assert!(reason.as_str().unwrap().contains("was killed (signal: 9"), "{reason}");
}

/// We were killed between training and evaluation: the directory is there, its mark is not.
#[test]
fn a_run_cut_short_goes_on_if_it_is_of_the_same() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    fake.calls();
    fs::remove_file(fake.root().join("runs/trial/none/seed-1/fingerprint.json")).unwrap();
    fs::write(fake.root().join("runs/trial/none/seed-1/half"), "").unwrap();
    fs::write(fake.root().join("runs/trial/none/seed-2/fingerprint.json"), "{\"version\"").unwrap();
    fs::write(fake.root().join("runs/trial/none/seed-2/half"), "").unwrap();
    // A run that was begun under another config is made again from nothing.
    fs::remove_file(fake.root().join("runs/trial/none/seed-3/fingerprint.json")).unwrap();
    fs::copy(
        fake.root().join("runs/trial/none/seed-1/begun.json"),
        fake.root().join("runs/trial/none/seed-3/begun.json"),
    )
    .unwrap();
    fs::write(fake.root().join("runs/trial/none/seed-3/half"), "").unwrap();
    fake.conduct(ALL).unwrap();
    assert_eq!(fake.calls(), 6);
    for (seed, kept) in [(1, true), (2, false), (3, false)] {
        let half = format!("runs/trial/none/seed-{seed}/half");
        assert_eq!(fake.root().join(half).exists(), kept, "{seed}");
    }
}

#[test]
fn a_result_that_cannot_be_read_is_a_failure_that_names_the_field() {
    type Break = fn(&mut Value);
    let broken: [(Break, &str); 5] = [
        (
            |e| {
                drop(
                    e["forecasters"][0]["test"]
                        .as_object_mut()
                        .unwrap()
                        .remove("crps_standardized"),
                )
            },
            "evaluation.json: missing field `crps_standardized` at line",
        ),
        (
            |e| e["forecasters"][0]["test"]["mae"] = Value::Null,
            "evaluation.json: invalid type: null, expected f64 at line",
        ),
        (
            |e| drop(e["forecasters"].as_array_mut().unwrap().remove(0)),
            "evaluation.json: `forecasters` has 0 models instead of one",
        ),
        (
            |e| drop(e["forecasters"][0]["test"]["window_crps"].as_array_mut().unwrap().pop()),
            "evaluation.json: `ballast` has 280 windows but 279 `window_crps`",
        ),
        (
            |e| drop(e["fans"][0]["times"].as_array_mut().unwrap().pop()),
            "evaluation.json: the parts of the fan `good` differ in length",
        ),
    ];
    for (breaks, expected) in broken {
        let fake = Fake::new();
        let path = "prepared/none/seed-1/evaluation.json";
        let mut evaluation: Value = serde_json::from_str(&fake.read(path)).unwrap();
        breaks(&mut evaluation);
        fake.write(path, &evaluation.to_string());
        fake.conduct(ALL).expect_err("one run cannot be read");
        let reason = fake.results()["runs"][0]["failure"]["reason"].clone();
        assert!(reason.as_str().unwrap().starts_with(expected), "{reason}");
    }
}

#[test]
fn a_torn_line_of_metrics_is_named() {
    let fake = Fake::new();
    let path = "prepared/none/seed-1/metrics.jsonl";
    let text = fake.read(path);
    fake.write(path, &text[..text.len() - 20]);
    fake.conduct(ALL).expect_err("one run cannot be read");
    let reason = fake.results()["runs"][0]["failure"]["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("metrics.jsonl: line 40: EOF"), "{reason}");
}

#[test]
fn an_experiment_with_no_result_at_all_still_reports() {
    let fake = Fake::new();
    for arm in ["none", "x0"] {
        (1..=3).for_each(|seed| fake.write(&format!("prepared/{arm}/seed-{seed}/exit"), ""));
    }
    fake.conduct(ALL).expect_err("all runs fail");
    assert!(fake.read("runs/trial/report.html").contains("6 of 6 runs failed"));
    assert!(fake.results()["answers"][0]["outcome"] == "unknown");
}

#[test]
fn two_at_the_same_time_do_not_get_into_each_others_way() {
    let fake = Fake::new();
    let running = fake.ready();
    let error = fake.conduct(ALL).expect_err("locked").to_string();
    assert!(error.contains("running already"), "{error}");
    drop(running);
    fake.conduct(ALL).unwrap();
}

#[test]
fn a_baseline_that_depends_on_the_arm_is_pointed_out() {
    let fake = Fake::new();
    fake.prepare("x0", 2, Skill { test: 0.36, gap: 0.02 }, 0.385);
    fake.conduct(ALL).unwrap();
    let warnings = fake.results()["warnings"].to_string();
    assert!(warnings.contains("Scores of ridge, seasonal-naive differ between arms"), "{warnings}");
}
