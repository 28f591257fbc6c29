//! Rows of numbers with their units, as text and as JSON.

use std::fmt;

use serde::Serialize;

/// Measurements on a device.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    device: String,
    libtorch: &'static str,
    rows: Vec<Row>,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// `None` where something was not measured; the note says why.
    value: Option<f64>,
    unit: &'static str,
    note: String,
}

impl Table {
    pub(crate) fn new(device: &str) -> Table {
        Table { device: device.to_owned(), libtorch: "2.11.0", rows: Vec::new() }
    }

    /// Adds a number; one that is not finite counts as not measured.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str, note: &str) {
        let value = value.is_finite().then_some(value);
        self.rows.push(Row { name: name.to_owned(), value, unit, note: note.to_owned() });
    }

    /// Adds a measurement that was not made, with the reason.
    pub(crate) fn miss(&mut self, name: &str, why: &str) {
        self.rows.push(Row { name: name.to_owned(), value: None, unit: "", note: why.to_owned() });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "device {}, libtorch {}\n", self.device, self.libtorch)?;
        writeln!(f, "| measured | value | unit | note |\n|---|--:|---|---|")?;
        for Row { name, value, unit, note } in &self.rows {
            let value = match value {
                None => "not measured".to_owned(),
                Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
                Some(value) if value.abs() >= 0.01 => format!("{value:.3}"),
                Some(value) => format!("{value:.1e}"),
            };
            writeln!(f, "| {name} | {value} | {unit} | {note} |")?;
        }
        Ok(())
    }
}
