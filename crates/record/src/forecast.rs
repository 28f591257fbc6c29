//! A forecast and the table that it is written as.

#[cfg(feature = "parquet")]
mod arrow;
mod cells;
#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::path::Path;

use data::{Filled, LeftOut, WrittenTime};

pub use self::cells::decimal;
use self::cells::{Header, Key, Row, Times};
use crate::error::RecordError;

/// Forecasts of the horizon that follows each origin of each series of a file, in original units.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forecast {
    /// The column of times in the file, or `time` where it has several or none.
    pub time_column: String,
    /// The time zone of the times, such as `Europe/Berlin`; `None` for times in no zone.
    pub time_zone: Option<String>,
    /// The column of series in the file, or `series` where it has none.
    pub series_column: String,
    /// Whether the file names its series.
    pub named: bool,
    /// Names of the channels, `C` of them.
    pub channels: Vec<String>,
    /// The levels of the quantiles, ascending, each in (0, 1).
    pub levels: Vec<f64>,
    /// One entry per series and origin.
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

/// The forecast of one series from one origin, in original units.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesForecast {
    /// Name of the series.
    pub name: String,
    /// Time of the last known row, where forecasts start from several origins.
    pub origin: Option<String>,
    /// Times of the steps, `[H]`.
    pub times: Vec<String>,
    /// Means, `[H][C]`.
    pub mean: Vec<Vec<f64>>,
    /// Quantiles at [`Forecast::levels`], `[H][C][levels]`.
    pub quantiles: Vec<Vec<Vec<f64>>>,
    /// Sample paths, `[S][H][C]`; empty unless they were asked for.
    pub samples: Vec<Vec<Vec<f64>>>,
}

impl Forecast {
    /// Writes a table with one row per series, origin and step: Parquet where the path ends in `.parquet`, else CSV. The
    /// columns of series, which a file of one series without `id` lacks, and of times are named as in the input;
    /// `origin`, where there are several, is the time of the last known row. Each channel has the columns `NAME_mean`
    /// and one per level, such as `NAME_q05` or `NAME_q97.5`. In Parquet series are strings, times are dates, timestamps
    /// with or without time zone, or numbers, as in the input, and numbers are doubles; the quantiles of a channel are whole
    /// numbers where all of them are, as those of counts.
    ///
    /// # Errors
    /// [`RecordError::Write`]; an older file is then intact. [`RecordError::Refused`] for Parquet without the cargo
    /// feature `parquet`.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let mut numbers = Vec::new();
        for channel in &self.channels {
            numbers.push(format!("{channel}_mean"));
            numbers.extend(
                self.levels.iter().map(|level| format!("{channel}_{}", level_name(*level))),
            );
        }
        let rows = self.series.iter().flat_map(|series| {
            (0..series.times.len()).map(move |step| {
                let mut numbers = Vec::new();
                for (mean, quantiles) in series.mean[step].iter().zip(&series.quantiles[step]) {
                    numbers.push(*mean);
                    numbers.extend(quantiles);
                }
                Row { texts: self.key(series, step), numbers }
            })
        });
        let quantiles = self.levels.len();
        let mut whole = Vec::new();
        for channel in 0..self.channels.len() {
            let steps = self.series.iter().flat_map(|series| &series.quantiles);
            let mut values = steps.filter_map(|step| step.get(channel)).flatten();
            whole.push(false);
            whole.extend(std::iter::repeat_n(values.all(is_whole), quantiles));
        }
        table::write(path, &Header { keys: self.keys(), numbers, whole, zone: self.zone() }, rows)
    }

    /// Writes a table with one row per series, origin, sample path and step: the columns of [`Forecast::write`] up to
    /// the time, `sample` from 1, and one column per channel. In Parquet `sample` is a whole number, and so is a channel all
    /// of whose samples are.
    ///
    /// # Errors
    /// As [`Forecast::write`].
    pub fn write_samples(&self, path: &Path) -> Result<(), RecordError> {
        let mut numbers = vec!["sample".to_owned()];
        numbers.extend(self.channels.iter().cloned());
        let rows = self.series.iter().flat_map(|series| {
            series.samples.iter().enumerate().flat_map(move |(index, sample)| {
                sample.iter().enumerate().map(move |(step, values)| {
                    let mut numbers = vec![(index + 1) as f64];
                    numbers.extend(values);
                    Row { texts: self.key(series, step), numbers }
                })
            })
        });
        let mut whole = vec![true];
        whole.extend((0..self.channels.len()).map(|channel| {
            let steps = self.series.iter().flat_map(|series| series.samples.iter().flatten());
            steps.filter_map(|step| step.get(channel)).all(is_whole)
        }));
        table::write(path, &Header { keys: self.keys(), numbers, whole, zone: self.zone() }, rows)
    }

    /// Whether [`Forecast::write`] can write a file of this name, to be asked before anything is computed.
    ///
    /// # Errors
    /// [`RecordError::Refused`] for Parquet without the cargo feature `parquet`.
    pub fn check_name(path: &Path) -> Result<(), RecordError> {
        table::check_name(path)
    }

    /// Whether forecasts start from several origins.
    fn has_origins(&self) -> bool {
        self.series.iter().any(|series| series.origin.is_some())
    }

    /// The columns of series, origins and times.
    fn keys(&self) -> Vec<Key> {
        let times = self.times();
        let mut keys = Vec::new();
        keys.extend(self.named.then(|| Key { name: self.series_column.clone(), times: None }));
        let of_times = |name: &str| Key { name: name.to_owned(), times: Some(times) };
        keys.extend(self.has_origins().then(|| of_times("origin")));
        keys.push(of_times(&self.time_column));
        keys
    }

    /// The form that fits all times.
    fn times(&self) -> Times {
        let texts = self.series.iter().flat_map(|series| series.times.iter().chain(&series.origin));
        let forms = texts.map(|text| match WrittenTime::read(text) {
            None => Times::Texts,
            Some(WrittenTime::Number(_)) => Times::Numbers,
            Some(WrittenTime::Seconds(_)) => Times::Seconds,
            Some(WrittenTime::Date(_)) => Times::Dates,
            Some(WrittenTime::Clock(_)) => Times::Clocks,
            Some(WrittenTime::Instant(_)) => Times::Instants,
        });
        forms.reduce(Times::or).unwrap_or(Times::Texts)
    }

    fn zone(&self) -> &str {
        self.time_zone.as_deref().unwrap_or("UTC")
    }

    fn key<'a>(&self, series: &'a SeriesForecast, step: usize) -> Vec<&'a str> {
        let mut cells: Vec<&str> = Vec::new();
        cells.extend(self.named.then_some(series.name.as_str()));
        cells.extend(self.has_origins().then(|| series.origin.as_deref().unwrap_or_default()));
        cells.push(&series.times[step]);
        cells
    }
}

