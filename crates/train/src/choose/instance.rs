//! Whether windows are normalized.

use baseline::{Examples, ridge_crps};
use feed::{Part, Source, Stream, seed};
use tch::no_grad;

use crate::config::Config;
use crate::error::TrainError;

/// The most windows on which it is decided whether to normalize each.
const MAX_DECIDING: i64 = 200;
/// From this share of its variance on, the level of a horizon follows that of its context: levels persist.
const PERSISTS: f64 = 0.1;

/// Whether to normalize windows by their own level and spread: not if levels do not persist, as those of returns, and ridge
/// regression with residuals has a smaller CRPS on validation windows as they are, its 95 % interval above zero; windows
/// that overlap or share a time count as in `ballast evaluate`. `None` where gaps leave nothing to fit.
///
/// Levels that persist can wander to where none was in training, and a model of the levels it saw is far off there,
/// however good it was on validation windows.
///
/// # Errors
/// [`TrainError::Torch`] if libtorch fails.
pub(crate) fn instance_helps(config: &Config, source: &Source) -> Result<Option<bool>, TrainError> {
    no_grad(|| {
        let panel = source.panel();
        let train = source.windows(Part::Train).at_most(panel.fitted_at_most());
        let train = Examples::new(panel, &train)?;
        let persistence = train.persistence()?;
        tracing::info!(
            persistence,
            "share of the variance of levels that the level before explains"
        );
        if persistence >= PERSISTS {
            return Ok(Some(true));
        }
        let windows = source.windows(Part::Validation).at_most(MAX_DECIDING);
        let validation = Examples::new(panel, &windows)?;
        let scores = |instance| {
            // The same draws for both.
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
        // Fewer than three origins show nothing.
        Ok(Some(!difference.is_some_and(|difference| difference.low > 0.0)))
    })
}
