//! The choice whether to normalize windows.

use baseline::{Examples, ridge_crps};
use feed::{Part, Source, Stream, seed};
use tch::no_grad;

use crate::config::Config;
use crate::error::TrainError;

/// Maximum number of validation windows for the decision.
const MAX_DECIDING: i64 = 200;
/// Levels persist if the level of the context explains at least this share of the variance of the target's level.
const PERSISTENCE_THRESHOLD: f64 = 0.1;

/// Whether to normalize windows by their own level and spread. The answer is no if two things hold: levels do not
/// persist, as those of returns, and ridge regression with residuals has a smaller validation CRPS without
/// normalization, where the 95 % interval of the difference is above zero. Windows that overlap or share a time count
/// as in `ballast evaluate`. `None` if gaps leave nothing to fit.
///
/// Levels that persist can move to values that did not occur in training. A model of the levels in training is far off
/// there, no matter how good it was on validation windows.
///
/// # Errors
/// [`TrainError::Feed`] if libtorch fails.
pub(crate) fn instance_helps(config: &Config, source: &Source) -> Result<Option<bool>, TrainError> {
    no_grad(|| {
        let panel = source.panel();
        let train = source.windows(Part::Train).at_most(panel.fitted_at_most());
        let train = Examples::new(panel, &train)?;
        let persistence = train.persistence()?;
        tracing::info!(
            persistence,
            "share of the variance of the target's level that the level of the context explains"
        );
        if persistence >= PERSISTENCE_THRESHOLD {
            return Ok(Some(true));
        }
        let windows = source.windows(Part::Validation).at_most(MAX_DECIDING);
        let validation = Examples::new(panel, &windows)?;
        let scores = |instance| {
            // Both use the same draws.
            seed(config.seed, Stream::Validation);
            ridge_crps(&train, &validation, instance)
        };
        let (Some(relative), Some(as_they_are)) = (scores(true)?, scores(false)?) else {
            return Ok(None);
        };
        let difference = relative.iter().zip(&as_they_are).map(|(a, b)| a - b).collect();
        let difference = source.pairing(&windows)?.difference(&[difference]);
        tracing::info!(
            ?difference,
            "validation CRPS of ridge, with instance normalization minus without"
        );
        // Fewer than three origins give no interval, and windows stay normalized.
        Ok(Some(!difference.is_some_and(|difference| difference.low > 0.0)))
    })
}
