//! What can go wrong between a config and a forecast.

use baseline::BaselineError;
use feed::{FeedError, is_out_of_memory, memory_hint};
use record::RecordError;

/// An error of training, evaluation or forecasting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The config does not say something that can be run.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// The data cannot be read or used, the device is not there, or libtorch failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A part of the split has no observed value to score.
    #[error("nothing was observed in the {part} windows\n  hint: check the gaps in the data")]
    NothingObserved {
        /// Which part.
        part: &'static str,
    },
    /// A part of the split has too few whole windows to probe features on.
    #[error(
        "{found} {part} windows without a gap, and probing features takes at least {least}\n  hint: a shorter `data.context` or `data.horizon`, or more rows in `data.split`, and training anew"
    )]
    TooFewWindows {
        /// Which part.
        part: &'static str,
        /// Windows of it with every value observed.
        found: usize,
        /// As many are needed.
        least: usize,
    },
    /// A gap in rows that a model without a mask is to forecast from.
    #[error(
        "no value of `{channel}` at {time}, and the model was trained on data without gaps\n  hint: fill the gap, or train with `data.fill = \"mask\"` on data that has some"
    )]
    Gap {
        /// Time of the row.
        time: String,
        /// The column.
        channel: String,
    },
    /// The model does not forecast.
    #[error(
        "`model.kind = \"autoencode\"` describes its context and forecasts nothing\n  hint: choose predict, conditional or hierarchical"
    )]
    NoForecast,
    /// The noise is not well defined.
    #[error(transparent)]
    Noise(#[from] noise::NoiseError),
    /// The objective was handed something inconsistent.
    #[error(transparent)]
    Objective(#[from] objective::ObjectiveError),
    /// The model was handed something inconsistent.
    #[error(transparent)]
    Model(#[from] vae::VaeError),
    /// A file of a run directory is missing, damaged, of other data, or cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Training left the finite numbers.
    #[error(
        "training diverged at epoch {epoch}, step {step}: the {what} is not finite\n  hint: lower `train.learning_rate` or set `train.clip_norm`{}",
        if *saved { "; the best weights before that are in the run directory" } else { "" }
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Optimizer step, from 1.
        step: usize,
        /// The term that is not finite, and the channel where it is that of one.
        what: String,
        /// Whether earlier weights were saved.
        saved: bool,
    },
    /// A training was asked to stop, and saved where it stands.
    #[error(
        "saved after step {step}, in epoch {epoch}\n  hint: run the same command again to continue"
    )]
    Interrupted {
        /// Epoch, from 1.
        epoch: usize,
        /// Optimizer steps done.
        step: usize,
    },
    /// A search for a noise was asked to stop, and saved where it stands.
    #[error(
        "saved after step {step} of candidate `{candidate}`, in rung {rung} of the search for a noise\n  hint: run the same command again to continue"
    )]
    InterruptedSearch {
        /// The candidate under way.
        candidate: &'static str,
        /// From 1.
        rung: usize,
        /// Its optimizer steps done.
        step: usize,
    },
    /// A search for a noise that has no step for each of its candidates.
    #[error(
        "`noise.auto.budget = {budget}` allows {allowed} of {training} training steps; a search needs at least {least}\n  hint: a budget of at least {:.3}, or a longer training", *least as f64 / *training as f64,
        allowed = (budget * *training as f64) as usize
    )]
    Budget {
        /// As configured.
        budget: f64,
        /// Steps of the training.
        training: usize,
        /// Steps of the shortest search.
        least: usize,
    },
    /// The noise of a config is to be chosen, and was not.
    #[error(
        "`noise` is \"auto\", which only training resolves\n  hint: train first, or name one as in `noise = {{ schedule = \"none\" }}`"
    )]
    NoiseUndecided,
    /// An operation that tch lacks failed.
    #[error("{}{}", .0, memory_hint(&.0.to_string()))]
    Extension(#[from] torch_ext::TorchExtError),
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        TrainError::Feed(error.into())
    }
}

impl From<data::DataError> for TrainError {
    fn from(error: data::DataError) -> Self {
        TrainError::Feed(error.into())
    }
}

impl From<BaselineError> for TrainError {
    fn from(error: BaselineError) -> Self {
        match error {
            BaselineError::Feed(error) => TrainError::Feed(error),
            BaselineError::Objective(error) => TrainError::Objective(error),
        }
    }
}

impl TrainError {
    /// The exit code of the `ballast` command for this error, as the README lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            TrainError::Config(crate::config::ConfigError::Missing { .. }) => 66,
            TrainError::Config(_) | TrainError::Noise(_) => 2,
            TrainError::Model(vae::VaeError::Config { .. } | vae::VaeError::Size { .. }) => 2,
            TrainError::Feed(error) => error.exit_code(),
            TrainError::NothingObserved { .. }
            | TrainError::TooFewWindows { .. }
            | TrainError::Gap { .. } => 65,
            TrainError::NoForecast => 2,
            TrainError::Record(error) => error.exit_code(),
            TrainError::Diverged { .. } => 3,
            TrainError::Interrupted { .. } | TrainError::InterruptedSearch { .. } => 75,
            TrainError::Budget { .. } | TrainError::NoiseUndecided => 2,
            TrainError::Extension(error) if is_out_of_memory(&error.to_string()) => 69,
            TrainError::Model(_) | TrainError::Objective(_) | TrainError::Extension(_) => 70,
        }
    }
}
