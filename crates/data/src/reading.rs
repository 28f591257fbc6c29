//! How a table was read: kept with the model, so that later tables are read the same way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::number::Style;
use crate::time::column::Offset;
use crate::time::parse::Written;

/// The reading of a table: found from its cells, or set by the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Cell separator of a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<char>,
    /// Decimal and thousands separator of a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) numbers: Option<Style>,
    /// The time column, or none for rows that are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<TimeReading>,
    /// The column that names the series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// The unit in the cells of a column, for columns with one; none in models of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) units: Option<BTreeMap<String, String>>,
}

/// How times were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimeReading {
    /// One column, or those that tell a time together.
    pub(crate) columns: Vec<String>,
    /// The form of its cells.
    pub(crate) written: Written,
    /// Their distance from UTC.
    pub(crate) offset: Offset,
    /// A cell of the training data.
    pub(crate) example: String,
}

impl Reading {
    /// The columns that tell the time, by the names of the table; empty where rows are numbered.
    pub fn time_columns(&self) -> &[String] {
        self.time.as_ref().map_or(&[], |time| &time.columns)
    }

    /// The column that names the series, by the name of the table.
    pub fn id_column(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// One line: how times and numbers are written.
    pub fn describe(&self) -> String {
        let times = match &self.time {
            None => "rows numbered from 0".into(),
            Some(TimeReading { columns, written, offset, example }) => {
                let zone = match offset {
                    Offset::None if written.is_number() => "",
                    Offset::None => ", no offset from UTC",
                    Offset::Fixed(0) => ", in UTC",
                    Offset::Fixed(_) => ", one offset from UTC",
                    Offset::Local => ", local times with changing offsets",
                    Offset::Changing => ", instants with changing offsets",
                };
                let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
                format!(
                    "times in {} as {} (`{example}`){zone}",
                    columns.join(" and "),
                    written.name()
                )
            }
        };
        let numbers = self.numbers.map_or(String::new(), |style| {
            let thousands = style
                .thousands
                .map_or(String::new(), |sign| format!(" and `{sign}` between thousands"));
            format!("; numbers with decimal `{}`{thousands}", char::from(style.decimal))
        });
        let cells = self.delimiter.map_or(String::new(), |sign| match sign {
            '\t' => "; cells separated by tabs".into(),
            ' ' => "; cells separated by spaces".into(),
            sign => format!("; cells separated by `{sign}`"),
        });
        times + &numbers + &cells
    }
}
