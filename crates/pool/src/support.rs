//! What values a series can take.

use serde::{Deserialize, Serialize};

/// What values a series can take, as far as its known rows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Support {
    /// No value was negative.
    pub non_negative: bool,
    /// All values were whole numbers.
    pub integer: bool,
}

impl Support {
    /// The support that known rows show; NaN is a missing row. Without rows, all numbers.
    pub fn of(values: &[f64]) -> Support {
        let known = || values.iter().copied().filter(|value| value.is_finite());
        let some = known().next().is_some();
        let whole = |value: f64| value.fract() == 0.0 && value.abs() < 2_f64.powi(53);
        Support {
            non_negative: some && known().all(|value| value >= 0.0),
            integer: some && known().all(whole),
        }
    }

    /// The nearest value within the support.
    pub fn clamp(self, value: f64) -> f64 {
        let value = if self.non_negative { value.max(0.0) } else { value };
        if self.integer { value.round() } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_the_support() {
        let counts = Support::of(&[0.0, 3.0, f64::NAN]);
        assert_eq!(counts, Support { non_negative: true, integer: true });
        assert_eq!([counts.clamp(-0.7), counts.clamp(2.6)], [0.0, 3.0]);
        assert_eq!(Support::of(&[0.5, 3.0]), Support { non_negative: true, integer: false });
        assert_eq!(Support::of(&[-1.0, 1e300]), Support::default());
        assert_eq!(Support::of(&[f64::NAN]), Support::default());
    }
}
