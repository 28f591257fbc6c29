//! A table in parts: names of columns, and cells of a row.

/// A number in decimal notation with at most twelve significant digits: the shortest text that says so.
pub fn decimal(number: f64) -> String {
    let rounded: f64 = format!("{number:.11e}").parse().unwrap_or(number);
    (rounded + 0.0).to_string() // a negative zero is zero
}

/// The columns.
#[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "CSV has texts alone"))]
pub(super) struct Header<'a> {
    /// Those of series, origins and times, which come first.
    pub(super) keys: Vec<Key>,
    /// The names of those of numbers.
    pub(super) numbers: Vec<String>,
    /// Whether each of these has whole numbers only.
    pub(super) whole: Vec<bool>,
    /// The time zone of instants.
    pub(super) zone: &'a str,
}

/// A column of series or of times.
#[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "CSV has texts alone"))]
pub(super) struct Key {
    pub(super) name: String,
    /// The form of its times; `None` for names.
    pub(super) times: Option<Times>,
}

/// The form of the times of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Texts,
    /// Numbers of rows.
    Numbers,
    /// Seconds of the table's own.
    Seconds,
    Dates,
    /// Clock times in no zone.
    Clocks,
    Instants,
}

impl Times {
    /// The form that fits two.
    pub(super) fn or(self, other: Times) -> Times {
        use Times::{Clocks, Dates, Numbers, Seconds};
        match (self, other) {
            (one, same) if one == same => one,
            (Numbers, Seconds) | (Seconds, Numbers) => Seconds,
            (Dates, Clocks) | (Clocks, Dates) => Clocks,
            _ => Times::Texts,
        }
    }
}

/// The cells of one row, in the order of the columns.
pub(super) struct Row<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) numbers: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        for (number, text) in [
            (18.062_499_999_999_996, "18.0625"),
            (447.287_500_000_000_14, "447.2875"),
            (123_464_949.649_999_96, "123464949.65"),
            (0.1 + 0.2, "0.3"),
            (-1.0 / 3.0, "-0.333333333333"),
            (1e-30, "0.000000000000000000000000000001"),
            (-0.0, "0"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(decimal(number), text);
        }
    }
}
