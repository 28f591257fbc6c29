//! Charts as self-contained SVG: lines, steps, fans, points with error bars, bars, rules.
//!
//! A chart is a string, complete as an `.svg` file and ready to be inlined in an HTML page.
//! It has no script and loads nothing. It follows the reader's light or dark theme,
//! prints in the light one, scales with its container, and carries its text alternative.
//!
//! ```
//! use chart::Chart;
//!
//! let t = [0.0, 50.0, 100.0];
//! let svg = Chart::new("Signal to noise")
//!     .x("diffusion step t")
//!     .y("SNR (dB)")
//!     .line("plain", &t, &[40.0, 3.0, -22.0])
//!     .line("re-injected", &t, &[46.0, 8.0, 0.6])
//!     .render();
//! assert!(svg.starts_with("<svg"));
//! ```
//!
//! This crate does not know the rest of the workspace and has no dependencies.

mod axis;
mod builder;
mod color;
mod marks;
mod render;
mod svg;
mod text;

pub use builder::Chart;
pub use color::Color;
pub use svg::escape;
