//! Finished runs, as their directories hold them.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use record::{
    Epoch, Evaluation, ForecasterKind, RecordError, RunDirectory, RunInfo, Scored, Status,
};

/// A run that was trained and evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) info: RunInfo,
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) evaluation: Evaluation,
}

impl Finished {
    /// Reads the directory of a run with this seed.
    pub(crate) fn read(folder: &Path, seed: u64) -> Result<Finished> {
        let epochs = RunDirectory::at(folder).read_epochs().map_err(in_one_line);
        Ok(Finished { info: info(folder, seed)?, evaluation: evaluation(folder)?, epochs: epochs? })
    }

    pub(crate) fn model(&self) -> &Scored {
        model(&self.evaluation)
    }

    pub(crate) fn baselines(&self) -> impl Iterator<Item = &Scored> {
        self.evaluation.of(ForecasterKind::Baseline)
    }
}

/// `run.json` of a training with this seed that came to its end.
pub(crate) fn info(folder: &Path, seed: u64) -> Result<RunInfo> {
    let info = RunDirectory::at(folder).read_info().map_err(in_one_line)?;
    ensure!(info.status == Status::Done, "run.json: the training diverged");
    ensure!(info.seed == seed, "run.json: the seed is {}, not {seed}", info.seed);
    Ok(info)
}

/// `evaluation.json`.
pub(crate) fn evaluation(folder: &Path) -> Result<Evaluation> {
    RunDirectory::at(folder).read_evaluation().map_err(in_one_line)
}

/// The model of an evaluation that was read from a file.
pub(crate) fn model(evaluation: &Evaluation) -> &Scored {
    evaluation.model().expect("an evaluation without a model cannot be read")
}

/// The file and its fault, without the remedy: the laboratory makes the run again.
pub(crate) fn in_one_line(error: RecordError) -> anyhow::Error {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match error {
        RecordError::Refused { path, reason, .. } => anyhow!("{}: {reason}", name(&path)),
        RecordError::Missing { path, .. } => anyhow!("{}: no such file", name(&path)),
        error => error.into(),
    }
}
