//! All rows of all series, not yet cut into windows, for forecasters that look further back than a context.

use std::ops::Range;

/// Standardized targets of all rows in f64, and the rows of each series that may be fitted on.
#[derive(Debug)]
pub struct History {
    /// The targets, row-major `[R, C]`, NaN where nothing was observed.
    values: Vec<f64>,
    channels: usize,
    series: Vec<SeriesRows>,
}

/// The rows of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRows {
    /// All rows of the series.
    pub rows: Range<usize>,
    /// The rows to fit on, within `rows`.
    pub train: Range<usize>,
}

impl History {
    /// A history of targets, row-major `[R, C]`, NaN where nothing was observed; `series` holds the rows of each series
    /// in order.
    pub fn new(values: Vec<f64>, channels: usize, series: Vec<SeriesRows>) -> History {
        History { values, channels, series }
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The series, in the order of the rows.
    pub fn series(&self) -> &[SeriesRows] {
        &self.series
    }

    /// The index of the series that holds a row.
    pub fn series_of(&self, row: usize) -> usize {
        self.series.partition_point(|series| series.rows.end <= row).min(self.series.len() - 1)
    }

    /// One channel of some rows, NaN where nothing was observed.
    pub fn column(&self, rows: Range<usize>, channel: usize) -> Vec<f64> {
        rows.map(|row| self.values[row * self.channels + channel]).collect()
    }

    /// The first row of every block of `length` training rows of a series without a missing value.
    pub fn whole_blocks(&self, series: usize, length: usize) -> Vec<usize> {
        let Range { start, end } = self.series[series].train.clone();
        let mut whole = 0;
        let mut starts = Vec::new();
        for row in start..end {
            let cells = &self.values[row * self.channels..(row + 1) * self.channels];
            whole = if cells.iter().all(|value| value.is_finite()) { whole + 1 } else { 0 };
            if whole >= length {
                starts.push(row + 1 - length);
            }
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: two series by hand, the second with a gap in one channel of row 6.
    #[test]
    fn blocks_stay_in_the_training_rows_and_avoid_gaps() {
        let mut values: Vec<f64> = (0..24).map(f64::from).collect();
        values[13] = f64::NAN;
        let series =
            vec![SeriesRows { rows: 0..4, train: 0..3 }, SeriesRows { rows: 4..12, train: 4..11 }];
        let history = History::new(values, 2, series);
        assert_eq!(history.whole_blocks(0, 2), [0, 1]);
        assert_eq!(history.whole_blocks(1, 2), [4, 7, 8, 9]);
        assert!(history.whole_blocks(0, 4).is_empty());
        assert_eq!([0, 3, 4, 11].map(|row| history.series_of(row)), [0, 0, 1, 1]);
        assert_eq!(history.column(7..9, 1), [15.0, 17.0]);
    }
}
