//! Claims, judged by their tests: every comparison with its effect, interval and corrected p-value, and an outcome.

use serde::Serialize;
use stats::{Estimate, holm};

use super::measure::Table;
use super::plan::{Against, Cell, Claim, Expect, Measure, Test};
use crate::number::plain;
use crate::outcome::Outcome;
use crate::page::{Answer, count};

/// A claim, judged.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) says: String,
    pub(super) outcome: Outcome,
    pub(super) answers: Vec<Tested>,
}

/// A test and its result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tested {
    pub(super) asks: String,
    pub(super) measure: Measure,
    pub(super) expect: Expect,
    pub(super) margin: Option<f64>,
    pub(super) outcome: Outcome,
    /// Effect over all cells, relative to the reference arm where the measure is a CRPS.
    pub(super) pooled: Option<Estimate>,
    /// Holm's, over the tests of the claim.
    pub(super) p_value: Option<f64>,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) comparisons: Vec<Comparison>,
}

/// Two arms in one cell, or the difference between two cells.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Comparison {
    pub(super) cell: String,
    /// In units of the measure.
    pub(super) difference: Estimate,
    /// As [`Tested::pooled`].
    pub(super) relative: Estimate,
    /// Of [`Comparison::relative`].
    pub(super) interval: (f64, f64),
    /// Mean over standard deviation of the paired differences of the seeds.
    pub(super) effect_size: Option<f64>,
    /// Holm's, over all comparisons of the claim.
    pub(super) p_value: f64,
    pub(super) outcome: Outcome,
    #[serde(skip)]
    data: usize,
}

/// Judges all claims; every no comes first.
pub(super) fn judge_all(table: &Table) -> Vec<Judged> {
    let mut all: Vec<Judged> = table.plan.claims.iter().map(|claim| judge(table, claim)).collect();
    all.sort_by_key(|judged| judged.outcome != Outcome::No);
    all
}

fn judge(table: &Table, claim: &Claim) -> Judged {
    let alpha = table.plan.alpha;
    let mut answers: Vec<Tested> = claim.tests.iter().map(|test| answer(table, test)).collect();
    let each = answers.iter_mut().flat_map(|answer| &mut answer.comparisons);
    let mut each: Vec<&mut Comparison> = each.collect();
    let adjusted = holm(&each.iter().map(|comparison| comparison.p_value).collect::<Vec<_>>());
    each.iter_mut().zip(adjusted).for_each(|(comparison, p)| comparison.p_value = p);
    let pooled: Vec<f64> = answers.iter().filter_map(|answer| answer.p_value).collect();
    let mut adjusted = holm(&pooled).into_iter();
    for answer in &mut answers {
        if answer.p_value.is_some() {
            answer.p_value = adjusted.next();
        }
        let (expect, margin) = (answer.expect, answer.margin);
        answer.outcome = match (answer.pooled, answer.p_value) {
            (Some(pooled), Some(p)) => outcome(expect, margin, &pooled, p, alpha),
            _ => Outcome::Unknown,
        };
        for comparison in &mut answer.comparisons {
            comparison.outcome =
                outcome(expect, margin, &comparison.relative, comparison.p_value, alpha);
        }
    }
    let outcome = Outcome::claim(answers.iter().map(|answer| answer.outcome));
    Judged { name: claim.name.clone(), says: claim.says.clone(), outcome, answers }
}

/// The outcome of a comparison; `p` is the p-value of a difference, or for equality that of its absence.
fn outcome(expect: Expect, margin: Option<f64>, found: &Estimate, p: f64, alpha: f64) -> Outcome {
    if expect == Expect::Equal {
        let (low, high) = found.interval(alpha);
        let margin = margin.unwrap_or(0.0);
        return if p < alpha {
            Outcome::Yes
        } else if low > margin || high < -margin {
            Outcome::No
        } else {
            Outcome::Undecided
        };
    }
    let as_expected = (found.mean < 0.0) == (expect == Expect::Smaller);
    if p < alpha { Outcome::holds(Some(as_expected)) } else { Outcome::Undecided }
}

