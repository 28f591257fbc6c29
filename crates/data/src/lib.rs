//! Tables of time series: read, split, scaled and cut into windows; no tensors.
//!
//! ```
//! let config = data::DataConfig::bundled("seattle-weather", 28, 7);
//! let prepared = data::load(&config, std::path::Path::new("")).unwrap();
//! assert_eq!(prepared.panel.channels().names(), ["precipitation", "temp_max", "temp_min", "wind"]);
//! let first = prepared.windows.test.start(0).unwrap(); // row of the buffer at which its context starts
//! let width = prepared.panel.channels().len();
//! let context = &prepared.panel.values()[first * width..(first + 28) * width];
//! assert_eq!(context.len(), 28 * 4);
//! ```
//!
//! | from | to | by |
//! |---|---|---|
//! | files | [`Panel`]: one `f32` buffer, rows in order, gaps as missing rows | [`read`](fn@read) |
//! | `Panel` | [`Prepared`]: split, transformed, filled, scaled, windows as index ranges | [`prepare`](fn@prepare) |
//! | new data and a saved [`Pipeline`] | [`ForecastInput`] | [`Pipeline::forecast_input`] |
//! | a newer table that goes on from the training rows | [`Continuation`], `Prepared` | [`Pipeline::continuation`], [`Pipeline::prepare`] |
//! | forecasts | original units | [`Prepared::to_original`], [`ForecastInput::to_original`] |
//!
//! Features: `parquet` reads Apache Parquet; `fetch` downloads public benchmark sets.

pub mod bundled;
mod calendar;
mod check;
mod config;
mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
mod fill;
mod finding;
mod forecast;
mod form;
mod init;
mod known;
mod later;
pub mod lengths;
mod number;
mod origin;
mod panel;
mod prepare;
mod read;
mod reading;
mod scale;
mod split;
mod statics;
mod text;
mod time;
mod window;

pub use check::{
    ChannelInfo, Description, Proposal, Remark, SeriesInfo, Suspicion, check, discover,
};
pub use config::{
    CalendarFeature, DataConfig, Ddof, Duplicates, Encoding, Fill, Format, Layout, Protocol,
    ScaleConfig, ScaleKind, ScalePer, SplitConfig, TimeColumns, Transform, Unsorted,
};
pub use error::{BadCell, BadTime, DataError, ErrorKind, Hint};
pub use finding::{Finding, FindingKind};
pub use forecast::{Filled, ForecastInput, LeftOut};
pub use form::TableForm;
pub use init::{Init, Initial, init};
pub use known::KnownRows;
pub use later::{AddedRows, Continuation};
pub use panel::{Channels, Panel, Series};
pub use prepare::{Pipeline, Prepared, load, prepare, prepare_fold, prepare_whole};
pub use read::{read, read_bytes};
pub use reading::Reading;
pub use scale::{Affine, Scaler};
pub use split::{Parts, Rolling, Split};
pub use statics::Statics;
pub use time::{Frequency, MonthDay, Weekdays, WrittenTime};
pub use window::{PartWindows, Segment, Windows};
