//! `metrics.jsonl`: one line per validation.

use serde::{Deserialize, Serialize};

use crate::or_null;

/// One line of `metrics.jsonl`: an epoch, or a validation before the end of the first. Holds no wall time, so that a repeated run writes the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1; 0 before the end of the first.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub step: usize,
    /// Mean loss over the epoch, nats per window; this and the next two are NaN (`null` in the file) where every
    /// step was skipped, or before the first step.
    #[serde(with = "or_null")]
    pub loss: f64,
    /// Mean over the epoch of `log p(ỹ | z)`, nats per window.
    #[serde(with = "or_null")]
    pub reconstruction: f64,
    /// Mean over the epoch of the KL term, nats per window, unweighted.
    #[serde(with = "or_null")]
    pub kl: f64,
    /// Weight of the KL term at the end of the epoch.
    pub kl_weight: f64,
    /// Step size of the last step.
    pub learning_rate: f64,
    /// Steps of this epoch that were left out since loss or gradient was not finite.
    pub skipped: usize,
    /// Active latent units of each group, on clean validation windows.
    pub active_units: Vec<usize>,
    /// The same loss on clean validation windows.
    #[serde(with = "or_null")]
    pub validation_loss: f64,
    /// Fair CRPS on training windows, standardized units.
    #[serde(with = "or_null")]
    pub train_crps: f64,
    /// Fair CRPS on validation windows, standardized units. It selects the weights, but for `autoencode`, which the
    /// validation loss selects.
    #[serde(with = "or_null")]
    pub validation_crps: f64,
    /// Per cent by which the validation CRPS is lower than that of seasonal naive (of the last value where there is
    /// no season); absent where neither can be fitted.
    pub skill: Option<f64>,
    /// Whether this is the best epoch so far.
    pub best: bool,
}
