//! Ridge regression of every step ahead on lags and seasons.

mod design;
mod solve;

use std::sync::{Arc, Mutex};

use rand::{Rng, RngCore};

use crate::arima::differenced;
use crate::gaps::fill;
use crate::linear::dot;
use crate::{Forecaster, Past, Paths};
use design::{Design, Inputs, Level};
use solve::{Residual, Sums, folds, mean_error, residuals};

/// Fewest observed rows.
const LEAST: usize = 16;
/// Fewest origins of a regression.
const ORIGINS: usize = 8;
/// Longest season that gets a column for each of its phases.
const PHASES: usize = 24;
/// Longest season whose lags are inputs.
const LONGEST: usize = 52;
/// Longest second season whose lags are inputs.
const SECOND: usize = 200;
/// Strengths of the penalty that are tried.
const STRENGTHS: [f64; 8] = [1e-2, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e7];
/// Origins among which a validation picks its inputs.
const VALIDATED: usize = 400;
/// Steps ahead that a validation looks at.
const STEPS: usize = 6;
/// Fewest errors of origins at the same phase of the season before those of neighboring phases join.
const SAME_PHASE: usize = 80;
/// Most regressions that are averaged, and how much larger than the smallest their error may be.
const MEMBERS: usize = 4;
const NEAR: f64 = 1.1;
/// Factor of the error of regressions that take out no level, where it wanders.
const DISTRUST: f64 = 1.05;
/// Longest block of steps that are forecast at once.
const BLOCK: usize = 64;

/// Chooses the logarithm, the level, the lags, the calendar and the strength by the absolute error of origins that were
/// left out in blocks, and averages the best few choices.
pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let filled = fill(past.values, past.season(), LEAST)?;
    let known = Known::new(filled.values);
    let members = choose(&known, past);
    let log = members.first()?.inputs.log;
    let Known { plain, logs } = known;
    let values = if log { logs? } else { plain };
    Some(Box::new(Ridge {
        scale: filled.scale,
        season: past.season(),
        time: values.len(),
        recent: values.clone(),
        range: bounds(&values),
        train: values,
        log,
        members,
        solved: Mutex::new(None),
    }))
}

/// The rows as they are and, where all are above zero, in logarithms.
struct Known {
    plain: Vec<f64>,
    logs: Option<Vec<f64>>,
}

impl Known {
    fn new(plain: Vec<f64>) -> Known {
        let above = plain.iter().all(|value| *value > 0.0);
        let logs = above.then(|| plain.iter().map(|value| value.ln()).collect());
        Known { plain, logs }
    }
}

/// Inputs with the best strength for them.
#[derive(Debug, Clone)]
struct Choice {
    inputs: Inputs,
    strength: f64,
    error: f64,
}

/// The best choices, the very best first, all with or all without the logarithm: every level with every reach of the
/// lags, then the best of those without the calendar. Past
/// errors say too little about a level that wanders away, so where the test of stationarity rejects, those without a
/// level must be clearly better.
fn choose(known: &Known, past: &Past) -> Vec<Choice> {
    let rows = known.plain.len();
    let horizon = past.season().clamp(6, 24).min(rows / 6).max(1);
    let wandering = differenced(&known.plain, past.season()).ordinary > 0;
    let attempt = |inputs: Inputs| {
        let mut choice = validate(known, inputs, horizon)?;
        if wandering && choice.inputs.level == Level::Zero {
            choice.error *= DISTRUST;
        }
        Some(choice)
    };
    let mut choices: Vec<Choice> = candidates(rows, past).into_iter().filter_map(attempt).collect();
    let sort = |choices: &mut Vec<Choice>| choices.sort_by(|a, b| a.error.total_cmp(&b.error));
    sort(&mut choices);
    let without = |choice: &Choice| attempt(Inputs { calendar: false, ..choice.inputs.clone() });
    let flipped: Vec<Choice> = choices.iter().take(MEMBERS).filter_map(without).collect();
    choices.extend(flipped);
    sort(&mut choices);
    if let Some(best) = choices.first() {
        let (log, most) = (best.inputs.log, best.error * NEAR);
        choices.retain(|choice| choice.inputs.log == log && choice.error <= most);
    }
    choices.truncate(MEMBERS);
    choices
}

/// All combinations of logarithm, level, and lags over two seasons, one, or a few rows.
fn candidates(rows: usize, past: &Past) -> Vec<Inputs> {
    let season = past.season();
    let short = if season <= LONGEST && rows >= 3 * season { season } else { 1 };
    let most = (rows / 3).max(1);
    let reaches =
        if short > 1 { [2 * short, short + 1, 4] } else { [(rows / 10).clamp(5, 14), 4, 2] };
    let others = past.seasons.iter().copied().filter(|&other| other != short && rows >= 2 * other);
    let long: Vec<usize> =
        others.chain((short > PHASES).then_some(short)).filter(|&other| other > 1).collect();
    let second: Vec<usize> = long
        .iter()
        .filter(|&&other| other != short && other <= SECOND && rows >= 4 * other)
        .flat_map(|&other| other.saturating_sub(short.min(24))..other)
        .collect();
    let mut all = Vec::new();
    for reach in reaches {
        let mut lags: Vec<usize> = (0..reach.min(most)).collect();
        lags.extend(second.iter().copied().filter(|&lag| lag >= reach && lag < most));
        for (log, level) in combinations(short) {
            all.push(Inputs {
                log,
                level,
                calendar: true,
                // Differences over a season reach back one season more.
                lags: lags
                    .iter()
                    .copied()
                    .filter(|lag| level != Level::Phase || *lag < reach.div_ceil(2))
                    .collect(),
                window: (if short > 1 { short } else { 4 }).min(most),
                phases: if short <= PHASES { short } else { 1 },
                long: long.clone(),
            });
        }
    }
    all.dedup();
    all
}

