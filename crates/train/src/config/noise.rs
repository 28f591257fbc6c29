//! The `noise` key: a table, or `"auto"`.

use std::fmt;
use std::path::Path;

use noise::{NoiseConfig, NoiseTable};
use schemars::JsonSchema;
use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};

use super::{ConfigError, Located, read};

/// Noise of training windows, given by a table or chosen on validation windows; the default is no noise.
///
/// ```text
/// noise = "auto"
/// noise = { auto = { budget = 0.5 } }
/// [noise]                              # or any table of the crate `noise`
/// schedule = "linear"
/// ```
///
/// ```
/// use train::{Config, Noise};
///
/// let text = "noise = \"auto\"\n[data]\nsource = \"seattle-weather\"\ncontext = 28\nhorizon = 7";
/// let config = Config::parse(text, "mine.toml", &[])?;
/// assert!(matches!(config.noise, Noise::Auto(auto) if auto.budget == 1.0));
/// # Ok::<(), train::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(into = "Written")]
#[schemars(try_from = "Written")]
#[allow(clippy::large_enum_variant, reason = "a run has one")]
pub enum Noise {
    /// The noise that a table describes.
    Fixed(NoiseConfig),
    /// The best of several candidates, which include no noise: [`record::NoiseSearch`].
    Auto(AutoNoise),
}

/// The table `noise = { auto = { … } }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoNoise {
    /// Upper bound on the search, as a multiple of the optimizer steps of the training.
    #[schemars(range(max = 10), extend("exclusiveMinimum" = 0))]
    pub budget: f64,
}

impl Default for AutoNoise {
    fn default() -> Self {
        AutoNoise { budget: 1.0 }
    }
}

impl AutoNoise {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        if self.budget > 0.0 && self.budget <= 10.0 {
            return Ok(());
        }
        let range = "above 0, at most 10 times the steps of the training".to_owned();
        let value = self.budget.to_string();
        Err(ConfigError::Range { key: "noise.auto.budget", value, range })
    }
}

impl Noise {
    /// Reads the `noise` of a TOML file, such as the config of another run; other keys are ignored.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column where the file is at fault.
    pub fn load(path: &Path) -> Result<Noise, ConfigError> {
        let text = read(path)?;
        let origin = path.display().to_string();
        let parsed = toml::Deserializer::parse(&text)
            .map_err(|error| Located { key: ".".to_owned(), error })
            .and_then(|table| Ok(serde_path_to_error::deserialize::<_, NoiseFile>(table)?));
        Ok(parsed.map_err(|fault| fault.in_file(&text, &origin))?.noise)
    }

    /// The noise; `None` if it is still to be chosen.
    pub fn fixed(&self) -> Option<&NoiseConfig> {
        match self {
            Noise::Fixed(noise) => Some(noise),
            Noise::Auto(_) => None,
        }
    }
}

impl Default for Noise {
    fn default() -> Self {
        Noise::Fixed(NoiseConfig::default())
    }
}

/// Name of the schedule, with the shape unless it is white; or `auto`.
impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Noise::Fixed(noise) => {
                write!(f, "{:?}", noise.table().schedule)?;
                if noise.shape().is_coherent() {
                    write!(f, " ({}, {})", noise.shape(), noise.space())?;
                }
                Ok(())
            }
            Noise::Auto(AutoNoise { budget }) => write!(f, "auto (budget {budget})"),
        }
    }
}

/// A file read by [`Noise::load`].
#[derive(Deserialize)]
struct NoiseFile {
    noise: Noise,
}

/// The forms in which a [`Noise`] may be written.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "`Word` is read, and written as a table")]
#[allow(clippy::large_enum_variant, reason = "a run has one")]
enum Written {
    Word(Word),
    Auto(AutoTable),
    Fixed(NoiseConfig),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code, reason = "`auto` is read, and written as a table")]
enum Word {
    /// Chosen on validation windows, with the default budget.
    Auto,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AutoTable {
    /// Chosen on validation windows.
    auto: AutoNoise,
}

impl From<Noise> for Written {
    fn from(noise: Noise) -> Self {
        match noise {
            Noise::Fixed(noise) => Written::Fixed(noise),
            Noise::Auto(auto) => Written::Auto(AutoTable { auto }),
        }
    }
}

// Written by hand, since an untagged enum answers every mistake with "did not match any variant".
impl<'de> Deserialize<'de> for Noise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoiseVisitor)
    }
}

struct NoiseVisitor;

impl<'de> Visitor<'de> for NoiseVisitor {
    type Value = Noise;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\" or a table")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Noise, E> {
        match word {
            "auto" => Ok(Noise::Auto(AutoNoise::default())),
            _ => Err(E::custom(format!(
                "unknown choice `{word}`, expected `auto` or a table such as `{{ schedule = \"none\" }}`"
            ))),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Noise, M::Error> {
        let mut kept = Kept::default();
        let table = NoiseTable::deserialize(Aside { map, kept: &mut kept });
        match kept {
            // With `auto` the schedule may be left out.
            Kept { auto: Some(auto), other: None, whole: true } => Ok(Noise::Auto(auto)),
            Kept { auto: Some(_), other: Some(key), whole: true } => {
                Err(M::Error::custom(format!(
                    "`auto` and `{key}` exclude each other: leave one out, or replace the whole table, as in \
                 --set noise=auto"
                )))
            }
            _ => NoiseConfig::try_from(table?).map(Noise::Fixed).map_err(M::Error::custom),
        }
    }
}

/// The findings on a table that is either a [`NoiseTable`] or holds `auto`.
#[derive(Default)]
struct Kept {
    auto: Option<AutoNoise>,
    /// A key that is not `auto`.
    other: Option<String>,
    /// Whether all keys were read without an error.
    whole: bool,
}

/// A table that sets `auto` aside and passes on the other keys.
struct Aside<'a, M> {
    map: M,
    kept: &'a mut Kept,
}

