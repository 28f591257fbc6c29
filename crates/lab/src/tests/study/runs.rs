//! Which runs are made, which are reused, and what happens when they fail.

use std::collections::BTreeMap;
use std::fs;

use super::scene::{ARMS, BALLAST, CELLS, PLAN, PROBED, Study, scored};
use crate::launch::Options;
use crate::tests::fake::ALL;

const RUNS: usize = 4 * 4 * 2;
/// Children of all runs: train and two evaluations, and features in one cell.
const CALLS: usize = 3 * RUNS + 4 * 2;

#[test]
fn every_arm_is_trained_and_evaluated_twice() {
    let study = Study::new();
    study.conduct();
    let calls = study.calls();
    assert_eq!(calls.len(), CALLS);
    assert_eq!(
        calls[..3],
        [
            "train configs/study/weather.toml --set data.train_fraction=0.1 --set noise.schedule=\"none\" --seed 1 \
             --run runs/study/weather-conditional-10/none/seed-1 --no-events --device cpu",
            "evaluate runs/study/weather-conditional-10/none/seed-1 --device cpu",
            "evaluate runs/study/weather-conditional-10/none/seed-1 --last --device cpu",
        ]
    );
    let probed = calls.iter().filter(|call| call.starts_with("features"));
    assert_eq!(
        probed.clone().count(),
        8,
        "the cell that two blocks name is one, with features of all its arms"
    );
    assert!(probed.into_iter().all(|call| call.contains(CELLS[PROBED].0)));
    for file in ["results.json", "table.md", "table.csv", "comparisons.csv", "report.html"] {
        assert!(!study.read(file).is_empty(), "{file}");
    }
    assert!(!study.0.root().join("docs").exists());
}

/// The value of an option in a command.
fn option<'a>(call: &'a str, name: &str) -> Option<&'a str> {
    let mut words = call.split(' ').skip_while(|word| *word != name);
    words.nth(1)
}

#[test]
fn random_numbers_are_common_to_all_arms_but_the_fresh_one() {
    let study = Study::new();
    study.conduct();
    let mut seeds = BTreeMap::<(String, String), Vec<String>>::new();
    for call in study.calls().iter().filter(|call| call.starts_with("train")) {
        let run = option(call, "--run").unwrap();
        let [_, _, _, arm, seed] = run.split('/').collect::<Vec<_>>()[..] else { panic!("{run}") };
        let given = option(call, "--seed").unwrap().to_owned();
        seeds.entry((arm.to_owned(), seed.to_owned())).or_default().push(given);
    }
    assert_eq!(seeds.len(), ARMS.len() * 2);
    for ((arm, seed), given) in seeds {
        let number = seed.strip_prefix("seed-").unwrap();
        let expected = if arm == "control" { format!("100{number}") } else { number.to_owned() };
        assert_eq!(given, vec![expected; 4], "{arm} {seed}");
    }
}

#[test]
fn a_share_of_the_rows_is_set_where_it_is_not_all() {
    let study = Study::new();
    study.conduct();
    for call in study.calls().iter().filter(|call| call.starts_with("train")) {
        let few = call.contains("-conditional-10/");
        assert_eq!(call.contains("--set data.train_fraction=0.1 "), few, "{call}");
        assert_eq!(call.contains("train_fraction"), few, "{call}");
        let simulated = call.contains("runs/study/ar-");
        assert_eq!(
            call.contains("--set data.path=\"runs/study/data/ar.csv\""),
            simulated,
            "{call}"
        );
    }
    assert_eq!(study.read("data/ar.csv").lines().count(), 601);
}

#[test]
fn budgets_choose_what_is_run() {
    let study = Study::new();
    study.0.write("data/ETTh1.csv", "date,a\n");
    for arm in ["none", "x0"] {
        for seed in [1, 2] {
            study.prepare("etth1-conditional-100", arm, seed, scored(1, arm, seed));
        }
    }
    study.conduct_with("full", ALL).unwrap();
    let calls = study.calls();
    assert_eq!(calls.len(), 2 * 2 * 2 * 3);
    assert!(
        calls.iter().any(|call| call.contains("--set data.path=\"runs/study/data/ETTh1.csv\""))
    );
    // One budget reuses the runs of the other, but for features.
    study.conduct();
    assert_eq!(study.calls().len(), CALLS);
    study.conduct_with("full", ALL).unwrap();
    assert_eq!(study.calls(), [""; 0]);
}

#[test]
fn data_that_are_missing_are_listed_and_no_error() {
    let study = Study::new();
    study.conduct_with("full", ALL).unwrap();
    assert_eq!(study.calls().len(), 2 * 2 * 3, "the other set is run");
    let remedy = "Not run: ETTh1: fetch it with `ballast data fetch etth1`, or name the folder that holds ETTh1.csv with `--data DIR`.";
    assert!(study.read("table.md").contains(remedy));
    assert!(
        study
            .read("report.html")
            .contains("Not run: ETTh1: fetch it with <code>ballast data fetch")
    );
    assert_eq!(study.results()["planned"], 4);
}

