//! Forecasts that continue new rows, from a trained run.

use std::path::Path;

use data::Pipeline;
use feed::{DevicePanel, Stream, seed_batch};
use record::{Forecast, SeriesForecast};
use tch::{Kind, Tensor, no_grad};
use train::{Loaded, ProcessGroup, RunOptions, TrainError, set_threads, share_out};

/// Samples per forecast: fifty of them lie below the 5 % quantile.
const SAMPLES: i64 = 1000;

/// Forecasts the horizon after the last rows of `input` with the run at `path`, by the weights of its refit on all rows
/// if it has one.
///
/// The file is read as the training data were; each `data.KEY=VALUE` in `set` names a key of
/// [`Pipeline::READING_KEYS`] that differs in it. If the model was trained without gaps, those of the file are filled
/// ([`Pipeline::forecast_input_without_gaps`]) and listed in [`Forecast::filled`]. The processes of `group`, if there are
/// some, share the series.
///
/// # Errors
/// [`TrainError::Config`] if `set` names another key. If the run is incomplete or damaged, or the rows do not have the form of those it was trained on.
pub fn forecast(
    path: &Path,
    input: &Path,
    set: &[String],
    levels: &[f64],
    draw: u64,
    options: RunOptions,
    group: Option<&ProcessGroup>,
) -> Result<Forecast, TrainError> {
    let device = options.device.resolve()?;
    set_threads(options.threads);
    let run = Loaded::open(path)?;
    let data = &run.config.data;
    let fit = run.latest();
    let pipeline = fit.rereading(set)?;
    let input = match fit.masked() {
        true => pipeline.forecast_input(input),
        false => pipeline.forecast_input_without_gaps(input),
    };
    let input = input.map_err(|error| fit.other_reading(error))?;
    let channels = input.panel.channels();
    let mut trained = trained(&run, fit.pipeline(), channels.len());
    let mut panel = DevicePanel::of(&input.panel, data, device)?;
    if trained.contains(&false) {
        panel = panel.with_columns(&trained)?;
    }
    if !fit.masked() {
        panel = panel.without_masks();
    }
    let forecaster = fit.forecaster(&panel)?;
    if forecaster.autoencodes() {
        return Err(TrainError::NoForecast);
    }
    let names = channels.names()[channels.targets()].to_vec();
    trained.truncate(names.len());
    let starts: Vec<usize> = input.windows.starts().collect();
    let drawn = share_out(group, starts.len(), |index| {
        seed_batch(draw, Stream::Evaluation, index);
        let drawn = no_grad(|| sample(&forecaster, &panel, starts[index], SAMPLES))?;
        Ok(input.original(index, &Vec::<f32>::try_from(drawn)?)?)
    })?;
    let each = (drawn.len() / starts.len().max(1)).max(1);
    let series = drawn.chunks(each).enumerate().map(|(index, values)| {
        let mut values = values.to_vec();
        if trained.contains(&false) {
            let mut all = values.chunks(names.len()).map(<[f64]>::to_vec).collect::<Vec<_>>();
            all.iter_mut().for_each(|step| keep(step, &trained));
            values = all.concat();
        }
        let name = input.panel.series()[index].name().to_owned();
        let kept = trained.iter().filter(|kept| **kept).count();
        Ok(summarize(name, input.times(index)?, &values, kept, levels))
    });
    let series = series.collect::<Result<_, TrainError>>()?;
    let reading = input.panel.reading();
    let time_column = match reading.time_columns() {
        [only] => only.clone(),
        _ => "time".to_owned(),
    };
    let named = reading.id_column().is_some() || input.panel.series().len() > 1;
    let series_column = reading.id_column().unwrap_or("series").to_owned();
    let (mut channels, mut untrained) = (names.clone(), names);
    keep(&mut channels, &trained);
    untrained.retain(|name| !channels.contains(name));
    let (left_out, filled) = (input.left_out, input.filled);
    Ok(Forecast {
        time_column,
        time_zone: input.panel.time_zone(),
        series_column,
        named,
        channels,
        levels: levels.to_vec(),
        series,
        left_out,
        untrained,
        filled,
        refitted_on: fit.refitted_on(),
    })
}

/// Standardized samples of the horizon after one context, flattened to `[S · H · C]`.
fn sample(
    forecaster: &train::Forecaster,
    panel: &DevicePanel,
    start: usize,
    samples: i64,
) -> Result<Tensor, TrainError> {
    let start = Tensor::f_from_slice(&[start as i64])?.f_to(panel.device())?;
    let samples = forecaster.sample(&panel.gather(&start)?, samples)?;
    let flat = samples.f_contiguous()?.f_view([-1])?.f_to_kind(Kind::Float)?;
    Ok(flat.f_to(tch::Device::Cpu)?)
}

/// Whether each channel has a value in the training rows of some series: without one, its scale is not known.
fn trained(run: &Loaded, pipeline: &Pipeline, channels: usize) -> Vec<bool> {
    let unseen = pipeline.scaler().unseen();
    let series = |channel| unseen.iter().filter(|(_, other)| *other == channel).count();
    (0..channels).map(|channel| series(channel) < run.info.data.series).collect()
}

/// Keeps the values of the channels with `true`.
fn keep<T>(values: &mut Vec<T>, channels: &[bool]) {
    let mut channels = channels.iter();
    values.retain(|_| channels.next().copied().unwrap_or(true));
}

fn summarize(
    name: String,
    times: Vec<String>,
    samples: &[f64],
    channels: usize,
    levels: &[f64],
) -> SeriesForecast {
    let horizon = times.len();
    let draws = samples.len() / (horizon * channels);
    let mut mean = vec![Vec::with_capacity(channels); horizon];
    let mut quantiles = vec![Vec::with_capacity(channels); horizon];
    for step in 0..horizon {
        for channel in 0..channels {
            let at = |draw: usize| samples[(draw * horizon + step) * channels + channel];
            let mut sorted: Vec<f64> = (0..draws).map(at).collect();
            sorted.sort_by(f64::total_cmp);
            mean[step].push(sorted.iter().sum::<f64>() / draws as f64);
            let at = |level: &f64| stats::quantile(&sorted, *level).unwrap_or(f64::NAN);
            quantiles[step].push(levels.iter().map(at).collect());
        }
    }
    SeriesForecast { name, times, mean, quantiles, ..SeriesForecast::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: every sample is the index of its step and channel.
    #[test]
    fn samples_land_at_their_step_and_channel() {
        let (draws, horizon, channels) = (4, 2, 3);
        let samples: Vec<f64> =
            (0..draws * horizon * channels).map(|i| (i % (horizon * channels)) as f64).collect();
        let times = vec!["a".to_owned(), "b".to_owned()];
        let forecast = summarize("s".to_owned(), times, &samples, channels, &[0.1, 0.9]);
        assert_eq!(forecast.mean, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(forecast.quantiles[1][2], [5.0; 2]);
    }
}
