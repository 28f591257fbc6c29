//! Errors of writing events and drawing pictures.

use std::io;
use std::path::PathBuf;

/// Every way in which writing events or drawing a picture fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A file or folder could not be made or written, for instance because the disk is full.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A picture whose size is zero or absurd.
    #[error("a picture of {width} by {height} pixels; each side must lie in 1..={most}")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The longest side allowed.
        most: u32,
    },
    /// A number of bytes that does not match the size of the picture.
    #[error("{found} bytes of pixels; a picture of this size has {expected}")]
    Pixels {
        /// Four for each pixel.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// The encoder refused the picture.
    #[error("encoding a picture: {0}")]
    Encoding(#[from] png::EncodingError),
}
