//! Every number of the tables, traced to what the runs left.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::oracle::{
    self, Found, difference, holm, list, mean, number, of_seeds, of_windows, unit,
};
use super::scene::{ARMS, CELLS, PLAN, PROBED, Scored, Study, scored};
use crate::tests::fake::ALL;

const SEEDS: [u64; 2] = [1, 2];
/// Windows that share rows with one: the horizon is 7 rows, a window every row.
const OVERLAP: usize = 6;

pub(super) fn near(found: &str, expected: f64, what: &str) {
    let value: f64 = found.parse().unwrap_or_else(|_| panic!("{what}: `{found}`"));
    assert!(
        (value - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {value}, not {expected}"
    );
}

/// A test of the plan, as the oracle sees it.
struct Asked {
    claim: &'static str,
    asks: &'static str,
    arms: [&'static str; 2],
    measure: &'static str,
    expect: &'static str,
    margin: Option<f64>,
    /// Cells by their place, or pairs of them.
    cells: &'static [usize],
    twins: &'static [(usize, usize)],
}

fn asked() -> Vec<Asked> {
    let test = |claim, asks, measure, expect| Asked {
        claim,
        asks,
        arms: ["x0", "none"],
        measure,
        expect,
        margin: None,
        cells: &[0, 1, 2, 3],
        twins: &[],
    };
    let same = |asks, measure, margin| Asked {
        arms: ["control", "x0"],
        margin: Some(margin),
        ..test("same", asks, measure, "equal")
    };
    let probed =
        |asks, measure| Asked { cells: &[PROBED], ..test("features", asks, measure, "larger") };
    let twins = |asks, twins| Asked {
        cells: &[],
        twins,
        ..test("overfitting", asks, "gap-end", "smaller")
    };
    vec![
        test("better", "Better CRPS?", "test", "smaller"),
        test("better", "Better log score?", "log-score", "larger"),
        test("slopes", "Less biased?", "shrinkage", "smaller"),
        probed("Better clean features?", "features-clean"),
        probed("Better noisy features?", "features-noisy"),
        same("The same CRPS?", "test", 0.03),
        same("The same gap?", "gap-end", 0.002),
        test("overfitting", "A smaller gap?", "gap-end", "smaller"),
        twins("More so on few rows?", &[(0, 1), (2, 3)]),
        twins("More so on weather?", &[(0, 2), (1, 3)]),
        test("overfitting", "Better at the end?", "test-end", "smaller"),
    ]
}

struct Compared {
    cell: String,
    data: usize,
    difference: Found,
    relative: Found,
    effect_size: Option<f64>,
    p: f64,
}

fn compared(study: &Study, asked: &Asked, seeds: &[u64]) -> Vec<Compared> {
    let one = |cell: usize| {
        let folder = CELLS[cell].0;
        let (found, each) = difference(study, folder, asked.arms, asked.measure, seeds, OVERLAP);
        let relative = found.over(unit(study, folder, asked.measure, seeds));
        (found, relative, mean(&each) / oracle::std(&each))
    };
    let p = |found: &Found| match asked.margin {
        Some(margin) => found.of_equality(margin),
        None => found.two_sided(),
    };
    let simple = asked.cells.iter().map(|cell| {
        let (difference, relative, effect_size) = one(*cell);
        let (cell, data) = (CELLS[*cell].1.to_owned(), cell / 2);
        Compared {
            cell,
            data,
            difference,
            relative,
            effect_size: Some(effect_size),
            p: p(&relative),
        }
    });
    let twins = asked.twins.iter().map(|(first, second)| {
        let (a, b) = (one(*first), one(*second));
        let relative = a.1.less(b.1);
        let cell = format!("{} less {}", CELLS[*first].1, CELLS[*second].1);
        let (data, difference) = (first / 2, a.0.less(b.0));
        Compared { cell, data, difference, relative, effect_size: None, p: p(&relative) }
    });
    simple.chain(twins).collect()
}

fn judged(asked: &Asked, found: &Found, p: f64) -> &'static str {
    match asked.margin {
        _ if p < 0.05 && asked.margin.is_some() => "yes",
        // Beyond the margin, two-sided.
        Some(margin) => {
            let beyond = Found { mean: found.mean.abs() - margin, ..*found };
            if beyond.mean > 0.0 && beyond.two_sided() < 0.05 { "no" } else { "undecided" }
        }
        None if p >= 0.05 => "undecided",
        None if (found.mean > 0.0) == (asked.expect == "larger") => "yes",
        None => "no",
    }
}

/// Cells of one data set share windows: their errors are averaged; data sets are independent.
fn pooled(each: &[Compared]) -> Found {
    let sets: Vec<Vec<Found>> = [0, 1]
        .map(|data| each.iter().filter(|c| c.data == data).map(|c| c.relative).collect::<Vec<_>>())
        .into_iter()
        .filter(|set| !set.is_empty())
        .collect();
    let average = |set: &Vec<Found>, value: fn(&Found) -> f64| {
        mean(&set.iter().map(value).collect::<Vec<_>>())
    };
    let n = sets.len() as f64;
    let squares: Vec<f64> = sets.iter().map(|set| average(set, |f| f.error).powi(2)).collect();
    let least = |set: &Vec<Found>| set.iter().map(|f| f.freedom).fold(f64::INFINITY, f64::min);
    let inverse: f64 =
        squares.iter().zip(&sets).map(|(square, set)| square * square / least(set)).sum();
    let total: f64 = squares.iter().sum();
    Found {
        mean: mean(&sets.iter().map(|set| average(set, |f| f.mean)).collect::<Vec<_>>()),
        error: total.sqrt() / n,
        freedom: total * total / inverse,
    }
}

fn check_comparisons(study: &Study, seeds: &[u64]) {
    let lines = study.csv("comparisons.csv");
    let mut seen = 0;
    for claim in ["better", "slopes", "features", "same", "overfitting"] {
        let tests: Vec<Asked> = asked().into_iter().filter(|test| test.claim == claim).collect();
        let each: Vec<(&Asked, Compared)> = tests
            .iter()
            .flat_map(|test| {
                compared(study, test, seeds).into_iter().map(move |found| (test, found))
            })
            .collect();
        let adjusted = holm(&each.iter().map(|(_, found)| found.p).collect::<Vec<_>>());
        for ((test, found), p) in each.iter().zip(adjusted) {
            let what = format!("{}: {}", test.asks, found.cell);
            let mut of_this = lines
                .iter()
                .filter(|line| line["question"] == test.asks && line["cell"] == found.cell);
            let line = of_this.next().unwrap_or_else(|| panic!("{what} is missing"));
            assert_eq!((line["claim"].as_str(), of_this.count()), (claim, 0), "{what}");
            assert_eq!(line["expect"], test.expect, "{what}");
            near(&line["difference"], found.difference.mean, &format!("{what}: difference"));
            near(&line["standard_error"], found.difference.error, &format!("{what}: error"));
            near(
                &line["degrees_of_freedom"],
                found.difference.freedom,
                &format!("{what}: freedom"),
            );
            near(&line["relative"], found.relative.mean, &format!("{what}: relative"));
            match found.effect_size {
                Some(d) => near(&line["cohens_d"], d, &format!("{what}: d")),
                None => assert_eq!(line["cohens_d"], "", "{what}"),
            }
            // The ends of the interval are what is just rejected at 5 %.
            for (end, sign) in [("interval_low", -1.0), ("interval_high", 1.0)] {
                let reach = sign * (line[end].parse::<f64>().unwrap() - found.relative.mean);
                let p = Found { mean: reach, ..found.relative }.two_sided();
                assert!(reach > 0.0 && (p - 0.05).abs() < 1e-6, "{what}: {end}: {p}");
            }
            let shown: f64 = line["p_holm"].parse().unwrap();
            assert!((shown - p).abs() < 1e-6, "{what}: p = {shown}, not {p}");
            assert_eq!(line["outcome"], judged(test, &found.relative, p), "{what}");
            seen += 1;
        }
    }
    assert_eq!(seen, lines.len(), "lines that nothing explains");
}

#[test]
fn every_comparison_is_what_the_runs_say() {
    let study = Study::new();
    study.conduct();
    check_comparisons(&study, &SEEDS);
}

/// Of seeds 1 to 4 one arm lacks the first and the other the second: what is left of both is compared.
#[test]
fn seeds_that_only_one_arm_has_do_not_count() {
    let seeds = [1, 2, 3, 4];
    let study = Study::of(&PLAN.replace("seeds = [1, 2]", "seeds = [1, 2, 3, 4]"), &seeds);
    let cell = CELLS[PROBED].0;
    study.0.write(&format!("prepared/{cell}/x0/seed-1/exit"), "");
    study.0.write(&format!("prepared/{cell}/none/seed-2/exit"), "");
    study.conduct_with("small", ALL).expect_err("two runs fail");
    let lines = study.csv("comparisons.csv");
    for (asks, measure) in [("Better CRPS?", "test"), ("Better clean features?", "features-clean")]
    {
        let line =
            lines.iter().find(|line| line["question"] == asks && line["cell"] == CELLS[PROBED].1);
        let line = line.unwrap_or_else(|| panic!("{asks} is missing"));
        let (found, each) = difference(&study, cell, ["x0", "none"], measure, &[3, 4], OVERLAP);
        near(&line["difference"], found.mean, asks);
        near(&line["standard_error"], found.error, asks);
        near(&line["cohens_d"], mean(&each) / oracle::std(&each), asks);
    }
}

/// Four series of 70 windows, one series after the other: what moves at one time moves together, so the windows of
/// one time are one observation, their mean.
#[test]
fn windows_of_one_time_count_once() {
    let study = Study::new();
    let cell = CELLS[0].0;
    for (arm, seed) in [("none", 1), ("none", 2), ("x0", 1), ("x0", 2)] {
        let mut evaluation = study.prepared(cell, arm, seed, "evaluation.json");
        let series = |name: &str| json!({"name": name, "windows": 70, "crps": 1.0});
        evaluation["forecasters"][0]["test"]["by_series"] = ["a", "b", "c", "d"].map(series).into();
        let path = format!("prepared/{cell}/{arm}/seed-{seed}/evaluation.json");
        study.0.write(&path, &evaluation.to_string());
    }
    study.conduct();
    let windows = |arm: &str, seed: u64| {
        let evaluation = study.prepared(cell, arm, seed, "evaluation.json");
        list(&evaluation, "/forecasters/0/test/window_crps")
    };
    let by_time = |seed: &u64| -> Vec<f64> {
        let (a, b) = (windows("x0", *seed), windows("none", *seed));
        (0..70).map(|t| (0..4).map(|s| a[70 * s + t] - b[70 * s + t]).sum::<f64>() / 4.0).collect()
    };
    let found = of_windows(&SEEDS.iter().map(by_time).collect::<Vec<_>>(), OVERLAP);
    let lines = study.csv("comparisons.csv");
    let asked = |line: &&BTreeMap<String, String>| {
        line["question"] == "Better CRPS?" && line["cell"] == CELLS[0].1
    };
    let line = lines.iter().find(asked).unwrap();
    near(&line["difference"], found.mean, "mean");
    near(&line["standard_error"], found.error, "error");
    near(&line["degrees_of_freedom"], found.freedom, "freedom");
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
    // In the order of the plan, but that what came out as no comes first.
    let expected = [
        ("same", "no"),
        ("overfitting", "no"),
        ("better", "yes"),
        ("slopes", "undecided"),
        ("features", "partly"),
        ("models", "unknown"),
    ];
    assert_eq!(outcomes, expected);
    let answer = |asks: &str| -> &Value {
        let answers = claims.iter().flat_map(|claim| claim["answers"].as_array().unwrap());
        answers.into_iter().find(|answer| answer["asks"] == asks).unwrap()
    };
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
        assert_eq!(answer(asks)["outcome"], outcome, "{asks}");
    }
    for claim in ["better", "slopes", "features", "same", "overfitting"] {
        let tests: Vec<Asked> = asked().into_iter().filter(|test| test.claim == claim).collect();
        let found: Vec<Found> =
            tests.iter().map(|test| pooled(&compared(&study, test, &SEEDS))).collect();
        let p = |(test, found): (&Asked, &Found)| match test.margin {
            Some(margin) => found.of_equality(margin),
            None => found.two_sided(),
        };
        let p = holm(&tests.iter().zip(&found).map(p).collect::<Vec<_>>());
        for ((test, found), p) in tests.iter().zip(&found).zip(p) {
            let value = answer(test.asks);
            near(&value["pooled"]["mean"].to_string(), found.mean, test.asks);
            near(&value["pooled"]["error"].to_string(), found.error, test.asks);
            near(&value["pooled"]["freedom"].to_string(), found.freedom, test.asks);
            assert!((value["p_value"].as_f64().unwrap() - p).abs() < 1e-6, "{}: {p}", test.asks);
            assert_eq!(value["outcome"], judged(test, found, p), "{}", test.asks);
        }
    }
}

