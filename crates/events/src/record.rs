//! The frame around each event: TensorFlow's TFRecord.
//!
//! ```text
//! length as u64 | masked CRC of the length as u32 | data | masked CRC of the data as u32      little-endian
//! mask(c) = rotate_right(c, 15) + 0xa282ead8 mod 2³²
//! ```
//!
//! Source: `tensorflow/core/lib/io/record_writer.h` and `tensorflow/core/lib/hash/crc32c.h`.

use crc::{CRC_32_ISCSI, Crc, Table};

/// CRC-32C, Castagnoli's polynomial.
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Appends one framed record.
pub(crate) fn append(buffer: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    buffer.extend(length);
    buffer.extend(masked(&length).to_le_bytes());
    buffer.extend(data);
    buffer.extend(masked(data).to_le_bytes());
}

fn masked(data: &[u8]) -> u32 {
    CRC.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: RFC 3720, appendix B.4, whose bytes are in the order of transmission, and the check value of
    /// `123456789` in the catalogs of CRCs.
    #[test]
    fn crc_is_that_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        let cases: [(&[u8], [u8; 4]); 5] = [
            (&[0; 32], [0xaa, 0x36, 0x91, 0x8a]),
            (&[0xff; 32], [0x43, 0xab, 0xa8, 0x62]),
            (&rising, [0x4e, 0x79, 0xdd, 0x46]),
            (&falling, [0x5c, 0xdb, 0x3f, 0x11]),
            (b"123456789", 0xe306_9283_u32.to_le_bytes()),
        ];
        for (data, expected) in cases {
            assert_eq!(CRC.checksum(data).to_le_bytes(), expected, "{data:?}");
        }
    }
}
