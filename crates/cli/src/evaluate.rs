//! `ballast evaluate`.

use anyhow::Error;
use train::{Evaluation, LatentHealth, RunOptions};

use crate::args::Evaluate;

pub(crate) fn run(args: Evaluate) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: args.threads.map(usize::from) };
    let evaluation = train::evaluate_run(&args.run, options)?;
    println!("{}", table(&evaluation));
    let zeros = evaluation.forecasters.first().map_or(0, |first| first.test.zero_windows);
    if zeros > 0 {
        println!(
            "note: {zeros} windows are zero throughout and left out of CRPS and NMAE, which are relative"
        );
    }
    println!("{}", health(&evaluation.health));
    println!("written to {}", args.run.join("evaluation.json").display());
    Ok(())
}

/// The model and the baselines, one line each; the best CRPS is marked.
fn table(evaluation: &Evaluation) -> String {
    let Evaluation { forecasters, samples, horizon, channels, .. } = evaluation;
    let windows = forecasters.first().map_or(0, |first| first.test.windows);
    let best = forecasters.iter().map(|f| f.test.crps).fold(f64::INFINITY, f64::min);
    let mut lines = vec![
        format!(
            "{windows} test windows of {horizon} steps, {} channels, {samples} samples, original units",
            channels.len()
        ),
        format!(
            "{:<20} {:>8} {:>8} {:>10} {:>10} {:>6} {:>6} {:>6}",
            "", "CRPS", "NMAE", "MAE", "MSE", "50 %", "80 %", "90 %"
        ),
    ];
    for forecaster in forecasters {
        let scores = &forecaster.test;
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        lines.push(format!(
            "{:<20} {:>8.4} {:>8.4} {:>10.4} {:>10.4} {:>6} {:>6} {:>6}{}",
            forecaster.name,
            scores.crps,
            scores.nmae,
            scores.mae,
            scores.mse,
            percent(scores.coverage.half),
            percent(scores.coverage.eighty),
            percent(scores.coverage.ninety),
            if scores.crps == best { "  *" } else { "" },
        ));
    }
    lines.join("\n")
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
