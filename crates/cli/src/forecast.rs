//! `ballast forecast`.

use std::path::{Path, PathBuf};

use anyhow::Error;
use ballast::auto::{self, Fitted, Form, Kept, Report, Table};
use ballast::record;
use ballast::train::{Mirror, RunOptions};

use crate::args::{Forecast, TableFormat};
use crate::automatic::{directory, options, read, stem, usage};
use crate::hints::{as_options, from_here};
use crate::together;
use terminal::{count, leave_stdout_to, print};

/// Charts on one page at most.
const MOST_CHARTS: usize = 100;

pub(crate) fn run(mut args: Forecast) -> Result<(), Error> {
    leave_stdout_to([args.output.as_deref(), args.picture.as_deref()]);
    args.levels.sort_by(f64::total_cmp);
    args.levels.dedup();
    if let Some(format) = args.format {
        check_ending(format, args.output.as_deref())?;
    }
    if let Some(output) = &args.output {
        record::Forecast::check_name(output)?;
        if args.samples.is_some() && output == Path::new("-") {
            let remedy = "name a file with `--output CSV`, or leave out `--samples`";
            return Err(usage("--output -", "stdout takes one table, not two", remedy));
        }
    }
    if let Some(member) = &args.member {
        auto::check_member(member)?;
    }
    if Kept::is_in(&args.source) {
        return from_pool(&args);
    }
    if args.source.join("run.json").exists() {
        return from_network(&args);
    }
    if args.input.is_some() {
        let message = "`--input` is for a run, and this is not one";
        return Err(usage(
            &args.source.display().to_string(),
            message,
            "leave out `--input`, or name a run",
        ));
    }
    from_table(&args)
}

/// The ending of the name of a table.
fn ending(format: TableFormat) -> &'static str {
    match format {
        TableFormat::Csv => "csv",
        TableFormat::Parquet => "parquet",
    }
}

/// Refuses an output whose name says another form, and one that this build cannot write.
fn check_ending(format: TableFormat, output: Option<&Path>) -> Result<(), Error> {
    let ending = ending(format);
    let Some(output) = output else {
        return Ok(record::Forecast::check_name(&PathBuf::from(format!("forecast.{ending}")))?);
    };
    let named = output.extension().is_some_and(|own| own.eq_ignore_ascii_case("parquet"));
    match named == (format == TableFormat::Parquet) {
        true => Ok(()),
        false => Err(usage(
            &format!("--format {ending}"),
            &format!("the name {} says another form", output.display()),
            &format!("let it end in `.{ending}`, or leave out `--format`"),
        )),
    }
}

/// Forecasts with the network of `ballast train`.
fn from_network(args: &Forecast) -> Result<(), Error> {
    let origin = args.source.display().to_string();
    let input = input(args)?;
    let Some(output) = &args.output else {
        return Err(usage(
            &origin,
            "the forecast has no place to go",
            "name it with `--output CSV`",
        ));
    };
    let of_pools = [
        ("--picture", args.picture.is_some()),
        ("--samples", args.samples.is_some()),
        ("--member", args.member.is_some()),
    ];
    refuse(&origin, &of_pools, "is for the run of `ballast forecast FILE`")?;
    let options = run_options(args);
    let levels = match args.levels.is_empty() {
        true => Form::default().levels,
        false => args.levels.clone(),
    };
    let (set, seed) = (&args.table.set, args.seed.unwrap_or(1));
    let group = together::group();
    let mirror = Mirror::new(group.as_deref(), &args.source)?;
    let (run, group) = (mirror.path(), group.as_deref());
    let forecast = ballast::evaluate::forecast(run, input, set, &levels, seed, options, group)?;
    if !together::is_first() {
        return Ok(());
    }
    forecast.write(output)?;
    remarks(&forecast)?;
    written(&forecast, output)
}

/// Forecasts with the pool that an earlier forecast kept.
fn from_pool(args: &Forecast) -> Result<(), Error> {
    let input = input(args)?;
    let kept = Kept::read(&args.source)?;
    let table = kept.table(input, &args.table.set)?;
    let seed = args.seed.unwrap_or_else(|| kept.seed());
    let group = together::group();
    let mirror = Mirror::new(group.as_deref(), &args.source)?;
    let mut fitted = Fitted::open(&kept, &table, mirror.path(), seed, run_options(args), group)?;
    let levels = if args.levels.is_empty() { kept.levels() } else { &args.levels };
    let ends = vec![table.known().to_vec()];
    write(args, input, &table, &mut fitted, &ends, levels)
}

