//! `ballast evaluate`.

use anyhow::Error;
use train::{Evaluation, RunOptions};

use crate::args::Evaluate;

pub(crate) fn run(args: Evaluate) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: args.threads };
    let evaluation = train::evaluate_run(&args.run, options)?;
    println!("{}", table(&evaluation));
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
