//! Results of the runs of a cell: the numbers behind tables and verdicts.

use std::path::Path;

use anyhow::Result;
use record::{Evaluation, ForecasterKind, PointError, RunInfo};
use serde::Serialize;
use stats::{Difference, Spread};

use crate::launch::{Ended, Job, Origin, Product, Stage};
use crate::runs::{self, model};

/// Results of a job: a run, or the scores of several.
#[derive(Debug, Clone)]
pub(crate) enum Left {
    Run(Box<RunInfo>),
    Scores(Box<Evaluation>),
}

impl Product for Left {
    fn read(job: &Job, folder: &Path) -> Result<Left> {
        match job.stage {
            Stage::Evaluate => Ok(Left::Scores(Box::new(runs::evaluation(folder)?))),
            _ => Ok(Left::Run(Box::new(runs::info(folder, job.seed)?))),
        }
    }

    fn headline(&self) -> String {
        match self {
            Left::Run(info) => format!("best epoch {}", info.fitted.best_epoch),
            Left::Scores(scores) => format!("test CRPS {:.4}", model(scores).test.crps),
        }
    }
}

/// The numbers of a cell.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scored {
    pub(super) seeds: Vec<u64>,
    pub(super) windows: usize,
    pub(super) samples: usize,
    pub(super) parameters: usize,
    /// Over seeds.
    pub(super) crps: Spread,
    pub(super) ensemble: Option<f64>,
    pub(super) coverage_90: f64,
    pub(super) log_score: Option<f64>,
    pub(super) baselines: Vec<Baseline>,
    pub(super) points: Option<Points>,
    /// Processor seconds of the training of one seed.
    pub(super) train_seconds: Option<Spread>,
    /// Processor seconds of scoring all seeds and baselines.
    pub(super) evaluate_seconds: Option<f64>,
    /// Runs made by other code and kept.
    pub(super) other_code: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Baseline {
    pub(super) name: String,
    pub(super) crps: f64,
    pub(super) coverage_90: f64,
    pub(super) log_score: Option<f64>,
    /// The model minus this baseline.
    pub(super) difference: Compared,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Compared {
    pub(super) crps: Option<Difference>,
    pub(super) log_score: Option<Difference>,
}

/// Squared errors of stated means of returns, in training standard deviations.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Points {
    /// On all windows.
    pub(super) model: f64,
    pub(super) zero: Option<f64>,
    /// On those that D-Va's loader keeps.
    pub(super) kept: f64,
    pub(super) zero_kept: Option<f64>,
    pub(super) to_zero: Option<Difference>,
}

impl Scored {
    /// From the runs of a cell and the evaluation of all of them.
    pub(super) fn new(
        evaluation: &Evaluation,
        runs: &[&Ended<Left>],
        scores: &Ended<Left>,
    ) -> Scored {
        let model = model(evaluation);
        let each = evaluation.of(ForecasterKind::Seed).map(|seed| seed.test.crps);
        let each = Spread::of(each).or(Spread::of([model.test.crps]));
        let infos: Vec<&RunInfo> = runs
            .iter()
            .filter_map(|run| match run.outcome.as_ref().ok()? {
                Left::Run(info) => Some(&**info),
                Left::Scores(_) => None,
            })
            .collect();
        let seconds: Option<Vec<f64>> = runs.iter().map(|run| run.cost.of("train")).collect();
        Scored {
            seeds: infos.iter().map(|info| info.seed).collect(),
            windows: model.test.windows,
            samples: evaluation.samples,
            parameters: infos.first().map_or(0, |info| info.fitted.parameters),
            crps: each.unwrap_or(Spread { mean: f64::NAN, std: None, count: 0 }),
            ensemble: evaluation
                .of(ForecasterKind::Ensemble)
                .next()
                .map(|ensemble| ensemble.test.crps),
            coverage_90: model.test.coverage.ninety,
            log_score: model.test.log_score,
            baselines: evaluation.of(ForecasterKind::Baseline).map(Baseline::new).collect(),
            points: points(evaluation),
            train_seconds: seconds.and_then(Spread::of),
            evaluate_seconds: scores.cost.of("evaluate"),
            other_code: runs.iter().filter(|run| run.origin == Origin::OtherCode).count(),
        }
    }

    pub(super) fn baseline(&self, name: &str) -> Option<&Baseline> {
        self.baselines.iter().find(|baseline| baseline.name == name)
    }

    /// The baseline with the smallest CRPS.
    pub(super) fn best(&self) -> Option<&Baseline> {
        smallest(self.baselines.iter())
    }

    /// The better of last value and seasonal naive.
    pub(super) fn naive(&self) -> Option<&Baseline> {
        let naive = |b: &&Baseline| b.name == "last value" || b.name.starts_with("seasonal naive");
        smallest(self.baselines.iter().filter(naive))
    }
}

fn smallest<'a>(baselines: impl Iterator<Item = &'a Baseline>) -> Option<&'a Baseline> {
    baselines.min_by(|a, b| a.crps.total_cmp(&b.crps))
}

impl Baseline {
    fn new(scored: &record::Scored) -> Baseline {
        let record::Scored { name, test, difference, .. } = scored;
        let compared = |d: &record::Differences| Compared { crps: d.crps, log_score: d.log_score };
        Baseline {
            name: name.clone(),
            crps: test.crps,
            coverage_90: test.coverage.ninety,
            log_score: test.log_score,
            difference: difference.as_ref().map(compared).unwrap_or_default(),
        }
    }
}

fn points(evaluation: &Evaluation) -> Option<Points> {
    let points = &evaluation.drop_last.as_ref()?.forecasters;
    let find = |name: &str| points.iter().find(|point| point.name == name);
    let PointError { all, kept, to_zero, .. } = find(&model(evaluation).name)?;
    let zero = find("zero");
    Some(Points {
        model: *all,
        zero: zero.map(|zero| zero.all),
        kept: *kept,
        zero_kept: zero.map(|zero| zero.kept),
        to_zero: *to_zero,
    })
}
