//! The report, as a reader sees it.

use super::scene::{CELLS, Study};
use crate::tests::fake::ALL;

/// Values of an attribute, in order.
fn values(page: &str, attribute: &str) -> Vec<String> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_no_comes_first() {
    let study = Study::new();
    study.conduct();
    let page = study.read("report.html");
    let body = page.split("<ul class=\"answers\">").nth(1).unwrap();
    // A claim ends with the list of its tests.
    let claims: Vec<&str> = body.split("</ul></details></li>").take(6).collect();
    let word = |claim: &&'_ str| {
        let (_, start) = claim.split_once("<li class=\"").unwrap();
        start.split("</b>").next().unwrap().to_owned()
    };
    let words: Vec<String> = claims.iter().map(word).collect();
    let expected = [
        "no\"><b>No.",
        "no\"><b>No.",
        "yes\"><b>Yes.",
        "open\"><b>Undecided.",
        "open\"><b>In part.",
        "open\"><b>Unknown.",
    ];
    assert_eq!(words, expected);
    assert!(
        claims[1].contains("It overfits &lt;less&gt;.") && !page.contains("It overfits <less>")
    );
    let markdown = study.read("table.md");
    let claims: Vec<&str> =
        markdown.lines().filter(|line| line.starts_with("- **")).take(6).collect();
    for (claim, start) in claims.iter().zip([
        "- **No.** The control is the same. 1 of 2 tests say yes, 1 no; the clearest: The same gap? ",
        "- **No.** It overfits <less>. 2 of 4 tests say yes, 1 no; the clearest: Better at the end? ",
        "- **Yes.** It forecasts better. 2 of 2 tests say yes, 0 no; the clearest: Better ",
        "- **Undecided.** It is less biased. 0 of 1 tests say yes, 0 no",
        "- **In part.** Features are better. 1 of 2 tests say yes, 0 no; the clearest: Better clean ",
        "- **Unknown.** More so of the other model. 0 of 1 tests say yes, 0 no",
    ]) {
        assert!(claim.starts_with(start), "{claim}");
    }
}

#[test]
fn evidence_stands_beside_each_answer() {
    let study = Study::new();
    study.conduct();
    let markdown = study.read("table.md");
    let line = |asks: &str| {
        markdown.lines().find(|line| line.starts_with(&format!("  - {asks}"))).unwrap()
    };
    let better = line("Better CRPS?");
    assert!(better.starts_with("  - Better CRPS? *Yes*: test CRPS, chosen epoch −7."), "{better}");
    assert!(better.ends_with("; 4 of 4 cells alone say yes, 0 no."), "{better}");
    assert!(better.contains(" %; p < .001, strong evidence; "), "{better}");
    assert!(line("Less biased?").contains("; p = ."));
    let same = line("The same CRPS?");
    assert!(same.contains("(equal means within ± 3.0 %)"), "{same}");
    let gap = line("The same gap?");
    assert!(gap.contains("no evidence of equality at this level;"), "{gap}");
    assert!(line("Of the other model?").ends_with("*Unknown*: runs are missing."));
    let clean = line("Better clean features?");
    assert!(
        clean.contains("feature R², clean windows +0.1998") && clean.contains("1 of 1 cell alone "),
        "{clean}"
    );
}

#[test]
fn the_report_needs_nothing_but_itself() {
    let study = Study::new();
    study.conduct();
    let page = study.read("report.html").replace("http://www.w3.org/2000/svg", "");
    for forbidden in [
        "<script",
        "http:",
        "https:",
        "@import",
        "url(",
        "src=",
        "NaN",
        "inf,",
        "<added>",
        "<simulated>",
    ] {
        assert!(!page.contains(forbidden), "`{forbidden}` in the report");
    }
    let charts = page.matches("<svg ").count();
    // Gap, features, steps, latent, learning, fans, calibration.
    assert_eq!(charts, 2 + 1 + 1 + 1 + 1 + 3 + 2);
    for part in ["role=\"img\"", "<title id=", "<desc id="] {
        assert_eq!(page.matches(part).count(), charts, "{part}");
    }
    let text = page.split("<h2>").collect::<Vec<_>>();
    for (section, part) in [
        ("Every cell", "Weather, 10 %"),
        ("Every comparison", "More so on few rows?"),
        ("Every run", "32 of 32 planned runs finished, 0 failed."),
        ("What was run", "<pre>cargo xtask experiment study</pre>"),
        ("Limits", "2 seeds"),
    ] {
        let found = text
            .iter()
            .find(|text| text.starts_with(section))
            .unwrap_or_else(|| panic!("no {section}"));
        assert!(found.contains(part), "{section}");
    }
    assert!(page.contains(
        "ballast evaluate runs/study/weather-conditional-10/none/seed-1 --last --device cpu"
    ));
}

#[test]
fn identifiers_are_unique_and_links_lead_somewhere() {
    let study = Study::new();
    study.conduct();
    let page = study.read("report.html");
    let ids = values(&page, "id");
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{id} is there twice");
    }
    for named in values(&page, "aria-labelledby").iter().flat_map(|names| names.split(' ')) {
        assert!(ids.iter().any(|id| id == named), "{named}");
    }
    let mut folders = 0;
    for link in values(&page, "href").iter().filter(|link| *link != "data:,") {
        assert!(study.0.root().join("runs/study").join(link).exists(), "{link}");
        folders += 1;
    }
    assert_eq!(folders, 32);
}

#[test]
fn a_study_with_no_result_at_all_still_reports() {
    let study = Study::new();
    for (folder, _) in CELLS {
        for arm in super::scene::ARMS {
            for seed in [1, 2] {
                study.0.write(&format!("prepared/{folder}/{arm}/seed-{seed}/exit"), "");
            }
        }
    }
    study.conduct_with("small", ALL).expect_err("all runs fail");
    let page = study.read("report.html");
    assert!(page.contains("0 of 32 planned runs finished, 32 failed.") && !page.contains("NaN"));
    let outcomes = study.results();
    assert!(
        outcomes["claims"].as_array().unwrap().iter().all(|claim| claim["outcome"] == "unknown")
    );
}
