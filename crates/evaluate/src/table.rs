//! Every score of every window of one forecaster, and their means.

use objective::score::LEVELS;
use record::{Calibration, Coverage, Scores, SeriesScores};
use stats::mean_of_finite;
use train::TrainError;

/// One score of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Crps,
    Nmae,
    Mae,
    Mse,
    Nrmse,
    MaeCoverage,
    Coverage50,
    Coverage80,
    Coverage90,
    Width90,
    CrpsSum,
    CrpsStandardized,
    LogScore,
    Energy,
    StepSum,
    ChannelSum,
    /// Squared error of the mean forecast, standardized; on returns only.
    PointError,
    /// Squared error of a forecast of zero, standardized; on returns only.
    ZeroError,
}

/// Variants of [`Measure`].
const MEASURES: usize = Measure::ZeroError as usize + 1;

/// Scores `[measures][windows]`, NaN where a window lacks one, and scores over all windows.
#[derive(Debug, Clone)]
pub(crate) struct ScoreTable {
    /// Observed values of each window.
    observed: Vec<u64>,
    /// A column per [`Measure`], then the share of the truth below each of [`LEVELS`].
    columns: Vec<Vec<f64>>,
    /// Fair CRPS of each step of the horizon, standardized.
    pub(crate) by_step: Vec<f64>,
    /// Fair CRPS of each channel, standardized.
    pub(crate) by_channel: Vec<f64>,
    /// Histogram of the probability integral transform.
    pub(crate) pit: Vec<f64>,
    /// One number: the slope of the truth on the mean forecast.
    pub(crate) slope: Vec<f64>,
}

