//! A prepared panel on the device: windows by index, batches, random streams.
//!
//! ```text
//! data::Prepared → DevicePanel [W, R] → WindowSet: row numbers by arithmetic → Batch [B, L, C], [B, H, C]
//! ```
//!
//! The device holds the rows of all series once, column by column. A [`WindowSet`] computes where windows start, and
//! [`DevicePanel::gather`] copies a batch of windows in one operation per buffer. [`Source`] holds both, and converts
//! forecasts back to original units.
//!
//! ```
//! use feed::{Part, Selection, Source};
//!
//! let config = toml::from_str("source = 'seattle-weather'\ncontext = 28\nhorizon = 7")?;
//! let source = Source::load(&config, Selection::default(), tch::Device::Cpu)?;
//!
//! let some = source.windows(Part::Validation).at_most(64);
//! for batch in some.batches(source.panel(), 32) {
//!     let batch = batch?;
//!     assert_eq!(batch.target.size(), [32, 7, source.channels().len() as i64]);
//!     let degrees = source.truth(&batch.first_rows)?; // in original units
//!     assert_eq!(degrees.size(), batch.target.size());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
mod error;
mod history;
mod panel;
mod random;
mod source;
mod windows;

pub use device::{DeviceChoice, device_name};
pub use error::{FeedError, MEMORY_HINT, is_out_of_memory, memory_hint};
pub use history::{History, SeriesRows};
pub use panel::{Batch, Columns, DevicePanel};
pub use random::{Stream, seed, seed_batch};
pub use source::{Part, Selection, Source};
pub use torch_ext::{Allocator, leave};
pub use windows::WindowSet;
