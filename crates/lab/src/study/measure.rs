//! What is measured of a run, and paired differences between two arms of a cell.

use super::super::read::Evaluation;
use super::infer::{Estimate, by_time};
use super::plan::{Cell, Measure, Plan};
use super::runs::{Run, Studied};

/// Finished runs by cell, arm and seed, with the members that tuning chose.
pub(super) struct Table<'a> {
    pub(super) plan: &'a Plan,
    runs: &'a [Run],
    /// `[cell][arm]`: runs in the order of the seeds.
    places: Vec<Vec<Vec<usize>>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(plan: &'a Plan, runs: &'a [Run]) -> Table<'a> {
        let mut places = vec![vec![Vec::new(); plan.arms.len()]; plan.cells.len()];
        for (index, run) in runs.iter().enumerate() {
            places[run.cell][run.arm].push(index);
        }
        Table { plan, runs, places }
    }

    /// Finished runs of an arm in a cell, with their seeds.
    pub(super) fn of(&self, cell: usize, arm: usize) -> impl Iterator<Item = (u64, &'a Studied)> {
        let runs = self.runs;
        let found = self.places[cell][arm].iter().map(move |index| &runs[*index]);
        found.filter_map(|run| Some((run.seed, run.outcome.as_ref().ok()?)))
    }

    /// All runs of an arm in a cell, finished or not.
    pub(super) fn runs(&self, cell: usize, arm: usize) -> impl Iterator<Item = &'a Run> {
        let runs = self.runs;
        self.places[cell][arm].iter().map(move |index| &runs[*index])
    }

    /// The member of a tuned arm with the best mean validation score; `None` unless all have all seeds.
    pub(super) fn tuned(&self, cell: usize, among: &[usize]) -> Option<usize> {
        let score = |arm: usize| {
            let scores: Option<Vec<f64>> = self
                .of(cell, arm)
                .map(|(_, run)| run.chosen.epochs.iter().rfind(|epoch| epoch.best)?.validation_crps)
                .collect();
            let scores = scores.filter(|scores| scores.len() == self.plan.seeds.len())?;
            Some(scores.iter().sum::<f64>() / scores.len() as f64)
        };
        let scored: Option<Vec<(usize, f64)>> =
            among.iter().map(|arm| Some((*arm, score(*arm)?))).collect();
        let best = scored?.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(best.0)
    }

    /// One number per seed, in the order of the seeds that have finished.
    pub(super) fn values(&self, cell: usize, arm: usize, measure: Measure) -> Vec<f64> {
        self.of(cell, arm).filter_map(|(_, run)| value(run, measure)).collect()
    }

    /// Finished runs of two arms with the same seed.
    fn pairs(&self, cell: usize, arm: usize, than: usize) -> Vec<(&'a Studied, &'a Studied)> {
        let partner = |seed: u64| self.of(cell, than).find(|(other, _)| *other == seed);
        self.of(cell, arm).filter_map(|(seed, run)| Some((run, partner(seed)?.1))).collect()
    }

    /// Arm less other, one number per seed that both have.
    pub(super) fn per_seed(
        &self,
        cell: usize,
        arm: usize,
        than: usize,
        measure: Measure,
    ) -> Option<Vec<f64>> {
        let pairs = self.pairs(cell, arm, than);
        pairs.iter().map(|(a, b)| Some(value(a, measure)? - value(b, measure)?)).collect()
    }

    /// Arm less other, paired by seed, and by window where windows are scored. `None` unless both have at
    /// least two seeds in common and the same windows.
    pub(super) fn difference(
        &self,
        cell: usize,
        arm: usize,
        than: usize,
        measure: Measure,
    ) -> Option<Estimate> {
        let pairs = self.pairs(cell, arm, than);
        let windows = |evaluation: fn(&Studied) -> &Evaluation| -> Option<Vec<Vec<f64>>> {
            let seed = |(a, b): &(&Studied, &Studied)| {
                let (a, b) = (&evaluation(a).model().test, &evaluation(b).model().test);
                let each = a.window_crps.iter().zip(&b.window_crps);
                let same = a.window_crps.len() == b.window_crps.len();
                let each: Option<Vec<f64>> = each.map(|(a, b)| Some((*a)? - (*b)?)).collect();
                Some(by_time(&each.filter(|_| same)?, &a.times()))
            };
            pairs.iter().map(seed).collect()
        };
        let lag = self.lag(&self.plan.cells[cell], pairs.first()?.0);
        match measure {
            Measure::Test => Estimate::of_windows(&windows(|run| &run.chosen.evaluation)?, lag),
            Measure::TestEnd => Estimate::of_windows(&windows(|run| &run.last)?, lag),
            Measure::GapEnd => {
                let mut test = windows(|run| &run.last)?;
                for (seed, (a, b)) in test.iter_mut().zip(&pairs) {
                    let train =
                        |run: &Studied| Some(run.last.model().train.as_ref()?.crps_standardized);
                    let shift = train(a)? - train(b)?;
                    seed.iter_mut().for_each(|window| *window -= shift);
                }
                Estimate::of_windows(&test, lag)
            }
            _ => Estimate::of_seeds(&self.per_seed(cell, arm, than, measure)?),
        }
    }

    /// How many neighboring test windows share rows.
    fn lag(&self, cell: &Cell, run: &Studied) -> usize {
        let horizon = run.chosen.evaluation.horizon;
        let table = &self.plan.data[cell.data].table;
        let stride = table.get("data").and_then(|data| data.get("stride")?.as_integer());
        (horizon.saturating_sub(1)) / stride.map_or(1, |stride| stride.max(1) as usize)
    }

    /// Mean test CRPS of the reference arm in a cell: what effects are relative to.
    pub(super) fn reference(&self, cell: usize, measure: Measure) -> Option<f64> {
        let measure = match measure {
            Measure::TestEnd => Measure::TestEnd,
            Measure::Test | Measure::GapEnd => Measure::Test,
            _ => return Some(1.0),
        };
        let values = self.values(cell, self.plan.reference, measure);
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// One number of a run.
pub(super) fn value(run: &Studied, measure: Measure) -> Option<f64> {
    let (chosen, last) = (run.chosen.model(), run.last.model());
    let probed = |end: bool| {
        let steps = &run.features.as_ref()?.steps;
        let step = if end { steps.last()? } else { steps.first()? };
        Some(step.probe_future.r2)
    };
    match measure {
        Measure::Test => Some(chosen.test.crps_standardized),
        Measure::TestEnd => Some(last.test.crps_standardized),
        Measure::LogScore => chosen.test.log_score,
        Measure::GapEnd => {
            Some(last.test.crps_standardized - last.train.as_ref()?.crps_standardized)
        }
        Measure::FeaturesClean => probed(false),
        Measure::FeaturesNoisy => probed(true),
        Measure::Shrinkage => Some((chosen.test.slope? - 1.0).abs()),
    }
}
