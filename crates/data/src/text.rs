//! Text of cells and of messages.

use std::fmt;

use encoding_rs::WINDOWS_1252;

/// Text of a cell: UTF-8 where it is, Windows-1252 where it is not.
pub(crate) fn decode(cell: &[u8]) -> String {
    match std::str::from_utf8(cell) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(cell).0.into_owned(),
    }
}

/// A number of things: `1 row`, `2 rows`.
pub(crate) struct Count<N>(pub(crate) N, pub(crate) &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1.into() { "" } else { "s" })
    }
}
