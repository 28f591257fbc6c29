//! Estimates with their uncertainty: paired differences over seeds and windows, Student intervals, and the
//! correction for how many of them there are.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::super::statistics::{long_run_variance, mean, variance};

/// A mean, its standard error, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) error: f64,
    /// Degrees of freedom of the error.
    pub(super) freedom: f64,
}

/// Student's law is the normal one beyond.
const MANY: f64 = 1e6;

/// Differences of the windows as differences of their times, with the same mean: windows of several series at one
/// time are one observation (Driscoll & Kraay 1998).
///
/// ```text
/// u_τ = mean + n/N · Σ_{windows at τ} (d − mean)        n times, N windows
/// ```
pub(super) fn by_time(differences: &[f64], times: &[usize]) -> Vec<f64> {
    let (center, n) = (mean(differences), times.iter().max().map_or(0, |last| last + 1));
    let weight = n as f64 / differences.len() as f64;
    let mut out = vec![center; n];
    times.iter().zip(differences).for_each(|(time, d)| out[*time] += weight * (d - center));
    out
}

impl Estimate {
    /// Of one number per seed: the textbook mean and `s / √n`. `None` for fewer than two.
    pub(super) fn of_seeds(values: &[f64]) -> Option<Estimate> {
        if values.len() < 2 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len() as f64;
        let error = (variance(values) / n).sqrt();
        Some(Estimate { mean: mean(values), error, freedom: n - 1.0 })
    }

    /// Of one number per seed and window, `d[seed][window]`, neighbors within `lag` windows correlated.
    ///
    /// ```text
    /// SE² = V_s + V_w,    V_s: variance of the per-seed means / seeds,    V_w: long-run variance over windows / windows
    /// ν = SE⁴ / (V_s² / (seeds − 1) + V_w² / (windows − 1))        (Welch and Satterthwaite)
    /// ```
    ///
    /// Series go on in one window as they did in the last, shared rows or not, so autocovariances count up to at
    /// least `4 (windows / 100)^{2/9}` windows (Newey and West 1994), as in `ballast evaluate`.
    pub(super) fn of_windows(values: &[Vec<f64>], lag: usize) -> Option<Estimate> {
        let windows = values.first()?.len();
        let uneven = values.iter().any(|seed| seed.len() != windows);
        if values.len() < 2 || windows < 3 || uneven {
            return None;
        }
        let per_seed: Vec<f64> = values.iter().map(|seed| mean(seed)).collect();
        let Estimate { mean, error, freedom } = Estimate::of_seeds(&per_seed)?;
        let over_seeds: Vec<f64> = (0..windows)
            .map(|w| values.iter().map(|seed| seed[w]).sum::<f64>() / values.len() as f64)
            .collect();
        let of_seeds = error * error;
        // The long-run variance reaches twice the lag.
        let least = (2.0 * (windows as f64 / 100.0).powf(2.0 / 9.0)).ceil() as usize;
        let lag = lag.max(least);
        let of_windows = long_run_variance(&over_seeds, lag) / windows as f64;
        let total = of_seeds + of_windows;
        let freedom = match total {
            0.0 => freedom,
            total => {
                let of_windows = of_windows * of_windows / (windows as f64 - 1.0);
                total * total / (of_seeds * of_seeds / freedom + of_windows)
            }
        };
        Some(Estimate { mean, error: total.sqrt(), freedom })
    }

    /// In other units.
    pub(super) fn scaled(self, by: f64) -> Estimate {
        Estimate { mean: self.mean * by, error: self.error * by.abs(), ..self }
    }

    /// The difference of two independent estimates.
    pub(super) fn minus(self, other: Estimate) -> Estimate {
        let (a, b) = (self.error.powi(2), other.error.powi(2));
        let freedom = match a + b {
            0.0 => self.freedom.min(other.freedom),
            sum => sum * sum / (a * a / self.freedom + b * b / other.freedom),
        };
        Estimate { mean: self.mean - other.mean, error: (a + b).sqrt(), freedom }
    }

