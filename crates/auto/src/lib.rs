//! From a table to a pooled, calibrated forecast.
//!
//! ```text
//! file → Table: rows, seasons, lengths → members fitted before past origins → scores → weights, calibration
//!      → members fitted again on all rows → Forecast, Report in words, picture
//! ```
//!
//! The members are the classical methods of [`classical`] and the network of [`train`]. [`Fitted::fit`] chooses and
//! fits; [`forecast`] makes the table that is written; [`Report`] says in words what was found, what the forecast rests
//! on, and how well that did on past rows. [`Kept`] is what stays in the run, by which the pool forecasts later tables. [`backtest()`] does the same from past origins, where the truth is known, and
//! scores every member beside the pool.

mod backtest;
mod fit;
mod kept;
mod lengths;
mod names;
mod network;
mod options;
mod output;
mod past;
mod picture;
mod report;
mod score;
mod table;
mod wire;

pub use backtest::{Backtest, Origins, OwnWeights, Window, backtest};
pub use fit::{Fitted, UnitForecast};
pub use kept::Kept;
pub use names::{NETWORK, POOL};
pub use options::Options;
pub use output::{Form, check_member, forecast};
pub use picture::{page, picture};
pub use report::Report;
pub use score::Score;
pub use table::{Table, Wanted};
