//! The `scale` key.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::DataError;

/// Scaling of channels: a name, or a table with `kind`, `per` and `ddof`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "ScaleTable")]
#[schemars(try_from = "ScaleTable")]
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
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum ScaleTable {
    Kind(ScaleKind),
    Table(ScaleKeys),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScaleKeys {
    kind: ScaleKind,
    #[serde(default)]
    per: ScalePer,
    #[serde(default)]
    #[schemars(extend("maximum" = 1))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScalePer {
    /// The training rows of each series by itself.
    #[default]
    Series,
    /// The training rows of all series together; also fits series that come later.
    All,
}

/// The divisor of the variance, `n − ddof`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
