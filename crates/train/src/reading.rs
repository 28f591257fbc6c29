//! The form of a later table, which may differ from that of the training data.

use data::{DataError, Pipeline, Reading};

use crate::config::{Config, ConfigError};
use crate::error::TrainError;
use crate::fitted::Fit;

/// Checks that each `data.KEY=VALUE` names a key of [`Pipeline::READING_KEYS`].
///
/// # Errors
/// [`TrainError::Config`] if an item names another key.
pub fn check_rereading(set: &[String]) -> Result<(), TrainError> {
    let keys = Pipeline::READING_KEYS;
    for item in set {
        let key = item.split_once('=').map_or(item.as_str(), |(key, _)| key).trim();
        if !key.strip_prefix("data.").is_some_and(|key| keys.contains(&key)) {
            let keys: Vec<String> = keys.iter().map(|key| format!("data.{key}")).collect();
            return Err(ConfigError::Invalid {
                origin: format!("--set {item}"),
                message: format!("`{key}` cannot differ from the training in a later table"),
                hint: Some(format!("the keys that can are {}", keys.join(", "))),
            }
            .into());
        }
    }
    Ok(())
}

impl Fit<'_> {
    /// The pipeline of the weights, for a file that differs from the training data by the items of `set`,
    /// `data.KEY=VALUE` with a key of [`Pipeline::READING_KEYS`].
    ///
    /// # Errors
    /// [`TrainError::Config`] if an item names another key, or has no valid value.
    pub fn rereading(&self, set: &[String]) -> Result<Pipeline, TrainError> {
        let (run, own) = (self.run, self.pipeline());
        if set.is_empty() {
            return Ok(own.clone());
        }
        check_rereading(set)?;
        let text = run.directory.read_config()?;
        let origin = run.directory.config().display().to_string();
        Ok(own.rereading(&Config::parse(&text, &origin, set)?.data))
    }

    /// [`other_reading`] with the reading of the training data.
    pub fn other_reading(&self, error: DataError) -> TrainError {
        other_reading(error, self.pipeline().reading())
    }
}

/// Adds to a fault of a file how the training data were read, if that may be the reason.
pub fn other_reading(error: DataError, trained: Option<&Reading>) -> TrainError {
    let of_reading = matches!(
        error,
        DataError::ReadingChanged { .. }
            | DataError::BadTime(_)
            | DataError::BadCell(_)
            | DataError::Ambiguous { .. }
            | DataError::MissingColumn { .. }
            | DataError::RaggedRow { .. }
            | DataError::Timeline { .. }
    );
    match trained.filter(|_| of_reading) {
        Some(reading) => TrainError::OtherReading { error, trained: reading.describe() },
        None => error.into(),
    }
}
