//! Faults of the times of a series, and facts worth knowing about them.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::text::Count;

/// One finding, located by series, row and line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// The series.
    pub series: String,
    /// One-based row within the series, in the file's order.
    pub row: usize,
    /// One-based line in the file; 0 where the file has no lines.
    pub line: u64,
    /// Its kind.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// The kinds of findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub enum FindingKind {
    /// A row earlier than the row before it.
    Unsorted {
        /// Its time.
        time: String,
        /// The time of the row before.
        before: String,
        /// Such rows in the series.
        count: usize,
    },
    /// Rows of one time.
    Duplicate {
        /// The time.
        time: String,
        /// Rows too many in the series.
        count: usize,
        /// The hour that clocks repeat in autumn.
        clock_change: bool,
    },
    /// Rows missing between two others.
    Gap {
        /// Time before the gap.
        after: String,
        /// Time after it.
        before: String,
        /// Rows missing there.
        missing: u64,
        /// Gaps in the series.
        gaps: usize,
        /// Rows missing in all of them.
        all_missing: u64,
        /// The hour that clocks skip in spring.
        clock_change: bool,
    },
    /// More rows missing than present.
    Sparse {
        /// The step that was assumed.
        frequency: String,
        /// Rows present.
        present: usize,
        /// Rows missing.
        missing: u64,
    },
    /// A time between the steps.
    OffGrid {
        /// Its time.
        time: String,
        /// The step of the series.
        frequency: String,
        /// Such rows in the series.
        count: usize,
    },
    /// The spacing changes for good from one row on.
    MixedFrequency {
        /// The step of most rows.
        frequency: String,
        /// The step from this row on.
        other: String,
    },
    /// A series with another step than the first.
    SeriesDiffers {
        /// The step of this series.
        frequency: String,
        /// The step of the first.
        expected: String,
    },
    /// A few rows beside the step, such as a session on a Saturday.
    OddRows {
        /// The time of the first.
        time: String,
        /// The step of the series.
        frequency: String,
        /// How many.
        count: usize,
    },
    /// Weekdays without a row in business-day data.
    Holidays {
        /// How many.
        count: u64,
    },
}

impl Finding {
    /// Whether reading goes on: gaps are filled as configured, holidays left out, odd rows taken as they come.
    pub fn is_note(&self) -> bool {
        use FindingKind::{Gap, Holidays, OddRows};
        matches!(self.kind, Gap { .. } | Holidays { .. } | OddRows { .. })
    }

    /// The remedy.
    pub fn remedy(&self) -> String {
        let remedy = match &self.kind {
            FindingKind::Sparse { frequency, .. } => {
                return format!(
                    "set `frequency = \"{frequency}\"` under [data] to insert them as `fill` says (`fill = \"zero\"` \
                     where no row means zero), or `frequency = \"irregular\"` to take rows as they come"
                );
            }
            FindingKind::Unsorted { .. } => {
                "sort the rows by time, or set `unsorted = \"sort\"` under [data]"
            }
            FindingKind::Duplicate { clock_change: true, .. }
            | FindingKind::Gap { clock_change: true, .. } => {
                "the hour clocks change: set `time_zone = \"Europe/Berlin\"` under [data], or the zone that it is"
            }
            FindingKind::Duplicate { .. } => {
                "several series in one file need `id = \"…\"` under [data], and a time of several columns `time = [\"…\", \"…\"]`; else remove the rows, or set `duplicates = \"first\"`, `\"last\"` or `\"mean\"`"
            }
            FindingKind::Gap { .. } => {
                "missing rows are inserted as `fill` under [data] says (\"mask\" unless given)"
            }
            FindingKind::OffGrid { .. } | FindingKind::MixedFrequency { .. } => {
                "resample to one step, or set `frequency = \"irregular\"` under [data] to take rows as they come"
            }
            FindingKind::SeriesDiffers { .. } => {
                "resample to one step, or train one model per step"
            }
            FindingKind::OddRows { .. } => {
                "taken as rows of their own; remove them if they do not belong to the data"
            }
            FindingKind::Holidays { .. } => {
                "left out as days without trading; set `frequency = \"business-day\"` to insert them as missing"
            }
        };
        remedy.to_owned()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if self.line > 0 {
            write!(f, "{}:1:", self.line)?;
        }
        write!(f, " series `{}`, row {}: ", self.series, self.row)?;
        match &self.kind {
            FindingKind::Unsorted { time, before, count } => {
                write!(f, "time goes back from {before} to {time} ({})", Count(*count, "such row"))
            }
            FindingKind::Duplicate { time, count, .. } => {
                write!(f, "time {time} is there already ({} too many)", Count(*count, "row"))
            }
            FindingKind::Gap { after, before, missing, gaps, all_missing, .. } => write!(
                f,
                "{} missing between {after} and {before} ({} in {})",
                Count(*missing, "row"),
                Count(*all_missing, "row"),
                Count(*gaps, "gap")
            ),
            FindingKind::Sparse { frequency, present, missing } => {
                write!(
                    f,
                    "with step {frequency}, {missing} rows are missing and only {present} present"
                )
            }
            FindingKind::OffGrid { time, frequency, count } => {
                write!(
                    f,
                    "time {time} is no whole number of steps ({frequency}) from the row before ({})",
                    Count(*count, "such row")
                )
            }
            FindingKind::MixedFrequency { frequency, other } => {
                write!(f, "the step changes from {frequency} to {other}")
            }
            FindingKind::SeriesDiffers { frequency, expected } => {
                write!(f, "time step is {frequency}, other series have {expected}")
            }
            FindingKind::OddRows { time, frequency, count } => {
                write!(
                    f,
                    "time {time} is not on a day of the step {frequency} ({})",
                    Count(*count, "such row")
                )
            }
            FindingKind::Holidays { count } => {
                write!(f, "{} without a row", Count(*count, "weekday"))
            }
        }
    }
}
