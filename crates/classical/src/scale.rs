//! Invertible maps between original units and the units in which a method works.

/// A map that is linear, or linear after the logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    shift: f64,
    factor: f64,
    /// For the logarithm: the least value taken, since later rows may hold zeros.
    floor: Option<f64>,
}

impl Scale {
    /// Standardizes: mean 0 and standard deviation 1 over the observed rows. A constant is only shifted.
    pub(crate) fn standard(values: &[f64]) -> Scale {
        let (shift, factor) = moments(observed(values));
        Scale { shift, factor, floor: None }
    }

    /// Divides by the mean; for positive values.
    pub(crate) fn ratio(values: &[f64]) -> Scale {
        let factor = moments(observed(values)).0;
        Scale { shift: 0.0, factor: if factor > 0.0 { factor } else { 1.0 }, floor: None }
    }

    /// Standardized logarithm; for positive values.
    pub(crate) fn log(values: &[f64]) -> Scale {
        let least = observed(values).fold(f64::MAX, f64::min);
        let (shift, factor) = moments(observed(values).map(f64::ln));
        Scale { shift, factor, floor: Some((0.5 * least).max(f64::MIN_POSITIVE)) }
    }

    /// A value in working units, cut at ±1e100 so that squares of it stay finite; NaN for one that is not finite.
    pub(crate) fn to(&self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        let value = self.floor.map_or(value, |floor| value.max(floor).ln());
        ((value - self.shift) / self.factor).clamp(-1e100, 1e100)
    }

    /// A value in original units, finite for every argument but NaN.
    pub(crate) fn back(&self, value: f64) -> f64 {
        let value = self.shift + self.factor * value;
        let value = if self.floor.is_some() { value.exp() } else { value };
        value.clamp(f64::MIN, f64::MAX)
    }

    /// A difference in working units as a difference in original units, or as a ratio for the logarithm.
    pub(crate) fn difference(&self, off: f64) -> f64 {
        let off = self.factor * off;
        let off = if self.floor.is_some() { off.exp() } else { off };
        off.clamp(f64::MIN, f64::MAX)
    }

    /// Logarithm of the derivative of the map, summed over the observed rows: what a log likelihood in working units
    /// gains in original ones.
    pub(crate) fn log_derivative(&self, values: &[f64]) -> f64 {
        let each =
            |value: f64| -self.factor.ln() - self.floor.map_or(0.0, |floor| value.max(floor).ln());
        observed(values).map(each).sum()
    }
}

fn observed(values: &[f64]) -> impl Iterator<Item = f64> + Clone {
    values.iter().copied().filter(|value| value.is_finite())
}

/// Mean and standard deviation, 1 where that is zero, without overflow.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean: f64 = values.clone().map(|value| value / count).sum();
    let most =
        values.clone().fold(0.0, |most: f64, value| most.max((value / 2.0 - mean / 2.0).abs()));
    // Smaller deviations are the rounding of a constant.
    if most <= 1e-13 * mean.abs() || most < 1e-290 {
        return (mean, 1.0);
    }
    let squares: f64 = values.map(|value| ((value / 2.0 - mean / 2.0) / most).powi(2)).sum();
    let factor = 2.0 * most * (squares / count).sqrt();
    (mean, if factor.is_finite() { factor } else { f64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand: mean 2 and variance (1 + 0 + 1) / 3; the derivative of the logarithm is 1 / y.
    #[test]
    fn maps_and_their_derivatives_are_those_of_hand() {
        let values = [1.0, f64::NAN, 2.0, 3.0];
        let standard = Scale::standard(&values);
        assert!((standard.to(3.0) - 1.5_f64.sqrt()).abs() < 1e-12);
        assert!((standard.back(1.5_f64.sqrt()) - 3.0).abs() < 1e-12);
        assert!((standard.log_derivative(&values) - 1.5 * 1.5_f64.ln()).abs() < 1e-12);
        let log = Scale::log(&values);
        let slope = (log.to(2.0 + 1e-6) - log.to(2.0 - 1e-6)) / 2e-6;
        let others = (log.to(1.0 + 1e-6) - log.to(1.0 - 1e-6)) / 2e-6
            * (log.to(3.0 + 1e-6) - log.to(3.0 - 1e-6))
            / 2e-6;
        assert!((log.log_derivative(&values) - (slope * others).ln()).abs() < 1e-6);
        assert!((log.back(log.to(2.5)) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn extremes_stay_finite() {
        for values in [&[1e300, -1e300][..], &[0.0; 3], &[], &[1e-300, 2e-300], &[1e308, 1.7e308]] {
            for scale in [Scale::standard(values), Scale::ratio(values)] {
                assert!(values.iter().all(|value| scale.to(*value).is_finite()), "{values:?}");
                assert!(scale.back(1e300).is_finite() && scale.back(f64::INFINITY).is_finite());
            }
        }
    }
}
