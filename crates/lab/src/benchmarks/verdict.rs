//! Whether a target is met, in a sentence made from the numbers and from nothing else.

use serde::Serialize;

use super::super::number::{difference, interval, percent, score, score_with_error};
use super::super::read::Paired;
use super::plan::Target;
use super::result::Scored;

/// How one condition came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Met,
    /// The numbers that decide are missing.
    Unknown,
    Missed,
}

/// A condition and the numbers that decide it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Unknown => "unknown",
        }
    }

    /// Of several conditions: the worst.
    pub(super) fn all(checks: &[Check]) -> Verdict {
        checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Unknown)
    }
}

/// The range of coverage of 90 % intervals that counts as calibrated.
const CALIBRATED: std::ops::RangeInclusive<f64> = 0.87..=0.93;
/// What `evaluation.json` calls them.
const CLIMATOLOGY: &str = "climatology";
const GARCH: &str = "GARCH(1,1)-t";

/// All conditions of a target.
pub(super) fn checks(target: Target, scored: &Scored) -> Vec<Check> {
    match target {
        Target::Crps(most) => vec![crps(scored, most)],
        Target::EveryBaseline => vec![every_baseline(scored)],
        Target::Ridge => vec![ridge(scored)],
        Target::Returns => {
            let named = |name| scored.baseline(name);
            let crps = named(CLIMATOLOGY).and_then(|b| b.difference.crps);
            let log = named(CLIMATOLOGY).and_then(|b| b.difference.log_score);
            vec![
                squared_error(scored),
                better("CRPS less climatology’s", crps, |d| -d),
                better("log score less climatology’s", log, |d| d),
                coverage(scored),
            ]
        }
    }
}

/// On average over cells of returns: at least equal to GARCH(1,1)-t.
pub(super) fn average(cells: &[&Scored]) -> Vec<Check> {
    let of = |what: &str, value: fn(&Scored) -> Option<Paired>, gain: fn(f64) -> f64| {
        let found: Vec<f64> = cells.iter().filter_map(|c| Some(value(c)?.mean)).collect();
        if found.is_empty() || found.len() < cells.len() {
            return unknown(&format!("{what} {GARCH}’s"));
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let verdict = if gain(mean) >= 0.0 { Verdict::Met } else { Verdict::Missed };
        let (mean, count) = (difference_alone(mean), found.len());
        Check { verdict, text: format!("{what} {GARCH}’s, mean of {count} cells: {mean}") }
    };
    let crps = |c: &Scored| c.baseline(GARCH)?.difference.crps;
    let log = |c: &Scored| c.baseline(GARCH)?.difference.log_score;
    vec![of("CRPS less", crps, |d| -d), of("log score less", log, |d| d)]
}

fn crps(scored: &Scored, most: f64) -> Check {
    let found = score_with_error(scored.crps.mean, scored.crps.error());
    let over = scored.crps.mean - most;
    let verdict = if over <= 0.0 { Verdict::Met } else { Verdict::Missed };
    let text = format!(
        "CRPS {found}, target {}: {} by {} ({} %)",
        number(most),
        verdict.word(),
        score(over.abs()),
        percent(over.abs() / most)
    );
    Check { verdict, text }
}

fn every_baseline(scored: &Scored) -> Check {
    let mut compared = Vec::new();
    for baseline in &scored.baselines {
        match baseline.difference.crps {
            Some(found) => compared.push((baseline, found)),
            None => return unknown(&format!("CRPS less that of {}", baseline.name)),
        }
    }
    // The one that the interval of the difference leaves closest.
    let closest = compared.into_iter().max_by(|a, b| a.1.high.total_cmp(&b.1.high));
    let Some((baseline, found)) = closest else {
        return unknown("CRPS less that of any baseline");
    };
    let verdict = if found.high < 0.0 { Verdict::Met } else { Verdict::Missed };
    let by = match verdict {
        Verdict::Met => "below zero for every baseline".to_owned(),
        _ => format!("reaches {} above zero", score(found.high)),
    };
    let text = format!(
        "CRPS less that of {}, the closest baseline: {}; {by}",
        baseline.name,
        paired(found)
    );
    Check { verdict, text }
}

fn ridge(scored: &Scored) -> Check {
    let Some(found) = scored.baseline("ridge").and_then(|b| b.difference.crps) else {
        return unknown("CRPS less ridge’s");
    };
    let over = found.mean - found.error;
    let (verdict, by) = if over <= 0.0 {
        (Verdict::Met, "no loss beyond its standard error".to_owned())
    } else {
        (Verdict::Missed, format!("a loss of {} beyond its standard error", score(over)))
    };
    Check { verdict, text: format!("CRPS less ridge’s: {}; {by}", paired(found)) }
}

fn squared_error(scored: &Scored) -> Check {
    let what = "squared error of the mean less that of zero";
    let Some(found) = scored.points.as_ref().and_then(|points| points.to_zero) else {
        return unknown(what);
    };
    better_or_equal(what, found, |d| -d)
}

fn better(what: &str, found: Option<Paired>, gain: fn(f64) -> f64) -> Check {
    let Some(found) = found else { return unknown(what) };
    let verdict = if gain(found.mean) > 0.0 { Verdict::Met } else { Verdict::Missed };
    Check { verdict, text: format!("{what}: {}", paired(found)) }
}

fn better_or_equal(what: &str, found: Paired, gain: fn(f64) -> f64) -> Check {
    let verdict = if gain(found.mean) >= 0.0 { Verdict::Met } else { Verdict::Missed };
    Check { verdict, text: format!("{what}: {}", paired(found)) }
}

fn coverage(scored: &Scored) -> Check {
    let verdict =
        if CALIBRATED.contains(&scored.coverage_90) { Verdict::Met } else { Verdict::Missed };
    let text = format!("90 % intervals cover {} % (87 to 93 wanted)", percent(scored.coverage_90));
    Check { verdict, text }
}

fn unknown(what: &str) -> Check {
    Check { verdict: Verdict::Unknown, text: format!("{what}: evaluation.json does not say") }
}

/// A difference with error and interval.
fn paired(found: Paired) -> String {
    let Paired { mean, error, low, high } = found;
    format!("{}, 95 % interval {}", difference(mean, error), interval(low, high, error))
}

fn difference_alone(mean: f64) -> String {
    if mean < 0.0 { score(mean) } else { format!("+{}", score(mean)) }
}

/// A target as it was written.
pub(super) fn number(value: f64) -> String {
    value.to_string()
}
