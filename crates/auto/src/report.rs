//! A forecast in words: the table, what the forecast rests on, and how far to trust it.

use std::fmt;

use data::Frequency;

use crate::fit::{Fitted, NETWORK};
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
/// The name of the naive forecast among the members.
const NAIVE: &str = "seasonal naive";
/// Errors up to this share of the naive scale are none.
const LEAST_ERROR: f64 = 1e-6;
/// Weights below this are not named.
const NAMED: f64 = 0.05;

impl Report {
    /// The report of a fit.
    pub fn of(table: &Table, fitted: &Fitted) -> Report {
        let past = Past::of(fitted);
        Report {
            found: found(table),
            rests_on: rests_on(table, fitted),
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

fn rests_on(table: &Table, fitted: &Fitted) -> String {
    let mut weights = vec![0.0; fitted.members.len()];
    for pool in &fitted.pools {
        let share = 1.0 / fitted.pools.len() as f64;
        weights
            .iter_mut()
            .zip(&pool.weights.values)
            .for_each(|(sum, weight)| *sum += share * weight);
    }
    let mut named: Vec<(&String, f64)> = fitted.members.iter().zip(weights).collect();
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    named.retain(|(_, weight)| *weight >= NAMED);
    let words: Vec<String> =
        named.iter().map(|(name, weight)| format!("{name} ({:.0} %)", 100.0 * weight)).collect();
    let rows: usize = table.known.iter().sum();
    format!(
        "The forecast averages {}, fitted to {}.",
        list(&words),
        if rows == 1 { "the only row".to_owned() } else { format!("all {rows} rows") }
    )
}

/// `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Scores of past forecasts, averaged over units in units of the naive scale of each.
struct Past {
    origins: usize,
    disjoint: usize,
    pool: f64,
    naive: Option<f64>,
    /// Name and score of the best classical method.
    classic: Option<(String, f64)>,
    network: Option<f64>,
    coverage: f64,
}

impl Past {
    fn of(fitted: &Fitted) -> Past {
        let count = fitted.members.len();
        let (mut sums, mut counts) = (vec![0.0; count], vec![0usize; count]);
        let (mut pool, mut covered, mut pools) = (0.0, 0.0, 0usize);
        let (mut origins, mut disjoint) = (0, 0);
        for (history, own) in fitted.histories().zip(&fitted.pools) {
            for member in 0..count {
                if let Some(score) = history.score_of(member) {
                    sums[member] += score / history.scale;
                    counts[member] += 1;
                }
            }
            // With the support too, without which a count of zero lies just outside many an interval.
            let calibrated: Option<Vec<pool::Quantiles>> =
                history.folds.iter().map(|fold| own.combine(&fold.members)).collect();
            let Some(calibrated) = calibrated else { continue };
            let scores = history.score(&calibrated).zip(history.coverage(&calibrated, 0.8));
            if let Some((score, coverage)) = scores {
                pool += score / history.scale;
                covered += coverage;
                pools += 1;
            }
            origins = origins.max(history.folds.len());
            disjoint = disjoint.max(history.disjoint);
        }
        let score = |member: usize| {
            (counts[member] > 0 && counts[member] == pools)
                .then(|| sums[member] / counts[member] as f64)
        };
        let of_name = |name: &str| score(fitted.members.iter().position(|member| member == name)?);
        let classics = fitted.members.iter().enumerate().filter(|(_, name)| *name != NETWORK);
        let classic = classics
            .filter_map(|(member, name)| Some((name.clone(), score(member)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        Past {
            origins,
            disjoint,
            pool: pool / pools as f64,
            naive: of_name(NAIVE),
            classic,
            network: of_name(NETWORK),
            coverage: covered / pools as f64,
        }
    }

    fn words(&self) -> String {
        if self.origins == 0 || !self.pool.is_finite() {
            return "The rows are too few to try it on the past.".to_owned();
        }
        let mut compared = Vec::new();
        let best = self.classic.as_ref().map(|(name, _)| name.as_str());
        if best != Some(NAIVE) {
            compared.extend(self.naive.map(|naive| self.against(naive, NAIVE)));
        }
        compared.extend(self.classic.as_ref().map(|(name, score)| {
            self.against(*score, &format!("{name} (the best of the classical methods)"))
        }));
        compared.extend(self.network.map(|score| self.against(score, "the network alone")));
        let compared = match compared.is_empty() {
            true => String::new(),
            false => format!(", its error (CRPS) was {}", list(&compared)),
        };
        format!(
            "Tried from {}{compared}. Its 80 % intervals held {:.0} % of what came.",
            counted(self.origins, "past origin"),
            100.0 * self.coverage,
        )
    }

    /// The error beside another: `12 % below that of ETS`.
    fn against(&self, other: f64, name: &str) -> String {
        let change = 100.0 * (self.pool / other - 1.0);
        match change {
            _ if self.pool <= LEAST_ERROR && other <= LEAST_ERROR => {
                format!("nil, as that of {name}")
            }
            _ if other <= LEAST_ERROR => format!("above that of {name}, which made none"),
            change if change.abs() < 0.5 => format!("the same as that of {name}"),
            change if change < 0.0 => format!("{:.0} % below that of {name}", -change),
            change if change < 200.0 => format!("{change:.0} % above that of {name}"),
            _ => format!("{:.1} times that of {name}", self.pool / other),
        }
    }

    fn warnings(&self, table: &Table, fitted: &Fitted) -> Vec<String> {
        let mut warnings: Vec<String> = table.doubts.clone();
        warnings.extend(fitted.without_network.clone());
        if self.origins == 0 {
            warnings.push(
                "the weights rest on no past forecast, and the intervals were never checked"
                    .to_owned(),
            );
            return warnings;
        }
        warnings.extend(untried(table, fitted));
        if self.disjoint < 3 && self.pool > LEAST_ERROR {
            warnings.push(format!(
                "the past forecasts cover only {}, so that the weights lean towards equal ones",
                counted(self.disjoint, "separate horizon")
            ));
        }
        if self.naive.is_some_and(|naive| self.pool >= naive && self.pool > LEAST_ERROR) {
            warnings.push(
                "the forecast was no better than the seasonal naive one on past rows".to_owned(),
            );
        }
        if let Some((name, score)) = self.classic.as_ref().filter(|(name, score)| {
            name != NAIVE && self.pool > *score * 1.005 && self.pool > LEAST_ERROR
        }) {
            warnings.push(format!(
                "{name} alone was {:.0} % better on past rows",
                100.0 * (1.0 - score / self.pool)
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

/// The series that are too short for a past forecast, while others are not.
fn untried(table: &Table, fitted: &Fitted) -> Option<String> {
    const NAMED: usize = 5;
    let units = table.units();
    let short =
        units.iter().zip(fitted.histories()).filter(|(_, history)| history.folds.is_empty());
    let mut names: Vec<String> =
        short.map(|(unit, _)| format!("`{}`", table.panel.series()[unit.series].name())).collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.len(), more) {
        (0, _) => None,
        (_, 0) => Some(format!(
            "too short to be tried on the past, so that nobody knows how far to trust the forecast: {}",
            list(&names)
        )),
        _ => Some(format!(
            "too short to be tried on the past, so that nobody knows how far to trust the forecast: {} and {more} more",
            names.join(", ")
        )),
    }
}
