//! A trained network as one file that other programs run.
//!
//! ```text
//! run → Network: config, weights, scaler → graph of the whole forecast → ONNX, or recorded by libtorch as TorchScript
//! ```
//!
//! The graph is the forecast of `ballast forecast` from end to end: rows in the units of the table go in, samples and quantiles in
//! these units come out. Transform, scaling, gaps, instance normalization, calendar, skip, latent variables, decoder, limits
//! and their inverses are inside. All noise is an input, so that the same input gives the same forecast. The numbers of
//! windows and of samples are free. [`Network::inputs`] says what goes in, and `docs/export.md` has the table.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use export::{Format, Network};
//!
//! let network = Network::open(Path::new("runs/weather"), &[0.1, 0.5, 0.9])?;
//! network.write(Format::Onnx, Path::new("weather.onnx"))?;
//! # Ok::<(), train::TrainError>(())
//! ```

mod description;
mod exported;
mod graph;
mod input;
mod model;
mod network;
mod onnx;
mod parts;
mod torchscript;

pub use description::Line;
pub use exported::Exported;
pub use network::{Format, Network};
pub use onnx::{IR_VERSION, OPSET};
pub use parts::Parts;
