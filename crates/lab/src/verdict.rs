//! Answers in a sentence, made from the numbers and from nothing else.

use std::fmt;

use serde::Serialize;

use super::number::{difference, plain};
use super::plan::Measure;
use super::statistics::Difference;
use super::summary::{Comparison, Row, Who, best};

/// How a claim came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// Beyond two standard errors, the wrong way round.
    No,
    /// Within two standard errors of no difference.
    Undecided,
    /// Beyond two standard errors.
    Yes,
    /// Runs are missing.
    Unknown,
}

/// A question, its answer, and the numbers that decide.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) question: String,
    pub(super) evidence: String,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::No => "No",
            Outcome::Undecided => "Undecided",
            Outcome::Yes => "Yes",
            Outcome::Unknown => "Unknown",
        }
    }

    fn of(difference: Option<Difference>) -> Outcome {
        match difference {
            None => Outcome::Unknown,
            Some(d) if !d.is_clear() => Outcome::Undecided,
            Some(d) if d.mean < 0.0 => Outcome::Yes,
            Some(_) => Outcome::No,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.question, self.outcome.word(), self.evidence)
    }
}

/// Answers every claim of the plan, and whether the best arm beats the best baseline.
///
/// What came out as no comes first: a report does not hide it.
pub(super) fn answers(compare: &Comparison, rows: &[Row]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for claim in &compare.plan.claims {
        let found = compare.measure(claim.measure, claim.better, claim.than);
        answers.push(Answer {
            outcome: Outcome::of(found),
            question: claim.asks.clone(),
            evidence: evidence(claim.measure, found, &rows[claim.better], &rows[claim.than]),
        });
    }
    answers.extend(against_baselines(compare, rows));
    answers.sort_by_key(|answer| answer.outcome != Outcome::No);
    answers
}

fn against_baselines(compare: &Comparison, rows: &[Row]) -> Option<Answer> {
    let (arm, baseline) = (best(rows, "arm")?, best(rows, "baseline")?);
    let found = compare.test(Who::Arm(arm), Who::Baseline(&rows[baseline].name));
    let outcome = Outcome::of(found);
    let (arm, baseline) = (&rows[arm], &rows[baseline]);
    Some(Answer {
        outcome,
        question: format!(
            "Does the best arm, {}, forecast better than the best baseline, {}?",
            arm.label, baseline.label
        ),
        evidence: evidence(Measure::Test, found, arm, baseline),
    })
}

fn evidence(measure: Measure, found: Option<Difference>, better: &Row, than: &Row) -> String {
    let Some(found) = found else {
        return "runs are missing, or were not scored on the same windows".to_owned();
    };
    let value = |row: &Row| {
        let scores = row.scores.as_ref()?;
        Some(match measure {
            Measure::Test => scores.crps_standardized.mean,
            Measure::Gap => scores.gap?.mean,
        })
    };
    let name = match measure {
        Measure::Test => "test CRPS",
        Measure::Gap => "train–test gap",
    };
    let values = match (value(better), value(than)) {
        (Some(a), Some(b)) => format!("{} against {}, ", plain(a), plain(b)),
        _ => String::new(),
    };
    let seeds =
        if found.seeds == 1 { "1 seed".to_owned() } else { format!("{} seeds", found.seeds) };
    format!("{name} {values}difference {} over {seeds}", difference(found.mean, found.error))
}
