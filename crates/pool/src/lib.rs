//! Several forecasters of one series, combined into one forecast.
//!
//! No single method is best on small, noisy series, and which one would have been is hardly known from their few rows.
//! This crate averages the quantiles of several, by weights that past forecasts justify, and widens or narrows the
//! result until its intervals cover what they promise.
//!
//! | step | type | formula |
//! |---|---|---|
//! | where past forecasts start | [`Layout`] | origins in the last part of the known rows |
//! | past forecasts, and what came | [`Fold`], [`History`] | quantiles `Q_m` of each member, the truth `y` |
//! | weights | [`Weights`] | `min Σ CRPS(Σ w_m Q_m, y) + λ KL(w ‖ ρ)` over the simplex |
//! | calibration | [`Calibration`] | `q' = median + f · (q − median)`, `f` from the errors of the pool |
//! | the pool | [`Pool`] | combines quantiles, and draws joint paths with the ranks of the members |
//! | many series | [`Panel`] | weights of the panel as the prior of each series |
//! | the classical members | [`Classics`] | fitted before the first fold, followed forward, fitted again on all rows |
//!
//! Quantiles are averaged level by level (Vincent 1912; Ratcliff 1979), which keeps the shape of the members and is
//! sharper than the mixture of their distributions (Lichtendahl, Grushka-Cockayne & Winkler 2013). The weights
//! minimize the quantile loss, which is proper (Gneiting & Raftery 2007), and shrink towards a prior because weights
//! estimated freely on few rows do worse than equal ones: the forecast combination puzzle (Smith & Wallis 2009).
//! The calibration is the conformal one of scaled errors (Vovk, Gammerman & Shafer 2005; Romano, Patterson & Candès
//! 2019); paths get their joint law by the Schaake shuffle (Clark et al. 2004).
//!
//! ```
//! use classical::Method;
//! use pool::{Classics, Effort, Pool, Settings, Support, Task};
//!
//! let sales: Vec<f64> = (0..72).map(|month| 100.0 + f64::from(month) + f64::from(month % 12)).collect();
//! let task = Task { values: &sales, seasons: &[12], horizon: 6 };
//! let classics = Classics::fit(&task, &Method::ALL, Effort::default(), 1);
//! let pool = Pool::fit(classics.names(), &[classics.history()], Support::of(&sales), &Settings::default());
//! let forecast = pool.combine(&classics.quantiles(200, 2));
//! if let Some(forecast) = forecast {
//!     assert!(forecast.at(0, 0.1) <= forecast.at(0, 0.9));
//! }
//! ```
//!
//! # References
//! - Clark, Gangopadhyay, Hay, Rajagopalan & Wilby (2004), Journal of Hydrometeorology 5, 243–262.
//! - Gneiting & Raftery (2007), Journal of the American Statistical Association 102, 359–378.
//! - Lichtendahl, Grushka-Cockayne & Winkler (2013), Management Science 59, 1594–1611.
//! - Ratcliff (1979), Psychological Bulletin 86, 446–461; Vincent (1912), Behavior Monographs 1(5).
//! - Romano, Patterson & Candès (2019), Advances in Neural Information Processing Systems 32, 3538–3548.
//! - Smith & Wallis (2009), Oxford Bulletin of Economics and Statistics 71, 331–355.
//! - Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, Springer.

mod calibration;
mod classics;
mod descent;
mod fold;
mod layout;
mod panel;
mod pool;
mod quantiles;
mod shuffle;
mod weights;

pub use calibration::{Calibration, Widening};
pub use classical::support::Support;
pub use classics::{Classics, Effort, Task};
pub use fold::{Fold, History};
pub use layout::Layout;
pub use panel::Panel;
pub use pool::{Pool, Settings};
pub use quantiles::{LEVELS, Quantiles};
pub use weights::{Shrinkage, Source, Weights};
