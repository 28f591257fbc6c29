//! Verdict, tables and report, as a reader sees them.

use std::path::Path;

use super::bench::Bench;
use super::fake::{ALL, Fake, PLAN, Skill};
use super::study::scene::Study;

/// The outcomes of the answers, in order, with their questions.
fn outcomes(fake: &Fake) -> Vec<(String, String)> {
    fake.conduct(ALL).unwrap();
    let results = fake.results();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let answers = results["answers"].as_array().unwrap();
    answers.iter().map(|a| (text(&a["outcome"]), text(&a["question"]))).collect()
}

#[test]
fn a_clear_gain_is_a_yes() {
    let fake = Fake::new();
    let found = outcomes(&fake);
    assert!(found.iter().all(|(outcome, _)| outcome == "yes"), "{found:?}");
    assert_eq!(
        found[2].1,
        "Does the best arm, x₀ re-injection, forecast better than the best baseline, ridge?"
    );
    let results = fake.results();
    let evidence = results["answers"][0]["evidence"].as_str().unwrap();
    assert!(
        evidence.starts_with("test CRPS 0.3600 against 0.4000, difference −0.0400 ± 0.00"),
        "{evidence}"
    );
    assert!(evidence.ends_with("over 3 seeds"), "{evidence}");
}

#[test]
fn a_loss_comes_first() {
    let fake = Fake::new();
    for seed in 1..=3 {
        fake.prepare("none", seed, Skill { test: 0.40, gap: 0.10 }, 0.30);
        fake.prepare("x0", seed, Skill { test: 0.36, gap: 0.02 }, 0.30);
    }
    let found = outcomes(&fake);
    assert_eq!(found[0].0, "no");
    assert!(found[0].1.contains("the best baseline, ridge"), "{found:?}");
    assert_eq!(found[1].0, "yes");
    let report = fake.read("runs/trial/report.html");
    let body = report.split("<main>").nth(1).unwrap();
    assert!(body.find("<b>No.</b>") < body.find("<b>Yes.</b>"));
}

#[test]
fn a_difference_within_error_is_undecided() {
    let fake = Fake::new();
    for (seed, test) in [(1, 0.39), (2, 0.42), (3, 0.40)] {
        fake.prepare("x0", seed, Skill { test, gap: 0.10 }, 0.38);
    }
    assert_eq!(outcomes(&fake)[1].0, "undecided", "{:?}", outcomes(&fake));
}

#[test]
fn the_markdown_table_marks_the_best() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let table = fake.read("runs/trial/table.md");
    let x0 = table.lines().find(|line| line.starts_with("| x₀ re-injection |")).unwrap();
    assert!(x0.contains("| **0.2520 ± 0.0007** | **0.3600 ± 0.0010** | −0.0400 ± "), "{x0}");
    let none = table.lines().find(|line| line.starts_with("| no noise |")).unwrap();
    assert!(none.contains("| 0.2800 ± 0.0007 |") && none.contains("| – |"), "{none}");
    assert!(table.contains("| ridge | 0.2660 |"), "seeds do not move this baseline\n{table}");
    let widths: Vec<usize> =
        table.lines().take_while(|l| !l.is_empty()).map(|l| l.matches('|').count()).collect();
    assert!(widths.iter().all(|w| *w == widths[0]), "{table}");
}

#[test]
fn the_report_needs_nothing_but_itself() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let page = fake.read("runs/trial/report.html");
    let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
    for forbidden in ["<script", "http:", "https:", "@import", "url(", "src=", "NaN"] {
        assert!(!without_namespace.contains(forbidden), "`{forbidden}` in the report");
    }
    assert!(page.contains("<title>Does it &lt;help&gt;?</title>") && !page.contains("<help>"));
    let charts = page.matches("<svg ").count();
    assert_eq!(charts, 2 + 3 + 3 + 2, "scores, learning, fans, calibration and noise");
    assert_eq!(page.matches("role=\"img\"").count(), charts);
    assert_eq!(page.matches("<desc ").count(), charts);
}

#[test]
fn identifiers_are_unique_and_links_lead_somewhere() {
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let page = fake.read("runs/trial/report.html");
    let values = |attribute: &str| -> Vec<String> {
        let start = format!(" {attribute}=\"");
        let parts = page.split(&start).skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let ids = values("id");
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id} is there twice");
    }
    let mut folders = 0;
    for link in values("href").iter().filter(|link| *link != "data:,") {
        match link.strip_prefix('#') {
            Some(id) => assert!(ids.iter().any(|other| other == id), "{link}"),
            None => {
                assert!(fake.root().join("runs/trial").join(link).exists(), "{link}");
                folders += 1;
            }
        }
    }
    assert_eq!(folders, 6);
}

#[test]
fn the_report_says_how_to_repeat_it() {
    let fake = Fake::new();
    fake.write("configs/experiments/trial.toml", &PLAN.replace("seeds", "device = \"cpu\"\nseeds"));
    fake.conduct(ALL).unwrap();
    let page = fake.read("runs/trial/report.html");
    for part in [
        "cargo xtask experiment trial",
        "ballast train configs/base.toml --set &#39;noise.schedule=&quot;none&quot;&#39; --seed 1 \
         --run runs/trial/none/seed-1 --no-events --device cpu",
        "ballast evaluate runs/trial/none/seed-1 --device cpu",
        "seattle-weather, 1461 rows",
        "988 training, 140 validation, 280 test",
        "<dt>libtorch</dt><dd>2.11.0</dd>",
    ] {
        assert!(page.contains(part), "`{part}` is missing");
    }
}

/// Reports of all kinds in `runs/look`, to be looked at in a browser at several widths.
#[test]
#[ignore = "for people: leaves reports in runs/look"]
fn reports_to_look_at() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../runs/look"));
    std::fs::create_dir_all(folder).unwrap();
    let fake = Fake::new();
    fake.conduct(ALL).unwrap();
    let bench = Bench::new();
    bench.conduct();
    let study = Study::new();
    study.conduct();
    for (name, page) in [
        ("arms", fake.read("runs/trial/report.html")),
        ("benchmarks", bench.0.read("runs/benchmarks/report.html")),
        ("study", study.read("report.html")),
    ] {
        std::fs::write(folder.join(name).with_extension("html"), page).unwrap();
    }
}
