//! Experiment files: what is accepted, and how what is not is reported.

use std::path::Path;

use super::fake::{Fake, PLAN};
use crate::plan::Plan;

/// The message for the plan with one text replaced by another.
fn error(from: &str, to: &str) -> String {
    assert!(PLAN.contains(from), "{from}");
    let fake = Fake::new();
    fake.write("configs/experiments/trial.toml", &PLAN.replacen(from, to, 1));
    format!("{:#}", Plan::load(fake.root(), "trial").expect_err("should be refused"))
}

#[test]
fn a_plan_resolves_its_parts() {
    let plan = Fake::new().plan();
    assert_eq!(plan.base, Path::new("configs/base.toml"));
    assert_eq!(plan.arms[0].set, [("noise.schedule".to_owned(), "\"none\"".to_owned())]);
    assert_eq!(plan.arms[1].set, [("noise.input.reinject".to_owned(), "1.0".to_owned())]);
    assert_eq!((plan.reference, plan.claims[0].better, plan.claims[0].than), (0, 1, 0));
}

#[test]
fn nested_and_dotted_overrides_are_the_same() {
    let fake = Fake::new();
    let nested =
        PLAN.replace("{ \"noise.input.reinject\" = 1.0 }", "{ noise.input.reinject = 1.0 }");
    fake.write("configs/experiments/trial.toml", &nested);
    assert_eq!(fake.plan().arms[1].set, [("noise.input.reinject".to_owned(), "1.0".to_owned())]);
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let file = "configs/experiments/trial.toml";
    for (from, to, place, message) in [
        ("seeds =", "sedes =", ":5:1", "unknown field `sedes`"),
        ("seeds = [1, 2, 3]", "seeds = [1, 2, 1]", ":5:9", "seed 1 is there twice"),
        ("seeds = [1, 2, 3]", "seeds = []", ":5:9", "no seed"),
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
    let found = format!("{:#}", Plan::load(fake.root(), "trial").expect_err("refused"));
    assert!(found.starts_with("configs/base.toml:2:"), "{found}");
}

#[test]
fn an_unknown_experiment_is_told_which_there_are() {
    let fake = Fake::new();
    for name in ["trail", "../trial", ""] {
        let found = format!("{:#}", Plan::load(fake.root(), name).expect_err("refused"));
        assert!(found.ends_with("there are: trial"), "{found}");
    }
}

/// The experiments of this repository can be read.
#[test]
fn our_own_plans_are_in_order() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let quickstart = Plan::load(root, "quickstart").unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!((quickstart.arms.len(), quickstart.seeds.len()), (4, 3));
    Plan::load(root, "smoke").unwrap_or_else(|error| panic!("{error:#}"));
}