fn answer(table: &Table, test: &Test) -> Tested {
    let comparisons = comparisons(table, test);
    let mut groups: Vec<Vec<Estimate>> = vec![Vec::new(); table.plan.data.len()];
    for comparison in &comparisons {
        groups[comparison.data].push(comparison.relative);
    }
    let pooled = Estimate::pooled(&groups);
    Tested {
        asks: test.asks.clone(),
        measure: test.measure,
        expect: test.expect,
        margin: test.margin,
        outcome: Outcome::Unknown,
        p_value: pooled.map(|pooled| p_value(test, &pooled)),
        interval: pooled.map(|pooled| pooled.interval(table.plan.alpha)),
        pooled,
        comparisons,
    }
}

fn p_value(test: &Test, found: &Estimate) -> f64 {
    match test.margin {
        Some(margin) => found.p_value_of_equality(margin),
        None => found.p_value(),
    }
}

/// The test in every cell that has both arms; where kinds of cell are compared, in every pair of cells that differ in
/// their kind alone.
fn comparisons(table: &Table, test: &Test) -> Vec<Comparison> {
    let plan = table.plan;
    let compare = |(index, cell): (usize, &Cell)| {
        if !test.models.is_empty() && !test.models.contains(&cell.model) {
            return None;
        }
        let (label, difference, relative, effect_size) = match &test.against {
            None => {
                let (difference, relative) = effect(table, index, test)?;
                (plan.cell_label(cell), difference, relative, effect_size(table, index, test))
            }
            Some(against) => {
                let twin = plan.cells.iter().position(|other| against.pairs(table, cell, other))?;
                let (first, second) = (effect(table, index, test)?, effect(table, twin, test)?);
                let twin = plan.cell_label(&plan.cells[twin]);
                let label = format!("{} minus {twin}", plan.cell_label(cell));
                (label, first.0.minus(second.0), first.1.minus(second.1), None)
            }
        };
        Some(Comparison {
            cell: label,
            interval: relative.interval(plan.alpha),
            effect_size,
            p_value: p_value(test, &relative),
            outcome: Outcome::Unknown,
            data: cell.data,
            difference,
            relative,
        })
    };
    plan.cells.iter().enumerate().filter_map(compare).collect()
}

/// The difference in a cell, in units of the measure and relative to the reference arm.
fn effect(table: &Table, cell: usize, test: &Test) -> Option<(Estimate, Estimate)> {
    let difference = table.difference(cell, test.arm, test.than, test.measure)?;
    Some((difference, difference.scaled(1.0 / table.reference(cell, test.measure)?)))
}

impl Against {
    /// Whether two cells are of the first and the second kind, and alike in everything else.
    fn pairs(&self, table: &Table, first: &Cell, second: &Cell) -> bool {
        let models = |cell: &Cell| &table.plan.models[cell.model].name;
        let data = |cell: &Cell| &table.plan.data[cell.data].name;
        match self {
            Against::Percent(kinds) => {
                [first.percent, second.percent] == *kinds
                    && (first.data, first.model) == (second.data, second.model)
            }
            Against::Model(kinds) => {
                [models(first), models(second)] == [&kinds[0], &kinds[1]]
                    && (first.data, first.percent) == (second.data, second.percent)
            }
            Against::Data(kinds) => {
                [data(first), data(second)] == [&kinds[0], &kinds[1]]
                    && (first.model, first.percent) == (second.model, second.percent)
            }
        }
    }
}

/// Cohen's d of paired differences: mean over standard deviation, over seeds.
fn effect_size(table: &Table, cell: usize, test: &Test) -> Option<f64> {
    let each = table.per_seed(cell, test.arm, test.than, test.measure)?;
    let Estimate { mean, error, .. } = Estimate::of_seeds(&each)?;
    (error > 0.0).then(|| mean / (error * (each.len() as f64).sqrt()))
}

