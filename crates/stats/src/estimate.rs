//! Estimates with their errors: intervals, tests, combinations.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::summary::{mean, variance};

/// A mean, its standard error, and how well that error is known.
///
/// `(estimate − truth) / error` is taken to follow Student's t law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom of the error.
    pub freedom: f64,
}

/// Degrees of freedom beyond which Student's law is computed as this one, where it is normal to six digits.
const MOST_FREEDOM: f64 = 1e6;

impl Estimate {
    /// The mean of independent numbers, one per seed, with the error `s / √n` and `n − 1` degrees of freedom.
    ///
    /// `None` for fewer than two numbers, or one that is not finite.
    pub fn of_seeds(values: &[f64]) -> Option<Estimate> {
        if values.len() < 2 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len() as f64;
        let error = (variance(values) / n).sqrt();
        Some(Estimate { mean: mean(values), error, freedom: n - 1.0 })
    }

    /// The estimate in other units, `by` times as large.
    pub fn scaled(self, by: f64) -> Estimate {
        Estimate { mean: self.mean * by, error: self.error * by.abs(), ..self }
    }

    /// The difference of two independent estimates, by the rule of [`Estimate::pooled`] for its error.
    pub fn minus(self, other: Estimate) -> Estimate {
        let variances = [self, other].map(|part| (part.error.powi(2), part.freedom));
        let (variance, freedom) = satterthwaite(&variances);
        Estimate { mean: self.mean - other.mean, error: variance.sqrt(), freedom }
    }

    /// The mean of groups of estimates, with equal weights within and between groups; `None` for none.
    ///
    /// ```text
    /// within a group        SE = mean of SE_i,                 ν = min ν_i
    /// between K groups      SE² = Σ SE_g² / K²,                ν = (Σ SE_g²)² / Σ (SE_g⁴ / ν_g)
    /// ```
    ///
    /// Errors within a group are taken to be common to its members, which were scored on the same windows; groups
    /// to be independent, with the degrees of freedom of Welch and Satterthwaite.
    ///
    /// # References
    /// Satterthwaite (1946), Biometrics Bulletin 2, 110–114; Welch (1947), Biometrika 34, 28–35.
    pub fn pooled(groups: &[Vec<Estimate>]) -> Option<Estimate> {
        let of_group = |group: &Vec<Estimate>| {
            let n = group.len() as f64;
            let average = |value: fn(&Estimate) -> f64| group.iter().map(value).sum::<f64>() / n;
            let freedom = least(group.iter().map(|estimate| estimate.freedom));
            Estimate { mean: average(|e| e.mean), error: average(|e| e.error), freedom }
        };
        let groups: Vec<Estimate> =
            groups.iter().filter(|group| !group.is_empty()).map(of_group).collect();
        if groups.is_empty() {
            return None;
        }
        let n = groups.len() as f64;
        let variances: Vec<(f64, f64)> =
            groups.iter().map(|group| (group.error.powi(2), group.freedom)).collect();
        let (variance, freedom) = satterthwaite(&variances);
        let mean = groups.iter().map(|group| group.mean).sum::<f64>() / n;
        Some(Estimate { mean, error: variance.sqrt() / n, freedom })
    }

    /// The interval that covers the truth with probability `1 − alpha`.
    ///
    /// ```text
    /// mean ± t_ν(1 − alpha/2) · SE
    /// ```
    pub fn interval(&self, alpha: f64) -> (f64, f64) {
        let quantile = self.law().map_or(f64::NAN, |law| law.inverse_cdf(1.0 - alpha / 2.0));
        let reach = quantile * self.error;
        (self.mean - reach, self.mean + reach)
    }

    /// Whether the interval of `alpha` leaves out zero: the sign of the mean is then decided.
    pub fn decided(&self, alpha: f64) -> bool {
        let (low, high) = self.interval(alpha);
        low > 0.0 || high < 0.0
    }

