//! The report: one HTML file that needs no script and no network.

use std::fmt::Write as _;

use chart::escape;

use super::arms::Run;
use super::figures::{self, Figure};
use super::machine::Machine;
use super::number::{duration, plain};
use super::plan::Plan;
use super::read::Finished;
use super::runner::Origin;
use super::summary::Summary;
use super::table::{self, caption};
use super::verdict::Outcome;

const STYLE: &str = include_str!("report.css");

/// The whole page.
pub(super) fn html(plan: &Plan, runs: &[Run], summary: &Summary, machine: &Machine) -> String {
    let mut page = open(&plan.title, &plan.question);
    verdict(summary, &mut page);
    scores(summary, &mut page);
    let any = runs.iter().any(|run| run.outcome.is_ok());
    if any {
        section(
            &mut page,
            "Learning",
            "Training data are noised and validation data are not, so \
            the two losses of an arm need not meet; compare the validation curves between arms.",
        );
        charts(&mut page, &figures::learning(plan, runs));
        if let Some((source, fans)) = figures::fans(plan, runs, summary) {
            let text = format!("Of the best arm ({source}), chosen by their CRPS.");
            section(&mut page, "A good, a median and a bad forecast", &text);
            charts(&mut page, &fans);
        }
        section(&mut page, "Calibration and noise", "");
        let both = [figures::calibration(plan, runs, summary), figures::noise(plan, runs)];
        charts(&mut page, &both.into_iter().flatten().collect::<Vec<_>>());
    }
    every_run(plan, runs, &mut page);
    what_was_run(plan, runs, machine, &mut page);
    limits(plan, summary, &mut page);
    page += "</main>\n</body>\n</html>\n";
    page
}

/// Everything up to and with the heading; the caller closes main, body and html.
pub(super) fn open(title: &str, question: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"cargo xtask experiment\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"question\">{question}</p>\n",
        title = escape(title),
        question = escape(question),
    )
}

pub(super) fn section(page: &mut String, title: &str, text: &str) {
    let _ = writeln!(page, "<h2>{}</h2>", escape(title));
    if !text.is_empty() {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(text));
    }
}

pub(super) fn charts(page: &mut String, figures: &[Figure]) {
    *page += "<div class=\"charts\">\n";
    for Figure { svg, caption } in figures {
        let caption = escape(caption);
        let _ = writeln!(page, "<figure>\n{svg}<figcaption>{caption}</figcaption>\n</figure>");
    }
    *page += "</div>\n";
}

fn verdict(summary: &Summary, page: &mut String) {
    *page += "<ul class=\"answers\">\n";
    for answer in &summary.answers {
        let class = match answer.outcome {
            Outcome::Yes => "yes",
            Outcome::No => "no",
            Outcome::Undecided | Outcome::Unknown => "open",
        };
        let _ = writeln!(
            page,
            "<li class=\"{class}\"><b>{}.</b>{}<span>{}</span></li>",
            answer.outcome.word(),
            escape(&answer.question),
            escape(&answer.evidence),
        );
    }
    *page += "</ul>\n<p class=\"note\">Differences of the standardized CRPS, paired by window and \
              seed, ± one standard error; smaller is better. Beyond two standard errors a claim \
              is answered, within them it is undecided.</p>\n";
    for warning in &summary.warnings {
        let _ = writeln!(page, "<p class=\"warning\">{}</p>", escape(warning));
    }
}

fn scores(summary: &Summary, page: &mut String) {
    section(page, "Scores", "");
    let grid = table::page(summary);
    *page += &grid.html("forecaster");
    let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(&caption(summary)));
    *page += &grid.legend();
    charts(page, &figures::scores(summary));
}

fn every_run(plan: &Plan, runs: &[Run], page: &mut String) {
    section(
        page,
        "Every run",
        "Each number above comes from these folders, which lie beside this \
        file: config.toml, metrics.jsonl, run.json, evaluation.json, log.txt.",
    );
    *page += "<div class=\"scroll\"><table class=\"runs\">\n<thead><tr><th scope=\"col\">run</th>\
              <th scope=\"col\">test CRPS</th><th scope=\"col\">standardized</th>\
              <th scope=\"col\">epochs (best)</th><th scope=\"col\">training</th></tr></thead>\n";
    for (index, arm) in plan.arms.iter().enumerate() {
        let _ = writeln!(page, "<tbody id=\"runs-{}\">", escape(&arm.name));
        for run in runs.iter().filter(|run| run.arm == index) {
            // Relative to the report, so that the folder can be moved as a whole.
            let here = run.shown.splitn(3, '/').nth(2).unwrap_or(&run.shown);
            let _ = write!(page, "<tr><td><a href=\"{0}/\">{0}</a></td>", escape(here));
            match &run.outcome {
                Ok(finished) => {
                    let (info, test) = (&finished.info, &finished.model().test);
                    let count = |n: Option<u64>| n.map_or("–".to_owned(), |n| n.to_string());
                    let kept = if run.origin == Origin::OtherCode { " (other code)" } else { "" };
                    let _ = write!(
                        page,
                        "<td>{}</td><td>{}</td><td>{} ({})</td><td>{}{kept}</td>",
                        plain(test.crps),
                        plain(test.crps_standardized),
                        count(info.epochs),
                        count(info.best_epoch),
                        duration(info.wall_seconds),
                    );
                }
                Err(failure) => {
                    let (reason, tail) =
                        (escape(&failure.reason), escape(&failure.tail.join("\n")));
                    let _ = write!(
                        page,
                        "<td colspan=\"4\">failed: {reason}; \
                         <a href=\"{here}/log.txt\">log.txt</a><pre>{tail}</pre></td>",
                        here = escape(here),
                    );
                }
            }
            *page += "</tr>\n";
        }
        *page += "</tbody>\n";
    }
    *page += "</table></div>\n";
}

