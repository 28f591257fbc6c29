//! Errors of fitting a baseline and of forecasting with it.

use feed::FeedError;
use objective::ObjectiveError;

/// An error of fitting a baseline or of forecasting with it.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Windows could not be read, or libtorch failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A score or a density could not be computed.
    #[error(transparent)]
    Objective(#[from] ObjectiveError),
}

impl From<tch::TchError> for BaselineError {
    fn from(error: tch::TchError) -> Self {
        BaselineError::Feed(error.into())
    }
}

pub(crate) type Result<T, E = BaselineError> = std::result::Result<T, E>;