    /// The mean of groups of estimates, equally weighted within and between groups. Within a group errors are
    /// taken to be common (the same test windows), so they are averaged; between groups to be independent.
    pub(super) fn pooled(groups: &[Vec<Estimate>]) -> Option<Estimate> {
        let of_group = |group: &Vec<Estimate>| {
            let n = group.len() as f64;
            let total = |value: fn(&Estimate) -> f64| group.iter().map(value).sum::<f64>() / n;
            let freedom =
                group.iter().map(|estimate| estimate.freedom).fold(f64::INFINITY, f64::min);
            Estimate { mean: total(|e| e.mean), error: total(|e| e.error), freedom }
        };
        let groups: Vec<Estimate> =
            groups.iter().filter(|group| !group.is_empty()).map(of_group).collect();
        if groups.is_empty() {
            return None;
        }
        let n = groups.len() as f64;
        let square: f64 = groups.iter().map(|group| group.error.powi(2)).sum();
        let fourth: f64 = groups.iter().map(|group| group.error.powi(4) / group.freedom).sum();
        let freedom = match fourth {
            0.0 => groups.iter().map(|group| group.freedom).fold(f64::INFINITY, f64::min),
            fourth => square * square / fourth,
        };
        let mean = groups.iter().map(|group| group.mean).sum::<f64>() / n;
        Some(Estimate { mean, error: square.sqrt() / n, freedom })
    }

    /// P(T ≤ t) of Student's t.
    fn cdf(&self, t: f64) -> f64 {
        StudentsT::new(0.0, 1.0, self.freedom.clamp(1.0, MANY)).map_or(f64::NAN, |law| law.cdf(t))
    }

    /// Two-sided p-value of being zero.
    pub(super) fn p_value(&self) -> f64 {
        match self.error {
            0.0 => f64::from(self.mean == 0.0),
            error => (2.0 * self.cdf(-(self.mean / error).abs())).min(1.0),
        }
    }

    /// p-value of not lying within ± `margin`: the larger of two one-sided tests (Schuirmann 1987).
    pub(super) fn p_value_of_equality(&self, margin: f64) -> f64 {
        match self.error {
            0.0 => f64::from(self.mean.abs() >= margin),
            error => self.cdf((self.mean.abs() - margin) / error),
        }
    }

    /// The interval that covers with probability `1 − alpha`.
    pub(super) fn interval(&self, alpha: f64) -> (f64, f64) {
        let law = StudentsT::new(0.0, 1.0, self.freedom.clamp(1.0, MANY));
        let reach = law.map_or(f64::NAN, |law| law.inverse_cdf(1.0 - alpha / 2.0)) * self.error;
        (self.mean - reach, self.mean + reach)
    }
}

