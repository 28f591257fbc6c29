//! The `[data]` table: every key a user may write, with its range. Unknown keys are errors.

use std::fmt;
use std::path::PathBuf;

use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::calendar::CalendarFeature;
use crate::error::DataError;
use crate::protocol::Protocol;

/// The `[data]` table. `path` or `source`, `context` and `horizon` are required; the rest has defaults.
///
/// ```
/// let config: data::DataConfig = toml::from_str(r#"
///     path = "etth1.csv"
///     time = "date"
///     targets = ["OT"]
///     context = 96
///     horizon = 24
///     split = { train = 0.7, validation = 0.1, test = 0.2 }
/// "#).unwrap();
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A file, or a folder with one file per series; relative to the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A bundled data set instead of a path: `"seattle-weather"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How the file is written; `"auto"` looks at its name and first bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: Format,
    /// Cell separator of a text file; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Decimal separator, `"."` or `","`; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// Thousands separator; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// Text encoding; `"auto"` is UTF-8 or UTF-16 by its marks, else Windows-1252.
    #[serde(default, skip_serializing_if = "is_default")]
    pub encoding: Encoding,
    /// Whether the first line names the columns.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub header: bool,
    /// Cells that mean "missing" besides the empty cell, `NA`, `NaN`, `null` and their like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// One column per channel, or one row per series and time; `"long"` when `id` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Column that names the series of a long table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Column of times; found when not given. `time = ""`: rows are numbered instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How times are written, in `strftime` notation such as `"%d.%m.%Y %H:%M"`; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_format: Option<String>,
    /// Time zone of the times, such as `"Europe/Berlin"`; without it clock times are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Time step, such as `"1h"`, `"business-day"`, `"month"`; `"irregular"` takes rows as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    /// What to do with rows that are not in order of time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unsorted: Unsorted,
    /// What to do with rows of one series that share a time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub duplicates: Duplicates,
    /// What stands in for missing cells and rows. They stay marked as not observed in every case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fill: Fill,
    /// Columns to forecast; every numeric column not used otherwise when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// Columns known up to the forecast only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past_covariates: Vec<String>,
    /// Columns known for the horizon too (prices announced, promotions planned).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub future_covariates: Vec<String>,
    /// Columns constant within each series; text becomes one indicator per value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_covariates: Vec<String>,
    /// Calendar features, each a sine and a cosine, known for the horizon too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendar: Vec<CalendarFeature>,
    /// Rows the model looks back over, at least 1.
    pub context: usize,
    /// Rows the model forecasts, at least 1.
    pub horizon: usize,
    /// How rows are divided into training, validation and test.
    #[serde(default)]
    pub split: SplitConfig,
    /// Rows left unused before validation and before test.
    #[serde(default, skip_serializing_if = "is_default")]
    pub purge: usize,
    /// Applied to the targets before scaling, undone on forecasts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub transform: Transform,
    /// How channels are brought to one scale.
    #[serde(default)]
    pub scale: ScaleConfig,
    /// Rows between the starts of neighboring validation or test windows, at least 1. A protocol
    /// sets its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How the table is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Layout {
    /// One column per channel, one series per file.
    Wide,
    /// One row per series and time; the series is named by the column `id`.
    Long,
}

/// What to do with rows out of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unsorted {
    /// Refuse, naming the first such row of every series.
    #[default]
    Error,
    /// Sort each series by time.
    Sort,
}

/// What to do with rows of one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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

/// What stands in for a missing cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Fill {
    /// Nothing: the cell is NaN and marked as not observed.
    #[default]
    Mask,
    /// The last observed value before it.
    Forward,
    /// The line between its observed neighbors. Looks ahead: within a context that ends in a gap it
    /// uses the value after the gap. Never reaches over a split border.
    Interpolate,
    /// Refuse tables with missing cells or rows.
    Error,
}

/// An invertible map of target values, before scaling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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

/// How rows are divided. Fractions, row counts, dates or a benchmark's own borders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SplitTable", into = "SplitTable")]
#[non_exhaustive]
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
    rows: Option<[usize; 3]>,
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
#[serde(untagged)]
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

impl TryFrom<SplitTable> for SplitConfig {
    type Error = DataError;

    fn try_from(table: SplitTable) -> Result<Self, DataError> {
        let one_of = || DataError::Config {
            key: "split",
            value: "(this combination of keys)".into(),
            expected: "one of { train, validation, test }, { rows = [train, validation, test] }, \
                       { validation_from, test_from } with or without `until`, { protocol }"
                .into(),
        };
        let SplitTable {
            train,
            validation,
            test,
            rows,
            validation_from,
            test_from,
            until,
            protocol,
        } = table;
        let split =
            match (train, validation, test, rows, validation_from, test_from, until, protocol) {
                (Some(train), Some(validation), Some(test), None, None, None, None, None) => {
                    SplitConfig::Fractions { train, validation, test }
                }
                (None, None, None, Some(rows), None, None, None, None) => SplitConfig::Rows(rows),
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
            SplitConfig::Rows(rows) => table.rows = Some(rows),
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
    fn validate(&self) -> Result<(), DataError> {
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
            SplitConfig::Dates { .. } | SplitConfig::Protocol(_) => {}
        }
        Ok(())
    }
}

/// How channels are brought to one scale: a name, or a table with `kind`, `per` and `ddof`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "ScaleTable")]
pub struct ScaleConfig {
    /// Which statistics.
    pub kind: ScaleKind,
    /// Over which rows.
    pub per: ScalePer,
    /// Subtracted from the row count in the variance: 1 (unbiased) or 0 (population).
    pub ddof: Ddof,
}

impl Default for ScaleConfig {
    fn default() -> Self {
        ScaleConfig { kind: ScaleKind::Standard, per: ScalePer::Series, ddof: Ddof::Unbiased }
    }
}

/// `scale = "standard"` or `scale = { kind = "standard", per = "all", ddof = 0 }`.
#[derive(Serialize)]
#[serde(untagged)]
enum ScaleTable {
    Kind(ScaleKind),
    Table(ScaleKeys),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleKeys {
    kind: ScaleKind,
    #[serde(default)]
    per: ScalePer,
    #[serde(default)]
    ddof: Ddof,
}

impl<'de> Deserialize<'de> for ScaleConfig {
    /// By hand, so that a misspelled kind is answered with the choices, not with "no variant matched".
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = ScaleConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scaler's name or a table with `kind`, `per` and `ddof`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ScaleConfig, E> {
                let kind = ScaleKind::deserialize(name.into_deserializer())?;
                Ok(ScaleConfig { kind, ..ScaleConfig::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScaleConfig, A::Error> {
                let keys = ScaleKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let ScaleKeys { kind, per, ddof } = keys;
                Ok(ScaleConfig { kind, per, ddof })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

impl From<ScaleConfig> for ScaleTable {
    fn from(scale: ScaleConfig) -> Self {
        let ScaleConfig { kind, per, ddof } = scale;
        if scale == (ScaleConfig { kind, ..ScaleConfig::default() }) {
            ScaleTable::Kind(kind)
        } else {
            ScaleTable::Table(ScaleKeys { kind, per, ddof })
        }
    }
}

/// Which statistics a scaler uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ScaleKind {
    /// Mean and standard deviation.
    Standard,
    /// Median and interquartile range over 1.349 (its value for a unit Gaussian).
    Robust,
    /// Zero and the largest absolute value.
    MaxAbs,
    /// Values as they are.
    None,
}

/// Over which rows a scaler's statistics are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ScalePer {
    /// The training rows of each series by itself.
    #[default]
    Series,
    /// The training rows of all series together; also fits series that come later.
    All,
}

/// The divisor of the variance, `n − ddof`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Ddof {
    /// `n`: the population variance.
    Population,
    /// `n − 1`: the unbiased sample variance.
    #[default]
    Unbiased,
}

impl TryFrom<u8> for Ddof {
    type Error = DataError;

    fn try_from(value: u8) -> Result<Self, DataError> {
        match value {
            0 => Ok(Ddof::Population),
            1 => Ok(Ddof::Unbiased),
            _ => Err(DataError::Config {
                key: "scale.ddof",
                value: value.to_string(),
                expected: "0 or 1".into(),
            }),
        }
    }
}

impl From<Ddof> for u8 {
    fn from(ddof: Ddof) -> u8 {
        match ddof {
            Ddof::Population => 0,
            Ddof::Unbiased => 1,
        }
    }
}

impl DataConfig {
    /// A configuration with every key at its default.
    pub fn new(path: impl Into<PathBuf>, context: usize, horizon: usize) -> Self {
        DataConfig {
            path: Some(path.into()),
            source: None,
            format: Format::Auto,
            delimiter: None,
            decimal: None,
            thousands: None,
            encoding: Encoding::Auto,
            header: true,
            missing: Vec::new(),
            layout: None,
            id: None,
            time: None,
            time_format: None,
            time_zone: None,
            frequency: None,
            unsorted: Unsorted::Error,
            duplicates: Duplicates::Error,
            fill: Fill::Mask,
            targets: None,
            past_covariates: Vec::new(),
            future_covariates: Vec::new(),
            static_covariates: Vec::new(),
            calendar: Vec::new(),
            context,
            horizon,
            split: SplitConfig::default(),
            purge: 0,
            transform: Transform::None,
            scale: ScaleConfig::default(),
            stride: None,
        }
    }

    /// A configuration of a bundled data set, every other key at its default.
    pub fn bundled(source: impl Into<String>, context: usize, horizon: usize) -> Self {
        DataConfig {
            path: None,
            source: Some(source.into()),
            ..DataConfig::new("", context, horizon)
        }
    }

    /// Checks every rule that does not need the file.
    ///
    /// # Errors
    /// [`DataError::Config`] naming key, value and range.
    pub fn validate(&self) -> Result<(), DataError> {
        let fail = |key: &'static str, value: String, expected: &str| {
            Err(DataError::Config { key, value, expected: expected.into() })
        };
        match (&self.path, &self.source) {
            (Some(path), Some(source)) => {
                let value = format!("{:?} beside path = {:?}", source, path.display());
                return fail("source", value, "either path or source, not both");
            }
            (None, None) => {
                return fail("path", "(not given)".into(), "a file, a folder, or `source`");
            }
            (Some(path), None) if path.as_os_str().is_empty() => {
                return fail("path", "\"\"".into(), "a file or a folder");
            }
            _ => {}
        }
        for (key, length) in [("context", self.context), ("horizon", self.horizon)] {
            if !(1..=LONGEST_WINDOW).contains(&length) {
                return fail(key, length.to_string(), "a number of rows from 1 to 1000000");
            }
        }
        if self.purge > LONGEST_WINDOW {
            return fail("purge", self.purge.to_string(), "a number of rows from 0 to 1000000");
        }
        if self.stride == Some(0) {
            return fail("stride", "0".into(), "a number of rows from 1");
        }
        self.validate_text()?;
        self.validate_roles()?;
        self.split.validate()
    }

    fn validate_text(&self) -> Result<(), DataError> {
        let fail = |key: &'static str, value: char, expected: &str| {
            Err(DataError::Config { key, value: format!("{value:?}"), expected: expected.into() })
        };
        if let Some(c) = self.delimiter
            && !(c.is_ascii()
                && !c.is_ascii_alphanumeric()
                && !matches!(c, '"' | '\n' | '\r' | '.' | '-'))
        {
            return fail(
                "delimiter",
                c,
                "one of \",\", \";\", \"\\t\", \"|\", \" \" or another ASCII sign",
            );
        }
        if let Some(c) = self.decimal
            && !matches!(c, '.' | ',')
        {
            return fail("decimal", c, "\".\" or \",\"");
        }
        if let Some(c) = self.thousands
            && (c.is_ascii_digit() || matches!(c, '-' | '+' | '"') || Some(c) == self.decimal)
        {
            return fail("thousands", c, "a sign other than the decimal separator");
        }
        match (self.layout, &self.id) {
            (Some(Layout::Long), None) => Err(DataError::Config {
                key: "id",
                value: "(not given)".into(),
                expected: "the column that names the series, for layout = \"long\"".into(),
            }),
            (Some(Layout::Wide), Some(id)) => Err(DataError::Config {
                key: "id",
                value: format!("{id:?}"),
                expected: "layout = \"long\", or no id".into(),
            }),
            _ => Ok(()),
        }
    }

    fn validate_roles(&self) -> Result<(), DataError> {
        let targets = self.targets.as_deref();
        if targets.is_some_and(<[String]>::is_empty) {
            return Err(DataError::Config {
                key: "targets",
                value: "[]".into(),
                expected: "at least one column, or leave the key out for all".into(),
            });
        }
        let mut seen: Vec<(&str, &'static str)> = Vec::new();
        let single = [("time", &self.time), ("id", &self.id)];
        let listed = [
            ("targets", targets.unwrap_or_default()),
            ("past_covariates", self.past_covariates.as_slice()),
            ("future_covariates", self.future_covariates.as_slice()),
            ("static_covariates", self.static_covariates.as_slice()),
        ];
        let singles = single.iter().filter_map(|(key, name)| Some((name.as_deref()?, *key)));
        let lists = listed.iter().flat_map(|(key, names)| names.iter().map(|n| (n.as_str(), *key)));
        for (name, key) in singles.chain(lists) {
            seen.push((name, key));
        }
        seen.sort_unstable();
        for pair in seen.windows(2) {
            if pair[0].0 == pair[1].0 {
                return Err(DataError::Config {
                    key: pair[1].1,
                    value: format!("{:?}", pair[1].0),
                    expected: format!("a column used once (it is under `{}` too)", pair[0].1),
                });
            }
        }
        Ok(())
    }
}

/// The longest context or horizon: beyond it a slip of the keyboard is likelier than a wish.
const LONGEST_WINDOW: usize = 1_000_000;
