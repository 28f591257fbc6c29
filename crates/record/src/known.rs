//! `rows.json`: the rows that weights were trained on, by which a newer table is compared.

use data::KnownRows;
use serde::{Deserialize, Serialize};

/// The content of `rows.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Version of this format.
    pub version: u32,
    /// The rows of each series.
    pub series: Vec<KnownRows>,
}

impl Known {
    /// The version of `rows.json` that is written and read.
    pub const VERSION: u32 = 1;

    /// The rows of a table.
    pub fn new(series: Vec<KnownRows>) -> Known {
        Known { version: Known::VERSION, series }
    }
}
