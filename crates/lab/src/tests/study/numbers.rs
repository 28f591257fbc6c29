//! Numbers of the tables, worked by hand or traced to what the runs left. The laws of inference have their oracles in
//! the crate `stats`; here is shown that the study asks them for the right things.

use std::collections::BTreeMap;

use serde_json::Value;
use stats::{Estimate, Spread, mean};

use super::scene::{ARMS, CELLS, PLAN, PROBED, Study, scored};
use crate::tests::fake::ALL;

type Line = BTreeMap<String, String>;

pub(super) fn near(found: &str, expected: f64, what: &str) {
    let value: f64 = found.parse().unwrap_or_else(|_| panic!("{what}: `{found}`"));
    assert!(
        (value - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {value}, not {expected}"
    );
}

/// The comparison of a question in a cell.
fn line(study: &Study, asks: &str, cell: &str) -> Line {
    let lines = study.csv("comparisons.csv").into_iter();
    let mut found = lines.filter(|line| line["question"] == asks && line["cell"] == cell);
    let line = found.next().unwrap_or_else(|| panic!("{asks} in {cell} is missing"));
    assert_eq!(found.count(), 0, "{asks} in {cell} is there twice");
    line
}

/// Gives the test windows of x₀ in the first cell differences to the arm without noise, whose windows score 0.5.
fn differ(study: &Study, seed: u64, differences: &[f64], origins: &[usize]) {
    let cell = CELLS[0].0;
    for (arm, by) in [("none", 0.0), ("x0", 1.0)] {
        let mut evaluation = study.evaluation(cell, arm, seed);
        let test = &mut evaluation.forecasters[0].test;
        let windows: Vec<f64> = differences.iter().map(|d| 0.5 + by * d).collect();
        test.windows = windows.len();
        test.crps_standardized = mean(&windows);
        test.window_crps = windows.into_iter().map(Some).collect();
        evaluation.origins = origins.to_vec();
        study.prepare_evaluation(cell, arm, seed, &evaluation);
    }
}

/// Three windows, too few for autocovariances, and two seeds. By hand:
///
/// ```text
/// seeds    −.2, −.4: mean −.3, variance .02,  over 2 seeds  .01
/// windows  −.2, −.3, −.4:      variance .01,  over 3        .003333
/// error    √.013333 = .115470         ν = .013333² / (.01² / 1 + .003333² / 2) = 1.684211
/// relative to .5                      −.6 ± .230940         d = −.3 / √.02 = −2.121320
/// ```
///
/// In a panel of two series the windows of one time count once, so ±.05 between the series changes nothing.
#[test]
fn a_comparison_worked_by_hand() {
    let (one, two) = ([-0.1, -0.2, -0.3], [-0.3, -0.4, -0.5]);
    let panel = |all: [f64; 3]| [all.map(|d| d + 0.05), all.map(|d| d - 0.05)].concat();
    for (one, two, origins) in [
        (one.to_vec(), two.to_vec(), vec![0, 1, 2]),
        (panel(one), panel(two), vec![0, 1, 2, 0, 1, 2]),
    ] {
        let study = Study::new();
        differ(&study, 1, &one, &origins);
        differ(&study, 2, &two, &origins);
        study.conduct();
        let line = line(&study, "Better CRPS?", CELLS[0].1);
        near(&line["difference"], -0.3, "mean");
        near(&line["standard_error"], (0.04_f64 / 3.0).sqrt(), "error");
        near(&line["degrees_of_freedom"], 32.0 / 19.0, "freedom");
        near(&line["relative"], -0.6, "relative");
        near(&line["cohens_d"], -4.5_f64.sqrt(), "d");
    }
}

/// Each measure, from the numbers that the runs were made of.
#[test]
fn every_measure_is_read_from_its_file() {
    let study = Study::new();
    study.conduct();
    let gap = |arm: &str, seed: u64| scored(0, arm, seed).gap_end;
    let bias = |arm: &str, seed: u64| (scored(0, arm, seed).slope - 1.0).abs();
    type Value = Box<dyn Fn(&str, u64) -> f64>;
    let measures: [(&str, usize, Value); 6] = [
        ("Better at the end?", 0, Box::new(|arm, seed| scored(0, arm, seed).end)),
        ("A smaller gap?", 0, Box::new(gap)),
        ("Better log score?", 0, Box::new(|arm, seed| scored(0, arm, seed).log_score)),
        ("Less biased?", 0, Box::new(bias)),
        (
            "Better clean features?",
            PROBED,
            Box::new(|arm, seed| scored(PROBED, arm, seed).features[0]),
        ),
        (
            "Better noisy features?",
            PROBED,
            Box::new(|arm, seed| scored(PROBED, arm, seed).features[1]),
        ),
    ];
    for (asks, cell, value) in measures {
        // The mean of a run's windows is exact but for a jitter of its seed, which both arms share.
        let differences = [1, 2].map(|seed| value("x0", seed) - value("none", seed));
        near(&line(&study, asks, CELLS[cell].1)["difference"], mean(&differences), asks);
    }
    let few = |cell: usize| {
        let line = line(&study, "A smaller gap?", CELLS[cell].1);
        line["relative"].parse::<f64>().unwrap()
    };
    let pair = format!("{} minus {}", CELLS[0].1, CELLS[1].1);
    near(&line(&study, "More so on few rows?", &pair)["relative"], few(0) - few(1), "cells");
}

/// Of seeds 1 to 4 one arm lacks the first and the other the second: what is left of both is compared.
#[test]
fn seeds_that_only_one_arm_has_do_not_count() {
    let study = Study::of(&PLAN.replace("seeds = [1, 2]", "seeds = [1, 2, 3, 4]"), &[1, 2, 3, 4]);
    let cell = CELLS[PROBED].0;
    study.0.write(&format!("prepared/{cell}/x0/seed-1/exit"), "");
    study.0.write(&format!("prepared/{cell}/none/seed-2/exit"), "");
    study.conduct_with("small", ALL).expect_err("two runs fail");
    let features = |arm: &str, seed: u64| scored(PROBED, arm, seed).features[0];
    let differences = [3, 4].map(|seed| features("x0", seed) - features("none", seed));
    let expected = Estimate::of_seeds(&differences).unwrap();
    let line = line(&study, "Better clean features?", CELLS[PROBED].1);
    near(&line["difference"], expected.mean, "mean");
    near(&line["standard_error"], expected.error, "error");
}

#[test]
fn p_values_are_corrected_and_cells_pooled_by_data_set() {
    let study = Study::new();
    study.conduct();
    let results = study.results();
    let answer = |asks: &str| -> Value {
        let claims = results["claims"].as_array().unwrap().iter();
        let mut answers = claims.flat_map(|claim| claim["answers"].as_array().unwrap());
        answers.find(|answer| answer["asks"] == asks).unwrap().clone()
    };
    // Two tests in one cell: Holm doubles the smaller p-value and leaves the larger one.
    let raw = |place: usize| {
        let value = |arm: &str, seed: u64| scored(PROBED, arm, seed).features[place];
        let differences = [1, 2].map(|seed| value("x0", seed) - value("none", seed));
        Estimate::of_seeds(&differences).unwrap().p_value()
    };
    let (clean, noisy) = (raw(0), raw(1));
    assert!(2.0 * clean < noisy, "{clean} {noisy}");
    for (asks, p) in [("Better clean features?", 2.0 * clean), ("Better noisy features?", noisy)] {
        near(&line(&study, asks, CELLS[PROBED].1)["p_holm"], p, asks);
        near(&answer(asks)["p_value"].to_string(), p, asks);
    }
    // Cells of one data set share windows: their errors are averaged. Data sets are independent.
    let number = |cell: usize, column: &str| -> f64 {
        line(&study, "Better CRPS?", CELLS[cell].1)[column].parse().unwrap()
    };
    let pooled = &answer("Better CRPS?")["pooled"];
    let relative = [0, 1, 2, 3].map(|cell| number(cell, "relative"));
    near(&pooled["mean"].to_string(), mean(&relative), "pooled mean");
    let scale = |cell: usize| (number(cell, "relative") / number(cell, "difference")).abs();
    let errors = [0, 1, 2, 3].map(|cell| number(cell, "standard_error") * scale(cell));
    let of_set = |first: usize| mean(&errors[first..first + 2]);
    near(&pooled["error"].to_string(), of_set(0).hypot(of_set(2)) / 2.0, "pooled error");
}

#[test]
fn verdicts_are_those_of_the_runs() {
    let study = Study::new();
    study.conduct();
    let results = study.results();
    let claims = results["claims"].as_array().unwrap();
    let outcomes: Vec<(&str, &str)> = claims
        .iter()
        .map(|claim| (claim["name"].as_str().unwrap(), claim["outcome"].as_str().unwrap()))
        .collect();
    // In the order of the plan, but that every no comes first.
    let expected = [
        ("same", "no"),
        ("overfitting", "no"),
        ("better", "yes"),
        ("slopes", "undecided"),
        ("features", "partly"),
        ("models", "unknown"),
    ];
    assert_eq!(outcomes, expected);
    for (asks, outcome) in [
        ("The same CRPS?", "yes"),
        ("The same gap?", "no"),
        ("A smaller gap?", "yes"),
        ("More so on few rows?", "yes"),
        ("More so on weather?", "undecided"),
        ("Better at the end?", "no"),
        ("Better clean features?", "yes"),
        ("Better noisy features?", "undecided"),
        ("Of the other model?", "unknown"),
    ] {
        let mut answers = claims.iter().flat_map(|claim| claim["answers"].as_array().unwrap());
        let answer = answers.find(|answer| answer["asks"] == asks).unwrap();
        assert_eq!(answer["outcome"], outcome, "{asks}");
    }
}

/// Rows of a cell's table by name.
fn rows<'a>(table: &'a [Line], cell: &str) -> BTreeMap<&'a str, &'a Line> {
    let of_cell = table.iter().filter(|line| line["cell"] == cell);
    of_cell.map(|line| (line["row"].as_str(), line)).collect()
}