fn what_was_run(plan: &Plan, runs: &[Run], machine: &Machine, page: &mut String) {
    section(page, "What was run", "");
    let _ = writeln!(page, "<pre>cargo xtask experiment {}</pre>\n<dl>", escape(&plan.name));
    let finished = runs.iter().find_map(|run| run.outcome.as_ref().ok());
    for (name, value) in facts(plan, finished, machine) {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(&value));
    }
    *page += "</dl>\n";
    let commands: Vec<&str> =
        runs.iter().flat_map(|run| &run.commands).map(String::as_str).collect();
    for (title, text) in [
        ("Each run by itself", commands.join("\n")),
        (&*plan.file.display().to_string(), plan.text.clone()),
        (&*plan.base.display().to_string(), plan.base_text.clone()),
    ] {
        let (title, text) = (escape(title), escape(&text));
        let _ = writeln!(page, "<details><summary>{title}</summary><pre>{text}</pre></details>");
    }
}

/// Name and value of what is worth knowing about code, machine and data.
fn facts(
    plan: &Plan,
    finished: Option<&Finished>,
    machine: &Machine,
) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(run) = finished {
        let (info, evaluation) = (&run.info, &run.evaluation);
        if let Some(data) = &info.data {
            let name = data.name.clone().unwrap_or_else(|| "unnamed".to_owned());
            let rows = data.rows.map_or(String::new(), |rows| format!(", {rows} rows"));
            let hash = data.fingerprint.as_ref();
            let hash = hash.map_or(String::new(), |h| format!(", fingerprint {}", short(h)));
            facts.push(("data", format!("{name}{rows}{hash}")));
            if let Some(w) = &data.windows {
                let (train, validation, test) = (w.train, w.validation, w.test);
                let text = format!("{train} training, {validation} validation, {test} test");
                facts.push(("windows", text));
            }
        }
        let task = format!(
            "{} rows to {} of {}; {} samples per forecast",
            evaluation.context,
            evaluation.horizon,
            evaluation.channels.join(", "),
            evaluation.samples
        );
        facts.push(("task", task));
        let threads = info.threads.map_or(String::new(), |n| format!(", {n} thread(s) per run"));
        facts.push(("device", format!("{}{threads}", info.device)));
        facts.push(("parameters", info.parameters.to_string()));
        facts.extend(info.ballast.clone().map(|v| ("ballast", v)));
        facts.extend(info.libtorch.clone().map(|v| ("libtorch", v)));
    }
    let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
    facts.push(("seeds", seeds.join(", ")));
    facts.extend(machine.commit.clone().map(|v| ("commit", v)));
    facts.extend(machine.compiler.clone().map(|v| ("compiler", v)));
    let processor = machine.processor.clone().unwrap_or_else(|| "unknown processor".to_owned());
    let memory = machine.memory_gib.map_or(String::new(), |gib| format!(", {gib:.1} GiB"));
    facts.push(("machine", format!("{processor}, {} threads{memory}", machine.threads)));
    facts.extend(machine.system.clone().map(|v| ("system", v)));
    facts.push(("written", machine.written.clone()));
    facts
}

fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}

fn limits(plan: &Plan, summary: &Summary, page: &mut String) {
    section(page, "Limits", "");
    let arms = summary.rows.iter().filter(|row| row.kind == "arm").count();
    let (seeds, comparisons) = (plan.seeds.len(), summary.answers.len());
    let list = [
        format!(
            "One data set, one split in time, {seeds} seed(s): what holds here may not hold elsewhere."
        ),
        format!(
            "{comparisons} claims are tested without correction for their number, and the best of \
             {arms} arms is chosen by the very scores it is then compared with."
        ),
        format!(
            "Standard errors cover test windows (neighbors overlap, which is accounted for with \
             Newey–West weights) and seeds, of which {seeds} say little about their spread."
        ),
        "Models are chosen by their validation score, so overfitting after that epoch does not \
         reach the test score; the learning curves show it."
            .to_owned(),
        "The CRPS of the first column is in original units and pools channels: large ones \
         dominate. The standardized one weighs channels alike, and decides."
            .to_owned(),
    ];
    *page += "<ul>\n";
    list.iter().for_each(|item| *page += &format!("<li>{}</li>\n", escape(item)));
    *page += "</ul>\n";
}