impl Judged {
    /// The claim with its tests, for a reader.
    pub(super) fn answer(&self, alpha: f64) -> Answer {
        let part =
            |test: &Tested| Answer::new(test.outcome, &test.asks, test.evidence(alpha) + ".");
        let parts = self.answers.iter().map(part).collect();
        Answer { parts, ..Answer::new(self.outcome, &self.says, self.sentence(alpha)) }
    }

    /// The outcomes of the tests in numbers, and the evidence of the clearest one on the side of the outcome.
    fn sentence(&self, alpha: f64) -> String {
        let say = |outcome| self.answers.iter().filter(|a| a.outcome == outcome).count();
        let (yes, no) = (say(Outcome::Yes), say(Outcome::No));
        let side = match self.outcome {
            Outcome::No => Some(Outcome::No),
            Outcome::Yes | Outcome::Partly => Some(Outcome::Yes),
            Outcome::Undecided | Outcome::Unknown => None,
        };
        let on_it = self.answers.iter().filter(|a| side.is_none_or(|side| a.outcome == side));
        let p = |answer: &&Tested| answer.p_value.unwrap_or(f64::INFINITY);
        let clearest = on_it.min_by(|a, b| p(a).total_cmp(&p(b)));
        let numbers = clearest.map_or(String::new(), |answer| {
            format!("; the clearest: {} {}", answer.asks, answer.evidence(alpha))
        });
        format!("{yes} of {} tests say yes, {no} no{numbers}.", self.answers.len())
    }
}

impl Tested {
    /// The numbers behind the outcome in a sentence.
    pub(super) fn evidence(&self, alpha: f64) -> String {
        let (Some(pooled), Some((low, high)), Some(p)) = (self.pooled, self.interval, self.p_value)
        else {
            return "runs are missing".to_owned();
        };
        let say = |outcome| self.comparisons.iter().filter(|c| c.outcome == outcome).count();
        let number = |value: f64| if self.is_relative() { percent(value) } else { signed(value) };
        let margin = self.margin.map_or(String::new(), |margin| {
            format!(" (equal means within ± {})", number(margin).trim_start_matches('+'))
        });
        let sign = if p < 0.001 { "" } else { "= " };
        format!(
            "{} {}, {:.0} % interval {} to {}{margin}; p {sign}{}, {}; {} of {} alone say yes, {} no",
            self.measure.label(),
            number(pooled.mean),
            100.0 * (1.0 - alpha),
            number(low),
            number(high),
            p_text(p),
            strength(p, alpha, self.expect),
            say(Outcome::Yes),
            count(self.comparisons.len(), "cell"),
            say(Outcome::No),
        )
    }

    /// Whether effects are shares of the reference arm's score.
    pub(super) fn is_relative(&self) -> bool {
        matches!(self.measure, Measure::Test | Measure::TestEnd | Measure::GapEnd)
    }
}

/// `+1.2 %`.
pub(super) fn percent(value: f64) -> String {
    format!("{:+.1} %", 100.0 * value).replace('-', "−")
}

/// With its sign and enough digits.
pub(super) fn signed(value: f64) -> String {
    let text = plain(value.abs());
    if value < 0.0 { format!("−{text}") } else { format!("+{text}") }
}

pub(super) fn p_text(p: f64) -> String {
    if p < 0.001 {
        "< .001".to_owned()
    } else {
        format!("{p:.3}").trim_start_matches('0').to_owned()
    }
}

/// The weight of a corrected p-value in words. For equality it says so: it would else seem to be of a difference.
fn strength(p: f64, alpha: f64, expect: Expect) -> String {
    let of = if expect == Expect::Equal { " of equality" } else { "" };
    if p < alpha / 50.0 {
        format!("strong evidence{of}")
    } else if p < alpha / 5.0 {
        format!("good evidence{of}")
    } else if p < alpha {
        format!("some evidence{of}")
    } else {
        format!("no evidence{of} at this level")
    }
}
