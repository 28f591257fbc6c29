//! Forecasts that continue new rows, from a trained run.

use std::io;
use std::path::Path;

use data::{DataError, Filled, LeftOut, Pipeline};
use feed::{DevicePanel, Stream, seed};
use record::RecordError;
use tch::{Kind, Tensor, no_grad};
use train::{Config, ConfigError, Loaded, RunOptions, TrainError, set_threads};

/// Levels of the quantiles in a forecast.
const LEVELS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
/// Samples per forecast: fifty of them lie below the 5 % quantile.
const SAMPLES: i64 = 1000;

/// Quantiles of the horizon that follows each series of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The column of times in the file, or `time` where it has several or none.
    pub time_column: String,
    /// The column of series in the file, or `series` where it has none.
    pub series_column: String,
    /// Whether the file names its series.
    pub named: bool,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// One entry per series.
    pub series: Vec<SeriesForecast>,
    /// Series of the file that cannot be forecast, and why.
    pub left_out: Vec<LeftOut>,
    /// Channels without a value in the training rows of any series, which are not forecast.
    pub untrained: Vec<String>,
    /// Gaps of the file that were filled, for a model that was trained without gaps.
    pub filled: Vec<Filled>,
    /// Number of rows that the weights were fitted on, if they are those of a refit on all rows.
    pub refitted_on: Option<usize>,
}

/// Samples of the horizon that follows each series of a file, from which a [`Forecast`] is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The forecast without its series.
    pub about: Forecast,
    /// One entry per series.
    pub series: Vec<SeriesSamples>,
}

/// Samples of the forecast of one series, in original units.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSamples {
    /// Name of the series.
    pub name: String,
    /// Times of the steps, `[H]`.
    pub times: Vec<String>,
    /// Samples, `[S · H · C]`, with the channels of the forecast.
    pub values: Vec<f64>,
}

/// The forecast of one series, in original units.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesForecast {
    /// Name of the series.
    pub name: String,
    /// Times of the steps, `[H]`.
    pub times: Vec<String>,
    /// Means, `[H][C]`.
    pub mean: Vec<Vec<f64>>,
    /// Quantiles at 5, 10, 25, 50, 75, 90 and 95 %, `[H][C][7]`.
    pub quantiles: Vec<Vec<[f64; 7]>>,
}

/// Forecasts the horizon after the last rows of `input` with the run at `path`, by the weights of its refit on all rows
/// if it has one.
///
/// The file is read as the training data were; each `data.KEY=VALUE` in `set` names a key of
/// [`Pipeline::READING_KEYS`] that differs in it. If the model was trained without gaps, those of the file are filled
/// ([`Pipeline::forecast_input_without_gaps`]) and listed in [`Forecast::filled`].
///
/// # Errors
/// [`TrainError::Config`] if `set` names another key. If the run is incomplete or damaged, or the rows do not have the form of those it was trained on.
pub fn forecast(
    path: &Path,
    input: &Path,
    set: &[String],
    draw: u64,
    options: RunOptions,
) -> Result<Forecast, TrainError> {
    let Sampled { about, series } = forecast_samples(path, input, set, SAMPLES, draw, options)?;
    let channels = about.channels.len();
    let series = series
        .into_iter()
        .map(|SeriesSamples { name, times, values }| summarize(name, times, &values, channels));
    Ok(Forecast { series: series.collect(), ..about })
}

