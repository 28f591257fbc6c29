//! Options of a fit.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use train::{Config, ProcessGroup, RunOptions};

/// How members are fitted.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seed of the training and of all samples.
    pub seed: u64,
    /// Device and threads.
    pub run: RunOptions,
    /// Whether the network is a member.
    pub network: bool,
    /// The config of the network, but for its split; without it one is proposed.
    pub config: Option<Config>,
    /// Keys of the network's config that differ from the proposed ones, `KEY=VALUE`.
    pub overrides: Vec<String>,
    /// Asks the training of the network to save and stop; [`crate::Fitted::fit`] then ends with [`train::TrainError::Interrupted`].
    pub stop: Arc<AtomicBool>,
    /// The processes that share the work, all of which make the same calls.
    pub group: Option<Arc<ProcessGroup>>,
    /// Receives the share of the network's training that is done, from 0 to 1, after each step.
    pub observe: fn(f64),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            run: RunOptions::default(),
            network: true,
            config: None,
            overrides: Vec::new(),
            stop: Arc::default(),
            group: None,
            observe: |_| {},
        }
    }
}
