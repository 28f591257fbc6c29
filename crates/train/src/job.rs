//! One training: its config, its data, and its run directory.

use feed::Source;
use record::RunDirectory;

use crate::config::Config;

/// A training to be run by [`fit`](crate::fit()).
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The whole config.
    pub config: &'a Config,
    /// The data, whose training windows are fitted and whose validation windows select the weights.
    pub source: &'a Source,
    /// Validation CRPS of seasonal naive, the reference for the skill.
    pub naive_crps: Option<f64>,
    /// The directory to write to.
    pub run: &'a RunDirectory,
}
