//! `ballast evaluate`.

use anyhow::Error;
use train::{
    Differences, DropLast, EvaluateOptions, Evaluation, LatentHealth, PointError, RunOptions,
    Scored,
};

use crate::args::Evaluate;

pub(crate) fn run(args: Evaluate) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: args.threads.map(usize::from) };
    let asked = EvaluateOptions {
        stride: args.stride.map(usize::from),
        dump: args.dump,
        last: args.last,
        folder: args.output,
    };
    let (evaluation, folder) = train::evaluate_runs(&args.runs, options, &asked)?;
    println!("{}", head(&evaluation));
    println!("{}", table(&evaluation.forecasters));
    if let Some(supplement) = &evaluation.supplement {
        let windows = supplement.forecasters.first().map_or(0, |first| first.test.windows);
        println!("\nevery {} rows: {windows} test windows", supplement.stride);
        println!("{}", table(&supplement.forecasters));
    }
    if let Some(drop_last) = &evaluation.drop_last {
        println!("\n{}\n", point_errors(drop_last));
    }
    println!(
        "difference: the model's CRPS less theirs, ± one standard error over windows (and seeds);"
    );
    println!("            * where its 95 % interval leaves out zero");
    let zeros = evaluation.forecasters.first().map_or(0, |first| first.test.zero_windows);
    if zeros > 0 {
        println!(
            "note: {zeros} windows are zero throughout and left out of CRPS and NMAE, which are relative"
        );
    }
    for left_out in &evaluation.left_out {
        println!("note: left out: {left_out}");
    }
    println!("{}", health(&evaluation.health));
    println!("written to {} and scores.csv", folder.join("evaluation.json").display());
    if let Some(dump) = &asked.dump {
        println!("samples written to {}", dump.display());
    }
    Ok(())
}

fn head(evaluation: &Evaluation) -> String {
    let Evaluation { forecasters, samples, horizon, channels, .. } = evaluation;
    let windows = forecasters.first().map_or(0, |first| first.test.windows);
    let count = channels.len();
    format!(
        "{windows} test windows of {horizon} steps, {count} channels, {samples} samples, original units"
    )
}

/// The model and the baselines, one line each; the best CRPS is marked.
fn table(forecasters: &[Scored]) -> String {
    let best = forecasters.iter().map(|f| f.test.crps).fold(f64::INFINITY, f64::min);
    let mut lines = vec![format!(
        "{:<20}  {:>8} {:>8} {:>10} {:>6} {:>6} {:>9} {:>7}  {}",
        "", "CRPS", "NMAE", "MSE", "50 %", "90 %", "log score", "skill", "difference"
    )];
    for Scored { name, test, difference, .. } in forecasters {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let log_score = test.log_score.map_or("–".to_owned(), |nats| format!("{nats:.3}"));
        let line = format!(
            "{name:<20} {}{:>8.4} {:>8.4} {:>10} {:>6} {:>6} {log_score:>9} {}",
            if test.crps == best { ">" } else { " " },
            test.crps,
            test.nmae,
            number(test.mse),
            percent(test.coverage.half),
            percent(test.coverage.ninety),
            compared(difference.as_ref()),
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Squared errors as D-Va's code counts them, beside all windows.
fn point_errors(drop_last: &DropLast) -> String {
    let DropLast { batch, kept, forecasters } = drop_last;
    let mut lines = vec![
        "squared error of the mean forecast, standardized, mean over series;".to_owned(),
        format!("D-Va keeps whole batches of {batch} windows of each series, {kept} in all"),
        format!("{:<20}  {:>8} {:>8}  {}", "", "D-Va's", "all", "all, less zero's"),
    ];
    for PointError { name, kept, all, to_zero } in forecasters {
        let less = to_zero.filter(|_| name != "zero").map_or(String::new(), |less| {
            format!("{:+.4} ± {:.4}{}", less.mean, less.error, if less.decided { " *" } else { "" })
        });
        lines.push(format!("{name:<20}  {kept:>8.4} {all:>8.4}  {less}").trim_end().to_owned());
    }
    lines.join("\n")
}

/// Four digits of a score whose size the unit decides.
fn number(value: f64) -> String {
    if (0.1..1e5).contains(&value) { format!("{value:.4}") } else { format!("{value:.3e}") }
}

/// Skill and paired difference.
fn compared(differences: Option<&Differences>) -> String {
    let Some(Differences { crps, skill, .. }) = differences else { return String::new() };
    let skill =
        if skill.is_finite() { format!("{:+.1} %", 100.0 * skill) } else { "–".to_owned() };
    match crps {
        None => format!("{skill:>7}"),
        Some(crps) => {
            let mark = if crps.decided { " *" } else { "" };
            format!("{skill:>7}  {:+.4} ± {:.4}{mark}", crps.mean, crps.error)
        }
    }
}

/// The latent variables in one line, and what is wrong with them in one each.
fn health(health: &LatentHealth) -> String {
    let kl: f64 = health.kl_per_dim.iter().flatten().sum();
    let units: usize = health.kl_per_dim.iter().map(Vec::len).sum();
    let active: usize = health.active_units.iter().sum();
    let mut lines = vec![format!(
        "latent: KL {kl:.2} nats, {active} of {units} units active, a better posterior could gain {:.2} nats",
        health.iwae - health.elbo
    )];
    lines.extend(health.findings.iter().map(|finding| format!("note: {finding}")));
    lines.join("\n")
}