/// Whether a number is whole, and of a size at which every whole number has its own double.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature iterators ask for")]
fn is_whole(number: &f64) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_992.0; // 2^53
    number.fract() == 0.0 && number.abs() <= LARGEST
}

/// The name of a level in a column: `q05`, `q50`, `q97.5`.
fn level_name(level: f64) -> String {
    let percent = (level * 1e6).round() / 1e4;
    if percent < 10.0 { format!("q0{percent}") } else { format!("q{percent}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast() -> Forecast {
        let series = |origin: Option<&str>| SeriesForecast {
            name: "a".to_owned(),
            origin: origin.map(str::to_owned),
            times: vec!["1".to_owned()],
            mean: vec![vec![2.0]],
            quantiles: vec![vec![vec![1.0, 3.5]]],
            samples: vec![vec![vec![1.5]], vec![vec![2.5]]],
        };
        Forecast {
            time_column: "day".to_owned(),
            series_column: "shop".to_owned(),
            channels: vec!["sales".to_owned()],
            levels: vec![0.05, 0.975],
            series: vec![series(None)],
            ..Forecast::default()
        }
    }

    /// Oracle: the tables by hand.
    #[test]
    fn tables_have_the_columns_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.csv");
        let mut forecast = forecast();
        forecast.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "day,sales_mean,sales_q05,sales_q97.5\n1,2,1,3.5\n");
        forecast.named = true;
        forecast.series[0].origin = Some("0".to_owned());
        forecast.write_samples(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "shop,origin,day,sample,sales\na,0,1,1,1.5\na,0,1,2,2.5\n");
    }

    /// Two series of two steps and two channels, one of which is missing once.
    #[cfg(feature = "parquet")]
    fn wide() -> Forecast {
        let series = |name: &str, level: f64| SeriesForecast {
            name: name.to_owned(),
            times: vec!["2020-01-01".to_owned(), "2020-01-02".to_owned()],
            mean: vec![vec![level, 0.1], vec![level / 3.0, f64::NAN]],
            quantiles: vec![vec![vec![-1e30, 2.0], vec![1e-30, 5.0]]; 2],
            samples: vec![vec![vec![0.1, level]; 2]],
            ..SeriesForecast::default()
        };
        Forecast {
            named: true,
            channels: vec!["sales, \"net\"".to_owned(), "Größe".to_owned()],
            series: vec![series("a", 7.0), series("b", 0.0)],
            ..forecast()
        }
    }

    /// Oracle: the reader of crate `data`, and the CSV of the same forecast.
    #[test]
    #[cfg(feature = "parquet")]
    fn parquet_and_csv_are_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let (csv, parquet) = (folder.path().join("f.csv"), folder.path().join("f.Parquet"));
        let read = |path: &Path| {
            let id = Some("shop".to_owned());
            let config = data::DataConfig { id, ..data::DataConfig::new(path, 1, 1) };
            data::read(&config, Path::new("")).unwrap()
        };
        let forecast = wide();
        for write in [Forecast::write, Forecast::write_samples] {
            write(&forecast, &csv).unwrap();
            write(&forecast, &parquet).unwrap();
            assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
            let (text, packed) = (read(&csv), read(&parquet));
            assert_eq!(packed.channels().names(), text.channels().names());
            assert_eq!(packed.fingerprint(), text.fingerprint());
            assert_eq!(packed.rows(), 4);
            assert_eq!(packed.time(1).unwrap(), text.time(1).unwrap());
        }
        // Without series there is no row, and the columns are there all the same.
        Forecast { series: Vec::new(), ..forecast }.write(&parquet).unwrap();
        let config = data::DataConfig::new(&parquet, 1, 1);
        let error = data::read(&config, Path::new("")).unwrap_err();
        assert!(matches!(error, data::DataError::Empty { header: true, .. }), "{error}");
    }

    #[test]
    #[cfg(not(feature = "parquet"))]
    fn parquet_is_refused_where_it_is_not_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.parquet");
        let error = forecast().write(&path).unwrap_err();
        assert!(error.to_string().contains("hint: build with the feature `parquet`"), "{error}");
        assert!(!path.exists());
    }
}