fn combinations(season: usize) -> impl Iterator<Item = (bool, Level)> {
    let levels = [Level::Season, Level::Last, Level::Zero, Level::Phase];
    let levels = levels.into_iter().filter(move |level| season > 1 || *level != Level::Phase);
    levels.flat_map(|level| [(false, level), (true, level)])
}

/// The best strength for the inputs, and its error; `None` where the rows do not allow them.
fn validate(known: &Known, inputs: Inputs, horizon: usize) -> Option<Choice> {
    let values = if inputs.log { known.logs.as_ref()? } else { &known.plain };
    let design = Design::new(values, &inputs, horizon, ORIGINS)?;
    let stride = horizon.div_ceil(STEPS);
    let steps: Vec<usize> = (0..horizon).step_by(stride).collect();
    let (_, folds) = folds(&design, values, &steps, blocks(&design), margin(&design, horizon));
    let error = |&strength: &f64| {
        let penalty = inputs.penalty(strength, design.size);
        let stride = design.count.div_ceil(VALIDATED);
        let residuals = residuals(&design, values, &steps, &folds, &penalty, stride)?;
        let error = mean_error(&design, values, inputs.log, &steps, &residuals);
        error.is_finite().then_some((strength, error))
    };
    let (strength, error) =
        STRENGTHS.iter().filter_map(error).min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Choice { inputs, strength, error })
}

/// Number of blocks that are left out in turn.
fn blocks(design: &Design) -> usize {
    if design.count < 100 { 8 } else { 5 }
}

/// Origins beside a block that are left out with it, as their targets overlap.
fn margin(design: &Design, horizon: usize) -> usize {
    (horizon - 1).min(design.count / 10)
}

/// Smallest and largest value that a path may reach: two ranges beyond the known rows.
fn bounds(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low - 2.0 * (high - low), high + 2.0 * (high - low))
}

/// A ridge regression with its options chosen.
#[derive(Debug)]
struct Ridge {
    scale: f64,
    season: usize,
    /// Number of the first unknown row.
    time: usize,
    /// Transformed rows up to the origin.
    recent: Vec<f64>,
    range: (f64, f64),
    /// Transformed rows that the coefficients come from.
    train: Vec<f64>,
    log: bool,
    /// Regressions whose forecasts are averaged.
    members: Vec<Choice>,
    /// Coefficients of the horizon that was asked for last.
    solved: Mutex<Option<Arc<Solved>>>,
}

/// Coefficients of a block of steps, and errors of left-out origins.
#[derive(Debug)]
struct Solved {
    horizon: usize,
    parts: Vec<Part>,
    /// Errors of the average of the members.
    residuals: Vec<Residual>,
}

/// Coefficients of one member.
#[derive(Debug)]
struct Part {
    design: Design,
    lines: Vec<Vec<f64>>,
}

impl Part {
    fn new(values: &[f64], member: &Choice, horizon: usize) -> Option<(Part, Vec<Residual>)> {
        let design = Design::new(values, &member.inputs, horizon, 2)?;
        let steps: Vec<usize> = (0..horizon).collect();
        let penalty = member.inputs.penalty(member.strength, design.size);
        let (all, folds): (Sums, _) =
            folds(&design, values, &steps, blocks(&design), margin(&design, horizon));
        let lines = all.solve(&penalty)?;
        let residuals = residuals(&design, values, &steps, &folds, &penalty, 1)?;
        Some((Part { design, lines }, residuals))
    }

    /// Means of the steps after an origin, with the level.
    fn ahead(&self, inputs: &Inputs, known: &[f64], time: usize) -> impl Iterator<Item = f64> {
        let mut row = Vec::with_capacity(self.design.size);
        inputs.row(known, time, &mut row);
        self.design.standardize(&mut row);
        let mean = move |(step, line)| inputs.anchor(known, step) + dot(line, &row);
        self.lines.iter().map(Vec::as_slice).enumerate().map(mean)
    }
}

impl Solved {
    fn new(ridge: &Ridge, horizon: usize) -> Option<Solved> {
        let solve = |member| Part::new(&ridge.train, member, horizon);
        let (parts, residuals): (Vec<Part>, Vec<Vec<Residual>>) =
            ridge.members.iter().map(solve).collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let residuals = average(residuals)?;
        Some(Solved { horizon, parts, residuals })
    }

