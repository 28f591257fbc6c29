//! The weight of the KL term as a pure function of the optimizer step.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{ObjectiveError, Result, check_range};

/// The weight of the KL term over training.
///
/// In a config it is either a number (constant) or a table with a `schedule`:
///
/// ```text
/// kl_weight = 1.0
/// kl_weight = { schedule = "linear", steps = 500 }                       # 0 to 1 over 500 steps
/// kl_weight = { schedule = "cyclical", period = 1000, cycles = 4 }       # half of each period rising
/// ```
///
/// ```
/// use objective::elbo::KlWeight;
///
/// let warm_up = KlWeight::linear(0.0, 1.0, 500)?;
/// assert_eq!([0, 250, 500, 9_000].map(|step| warm_up.at(step)), [0.0, 0.5, 1.0, 1.0]);
/// # Ok::<(), objective::ObjectiveError>(())
/// ```
///
/// # References
/// Linear: Bowman et al. (2016), arXiv:1511.06349. Cyclical: Fu et al. (2019), arXiv:1903.10145.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(into = "Written")]
#[schemars(try_from = "Written")]
pub struct KlWeight(Schedule);

/// Invariant: weights are finite and not negative, `steps` and `period` positive, `0 < rise <= 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Schedule {
    Constant(f64),
    Linear { start: f64, end: f64, steps: u64 },
    Cyclical { start: f64, end: f64, period: u64, cycles: u64, rise: f64 },
}

impl KlWeight {
    /// The same weight at every step.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn constant(weight: f64) -> Result<Self> {
        check_weight("kl_weight", weight)?;
        Ok(Self(Schedule::Constant(weight)))
    }

    /// A linear ramp from `start` to `end` over `steps` optimizer steps, and `end` from there on.
    ///
    /// # Errors
    /// If a weight is negative or not finite, or `steps` is 0 or above 10⁹.
    pub fn linear(start: f64, end: f64, steps: u64) -> Result<Self> {
        check_weight("kl_weight.start", start)?;
        check_weight("kl_weight.end", end)?;
        check_count("kl_weight.steps", steps)?;
        Ok(Self(Schedule::Linear { start, end, steps }))
    }

    /// `cycles` periods of `period` optimizer steps each: a linear ramp from `start` to `end` over the share `rise`
    /// of the period, then `end` for the rest of it. After the last cycle the weight stays at `end`.
    ///
    /// # Errors
    /// If a weight is negative or not finite, `period` or `cycles` is 0 or above 10⁹, or `rise` is outside (0, 1].
    pub fn cyclical(start: f64, end: f64, period: u64, cycles: u64, rise: f64) -> Result<Self> {
        check_weight("kl_weight.start", start)?;
        check_weight("kl_weight.end", end)?;
        check_count("kl_weight.period", period)?;
        check_count("kl_weight.cycles", cycles)?;
        check_range("kl_weight.rise", rise, "(0, 1]", 0.0 < rise && rise <= 1.0)?;
        Ok(Self(Schedule::Cyclical { start, end, period, cycles, rise }))
    }

    /// The weight at an optimizer step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        let ramp = |start: f64, end: f64, share: f64| start + (end - start) * share.min(1.0);
        match self.0 {
            Schedule::Constant(weight) => weight,
            Schedule::Linear { start, end, steps } => ramp(start, end, step as f64 / steps as f64),
            Schedule::Cyclical { end, period, cycles, .. } if step / period >= cycles => end,
            Schedule::Cyclical { start, end, period, rise, .. } => {
                ramp(start, end, (step % period) as f64 / (period as f64 * rise))
            }
        }
    }
}

/// Largest number of steps, periods and cycles.
const MAX_STEPS: u64 = 1_000_000_000;

fn check_count(what: &'static str, count: u64) -> Result<()> {
    check_range(what, count as f64, "[1, 1e9]", (1..=MAX_STEPS).contains(&count))
}

fn check_weight(what: &'static str, weight: f64) -> Result<()> {
    check_range(what, weight, "[0, ∞)", (0.0..f64::INFINITY).contains(&weight))
}

/// A [`KlWeight`] as written in a configuration.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Number(#[schemars(range(min = 0))] f64),
    Table(Table),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "schedule", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "KlSchedule")]
enum Table {
    Constant {
        #[serde(default = "one")]
        #[schemars(range(min = 0))]
        end: f64,
    },
    Linear {
        #[serde(default)]
        #[schemars(range(min = 0))]
        start: f64,
        #[serde(default = "one")]
        #[schemars(range(min = 0))]
        end: f64,
        #[schemars(range(min = 1, max = MAX_STEPS))]
        steps: u64,
    },
    Cyclical {
        #[serde(default)]
        #[schemars(range(min = 0))]
        start: f64,
        #[serde(default = "one")]
        #[schemars(range(min = 0))]
        end: f64,
        #[schemars(range(min = 1, max = MAX_STEPS))]
        period: u64,
        #[schemars(range(min = 1, max = MAX_STEPS))]
        cycles: u64,
        #[serde(default = "half")]
        #[schemars(extend("exclusiveMinimum" = 0), range(max = 1))]
        rise: f64,
    },
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

impl From<KlWeight> for Written {
    fn from(weight: KlWeight) -> Self {
        match weight.0 {
            Schedule::Constant(weight) => Self::Number(weight),
            Schedule::Linear { start, end, steps } => {
                Self::Table(Table::Linear { start, end, steps })
            }
            Schedule::Cyclical { start, end, period, cycles, rise } => {
                Self::Table(Table::Cyclical { start, end, period, cycles, rise })
            }
        }
    }
}

impl TryFrom<Table> for KlWeight {
    type Error = ObjectiveError;

    fn try_from(table: Table) -> Result<Self> {
        match table {
            Table::Constant { end } => Self::constant(end),
            Table::Linear { start, end, steps } => Self::linear(start, end, steps),
            Table::Cyclical { start, end, period, cycles, rise } => {
                Self::cyclical(start, end, period, cycles, rise)
            }
        }
    }
}

// Written by hand: a derived untagged enum answers every mistake with "did not match any variant".
impl<'de> Deserialize<'de> for KlWeight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(WeightVisitor)
    }
}

struct WeightVisitor;

impl<'de> Visitor<'de> for WeightVisitor {
    type Value = KlWeight;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a table with `schedule`")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<KlWeight, E> {
        KlWeight::constant(value).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<KlWeight, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<KlWeight, E> {
        self.visit_f64(value as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<KlWeight, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        KlWeight::try_from(table).map_err(de::Error::custom)
    }
}
