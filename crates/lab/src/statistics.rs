//! Means with their spread, and paired differences with their error.

use serde::Serialize;

/// Mean and sample standard deviation (`n − 1`) over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) mean: f64,
    /// Unknown for one value.
    pub(super) std: Option<f64>,
    pub(super) count: usize,
}

impl Spread {
    /// `None` for no value at all.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        let mean = mean(&values);
        let std = (values.len() > 1).then(|| variance(&values).sqrt());
        Some(Spread { mean, std, count: values.len() })
    }

    /// The standard error of the mean, `s / √n`.
    pub(super) fn error(self) -> Option<f64> {
        Some(self.std? / (self.count as f64).sqrt())
    }
}

/// The mean of paired differences and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Difference {
    pub(super) mean: f64,
    pub(super) error: f64,
    pub(super) windows: usize,
    pub(super) seeds: usize,
}

impl Difference {
    /// Mean of `d[seed][window]` with a standard error that covers both windows and seeds:
    ///
    /// ```text
    /// SE² = V_windows + V_seeds
    /// V_windows   long-run variance of the seed-averaged differences, over their number
    /// V_seeds     variance of the per-seed means, over their number (0 for one seed)
    /// ```
    ///
    /// Neighboring windows share rows, so their differences are correlated; `lag` is how many
    /// windows that reaches. `None` without windows, or if seeds disagree about their number.
    /// The part of the variance that is neither common to a window nor to a seed enters twice:
    /// the error errs on the large side.
    pub(super) fn of(differences: &[Vec<f64>], lag: usize) -> Option<Difference> {
        let windows = differences.first()?.len();
        if windows == 0 || differences.iter().any(|d| d.len() != windows) {
            return None;
        }
        let over_seeds: Vec<f64> = (0..windows)
            .map(|w| mean(&differences.iter().map(|d| d[w]).collect::<Vec<_>>()))
            .collect();
        let per_seed: Vec<f64> = differences.iter().map(|d| mean(d)).collect();
        let of_seeds = variance(&per_seed) / per_seed.len() as f64;
        let of_windows = long_run_variance(&over_seeds, lag) / windows as f64;
        Some(Difference {
            mean: mean(&over_seeds),
            error: (of_windows + of_seeds).sqrt(),
            windows,
            seeds: differences.len(),
        })
    }

    /// The difference of two independent differences.
    pub(super) fn minus(self, other: Difference) -> Difference {
        Difference {
            mean: self.mean - other.mean,
            error: self.error.hypot(other.error),
            windows: self.windows.min(other.windows),
            seeds: self.seeds.min(other.seeds),
        }
    }

    /// Whether the difference is beyond two standard errors.
    pub(super) fn is_clear(self) -> bool {
        self.mean.abs() > 2.0 * self.error
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample variance; 0 for one value.
pub(super) fn variance(values: &[f64]) -> f64 {
    let center = mean(values);
    let squares: f64 = values.iter().map(|v| (v - center).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// Long-run variance with Bartlett weights (Newey & West 1987, eq. 5): never negative.
///
/// ```text
/// γ_0 + 2 Σ_{k=1}^{K} (1 − k / (K + 1)) γ_k
/// ```
///
/// `K` is twice `lag`, as the weights halve what lies at `lag` itself, but at most a quarter of
/// the series.
pub(super) fn long_run_variance(values: &[f64], lag: usize) -> f64 {
    let (n, center) = (values.len(), mean(values));
    let most = (2 * lag).min(n / 4);
    let autocovariance = |k: usize| {
        let products = values[k..].iter().zip(values).map(|(a, b)| (a - center) * (b - center));
        products.sum::<f64>() / (n as f64 - 1.0).max(1.0)
    };
    let weighted = (1..=most).map(|k| {
        let weight = 1.0 - k as f64 / (most as f64 + 1.0);
        2.0 * weight * autocovariance(k)
    });
    autocovariance(0) + weighted.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard normal numbers from a counter (SplitMix64 and the sum of twelve uniforms).
    fn normals(seed: u64, count: usize) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut uniform = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..count).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect()
    }

    #[test]
    fn a_spread_is_the_sample_standard_deviation() {
        let spread = Spread::of([2.0, 4.0, 6.0]).unwrap();
        assert_eq!((spread.mean, spread.std, spread.count), (4.0, Some(2.0), 3));
        assert_eq!(spread.error(), Some(2.0 / 3.0_f64.sqrt()));
        assert_eq!(Spread::of([5.0]).unwrap().std, None);
        assert_eq!(Spread::of([]), None);
    }

    /// Oracle: for one seed and no overlap, the textbook standard error `s / √n`.
    #[test]
    fn without_overlap_the_error_is_the_textbook_one() {
        let difference = Difference::of(&[vec![1.0, 2.0, 3.0, 6.0]], 0).unwrap();
        let std = (14.0_f64 / 3.0).sqrt();
        assert!((difference.mean - 3.0).abs() < 1e-12);
        assert!((difference.error - std / 2.0).abs() < 1e-12);
    }

    /// Oracle: Var(mean) of a moving sum of H unit normals tends to H² / n; sampled over many
    /// series, the squared errors average to it. Bartlett weights at 2 H keep 1 − 1/6 of it at
    /// least; ignoring the overlap would give 1 / H.
    #[test]
    fn overlapping_windows_count_less() {
        let (horizon, n, repeats) = (7, 2000, 40);
        let truth = (horizon * horizon) as f64 / n as f64;
        let squared: Vec<f64> = (0..repeats)
            .map(|seed| {
                let noise = normals(seed + 1, n + horizon);
                let sums = noise.windows(horizon).take(n).map(|w| w.iter().sum()).collect();
                Difference::of(&[sums], horizon).unwrap().error.powi(2)
            })
            .collect();
        let ratio = mean(&squared) / truth;
        assert!((0.75..1.1).contains(&ratio), "estimated {ratio:.2} of the true variance");
    }

    /// Oracle: the standard deviation of the mean over repeated draws of seeds and windows.
    #[test]
    fn the_error_covers_windows_and_seeds() {
        let (seeds, windows, repeats) = (5_usize, 50_usize, 400_u64);
        let (mut means, mut squared) = (Vec::new(), Vec::new());
        for repeat in 0..repeats {
            let (of_seeds, of_windows) =
                (normals(3 * repeat + 1, seeds), normals(3 * repeat + 2, windows));
            let table: Vec<Vec<f64>> =
                of_seeds.iter().map(|s| of_windows.iter().map(|w| 0.3 * s + w).collect()).collect();
            let difference = Difference::of(&table, 0).unwrap();
            means.push(difference.mean);
            squared.push(difference.error.powi(2));
        }
        // A variance from n draws has relative standard error √(2 / n) = 0.07.
        let ratio = mean(&squared) / variance(&means);
        assert!((ratio - 1.0).abs() < 0.25, "squared error over variance is {ratio:.2}");
    }

    #[test]
    fn seeds_that_disagree_cannot_be_paired() {
        assert_eq!(Difference::of(&[vec![1.0], vec![1.0, 2.0]], 0), None);
        assert_eq!(Difference::of(&[], 0), None);
    }
}
