//! `features.json`: what the latent variables know, over the diffusion steps.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::WindowCounts;

/// The content of `features.json`. Windows are relative to themselves where the model sees them so; information is
/// in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// Version of this format.
    pub version: u32,
    /// Kind of the model, as `model.kind` has it.
    pub kind: String,
    /// The feature vector that is read.
    pub feature: Feature,
    /// Length of a feature vector.
    pub dimensions: usize,
    /// Seed of the noise.
    pub seed: u64,
    /// Origin of the noise process.
    pub noise: ProcessOrigin,
    /// The noise process, as a `[noise]` table.
    pub process: Value,
    /// Measurements from the first diffusion step to the last.
    pub steps: Vec<StepFeatures>,
    /// Windows behind the probes: fitted on, penalty chosen on, scored on.
    pub windows: WindowCounts,
    /// Omissions, with their reasons.
    pub left_out: Vec<String>,
}

impl Features {
    /// The version of `features.json` that is written and read.
    pub const VERSION: u32 = 1;
}

/// A feature vector of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// The mean of `q(z | x)`.
    #[serde(rename = "posterior mean")]
    PosteriorMean,
    /// For models with a learned prior the mean of `p(z | x)`: what is known at forecast time.
    #[serde(rename = "prior mean")]
    PriorMean,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::PosteriorMean => "posterior mean",
            Feature::PriorMean => "prior mean",
        })
    }
}

/// The origin of the noise process that windows were noised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessOrigin {
    /// The run's own config.
    Own,
    /// Another file that was named.
    File,
}

/// Features of windows noised at one diffusion step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFeatures {
    /// The step.
    pub t: usize,
    /// The `ᾱ` of plain diffusion with the same signal-to-noise ratio.
    pub alpha_bar_equivalent: f64,
    /// That ratio in decibels; absent where it is infinite: no noise, or nothing else.
    pub snr_db: Option<f64>,
    /// From the features to the clean future.
    pub probe_future: Probe,
    /// From the features to the clean context.
    pub probe_context: Probe,
    /// From the noised context itself to the clean future: the most that any linear reader could get.
    pub raw_future: Probe,
    /// From the noised context itself to the clean context.
    pub raw_context: Probe,
    /// Lower bound on the information of the probe about one value of the future, mean over values, were each normal;
    /// absent where none varies.
    pub probe_information: Option<f64>,
    /// Lower bound on `I(z; x₀)`, from identifying the test window: exact at a step without noise, absent as
    /// `left_out` says.
    pub mutual_information: Option<f64>,
    /// Standard error of the mutual information.
    pub mutual_information_error: Option<f64>,
    /// Lower bound on the information of `z` about the noised window, noise and all: never less.
    pub mutual_information_noised: Option<f64>,
    /// `ln N`: no estimate from N windows can be more.
    pub mutual_information_limit: Option<f64>,
    /// Capacity of one value through the noise, were it white of unit variance; absent without noise.
    pub possible_information: Option<f64>,
    /// KL from posterior to prior per window, as training at this step pays it.
    pub kl: f64,
    /// The KL of each group and dimension.
    pub kl_per_dim: Vec<Vec<f64>>,
    /// Units of each group whose posterior mean varies by more than 0.01 (Burda et al. 2016).
    pub active_units: Vec<usize>,
}

/// The share of the outputs that a linear map of the features explains on the test windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// `1 − Σ (y − ŷ)²/Σ (y − ȳ)²` over windows and outputs, `ȳ` the mean of the training windows; below 0 where the
    /// map does worse than that mean, absent where the outputs do not vary.
    pub r2: Option<f64>,
    /// Standard error over windows; absent for fewer than three forecast origins.
    pub error: Option<f64>,
}