    /// The two-sided p-value of the hypothesis that the truth is zero.
    pub fn p_value(&self) -> f64 {
        match self.error {
            0.0 => f64::from(self.mean == 0.0),
            error => (2.0 * self.cdf(-(self.mean / error).abs())).min(1.0),
        }
    }

    /// The p-value of the hypothesis that the truth lies outside ± `margin`: the larger of two one-sided tests.
    ///
    /// A small value shows that the truth is too close to zero to matter.
    ///
    /// # References
    /// Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657–680.
    pub fn p_value_of_equality(&self, margin: f64) -> f64 {
        match self.error {
            0.0 => f64::from(self.mean.abs() >= margin),
            error => self.cdf((self.mean.abs() - margin) / error),
        }
    }

    /// P(T ≤ t) of Student's t.
    fn cdf(&self, t: f64) -> f64 {
        self.law().map_or(f64::NAN, |law| law.cdf(t))
    }

    /// `None` where the degrees of freedom are NaN.
    fn law(&self) -> Option<StudentsT> {
        StudentsT::new(0.0, 1.0, self.freedom.clamp(1.0, MOST_FREEDOM)).ok()
    }
}

/// The sum of independent variances, each with its degrees of freedom, and the degrees of freedom of the sum.
///
/// ```text
/// V = Σ V_i        ν = V² / Σ (V_i² / ν_i)
/// ```
///
/// A variance of zero has no part in it; the least `ν_i` where all are zero.
pub(crate) fn satterthwaite(variances: &[(f64, f64)]) -> (f64, f64) {
    let parts: Vec<&(f64, f64)> =
        variances.iter().filter(|(variance, _)| *variance != 0.0).collect();
    match parts.as_slice() {
        [] => (0.0, least(variances.iter().map(|(_, freedom)| *freedom))),
        [(variance, freedom)] => (*variance, *freedom),
        parts => {
            let total: f64 = parts.iter().map(|(variance, _)| variance).sum();
            let squares: f64 =
                parts.iter().map(|(variance, freedom)| variance.powi(2) / freedom).sum();
            (total, total * total / squares)
        }
    }
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

/// The p-values of several comparisons, adjusted for their number: a comparison whose adjusted p-value is at most
/// `alpha` is significant with an error rate of `alpha` over all of them.
///
/// ```text
/// p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j))        p_(1) ≤ … ≤ p_(m)
/// ```
///
/// # References
/// Holm (1979), Scandinavian Journal of Statistics 6, 65–70.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
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
        assert!((low + high - 6.0).abs() < 1e-12 && found.decided(0.05));
        // P(|T_4| > 2.776445) = .05.
        let at = Estimate { mean: 2.776_445, error: 1.0, freedom: 4.0 };
        assert!((at.p_value() - 0.05).abs() < 1e-6);
        assert!(!at.decided(0.0499) && at.decided(0.0501));
        assert_eq!(Estimate::of_seeds(&[1.0]), None);
        assert_eq!(Estimate::of_seeds(&[1.0, f64::NAN]), None);
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
        assert_eq!(difference.freedom, apart.freedom);
        assert_eq!(one.scaled(-2.0), Estimate { mean: -2.0, error: 1.2, freedom: 4.0 });
    }

    /// Without any error, the mean alone decides.
    #[test]
    fn exact_estimates_are_exact() {
        let exact = |mean| Estimate { mean, error: 0.0, freedom: 3.0 };
        assert_eq!((exact(0.0).p_value(), exact(0.1).p_value()), (1.0, 0.0));
        let margins = [0.05, 0.1, 0.2].map(|margin| exact(0.1).p_value_of_equality(margin));
        assert_eq!(margins, [1.0, 1.0, 0.0]);
        assert_eq!(exact(2.0).minus(Estimate { freedom: 2.0, ..exact(0.5) }).freedom, 2.0);
        assert!(!exact(0.0).decided(0.05) && exact(0.1).decided(0.05));
    }
}
