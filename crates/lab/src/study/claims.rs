//! Claims, judged by their tests: every comparison with its effect, interval and corrected p-value, and a verdict.

use serde::Serialize;

use super::super::number::plain;
use super::infer::{Estimate, holm};
use super::measure::Table;
use super::plan::{Against, Claim, Expect, Measure, Test};

/// How a claim or a test came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    No,
    /// Of a claim: some of its tests say yes, and none says no.
    Partly,
    Undecided,
    Yes,
    /// Runs are missing.
    Unknown,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::No => "No",
            Outcome::Partly => "In part",
            Outcome::Undecided => "Undecided",
            Outcome::Yes => "Yes",
            Outcome::Unknown => "Unknown",
        }
    }
}

/// A claim and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) says: String,
    pub(super) outcome: Outcome,
    pub(super) answers: Vec<Answer>,
}

/// A test and its result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Answer {
    pub(super) asks: String,
    pub(super) measure: Measure,
    pub(super) expect: Expect,
    pub(super) margin: Option<f64>,
    pub(super) outcome: Outcome,
    /// Over all cells, relative to the reference arm where the measure is a CRPS.
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
    /// As [`Answer::pooled`].
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

/// Judges all claims; what came out as no comes first.
pub(super) fn verdicts(table: &Table) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        table.plan.claims.iter().map(|claim| verdict(table, claim)).collect();
    verdicts.sort_by_key(|verdict| verdict.outcome != Outcome::No);
    verdicts
}

fn verdict(table: &Table, claim: &Claim) -> Verdict {
    let alpha = table.plan.alpha;
    let mut answers: Vec<Answer> = claim.tests.iter().map(|test| answer(table, test)).collect();
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
            (Some(pooled), Some(p)) => judge(expect, margin, &pooled, p, alpha),
            _ => Outcome::Unknown,
        };
        for comparison in &mut answer.comparisons {
            comparison.outcome =
                judge(expect, margin, &comparison.relative, comparison.p_value, alpha);
        }
    }
    let (name, says) = (claim.name.clone(), claim.says.clone());
    Verdict { name, says, outcome: together(&answers), answers }
}

/// `p` is that of a difference, or for equality of its absence.
fn judge(expect: Expect, margin: Option<f64>, found: &Estimate, p: f64, alpha: f64) -> Outcome {
    if expect == Expect::Equal {
        let (low, high) = found.interval(alpha);
        let margin = margin.unwrap_or(0.0);
        return match () {
            () if p < alpha => Outcome::Yes,
            () if low > margin || high < -margin => Outcome::No,
            () => Outcome::Undecided,
        };
    }
    let as_expected = (found.mean < 0.0) == (expect == Expect::Smaller);
    match (p < alpha, as_expected) {
        (false, _) => Outcome::Undecided,
        (true, true) => Outcome::Yes,
        (true, false) => Outcome::No,
    }
}

fn together(answers: &[Answer]) -> Outcome {
    let any = |outcome: Outcome| answers.iter().any(|answer| answer.outcome == outcome);
    match () {
        () if any(Outcome::No) => Outcome::No,
        () if answers.iter().all(|answer| answer.outcome == Outcome::Yes) => Outcome::Yes,
        () if any(Outcome::Yes) => Outcome::Partly,
        () if any(Outcome::Undecided) => Outcome::Undecided,
        () => Outcome::Unknown,
    }
}

