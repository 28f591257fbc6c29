//! What the runs of a cell gave: the numbers behind tables and verdicts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::super::job::{Job, Stage};
use super::super::read::Paired;
use super::super::read::{Differences, Evaluation, Forecaster, Kind, PointError, RunInfo};
use super::super::runner::{Ended, Origin, Product};
use super::super::statistics::Spread;
use super::verdict::{Check, Verdict};

/// What a job of a benchmark leaves: a run, or the scores of several.
#[derive(Debug, Clone)]
pub(super) enum Left {
    Run(Box<RunInfo>),
    Scores(Box<Evaluation>),
}

impl Product for Left {
    fn read(job: &Job, folder: &Path) -> Result<Left> {
        match job.stage {
            Stage::Evaluate => Ok(Left::Scores(Box::new(Evaluation::read(folder)?))),
            _ => Ok(Left::Run(Box::new(RunInfo::read(folder, job.seed)?))),
        }
    }

    fn headline(&self) -> String {
        match self {
            Left::Run(info) => format!("best epoch {}", info.best_epoch.unwrap_or(0)),
            Left::Scores(scores) => format!("test CRPS {:.4}", scores.model().test.crps),
        }
    }
}

/// A cell and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Index into the cells of the plan.
    pub(super) cell: usize,
    /// What was run, one per line, as one would type it.
    pub(super) commands: Vec<String>,
    pub(super) state: State,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Scored {
        scored: Box<Scored>,
        checks: Vec<Check>,
    },
    /// A file is missing, and what to do about it.
    NotRun {
        missing: PathBuf,
        remedy: String,
    },
    /// Neither asked for nor finished before.
    NotChosen,
    Failed(Vec<String>),
}

/// The numbers of a cell.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scored {
    pub(super) seeds: Vec<u64>,
    pub(super) windows: usize,
    pub(super) samples: usize,
    pub(super) parameters: u64,
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
    /// The model less this.
    pub(super) difference: Compared,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Compared {
    pub(super) crps: Option<Paired>,
    pub(super) log_score: Option<Paired>,
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
    pub(super) to_zero: Option<Paired>,
}

impl Scored {
    /// From the runs of a cell and the evaluation of all of them.
    pub(super) fn new(
        evaluation: &Evaluation,
        runs: &[&Ended<Left>],
        scores: &Ended<Left>,
    ) -> Scored {
        let model = evaluation.model();
        let each = evaluation.of(Kind::Seed).map(|seed| seed.test.crps);
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
            parameters: infos.first().map_or(0, |info| info.parameters),
            crps: each.unwrap_or(Spread { mean: f64::NAN, std: None, count: 0 }),
            ensemble: evaluation.of(Kind::Ensemble).next().map(|ensemble| ensemble.test.crps),
            coverage_90: model.test.coverage.ninety,
            log_score: model.test.log_score,
            baselines: evaluation.of(Kind::Baseline).map(Baseline::new).collect(),
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
    fn new(forecaster: &Forecaster) -> Baseline {
        let Forecaster { name, test, difference, .. } = forecaster;
        let compared = |d: &Differences| Compared { crps: d.crps, log_score: d.log_score };
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
    let all = &evaluation.drop_last.as_ref()?.forecasters;
    let find = |name: &str| all.iter().find(|point| point.name == name);
    let PointError { all: model, kept, to_zero, .. } = find(&evaluation.model().name)?;
    let zero = find("zero");
    Some(Points {
        model: *model,
        zero: zero.map(|zero| zero.all),
        kept: *kept,
        zero_kept: zero.map(|zero| zero.kept),
        to_zero: *to_zero,
    })
}

impl Outcome {
    pub(super) fn scored(&self) -> Option<&Scored> {
        match &self.state {
            State::Scored { scored, .. } => Some(scored),
            _ => None,
        }
    }

    /// In one or two words.
    pub(super) fn word(&self) -> &'static str {
        match &self.state {
            State::Scored { checks, .. } => Verdict::all(checks).word(),
            State::NotRun { .. } | State::NotChosen => "not run",
            State::Failed(_) => "failed",
        }
    }

    /// What there is to say, as one line of text.
    pub(super) fn sentence(&self) -> String {
        match &self.state {
            State::Scored { checks, .. } => {
                // What is missed comes first.
                let mut sorted: Vec<&Check> = checks.iter().collect();
                sorted.sort_by_key(|check| std::cmp::Reverse(check.verdict));
                let texts: Vec<String> = match sorted.as_slice() {
                    [only] => vec![only.text.clone()],
                    several => several
                        .iter()
                        .map(|check| format!("{}: {}", check.verdict.word(), check.text))
                        .collect(),
                };
                texts.join("; ")
            }
            State::NotRun { missing, remedy } => {
                format!("not run: {} missing; {remedy}", missing.display())
            }
            State::NotChosen => "not run: `--only` leaves it out".to_owned(),
            State::Failed(reasons) => format!("failed: {}", reasons.join("; ")),
        }
    }
}
