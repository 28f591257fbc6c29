//! Targets, what was reached, and the distance where they are missed.

use serde::Serialize;

use crate::outcome::Outcome;
use crate::page::{Column, Head, Table};

/// A number with the range that is wanted of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measure {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) reached: Option<String>,
    pub(crate) outcome: Outcome,
    /// `met`, `missed by 0.031`, `unknown`.
    pub(crate) verdict: String,
}

impl Measure {
    /// Within `low` and `high`, either of which may be infinite; `show` writes the number and its targets.
    pub(crate) fn new(
        what: impl Into<String>,
        [low, high]: [f64; 2],
        reached: Option<f64>,
        show: impl Fn(f64) -> String,
    ) -> Measure {
        let reached = reached.filter(|value| value.is_finite());
        let target = match (low.is_finite(), high.is_finite()) {
            (false, _) => format!("≤ {}", show(high)),
            (true, false) => format!("≥ {}", show(low)),
            (true, true) => format!("{} to {}", show(low), show(high)),
        };
        let by = reached.map(|value| (low - value).max(value - high));
        let outcome = Outcome::holds(by.map(|by| by <= 0.0));
        let verdict = match by {
            Some(by) if by > 0.0 => format!("missed by {}", show(by)),
            _ => outcome.target().to_owned(),
        };
        Measure { what: what.into(), target, reached: reached.map(show), outcome, verdict }
    }

    pub(crate) fn at_most(
        what: impl Into<String>,
        most: f64,
        reached: Option<f64>,
        show: impl Fn(f64) -> String,
    ) -> Measure {
        Measure::new(what, [f64::NEG_INFINITY, most], reached, show)
    }
}

/// A table of measures.
pub(crate) fn measures(all: &[Measure]) -> Table {
    let columns = [
        Column::new("target", "", |m: &Measure| Some(m.target.clone())),
        Column::new("reached", "", |m: &Measure| m.reached.clone()),
        Column::new("verdict", "", |m: &Measure| Some(m.verdict.clone())),
    ];
    Table::new("measure", all, |m| Head::new(m.what.clone()), &columns).unexplained()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_border_and_missed_by_the_distance_to_it() {
        let show = |value: f64| format!("{value:.2}");
        let verdict = |range, reached| Measure::new("x", range, reached, show).verdict;
        assert_eq!(verdict([0.5, 0.75], Some(0.75)), "met");
        assert_eq!(verdict([0.5, 0.75], Some(0.8)), "missed by 0.05");
        assert_eq!(verdict([0.5, 0.75], Some(0.25)), "missed by 0.25");
        assert_eq!(verdict([0.5, f64::INFINITY], Some(9.0)), "met");
        assert_eq!(verdict([0.5, 0.75], None), "unknown");
        assert_eq!(verdict([0.5, 0.75], Some(f64::NAN)), "unknown");
        let measure = Measure::at_most("x", 2.0, Some(3.5), show);
        assert_eq!(
            (measure.target.as_str(), measure.verdict.as_str()),
            ("≤ 2.00", "missed by 1.50")
        );
    }
}