/// The rows to forecast from with a run, which has chosen already what the other options would choose.
fn input(args: &Forecast) -> Result<&Path, Error> {
    let origin = args.source.display().to_string();
    let Some(input) = &args.input else {
        return Err(usage(
            &origin,
            "a run forecasts the rows that follow a table",
            "name it with `--input CSV`",
        ));
    };
    let table = &args.table;
    let (lengths, reading) = (&table.lengths, &table.reading);
    let of_fits = [
        ("--origins", args.origins.is_some()),
        ("--horizon", lengths.horizon.is_some()),
        ("--context", lengths.context.is_some()),
        ("--target", !reading.target.is_empty()),
        ("--frequency", reading.frequency.is_some()),
        ("--season", table.season.is_some()),
        ("--run", table.run.is_some()),
        ("--without-network", table.without_network),
    ];
    refuse(&origin, &of_fits, "is chosen when a table is fitted")?;
    let of_files = [
        ("--id", reading.id.is_some()),
        ("--time", !reading.time.is_empty()),
        ("--time-format", reading.time_format.is_some()),
    ];
    refuse(
        &origin,
        &of_files,
        "is known to the run; where the file differs, write `--set data.…`",
    )?;
    Ok(input)
}

/// The error for the first option that was given.
fn refuse(origin: &str, options: &[(&str, bool)], reason: &str) -> Result<(), Error> {
    match options.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(usage(origin, &format!("`{name}` {reason}"), &format!("leave out `{name}`")))
        }
        None => Ok(()),
    }
}

fn run_options(args: &Forecast) -> RunOptions {
    RunOptions {
        device: together::device(args.table.device),
        threads: args.table.threads.map(usize::from),
    }
}

/// Reads, chooses, fits and forecasts.
fn from_table(args: &Forecast) -> Result<(), Error> {
    let seed = args.seed.unwrap_or(1);
    let table = read(&args.source, &args.table)?;
    let horizon = table.horizon();
    let stride = args.stride.map_or(horizon, usize::from);
    let origins: Vec<Vec<usize>> = (0..usize::from(args.origins.unwrap_or(1)))
        .rev()
        .map(|k| table.known().iter().map(|rows| rows.saturating_sub(k * stride)).collect())
        .collect();
    let asked = format!("forecast {:?} {stride} {seed}", args.origins);
    let run = directory(&args.source, &args.table, &asked, &table)?;
    let options = options(&args.table, seed)?;
    let first: Vec<usize> = origins[0].iter().map(|end| (*end).max(1)).collect();
    let known = table.until(&first)?;
    let mirror = Mirror::new(options.group.as_deref(), &run)?;
    let mut fitted = Fitted::fit(&known, mirror.path(), &options)?;
    let levels = match args.levels.is_empty() {
        true => Form::default().levels,
        false => args.levels.clone(),
    };
    // With several origins the pool was fitted to the rows before the first.
    fitted.keep(&known, &levels).write(mirror.path())?;
    write(args, &args.source, &table, &mut fitted, &origins, &levels)?;
    Ok(print(format_args!("the run is kept in {}", run.display()))?)
}

/// Forecasts, and writes the forecast, its samples and its pictures, named after the table unless the arguments name
/// them.
fn write(
    args: &Forecast,
    file: &Path,
    table: &Table,
    fitted: &mut Fitted,
    origins: &[Vec<usize>],
    levels: &[f64],
) -> Result<(), Error> {
    let samples = args.samples.unwrap_or(0) as usize;
    let form = Form { levels: levels.to_vec(), samples, member: args.member.clone() };
    let forecast = auto::forecast(fitted, table, origins, &form)?;
    if !together::is_first() {
        return Ok(());
    }
    let first: Vec<usize> = origins[0].iter().map(|end| (*end).max(1)).collect();
    let report = Report::of(&table.until(&first)?, fitted, args.member.as_deref());
    let name = stem(file);
    let ending = ending(args.format.unwrap_or(TableFormat::Csv));
    let output = args.output.clone();
    let output = output.unwrap_or_else(|| PathBuf::from(format!("{name}-forecast.{ending}")));
    let picture =
        args.picture.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-forecast.html")));
    forecast.write(&output)?;
    if form.samples > 0 {
        let ending = output.extension().map_or("csv".into(), |ending| ending.to_string_lossy());
        let samples = output.with_file_name(format!("{}-samples.{ending}", stem(&output)));
        forecast.write_samples(&samples)?;
        let paths = count(form.samples, "sample path");
        print(format_args!("{paths} written to {}", samples.display()))?;
    }
    draw(table, &forecast, &report, &picture)?;
    print(from_here(&as_options(&report.to_string())))?;
    for note in table.notes() {
        print(format_args!("note: {note}"))?;
    }
    remarks(&forecast)?;
    written(&forecast, &output)?;
    Ok(print(format_args!("pictures in {}", picture.display()))?)
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
    Ok(print(format_args!(
        "{} series, {}, {} each, written to {}",
        forecast.series.len(),
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
