//! Keys whose value is one of a few words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the table is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By name and first bytes.
    #[default]
    Auto,
    /// Delimited text, gzip-compressed or not.
    Csv,
    /// Apache Parquet (needs the feature `parquet`).
    Parquet,
}

/// Text encodings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// By byte-order mark, zero bytes, or validity as UTF-8.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// UTF-8; anything else is an error.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, byte order by its mark, little-endian without one.
    #[serde(rename = "utf-16")]
    Utf16,
    /// ISO 8859-1 as browsers read it (Windows-1252).
    #[serde(rename = "latin-1", alias = "windows-1252")]
    Latin1,
}

/// How series lie in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One column per channel, one series per file.
    Wide,
    /// One row per series and time; the series is named by the column `id`.
    Long,
}

/// Treatment of rows out of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unsorted {
    /// Refuse, naming the first such row of every series.
    #[default]
    Error,
    /// Sort each series by time.
    Sort,
}

/// Treatment of rows of one series that share a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Refuse, naming the rows.
    #[default]
    Error,
    /// Keep the first.
    First,
    /// Keep the last.
    Last,
    /// Average each column over its observed values.
    Mean,
}

/// Treatment of missing cells and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// Nothing: the cell is NaN and marked as not observed.
    #[default]
    Mask,
    /// The last observed value before it.
    Forward,
    /// The line between its observed neighbors. Looks ahead: within a context that ends in a gap it
    /// uses the value after the gap. Never reaches over a split border.
    Interpolate,
    /// Zero: what is missing up to the last observed row did not happen, such as a day without a sale. It
    /// counts as observed.
    Zero,
    /// Refuse tables with missing cells or rows.
    Error,
}

/// An invertible map of target values, before scaling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// As they are.
    #[default]
    None,
    /// Natural logarithm; values must be positive.
    Log,
    /// `x_t − x_{t−1}`; the first row of each series is lost.
    Difference,
    /// `x_t / x_{t−1} − 1`; values must not be zero, the first row of each series is lost.
    Return,
}

impl Transform {
    /// First rows of each series that it leaves without a value.
    pub(crate) fn lost_rows(self) -> usize {
        usize::from(matches!(self, Transform::Difference | Transform::Return))
    }
}

/// A cycle of the calendar; each gives two channels, a sine and a cosine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarFeature {
    /// Time within the day (24 hours), to the microsecond.
    Hour,
    /// Day of the week, Monday 0.
    Weekday,
    /// Day within the month, over the length of that month.
    DayOfMonth,
    /// Month of the year, January 0.
    Month,
    /// Day of the year, over 365 or 366.
    DayOfYear,
}

impl CalendarFeature {
    /// The name used in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            CalendarFeature::Hour => "hour",
            CalendarFeature::Weekday => "weekday",
            CalendarFeature::DayOfMonth => "day-of-month",
            CalendarFeature::Month => "month",
            CalendarFeature::DayOfYear => "day-of-year",
        }
    }
}

/// The column of times, or several that tell a time together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a column's name, or a list of names such as [\"year\", \"month\"]"
)]
pub enum TimeColumns {
    /// One column; an empty name numbers the rows.
    One(String),
    /// A date and an hour, or a year, a month and a day.
    Several(Vec<String>),
}

impl TimeColumns {
    /// The names; none where rows are numbered.
    pub fn names(&self) -> &[String] {
        match self {
            TimeColumns::One(name) if name.is_empty() => &[],
            TimeColumns::One(name) => std::slice::from_ref(name),
            TimeColumns::Several(names) => names,
        }
    }
}

impl From<&str> for TimeColumns {
    fn from(name: &str) -> Self {
        TimeColumns::One(name.to_owned())
    }
}

impl From<Vec<String>> for TimeColumns {
    fn from(mut names: Vec<String>) -> Self {
        match names.len() {
            1 => TimeColumns::One(names.remove(0)),
            _ => TimeColumns::Several(names),
        }
    }
}
