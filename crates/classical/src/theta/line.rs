//! The line of least squares through the rows so far.

/// Line `A + B t`, with the running mean that moves it on.
///
/// # References
/// Fiorucci et al. (2016), equations 12 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Line {
    /// Rows so far.
    pub(super) rows: f64,
    mean: f64,
    pub(super) intercept: f64,
    pub(super) slope: f64,
}

impl Line {
    /// The line through all rows.
    pub(super) fn through(values: &[f64]) -> Line {
        let mut line = Line::default();
        values.iter().for_each(|value| line.push(*value));
        line
    }

    /// Moves on by one row.
    pub(super) fn push(&mut self, value: f64) {
        self.rows += 1.0;
        let t = self.rows;
        let before = self.mean;
        self.mean += (value - before) / t;
        if t > 1.0 {
            self.slope = ((t - 2.0) * self.slope + 6.0 * (value - before) / t) / (t + 1.0);
        }
        self.intercept = self.mean - 0.5 * self.slope * (t + 1.0);
    }
}