fn answer(table: &Table, test: &Test) -> Answer {
    let comparisons = match &test.against {
        None => simple(table, test),
        Some(against) => interactions(table, test, against),
    };
    let mut groups: Vec<Vec<Estimate>> = vec![Vec::new(); table.plan.data.len()];
    for comparison in &comparisons {
        groups[comparison.data].push(comparison.relative);
    }
    let pooled = Estimate::pooled(&groups);
    Answer {
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

fn simple(table: &Table, test: &Test) -> Vec<Comparison> {
    let plan = table.plan;
    let compare = |(index, cell): (usize, &super::plan::Cell)| {
        let model = &plan.models[cell.model].name;
        if !test.models.is_empty() && !test.models.contains(model) {
            return None;
        }
        let difference = table.difference(index, test.arm, test.than, test.measure)?;
        let relative = difference.scaled(1.0 / table.reference(index, test.measure)?);
        Some(Comparison {
            cell: plan.cell_label(cell),
            interval: relative.interval(plan.alpha),
            effect_size: effect_size(table, index, test),
            p_value: p_value(test, &relative),
            outcome: Outcome::Unknown,
            data: cell.data,
            difference,
            relative,
        })
    };
    plan.cells.iter().enumerate().filter_map(compare).collect()
}

/// Cohen's d of paired differences: mean over standard deviation, over seeds.
fn effect_size(table: &Table, cell: usize, test: &Test) -> Option<f64> {
    let each = table.per_seed(cell, test.arm, test.than, test.measure)?;
    let Estimate { mean, error, .. } = Estimate::of_seeds(&each)?;
    (error > 0.0).then(|| mean / (error * (each.len() as f64).sqrt()))
}

/// The difference of the first kind of cell less that of the second, all else equal.
fn interactions(table: &Table, test: &Test, against: &Against) -> Vec<Comparison> {
    let plan = table.plan;
    let mut found = Vec::new();
    for (index, cell) in plan.cells.iter().enumerate() {
        let twin = plan.cells.iter().position(|other| match against {
            Against::Percent([first, second]) => {
                cell.percent == *first
                    && other.percent == *second
                    && (cell.data, cell.model) == (other.data, other.model)
            }
            Against::Model([first, second]) => {
                plan.models[cell.model].name == *first
                    && plan.models[other.model].name == *second
                    && (cell.data, cell.percent) == (other.data, other.percent)
            }
            Against::Data([first, second]) => {
                plan.data[cell.data].name == *first
                    && plan.data[other.data].name == *second
                    && (cell.model, cell.percent) == (other.model, other.percent)
            }
        });
        let Some(twin) = twin else { continue };
        let model = &plan.models[cell.model].name;
        if !test.models.is_empty() && !test.models.contains(model) {
            continue;
        }
        let relative = |cell: usize| {
            let difference = table.difference(cell, test.arm, test.than, test.measure)?;
            Some((difference, difference.scaled(1.0 / table.reference(cell, test.measure)?)))
        };
        let (Some(first), Some(second)) = (relative(index), relative(twin)) else { continue };
        let relative = first.1.minus(second.1);
        found.push(Comparison {
            cell: format!("{} less {}", plan.cell_label(cell), plan.cell_label(&plan.cells[twin])),
            difference: first.0.minus(second.0),
            interval: relative.interval(plan.alpha),
            effect_size: None,
            p_value: p_value(test, &relative),
            outcome: Outcome::Unknown,
            data: cell.data,
            relative,
        });
    }
    found
}

impl Verdict {
    /// In one sentence: how the tests came out, and the numbers of the clearest one on the side of the outcome.
    pub(super) fn sentence(&self, alpha: f64) -> String {
        let count = |outcome| self.answers.iter().filter(|a| a.outcome == outcome).count();
        let (yes, no) = (count(Outcome::Yes), count(Outcome::No));
        let side = match self.outcome {
            Outcome::No => Some(Outcome::No),
            Outcome::Yes | Outcome::Partly => Some(Outcome::Yes),
            Outcome::Undecided | Outcome::Unknown => None,
        };
        let on_it = self.answers.iter().filter(|a| side.is_none_or(|side| a.outcome == side));
        let p = |answer: &&Answer| answer.p_value.unwrap_or(f64::INFINITY);
        let clearest = on_it.min_by(|a, b| p(a).total_cmp(&p(b)));
        let numbers = clearest.map_or(String::new(), |answer| {
            format!("; the clearest: {} {}", answer.asks, answer.evidence(alpha))
        });
        format!("{yes} of {} tests say yes, {no} no{numbers}.", self.answers.len())
    }
}

impl Answer {
    /// The numbers behind the outcome in a sentence.
    pub(super) fn evidence(&self, alpha: f64) -> String {
        let (Some(pooled), Some((low, high)), Some(p)) = (self.pooled, self.interval, self.p_value)
        else {
            return "runs are missing".to_owned();
        };
        let count = |outcome| self.comparisons.iter().filter(|c| c.outcome == outcome).count();
        let cells = match self.comparisons.len() {
            1 => "1 cell".to_owned(),
            n => format!("{n} cells"),
        };
        let number = |value: f64| if self.is_relative() { percent(value) } else { signed(value) };
        let margin = self.margin.map_or(String::new(), |margin| {
            format!(" (equal means within ± {})", number(margin).trim_start_matches('+'))
        });
        let sign = if p < 0.001 { "" } else { "= " };
        format!(
            "{} {}, {:.0} % interval {} to {}{margin}; p {sign}{}, {}; of {cells} {} say yes by themselves, {} no",
            self.measure.label(),
            number(pooled.mean),
            100.0 * (1.0 - alpha),
            number(low),
            number(high),
            p_text(p),
            strength(p, alpha, self.expect),
            count(Outcome::Yes),
            count(Outcome::No),
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

/// What a corrected p-value is worth, in words; that of equality would else seem to be of a difference.
fn strength(p: f64, alpha: f64, expect: Expect) -> String {
    let of = if expect == Expect::Equal { " of equality" } else { "" };
    match () {
        () if p < alpha / 50.0 => format!("strong evidence{of}"),
        () if p < alpha / 5.0 => format!("good evidence{of}"),
        () if p < alpha => format!("some evidence{of}"),
        () => format!("no evidence{of} at this level"),
    }
}
