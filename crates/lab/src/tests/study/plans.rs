//! The file of a study: what is accepted, and how mistakes are reported.

use std::fs;
use std::path::Path;

use toml::Table;

use super::scene::{self, PLAN};
use crate::places::Places;
use crate::plan::PlanFile;
use crate::study::{Choice, Study};

/// The message for a plan with one thing changed.
fn error(from: &str, to: &str) -> String {
    assert!(PLAN.contains(from), "{from}");
    let study = scene::Study::of(&PLAN.replacen(from, to, 1), &[]);
    let error = study.study("small").err().unwrap_or_else(|| panic!("no error: {to}"));
    format!("{error:#}")
}

#[test]
fn errors_name_file_line_and_column() {
    for (from, to, message) in [
        (
            "arms = [\"x0\", \"none\"]",
            "arms = [\"x9\"]",
            "no arm is named `x9`; there are: none, x0, x0-two, control",
        ),
        (
            "data = [\"weather\", \"ar\"]",
            "data = [\"sun\"]",
            "no data set is named `sun`; there are: weather, ar, etth1",
        ),
        ("percent = [10, 100]", "percent = [0, 100]", "0 is not from 1 to 100"),
        ("percent = [10, 100]", "percent = [101]", "101 is not from 1 to 100"),
        (
            "model = \"conditional\"",
            "model = \"large\"",
            "no model is named `large`; there are: conditional, predict",
        ),
        (
            "margin = 0.03\n",
            "",
            "a positive `margin` belongs to expect = \"equal\", and to nothing else",
        ),
        ("margin = 0.03\n", "margin = 0.0\n", "a positive `margin` belongs to"),
        (
            "expect = \"larger\"\n",
            "expect = \"larger\"\nmargin = 0.1\n",
            "a positive `margin` belongs to",
        ),
        ("name = \"control\"", "name = \"x0\"", "two arms are named `x0`"),
        ("name = \"x0-tuned\"", "name = \"x0\"", "two arms are named `x0`"),
        ("name = \"ar\"", "name = \"weather\"", "two data sets are named `weather`"),
        ("name = \"predict\"", "name = \"conditional\"", "two models are named `conditional`"),
        (
            "name = \"ar\"",
            "name = \"A/R\"",
            "the data set’s name `A/R` must be of lower-case letters, digits, `-` and `_`",
        ),
        ("seeds = [1, 2]", "seeds = [1]", "differences between seeds need at least 2 of them"),
        ("seeds = [1, 2]", "seeds = [1, 2, 1]", "seed 1 is there twice"),
        ("alpha = 0.05", "alpha = 5.0", "5 is not between 0 and 1"),
        ("alpha = 0.05", "alpha = 0.0", "0 is not between 0 and 1"),
        ("reference = \"none\"", "reference = \"nothing\"", "no arm is named `nothing`"),
        (
            "model = [\"predict\", \"conditional\"]",
            "model = [\"small\", \"conditional\"]",
            "no model is named `small`; there are: conditional, predict",
        ),
        (
            "config = \"../study/weather.toml\"",
            "config = \"../study/no.toml\"",
            "configs/study/no.toml: No such file",
        ),
        ("period = 14.0", "period = 1.0", "`period` is 1, but must be above 2"),
        ("measure = \"gap-end\"", "measure = \"gap\"", "unknown variant `gap`"),
        ("alpha = 0.05", "alpha = 0.05\nbeta = 1", "unknown field `beta`"),
    ] {
        let found = error(from, to);
        let place = found.split(": ").next().unwrap();
        let [file, line, column] = place.split(':').collect::<Vec<_>>()[..] else {
            panic!("{found}")
        };
        assert_eq!(file, "configs/experiments/study.toml", "{found}");
        assert!(found.contains(message), "{found}");
        // The line is one that was changed, or the one behind what was taken out.
        let line: usize = line.parse().unwrap();
        let changed = PLAN[..PLAN.find(from).unwrap()].lines().count();
        assert!(
            line.abs_diff(changed) <= 2 && column.parse::<usize>().unwrap() > 0,
            "{found}; {changed}"
        );
    }
}

