//! Scores of one forecaster: their means, and window by window.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RecordError;
use crate::file::{damaged, read_bytes};
use crate::or_null;

/// Mean scores of one forecaster on some windows, in original units but where it says otherwise.
///
/// Relative scores are NaN (`null`) where the truth of every window is zero throughout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Windows scored.
    pub windows: usize,
    /// CRPS over 19 quantile levels, relative to the size of the truth, mean over windows.
    #[serde(with = "or_null")]
    pub crps: f64,
    /// Absolute error of the median relative to the size of the truth, mean over windows.
    #[serde(with = "or_null")]
    pub nmae: f64,
    /// Absolute error of the median.
    pub mae: f64,
    /// Squared error of the mean.
    pub mse: f64,
    /// Root of the squared error relative to the mean size of the truth, mean over windows.
    #[serde(with = "or_null")]
    pub nrmse: f64,
    /// Shares of the truth inside central intervals.
    pub coverage: Coverage,
    /// Mean distance between quantile level and share below it, per window.
    pub mae_coverage: f64,
    /// Sharpness: mean width of the 90 % interval.
    pub width_90: f64,
    /// `crps` of the sum over channels (CRPS-Sum); absent for one channel.
    pub crps_sum: Option<f64>,
    /// Fair CRPS in units of the training standard deviation, mean over windows.
    pub crps_standardized: f64,
    /// `crps_standardized` of each window; `null` where nothing was observed.
    pub window_crps: Vec<Option<f64>>,
    /// Log predictive density of an observed value, standardized, in nats; larger is better. For the model the
    /// mixture over its latent draws, for volatility laws over their paths, for the rest a kernel estimate.
    pub log_score: Option<f64>,
    /// Slope of the regression of the truth on the mean forecast (Mincer and Zarnowitz 1969), standardized, within
    /// channels: 1 where forecasts are as large as they should be, above 1 where they are shrunk.
    #[serde(default)]
    pub slope: Option<f64>,
    /// Fair energy score of a whole window, standardized; on test windows only, as the next two.
    pub energy: Option<f64>,
    /// Fair CRPS of the sum over steps, standardized, mean over channels; windows with a gap are left out.
    pub crps_of_step_sum: Option<f64>,
    /// Fair CRPS of the sum over channels, standardized, mean over steps; steps with a gap are left out.
    pub crps_of_channel_sum: Option<f64>,
    /// Fair CRPS of each step of the horizon, standardized.
    pub by_step: Vec<Option<f64>>,
    /// Fair CRPS of each channel, standardized.
    pub by_channel: Vec<Option<f64>>,
    /// Means over the windows of each series; empty for one series.
    pub by_series: Vec<SeriesScores>,
    /// Windows whose truth is zero throughout: they have no relative scores, and the means of those leave them out.
    pub zero_windows: usize,
}

/// Mean scores over the windows of one series, as in [`Scores`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesScores {
    /// Name of the series.
    pub name: String,
    /// Windows in which something was observed.
    pub windows: usize,
    /// Relative CRPS.
    pub crps: Option<f64>,
    /// Squared error of the mean.
    pub mse: Option<f64>,
    /// Fair CRPS, standardized.
    pub crps_standardized: Option<f64>,
    /// Log predictive density, standardized.
    pub log_score: Option<f64>,
}

/// Shares of the truth inside central intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Share inside the 50 % interval.
    #[serde(rename = "50")]
    pub half: f64,
    /// Share inside the 80 % interval.
    #[serde(rename = "80")]
    pub eighty: f64,
    /// Share inside the 90 % interval.
    #[serde(rename = "90")]
    pub ninety: f64,
}

/// Where the truth lies in the forecast law: a straight line and a flat histogram for calibrated forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Quantile levels.
    pub levels: Vec<f64>,
    /// Shares of the truth below each level.
    pub observed: Vec<f64>,
    /// Histogram of the probability integral transform: shares in 20 equal parts of [0, 1].
    pub pit: Vec<f64>,
}

/// One row of `scores.csv`: a forecaster on one window. A score that a window does not have is an empty cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowRow {
    /// Name of the forecaster.
    pub forecaster: String,
    /// Index of the window.
    pub window: usize,
    /// Name of the series.
    pub series: String,
    /// Time of the forecast origin.
    pub origin: String,
    /// CRPS relative to the size of the truth.
    pub crps: Option<f64>,
    /// Absolute error of the median relative to the size of the truth.
    pub nmae: Option<f64>,
    /// Absolute error of the median.
    pub mae: Option<f64>,
    /// Squared error of the mean.
    pub mse: Option<f64>,
    /// Share inside the 50 % interval.
    pub coverage_50: Option<f64>,
    /// Share inside the 80 % interval.
    pub coverage_80: Option<f64>,
    /// Share inside the 90 % interval.
    pub coverage_90: Option<f64>,
    /// Mean width of the 90 % interval.
    pub width_90: Option<f64>,
    /// Relative CRPS of the sum over channels.
    pub crps_sum: Option<f64>,
    /// Fair CRPS, standardized.
    pub crps_standardized: Option<f64>,
    /// Log predictive density, standardized.
    pub log_score: Option<f64>,
    /// Fair energy score, standardized.
    pub energy: Option<f64>,
    /// Fair CRPS of the sum over steps, standardized.
    pub crps_of_step_sum: Option<f64>,
    /// Fair CRPS of the sum over channels, standardized.
    pub crps_of_channel_sum: Option<f64>,
}

/// Writes `rows` as CSV, whole or not at all.
///
/// # Errors
/// [`RecordError::Write`], the old file intact.
pub fn write_rows(
    path: &Path,
    rows: impl IntoIterator<Item = WindowRow>,
) -> Result<(), RecordError> {
    let write = |file: &mut dyn io::Write| {
        let mut table = csv::Writer::from_writer(file);
        for row in rows {
            table.serialize(row)?;
        }
        table.flush()
    };
    files::replace(path, write).map_err(RecordError::writing(path))
}

/// Reads the rows of a `scores.csv`.
///
/// # Errors
/// [`RecordError::Missing`] or [`RecordError::Refused`].
pub fn read_rows(path: &Path) -> Result<Vec<WindowRow>, RecordError> {
    let bytes = read_bytes(path)?;
    let rows: Result<_, csv::Error> =
        csv::Reader::from_reader(bytes.as_slice()).into_deserialize().collect();
    rows.map_err(|error| damaged(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(window: usize, score: Option<f64>) -> WindowRow {
        WindowRow {
            forecaster: "ensemble, of \"3\"".to_owned(),
            window,
            series: "a".to_owned(),
            origin: "2012-01-01".to_owned(),
            crps: score,
            nmae: None,
            mae: None,
            mse: Some(1e-9),
            coverage_50: None,
            coverage_80: None,
            coverage_90: None,
            width_90: None,
            crps_sum: None,
            crps_standardized: None,
            log_score: Some(-0.1),
            energy: None,
            crps_of_step_sum: None,
            crps_of_channel_sum: None,
        }
    }

    #[test]
    fn rows_are_read_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        let rows = [row(0, Some(0.1 + 0.2)), row(1, None)];
        write_rows(&path, rows.clone()).unwrap();
        assert_eq!(read_rows(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("forecaster,window,series,origin,crps,nmae,mae,mse,coverage_50,"));
        assert!(text.contains("\n\"ensemble, of \"\"3\"\"\",1,a,2012-01-01,,,,"), "{text}");
        std::fs::write(&path, text.replace("0.30000000000000004", "x")).unwrap();
        let error = read_rows(&path).unwrap_err();
        assert!(error.to_string().contains("line: 2"), "{error}");
    }
}
