//! The `split` table.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::protocol::Protocol;
use crate::error::DataError;

/// How rows are divided. Fractions, row counts, dates or a benchmark's own borders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SplitTable", into = "SplitTable")]
pub enum SplitConfig {
    /// Shares of each series, in order of time.
    Fractions {
        /// Share of training rows, above 0.
        train: f64,
        /// Share of validation rows.
        validation: f64,
        /// Share of test rows.
        test: f64,
    },
    /// Row counts of training, validation and test, from the start of each series.
    Rows([usize; 3]),
    /// Row counts of validation and test at the end of each series; at most two fifths of a short series each. All rows
    /// before them are training rows.
    Last([usize; 2]),
    /// First times of validation, test, and of the rows after the test part.
    Dates {
        /// First time of the validation part.
        validation_from: String,
        /// First time of the test part.
        test_from: String,
        /// First time after the test part; the end of the data when not given.
        until: Option<String>,
    },
    /// Borders, strides and window counts of a published benchmark.
    Protocol(Protocol),
}

impl Default for SplitConfig {
    fn default() -> Self {
        SplitConfig::Fractions { train: 0.7, validation: 0.1, test: 0.2 }
    }
}

/// The `split` table as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    train: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<usize>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<[usize; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_from: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_from: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
}

/// A time of the split, as text or as a row index.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a time as text, or a row number")]
enum Moment {
    Text(String),
    Index(i64),
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        match moment {
            Moment::Text(text) => text,
            Moment::Index(index) => index.to_string(),
        }
    }
}

/// By hand: a table of all keys does not say which of them go together.
impl JsonSchema for SplitConfig {
    fn schema_name() -> Cow<'static, str> {
        "SplitConfig".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rows = |least: u8| json_schema!({ "type": "integer", "minimum": least });
        let share = json_schema!({ "type": "number", "minimum": 0, "maximum": 1 });
        let time =
            |what: &str| json_schema!({ "type": ["string", "integer"], "description": what });
        json_schema!({
            "description": "Division of rows: fractions, row counts, dates or a benchmark's own borders.",
            "oneOf": [
                {
                    "description": "Shares of each series, in order of time; their sum is at most 1.",
                    "type": "object",
                    "properties": {
                        "train": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
                        "validation": share,
                        "test": share,
                    },
                    "required": ["train", "validation", "test"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "rows": {
                        "description": "Rows of training, validation and test.",
                        "type": "array",
                        "prefixItems": [rows(1), rows(0), rows(0)],
                        "minItems": 3,
                        "maxItems": 3,
                    } },
                    "required": ["rows"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "last": {
                        "description": "Rows of validation and test at the end of each series.",
                        "type": "array",
                        "prefixItems": [rows(0), rows(0)],
                        "minItems": 2,
                        "maxItems": 2,
                    } },
                    "required": ["last"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": {
                        "validation_from": time("First time of the validation part."),
                        "test_from": time("First time of the test part."),
                        "until": time("First time after the test part; the end of the data when not given."),
                    },
                    "required": ["validation_from", "test_from"],
                    "additionalProperties": false,
                },
                {
                    "type": "object",
                    "properties": { "protocol": generator.subschema_for::<Protocol>() },
                    "required": ["protocol"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

impl TryFrom<SplitTable> for SplitConfig {
    type Error = DataError;

    fn try_from(table: SplitTable) -> Result<Self, DataError> {
        let one_of = || DataError::Config {
            key: "split",
            value: "(this combination of keys)".into(),
            expected: "one of { train, validation, test }, { rows = [train, validation, test] }, \
                       { last = [validation, test] }, \
                       { validation_from, test_from } with or without `until`, { protocol }"
                .into(),
        };
        let SplitTable {
            train,
            validation,
            test,
            rows,
            last,
            validation_from,
            test_from,
            until,
            protocol,
        } = table;
        let alone = [train, validation, test].iter().all(Option::is_none)
            && rows.is_none()
            && [&validation_from, &test_from, &until].iter().all(|time| time.is_none())
            && protocol.is_none();
        if let Some(last) = last.filter(|_| alone) {
            return Ok(SplitConfig::Last(last));
        }
        if last.is_some() {
            return Err(one_of());
        }
        let split =
            match (train, validation, test, rows, validation_from, test_from, until, protocol) {
                (Some(train), Some(validation), Some(test), None, None, None, None, None) => {
                    SplitConfig::Fractions { train, validation, test }
                }
                (None, None, None, Some(rows), None, None, None, None) => {
                    SplitConfig::Rows(rows.try_into().map_err(|rows: Vec<usize>| {
                        let (key, expected) = ("split.rows", "[training, validation, test] rows");
                        DataError::Config {
                            key,
                            value: format!("{rows:?}"),
                            expected: expected.into(),
                        }
                    })?)
                }
                (None, None, None, None, Some(validation), Some(test), until, None) => {
                    SplitConfig::Dates {
                        validation_from: validation.into(),
                        test_from: test.into(),
                        until: until.map(String::from),
                    }
                }
                (None, None, None, None, None, None, None, Some(protocol)) => {
                    SplitConfig::Protocol(protocol)
                }
                _ => return Err(one_of()),
            };
        split.validate()?;
        Ok(split)
    }
}

impl From<SplitConfig> for SplitTable {
    fn from(split: SplitConfig) -> Self {
        let mut table = SplitTable {
            train: None,
            validation: None,
            test: None,
            rows: None,
            last: None,
            validation_from: None,
            test_from: None,
            until: None,
            protocol: None,
        };
        match split {
            SplitConfig::Fractions { train, validation, test } => {
                (table.train, table.validation, table.test) =
                    (Some(train), Some(validation), Some(test));
            }
            SplitConfig::Rows(rows) => table.rows = Some(rows.to_vec()),
            SplitConfig::Last(rows) => table.last = Some(rows),
            SplitConfig::Dates { validation_from, test_from, until } => {
                table.validation_from = Some(Moment::Text(validation_from));
                table.test_from = Some(Moment::Text(test_from));
                table.until = until.map(Moment::Text);
            }
            SplitConfig::Protocol(protocol) => table.protocol = Some(protocol),
        }
        table
    }
}

impl SplitConfig {
    pub(super) fn validate(&self) -> Result<(), DataError> {
        match *self {
            SplitConfig::Fractions { train, validation, test } => {
                let ok = train > 0.0
                    && validation >= 0.0
                    && test >= 0.0
                    && train + validation + test <= 1.0 + 1e-9;
                if !ok {
                    return Err(DataError::Config {
                        key: "split",
                        value: format!(
                            "{{ train = {train}, validation = {validation}, test = {test} }}"
                        ),
                        expected: "train above 0, the others 0 or more, a sum of at most 1".into(),
                    });
                }
            }
            SplitConfig::Rows(rows) => {
                if rows[0] == 0 || rows.iter().try_fold(0usize, |a, &b| a.checked_add(b)).is_none()
                {
                    return Err(DataError::Config {
                        key: "split.rows",
                        value: format!("{rows:?}"),
                        expected: "[training, validation, test] rows, training above 0".into(),
                    });
                }
            }
            SplitConfig::Last(_) | SplitConfig::Dates { .. } | SplitConfig::Protocol(_) => {}
        }
        Ok(())
    }
}
