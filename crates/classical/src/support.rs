//! Values that a series can take, as far as its known rows tell.

use serde::{Deserialize, Serialize};

use crate::Paths;

/// Bounds and grid of the values of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Support {
    /// Zero if no known value is negative.
    pub lower: Option<f64>,
    /// Whether every known value is a whole number.
    pub integer: bool,
}

impl Support {
    /// The support that the finite values suggest. Without any, nothing is known.
    pub fn of(values: &[f64]) -> Support {
        let mut known = values.iter().filter(|value| value.is_finite()).peekable();
        let any = known.peek().is_some();
        let (low, whole) = known.fold((true, true), |(low, whole), &value| {
            (low && value >= 0.0, whole && value.fract() == 0.0)
        });
        Support { lower: (any && low).then_some(0.0), integer: any && whole }
    }

    /// The support that holds the values of both.
    #[must_use]
    pub fn or(self, other: Support) -> Support {
        let lower = self.lower.zip(other.lower).map(|(a, b)| a.min(b));
        Support { lower, integer: self.integer && other.integer }
    }

    /// The nearest value of the support.
    pub fn clamp(&self, value: f64) -> f64 {
        let value = if self.integer { value.round() } else { value };
        self.lower.map_or(value, |lower| value.max(lower))
    }

    /// Moves every value of the paths to the nearest one of the support.
    pub fn apply(&self, paths: &mut Paths) {
        paths.values.iter_mut().for_each(|value| *value = self.clamp(*value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_returns_and_prices_are_told_apart() {
        let counts = Support::of(&[0.0, f64::NAN, 3.0]);
        assert_eq!(counts, Support { lower: Some(0.0), integer: true });
        assert_eq!(counts.clamp(-1.2), 0.0);
        assert_eq!(counts.clamp(2.6), 3.0);
        let returns = Support::of(&[-0.5, 0.25]);
        assert_eq!(returns, Support { lower: None, integer: false });
        assert_eq!(returns.clamp(-7.3), -7.3);
        assert_eq!(Support::of(&[f64::NAN]), Support { lower: None, integer: false });
        assert_eq!(counts.or(counts), counts);
        assert_eq!(counts.or(returns), returns);
        let amounts = Support::of(&[0.5]);
        assert_eq!(amounts.or(counts), amounts);
    }

    #[test]
    fn paths_are_moved_into_the_support() {
        let mut paths = Paths::draw(2, 1, |path| path.copy_from_slice(&[-0.4, 1.5]));
        Support { lower: Some(0.0), integer: false }.apply(&mut paths);
        assert_eq!(paths.iter().next(), Some([0.0, 1.5].as_slice()));
    }
}
