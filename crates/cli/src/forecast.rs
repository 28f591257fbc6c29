//! `ballast forecast`.

use anyhow::Error;
use ballast::train::RunOptions;

use crate::args::Forecast;
use crate::output::print;

pub(crate) fn run(args: Forecast) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: None };
    let forecast =
        ballast::evaluate::forecast(&args.run, &args.input, &args.set, args.seed, options)?;
    forecast.write_csv(&args.output)?;
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
    Ok(print(format_args!(
        "{} series, {} channels, {} steps each, written to {}",
        forecast.series.len(),
        forecast.channels.len(),
        forecast.series.first().map_or(0, |series| series.times.len()),
        args.output.display()
    ))?)
}
