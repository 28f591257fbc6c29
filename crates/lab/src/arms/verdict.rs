//! Answers in a sentence, made from the numbers and from nothing else.

use super::compare::{Comparison, Kind, Paired, Row, Who, best};
use super::plan::Measure;
use crate::number::{difference, plain};
use crate::outcome::Outcome;
use crate::page::{Answer, count};

/// Answers every claim of the plan, and whether the best arm beats the best baseline. Every no comes first: a report
/// does not hide it.
pub(super) fn answers(compare: &Comparison, rows: &[Row]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for claim in &compare.plan.claims {
        let found = compare.measure(claim.measure, claim.better, claim.than);
        let evidence = evidence(claim.measure, found, &rows[claim.better], &rows[claim.than]);
        answers.push(Answer::new(outcome(found), &claim.asks, evidence));
    }
    answers.extend(against_baselines(compare, rows));
    answers.sort_by_key(|answer| answer.outcome != Outcome::No);
    answers
}

/// Yes where the difference is below zero: smaller is better.
fn outcome(found: Option<Paired>) -> Outcome {
    match found {
        Some(found) if !found.decided => Outcome::Undecided,
        found => Outcome::holds(found.map(|found| found.mean < 0.0)),
    }
}

fn against_baselines(compare: &Comparison, rows: &[Row]) -> Option<Answer> {
    let (arm, baseline) = (best(rows, Kind::Arm)?, best(rows, Kind::Baseline)?);
    let found = compare.test(Who::Arm(arm), Who::Baseline(&rows[baseline].name));
    let (arm, baseline) = (&rows[arm], &rows[baseline]);
    let question = format!(
        "Does the best arm, {}, forecast better than the best baseline, {}?",
        arm.label, baseline.label
    );
    Some(Answer::new(outcome(found), &question, evidence(Measure::Test, found, arm, baseline)))
}

fn evidence(measure: Measure, found: Option<Paired>, better: &Row, than: &Row) -> String {
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
    let (difference, seeds) = (difference(found.mean, found.error), count(found.seeds, "seed"));
    format!("{name} {values}difference {difference} over {seeds}")
}