    /// Means of the steps after an origin, averaged over the members.
    fn ahead(&self, ridge: &Ridge, known: &[f64], time: usize) -> Vec<f64> {
        let mut means = vec![0.0; self.horizon];
        let share = 1.0 / self.parts.len() as f64;
        for (part, member) in self.parts.iter().zip(&ridge.members) {
            let ahead = part.ahead(&member.inputs, known, time);
            means.iter_mut().zip(ahead).for_each(|(sum, mean)| *sum += share * mean);
        }
        means
    }

    /// Errors of the origins nearest in phase, as few phases as give enough of them.
    fn pool(&self, season: usize, time: usize) -> Vec<&Residual> {
        let distance = |residual: &Residual| {
            let apart = residual.time.abs_diff(time) % season;
            apart.min(season - apart)
        };
        let near =
            |reach: usize| self.residuals.iter().filter(move |other| distance(other) <= reach);
        let reach = (0..season).find(|&reach| near(reach).count() >= SAME_PHASE).unwrap_or(season);
        near(reach).collect()
    }
}

/// Errors averaged over the members at the origins that all of them have, which are the last ones.
fn average(members: Vec<Vec<Residual>>) -> Option<Vec<Residual>> {
    let common = members.iter().map(Vec::len).min()?;
    let share = 1.0 / members.len() as f64;
    let mut members = members.into_iter().map(|mut all| all.split_off(all.len() - common));
    let mut first = members.next()?;
    first.iter_mut().flat_map(|residual| &mut residual.errors).for_each(|error| *error *= share);
    for other in members {
        for (sum, residual) in first.iter_mut().zip(&other) {
            let errors = sum.errors.iter_mut().zip(&residual.errors);
            errors.for_each(|(sum, error)| *sum += share * error);
        }
    }
    Some(first)
}

impl Ridge {
    /// Rows that the members look back at.
    fn reach(&self) -> usize {
        self.members.iter().map(|member| member.inputs.reach()).max().unwrap_or(1)
    }

    /// The steps of one block: the horizon, or less where the rows are too few for it.
    fn solve(&self, horizon: usize) -> Option<Arc<Solved>> {
        let rows = self.train.len().saturating_sub(self.reach());
        let horizon = horizon.min((rows / 3).max(1)).clamp(1, BLOCK);
        let mut solved = self.solved.lock().ok()?;
        if let Some(solved) = solved.as_ref().filter(|solved| solved.horizon == horizon) {
            return Some(Arc::clone(solved));
        }
        let new = Arc::new(Solved::new(self, horizon)?);
        *solved = Some(Arc::clone(&new));
        Some(new)
    }

    fn original(&self, value: f64) -> f64 {
        let scaled = if self.log { value.exp() } else { value };
        (scaled * self.scale).clamp(f64::MIN, f64::MAX)
    }

    /// Fills one path block by block; later blocks see the values drawn for earlier ones.
    fn draw(&self, solved: &Solved, first: &Ahead, path: &mut [f64], rng: &mut dyn RngCore) {
        let mut known = self.recent[self.recent.len() - self.reach()..].to_vec();
        for (number, block) in path.chunks_mut(solved.horizon).enumerate() {
            let time = self.time + number * solved.horizon;
            let later = (number > 0).then(|| Ahead::new(self, solved, &known, time));
            let Ahead { means, pool } = later.as_ref().unwrap_or(first);
            let errors = &pool[rng.random_range(0..pool.len())].errors;
            for ((out, mean), error) in block.iter_mut().zip(means).zip(errors) {
                let value = (mean + error).clamp(self.range.0, self.range.1);
                known.push(value);
                *out = self.original(value);
            }
        }
    }
}

/// Means of a block and the errors that are likely there.
struct Ahead<'a> {
    means: Vec<f64>,
    pool: Vec<&'a Residual>,
}

impl<'a> Ahead<'a> {
    fn new(ridge: &Ridge, solved: &'a Solved, known: &[f64], time: usize) -> Ahead<'a> {
        Ahead { means: solved.ahead(ridge, known, time), pool: solved.pool(ridge.season, time) }
    }
}

impl Forecaster for Ridge {
    fn observe(&mut self, value: f64) {
        let scaled = (value / self.scale).clamp(-1e6, 1e6);
        let known = value.is_finite() && (!self.log || scaled > 0.0);
        let value = if !known {
            let solved = self.solve(1);
            solved.map_or(0.0, |solved| solved.ahead(self, &self.recent, self.time)[0])
        } else if self.log {
            scaled.ln()
        } else {
            scaled
        };
        self.recent.push(value);
        let (low, high) = bounds(&[value]);
        self.range = (self.range.0.min(low), self.range.1.max(high));
        self.time += 1;
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let Some(solved) = self.solve(horizon) else {
            let last = self.recent.last().map_or(0.0, |value| self.original(*value));
            return Paths::draw(horizon, count, |path| path.fill(last));
        };
        let first = Ahead::new(self, &solved, &self.recent, self.time);
        Paths::draw(horizon, count, |path| self.draw(&solved, &first, path, rng))
    }
}