/// The small budget has no cell of ETTh1.
#[test]
fn data_that_no_cell_needs_are_not_missed() {
    let study = Study::new();
    study.conduct();
    for file in ["report.html", "table.md"] {
        let text = study.read(file);
        assert!(!text.contains("Not run"), "{file}");
        assert!(text.contains("2 data sets, one split in time each, 2 seeds"), "{file}");
    }
}

#[test]
fn finished_runs_are_not_made_again() {
    let study = Study::new();
    study.conduct();
    study.calls();
    let before = study.results()["claims"].clone();
    study.conduct();
    assert_eq!(study.calls(), [""; 0]);
    assert_eq!(study.results()["claims"], before);
}

#[test]
fn a_new_arm_is_all_that_runs() {
    let study = Study::new();
    study.conduct();
    study.calls();
    let arm = "[[arm]]\nname = \"y0\"\nlabel = \"y₀\"\nset = {}\n\n[[tuned]]";
    let plan = PLAN.replace("[[tuned]]", arm).replacen("\"control\"]", "\"control\", \"y0\"]", 1);
    study.0.write("configs/experiments/study.toml", &plan);
    for (cell, (folder, _)) in CELLS.iter().enumerate() {
        for seed in [1, 2] {
            study.prepare(folder, "y0", seed, scored(cell, "y0", seed));
        }
    }
    study.conduct();
    let calls = study.calls();
    assert_eq!(calls.len(), 4 * 2 * 3 + 2);
    assert!(calls.iter().all(|call| call.contains("/y0/seed-")), "{calls:?}");
}

#[test]
fn runs_of_other_code_are_kept_only_when_asked_and_said_to_be() {
    let study = Study::new();
    study.conduct();
    study.calls();
    study.0.install(&format!("{BALLAST}# another build\n"));
    study.conduct_with("small", Options { keep_runs: true, ..ALL }).unwrap();
    assert_eq!(study.calls(), [""; 0]);
    let report = study.read("report.html");
    assert!(
        report.contains("32 runs were made by an earlier version of the code.")
            && report.contains("(other code)")
    );
    study.conduct();
    assert_eq!(study.calls().len(), CALLS);
    assert!(!study.read("report.html").contains("other code"));
}

#[test]
fn a_failed_run_is_listed_and_counts_nowhere() {
    let study = Study::new();
    let failed = format!("{}/x0/seed-2", CELLS[0].0);
    study.0.write(&format!("prepared/{failed}/exit"), "");
    let error = format!("{:#}", study.conduct_with("small", ALL).expect_err("one run fails"));
    assert_eq!(error, "1 of 32 runs failed; run the same command to try them again");
    let results = study.results();
    let runs = results["runs"].as_array().unwrap();
    let failures: Vec<_> = runs.iter().filter(|run| !run["failure"].is_null()).collect();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["folder"], format!("runs/study/{failed}"));
    assert_eq!(
        failures[0]["failure"]["reason"],
        "`ballast train` ended with exit code 3: training diverged"
    );
    let report = study.read("report.html");
    assert!(report.contains("31 of 32 planned runs finished, 1 failed."));
    assert!(report.contains("error: a &lt; b &amp; c"), "the end of its log");
    let warning = format!(
        "1 run failed and count nowhere; neither do their partners in a pair: runs/study/{failed}."
    );
    assert!(study.read("table.md").contains(&warning));
    assert!(study.read("table.md").contains("| x₀ <added> back (1 of 2 seeds) |"));
    // Three cells are left to compare; the arm's own row there has one seed.
    let compared = study.csv("comparisons.csv");
    let cells = compared.iter().filter(|line| line["question"] == "Better CRPS?");
    assert!(cells.clone().count() == 3 && cells.into_iter().all(|line| line["cell"] != CELLS[0].1));
    // The next call tries this one again, and only this one.
    study.calls();
    fs::remove_file(study.0.root().join(format!("prepared/{failed}/exit"))).unwrap();
    study.conduct();
    assert_eq!(study.calls().len(), 3);
}

#[test]
fn files_that_cannot_be_read_fail_the_run() {
    for (file, text, reason) in [
        ("last/evaluation.json", "{", "evaluation.json: EOF"),
        ("features.json", "{\"version\": 1, \"steps\": []}", "features.json: missing field"),
        (
            "run.json",
            "{\"version\": 1, \"status\": \"begun\"}",
            "run.json: unknown variant `begun`",
        ),
    ] {
        let study = Study::new();
        study.0.write(&format!("prepared/{}/x0/seed-1/{file}", CELLS[PROBED].0), text);
        study.conduct_with("small", ALL).expect_err(file);
        let results = study.results();
        let mut failures =
            results["runs"].as_array().unwrap().iter().filter(|run| !run["failure"].is_null());
        let failure = failures.next().unwrap()["failure"]["reason"].as_str().unwrap();
        assert!(failure.starts_with(reason), "{failure}");
        assert_eq!(failures.count(), 0);
    }
}
