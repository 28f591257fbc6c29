//! A forecast and the table that it is written as.

use std::io;
use std::path::Path;

use data::{Filled, LeftOut};

use crate::error::RecordError;

/// Forecasts of the horizon that follows each origin of each series of a file, in original units.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forecast {
    /// The column of times in the file, or `time` where it has several or none.
    pub time_column: String,
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
    /// Writes a CSV with one row per series, origin and step. The columns of series, which a file of one series
    /// without `id` lacks, and of times are named as in the input; `origin`, where there are several, is the time of
    /// the last known row. Each channel has the columns `NAME_mean` and one per level, such as `NAME_q05` or
    /// `NAME_q97.5`.
    ///
    /// # Errors
    /// [`RecordError::Write`]; an older file is then intact.
    pub fn write_csv(&self, path: &Path) -> Result<(), RecordError> {
        let mut header = self.key_columns();
        for channel in &self.channels {
            header.push(format!("{channel}_mean"));
            header.extend(
                self.levels.iter().map(|level| format!("{channel}_{}", level_name(*level))),
            );
        }
        let rows = self.series.iter().flat_map(|series| {
            (0..series.times.len()).map(move |step| {
                let mut cells = self.key(series, step);
                for (mean, quantiles) in series.mean[step].iter().zip(&series.quantiles[step]) {
                    cells.push(mean.to_string());
                    cells.extend(quantiles.iter().map(f64::to_string));
                }
                cells
            })
        });
        write(path, &header, rows)
    }

    /// Writes a CSV with one row per series, origin, sample path and step: the columns of [`Forecast::write_csv`] up to
    /// the time, `sample` from 1, and one column per channel.
    ///
    /// # Errors
    /// As [`Forecast::write_csv`].
    pub fn write_samples(&self, path: &Path) -> Result<(), RecordError> {
        let mut header = self.key_columns();
        header.push("sample".to_owned());
        header.extend(self.channels.iter().cloned());
        let rows = self.series.iter().flat_map(|series| {
            series.samples.iter().enumerate().flat_map(move |(index, sample)| {
                sample.iter().enumerate().map(move |(step, values)| {
                    let mut cells = self.key(series, step);
                    cells.push((index + 1).to_string());
                    cells.extend(values.iter().map(f64::to_string));
                    cells
                })
            })
        });
        write(path, &header, rows)
    }

    /// Whether forecasts start from several origins.
    fn has_origins(&self) -> bool {
        self.series.iter().any(|series| series.origin.is_some())
    }

    fn key_columns(&self) -> Vec<String> {
        let mut header: Vec<String> = Vec::new();
        header.extend(self.named.then(|| self.series_column.clone()));
        header.extend(self.has_origins().then(|| "origin".to_owned()));
        header.push(self.time_column.clone());
        header
    }

    fn key(&self, series: &SeriesForecast, step: usize) -> Vec<String> {
        let mut cells: Vec<String> = Vec::new();
        cells.extend(self.named.then(|| series.name.clone()));
        cells.extend(self.has_origins().then(|| series.origin.clone().unwrap_or_default()));
        cells.push(series.times[step].clone());
        cells
    }
}

/// The name of a level in a column: `q05`, `q50`, `q97.5`.
fn level_name(level: f64) -> String {
    let percent = (level * 1e6).round() / 1e4;
    if percent < 10.0 { format!("q0{percent}") } else { format!("q{percent}") }
}

fn write(
    path: &Path,
    header: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), RecordError> {
    let mut rows = Some(rows);
    let write = |file: &mut dyn io::Write| -> io::Result<()> {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(header)?;
        for cells in rows.take().into_iter().flatten() {
            table.write_record(&cells)?;
        }
        table.flush()
    };
    files::write(path, write).map_err(RecordError::writing(path))
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
        forecast.write_csv(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "day,sales_mean,sales_q05,sales_q97.5\n1,2,1,3.5\n");
        forecast.named = true;
        forecast.series[0].origin = Some("0".to_owned());
        forecast.write_samples(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "shop,origin,day,sample,sales\na,0,1,1,1.5\na,0,1,2,2.5\n");
    }
}