/// Holm's adjusted p-values (1979): each is at most `alpha` exactly where its comparison is significant with an
/// error rate of `alpha` over all.
///
/// ```text
/// p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j))
/// ```
pub(super) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        least = least.max((factor * p_values[index]).min(1.0));
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand, and the tabulated t quantile of four degrees of freedom, 2.7764.
    #[test]
    fn seeds_give_the_textbook_interval() {
        let found = Estimate::of_seeds(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((found.error - (2.5_f64 / 5.0).sqrt()).abs() < 1e-12);
        let (low, high) = found.interval(0.05);
        assert!((high - 3.0 - 2.776_445 * found.error).abs() < 1e-5, "{high}");
        assert!((low + high - 6.0).abs() < 1e-12);
        // P(|T_4| > 2.776445) = .05.
        let at = Estimate { mean: 2.776_445, error: 1.0, freedom: 4.0 };
        assert!((at.p_value() - 0.05).abs() < 1e-6);
        assert_eq!(Estimate::of_seeds(&[1.0]), None);
        assert_eq!(Estimate::of_seeds(&[1.0, f64::NAN]), None);
    }

    /// Oracle: where seeds agree, the windows alone decide (t_3 at .975 is 3.182446); where windows agree, the seeds.
    #[test]
    fn windows_and_seeds_add_up() {
        // Three windows are too few for autocovariances: s / √n, and the t quantile of two degrees of freedom.
        let row = vec![1.0, 2.0, 6.0];
        let of_windows = Estimate::of_windows(&[row.clone(), row.clone()], 0).unwrap();
        assert!((of_windows.error - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((of_windows.interval(0.05).1 - 3.0 - 4.302_653 * of_windows.error).abs() < 1e-5);
        // Of eight windows two lags count, though none overlaps: γ_0 + 2 (2/3 γ_1 + 1/3 γ_2), by hand.
        let row = vec![1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0];
        let of_windows = Estimate::of_windows(&[row.clone(), row], 0).unwrap();
        let by_hand = (8.0 + 2.0 * (2.0 / 3.0 * 5.0 + 1.0 / 3.0 * 2.0)) / 7.0_f64;
        assert!((of_windows.error - (by_hand / 8.0).sqrt()).abs() < 1e-12);
        let flat = [vec![1.0; 4], vec![3.0; 4], vec![5.0; 4]];
        let of_seeds = Estimate::of_windows(&flat, 0).unwrap();
        assert_eq!(Some(of_seeds), Estimate::of_seeds(&[1.0, 3.0, 5.0]));
        assert_eq!(Estimate::of_windows(&[vec![1.0; 4], vec![1.0; 5]], 0), None);
    }

    /// Two series, one of which begins later: by hand, `2 + 3/5 · Σ (d − 2)`.
    #[test]
    fn a_time_is_one_observation() {
        let found = by_time(&[1.0, 2.0, 3.0, 0.0, 4.0], &[0, 1, 2, 1, 2]);
        let expected = [2.0 - 0.6, 2.0 - 0.6 * 2.0, 2.0 + 0.6 * 3.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(by_time(&[1.0, 5.0], &[0, 1]), [1.0, 5.0]);
    }

    /// Oracle: the example worked by hand from Holm's definition.
    #[test]
    fn holm_is_stepwise_and_monotone() {
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    /// Oracle: equality is shown at level alpha exactly where the 1 − 2 alpha interval lies within the margin.
    #[test]
    fn equality_is_two_one_sided_tests() {
        for (mean, margin) in [(0.3, 1.0), (-0.3, 1.0), (0.3, 0.5), (0.9, 1.0)] {
            let estimate = Estimate { mean, error: 0.2, freedom: 7.0 };
            let (low, high) = estimate.interval(0.1);
            let inside = -margin < low && high < margin;
            assert_eq!(estimate.p_value_of_equality(margin) < 0.05, inside, "{mean} {margin}");
        }
    }

    #[test]
    fn groups_are_independent_and_their_members_are_not() {
        let one = Estimate { mean: 1.0, error: 0.6, freedom: 4.0 };
        let three = Estimate { mean: 3.0, error: 0.8, freedom: 4.0 };
        let same = Estimate::pooled(&[vec![one, three]]).unwrap();
        assert!((same.mean - 2.0).abs() < 1e-12 && (same.error - 0.7).abs() < 1e-12);
        let apart = Estimate::pooled(&[vec![one], vec![three], vec![]]).unwrap();
        assert!((apart.mean - 2.0).abs() < 1e-12 && (apart.error - 0.5).abs() < 1e-12);
        // Welch: 1 / (.36² + .64²) · 4.
        assert!((apart.freedom - 4.0 / (0.36_f64.powi(2) + 0.64_f64.powi(2))).abs() < 1e-9);
        assert_eq!(Estimate::pooled(&[]), None);
        let difference = three.minus(one);
        assert!((difference.error - 1.0).abs() < 1e-12 && difference.mean == 2.0);
    }
}
