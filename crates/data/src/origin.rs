//! A table as it was known at earlier rows, for forecasts that are made again from where the truth is known since.

use crate::config::CalendarFeature;
use crate::error::DataError;
use crate::panel::{Panel, Series};
use crate::read::assemble::add_calendar;
use crate::time::{Frequency, Timeline};

impl Panel {
    /// The panel as it was known when series `s` had `ends[s]` rows: later rows are cut off. If there are future
    /// covariates, up to `horizon` later rows stay, with their targets and past covariates missing. A series with fewer
    /// rows stays whole; a series of `ends[s] = 0` is left out.
    ///
    /// # Errors
    /// [`DataError::Length`] unless there is one end per series.
    pub fn until(&self, ends: &[usize], horizon: usize) -> Result<Panel, DataError> {
        if ends.len() != self.series.len() {
            let expected = format!("{}, one per series", self.series.len());
            return Err(DataError::Length { what: "ends", found: ends.len(), expected });
        }
        let (width, targets) = (self.channels.len(), self.channels.targets);
        let hidden = self.channels.known_ahead().start;
        let ahead = if self.channels.known_ahead().is_empty() { 0 } else { horizon };
        let mut values = Vec::new();
        let mut exact = self.exact.as_ref().map(|_| Vec::new());
        let mut observed = self.observed.as_ref().map(|_| Vec::new());
        let (mut series, mut kept) = (Vec::new(), Vec::new());
        for (index, (old, &end)) in self.series.iter().zip(ends).enumerate() {
            if end == 0 {
                continue;
            }
            let known = old.rows.len().min(end);
            let rows =
                old.rows.start..old.rows.start + old.rows.len().min(end.saturating_add(ahead));
            let start = values.len() / width;
            values.extend_from_slice(&self.values[rows.start * width..rows.end * width]);
            if let (Some(to), Some(from)) = (&mut exact, &self.exact) {
                to.extend_from_slice(&from[rows.start * targets..rows.end * targets]);
            }
            if let (Some(to), Some(from)) = (&mut observed, &self.observed) {
                to.extend_from_slice(&from[rows.start * width..rows.end * width]);
            }
            let now = start..start + rows.len();
            for row in start + known..now.end {
                values[row * width..row * width + hidden].fill(f32::NAN);
                if let Some(exact) = &mut exact {
                    exact[row * targets..(row + 1) * targets].fill(f64::NAN);
                }
            }
            let timeline = match &old.timeline {
                Timeline::Grid { .. } => old.timeline.clone(),
                Timeline::Listed(times) => Timeline::Listed(times[..rows.len()].to_vec()),
            };
            series.push(Series { name: old.name.clone(), rows: now, timeline });
            kept.push(index);
        }
        let mut panel = Panel {
            path: self.path.clone(),
            values,
            exact,
            observed,
            channels: self.channels.clone(),
            series,
            statics: self.statics.select(&kept),
            encoders: self.encoders.clone(),
            frequency: self.frequency,
            clock: self.clock.clone(),
            reading: self.reading.clone(),
            findings: self.findings.clone(),
            notes: self.notes.clone(),
            doubts: self.doubts.clone(),
        };
        if panel.values.iter().any(|value| value.is_nan()) {
            panel.observed = Some(panel.values.iter().map(|value| !value.is_nan()).collect());
        }
        Ok(panel)
    }

    /// The panel with calendar features of every row as its last channels.
    ///
    /// # Errors
    /// [`DataError::Config`] if its rows are numbered and have no dates.
    pub fn with_calendar(mut self, features: &[CalendarFeature]) -> Result<Panel, DataError> {
        add_calendar(&mut self, features)?;
        if let Some(observed) = &mut self.observed {
            *observed = self.values.iter().map(|value| !value.is_nan()).collect();
        }
        Ok(self)
    }

    /// The times of the `horizon` rows after the first `rows` rows of a series, as a forecast file writes them. Rows
    /// beyond the table go on at its time step.
    ///
    /// # Errors
    /// [`DataError::OutOfRange`] if there is no such series.
    pub fn times_after(
        &self,
        series: usize,
        rows: usize,
        horizon: usize,
    ) -> Result<Vec<String>, DataError> {
        let out =
            || DataError::OutOfRange { what: "series", index: series, count: self.series.len() };
        let Series { timeline, rows: all, .. } = self.series.get(series).ok_or_else(out)?;
        let below_a_day = matches!(self.frequency, Frequency::Micros(_));
        let time = |row: usize| {
            let inside = (row < all.len()).then(|| timeline.at(row, &self.clock)).flatten();
            let beyond = |steps| timeline.beyond(all.len(), steps, self.frequency, &self.clock);
            let time = inside.unwrap_or_else(|| beyond((row + 1).saturating_sub(all.len())));
            self.clock.show_with(time, below_a_day)
        };
        Ok((rows..rows + horizon).map(time).collect())
    }

    /// Whether its rows have dates, which calendar features need.
    pub fn is_dated(&self) -> bool {
        self.clock.is_dated()
    }

    /// The values of target `channel` in series `series`, in f64; NaN where missing. Empty if there is no such series.
    pub fn target(&self, series: usize, channel: usize) -> Vec<f64> {
        let rows = self.series.get(series).map_or(0..0, Series::rows);
        let (width, targets) = (self.channels.len(), self.channels.targets);
        let value = |row: usize| match &self.exact {
            Some(exact) => exact[row * targets + channel],
            None if !self.is_observed(row, channel) => f64::NAN,
            None => f64::from(self.values[row * width + channel]),
        };
        rows.map(value).collect()
    }
}
