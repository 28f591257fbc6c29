//! Tables in plain text.

/// A table whose first column is aligned left and whose other columns are aligned right.
///
/// The last column may be ragged text: its cells are aligned left.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    ragged: bool,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Table {
        Table { rows: vec![headings.into_iter().map(Into::into).collect()], ragged: false }
    }

    /// Aligns the last column left.
    pub(crate) fn ragged(self) -> Table {
        Table { ragged: true, ..self }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The lines of the table, without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let left = |column: usize| column == 0 || (self.ragged && column + 1 == columns);
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                // Not `{:width$}`, which panics beyond 65535.
                let space = " ".repeat(widths[column] - cell.chars().count());
                if left(column) { format!("{cell}{space}") } else { format!("{space}{cell}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["", "CRPS", "difference"]).ragged();
        table.row(["ballast", "0.2000"]);
        table.row(["naïve", "10.5000", "+1.0 *"]);
        let expected =
            ["            CRPS  difference", "ballast   0.2000", "naïve    10.5000  +1.0 *"];
        assert_eq!(table.lines(), expected);
    }
}