/// Rows of a cell's table by name.
fn rows<'a>(
    table: &'a [BTreeMap<String, String>],
    cell: &str,
) -> BTreeMap<&'a str, &'a BTreeMap<String, String>> {
    table
        .iter()
        .filter(|line| line["cell"] == cell)
        .map(|line| (line["row"].as_str(), line))
        .collect()
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
            let check = |column: &str, value: &dyn Fn(Scored) -> f64| {
                let each: Vec<f64> =
                    SEEDS.iter().map(|seed| value(scored(index, arm, *seed))).collect();
                near(&row[column], mean(&each), &format!("{label}, {arm}: {column}"));
                oracle::std(&each)
            };
            let read = |file: &str, path: &str| -> Vec<f64> {
                SEEDS
                    .iter()
                    .map(|seed| number(&study.prepared(folder, arm, *seed, file), path))
                    .collect()
            };
            let crps = read("evaluation.json", "/forecasters/0/test/crps_standardized");
            near(&row["crps"], mean(&crps), arm);
            near(&row["crps_std"], oracle::std(&crps), arm);
            let end = read("last/evaluation.json", "/forecasters/0/test/crps_standardized");
            near(&row["crps_end"], mean(&end), arm);
            near(&row["crps_end_std"], oracle::std(&end), arm);
            let gap = check("gap_end", &|s| s.gap_end);
            near(&row["gap_end_std"], gap, arm);
            check("log_score", &|s| s.log_score);
            check("slope", &|s| s.slope);
            near(&row["coverage_90"], 0.88, arm);
            near(&row["kl"], 1.0 + 0.25 * 1.5, arm);
            near(&row["active_units"], 1.5, arm);
            if index == PROBED {
                check("feature_r2", &|s| s.features[0]);
                near(&row["information"], 1.5, arm);
            } else {
                assert_eq!((row["feature_r2"].as_str(), row["information"].as_str()), ("", ""));
            }
            if arm == "none" {
                assert_eq!(row["less_reference"], "");
            } else {
                let (found, _) = difference(&study, folder, [arm, "none"], "test", &SEEDS, OVERLAP);
                near(&row["less_reference"], found.mean, arm);
                near(&row["less_reference_se"], found.error, arm);
            }
            assert_eq!((row["seeds"].as_str(), row["train_cpu_seconds"].is_empty()), ("2", false));
        }
        // Validation prefers λ = 2, the test windows do not.
        let tuned = rows["x₀, tuned (x₀, λ = 2)"];
        assert_eq!(tuned["crps"], rows["x0-two"]["crps"]);
        assert_ne!(tuned["crps"], rows["x0"]["crps"]);
        near(&rows["ridge"]["crps"], 0.52, "ridge");
        near(&rows["seasonal-naive"]["crps"], 0.57, "seasonal naive");
        assert_eq!(rows.len(), ARMS.len() + 3 + usize::from(index >= 2), "{:?}", rows.keys());
    }
}

/// One number says nothing of its spread.
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
    assert_eq!(of_seeds(&[1.0, 3.0]).error, 1.0);
}
