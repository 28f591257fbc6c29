//! `ballast forecast`.

use std::path::{Path, PathBuf};

use anyhow::Error;
use ballast::auto::{self, Fitted, Form, Report, Table};
use ballast::record;
use ballast::train::RunOptions;

use crate::args::Forecast;
use crate::automatic::{directory, options, read, stem, usage};
use crate::output::{leave_stdout_to, print};

/// Charts on one page at most.
const MOST_CHARTS: usize = 100;

pub(crate) fn run(mut args: Forecast) -> Result<(), Error> {
    leave_stdout_to([args.output.as_deref(), args.picture.as_deref()]);
    args.levels.sort_by(f64::total_cmp);
    args.levels.dedup();
    if let Some(output) = &args.output {
        record::Forecast::check_name(output)?;
        if args.samples.is_some() && output == Path::new("-") {
            let remedy = "name a file with `--output CSV`, or leave out `--samples`";
            return Err(usage("--output -", "stdout takes one table, not two", remedy));
        }
    }
    if args.source.join("run.json").exists() {
        return from_run(&args);
    }
    if args.input.is_some() {
        let message = "`--input` is for a trained run, and this is not one";
        return Err(usage(
            &args.source.display().to_string(),
            message,
            "leave out `--input`, or name a run",
        ));
    }
    from_table(&args)
}

/// Forecasts with a trained run.
fn from_run(args: &Forecast) -> Result<(), Error> {
    let origin = args.source.display().to_string();
    let Some(input) = &args.input else {
        return Err(usage(
            &origin,
            "a run forecasts the rows that follow a table",
            "name it with `--input CSV`",
        ));
    };
    let Some(output) = &args.output else {
        return Err(usage(
            &origin,
            "the forecast has no place to go",
            "name it with `--output CSV`",
        ));
    };
    let threads = args.table.threads.map(usize::from);
    let options = RunOptions { device: args.table.device, threads };
    let (set, levels) = (&args.table.set, &args.levels);
    let forecast =
        ballast::evaluate::forecast(&args.source, input, set, levels, args.seed, options)?;
    forecast.write(output)?;
    remarks(&forecast)?;
    written(&forecast, output)
}

/// Reads, chooses, fits and forecasts.
fn from_table(args: &Forecast) -> Result<(), Error> {
    let table = read(&args.source, &args.table)?;
    let horizon = table.horizon();
    let stride = args.stride.map_or(horizon, usize::from);
    let origins: Vec<Vec<usize>> = (0..usize::from(args.origins.unwrap_or(1)))
        .rev()
        .map(|k| table.known().iter().map(|rows| rows.saturating_sub(k * stride)).collect())
        .collect();
    let asked = format!("forecast {:?} {stride} {}", args.origins, args.seed);
    let run = directory(&args.source, &args.table, &asked, &table)?;
    let options = options(&args.table, args.seed)?;
    let first: Vec<usize> = origins[0].iter().map(|end| (*end).max(1)).collect();
    let known = table.until(&first)?;
    let mut fitted = Fitted::fit(&known, &run, &options)?;
    let form = Form { levels: args.levels.clone(), samples: args.samples.unwrap_or(0) as usize };
    let forecast = auto::forecast(&mut fitted, &table, &origins, &form)?;
    let report = Report::of(&known, &fitted);
    let name = stem(&args.source);
    let output =
        args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-forecast.csv")));
    let picture =
        args.picture.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-forecast.html")));
    forecast.write(&output)?;
    if form.samples > 0 {
        let ending = output.extension().map_or("csv".into(), |ending| ending.to_string_lossy());
        let samples = output.with_file_name(format!("{}-samples.{ending}", stem(&output)));
        forecast.write_samples(&samples)?;
        print(format_args!("{} sample paths written to {}", form.samples, samples.display()))?;
    }
    draw(&table, &forecast, &report, &picture)?;
    print(&report)?;
    remarks(&forecast)?;
    written(&forecast, &output)?;
    let kept = match run.exists() {
        true => format!(", the run in {}", run.display()),
        false => String::new(),
    };
    Ok(print(format_args!("pictures in {}{kept}", picture.display()))?)
}

fn remarks(forecast: &record::Forecast) -> Result<(), Error> {
    for filled in &forecast.filled {
        print(format_args!("note: {filled}"))?;
    }
    for channel in &forecast.untrained {
        print(format_args!(
            "channel `{channel}` is left out: it had no value in the rows of the training"
        ))?;
    }
    for left_out in &forecast.left_out {
        print(format_args!("series `{}` is left out: {}", left_out.series, left_out.reason))?;
    }
    if let Some(rows) = forecast.refitted_on {
        print(format_args!("forecast by the weights that were fitted again on all {rows} rows"))?;
    }
    Ok(())
}

fn written(forecast: &record::Forecast, output: &Path) -> Result<(), Error> {
    let count = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    };
    let series = match forecast.series.len() {
        1 => "1 series".to_owned(),
        many => format!("{many} series"),
    };
    Ok(print(format_args!(
        "{series}, {}, {} each, written to {}",
        count(forecast.channels.len(), "channel"),
        count(forecast.series.first().map_or(0, |series| series.times.len()), "step"),
        output.display()
    ))?)
}

/// Writes the charts: all on one page, or the first alone as SVG.
fn draw(
    table: &Table,
    forecast: &record::Forecast,
    report: &Report,
    path: &Path,
) -> Result<(), Error> {
    let all = forecast
        .series
        .iter()
        .flat_map(|series| (0..forecast.channels.len()).map(move |channel| (series, channel)));
    let mut charts = all.map(|(series, channel)| auto::picture(table, forecast, series, channel));
    let content = match path.extension().is_some_and(|ending| ending == "svg") {
        true => charts.next().unwrap_or_default(),
        false => auto::page(report, &charts.take(MOST_CHARTS).collect::<Vec<_>>()),
    };
    Ok(ballast::files::write_text(path, &content).map_err(record::RecordError::writing(path))?)
}
