//! The `[data]` table: every key a user may write, with its range. Unknown keys are errors.

mod choices;
mod protocol;
mod scale;
mod split;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use choices::{
    CalendarFeature, Duplicates, Encoding, Fill, Format, Layout, TimeColumns, Transform, Unsorted,
};
pub use protocol::Protocol;
pub(crate) use protocol::Rules;
pub use scale::{Ddof, ScaleConfig, ScaleKind, ScalePer};
pub use split::SplitConfig;

use crate::error::DataError;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["path"] }, { "required": ["source"] }]))]
pub struct DataConfig {
    /// A file, or a folder with one file per series; relative to the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub path: Option<PathBuf>,
    /// A bundled data set instead of a path: `"seattle-weather"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Format of the file; `"auto"` looks at its name and first bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "auto"))]
    pub format: Format,
    /// Cell separator of a text file; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[\\u0000-\\t\\u000b\\u000c\\u000e-!#-,/:-@\\[-`{-\\u007f]$"))]
    pub delimiter: Option<char>,
    /// Decimal separator, `"."` or `","`; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[.,]$"))]
    pub decimal: Option<char>,
    /// Thousands separator; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[^-+0-9\"]$"))]
    pub thousands: Option<char>,
    /// Text encoding; `"auto"` is UTF-8 or UTF-16 by its marks, else Windows-1252.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "auto"))]
    pub encoding: Encoding,
    /// Lines before the table. Lines with a `#` before the header are left out without it.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(max = 1_000_000), extend("default" = 0))]
    pub skip_rows: usize,
    /// Whether the first line names the columns.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    #[schemars(extend("default" = true))]
    pub header: bool,
    /// Cells that mean "missing" besides the empty cell, `NA`, `NaN`, `null` and their like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub missing: Vec<String>,
    /// One column per channel, or one row per series and time; `"long"` when `id` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Column that names the series of a long table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Column of times; found when not given. Several tell a time together: `["year", "month"]`,
    /// `["date", "hour"]`. `time = ""`: rows are numbered instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeColumns>,
    /// Format of times in `strftime` notation, such as `"%d.%m.%Y %H:%M"`; found when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_format: Option<String>,
    /// Time zone of the times, such as `"Europe/Berlin"`; without it clock times are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Time step, such as `"1h"`, `"business-day"`, `"month"`; `"irregular"` takes rows as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
    /// Treatment of rows that are not in order of time.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "error"))]
    pub unsorted: Unsorted,
    /// Treatment of rows of one series that share a time.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "error"))]
    pub duplicates: Duplicates,
    /// Treatment of missing cells and rows. They stay marked as not observed, except with `"zero"`: there
    /// a missing row or cell means zero.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "mask"))]
    pub fill: Fill,
    /// Columns to forecast; every numeric column not used otherwise when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub targets: Option<Vec<String>>,
    /// Columns known up to the forecast only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub past_covariates: Vec<String>,
    /// Differences of two columns, known up to the forecast only: `[["high", "low"]]` is the range of a day,
    /// which tells of its volatility.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub spreads: Vec<[String; 2]>,
    /// Columns known for the horizon too (prices announced, promotions planned).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub future_covariates: Vec<String>,
    /// Columns constant within each series; text becomes one indicator per value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub static_covariates: Vec<String>,
    /// Calendar features, each a sine and a cosine, known for the horizon too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub calendar: Vec<CalendarFeature>,
    /// Calendar features of the first row of the horizon that the linear skip of the network sees, each as up to six
    /// pairs of sines and cosines: seasonal dummies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("default" = []))]
    pub seasonal: Vec<CalendarFeature>,
    /// Rows that the model looks back over.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub context: usize,
    /// Rows that the model forecasts.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub horizon: usize,
    /// Division of rows into training, validation and test, in order of time.
    #[serde(default)]
    pub split: SplitConfig,
    /// Share of each series' training rows to train on, the most recent ones, for learning curves. Scalers are
    /// still fitted on all training rows, so that scores of different shares have one unit.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0, "default" = 1.0))]
    pub train_fraction: f64,
    /// Rows left unused before validation and before test.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(max = 1_000_000), extend("default" = 0))]
    pub purge: usize,
    /// Transform of the targets before scaling, undone on forecasts.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "none"))]
    pub transform: Transform,
    /// Scaling of channels, fitted on training rows.
    #[serde(default)]
    pub scale: ScaleConfig,
    /// Rows between the starts of neighboring validation or test windows: 1, every row, unless given. A
    /// protocol sets its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub stride: Option<usize>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(value: &bool) -> bool {
    *value
}

fn one() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
            skip_rows: 0,
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
            spreads: Vec::new(),
            future_covariates: Vec::new(),
            static_covariates: Vec::new(),
            calendar: Vec::new(),
            seasonal: Vec::new(),
            context,
            horizon,
            split: SplitConfig::default(),
            train_fraction: 1.0,
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
        if !(self.train_fraction > 0.0 && self.train_fraction <= 1.0) {
            let value = self.train_fraction.to_string();
            return fail("train_fraction", value, "a share above 0, at most 1");
        }
        if let Some(stride) = self.stride
            && !(1..=LONGEST_WINDOW).contains(&stride)
        {
            return fail("stride", stride.to_string(), "a number of rows from 1 to 1000000");
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
        let times = self.time.as_ref().map_or(&[][..], TimeColumns::names);
        let listed = [
            ("time", times),
            ("id", self.id.as_slice()),
            ("targets", targets.unwrap_or_default()),
            ("past_covariates", self.past_covariates.as_slice()),
            ("spreads", self.spreads.as_flattened()),
            ("future_covariates", self.future_covariates.as_slice()),
            ("static_covariates", self.static_covariates.as_slice()),
        ];
        seen.extend(
            listed.iter().flat_map(|(key, names)| names.iter().map(|n| (n.as_str(), *key))),
        );
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
