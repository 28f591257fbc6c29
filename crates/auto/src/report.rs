//! A forecast in words: the table, what the forecast rests on, and how far to trust it.

use std::fmt;

use data::Frequency;

use crate::fit::Fitted;
use crate::names::{NAIVE, NETWORK};
use crate::past::Past;
use crate::table::Table;

/// A forecast in words. `Display` writes one paragraph, and a line for each warning.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// File, rows, time step, seasons, trend, zeros and gaps.
    pub found: String,
    /// The members with their weights, and the rows they were fitted to.
    pub rests_on: String,
    /// Scores on past rows beside the naive and the best classical method.
    pub past: String,
    /// Reasons to distrust the forecast.
    pub warnings: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.found, self.rests_on, self.past)?;
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

/// Share of the variance that a line in time explains from which a series is said to rise or fall.
const TREND: f64 = 0.5;
/// Errors up to this share of the naive scale are none.
const LEAST_ERROR: f64 = 1e-6;
/// Weights below this are not named.
const NAMED: f64 = 0.05;

impl Report {
    /// The report of a fit, or of one of its members alone.
    pub fn of(table: &Table, fitted: &Fitted, member: Option<&str>) -> Report {
        let past = &fitted.past;
        Report {
            found: found(table),
            rests_on: rests_on(table, fitted, member),
            past: past.words(),
            warnings: past.warnings(table, fitted),
        }
    }
}

fn found(table: &Table) -> String {
    let units = table.units();
    let values = || units.iter().flat_map(|unit| unit.values.iter().copied());
    let rows: usize = table.known.iter().sum();
    let series = match table.known.len() {
        1 => String::new(),
        many => format!(" in {many} series"),
    };
    let observed = values().filter(|value| value.is_finite()).count();
    let missing = values().count() - observed;
    let zeros = values().filter(|value| *value == 0.0).count();
    let longest = table.known.iter().copied().max().unwrap_or(0);
    let shown: Vec<String> = table
        .seasons
        .iter()
        .filter(|season| 2 * **season <= longest)
        .map(ToString::to_string)
        .collect();
    let seasons = match shown.as_slice() {
        [] if table.seasons.is_empty() => "no season".to_owned(),
        [] => "too few to show a season".to_owned(),
        [one] => format!("a season of {one} rows"),
        many => format!("seasons of {} rows", list(many)),
    };
    let trend = match units.as_slice() {
        [unit] => match slope(&unit.values) {
            share if share >= TREND => ", a rising trend",
            share if share <= -TREND => ", a falling trend",
            _ => ", no steady trend",
        },
        _ => "",
    };
    let gaps = match missing {
        0 => "no gaps".to_owned(),
        some => counted(some, "missing value"),
    };
    let zeros = match zeros {
        0 => String::new(),
        some => format!(", {:.0} % zeros", 100.0 * some as f64 / observed.max(1) as f64),
    };
    format!(
        "{} has {}{series}: {seasons}{trend}, {gaps}{zeros}.",
        table.path().file_name().unwrap_or_default().display(),
        described(rows, table.panel.frequency()),
    )
}

/// `1 row`, `2 rows`.
fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// A number of rows with their time step as people name it: `24 monthly rows`, `24 rows on business days`.
fn described(rows: usize, frequency: Frequency) -> String {
    let text = frequency.to_string();
    let name = match (frequency, text.as_str()) {
        (Frequency::Months(1, _), _) => "monthly",
        (Frequency::Months(3, _), _) => "quarterly",
        (Frequency::Months(12, _), _) => "yearly",
        (_, "1h") => "hourly",
        (_, "1d") => "daily",
        (_, "7d") => "weekly",
        _ => "",
    };
    match text.as_str() {
        _ if !name.is_empty() => counted(rows, &format!("{name} row")),
        "business-day" => format!("{} on business days", counted(rows, "row")),
        "index" => format!("{} without times", counted(rows, "row")),
        "irregular" => format!("{} at irregular times", counted(rows, "row")),
        step => format!("{}, {step} apart", counted(rows, "row")),
    }
}

/// The share of the variance that a line in time explains, with the sign of its slope.
fn slope(values: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .filter(|(_, y)| y.is_finite())
        .map(|(x, y)| (x as f64, *y))
        .collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| {
        points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>()
    };
    let (both, xx, yy) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    if xx > 0.0 && yy > 0.0 { both * both.abs() / (xx * yy) } else { 0.0 }
}

fn rests_on(table: &Table, fitted: &Fitted, member: Option<&str>) -> String {
    let rows: usize = table.known.iter().sum();
    let all = if rows == 1 { "the only row".to_owned() } else { format!("all {rows} rows") };
    let of_network = fitted.network_rows().filter(|trained| *trained != rows);
    let fitted_to = match (member, of_network) {
        (Some(NETWORK), Some(trained)) => format!("trained on {trained} rows"),
        (None, Some(trained)) => {
            format!("fitted to {all}, but for the network, which was trained on {trained}")
        }
        _ => format!("fitted to {all}"),
    };
    let averaged = match member {
        Some(member) => format!("The forecast is that of {} alone", named(member)),
        None => format!("The forecast averages {}", list(&weighed(fitted))),
    };
    let chosen = match fitted.opened && member.is_none() {
        true => format!(" The weights were chosen when there were {} rows.", fitted.chosen_on),
        false => String::new(),
    };
    format!("{averaged}, {fitted_to}.{chosen}")
}