impl<'de, M: MapAccess<'de>> Deserializer<'de> for Aside<'_, M> {
    type Error = M::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, M::Error> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, M::Error> {
        visitor.visit_map(Keys { aside: self, known })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Keys<'a, M> {
    aside: Aside<'a, M>,
    known: &'static [&'static str],
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Keys<'_, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        let Aside { map, kept } = &mut self.aside;
        loop {
            let Some(key) = map.next_key_seed(Key { known: self.known })? else {
                kept.whole = true;
                return Ok(None);
            };
            if key == "auto" {
                kept.auto = Some(map.next_value()?);
                continue;
            }
            kept.other.get_or_insert_with(|| key.clone());
            let key: StringDeserializer<M::Error> = key.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.aside.map.next_value_seed(seed)
    }
}

/// A known key; the error for an unknown one has its place in the file.
struct Key {
    known: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        if key == "auto" || self.known.contains(&key.as_str()) {
            return Ok(key);
        }
        let known = self.known.join("`, `");
        Err(de::Error::custom(format!("unknown field `{key}`, expected one of `auto`, `{known}`")))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn parse(noise: &str) -> Result<Config, String> {
        let data = "[data]\nsource = \"seattle-weather\"\ncontext = 28\nhorizon = 7\n";
        let text = format!("{noise}\n{data}");
        Config::parse(&text, "a.toml", &[]).map_err(|error| error.to_string())
    }

    /// The message for a mistake names the key, the value, the allowed values, and the word that was probably meant.
    #[test]
    fn mistakes_are_named() {
        for (noise, expected) in [
            ("noise = \"auot\"", ["a.toml:1:9", "`auot`", "did you mean `auto`?"]),
            ("noise = \"none\"", ["a.toml:1:9", "`none`", "schedule = \"none\""]),
            ("noise = 3", ["a.toml:1:9", "integer `3`", "\"auto\" or a table"]),
            ("noise = { aut = {} }", ["a.toml:1:11", "`aut`", "did you mean `auto`?"]),
            ("noise = {}", ["a.toml:1:9", "`noise`", "missing field `schedule`"]),
            ("noise = { steps = 5 }", ["a.toml:1:9", "missing field `schedule`", "hint: name one"]),
            ("noise = { stepz = 1 }", ["a.toml:1:11", "`stepz`", "did you mean `steps`?"]),
            (
                "noise = { auto = { budgte = 1 } }",
                ["a.toml:1:20", "`budgte`", "did you mean `budget`?"],
            ),
            ("noise = { auto = {}, stepz = 5 }", ["a.toml:1", "`stepz`", "did you mean `steps`?"]),
            ("noise = { auto = {}, steps = 5 }", ["a.toml:1", "`auto` and `steps`", "--set"]),
            ("noise = { steps = 5, auto = {} }", ["a.toml:1", "`auto` and `steps`", "--set"]),
            (
                "noise = { schedule = \"linear\", space = \"normal-scores\" }",
                ["a.toml:1:9", "`noise.space` is \"normal-scores\"", "shape = \"gaussian\"`"],
            ),
            (
                "noise = { schedule = \"linear\", shape = \"gausian\" }",
                ["a.toml:1", "`gausian`", "did you mean `gaussian`?"],
            ),
            ("noise = { auto = { budget = 0 } }", ["`noise.auto.budget`", "is 0", "above 0"]),
            ("noise = { auto = { budget = 11.5 } }", ["noise.auto.budget", "11.5", "at most 10"]),
            ("noise = { auto = { budget = nan } }", ["noise.auto.budget", "NaN", "above 0"]),
        ] {
            let error = parse(noise).unwrap_err();
            for part in expected {
                assert!(error.contains(part), "no `{part}` in {error}");
            }
        }
    }

    /// The noise in the lines that a training begins with.
    #[test]
    fn a_coherent_shape_is_named() {
        let of = |noise: &str| parse(noise).unwrap().noise.to_string();
        assert_eq!(of("noise = { schedule = \"linear\" }"), "Linear");
        let table = "{ schedule = \"linear\", shape = \"gaussian\", space = \"normal-scores\" }";
        assert_eq!(of(&format!("noise = {table}")), "Linear (gaussian, normal-scores)");
    }

    #[test]
    fn what_is_written_reads_back() {
        for noise in ["noise = \"auto\"", "noise = { auto = { budget = 0.25 } }", ""] {
            let config = parse(noise).unwrap();
            assert_eq!(config.noise.fixed().is_none(), noise.contains("auto"));
            let again = Config::parse(&config.to_toml().unwrap(), "again", &[]).unwrap();
            assert_eq!(again, config);
        }
        let over = ["noise=auto".to_owned()];
        let text = include_str!("../../../../configs/seattle-weather.toml");
        assert!(Config::parse(text, "seattle", &over).unwrap().noise.fixed().is_none());
    }
}
