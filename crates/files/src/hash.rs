//! SHA-256 of contents.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The SHA-256 of a file, in 64 hexadecimal digits.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    sha256_of(File::open(path)?)
}

/// The SHA-256 of all that `reader` gives, in 64 hexadecimal digits.
///
/// # Errors
/// Those of the reader.
pub fn sha256_of(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut reader, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// Digits of a SHA-256 in hexadecimal.
const DIGITS: usize = 64;
/// Bytes at the start of a content in which its seal begins.
const START: usize = 4096;

/// A checksum that a content has in itself: the SHA-256 of the content with zeros in the place of the digits, which
/// follow the marker. It tells damage, and not intent.
///
/// ```
/// const SEAL: files::Seal = files::Seal::after("# sha256 = ");
///
/// let mut content = format!("# sha256 = {}\nseed = 3\n", files::Seal::OPEN).into_bytes();
/// SEAL.close(&mut content);
/// assert_eq!(SEAL.holds(&content), Some(true));
/// content[80] ^= 1;
/// assert_eq!(SEAL.holds(&content), Some(false));
/// assert_eq!(SEAL.holds(b"seed = 3"), None);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Seal {
    marker: &'static str,
}

impl Seal {
    /// The digits of a seal that is not closed yet.
    pub const OPEN: &'static str =
        "0000000000000000000000000000000000000000000000000000000000000000";

    /// A seal whose digits follow `marker`, which stands at the start of a content.
    pub const fn after(marker: &'static str) -> Seal {
        Seal { marker }
    }

    /// Fills in the digits, where there is a marker with room for them.
    pub fn close(self, content: &mut [u8]) {
        if let Some(place) = self.place(content) {
            content[place..place + DIGITS].copy_from_slice(Seal::OPEN.as_bytes());
            let digits = digest(&[content]);
            content[place..place + DIGITS].copy_from_slice(digits.as_bytes());
        }
    }

    /// Whether the content is as it was when it was sealed; `None` if it has no seal.
    pub fn holds(self, content: &[u8]) -> Option<bool> {
        let place = self.place(content)?;
        let (before, after) = (&content[..place], &content[place + DIGITS..]);
        let digits = digest(&[before, Seal::OPEN.as_bytes(), after]);
        Some(digits.as_bytes() == &content[place..place + DIGITS])
    }

    /// The place of the digits.
    fn place(self, content: &[u8]) -> Option<usize> {
        let marker = self.marker.as_bytes();
        let start = &content[..content.len().min(START)];
        let place = start.windows(marker.len()).position(|at| at == marker)? + marker.len();
        (place + DIGITS <= content.len()).then_some(place)
    }
}

/// The SHA-256 of pieces one after another.
fn digest(pieces: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every flip of a bit is noticed, but for those that leave no marker.
    #[test]
    fn a_seal_notices_every_flip() {
        let seal = Seal::after("seal ");
        let mut content = format!("a seal {} and more", Seal::OPEN).into_bytes();
        seal.close(&mut content);
        assert_eq!(seal.holds(&content), Some(true));
        for bit in 0..8 * content.len() {
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let in_marker = (2..7).contains(&(bit / 8));
            assert_eq!(seal.holds(&flipped), (!in_marker).then_some(false), "bit {bit}");
        }
        assert_eq!(seal.holds(&content[..40]), None);
        let mut unsealed = b"seal it".to_vec();
        seal.close(&mut unsealed);
        assert_eq!(unsealed, b"seal it");
    }

    /// Oracle: FIPS 180-2, the one-block example and the one of a million letters.
    #[test]
    fn the_hash_is_sha_256() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let one_block = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), one_block);
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(sha256_of(io::repeat(b'a').take(1_000_000)).unwrap(), million);
        assert!(sha256(&folder.path().join("missing")).is_err());
    }
}