/// The members with their mean weights, the largest first.
fn weighed(fitted: &Fitted) -> Vec<String> {
    let mut all: Vec<(&String, f64)> = fitted.members.iter().zip(fitted.shares()).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (all, few): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, weight)| *weight >= NAMED);
    let part = |name: &str, weight: f64| format!("{name} ({:.0} %)", 100.0 * weight);
    let others: f64 = few.iter().map(|(_, weight)| weight).sum();
    let mut parts: Vec<String> =
        all.iter().map(|(member, weight)| part(&named(member), *weight)).collect();
    parts.extend((others >= 0.005).then(|| part("others", others)));
    parts
}

/// A member in a sentence.
fn named(member: &str) -> String {
    match member {
        NETWORK => "the network".to_owned(),
        NAIVE => "the seasonal naive forecast".to_owned(),
        "intermittent" => "the intermittent method".to_owned(),
        member => member.to_owned(),
    }
}

/// `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Past {
    fn words(&self) -> String {
        let Some(pool) = self.pool else {
            return "The rows are too few to try it on the past.".to_owned();
        };
        let mut compared = Vec::new();
        let best = self.classic.as_ref().map(|(name, _)| name.as_str());
        if best != Some(NAIVE) {
            compared.extend(self.naive.map(|naive| against(pool, naive, &named(NAIVE))));
        }
        compared.extend(self.classic.as_ref().map(|(name, score)| {
            against(pool, *score, &format!("{} (the best classical method)", named(name)))
        }));
        compared.extend(self.network.map(|score| against(pool, score, "the network alone")));
        let origins = counted(self.origins, "past origin");
        let tried = match self.steps < self.horizon {
            true => format!("Over the first {} from {origins}", counted(self.steps, "step")),
            false => format!("From {origins}"),
        };
        let compared = match compared.is_empty() {
            true => format!("{tried},"),
            false => format!("{tried}, its error (CRPS) was {};", list(&compared)),
        };
        let held = 100.0 * self.coverage.unwrap_or(f64::NAN);
        format!("{compared} its 80 % intervals held {held:.0} % of what came.")
    }

    fn warnings(&self, table: &Table, fitted: &Fitted) -> Vec<String> {
        let mut warnings: Vec<String> = table.doubts.clone();
        warnings.extend(fitted.without_network.clone());
        let Some(pool) = self.pool else {
            warnings.push(
                "no past forecast could be tried: the weights follow a general rule, and the intervals were never checked"
                    .to_owned(),
            );
            return warnings;
        };
        warnings.extend(untried(&self.untried));
        if self.steps < self.horizon {
            warnings.push(format!(
                "only the first {} of {} steps could be tried on the past: nobody knows how far to trust the later ones",
                self.steps, self.horizon
            ));
        }
        if self.disjoint < 3 && pool > LEAST_ERROR {
            let room = match self.disjoint {
                0 | 1 => "a single past forecast".to_owned(),
                many => format!("{many} past forecasts that do not overlap"),
            };
            warnings.push(format!(
                "there is room for only {room}, so that weights and intervals rest on little"
            ));
        }
        if self.naive.is_some_and(|naive| pool >= naive && pool > LEAST_ERROR) {
            warnings.push(
                "on past rows the forecast was no better than the seasonal naive one".to_owned(),
            );
        }
        if let Some((name, score)) = self
            .classic
            .as_ref()
            .filter(|(name, score)| name != NAIVE && pool > *score * 1.005 && pool > LEAST_ERROR)
        {
            warnings.push(format!(
                "on past rows {} alone was {:.0} % better",
                named(name),
                100.0 * (1.0 - score / pool)
            ));
        }
        warnings
    }
}

/// The error beside another: `12 % below that of ETS`.
fn against(pool: f64, other: f64, name: &str) -> String {
    let change = 100.0 * (pool / other - 1.0);
    match change {
        _ if pool <= LEAST_ERROR && other <= LEAST_ERROR => {
            format!("nil, as that of {name}")
        }
        _ if other <= LEAST_ERROR => format!("above that of {name}, which made none"),
        change if change.abs() < 0.5 => format!("the same as that of {name}"),
        change if change < 0.0 => format!("{:.0} % below that of {name}", -change),
        change if change < 200.0 => format!("{change:.0} % above that of {name}"),
        _ => format!("{:.1} times that of {name}", pool / other),
    }
}

/// The series that are too short for a past forecast, while others are not.
fn untried(names: &[String]) -> Option<String> {
    const NAMED: usize = 5;
    let some: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let named = match names.len().checked_sub(NAMED) {
        None | Some(0) => list(&some),
        Some(more) => format!("{} and {more} more", some.join(", ")),
    };
    (!names.is_empty()).then(|| {
        format!(
            "too short to be tried on the past, so that nobody knows how far to trust the forecast: {named}"
        )
    })
}
