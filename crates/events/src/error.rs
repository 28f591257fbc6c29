//! What can go wrong when events are written.

use std::io;
use std::path::PathBuf;

/// Why events could not be written, or a picture not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A file or folder could not be made or written, for instance because the disk is full.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A picture of no or of an absurd size.
    #[error("a picture of {width} by {height} pixels; each side must lie in 1..={most}")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The longest side allowed.
        most: u32,
    },
    /// Pixels that do not make up a picture of this size.
    #[error("{found} bytes of pixels; a picture of this size has {expected}")]
    Pixels {
        /// Four for each pixel.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// The encoder refused the picture.
    #[error("encoding a picture: {0}")]
    Encoding(#[from] png::EncodingError),
}
