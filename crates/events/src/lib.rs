//! TensorBoard event files: scalars, histograms and pictures of forecasts, readable by TensorBoard during
//! the training and after an interruption.
//!
//! ```
//! use events::{EventWriter, Fan, Histogram, Summary};
//!
//! # let temporary = tempfile::tempdir().unwrap();
//! # let run = temporary.path();
//! let mut events = EventWriter::create(&run.join("events"))?;
//! for step in 0..3 {
//!     let mut summary = Summary::now(step);
//!     summary.scalar("train/loss", 1.0 / (1.0 + step as f64));
//!     summary.histogram("latent/mean", &Histogram::of(&[-0.3_f32, 0.1, 0.2]));
//!     events.write(&summary)?;
//! }
//! events.flush()?; // at the end of an epoch: from here on TensorBoard sees it
//!
//! // Quantiles at 5, 10, 25, 50, 75, 90 and 95 % per step of the horizon.
//! let quantiles = [[-2.0, -1.5, -0.6, 0.0, 0.6, 1.5, 2.0]; 2];
//! let fan = Fan { context: &[0.3, -0.2, 0.1], truth: &[0.4, -0.1], quantiles: &quantiles };
//! events.write(Summary::now(3).image("forecast/load", &fan.draw(640, 240)?))?;
//!
//! // The process was killed in its sixth step and continues from the checkpoint of step 4: the events
//! // of steps 4 and 5 in the first file no longer count.
//! drop(events);
//! let mut events = EventWriter::resume(&run.join("events"), 4)?;
//! events.write(Summary::now(4).scalar("train/loss", 0.2))?;
//! events.flush()?;
//! # Ok::<(), events::EventError>(())
//! ```
//!
//! Why not an existing crate: `tboard` needs `protoc` to build, `tensorboard-rs` panics if a write fails, and
//! neither marks a resumed run.

mod canvas;
mod error;
mod fan;
mod histogram;
mod message;
mod picture;
mod record;
mod summary;
mod writer;

pub use error::EventError;
pub use fan::{Fan, LEVELS};
pub use histogram::Histogram;
pub use picture::Picture;
pub use summary::Summary;
pub use writer::EventWriter;
