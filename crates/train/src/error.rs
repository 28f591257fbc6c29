//! Errors on the way from a config to a forecast.

use baseline::BaselineError;
use feed::{FeedError, is_out_of_memory, memory_hint};
use objective::ObjectiveError;
use record::RecordError;
use torch_ext::TorchExtError;
use vae::VaeError;

/// An error of training, evaluation or forecasting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The config cannot be run.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// The data cannot be read or used, the device is not available, or libtorch failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A part of the split has no observed value to score.
    #[error("nothing was observed in the {part} windows\n  hint: check the gaps in the data")]
    NothingObserved {
        /// Name of the part.
        part: &'static str,
    },
    /// A part of the split has too few windows without gaps to probe features on.
    #[error(
        "probing features takes at least {least} {part} windows without gaps, and the data have {found}\n  hint: lower `data.context` or `data.horizon`, or give the part more rows in `data.split`, then train again"
    )]
    TooFewWindows {
        /// Name of the part.
        part: &'static str,
        /// Number of its windows without gaps.
        found: usize,
        /// Number of windows needed.
        least: usize,
    },
    /// A file to forecast from is not written as the training data were.
    #[error(
        "{error}\n  hint: the training data had {trained}; give what differs in this file with `--set data.KEY=VALUE`, where KEY is {}",
        data::Pipeline::READING_KEYS.join(", ")
    )]
    OtherReading {
        /// The fault of the file.
        error: data::DataError,
        /// How the training data were read.
        trained: String,
    },
    /// There is nothing to select by.
    #[error(
        "{what} is selected on validation windows, and there are none\n  hint: give the validation part rows in `data.split`, or {remedy}"
    )]
    NoValidation {
        /// The thing to be selected.
        what: &'static str,
        /// The way to do without.
        remedy: &'static str,
    },
    /// The model makes no forecasts.
    #[error(
        "`model.kind = \"autoencode\"` describes its context and forecasts nothing\n  hint: choose predict, conditional or hierarchical"
    )]
    NoForecast,
    /// The noise is not well defined.
    #[error(transparent)]
    Noise(#[from] noise::NoiseError),
    /// The objective was given inconsistent arguments.
    #[error(transparent)]
    Objective(#[from] objective::ObjectiveError),
    /// The model was given inconsistent arguments.
    #[error(transparent)]
    Model(#[from] vae::VaeError),
    /// A file of a run directory is missing, damaged, from other data, or cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Training diverged to numbers that are not finite.
    #[error(
        "training diverged at epoch {epoch}, step {step}: the {what} is not finite\n  hint: lower `train.learning_rate` or set `train.clip_norm`{}",
        if *saved { "; the best weights before that are in the run directory" } else { "" }
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Optimizer step, from 1.
        step: usize,
        /// The term that is not finite, with its channel if it belongs to one.
        what: String,
        /// Whether earlier weights were saved.
        saved: bool,
    },
    /// A training that cannot fit into memory.
    #[error(
        "out of memory: the training needs at least {needed} bytes, and {available} are available\n  hint: lower `model.hidden`, `model.layers`, `train.batch_size`, `train.steps_per_epoch`, `train.validation_samples` or `objective.crps_samples`"
    )]
    Memory {
        /// Bytes, counted from below.
        needed: u64,
        /// Bytes that the process could get.
        available: u64,
    },
    /// A training was asked to stop, and saved its state.
    #[error(
        "saved after step {step}, in epoch {epoch}\n  hint: run the same command again to continue"
    )]
    Interrupted {
        /// Epoch, from 1.
        epoch: usize,
        /// Number of optimizer steps done.
        step: usize,
    },
    /// A search for a noise was asked to stop, and saved its state.
    #[error(
        "saved after step {step} of candidate `{candidate}`, in rung {rung} of the search for a noise\n  hint: run the same command again to continue"
    )]
    InterruptedSearch {
        /// The candidate under way.
        candidate: &'static str,
        /// The rung of the search, from 1.
        rung: usize,
        /// Number of optimizer steps of the candidate done.
        step: usize,
    },
    /// The budget of a search for a noise is too small to train every candidate.
    #[error(
        "`noise.auto.budget = {budget}` allows {allowed} of {training} training steps; a search needs at least {least}\n  hint: set a budget of at least {:.3}, or train for more steps", *least as f64 / *training as f64,
        allowed = (budget * *training as f64) as usize
    )]
    Budget {
        /// The configured budget.
        budget: f64,
        /// Number of steps of the training.
        training: usize,
        /// Number of steps of the shortest search.
        least: usize,
    },
    /// Processes that train together do not have the same data, config or weights.
    #[error(
        "rank {rank} has other {what} than rank 0\n  hint: give all processes the same config, the same data and the same version of `ballast`"
    )]
    RanksDiffer {
        /// The lowest rank that differs.
        rank: usize,
        /// The thing that differs.
        what: &'static str,
    },
    /// The noise of a config has not been chosen yet.
    #[error(
        "`noise` is \"auto\", which only training resolves\n  hint: train first, or name a noise, as in `noise = {{ schedule = \"none\" }}`"
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
        if self.ran_out_of_memory() {
            return 69;
        }
        match self {
            TrainError::Memory { .. } => 69,
            TrainError::Config(crate::config::ConfigError::Missing { .. }) => 66,
            TrainError::Config(_) | TrainError::Noise(_) => 2,
            TrainError::Model(vae::VaeError::Config { .. } | vae::VaeError::Size { .. }) => 2,
            TrainError::Feed(error) => error.exit_code(),
            TrainError::NothingObserved { .. }
            | TrainError::TooFewWindows { .. }
            | TrainError::NoValidation { .. }
            | TrainError::OtherReading { .. }
            | TrainError::RanksDiffer { .. } => 65,
            TrainError::Extension(TorchExtError::Peers { .. }) => 75,
            TrainError::Extension(TorchExtError::NoMeeting { .. }) => 69,
            TrainError::Extension(TorchExtError::SameRank { .. }) => 2,
            TrainError::NoForecast => 2,
            TrainError::Record(error) => error.exit_code(),
            TrainError::Diverged { .. } => 3,
            TrainError::Interrupted { .. } | TrainError::InterruptedSearch { .. } => 75,
            TrainError::Budget { .. } | TrainError::NoiseUndecided => 2,
            TrainError::Model(_) | TrainError::Objective(_) | TrainError::Extension(_) => 70,
        }
    }
    /// Whether libtorch refused an operation since memory ran out, whichever crate called it.
    pub fn ran_out_of_memory(&self) -> bool {
        let said = match self {
            TrainError::Feed(FeedError::Torch(error))
            | TrainError::Objective(ObjectiveError::Torch(error))
            | TrainError::Model(
                VaeError::Torch(error) | VaeError::Objective(ObjectiveError::Torch(error)),
            ) => error.to_string(),
            TrainError::Extension(error) | TrainError::Model(VaeError::Extension(error)) => {
                error.to_string()
            }
            _ => return false,
        };
        is_out_of_memory(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: what libtorch says of 8 EiB, through each crate that may ask for them.
    #[test]
    fn out_of_memory_is_known_whoever_noticed() {
        let torch = || {
            let on = (tch::Kind::Double, tch::Device::Cpu);
            tch::Tensor::f_zeros([1 << 59], on).unwrap_err()
        };
        let errors: [TrainError; 5] = [
            torch().into(),
            vae::VaeError::Torch(torch()).into(),
            vae::VaeError::Extension(torch_ext::TorchExtError::Torch(torch())).into(),
            objective::ObjectiveError::Torch(torch()).into(),
            torch_ext::TorchExtError::Cpp("std::bad_alloc".to_owned()).into(),
        ];
        for error in errors {
            assert_eq!(error.exit_code(), 69, "{error}");
        }
        let other = tch::Tensor::from(1.0).f_view([2, 3]).unwrap_err();
        assert_eq!(TrainError::from(vae::VaeError::Torch(other)).exit_code(), 70);
    }
}
