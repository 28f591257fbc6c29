//! `ballast backtest`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Error;
use ballast::auto::{Backtest, Origins, Score, Table, Wanted, backtest};
use ballast::record::RecordError;
use ballast::train::{Config, Mirror, TrainError};
use serde_json::json;

use crate::args;
use crate::automatic::{directory, options, read, stem, usage};
use crate::scores::{LEGEND, details, lines};
use crate::together;
use terminal::{leave_stdout_to, print};

pub(crate) fn run(args: args::Backtest) -> Result<(), Error> {
    let started = Instant::now();
    leave_stdout_to([args.output.as_deref(), args.json.as_deref(), args.picture.as_deref()]);
    let given = given(&args)?;
    let table = match &given {
        Some(config) => of_config(config, &args)?,
        None => read(&args.file, &args.table)?,
    };
    let horizon = table.horizon();
    let stride = args.stride.map_or(horizon, usize::from);
    let origins = match args.rows {
        Some(rows) => Origins::part(rows, stride, horizon),
        None => Origins::folds(args.folds.into(), stride, horizon),
    };
    let network = given.as_ref().map(Config::to_toml).transpose()?.unwrap_or_default();
    let asked = format!("backtest {origins:?} {} {}{network}", args.refit, args.seed);
    let run = directory(&args.file, &args.table, &asked, &table)?;
    let group = together::group();
    let mirror = Mirror::new(group.as_deref(), &run)?;
    let mut options = options(&args.table, args.seed)?;
    if given.is_some() {
        options.overrides.clear(); // the config has them
    }
    options.config = given;
    let found = backtest(&table, &origins, args.refit, mirror.path(), &options)?;
    if !together::is_first() {
        return Ok(());
    }
    let scores = found.scores();
    for line in lines(&scores) {
        print(line)?;
    }
    print(LEGEND)?;
    for line in details(&scores) {
        print(line)?;
    }
    if let Some(path) = &args.output {
        found.write_csv(path)?;
        print(format_args!("every window and step written to {}", path.display()))?;
    }
    let picture = args.picture.clone();
    let picture = picture.unwrap_or_else(|| format!("{}-backtest.html", stem(&args.file)).into());
    draw(&found, &table, &picture)?;
    print(format_args!("pictures in {}", picture.display()))?;
    if let Some(path) = &args.json {
        let content = summary(&found, &scores, started);
        ballast::files::write_json(path, &content).map_err(RecordError::writing(path))?;
    }
    Ok(())
}

/// The config that the arguments name, if they name one.
fn given(args: &args::Backtest) -> Result<Option<Config>, Error> {
    if args.file.extension().is_none_or(|ending| ending != "toml") {
        return Ok(None);
    }
    Ok(Some(Config::load(&args.file, &args.table.set).map_err(TrainError::from)?))
}

/// The table of a config, whose keys the other options would contradict.
fn of_config(config: &Config, args: &args::Backtest) -> Result<Table, Error> {
    let args::TableArgs { lengths, reading, .. } = &args.table;
    let options = [
        ("--horizon", "horizon", lengths.horizon.is_some()),
        ("--context", "context", lengths.context.is_some()),
        ("--target", "targets", !reading.target.is_empty()),
        ("--id", "id", reading.id.is_some()),
        ("--time", "time", !reading.time.is_empty()),
        ("--time-format", "time_format", reading.time_format.is_some()),
        ("--frequency", "frequency", reading.frequency.is_some()),
    ];
    if let Some((name, key, _)) = options.iter().find(|(.., given)| *given) {
        let message = format!("`{name}` is a key of the config");
        let hint = format!("write `--set data.{key}=…`");
        return Err(usage(&args.file.display().to_string(), &message, &hint));
    }
    let of_config = Some(config.evaluate.season).filter(|season| *season > 0);
    let wanted = Wanted {
        horizon: Some(config.data.horizon),
        context: Some(config.data.context),
        season: args.table.season.or(of_config),
        data: config.data.clone(),
    };
    Ok(Table::read(&wanted)?)
}

/// Writes the page, or the first chart alone as SVG.
fn draw(found: &Backtest, table: &Table, path: &Path) -> Result<(), Error> {
    let content = match path.extension().is_some_and(|ending| ending == "svg") {
        true => {
            let first = found.windows.first();
            first.and_then(|w| found.picture(table, w.series, w.channel)).unwrap_or_default()
        }
        false => found.page(table),
    };
    Ok(ballast::files::write_text(path, &content).map_err(RecordError::writing(path))?)
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
