//! Measurements of runs, and paired differences between two arms of a cell.

use record::Evaluation;
use stats::{Estimate, mean};

use super::plan::{Measure, Plan};
use super::runs::{Run, Studied};
use crate::runs::model;

/// Finished runs by cell, arm and seed, with the members that tuning chose.
pub(super) struct Table<'a> {
    pub(super) plan: &'a Plan,
    runs: &'a [Run<'a>],
    /// `[cell][arm]`: runs in the order of the seeds.
    places: Vec<Vec<Vec<usize>>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(plan: &'a Plan, runs: &'a [Run<'a>]) -> Table<'a> {
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
        found.filter_map(|run| Some((run.seed, run.outcome.ok()?)))
    }

    /// All runs of an arm in a cell, finished or not.
    pub(super) fn runs(&self, cell: usize, arm: usize) -> impl Iterator<Item = &'a Run<'a>> {
        let runs = self.runs;
        self.places[cell][arm].iter().map(move |index| &runs[*index])
    }

    /// The member of a tuned arm with the best mean validation score; `None` unless all have all seeds.
    pub(super) fn tuned(&self, cell: usize, among: &[usize]) -> Option<usize> {
        let score = |arm: usize| {
            let best = |run: &Studied| {
                Some(run.chosen.epochs.iter().rfind(|epoch| epoch.best)?.validation_crps)
            };
            let scores: Option<Vec<f64>> = self.of(cell, arm).map(|(_, run)| best(run)).collect();
            let scores = scores.filter(|scores| scores.len() == self.plan.seeds.len())?;
            Some(mean(&scores)).filter(|mean| mean.is_finite())
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

    /// Arm minus other, one number per seed that both have.
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

    /// Arm minus other, paired by seed, and by window where windows are scored. `None` unless both have at least two
    /// seeds in common and the same windows.
    pub(super) fn difference(
        &self,
        cell: usize,
        arm: usize,
        than: usize,
        measure: Measure,
    ) -> Option<Estimate> {
        let evaluation: fn(&Studied) -> &Evaluation = match measure {
            Measure::Test => |run| &run.chosen.evaluation,
            Measure::TestEnd | Measure::GapEnd => |run| &run.last,
            _ => return Estimate::of_seeds(&self.per_seed(cell, arm, than, measure)?),
        };
        let pairs = self.pairs(cell, arm, than);
        if pairs.len() < 2 {
            return None;
        }
        let windows = |(a, b): &(&Studied, &Studied)| -> Option<Vec<f64>> {
            let (a, b) = (model(evaluation(a)), model(evaluation(b)));
            let shift = match measure {
                Measure::GapEnd => {
                    a.train.as_ref()?.crps_standardized - b.train.as_ref()?.crps_standardized
                }
                _ => 0.0,
            };
            let (a, b) = (&a.test.window_crps, &b.test.window_crps);
            let difference = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
                (Some(a), Some(b)) => a - b - shift,
                _ => f64::NAN,
            };
            (a.len() == b.len()).then(|| a.iter().zip(b).map(difference).collect())
        };
        let differences: Vec<Vec<f64>> = pairs.iter().map(windows).collect::<Option<_>>()?;
        evaluation(pairs[0].0).pairing().estimate(&differences)
    }

    /// Mean test CRPS of the reference arm in a cell: what effects are relative to.
    pub(super) fn reference(&self, cell: usize, measure: Measure) -> Option<f64> {
        let measure = match measure {
            Measure::TestEnd => Measure::TestEnd,
            Measure::Test | Measure::GapEnd => Measure::Test,
            _ => return Some(1.0),
        };
        let values = self.values(cell, self.plan.reference, measure);
        (!values.is_empty()).then(|| mean(&values))
    }
}

/// One number of a run.
pub(super) fn value(run: &Studied, measure: Measure) -> Option<f64> {
    let (chosen, last) = (run.chosen.model(), model(&run.last));
    let probed = |end: bool| {
        let steps = &run.features.as_ref()?.steps;
        let step = if end { steps.last()? } else { steps.first()? };
        step.probe_future.r2
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
