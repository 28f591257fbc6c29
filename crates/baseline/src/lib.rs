//! Forecasters that fit in seconds, which every model has to beat.
//!
//! There are three kinds. All work in standardized units and share one interface:
//!
//! - a point forecast plus residuals: whole blocks `[H, C]` of its errors on training windows are drawn with
//!   replacement, so that samples keep the dependence between steps and channels;
//! - climatology: whole blocks of the training rows themselves;
//! - volatility models, whose paths are simulated.
//!
//! Everything is fitted on training rows, and choices are made on validation windows. A baseline that looks further
//! back than the context sees only rows before the origin. Formulas and sources: `docs/math/baselines.md`.
//!
//! ```
//! use baseline::{Baseline, Rule};
//! use feed::{Part, Selection, Source};
//!
//! let config = toml::from_str("source = 'seattle-weather'\ncontext = 28\nhorizon = 7")?;
//! let source = Source::load(&config, Selection::default(), tch::Device::Cpu)?;
//!
//! let fitted = Baseline::fit_all(&source, &[Rule::LastValue, Rule::Ridge], 1)?;
//! let first_rows = source.windows(Part::Test).at_most(16).first_rows()?;
//! let batch = source.panel().gather(&first_rows)?;
//! for (name, baseline) in &fitted {
//!     let samples = baseline.as_ref().expect(name).sample(&batch, 100)?;
//!     assert_eq!(samples.size()[..3], [100, 16, 7]);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A new baseline takes a file that implements `Point` (a point forecast) or `Law`, a variant of [`Rule`] with its
//! name, and an arm in [`Baseline::fit`]; the compiler points to each of these places.

mod climatology;
mod error;
mod ets;
mod examples;
mod fit;
mod garch;
mod law;
mod minimize;
mod point;
mod residual;
mod ridge;
mod rule;
#[cfg(test)]
mod tests;
mod volatility;

pub use error::BaselineError;
pub use examples::Examples;
pub use fit::{Baseline, FitData, ridge_crps};
pub use ridge::{RIDGE_STRENGTHS, penalized};
pub use rule::Rule;
