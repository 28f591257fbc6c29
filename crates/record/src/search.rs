//! `noise.json`: a search for a noise, and its choice.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stats::Difference;

/// A search for a noise. Holds no wall time, so that a repeated search writes the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseSearch {
    /// Version of this format.
    pub version: u32,
    /// SHA-256 of the data.
    pub data: String,
    /// Optimizer steps of the training that follows, if nothing stops it early.
    pub training_steps: usize,
    /// Upper bound on the steps of the search, as a multiple of `training_steps`.
    pub budget: f64,
    /// The rounds of the search.
    pub rungs: Vec<Rung>,
    /// Meaning of scores: `crps`, standardized, or `negative bound`, in nats.
    pub score: String,
    /// Finished trainings.
    pub trials: Vec<Trial>,
    /// The choice, once it is made.
    pub chosen: Option<Chosen>,
}

/// Candidates trained alike, of which the better ones go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Number of candidates that are trained.
    pub candidates: usize,
    /// Number of candidates that go on.
    pub keeps: usize,
    /// Epochs of each candidate.
    pub epochs: usize,
    /// Optimizer steps of each candidate.
    pub steps: usize,
}

/// One training of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number of the rung, from 1.
    pub rung: usize,
    /// Name of the candidate.
    pub candidate: String,
    /// Optimizer steps that it took.
    pub steps: usize,
    /// Mean over validation windows, the lower the better; `null` where the training diverged.
    pub score: Option<f64>,
    /// In the last rung the score of each validation window; `null` where nothing was observed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub windows: Vec<Option<f64>>,
}

/// The choice of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Name of the candidate.
    pub candidate: String,
    /// The `[noise]` table that training then uses.
    pub noise: Value,
    /// Optimizer steps of the search.
    pub steps: usize,
    /// The noise that was left in the last rung.
    pub rival: String,
    /// Scores of the rival minus scores without noise; absent where one of them diverged or there are too few windows.
    pub difference: Option<Difference>,
}

impl NoiseSearch {
    /// The version of `noise.json` that is written and read.
    pub const VERSION: u32 = 2;

    /// Name of the candidate that is no noise at all.
    pub const NONE: &str = "none";

    /// The training of a candidate in a rung, counted from 1, if it is finished.
    pub fn trial(&self, rung: usize, candidate: &str) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.rung == rung && trial.candidate == candidate)
    }

    /// The choice in one line.
    pub fn sentence(&self) -> String {
        let Some(Chosen { candidate, steps, rival, difference, .. }) = &self.chosen else {
            return format!("noise: not chosen yet, {} trainings done", self.trials.len());
        };
        let score = |name: &str| {
            let score = self.trial(self.rungs.len(), name).and_then(|trial| trial.score);
            score.map_or("diverged".to_owned(), |score| format!("{score:.4}"))
        };
        let difference = match difference {
            Some(d) => format!("difference {:+.4}, standard error {:.4}", d.mean, d.error),
            None => "no standard error".to_owned(),
        };
        format!(
            "noise: {candidate}, chosen in {steps} steps; validation {} of {rival} {} and of none {} ({difference})",
            self.score,
            score(rival),
            score(NoiseSearch::NONE),
        )
    }
}
