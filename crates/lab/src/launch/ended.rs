//! The end of a job: its results, or the reason why there are none.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::attempt::last_lines;
use super::cost::Cost;
use super::job::Job;

/// The results of a finished job.
pub(crate) trait Product: Sized + Send {
    /// Reads it from the job's folder, and checks that it is whole.
    fn read(job: &Job, folder: &Path) -> Result<Self>;

    /// In a few words, for whoever watches.
    fn headline(&self) -> String;
}

/// A job that was done, tried, or found done.
#[derive(Debug, Clone)]
pub(crate) struct Ended<T> {
    pub(crate) origin: Origin,
    pub(crate) cost: Cost,
    pub(crate) outcome: Result<T, Failure>,
}

/// Whether a run is from this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    New,
    /// Finished before, from the same config, data and code.
    Reused,
    /// Finished before, by other code.
    OtherCode,
}

/// Why a run has no result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// The last lines of its log.
    pub(crate) tail: Vec<String>,
}

impl Failure {
    /// Of an attempt in this folder.
    pub(crate) fn new(error: &anyhow::Error, folder: &Path) -> Failure {
        let tail = last_lines(&folder.join("log.txt"), 8);
        Failure { reason: format!("{error:#}"), tail }
    }

    /// Of a job that was never begun.
    pub(crate) fn needs(failed: usize) -> Failure {
        Failure { reason: format!("{failed} of the runs it needs failed"), tail: vec![] }
    }
}
