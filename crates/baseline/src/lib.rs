//! Forecasters that fit in seconds: every model has to beat them.
//!
//! Three kinds, all in standardized units and asked in the same way:
//!
//! - a point forecast plus residuals: whole blocks `[H, C]` of the errors it made on training windows,
//!   drawn with replacement, so that samples keep the dependence between steps and channels;
//! - climatology: whole blocks of the training rows themselves;
//! - laws of volatility, whose paths are simulated.
//!
//! Everything is fitted on training rows and chosen on validation windows; a baseline that looks further back than
//! the context sees rows before the origin only. Formulas and sources: `docs/math/baselines.md`.
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
//! A new baseline is a file that implements `Point` (a point forecast) or `Law`, a variant of [`Rule`] with its name,
//! and its arm in [`Baseline::fit`]; the compiler names each of these places.

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
