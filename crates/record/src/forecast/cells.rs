//! A table in parts: names of columns, and cells of a row.

/// The names of the columns.
pub(super) struct Header {
    /// Those of texts, which come first.
    pub(super) texts: Vec<String>,
    /// Those of numbers.
    pub(super) numbers: Vec<String>,
}

/// The cells of one row, in the order of the columns.
pub(super) struct Row<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) numbers: Vec<f64>,
}
