//! The one vocabulary for how a question came out.

use serde::Serialize;

/// The answer to a yes-or-no question, in the order in which a reader wants to see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    No,
    /// The numbers that would decide are missing.
    Unknown,
    /// The numbers allow either answer.
    Undecided,
    /// Some parts of the question say yes, and none says no.
    Partly,
    Yes,
}

impl Outcome {
    /// As the answer to a question.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Outcome::No => "No",
            Outcome::Unknown => "Unknown",
            Outcome::Undecided => "Undecided",
            Outcome::Partly => "In part",
            Outcome::Yes => "Yes",
        }
    }

    /// As the state of a target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Outcome::No => "missed",
            Outcome::Unknown => "unknown",
            Outcome::Undecided => "undecided",
            Outcome::Partly => "met in part",
            Outcome::Yes => "met",
        }
    }

    /// The answer to a condition that numbers decide; unknown without them.
    pub(crate) fn holds(condition: Option<bool>) -> Outcome {
        match condition {
            Some(true) => Outcome::Yes,
            Some(false) => Outcome::No,
            None => Outcome::Unknown,
        }
    }

    /// The answer for conditions that must all hold: one that fails decides, then one that is unknown.
    pub(crate) fn all(conditions: impl IntoIterator<Item = Outcome>) -> Outcome {
        let conditions: Vec<Outcome> = conditions.into_iter().collect();
        let any = |outcome| conditions.contains(&outcome);
        [Outcome::No, Outcome::Unknown, Outcome::Undecided, Outcome::Partly]
            .into_iter()
            .find(|outcome| any(*outcome))
            .unwrap_or(if conditions.is_empty() { Outcome::Unknown } else { Outcome::Yes })
    }

    /// The answer for a claim from its tests: no if one says no, yes if all say yes, in part if some do.
    pub(crate) fn claim(tests: impl IntoIterator<Item = Outcome>) -> Outcome {
        let tests: Vec<Outcome> = tests.into_iter().collect();
        let any = |outcome| tests.contains(&outcome);
        if any(Outcome::No) {
            Outcome::No
        } else if tests.iter().all(|test| *test == Outcome::Yes) {
            Outcome::Yes
        } else if any(Outcome::Yes) {
            Outcome::Partly
        } else if any(Outcome::Undecided) {
            Outcome::Undecided
        } else {
            Outcome::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{self, No, Partly, Undecided, Unknown, Yes};

    #[test]
    fn a_claim_is_judged_by_its_tests_and_a_target_by_all_conditions() {
        for (tests, claim, all) in [
            (&[Yes, Yes][..], Yes, Yes),
            (&[Yes, No, Undecided], No, No),
            (&[Yes, Undecided], Partly, Undecided),
            (&[Yes, Unknown], Partly, Unknown),
            (&[Undecided, Unknown], Undecided, Unknown),
            (&[Unknown], Unknown, Unknown),
        ] {
            assert_eq!(Outcome::claim(tests.iter().copied()), claim, "{tests:?}");
            assert_eq!(Outcome::all(tests.iter().copied()), all, "{tests:?}");
        }
        assert_eq!(Outcome::all([]), Unknown);
    }
}
