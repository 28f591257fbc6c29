//! `ballast backtest`.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Error;
use ballast::auto::{Backtest, Origins, Score, backtest};
use ballast::record::RecordError;
use serde_json::json;

use crate::args;
use crate::automatic::{directory, options, read};
use crate::output::{leave_stdout_to, print};
use crate::table::Table;

pub(crate) fn run(args: args::Backtest) -> Result<(), Error> {
    let started = Instant::now();
    leave_stdout_to([args.output.as_deref(), args.json.as_deref()]);
    let table = read(&args.file, &args.table)?;
    let horizon = table.horizon();
    let stride = args.stride.map_or(horizon, usize::from);
    let origins = match args.rows {
        Some(rows) => Origins::part(rows, stride, horizon),
        None => Origins::folds(args.folds.into(), stride, horizon),
    };
    let asked = format!("backtest {origins:?} {} {}", args.refit, args.seed);
    let run = directory(&args.file, &args.table, &asked, &table)?;
    let found = backtest(&table, &origins, args.refit, &run, &options(&args.table, args.seed)?)?;
    let scores = found.scores();
    for line in lines(&scores) {
        print(line)?;
    }
    print(
        "CRPS over the mean of |y|; difference: CRPS minus that of the pool ± its standard error,\n\
         * if its 95 % interval excludes zero; 80 %: share of the truth inside the 80 % intervals",
    )?;
    if let Some(path) = &args.output {
        found.write_csv(path)?;
        print(format_args!("every window and step written to {}", path.display()))?;
    }
    if let Some(path) = &args.json {
        let content = summary(&found, &scores, started);
        ballast::files::write_json(path, &content).map_err(RecordError::writing(path))?;
    }
    Ok(())
}

fn lines(scores: &[Score]) -> Vec<String> {
    let mut table = Table::new(["", "CRPS", "80 %", "windows", "difference"]).ragged();
    for score in scores {
        let difference = score.difference.map_or(String::new(), |difference| {
            let star = if difference.decided { " *" } else { "" };
            format!("{:+.4} ± {:.4}{star}", difference.mean, difference.error)
        });
        table.row([
            score.forecaster.clone(),
            format!("{:.4}", score.crps),
            format!("{:.0} %", 100.0 * score.coverage_80),
            score.windows.to_string(),
            difference,
        ]);
    }
    table.lines()
}

fn summary(found: &Backtest, scores: &[Score], started: Instant) -> serde_json::Value {
    let weights = found.weights.iter().map(|own| {
        let members: BTreeMap<&String, f64> =
            own.members.iter().zip(own.weights.iter().copied()).collect();
        json!({ "fold": own.fold, "series": own.series, "channel": own.channel, "members": members })
    });
    json!({
        "version": 1,
        "forecasters": scores,
        "weights": weights.collect::<Vec<_>>(),
        "seconds": { "wall": started.elapsed().as_secs_f64() },
    })
}
