//! Is A better than B, and how sure are we?
//!
//! Two forecasters are scored on the same windows, perhaps trained from several seeds each. The difference of
//! their scores has a mean; its error must know that neighboring windows share rows, that series of one time share
//! their weather, and that another seed would have given another number.
//!
//! | question | answer |
//! |---|---|
//! | how do windows depend on each other? | [`Pairing`] |
//! | what is the mean difference, and its error? | [`Pairing::estimate`], or [`Estimate::of_seeds`] for one number per seed |
//! | between which values does it lie? | [`Estimate::interval`]; the 95 % one in a record: [`Difference`] |
//! | is it zero? is it small enough to ignore? | [`Estimate::p_value`], [`Estimate::p_value_of_equality`] |
//! | the same, asked many times | [`holm`] |
//! | the same over several data sets | [`Estimate::pooled`] |
//! | plain numbers | [`mean`], [`variance`], [`mean_of_finite`], [`quantile`], [`Spread`] |
//!
//! ```
//! use stats::Pairing;
//!
//! // Forecasts of two rows from each of six origins: a window shares a row with the next one.
//! let origins: Vec<String> = (0..6).map(|row| row.to_string()).collect();
//! let pairing = Pairing::new(&origins, 2, 1);
//!
//! let ours = [0.9, 1.1, 0.8, 1.0, 0.7, 0.9];
//! let theirs = [1.0, 1.3, 1.1, 1.1, 1.0, 1.0];
//! let differences = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
//!
//! let found = pairing.difference(&[differences]).expect("more than two origins");
//! assert!(found.decided && found.high < 0.0, "ours is better: {found:?}");
//! ```
//!
//! There is one rule for the lag, [`Pairing::new`], and one interval, [`Estimate::interval`].

mod estimate;
mod pairing;
mod summary;

pub use estimate::{Estimate, holm};
pub use pairing::{Difference, Pairing};
pub use summary::{Spread, mean, mean_of_finite, quantile, variance};
