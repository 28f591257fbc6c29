//! The numbers of the small series: where we stand, and which targets are met.

use super::Small;
use super::plan::{Cost, Target};
use super::standing::Ratio;
use crate::backtest::{self, Measure, Tried, forecasters};
use crate::number::percent;

use crate::scores::{NETWORK, POOL};

/// Everything that is said, in numbers.
pub(super) struct Summary<'a> {
    pub(super) small: &'a Small,
    /// Series with at least one finished run.
    pub(super) tried: Vec<&'a Tried<'a>>,
    pub(super) all: &'a [Tried<'a>],
    /// Pool, network, then the classical methods of ours.
    pub(super) ours: Vec<String>,
}

/// A single classical method, of ours or of peers.csv, and the pool's CRPS relative to it.
pub(super) struct Classic {
    pub(super) name: String,
    pub(super) ratio: Ratio,
}

impl<'a> Summary<'a> {
    pub(super) fn new(small: &'a Small, all: &'a [Tried<'a>]) -> Summary<'a> {
        let mut ours = forecasters(all);
        ours.sort_by_key(|name| (name != POOL, name != NETWORK));
        let tried = all.iter().filter(|tried| !tried.runs.is_empty()).collect();
        Summary { small, tried, all, ours }
    }

    /// The CRPS of one of ours or of a peer on a series; ours is the mean over seeds.
    pub(super) fn crps(&self, tried: &Tried, who: Who) -> Option<f64> {
        match who {
            Who::Ours(name) => tried.mean(name, |score| score.crps),
            Who::Peer(name) => self.small.peers.crps(&tried.task.label, name),
        }
    }

    pub(super) fn coverage(&self, tried: &Tried, who: Who) -> Option<f64> {
        match who {
            Who::Ours(name) => tried.mean(name, |score| score.coverage),
            Who::Peer(name) => self.small.peers.coverage(&tried.task.label, name),
        }
    }

    pub(super) fn reference(&self) -> Who<'a> {
        Who::Peer(&self.small.plan.reference)
    }

    /// The CRPS of one over another's, geometric mean over the series that both have.
    pub(super) fn ratio(&self, who: Who, than: Who) -> Option<Ratio> {
        let pair = |t: &&Tried| Some((self.crps(t, who)?, self.crps(t, than)?));
        Ratio::of(self.tried.iter().map(pair))
    }

    /// The pool's CRPS on a series relative to the reference.
    pub(super) fn against(&self, tried: &Tried) -> Option<f64> {
        Some(self.crps(tried, Who::Ours(POOL))? / self.crps(tried, self.reference())?)
    }

    /// Series on which the pool's CRPS is larger than another's by more than the loss that counts.
    pub(super) fn lost(&self, than: Who) -> Option<usize> {
        let ratio = |t: &&Tried| Some(self.crps(t, Who::Ours(POOL))? / self.crps(t, than)?);
        let ratios: Vec<f64> = self.tried.iter().filter_map(ratio).collect();
        let lost = ratios.iter().filter(|ratio| **ratio > 1.0 + self.target().loss).count();
        (!ratios.is_empty()).then_some(lost)
    }

    pub(super) fn target(&self) -> &Target {
        &self.small.plan.target
    }

    /// The classical method that is the hardest to beat.
    pub(super) fn best_classic(&self) -> Option<Classic> {
        let Small { peers, plan, .. } = self.small;
        let ours = self.ours.iter().filter(|name| ![POOL, NETWORK].contains(&name.as_str()));
        let ours = ours.map(|name| (format!("our {name}"), Who::Ours(name)));
        let theirs = peers.names.iter().filter(|name| plan.classics.contains(name));
        let theirs = theirs.map(|name| (name.clone(), Who::Peer(name)));
        let classic =
            |(name, who)| Some(Classic { name, ratio: self.ratio(Who::Ours(POOL), who)? });
        let all = ours.chain(theirs).filter_map(classic);
        // On half of the series at least: otherwise it is no rival.
        let common = all.filter(|classic| 2 * classic.ratio.count >= self.tried.len());
        common.max_by(|a, b| a.ratio.mean.total_cmp(&b.ratio.mean))
    }

    /// Coverage of 80 % intervals of the pool, by series.
    fn coverages(&self) -> Vec<(f64, &str)> {
        let of = |t: &&Tried<'a>| Some((self.coverage(t, Who::Ours(POOL))?, &*t.task.label));
        self.tried.iter().filter_map(of).collect()
    }

    fn coverage_mean(&self) -> Option<f64> {
        stats::mean_of_finite(self.coverages().into_iter().map(|(coverage, _)| coverage))
    }

    /// Where we stand, in words.
    pub(super) fn headline(&self) -> String {
        if self.tried.is_empty() {
            return "No series has a result.".to_owned();
        }
        let reference = &self.small.plan.reference;
        let sentence = |ratio: Ratio, name: &str| {
            let (verb, text, on) = (ratio.verb(), ratio.text(), series(ratio.count));
            format!("Ballast {verb} {name}: CRPS ratio {text}, {on}.")
        };
        let mut said: Vec<String> = Vec::new();
        match self.ratio(Who::Ours(POOL), self.reference()) {
            Some(ratio) => said.push(sentence(ratio, reference)),
            None => said.push(format!("Nothing is known of {reference} on these series.")),
        }
        if let Some(Classic { name, ratio }) = self.best_classic() {
            said.push(sentence(ratio, &format!("the best single classic, {name}")));
        }
        let all = self.tried.len();
        if let Some(lost) = self.lost(self.reference()) {
            let loss = percent(self.target().loss);
            said.push(format!("Worse than {reference} by more than {loss} % on {lost} of {all}."));
        }
        if let Some(coverage) = self.coverage_mean() {
            said.push(format!("80 % intervals cover {} %.", percent(coverage)));
        }
        said.join(" ")
    }

    pub(super) fn measures(&self) -> Vec<Measure> {
        let (plan, target) = (&self.small.plan, self.target());
        let three = |value: f64| format!("{value:.3}");
        let whole = |value: f64| format!("{value:.0}");
        let share = |value: f64| format!("{} %", percent(value));
        let mean = |who| self.ratio(who, self.reference()).map(|ratio| ratio.mean);
        let reference = &plan.reference;
        let worst = self.coverages().into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let of_worst = worst.map_or(String::new(), |(_, name)| format!(" ({name})"));
        let mut all = vec![
            Measure::at_most(
                format!("{}, geometric CRPS ratio to {reference}", series(self.tried.len())),
                target.ratio,
                mean(Who::Ours(POOL)),
                three,
            ),
            Measure::at_most(
                format!("series worse than {reference} by more than {} %", percent(target.loss)),
                target.lost,
                self.lost(self.reference()).map(|lost| lost as f64),
                whole,
            ),
            Measure::new(
                "coverage of 80 % intervals, mean over series",
                target.coverage,
                self.coverage_mean(),
                share,
            ),
            Measure::new(
                format!("coverage of 80 % intervals, least of all series{of_worst}"),
                [target.coverage_each, f64::INFINITY],
                worst.map(|(coverage, _)| coverage),
                share,
            ),
            Measure::at_most(
                format!("network alone, geometric CRPS ratio to {reference}"),
                target.network,
                mean(Who::Ours(NETWORK)),
                three,
            ),
        ];
        all.extend(target.cost.iter().map(|cost| self.cost(cost)));
        all
    }

    /// The slowest run of about this number of rows: those within a quarter of it, or the nearest.
    fn cost(&self, Cost { rows, seconds }: &Cost) -> Measure {
        let away = |tried: &Tried| (tried.task.columns.rows() as f64 / *rows as f64).ln().abs();
        let timed = || self.tried.iter().filter_map(|t| Some((t, t.seconds()?)));
        let near = timed().filter(|(t, _)| away(t) <= 1.25_f64.ln());
        let slowest = near.max_by(|a, b| a.1.total_cmp(&b.1));
        let found = slowest.or(timed().min_by(|a, b| away(a.0).total_cmp(&away(b.0))));
        let whose = found.map_or(String::new(), |(t, _)| {
            format!(" (the slowest: {}, {} rows)", t.task.label, t.task.columns.rows())
        });
        let what = format!("CPU seconds, about {rows} rows, with every origin{whose}");
        Measure::at_most(what, *seconds, found.map(|(_, s)| s), |s| format!("{s:.1}"))
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut all = self.small.missing.clone();
        all.extend(backtest::warnings(self.all, self.small.seeds.len()));
        if self.small.peers.names.is_empty() {
            all.push("There is no peers.csv: nothing is known of others.".to_owned());
        }
        let planned = self.small.plan.seeds.len();
        if self.small.seeds.len() < planned {
            all.push(format!("{} of {planned} seeds were asked for.", self.small.seeds.len()));
        }
        all
    }
}

/// A forecaster of ours, or one of peers.csv.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    Ours(&'a str),
    Peer(&'a str),
}

fn series(number: usize) -> String {
    format!("{number} series")
}
