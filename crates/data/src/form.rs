//! The form of a table, by which later tables are read the same way.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::DataConfig;
use crate::error::DataError;
use crate::panel::Panel;
use crate::read::assemble::{Trained, assemble_with};
use crate::reading::Reading;
use crate::statics::Encoder;
use crate::time::Frequency;

/// How a table was read: its columns by role, the form of its times and numbers, its time step. Without a model, where a
/// [`crate::Pipeline`] has this and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableForm {
    config: DataConfig,
    frequency: Frequency,
    encoders: Vec<Encoder>,
    reading: Reading,
}

impl TableForm {
    /// The form of a panel that was read by `config`.
    pub fn of(panel: &Panel, config: &DataConfig) -> TableForm {
        let channels = panel.channels();
        TableForm {
            config: DataConfig {
                targets: Some(channels.names()[channels.targets()].to_vec()),
                ..config.clone()
            },
            frequency: panel.frequency(),
            encoders: panel.encoders.clone(),
            reading: panel.reading().clone(),
        }
    }

    /// The `[data]` table of the first table.
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// The time step.
    pub fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// How times and numbers were read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The same form for tables that are written as `config` says, see [`crate::Pipeline::rereading`].
    #[must_use]
    pub fn rereading(&self, config: &DataConfig) -> TableForm {
        let mut reading = Some(self.reading.clone());
        let config = written_as(&self.config, &mut reading, config);
        TableForm { config, reading: reading.unwrap_or_default(), ..self.clone() }
    }

    /// Reads `path` as the first table was read, without calendar features.
    ///
    /// # Errors
    /// [`DataError`]: the file's own faults; one that is not written as the first table was, or has another time step.
    pub fn read(&self, path: &Path) -> Result<Panel, DataError> {
        self.config.validate()?;
        let config =
            DataConfig { path: Some(path.to_path_buf()), source: None, ..self.config.clone() };
        let trained = Trained {
            frequency: self.frequency,
            encoders: &self.encoders,
            reading: Some(&self.reading),
        };
        read_as(&config, trained)
    }
}

/// The table that `config` names, read as that of a trained model was, without calendar features.
pub(crate) fn read_as(config: &DataConfig, trained: Trained<'_>) -> Result<Panel, DataError> {
    let base = Path::new("");
    let table = crate::read::read_table(config, base, trained.reading)?;
    let where_from = crate::read::where_from(config, base);
    let bare = DataConfig { calendar: Vec::new(), ..config.clone() };
    assemble_with(table, &bare, &where_from, Some(trained))
}

/// `old` with the keys of `config` for the form of a file, its times and its order. What was found about them in the
/// first table is forgotten where the keys differ.
pub(crate) fn written_as(
    old: &DataConfig,
    reading: &mut Option<Reading>,
    config: &DataConfig,
) -> DataConfig {
    if let Some(reading) = reading {
        if config.delimiter != old.delimiter {
            reading.delimiter = config.delimiter;
        }
        if (config.decimal, config.thousands) != (old.decimal, old.thousands) {
            reading.numbers = None;
        }
    }
    DataConfig {
        format: config.format,
        delimiter: config.delimiter,
        decimal: config.decimal,
        thousands: config.thousands,
        encoding: config.encoding,
        skip_rows: config.skip_rows,
        header: config.header,
        missing: config.missing.clone(),
        id: config.id.clone(),
        time: config.time.clone(),
        time_format: config.time_format.clone(),
        time_zone: config.time_zone.clone(),
        unsorted: config.unsorted,
        duplicates: config.duplicates,
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Days that only the first table tells from months, and a decimal comma that only it shows.
    #[test]
    fn a_later_table_is_read_as_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |days: std::ops::Range<u32>| -> String {
            days.map(|day| format!("{day:02}.01.2024;{day},5\n")).collect()
        };
        let first = write(&folder, "a.csv", &format!("day;x\n{}", rows(1..20)));
        let config = DataConfig { path: Some(first), ..DataConfig::new("", 1, 1) };
        let (panel, config) = crate::discover(&config, Path::new("")).unwrap();
        let form = TableForm::of(&panel, &config);
        let text = serde_json::to_string(&form).unwrap();
        let form: TableForm = serde_json::from_str(&text).unwrap();
        let later = write(&folder, "b.csv", &format!("day;x\n{}", rows(1..8)));
        let again = form.read(&later).unwrap();
        assert_eq!(again.time(6).unwrap(), panel.time(6).unwrap());
        assert_eq!(again.values()[6], 7.5);
        // One that is written otherwise needs to be told.
        let other = write(&folder, "c.csv", "day;x\n2024-01-01;1,5\n2024-01-02;2,5\n");
        assert!(form.read(&other).is_err());
        let told = DataConfig { time_format: Some("%Y-%m-%d".into()), ..config };
        assert_eq!(form.rereading(&told).read(&other).unwrap().values(), [1.5, 2.5]);
    }
}
