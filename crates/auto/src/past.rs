//! The past forecasts of a fit: how well the pool and its members did.

use pool::{Classics, History, Pool, Quantiles};
use serde::{Deserialize, Serialize};

use crate::names::{NAIVE, NETWORK, POOL};
use crate::score::{Score, Trial, Trials};
use crate::table::{Table, Unit};

/// Scores of past forecasts, averaged over units in units of the naive scale of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// Folds of the longest series.
    pub(crate) origins: usize,
    /// Horizons without a common row.
    pub(crate) disjoint: usize,
    /// Steps of the forecast, and the number of them that were tried.
    pub(crate) horizon: usize,
    pub(crate) steps: usize,
    /// The pool; `None` if nothing was tried.
    pub(crate) pool: Option<f64>,
    pub(crate) naive: Option<f64>,
    /// Name and score of the best classical method.
    pub(crate) classic: Option<(String, f64)>,
    pub(crate) network: Option<f64>,
    /// Share of the truth in the 80 % intervals of the pool.
    pub(crate) coverage: Option<f64>,
    /// Series without a past forecast.
    pub(crate) untried: Vec<String>,
    /// The pool and its members over the folds.
    pub(crate) scores: Vec<Score>,
}

/// The past forecasts of one unit, and its pool.
pub(crate) type Tried<'a> = (&'a Unit, &'a Classics, &'a Pool);

impl Past {
    pub(crate) fn of(table: &Table, members: &[String], units: &[Tried]) -> Past {
        let (mut sums, mut counts) = (vec![0.0; members.len()], vec![0usize; members.len()]);
        let (mut pool, mut covered, mut pools) = (0.0, 0.0, 0usize);
        let (mut origins, mut disjoint, mut steps) = (0, 0, 0);
        let mut trials = Trials {
            forecasters: std::iter::once(POOL.to_owned()).chain(members.iter().cloned()).collect(),
            horizon: table.horizon(),
            stride: stride(units),
            ..Trials::default()
        };
        for (unit, classics, own) in units {
            let history = classics.history();
            for (member, (sum, count)) in sums.iter_mut().zip(&mut counts).enumerate() {
                if let Some(score) = history.score_of(member) {
                    *sum += score / history.scale;
                    *count += 1;
                }
            }
            // With the support too, without which a count of zero lies just outside many an interval.
            let calibrated: Option<Vec<Quantiles>> =
                history.folds.iter().map(|fold| own.combine(&fold.members)).collect();
            let Some(calibrated) = calibrated else { continue };
            add(&mut trials, unit, history, &calibrated);
            let scores = history.score(&calibrated).zip(history.coverage(&calibrated, 0.8));
            if let Some((score, coverage)) = scores {
                pool += score / history.scale;
                covered += coverage;
                pools += 1;
            }
            origins = origins.max(history.folds.len());
            disjoint = disjoint.max(history.disjoint);
            steps = steps.max(history.folds.first().map_or(0, |fold| fold.truth.len()));
        }
        let mean = |sum: f64, count: usize| {
            let complete = count > 0 && count == pools;
            Some(sum / count as f64).filter(|mean| complete && mean.is_finite())
        };
        let score = |member: usize| mean(sums[member], counts[member]);
        let of_name = |name: &str| score(members.iter().position(|member| member == name)?);
        let classics = members.iter().enumerate().filter(|(_, name)| *name != NETWORK);
        let classic = classics
            .filter_map(|(member, name)| Some((name.clone(), score(member)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        Past {
            origins,
            disjoint,
            horizon: table.horizon(),
            steps,
            pool: mean(pool, pools),
            naive: of_name(NAIVE),
            classic,
            network: of_name(NETWORK),
            coverage: mean(covered, pools),
            untried: untried(table, units),
            scores: trials.scores(),
        }
    }
}

/// Rows between the folds of the series with the most.
fn stride(units: &[Tried]) -> usize {
    let origins = units.iter().map(|(_, classics, _)| &classics.layout().origins);
    match origins.max_by_key(|origins| origins.len()).map(Vec::as_slice) {
        Some(all @ [first, .., last]) => (last - first) / (all.len() - 1),
        _ => 1,
    }
}

/// Adds the forecasts of the pool and of all members.
fn add(trials: &mut Trials, unit: &Unit, history: &History, pooled: &[Quantiles]) {
    for (fold, (tried, pooled)) in history.folds.iter().zip(pooled).enumerate() {
        let members = tried.members.iter().map(Option::as_ref);
        for (forecaster, quantiles) in std::iter::once(Some(pooled)).chain(members).enumerate() {
            let Some(quantiles) = quantiles else { continue };
            let place = (unit.series, unit.channel);
            trials.all.push(Trial::new(fold, place, forecaster, quantiles, &tried.truth));
        }
    }
}

/// The series that are too short for a past forecast, while others are not.
fn untried(table: &Table, units: &[Tried]) -> Vec<String> {
    let short = units.iter().filter(|(_, classics, _)| classics.history().folds.is_empty());
    let mut names: Vec<String> =
        short.map(|(unit, ..)| table.panel.series()[unit.series].name().to_owned()).collect();
    names.dedup();
    names
}
