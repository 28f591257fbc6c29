//! The table in memory: one contiguous row-major `f32` buffer with all series one after another.

use std::ops::Range;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::finding::Finding;
use crate::reading::Reading;
use crate::statics::{Encoder, Statics};
use crate::time::{Clock, Frequency, Timeline};

/// Channels by role. A row of the buffer holds targets, past covariates, future covariates and calendar
/// features, in this order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Channels {
    pub(crate) names: Vec<String>,
    pub(crate) targets: usize,
    pub(crate) past: usize,
    pub(crate) future: usize,
}

impl Channels {
    /// Names of all channels, in the order of the buffer.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many channels a row has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no channels.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The channels to forecast.
    pub fn targets(&self) -> Range<usize> {
        0..self.targets
    }

    /// Known up to the forecast only.
    pub fn past_covariates(&self) -> Range<usize> {
        self.targets..self.targets + self.past
    }

    /// Known for the horizon too: future covariates, then calendar features.
    pub fn known_ahead(&self) -> Range<usize> {
        self.targets + self.past..self.names.len()
    }

    /// The calendar features among them.
    pub fn calendar(&self) -> Range<usize> {
        self.targets + self.past + self.future..self.names.len()
    }
}

/// One series of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub(crate) name: String,
    pub(crate) rows: Range<usize>,
    pub(crate) timeline: Timeline,
}

impl Series {
    /// Its name: the file's stem, or the value of `id`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rows in the buffer.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }
}

/// Many series in one buffer `[rows, channels]`, with what is known about their times.
///
/// Missing cells hold NaN until they are filled, so that code that forgets the mask fails loudly; the
/// mask tells them apart even after filling.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub(crate) path: PathBuf,
    pub(crate) values: Vec<f32>,
    /// The targets in double precision, `[rows, targets]`, where a transform will take their differences.
    pub(crate) exact: Option<Vec<f64>>,
    pub(crate) observed: Option<Vec<bool>>,
    pub(crate) channels: Channels,
    pub(crate) series: Vec<Series>,
    pub(crate) statics: Statics,
    pub(crate) encoders: Vec<Encoder>,
    pub(crate) frequency: Frequency,
    pub(crate) clock: Clock,
    pub(crate) reading: Reading,
    pub(crate) findings: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    pub(crate) doubts: Vec<String>,
}

impl Panel {
    /// The buffer, row-major `[rows, channels]`; NaN where a cell is missing and not filled.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Which cells were observed, shaped like the buffer; `None` when all were.
    pub fn observed(&self) -> Option<&[bool]> {
        self.observed.as_deref()
    }

    /// Rows of all series together.
    pub fn rows(&self) -> usize {
        self.series.last().map_or(0, |s| s.rows.end)
    }

    /// The channels of a row.
    pub fn channels(&self) -> &Channels {
        &self.channels
    }

    /// The series, in the order of the buffer.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Covariates constant within each series.
    pub fn statics(&self) -> &Statics {
        &self.statics
    }

    /// The time step all series share.
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// How the table was read: the form of its times and numbers.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Findings about the times of the series: gaps, holidays.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Remarks on how the table was understood, such as columns left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Readings that could have been others, and how they were decided: the order of day and month, multiples such as
    /// `574.71K`.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// The index of the series that holds a row of the buffer.
    pub fn series_of(&self, row: usize) -> Option<usize> {
        let i = self.series.partition_point(|s| s.rows.end <= row);
        (row < self.rows()).then_some(i)
    }

    /// The time of a row of the buffer: `2012-01-31`, `2012-01-31 09:30:00+01:00`, or its number.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such row.
    pub fn time(&self, row: usize) -> Result<String, DataError> {
        let below_a_day = matches!(self.frequency, Frequency::Micros(_));
        Ok(self.clock.show_with(self.instant(row)?, below_a_day))
    }

    /// The time zone of its times, such as `Europe/Berlin` or `+01:00`; `None` for clock times in no zone, and for numbers.
    pub fn time_zone(&self) -> Option<String> {
        self.clock.zone_name()
    }

    pub(crate) fn instant(&self, row: usize) -> Result<i64, DataError> {
        let out = || DataError::OutOfRange { what: "row", index: row, count: self.rows() };
        let series = &self.series[self.series_of(row).ok_or_else(out)?];
        series.timeline.at(row - series.rows.start, &self.clock).ok_or_else(out)
    }

    /// One row of the buffer, `[channels]`.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such row.
    pub fn row(&self, row: usize) -> Result<&[f32], DataError> {
        let width = self.channels.len();
        let out = DataError::OutOfRange { what: "row", index: row, count: self.rows() };
        self.values.get(row * width..(row + 1) * width).ok_or(out)
    }

    /// Whether the cell was observed.
    pub(crate) fn is_observed(&self, row: usize, channel: usize) -> bool {
        self.observed.as_ref().is_none_or(|o| o[row * self.channels.len() + channel])
    }

    /// Makes a channel of a series missing in all rows; returns how many of its values were observed.
    pub(crate) fn mask(&mut self, series: usize, channel: usize) -> usize {
        let (width, rows) = (self.channels.len(), self.series[series].rows.clone());
        let observed = self.observed.get_or_insert_with(|| vec![true; self.values.len()]);
        let mut lost = 0;
        for at in rows.map(|row| row * width + channel) {
            lost += usize::from(std::mem::take(&mut observed[at]));
            self.values[at] = f32::NAN;
        }
        lost
    }

    /// SHA-256 over names, times and values as read, in hexadecimal. The same data give the same
    /// fingerprint, whatever the format of the file. Take it before [`prepare`](crate::prepare) scales.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut text = |s: &str| {
            hash.update((s.len() as u64).to_le_bytes());
            hash.update(s.as_bytes());
        };
        self.channels.names.iter().for_each(|n| text(n));
        text(&self.frequency.to_string());
        for series in &self.series {
            text(&series.name);
        }
        for series in &self.series {
            hash.update((series.rows.len() as u64).to_le_bytes());
            match &series.timeline {
                Timeline::Grid { start, .. } => hash.update(start.to_le_bytes()),
                Timeline::Listed(times) => times.iter().for_each(|t| hash.update(t.to_le_bytes())),
            }
        }
        let mut bytes = Vec::with_capacity(4096);
        for chunk in self.values.chunks(1024) {
            bytes.clear();
            bytes.extend(chunk.iter().flat_map(|v| v.to_le_bytes()));
            hash.update(&bytes);
        }
        self.statics.values().iter().for_each(|v| hash.update(v.to_le_bytes()));
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
