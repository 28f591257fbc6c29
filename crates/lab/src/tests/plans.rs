//! Experiment files of arms: what is accepted, and how mistakes are reported.

use std::path::Path;

use super::fake::{Fake, PLAN};
use crate::arms::Arms;
use crate::plan::{PlanFile, parse, settings};

/// The message for the plan with one text replaced by another.
fn error(from: &str, to: &str) -> String {
    assert!(PLAN.contains(from), "{from}");
    let fake = Fake::new();
    fake.write("configs/experiments/trial.toml", &PLAN.replacen(from, to, 1));
    format!("{:#}", fake.arms().err().unwrap_or_else(|| panic!("should be refused: {to}")))
}

#[test]
fn nested_and_dotted_settings_are_the_same() {
    for text in [
        "\"noise.input.reinject\" = 1.0",
        "noise.input.reinject = 1.0",
        "[noise.input]\nreinject = 1.0",
    ] {
        let table = parse(Path::new("x.toml"), text).unwrap();
        assert_eq!(settings(&table), [("noise.input.reinject".to_owned(), "1.0".to_owned())]);
    }
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let file = "configs/experiments/trial.toml";
    for (from, to, place, message) in [
        ("seeds =", "sedes =", ":5:1", "unknown field `sedes`"),
        ("seeds = [1, 2, 3]", "seeds = [1, 2, 1]", ":5:9", "seed 1 is there twice"),
        ("seeds = [1, 2, 3]", "seeds = []", ":5:9", "there is no seed in it"),
        (
            "title =",
            "kind = \"elbo\"\ntitle =",
            ":2:8",
            "unknown variant `elbo`, expected one of `arms`",
        ),
        ("seeds = [1, 2, 3]", "seeds = [1, -2]", ":5:13", "invalid value"),
        (
            "reference = \"none\"",
            "reference = \"nome\"",
            ":6:13",
            "no arm is named `nome`; there are: none, x0",
        ),
        ("name = \"x0\"", "name = \"X0\"", ":14:8", "must be of lower-case letters"),
        ("name = \"x0\"", "name = \"../x0\"", ":14:8", "must be of lower-case letters"),
        ("name = \"x0\"", "name = \"report.html\"", ":14:8", "must be of lower-case letters"),
        ("name = \"x0\"", "name = \"none\"", ":14:8", "two arms are named `none`"),
        ("better = \"x0\"", "better = \"y0\"", ":20:10", "no arm is named `y0`"),
        ("measure = \"gap\"", "measure = \"gab\"", ":27:11", "unknown variant `gab`"),
        ("../base.toml", "../bass.toml", ":4:8", "configs/bass.toml: No such file"),
        ("\"noise.schedule\" = \"none\"", "seed = 4", ":9:8", "an arm cannot set `seed`"),
        ("title = \"Does it <help>?\"", "title = ", ":2:9", ""),
    ] {
        let found = error(from, to);
        assert!(found.starts_with(&format!("{file}{place}: ")), "{to}: {found}");
        assert!(found.contains(message), "{to}: {found}");
        assert!(!found.contains('\n'), "one line: {found}");
    }
}

#[test]
fn a_base_that_is_not_toml_is_reported_in_its_own_file() {
    let fake = Fake::new();
    fake.write("configs/base.toml", "[data]\nsource = \n");
    let found = format!("{:#}", fake.arms().err().expect("refused"));
    assert!(found.starts_with("configs/base.toml:2:"), "{found}");
}

#[test]
fn an_unknown_experiment_is_told_which_there_are() {
    let fake = Fake::new();
    for name in ["trail", "../trial", ""] {
        let found = format!("{:#}", PlanFile::read(fake.root(), name).expect_err("refused"));
        assert!(found.ends_with("there are: trial"), "{found}");
    }
}

/// The experiments of this repository can be read.
#[test]
fn our_own_plans_are_in_order() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for name in ["quickstart", "smoke"] {
        let file = PlanFile::read(root, name).unwrap();
        Arms::new(root, file).unwrap_or_else(|error| panic!("{error:#}"));
    }
}