#[test]
fn a_budget_that_is_not_there_is_named() {
    let study = scene::Study::of(PLAN, &[]);
    let error = study.study("huge").err().expect("no such budget").to_string();
    assert_eq!(error, "--budget huge: there are: full, small");
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn table(path: &str) -> Table {
    fs::read_to_string(workspace().join(path)).unwrap().parse().unwrap()
}

#[test]
fn the_plan_of_the_study_can_be_read() {
    for budget in ["small", "full"] {
        let file = PlanFile::read(workspace(), "study").unwrap();
        let places = Places::with_cache(None, None).unwrap();
        let (budget, command) = (budget.to_owned(), String::new());
        let choice = Choice { budget, places, device: None, command };
        Study::new(workspace(), file, choice).unwrap_or_else(|error| panic!("{error:#}"));
    }
}

/// `ᾱ` of each step of a linear schedule.
fn linear(start: f64, end: f64, steps: usize) -> Vec<f64> {
    let beta = |t: usize| start + (end - start) * t as f64 / (steps as f64 - 1.0);
    (0..steps)
        .scan(1.0, |product, t| {
            *product *= 1.0 - beta(t);
            Some(*product)
        })
        .collect()
}

/// The settings of an arm of the study.
fn arm(name: &str) -> Table {
    let plan = table("configs/experiments/study.toml");
    let arms = plan["arm"].as_array().unwrap();
    let arm = arms.iter().find(|arm| arm["name"].as_str() == Some(name)).unwrap();
    arm["set"].as_table().unwrap().clone()
}

/// Oracle: of windows with x₀ added back, `(√ᾱ + 1) x₀ + √(1 − ᾱ) ε`, noise is `s²/(a² + s²)` of the variance; the
/// mean over the steps is the one step of the arm.
#[test]
fn jitter_is_as_strong_as_reinjection_on_average() {
    let noise = &table("configs/study/weather.toml")["noise"];
    let number = |key: &str| noise[key].as_float().unwrap();
    let schedule = (noise["schedule"].as_str(), noise["steps"].as_integer());
    assert_eq!(schedule, (Some("linear"), Some(100)));
    assert_eq!((number("beta_start"), number("beta_end")), (1e-4, 0.1));
    let shares = linear(1e-4, 0.1, 100).into_iter().map(|alpha_bar| {
        let (signal, noise) = ((alpha_bar.sqrt() + 1.0).powi(2), 1.0 - alpha_bar);
        noise / (signal + noise)
    });
    let mean = shares.sum::<f64>() / 100.0;
    let jitter = arm("jitter");
    let betas = jitter["noise.betas"].as_array().unwrap();
    assert_eq!((betas.len(), jitter["noise.steps"].as_integer()), (1, Some(1)));
    let beta = betas[0].as_float().unwrap();
    assert!((beta - mean).abs() < 1e-14, "{beta}, not {mean}");
}

/// The words of the plan about its schedules.
#[test]
fn schedules_are_what_their_names_say() {
    let end = |start, end| *linear(start, end, 100).last().unwrap();
    assert!((end(1e-4, 0.1) - 0.006).abs() < 0.0005, "{}", end(1e-4, 0.1));
    let low = arm("low-noise")["noise.beta_end"].as_float().unwrap();
    assert!((end(1e-4, low) - 0.5).abs() < 0.005, "{}", end(1e-4, low));
    let high = arm("high-plain")["noise.betas"].as_array().unwrap()[0].as_float().unwrap();
    assert!((10.0 * ((1.0 - high) / high).log10() + 12.8).abs() < 0.05);
    assert_eq!(arm("high-x0")["noise.betas"], arm("high-plain")["noise.betas"]);
}
