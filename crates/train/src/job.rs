//! One training: its config, its data, and where it writes.

use feed::Source;
use record::RunDirectory;

use crate::config::Config;

/// A training to be run by [`fit`](crate::fit()).
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The whole config.
    pub config: &'a Config,
    /// The data: trained on its training windows, selected on its validation windows.
    pub source: &'a Source,
    /// Validation CRPS of seasonal naive, to which the skill is relative.
    pub naive_crps: Option<f64>,
    /// The directory to write to.
    pub run: &'a RunDirectory,
}
