//! A forecast in words: the table, what the forecast rests on, and how far to trust it.

use std::fmt;

use data::Frequency;

use crate::fit::{Fitted, NETWORK};
use crate::past::{NAIVE, Past};
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
        [] => "too few rows to show a season".to_owned(),
        [one] => format!("a season of {one} rows"),
        many => format!("seasons of {} rows", list(many)),
    };
    let trend = match units.as_slice() {
        [unit] => match slope(&unit.values) {
            share if share >= TREND => ", rising",
            share if share <= -TREND => ", falling",
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
        "{}: {}{series}, {}, {seasons}{trend}, {gaps}{zeros}.",
        table.path().file_name().unwrap_or_default().display(),
        counted(rows, "row"),
        time_step(table.panel.frequency()),
    )
}

/// `1 row`, `2 rows`.
fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// A time step as people name it.
fn time_step(frequency: Frequency) -> String {
    let text = frequency.to_string();
    let name = match text.as_str() {
        "1h" => "hourly",
        "1d" => "daily",
        "7d" => "weekly",
        "business-day" => "on business days",
        "index" => "without times",
        "irregular" => "at irregular times",
        _ => "",
    };
    let months = match frequency {
        Frequency::Months(1, _) => "monthly",
        Frequency::Months(3, _) => "quarterly",
        Frequency::Months(12, _) => "yearly",
        _ => name,
    };
    if months.is_empty() { format!("time step {text}") } else { months.to_owned() }
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
    let mut weights = vec![0.0; fitted.members.len()];
    for pool in &fitted.pools {
        let share = 1.0 / fitted.pools.len() as f64;
        weights
            .iter_mut()
            .zip(&pool.weights.values)
            .for_each(|(sum, weight)| *sum += share * weight);
    }
    let mut named: Vec<(&String, f64)> = fitted.members.iter().zip(weights).collect();
    if fitted.without_network.is_some() {
        named.retain(|(name, _)| *name != NETWORK);
        let total: f64 = named.iter().map(|(_, weight)| weight).sum();
        named.iter_mut().for_each(|(_, weight)| *weight /= total.max(f64::MIN_POSITIVE));
    }
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    named.retain(|(_, weight)| *weight >= NAMED);
    named.iter().map(|(name, weight)| format!("{name} ({:.0} %)", 100.0 * weight)).collect()
}

/// A member in a sentence.
fn named(member: &str) -> String {
    if member == NETWORK { "the network".to_owned() } else { member.to_owned() }
}

/// `a, b and c`.
fn list(words: &[String]) -> String {
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
            compared.extend(self.naive.map(|naive| against(pool, naive, NAIVE)));
        }
        compared.extend(self.classic.as_ref().map(|(name, score)| {
            against(pool, *score, &format!("{name} (the best of the classical methods)"))
        }));
        compared.extend(self.network.map(|score| against(pool, score, "the network alone")));
        let compared = match compared.is_empty() {
            true => String::new(),
            false => format!(", its error (CRPS) was {}", list(&compared)),
        };
        format!(
            "Tried from {}{compared}. Its 80 % intervals held {:.0} % of what came.",
            counted(self.origins, "past origin"),
            100.0 * self.coverage.unwrap_or(f64::NAN),
        )
    }

    fn warnings(&self, table: &Table, fitted: &Fitted) -> Vec<String> {
        let mut warnings: Vec<String> = table.doubts.clone();
        warnings.extend(fitted.without_network.clone());
        let Some(pool) = self.pool else {
            warnings.push(
                "the weights rest on no past forecast, and the intervals were never checked"
                    .to_owned(),
            );
            return warnings;
        };
        warnings.extend(untried(&self.untried));
        if self.disjoint < 3 && pool > LEAST_ERROR {
            warnings.push(format!(
                "the past forecasts cover only {}, so that the weights lean towards equal ones",
                counted(self.disjoint, "separate horizon")
            ));
        }
        if self.naive.is_some_and(|naive| pool >= naive && pool > LEAST_ERROR) {
            warnings.push(
                "the forecast was no better than the seasonal naive one on past rows".to_owned(),
            );
        }
        if let Some((name, score)) = self
            .classic
            .as_ref()
            .filter(|(name, score)| name != NAIVE && pool > *score * 1.005 && pool > LEAST_ERROR)
        {
            warnings.push(format!(
                "{name} alone was {:.0} % better on past rows",
                100.0 * (1.0 - score / pool)
            ));
        }
        if let Some((_, classic)) = &self.classic
            && self.network.is_some_and(|network| network > *classic)
        {
            warnings.push(
                "the network alone did not beat the best classical method on past rows".to_owned(),
            );
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
