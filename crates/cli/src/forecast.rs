//! `ballast forecast`.

use anyhow::Error;
use ballast::train::RunOptions;

use crate::args::Forecast;
use crate::output::print;

pub(crate) fn run(args: Forecast) -> Result<(), Error> {
    let options = RunOptions { device: args.device, threads: None };
    let forecast = ballast::evaluate::forecast(&args.run, &args.input, args.seed, options)?;
    forecast.write_csv(&args.output)?;
    Ok(print(format_args!(
        "{} series, {} channels, {} steps each, written to {}",
        forecast.series.len(),
        forecast.channels.len(),
        forecast.series.first().map_or(0, |series| series.times.len()),
        args.output.display()
    ))?)
}
