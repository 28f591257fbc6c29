//! The choice whether to normalize windows.

use baseline::{Examples, ridge_crps};
use feed::{Part, Source, Stream, WindowSet, seed};
use tch::no_grad;

use crate::config::Config;
use crate::error::TrainError;

/// Maximum number of windows for each comparison.
const MAX_DECIDING: i64 = 200;
/// Levels persist if the level of the context explains at least this share of the variance of the target's level.
const PERSISTENCE_THRESHOLD: f64 = 0.1;
/// Minimum number of horizons, one after another, on which normalization may be turned off.
const LEAST_HORIZONS: usize = 3;
/// Share of the training windows on which the two models of the second comparison are fitted.
const BEFORE: f64 = 0.7;

/// Whether to normalize windows by their own level and spread. The answer is no if all of these hold:
///
/// - Levels do not persist, as those of returns do not.
/// - The validation windows have at least [`LEAST_HORIZONS`] horizons of one series that do not overlap.
/// - Ridge regression with residuals has a smaller validation CRPS without normalization, where the 95 % interval of the
///   difference is above zero. Windows that overlap or share a time count as in `ballast evaluate`.
/// - So it has when the earlier training windows forecast the later ones.
///
/// `None` if gaps leave nothing to fit.
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
        let persistence = Examples::new(panel, &train)?.persistence()?;
        tracing::info!(
            persistence,
            "share of the variance of the target's level that the level of the context explains"
        );
        if persistence >= PERSISTENCE_THRESHOLD {
            return Ok(Some(true));
        }
        let validation = source.windows(Part::Validation);
        match hurts(config, source, &train, validation)? {
            Some(true) => {}
            Some(false) => return Ok(Some(true)),
            None => return Ok(None),
        }
        let [before, after] = source.divided_train(BEFORE)?;
        let before = before.at_most(panel.fitted_at_most());
        Ok(Some(hurts(config, source, &before, &after)? != Some(true)))
    })
}

/// Whether ridge regression on the windows `fitted` clearly has a larger CRPS on the windows `held` with instance
/// normalization than without; `None` if gaps leave nothing to fit.
fn hurts(
    config: &Config,
    source: &Source,
    fitted: &WindowSet,
    held: &WindowSet,
) -> Result<Option<bool>, TrainError> {
    let horizons = source.disjoint_horizons(held)?;
    if horizons < LEAST_HORIZONS || fitted.count() == 0 {
        tracing::info!(horizons, "too few horizons that do not overlap: windows stay normalized");
        return Ok(Some(false));
    }
    let panel = source.panel();
    let windows = held.at_most(MAX_DECIDING);
    let (train, held) = (Examples::new(panel, fitted)?, Examples::new(panel, &windows)?);
    let scores = |instance| {
        // Both use the same draws.
        seed(config.seed, Stream::Validation);
        ridge_crps(&train, &held, instance)
    };
    let (Some(relative), Some(as_they_are)) = (scores(true)?, scores(false)?) else {
        return Ok(None);
    };
    let difference = relative.iter().zip(&as_they_are).map(|(a, b)| a - b).collect();
    let difference = source.pairing(&windows)?.difference(&[difference]);
    tracing::info!(?difference, "CRPS of ridge, with instance normalization minus without");
    // Fewer than three origins give no interval, and windows stay normalized.
    Ok(Some(difference.is_some_and(|difference| difference.low > 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use tch::Device;

    /// The choice for `rows` rows of which `validation` validate and the last tenth tests.
    fn choice(rows: usize, validation: usize, value: impl Fn(usize) -> f64) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let mut text = String::from("t,a\n");
        for row in 0..rows {
            let _ = writeln!(text, "{row},{}", value(row));
        }
        std::fs::write(&path, text).unwrap();
        let test = rows / 10;
        let text = format!(
            "[data]\npath = '{}'\ncontext = 6\nhorizon = 12\nsplit = {{ rows = [{}, {validation}, {test}] }}\n",
            path.display(),
            rows - validation - test
        );
        let config = Config::parse(&text, "test", &[]).unwrap();
        let source = crate::run::load(&config, Device::Cpu).unwrap();
        instance_helps(&config, &source).unwrap()
    }

    /// White noise by a multiplicative generator: neither level nor spread of a context says anything.
    fn noise(row: usize) -> f64 {
        let mixed = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 29)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normalization by six values of noise harms, and is turned off where three horizons or more say so.
    #[test]
    fn fewer_than_three_horizons_turn_nothing_off() {
        assert_eq!(choice(1200, 240, noise), Some(false));
        // 35 rows have 24 overlapping windows, and two horizons that do not overlap.
        assert_eq!(choice(1200, 35, noise), Some(true));
        assert_eq!(choice(1200, 12, noise), Some(true));
    }

    /// Validation alone does not suffice: in these training rows the level lasts for 400 rows.
    #[test]
    fn levels_that_last_keep_it_on() {
        let stepwise =
            |row: usize| noise(row) + if row < 800 { 40.0 * noise(row / 400) } else { 0.0 };
        assert_eq!(choice(1200, 240, stepwise), Some(true));
    }

    /// Oracle: counting by hand, over overlapping windows.
    #[test]
    fn horizons_are_counted_without_overlap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let text: String = (0..100).map(|row| format!("{row},{}\n", row % 7)).collect();
        std::fs::write(&path, format!("t,a\n{text}")).unwrap();
        for (validation, expected) in [(12, 1), (23, 1), (24, 2), (36, 3), (47, 3)] {
            let text = format!(
                "[data]\npath = '{}'\ncontext = 6\nhorizon = 12\nsplit = {{ rows = [30, {validation}, 12] }}\n",
                path.display()
            );
            let config = Config::parse(&text, "test", &[]).unwrap();
            let source = crate::run::load(&config, Device::Cpu).unwrap();
            let windows = source.windows(Part::Validation);
            assert_eq!(source.disjoint_horizons(windows).unwrap(), expected, "{validation}");
        }
    }
}
