//! Means, variances and quantiles of plain numbers.

use serde::{Deserialize, Serialize};

/// The mean; NaN for no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample variance `Σ (x − x̄)² / (n − 1)`; 0 for one value.
pub fn variance(values: &[f64]) -> f64 {
    let center = mean(values);
    let squares: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// The mean of the finite values; `None` if there are none.
pub fn mean_of_finite(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (sum, count) = finite.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then_some(sum / count)
}

/// The quantile of sorted values at `level`, linear between order statistics.
///
/// ```text
/// h = level · (n − 1)        Q = x_⌊h⌋ + (h − ⌊h⌋) (x_⌊h⌋₊₁ − x_⌊h⌋)        x_0 ≤ … ≤ x_{n−1}
/// ```
///
/// `None` for no values, or a level outside [0, 1].
///
/// # References
/// Hyndman & Fan (1996), definition 7.
pub fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&level) {
        return None;
    }
    let position = level * (sorted.len() - 1) as f64;
    let (low, share) = (position.floor() as usize, position.fract());
    let high = (low + 1).min(sorted.len() - 1);
    Some(sorted[low] + share * (sorted[high] - sorted[low]))
}

/// Mean and sample standard deviation over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation with `n − 1`; unknown for one value.
    pub std: Option<f64>,
    /// The number of values.
    pub count: usize,
}

impl Spread {
    /// `None` for no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        let std = (values.len() > 1).then(|| variance(&values).sqrt());
        Some(Spread { mean: mean(&values), std, count: values.len() })
    }

    /// The standard error of the mean, `s / √n`.
    pub fn error(self) -> Option<f64> {
        Some(self.std? / (self.count as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_sample_standard_deviation() {
        let spread = Spread::of([2.0, 4.0, 6.0]).unwrap();
        assert_eq!((spread.mean, spread.std, spread.count), (4.0, Some(2.0), 3));
        assert_eq!(spread.error(), Some(2.0 / 3.0_f64.sqrt()));
        assert_eq!(Spread::of([5.0]).unwrap().std, None);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn what_is_not_finite_does_not_count() {
        assert_eq!(mean_of_finite([1.0, f64::NAN, 3.0, f64::INFINITY]), Some(2.0));
        assert_eq!(mean_of_finite([f64::NAN]), None);
        assert_eq!(mean_of_finite([]), None);
    }

    /// Oracle: of the numbers 0 to 100 the quantile at level q is 100 q; and numpy's default by hand.
    #[test]
    fn quantiles_interpolate() {
        let sorted: Vec<f64> = (0..=100).map(f64::from).collect();
        for level in [0.0, 0.05, 0.123, 0.5, 1.0] {
            assert!((quantile(&sorted, level).unwrap() - 100.0 * level).abs() < 1e-9);
        }
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.75), Some(5.0));
        assert_eq!(quantile(&[3.0], 0.9), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&sorted, 1.01), None);
        assert_eq!(quantile(&sorted, f64::NAN), None);
    }
}
