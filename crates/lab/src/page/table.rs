//! A table whose first column names the rows, made from a list of columns that know how to fill their cells.

use super::Form;

/// The cell of a column for a row; `None` where there is nothing to say.
type Text<'a, T> = Box<dyn Fn(&T) -> Option<String> + 'a>;
/// A number by which rows are ranked.
type Rank<'a, T> = Box<dyn Fn(&T) -> Option<f64> + 'a>;
/// A field of a CSV file for a row.
pub(crate) type Field<'a, T> = Box<dyn Fn(&T) -> String + 'a>;

/// A column of a table of `T`s: its heading, its meaning, and its cell for a row.
pub(crate) struct Column<'a, T> {
    heading: String,
    /// Unit or remark.
    meaning: String,
    text: Text<'a, T>,
    /// Distance of a row from the ideal; the best row is marked.
    badness: Option<Rank<'a, T>>,
    forms: &'static [Form],
}

/// A table ready to be written.
#[derive(Debug)]
pub(crate) struct Table {
    /// The heading of the first column.
    pub(super) corner: String,
    pub(super) headings: Vec<Heading>,
    pub(super) rows: Vec<Row>,
    /// Whether a page explains the columns below the table.
    pub(super) explained: bool,
}

#[derive(Debug)]
pub(super) struct Heading {
    pub(super) text: String,
    pub(super) meaning: String,
    pub(super) forms: &'static [Form],
}

/// The first cell of a row.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) label: String,
    /// The target of a link on its label.
    pub(crate) link: Option<String>,
    /// The target that it is itself.
    pub(crate) id: Option<String>,
    /// Whether a rule parts its row from the row before.
    pub(crate) rule: bool,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) head: Head,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) best: bool,
}

const EVERYWHERE: &[Form] = &[Form::Page, Form::Markdown, Form::Terminal];

impl<'a, T> Column<'a, T> {
    pub(crate) fn new(
        heading: &str,
        meaning: &str,
        text: impl Fn(&T) -> Option<String> + 'a,
    ) -> Column<'a, T> {
        Column {
            heading: heading.to_owned(),
            meaning: meaning.to_owned(),
            text: Box::new(text),
            badness: None,
            forms: EVERYWHERE,
        }
    }

    /// Marks the row with the smallest value.
    pub(crate) fn best(mut self, badness: impl Fn(&T) -> Option<f64> + 'a) -> Column<'a, T> {
        self.badness = Some(Box::new(badness));
        self
    }

    /// Shows the column in some forms only: a terminal is narrow.
    pub(crate) fn only(mut self, forms: &'static [Form]) -> Column<'a, T> {
        self.forms = forms;
        self
    }

    /// One cell per row; `–` where there is nothing to say.
    fn cells(&self, rows: &[T]) -> Vec<Cell> {
        let badness = |row: &T| self.badness.as_ref().and_then(|badness| badness(row));
        let least = rows.iter().filter_map(badness).fold(f64::INFINITY, f64::min);
        let cell = |row: &T| Cell {
            text: (self.text)(row).unwrap_or_else(|| "–".to_owned()),
            best: badness(row).is_some_and(|value| value <= least),
        };
        rows.iter().map(cell).collect()
    }
}

impl Table {
    /// Fills the columns for all rows; `head` makes the first cell of a row.
    pub(crate) fn new<T>(
        corner: &str,
        rows: &[T],
        head: impl Fn(&T) -> Head,
        columns: &[Column<T>],
    ) -> Table {
        let cells: Vec<Vec<Cell>> = columns.iter().map(|column| column.cells(rows)).collect();
        let row = |(index, row): (usize, &T)| Row {
            head: head(row),
            cells: cells.iter().map(|column| column[index].clone()).collect(),
        };
        let heading = |column: &Column<T>| Heading {
            text: column.heading.clone(),
            meaning: column.meaning.clone(),
            forms: column.forms,
        };
        Table {
            corner: corner.to_owned(),
            headings: columns.iter().map(heading).collect(),
            rows: rows.iter().enumerate().map(row).collect(),
            explained: true,
        }
    }

    /// Without the columns that have nothing to say in any row.
    pub(crate) fn without_empty_columns(mut self) -> Table {
        let empty = |index: usize| self.rows.iter().all(|row| row.cells[index].text == "–");
        let kept: Vec<bool> = (0..self.headings.len()).map(|index| !empty(index)).collect();
        let mut keep = kept.iter();
        self.headings.retain(|_| keep.next().copied().unwrap_or(false));
        for row in &mut self.rows {
            let mut keep = kept.iter();
            row.cells.retain(|_| keep.next().copied().unwrap_or(false));
        }
        self
    }

    /// Without an explanation of the columns, where another table has it.
    pub(crate) fn unexplained(mut self) -> Table {
        self.explained = false;
        self
    }

    /// The places of the columns that a form has.
    pub(super) fn columns(&self, form: Form) -> Vec<usize> {
        let shown = |index: &usize| self.headings[*index].forms.contains(&form);
        (0..self.headings.len()).filter(shown).collect()
    }
}

impl Head {
    pub(crate) fn new(label: impl Into<String>) -> Head {
        Head { label: label.into(), ..Head::default() }
    }
}

/// A CSV file, for programs: all digits, nothing where there is no number.
pub(crate) fn csv<T>(rows: &[T], columns: &[(&str, Field<T>)]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let records = rows.iter().map(|row| columns.iter().map(|(_, text)| text(row)).collect());
    for record in std::iter::once::<Vec<String>>(header).chain(records) {
        // Memory does not run out of room, and all records have one length.
        let _ = writer.write_record(record);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
