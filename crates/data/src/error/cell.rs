//! A single cell that cannot be read.

use std::fmt;
use std::path::PathBuf;

use super::text::{Like, Shown};

/// A cell that does not hold a number, located as a compiler would locate it.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: `{}` in column `{}` is not a number\n  hint: {hint}", .path.display(), Shown(.cell), Shown(.header))]
pub struct BadCell {
    /// The file.
    pub path: PathBuf,
    /// One-based line.
    pub line: u64,
    /// One-based character column.
    pub column: u64,
    /// Name of the column.
    pub header: String,
    /// The cell as written.
    pub cell: String,
    /// The remedy.
    pub hint: Hint,
}

/// A cell that does not hold a time.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: `{}` in column `{}` is not a time{}\n  hint: {hint}", .path.display(), Shown(.cell), Shown(.header), Like(.like))]
pub struct BadTime {
    /// The file.
    pub path: PathBuf,
    /// One-based line.
    pub line: u64,
    /// One-based character column.
    pub column: u64,
    /// Name of the column.
    pub header: String,
    /// The cell as written.
    pub cell: String,
    /// A time of the same column that was understood.
    pub like: Option<String>,
    /// The remedy.
    pub hint: &'static str,
}

/// The likely remedy for a [`BadCell`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// `12,5`
    DecimalComma {
        /// The number with a point.
        rewritten: String,
    },
    /// `12.5` where numbers are written with a decimal comma
    DecimalPoint {
        /// The number with a comma.
        rewritten: String,
    },
    /// `1,234.5`
    Thousands {
        /// The separator.
        separator: char,
        /// The number without it.
        rewritten: String,
    },
    /// `1,234`: a decimal number, or one with a separator between thousands.
    Either {
        /// The separator.
        separator: char,
        /// The number without it.
        thousands: String,
    },
    /// `12,5` where other columns write numbers with a decimal point, or the other way round
    OtherColumns {
        /// The number as they would write it.
        rewritten: String,
    },
    /// `12 %`, `$12`
    Unit {
        /// The number alone.
        rewritten: String,
    },
    /// `inf`
    Infinite {
        /// The cell.
        text: String,
    },
    /// `1e308`: finite, but not as f32
    TooLarge,
    /// Text among numbers that looks like a marker of its own for "missing".
    Marker {
        /// The cell.
        text: String,
    },
    /// Nothing in particular.
    Unknown,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::DecimalComma { rewritten } => {
                write!(
                    f,
                    "decimal comma? write `{rewritten}` or set `decimal = \",\"` under [data]"
                )
            }
            Hint::DecimalPoint { rewritten } => {
                write!(
                    f,
                    "decimal point? write `{rewritten}` or set `decimal = \".\"` under [data]"
                )
            }
            Hint::OtherColumns { rewritten } => write!(
                f,
                "other columns write decimals otherwise; write `{rewritten}`, or set `targets = [\"…\"]` under [data] to name the columns to read"
            ),
            Hint::Thousands { separator, rewritten } => write!(
                f,
                "thousands separator? write `{rewritten}` or set `thousands = \"{separator}\"` under [data]"
            ),
            Hint::Either { separator, thousands } => write!(
                f,
                "is it {}, or {thousands}? set `decimal = \"{separator}\"` or `thousands = \"{separator}\"` under [data]",
                thousands.len().checked_sub(3).map_or(String::new(), |at| format!(
                    "{}.{}",
                    &thousands[..at],
                    &thousands[at..]
                ))
            ),
            Hint::Unit { rewritten } => write!(
                f,
                "write the numbers of the column in one unit and without it, as `{rewritten}`"
            ),
            Hint::Infinite { text } => write!(
                f,
                "infinity is no observation; leave the cell empty, or set `missing = [{text:?}]` under [data]"
            ),
            Hint::TooLarge => {
                write!(f, "beyond the range of 32-bit numbers (3.4e38); change the unit")
            }
            Hint::Marker { text } => write!(
                f,
                "does it mean \"missing\"? set `missing = [{text:?}]` under [data]; is it one of two states? write 1 and 0; does it not belong to the data? set `targets = [\"…\"]`, or `skip_rows = …` if the table starts further down"
            ),
            Hint::Unknown => write!(f, "expected a decimal number such as `-1.5e3`"),
        }
    }
}