/// As [`forecast`], but returns the samples themselves, `samples` for each series.
///
/// # Errors
/// As [`forecast`].
pub fn forecast_samples(
    path: &Path,
    input: &Path,
    set: &[String],
    samples: i64,
    draw: u64,
    options: RunOptions,
) -> Result<Sampled, TrainError> {
    let device = options.device.resolve()?;
    set_threads(options.threads);
    let run = Loaded::open(path)?;
    let data = &run.config.data;
    let fit = run.latest();
    let pipeline = pipeline(&run, fit.pipeline(), set)?;
    let input = match fit.masked() {
        true => pipeline.forecast_input(input),
        false => pipeline.forecast_input_without_gaps(input),
    };
    let input = input.map_err(|error| other_reading(fit.pipeline(), error))?;
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
    seed(draw, Stream::Evaluation);
    let names = channels.names()[channels.targets()].to_vec();
    trained.truncate(names.len());
    let starts = input.windows.starts().enumerate();
    let series = starts.map(|(index, start)| {
        let drawn = no_grad(|| sample(&forecaster, &panel, start, samples))?;
        let mut values = input.original(index, &Vec::<f32>::try_from(drawn)?)?;
        if trained.contains(&false) {
            let mut all = values.chunks(names.len()).map(<[f64]>::to_vec).collect::<Vec<_>>();
            all.iter_mut().for_each(|step| keep(step, &trained));
            values = all.concat();
        }
        let name = input.panel.series()[index].name().to_owned();
        Ok(SeriesSamples { name, times: input.times(index)?, values })
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
    let about = Forecast {
        time_column,
        series_column,
        named,
        channels,
        series: Vec::new(),
        left_out,
        untrained,
        filled,
        refitted_on: fit.refitted_on(),
    };
    Ok(Sampled { about, series })
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

/// The pipeline of a run, for a file that differs from the training data by the keys in `set`.
fn pipeline(run: &Loaded, own: &Pipeline, set: &[String]) -> Result<Pipeline, TrainError> {
    if set.is_empty() {
        return Ok(own.clone());
    }
    let keys = Pipeline::READING_KEYS;
    for item in set {
        let key = item.split_once('=').map_or(item.as_str(), |(key, _)| key).trim();
        if !key.strip_prefix("data.").is_some_and(|key| keys.contains(&key)) {
            let keys: Vec<String> = keys.iter().map(|key| format!("data.{key}")).collect();
            return Err(ConfigError::Invalid {
                origin: format!("--set {item}"),
                message: format!("`{key}` cannot differ from the training in a forecast"),
                hint: Some(format!("the keys that can are {}", keys.join(", "))),
            }
            .into());
        }
    }
    let text = run.directory.read_config()?;
    let origin = run.directory.config().display().to_string();
    Ok(own.rereading(&Config::parse(&text, &origin, set)?.data))
}

/// Adds to a fault of a file how the training data were read, if that may be the reason.
fn other_reading(pipeline: &Pipeline, error: DataError) -> TrainError {
    let of_reading = matches!(
        error,
        DataError::ReadingChanged { .. }
            | DataError::BadTime(_)
            | DataError::BadCell(_)
            | DataError::Ambiguous { .. }
            | DataError::MissingColumn { .. }
            | DataError::RaggedRow { .. }
            | DataError::Timeline { .. }
    );
    match pipeline.reading().filter(|_| of_reading) {
        Some(reading) => TrainError::OtherReading { error, trained: reading.describe() },
        None => error.into(),
    }
}

fn summarize(name: String, times: Vec<String>, samples: &[f64], channels: usize) -> SeriesForecast {
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
            let at =
                |level| stats::quantile(&sorted, level).expect("levels in [0, 1] of some samples");
            quantiles[step].push(LEVELS.map(at));
        }
    }
    SeriesForecast { name, times, mean, quantiles }
}

impl Forecast {
    /// Writes a CSV with one row per series and step. The columns of series, which a file of one series without `id`
    /// lacks, and of times are named as in the input; each
    /// channel has the columns `NAME_mean` and `NAME_q05` to `NAME_q95`.
    ///
    /// # Errors
    /// [`TrainError::Record`]; an older file is then intact.
    pub fn write_csv(&self, path: &Path) -> Result<(), TrainError> {
        let mut header: Vec<String> = Vec::new();
        header.extend(self.named.then(|| self.series_column.clone()));
        header.push(self.time_column.clone());
        for channel in &self.channels {
            header.push(format!("{channel}_mean"));
            header.extend(LEVELS.map(|level| format!("{channel}_q{:02.0}", 100.0 * level)));
        }
        let write = |file: &mut dyn io::Write| -> io::Result<()> {
            let mut table = csv::Writer::from_writer(file);
            table.write_record(&header)?;
            for series in &self.series {
                for (step, time) in series.times.iter().enumerate() {
                    let mut cells: Vec<String> = Vec::new();
                    cells.extend(self.named.then(|| series.name.clone()));
                    cells.push(time.clone());
                    for channel in 0..self.channels.len() {
                        cells.push(series.mean[step][channel].to_string());
                        cells
                            .extend(series.quantiles[step][channel].map(|value| value.to_string()));
                    }
                    table.write_record(&cells)?;
                }
            }
            table.flush()
        };
        Ok(files::write(path, write).map_err(RecordError::writing(path))?)
    }
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
        let forecast = summarize("s".to_owned(), times, &samples, channels);
        assert_eq!(forecast.mean, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(forecast.quantiles[1][2], [5.0; LEVELS.len()]);
    }
}