/// `None` for NaN and infinities, which JSON cannot express.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl ScoreTable {
    /// A table without windows.
    pub(crate) fn new() -> ScoreTable {
        ScoreTable {
            observed: Vec::new(),
            columns: vec![Vec::new(); MEASURES + LEVELS.len()],
            by_step: Vec::new(),
            by_channel: Vec::new(),
            pit: Vec::new(),
            slope: Vec::new(),
        }
    }

    /// Adds one measure of the next windows.
    pub(crate) fn add(&mut self, measure: Measure, values: impl IntoIterator<Item = f64>) {
        self.columns[measure as usize].extend(values);
    }

    /// Adds the shares of the truth below each level of the next window.
    pub(crate) fn add_below(&mut self, shares: &[f64]) {
        for (column, share) in self.columns[MEASURES..].iter_mut().zip(shares) {
            column.push(*share);
        }
    }

    /// Ends a batch of windows with `observed` values each. Measures that were not added are NaN in these windows.
    pub(crate) fn end_batch(&mut self, observed: impl IntoIterator<Item = u64>) {
        self.observed.extend(observed);
        for column in &mut self.columns {
            column.resize(self.observed.len(), f64::NAN);
        }
    }

    /// Adds the windows of another table.
    pub(crate) fn append(&mut self, other: ScoreTable) {
        self.observed.extend(other.observed);
        for (column, other) in self.columns.iter_mut().zip(other.columns) {
            column.extend(other);
        }
    }

    /// The windows as numbers, for [`ScoreTable::read`]: their count, observed values, and columns.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let mut numbers = vec![self.windows() as f64];
        numbers.extend(self.observed.iter().map(|observed| *observed as f64));
        numbers.extend(self.columns.iter().flatten());
        numbers
    }

    /// Takes the windows of one table from the front of `numbers`.
    pub(crate) fn read(numbers: &mut impl Iterator<Item = f64>) -> ScoreTable {
        let windows = numbers.next().unwrap_or_default() as usize;
        let mut table = ScoreTable::new();
        table.observed = numbers.take(windows).map(|observed| observed as u64).collect();
        for column in &mut table.columns {
            column.extend(numbers.take(windows));
        }
        table
    }

    /// One measure of every window.
    pub(crate) fn column(&self, measure: Measure) -> &[f64] {
        &self.columns[measure as usize]
    }

    /// One measure of one window; `None` where it is not finite.
    pub(crate) fn get(&self, measure: Measure, window: usize) -> Option<f64> {
        finite(self.column(measure)[window])
    }

    /// The number of windows.
    pub(crate) fn windows(&self) -> usize {
        self.observed.len()
    }

    /// The mean over the windows that have the measure.
    pub(crate) fn mean(&self, measure: Measure) -> Option<f64> {
        mean_of_finite(self.column(measure).iter().copied())
    }

    /// The elementwise mean of tables of the same windows; `None` without tables.
    pub(crate) fn mean_of(all: &[ScoreTable]) -> Option<ScoreTable> {
        let mut mean = all.first()?.clone();
        let tables: Vec<Vec<&Vec<f64>>> =
            all.iter().map(|table| table.vectors().collect()).collect();
        for (index, vector) in mean.vectors_mut().enumerate() {
            for (place, value) in vector.iter_mut().enumerate() {
                let sum = tables.iter().map(|vectors| vectors[index][place]).sum::<f64>();
                *value = sum / all.len() as f64;
            }
        }
        Some(mean)
    }

    fn vectors(&self) -> impl Iterator<Item = &Vec<f64>> {
        let totals = [&self.by_step, &self.by_channel, &self.pit, &self.slope];
        self.columns.iter().chain(totals)
    }

    fn vectors_mut(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        let totals = [&mut self.by_step, &mut self.by_channel, &mut self.pit, &mut self.slope];
        self.columns.iter_mut().chain(totals)
    }

    /// Means over windows. `places[w]` is the series of window `w`, as an index into `names`.
    ///
    /// # Errors
    /// [`TrainError::NothingObserved`] if the windows, those of `part`, hold no observed value.
    pub(crate) fn summarize(
        &self,
        part: &'static str,
        names: &[&str],
        places: &[usize],
    ) -> Result<(Scores, Calibration), TrainError> {
        let nothing = || TrainError::NothingObserved { part };
        if self.observed.iter().all(|observed| *observed == 0) {
            return Err(nothing());
        }
        let optional = |measure| self.mean(measure);
        let mean = |measure| self.mean(measure).unwrap_or(f64::NAN);
        // A mean that leaves out the windows without a density would be too good.
        let standardized = self.column(Measure::CrpsStandardized);
        let mut scored = standardized.iter().zip(self.column(Measure::LogScore));
        let dense = scored.all(|(crps, log_score)| !crps.is_finite() || log_score.is_finite());
        let mut relative = self.observed.iter().zip(self.column(Measure::Crps));
        let finite_or_none = |values: &[f64]| values.iter().copied().map(finite).collect();
        let scores = Scores {
            windows: self.windows(),
            crps: mean(Measure::Crps),
            nmae: mean(Measure::Nmae),
            mae: mean(Measure::Mae),
            mse: mean(Measure::Mse),
            nrmse: mean(Measure::Nrmse),
            coverage: Coverage {
                half: mean(Measure::Coverage50),
                eighty: mean(Measure::Coverage80),
                ninety: mean(Measure::Coverage90),
            },
            mae_coverage: mean(Measure::MaeCoverage),
            width_90: mean(Measure::Width90),
            crps_sum: optional(Measure::CrpsSum),
            crps_standardized: optional(Measure::CrpsStandardized).ok_or_else(nothing)?,
            window_crps: finite_or_none(standardized),
            log_score: optional(Measure::LogScore).filter(|_| dense),
            slope: self.slope.first().copied().and_then(finite),
            energy: optional(Measure::Energy),
            crps_of_step_sum: optional(Measure::StepSum),
            crps_of_channel_sum: optional(Measure::ChannelSum),
            by_step: finite_or_none(&self.by_step),
            by_channel: finite_or_none(&self.by_channel),
            by_series: if names.len() > 1 { self.by_series(names, places) } else { Vec::new() },
            zero_windows: relative
                .by_ref()
                .filter(|(observed, crps)| **observed > 0 && !crps.is_finite())
                .count(),
        };
        let below = self.columns[MEASURES..].iter();
        let below = below.map(|shares| mean_of_finite(shares.iter().copied()).unwrap_or(f64::NAN));
        let calibration = Calibration {
            levels: LEVELS.to_vec(),
            observed: below.collect(),
            pit: self.pit.clone(),
        };
        Ok((scores, calibration))
    }

    fn by_series(&self, names: &[&str], places: &[usize]) -> Vec<SeriesScores> {
        let of_series = |series: usize| {
            let mine: Vec<usize> = (0..places.len()).filter(|i| places[*i] == series).collect();
            let mean = |measure| {
                let column = self.column(measure);
                mean_of_finite(mine.iter().map(|window| column[*window]))
            };
            SeriesScores {
                name: names[series].to_owned(),
                windows: mine.iter().filter(|window| self.observed[**window] > 0).count(),
                crps: mean(Measure::Crps),
                mse: mean(Measure::Mse),
                crps_standardized: mean(Measure::CrpsStandardized),
                log_score: mean(Measure::LogScore),
            }
        };
        (0..names.len()).map(of_series).filter(|series| series.windows > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of two windows: the first with the scores `value`, the second without an observation.
    fn table(value: f64) -> ScoreTable {
        let mut table = ScoreTable::new();
        for measure in [Measure::Crps, Measure::CrpsStandardized, Measure::Mse] {
            table.add(measure, [value, f64::NAN]);
        }
        for share in [0.25 * value, f64::NAN] {
            table.add_below(&[share; LEVELS.len()]);
        }
        table.end_batch([6, 0]);
        table.pit = vec![value, 1.0];
        table
    }

    /// Oracle: means by hand, over the window that has a score and over the seeds.
    #[test]
    fn means_leave_out_windows_without_a_score() {
        let pooled = ScoreTable::mean_of(&[table(1.0), table(2.0)]).unwrap();
        let (scores, calibration) = pooled.summarize("test", &["a", "b"], &[0, 1]).unwrap();
        assert_eq!((scores.windows, scores.crps, scores.mse), (2, 1.5, 1.5));
        assert_eq!(scores.window_crps, [Some(1.5), None]);
        assert_eq!((scores.energy, scores.log_score, scores.zero_windows), (None, None, 0));
        assert_eq!(calibration.observed, [0.375; LEVELS.len()]);
        assert_eq!(calibration.pit, [1.5, 1.0]);
        let [only] = scores.by_series.as_slice() else { panic!("{:?}", scores.by_series) };
        assert_eq!((only.name.as_str(), only.windows, only.mse), ("a", 1, Some(1.5)));
        let mut nothing = ScoreTable::new();
        nothing.end_batch([0]);
        assert!(nothing.summarize("test", &[], &[0]).is_err());
        assert!(ScoreTable::mean_of(&[]).is_none());
    }
}
