//! Whether a target is met, in a sentence made from the numbers and from nothing else.

use serde::Serialize;
use stats::Difference;

use super::plan::Target;
use super::result::Scored;
use crate::number::{difference, interval, percent, score, score_with_error};
use crate::outcome::Outcome;

/// A condition and the numbers that decide it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) outcome: Outcome,
    pub(super) text: String,
}

/// The range of coverage of 90 % intervals that counts as calibrated.
const CALIBRATED: std::ops::RangeInclusive<f64> = 0.87..=0.93;
/// Names of baselines in `evaluation.json`.
const CLIMATOLOGY: &str = "climatology";
const GARCH: &str = "GARCH(1,1)-t";

/// All conditions of a target.
pub(super) fn checks(target: Target, scored: &Scored) -> Vec<Check> {
    match target {
        Target::Crps(most) => vec![crps(scored, most)],
        Target::EveryBaseline => vec![every_baseline(scored)],
        Target::Ridge => vec![ridge(scored)],
        Target::Returns => {
            let climatology = scored.baseline(CLIMATOLOGY).map(|baseline| baseline.difference);
            let to_zero = scored.points.as_ref().and_then(|points| points.to_zero);
            vec![
                better("squared error of the mean minus that of zero", to_zero, |d| d <= 0.0),
                better("CRPS minus climatology’s", climatology.and_then(|d| d.crps), |d| d < 0.0),
                better(
                    "log score minus climatology’s",
                    climatology.and_then(|d| d.log_score),
                    |d| d > 0.0,
                ),
                coverage(scored),
            ]
        }
    }
}

/// Conditions on the averages over cells of returns: no worse than GARCH(1,1)-t.
pub(super) fn average(cells: &[&Scored]) -> Vec<Check> {
    let check = |what: &str, value: fn(&Scored) -> Option<Difference>, good: fn(f64) -> bool| {
        let found: Vec<f64> = cells.iter().filter_map(|c| Some(value(c)?.mean)).collect();
        if found.is_empty() || found.len() < cells.len() {
            return unknown(&format!("{what} {GARCH}’s"));
        }
        let mean = stats::mean(&found);
        let sign = if mean < 0.0 { "" } else { "+" };
        let (count, mean_text) = (found.len(), format!("{sign}{}", score(mean)));
        let text = format!("{what} {GARCH}’s, mean of {count} cells: {mean_text}");
        Check { outcome: Outcome::holds(Some(good(mean))), text }
    };
    let crps = |c: &Scored| c.baseline(GARCH)?.difference.crps;
    let log = |c: &Scored| c.baseline(GARCH)?.difference.log_score;
    vec![check("CRPS minus", crps, |d| d <= 0.0), check("log score minus", log, |d| d >= 0.0)]
}

fn crps(scored: &Scored, most: f64) -> Check {
    let found = score_with_error(scored.crps.mean, scored.crps.error());
    let over = scored.crps.mean - most;
    let outcome = Outcome::holds(Some(over <= 0.0));
    let text = format!(
        "CRPS {found}, target {}: {} by {} ({} %)",
        number(most),
        outcome.target(),
        score(over.abs()),
        percent(over.abs() / most)
    );
    Check { outcome, text }
}

fn every_baseline(scored: &Scored) -> Check {
    let mut compared = Vec::new();
    for baseline in &scored.baselines {
        match baseline.difference.crps {
            Some(found) => compared.push((baseline, found)),
            None => return unknown(&format!("CRPS minus that of {}", baseline.name)),
        }
    }
    // The one that the interval of the difference leaves closest.
    let closest = compared.into_iter().max_by(|a, b| a.1.high.total_cmp(&b.1.high));
    let Some((baseline, found)) = closest else {
        return unknown("CRPS minus that of any baseline");
    };
    let below = found.high < 0.0;
    let by = if below {
        "below zero for every baseline".to_owned()
    } else {
        format!("reaches {} above zero", score(found.high))
    };
    let (name, found) = (&baseline.name, paired(found));
    let text = format!("CRPS minus that of {name}, the closest baseline: {found}; {by}");
    Check { outcome: Outcome::holds(Some(below)), text }
}

fn ridge(scored: &Scored) -> Check {
    let Some(found) = scored.baseline("ridge").and_then(|b| b.difference.crps) else {
        return unknown("CRPS minus ridge’s");
    };
    let over = found.mean - found.error;
    let by = if over <= 0.0 {
        "no loss beyond its standard error".to_owned()
    } else {
        format!("a loss of {} beyond its standard error", score(over))
    };
    let text = format!("CRPS minus ridge’s: {}; {by}", paired(found));
    Check { outcome: Outcome::holds(Some(over <= 0.0)), text }
}

fn better(what: &str, found: Option<Difference>, good: fn(f64) -> bool) -> Check {
    let Some(found) = found else { return unknown(what) };
    let text = format!("{what}: {}", paired(found));
    Check { outcome: Outcome::holds(Some(good(found.mean))), text }
}

fn coverage(scored: &Scored) -> Check {
    let outcome = Outcome::holds(Some(CALIBRATED.contains(&scored.coverage_90)));
    let text = format!("90 % intervals cover {} % (87 to 93 wanted)", percent(scored.coverage_90));
    Check { outcome, text }
}

fn unknown(what: &str) -> Check {
    let text = format!("{what}: missing in evaluation.json");
    Check { outcome: Outcome::Unknown, text }
}

/// A difference with error and interval.
fn paired(Difference { mean, error, low, high, .. }: Difference) -> String {
    format!("{}, 95 % interval {}", difference(mean, error), interval(low, high, error))
}

/// A target as it was written.
pub(super) fn number(value: f64) -> String {
    value.to_string()
}
