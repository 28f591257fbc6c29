//! Ratios of scores over many series.

use serde::Serialize;
use stats::Estimate;

/// A geometric mean of ratios with its 95 % interval over series.
///
/// ```text
/// exp(mean log r_i)        interval: exp(mean ± t_{n−1} s / √n) of log r_i
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Ratio {
    pub(super) mean: f64,
    /// Absent for a single series.
    pub(super) interval: Option<[f64; 2]>,
    pub(super) count: usize,
}

impl Ratio {
    /// Of scores and others on the same series; those without a positive finite ratio do not count.
    pub(super) fn of(pairs: impl Iterator<Item = Option<(f64, f64)>>) -> Option<Ratio> {
        let logs = pairs.flatten().map(|(ours, theirs)| (ours / theirs).ln());
        let logs: Vec<f64> = logs.filter(|log| log.is_finite()).collect();
        if logs.is_empty() {
            return None;
        }
        let interval = Estimate::of_seeds(&logs).map(|estimate| {
            let (low, high) = estimate.interval(0.05);
            [low.exp(), high.exp()]
        });
        Some(Ratio { mean: stats::mean(&logs).exp(), interval, count: logs.len() })
    }

    /// `wins against`, `loses to`, or `ties with` where the interval leaves it open.
    pub(super) fn verb(self) -> &'static str {
        match self.interval {
            Some([_, high]) if high < 1.0 => "wins against",
            Some([low, _]) if low > 1.0 => "loses to",
            _ => "ties with",
        }
    }

    /// `0.883 (0.812 to 0.960)`.
    pub(super) fn text(self) -> String {
        match self.interval {
            Some([low, high]) => format!("{:.3} ({low:.3} to {high:.3})", self.mean),
            None => format!("{:.3}", self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: logs −.2 and .0 have mean −.1, s/√n = .1, and Student's quantile of one degree is 12.7062.
    #[test]
    fn ratios_are_averaged_as_logarithms() {
        let pairs = [Some((2.0 * (-0.2_f64).exp(), 2.0)), Some((3.0, 3.0)), None, Some((1.0, 0.0))];
        let ratio = Ratio::of(pairs.into_iter()).unwrap();
        assert!((ratio.mean.ln() + 0.1).abs() < 1e-12 && ratio.count == 2);
        let [low, high] = ratio.interval.unwrap();
        assert!(
            (low.ln() + 0.1 + 1.270_62).abs() < 1e-5 && (high.ln() + 0.1 - 1.270_62).abs() < 1e-5
        );
        assert_eq!(ratio.verb(), "ties with");
        assert_eq!(Ratio { interval: Some([0.8, 0.99]), ..ratio }.verb(), "wins against");
        assert_eq!(Ratio { interval: Some([1.01, 1.2]), ..ratio }.verb(), "loses to");
        assert_eq!(Ratio::of([None].into_iter()), None);
    }
}