#[test]
fn every_row_is_what_the_runs_say() {
    let study = Study::new();
    study.conduct();
    let table = study.csv("table.csv");
    for (index, (folder, label)) in CELLS.iter().enumerate() {
        let rows = rows(&table, label);
        for arm in ARMS {
            let row = rows[arm];
            let check = |column: &str, values: [f64; 2]| {
                let Spread { mean, std, .. } = Spread::of(values).unwrap();
                near(&row[column], mean, &format!("{label}, {arm}: {column}"));
                if let Some(found) = row.get(&format!("{column}_std")) {
                    near(found, std.unwrap(), &format!("{label}, {arm}: spread of {column}"));
                }
            };
            let of = |seed: u64| scored(index, arm, seed);
            let crps = |seed: u64| {
                study.evaluation(folder, arm, seed).forecasters[0].test.crps_standardized
            };
            check("crps", [1, 2].map(crps));
            check("gap_end", [1, 2].map(|seed| of(seed).gap_end));
            check("log_score", [1, 2].map(|seed| of(seed).log_score));
            check("slope", [1, 2].map(|seed| of(seed).slope));
            near(&row["coverage_90"], 0.88, arm);
            near(&row["kl"], 1.0 + 0.25 * 1.5, arm);
            near(&row["active_units"], 1.5, arm);
            if index == PROBED {
                check("feature_r2", [1, 2].map(|seed| of(seed).features[0]));
                near(&row["information"], 1.5, arm);
            } else {
                assert_eq!((row["feature_r2"].as_str(), row["information"].as_str()), ("", ""));
            }
            assert_eq!(row["less_reference"].is_empty(), arm == "none");
            assert_eq!((row["seeds"].as_str(), row["train_cpu_seconds"].is_empty()), ("2", false));
        }
        let compared = line(&study, "Better CRPS?", label);
        near(&rows["x0"]["less_reference"], compared["difference"].parse().unwrap(), label);
        near(&rows["x0"]["less_reference_se"], compared["standard_error"].parse().unwrap(), label);
        // Validation prefers λ = 2, the test windows do not.
        let tuned = rows["x₀, tuned (x₀, λ = 2)"];
        assert_eq!(tuned["crps"], rows["x0-two"]["crps"]);
        assert_ne!(tuned["crps"], rows["x0"]["crps"]);
        near(&rows["ridge"]["crps"], 0.52, "ridge");
        near(&rows["seasonal-naive"]["crps"], 0.57, "seasonal naive");
        assert_eq!(rows.len(), ARMS.len() + 3 + usize::from(index >= 2), "{:?}", rows.keys());
    }
}

/// One number says nothing about its spread.
#[test]
fn one_common_seed_is_too_few() {
    let study = Study::new();
    for (folder, _) in CELLS {
        study.0.write(&format!("prepared/{folder}/x0/seed-2/exit"), "");
    }
    study.conduct_with("small", ALL).expect_err("four runs fail");
    let results = study.results();
    let better =
        results["claims"].as_array().unwrap().iter().find(|c| c["name"] == "better").unwrap();
    assert_eq!(better["outcome"], "unknown");
    let table = study.csv("table.csv");
    let row = rows(&table, CELLS[0].1)["x0"];
    assert_eq!(
        (row["seeds"].as_str(), row["crps_std"].as_str(), row["less_reference"].as_str()),
        ("1", "", "")
    );
    // A tuned arm needs all seeds of all its members.
    assert!(!table.iter().any(|line| line["row"].starts_with("x₀, tuned")));
}
