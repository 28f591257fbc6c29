//! `ballast evaluate`.

use std::path::Path;

use anyhow::Error;
use ballast::auto::Kept;
use ballast::evaluate::EvaluateOptions;
use ballast::record::{Differences, DropLast, Evaluation, LatentHealth, PointError, Scored};
use ballast::stats::Difference;
use ballast::train::RunOptions;

use crate::args::Evaluate;
use crate::automatic::usage;
use crate::scores::{LEGEND, details, lines};
use crate::table::Table;
use crate::together;
use terminal::{count, leave_stdout_to, print};

pub(crate) fn run(args: Evaluate) -> Result<(), Error> {
    leave_stdout_to([args.dump.as_deref()]);
    if let Some(pool) = args.runs.iter().find(|run| Kept::is_in(run)) {
        return of_pool(pool, &args);
    }
    let options = RunOptions {
        device: together::device(args.device),
        threads: args.threads.map(usize::from),
    };
    let asked = EvaluateOptions {
        stride: args.stride.map(usize::from),
        dump: args.dump,
        last: args.last,
        folder: args.output,
        group: together::group(),
    };
    let (evaluation, folder) = ballast::evaluate::evaluate_runs(&args.runs, options, &asked)?;
    print(head(&evaluation))?;
    print(table(&evaluation.forecasters))?;
    if let Some(supplement) = &evaluation.supplement {
        let windows = supplement.forecasters.first().map_or(0, |first| first.test.windows);
        let every = match supplement.stride {
            1 => "row".to_owned(),
            stride => format!("{stride} rows"),
        };
        print(format_args!("\na window every {every}: {}", count(windows, "test window")))?;
        print(table(&supplement.forecasters))?;
    }
    if let Some(drop_last) = &evaluation.drop_last {
        print(format_args!("\n{}\n", point_errors(drop_last)))?;
    }
    print(
        "difference: CRPS of the model minus CRPS of the baseline, ± its standard error over windows (and seeds);",
    )?;
    print("            * if its 95 % interval excludes zero")?;
    let zeros = evaluation.forecasters.first().map_or(0, |first| first.test.zero_windows);
    if zeros > 0 {
        print(format_args!(
            "note: {zeros} windows are zero throughout; CRPS and NMAE, which are relative, leave them out"
        ))?;
    }
    for left_out in &evaluation.left_out {
        print(format_args!("note: left out: {left_out}"))?;
    }
    print(health(&evaluation.health))?;
    print(format_args!("written to {} and scores.csv", folder.join("evaluation.json").display()))?;
    if let Some(dump) = &asked.dump {
        print(format_args!("samples written to {}", dump.display()))?;
    }
    Ok(())
}

/// The pool that `ballast forecast FILE` kept, beside its members, on the rows by which they were weighed.
fn of_pool(run: &Path, args: &Evaluate) -> Result<(), Error> {
    let origin = run.display().to_string();
    if args.runs.len() > 1 {
        return Err(usage(
            &origin,
            "the run of a pool is not one of several seeds",
            "evaluate it by itself",
        ));
    }
    let of_tests = [
        ("--stride", args.stride.is_some()),
        ("--dump", args.dump.is_some()),
        ("--last", args.last),
        ("--output", args.output.is_some()),
    ];
    if let Some((name, _)) = of_tests.iter().find(|(_, given)| *given) {
        let message = format!("`{name}` is for a run with test rows, and a pool has none");
        let hint = "leave it out, or score every window with `ballast backtest FILE --output CSV`";
        return Err(usage(&origin, &message, hint));
    }
    let kept = Kept::read(run)?;
    let scores = kept.scores();
    let Some(pool) = scores.first() else {
        return Ok(print("the rows were too few for a past forecast: there is nothing to score")?);
    };
    print(format_args!(
        "{} past forecasts of up to {} steps, by members that had not seen these rows; original units",
        pool.windows,
        pool.by_step.len(),
    ))?;
    lines(scores)
        .into_iter()
        .chain([LEGEND.to_owned()])
        .chain(details(scores))
        .try_for_each(print)?;
    print(
        "note: these rows chose the weights, the intervals and the epoch of the network, so the scores of the pool and of the \
         network are somewhat too good; `ballast backtest FILE` scores rows that chose nothing",
    )?;
    Ok(())
}

fn head(evaluation: &Evaluation) -> String {
    let Evaluation { forecasters, samples, horizon, channels, .. } = evaluation;
    let windows = forecasters.first().map_or(0, |first| first.test.windows);
    format!(
        "{} of {}, {}, {}, original units",
        count(windows, "test window"),
        count(*horizon, "step"),
        count(channels.len(), "channel"),
        count(*samples, "sample")
    )
}

/// One line for the model and for each baseline; the best CRPS is marked.
fn table(forecasters: &[Scored]) -> String {
    let best = forecasters.iter().map(|f| f.test.crps).fold(f64::INFINITY, f64::min);
    let headings = ["", "CRPS", "NMAE", "MSE", "50 %", "90 %", "log score", "skill", "difference"];
    let mut table = Table::new(headings).ragged();
    for Scored { name, test, difference, .. } in forecasters {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let mark = if test.crps == best { "> " } else { "" };
        let [skill, difference] = compared(difference.as_ref());
        table.row([
            name.clone(),
            format!("{mark}{:.4}", test.crps),
            format!("{:.4}", test.nmae),
            number(test.mse),
            percent(test.coverage.half),
            percent(test.coverage.ninety),
            test.log_score.map_or("–".to_owned(), |nats| format!("{nats:.3}")),
            skill,
            difference,
        ]);
    }
    table.lines().join("\n")
}

/// Squared errors as D-Va's code counts them, beside those of all windows.
fn point_errors(drop_last: &DropLast) -> String {
    let DropLast { batch, kept, forecasters } = drop_last;
    let mut lines = vec![
        "squared error of the mean forecast, standardized, mean over series;".to_owned(),
        format!("D-Va keeps whole batches of {batch} windows of each series, {kept} in all"),
    ];
    let mut table = Table::new(["", "D-Va's", "all", "all minus zero"]).ragged();
    for PointError { name, kept, all, to_zero } in forecasters {
        let difference = to_zero.filter(|_| name != "zero").map_or(String::new(), paired);
        table.row([name.clone(), format!("{kept:.4}"), format!("{all:.4}"), difference]);
    }
    lines.extend(table.lines());
    lines.join("\n")
}

/// A score with four digits, in scientific notation where the unit of the data makes it very small or large.
fn number(value: f64) -> String {
    if (0.1..1e5).contains(&value) { format!("{value:.4}") } else { format!("{value:.3e}") }
}

/// Skill and paired difference.
fn compared(differences: Option<&Differences>) -> [String; 2] {
    let Some(Differences { crps, skill, .. }) = differences else { return Default::default() };
    let skill =
        if skill.is_finite() { format!("{:+.1} %", 100.0 * skill) } else { "–".to_owned() };
    [skill, crps.map_or(String::new(), paired)]
}

/// A mean difference ± its standard error, marked if its interval excludes zero.
fn paired(difference: Difference) -> String {
    let mark = if difference.decided { " *" } else { "" };
    format!("{:+.4} ± {:.4}{mark}", difference.mean, difference.error)
}

/// One line about the latent variables, and one for each problem that was found with them.
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
