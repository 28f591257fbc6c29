//! A picture as a PNG file.

use crate::EventError;

/// The longest side of a picture in pixels: what a screen shows, with room to spare.
pub(crate) const LONGEST_SIDE: u32 = 8192;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    png: Vec<u8>,
}

impl Picture {
    /// Encodes pixels: rows from the top, four bytes (red, green, blue, opacity) each.
    ///
    /// # Errors
    /// [`EventError::Size`] for a side of 0 or beyond 8192, [`EventError::Pixels`] for too few or too many
    /// bytes.
    pub fn from_rgba(width: u32, height: u32, pixels: &[u8]) -> Result<Picture, EventError> {
        check_size(width, height)?;
        let expected = width as usize * height as usize * 4;
        if pixels.len() != expected {
            return Err(EventError::Pixels { expected, found: pixels.len() });
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(pixels)?;
        writer.finish()?;
        Ok(Picture { width, height, png: bytes })
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes of the PNG file.
    pub fn png(&self) -> &[u8] {
        &self.png
    }
}

pub(crate) fn check_size(width: u32, height: u32) -> Result<(), EventError> {
    let fits = |side: u32| (1..=LONGEST_SIDE).contains(&side);
    if fits(width) && fits(height) {
        return Ok(());
    }
    Err(EventError::Size { width, height, most: LONGEST_SIDE })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the decoder gives the pixels back.
    #[test]
    fn pixels_survive() {
        let pixels: Vec<u8> = (0..6 * 4).map(|k| k * 10).collect();
        let picture = Picture::from_rgba(3, 2, &pixels).unwrap();
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(picture.png())).read_info().unwrap();
        let mut read = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut read).unwrap();
        assert_eq!((info.width, info.height), (3, 2));
        assert_eq!((info.color_type, read), (png::ColorType::Rgba, pixels));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (width, height) in [(0, 1), (1, 0), (8193, 1), (u32::MAX, u32::MAX)] {
            let refused = Picture::from_rgba(width, height, &[]);
            assert!(matches!(refused, Err(EventError::Size { .. })), "{width} {height}");
        }
        let short = Picture::from_rgba(2, 2, &[0; 15]);
        assert!(matches!(short, Err(EventError::Pixels { expected: 16, found: 15 })));
        assert!(Picture::from_rgba(8192, 1, &[0; 8192 * 4]).is_ok());
    }
}
