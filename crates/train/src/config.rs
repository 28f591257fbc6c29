//! The whole run as one type, read from one TOML file.

mod noise;
mod training;

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use noise::{AutoNoise, Noise};
pub use training::{Keep, LearningRateSchedule, Precision, TrainConfig};

/// A config that cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is not there.
    #[error("{}: no such config\n  hint: the repository has some in configs/", path.display())]
    Missing {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or says something we do not know.
    #[error("{origin}: {message}{}", hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())]
    Invalid {
        /// `file:line:column`, or `--set`.
        origin: String,
        /// What is wrong.
        message: String,
        /// What was probably meant.
        hint: Option<String>,
    },
    /// The run directory is taken.
    #[error(
        "{}: holds a run of another config\n  hint: choose another directory with `--run`, or remove this one", path.display()
    )]
    OtherRun {
        /// The run directory.
        path: PathBuf,
    },
    /// A model that cannot be built.
    #[error(transparent)]
    Model(vae::VaeError),
    /// Data that cannot be read or cut so.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// A value outside its range.
    #[error("`{key}` is {value}, but must be {range}")]
    Range {
        /// The key, dotted.
        key: &'static str,
        /// What was written.
        value: String,
        /// What is allowed.
        range: &'static str,
    },
}

/// A run: what stands in `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Decides initial weights, order, noise and samples.
    #[serde(default)]
    pub seed: u64,
    /// What to read and how to cut it.
    pub data: data::DataConfig,
    /// How training windows are noised: a table, or `"auto"`.
    #[serde(default)]
    pub noise: Noise,
    /// The network.
    #[serde(default)]
    pub model: vae::ModelConfig,
    /// What is maximised.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// How it is maximised.
    #[serde(default)]
    pub train: TrainConfig,
    /// How forecasts are scored.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
}

/// The `[objective]` table: `log p(y | z) − kl_weight · KL`, in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// What the decoder says about one value.
    pub likelihood: objective::Family,
    /// Weight of the KL term over the optimizer steps; 1 is the evidence lower bound.
    pub kl_weight: objective::elbo::KlWeight,
    /// Nats of KL that are not charged.
    pub free_bits: objective::elbo::FreeBits,
    /// Weight of the CRPS of forecasts, standardized and summed over the target, beside the bound; 0 for the bound alone.
    /// The bound draws the latent variables from a posterior that sees the target, a forecast from the prior.
    #[schemars(range(min = 0))]
    pub crps_weight: f64,
    /// Forecasts per training window that the CRPS is estimated from, an even number.
    #[schemars(range(min = 2), extend("multipleOf" = 2))]
    pub crps_samples: usize,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        ObjectiveConfig {
            likelihood: objective::Family::Gaussian,
            kl_weight: objective::elbo::KlWeight::default(),
            free_bits: objective::elbo::FreeBits::None,
            crps_weight: 0.0,
            crps_samples: 4,
        }
    }
}

/// The `[evaluate]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Forecast samples per window.
    #[schemars(range(min = 2))]
    pub samples: usize,
    /// Rows per season of the seasonal naive baseline; 0 to take it from the frequency.
    pub season: usize,
    /// At most so many training windows, evenly spaced, are scored for the train–test gap; fewer where they
    /// are so long that together they would hold more than half a million values.
    #[schemars(range(min = 1))]
    pub train_windows: usize,
    /// Which baselines are fitted and scored beside the model; absent for a set chosen by the data: last
    /// value, seasonal naive where the season fits in the context, drift, climatology and ridge, and for
    /// returns (`data.transform = "return"`, or the protocol `stocks`) constant Student-t, EWMA and GARCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Vec<baseline::Rule>>,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        EvaluateConfig { samples: 100, season: 0, train_windows: 500, baselines: None }
    }
}

impl Config {
    /// Reads a config file and lays `key=value` overrides over it.
    ///
    /// A relative `data.path` is taken from the folder of the config file; one that an override gives,
    /// from the current directory.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column where the file is at fault.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Config, ConfigError> {
        let text = read(path)?;
        let origin = path.display().to_string();
        let mut config = Config::parse(&text, &origin, overrides)?;
        // Absolute, so that the resolved config reads the same file from anywhere.
        let written = toml::from_str::<toml::Table>(&text)
            .ok()
            .and_then(|table| Some(PathBuf::from(table.get("data")?.get("path")?.as_str()?)));
        let from_file = config.data.path == written;
        let folder = path.parent().filter(|_| from_file).unwrap_or(Path::new(""));
        if let Some(data) = &mut config.data.path {
            let joined = folder.join(&*data);
            *data = std::path::absolute(&joined)
                .map_err(|source| ConfigError::Unreadable { path: joined, source })?;
        }
        Ok(config)
    }

    /// As [`Config::load`], from text; `origin` names it in messages.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Config, ConfigError> {
        let mut table: toml::Table = toml::from_str(text)
            .map_err(|error| Located { key: ".".to_owned(), error }.in_file(text, origin))?;
        for item in overrides {
            set(&mut table, item)?;
        }
        let config = if overrides.is_empty() {
            from_text(text).map_err(|fault| fault.in_file(text, origin))?
        } else {
            serde_path_to_error::deserialize(table).map_err(Located::from).map_err(|fault| {
                // It may be in the file itself, where a line can be named.
                match from_text(text) {
                    Err(in_file) if in_file.message() == fault.message() => {
                        in_file.in_file(text, origin)
                    }
                    _ => ConfigError::Invalid {
                        origin: format!("{origin} with --set {}", overrides.join(" --set ")),
                        hint: nearest(fault.error.message()),
                        message: fault.message(),
                    },
                }
            })?
        };
        Config::check(config)
    }

    /// The resolved config: reading it back gives the same run.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if the path of the data is not UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|error| ConfigError::Invalid {
            origin: "the resolved config".to_owned(),
            message: error.to_string(),
            hint: Some("rename the data file, or run from another folder".to_owned()),
        })
    }

    fn check(self) -> Result<Config, ConfigError> {
        let TrainConfig {
            epochs,
            batch_size,
            learning_rate,
            weight_decay,
            clip_norm,
            ema_decay,
            ..
        } = self.train;
        let (every, factor) = match self.train.learning_rate_schedule {
            LearningRateSchedule::Step { every, factor } => (every, factor),
            _ => (1, 1.0),
        };
        let least: [(&'static str, usize, usize); 6] = [
            ("train.learning_rate_schedule.step.every", every, 1),
            ("train.epochs", epochs, 1),
            ("train.batch_size", batch_size, 1),
            ("train.validation_samples", self.train.validation_samples, 2),
            ("evaluate.samples", self.evaluate.samples, 2),
            ("evaluate.train_windows", self.evaluate.train_windows, 1),
        ];
        for (key, value, least) in least {
            if value < least {
                let range = if least == 2 { "at least 2" } else { "at least 1" };
                return Err(ConfigError::Range { key, value: value.to_string(), range });
            }
        }
        let nats = match self.objective.free_bits {
            objective::elbo::FreeBits::PerDimension(nats)
            | objective::elbo::FreeBits::PerGroup(nats) => nats,
            _ => 0.0,
        };
        let ObjectiveConfig { crps_weight: crps, crps_samples, .. } = self.objective;
        if crps_samples < 2 || crps_samples % 2 == 1 {
            return Err(ConfigError::Range {
                key: "objective.crps_samples",
                value: crps_samples.to_string(),
                range: "an even number, at least 2",
            });
        }
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        for (key, value, ok, range) in [
            ("train.learning_rate", learning_rate, positive(learning_rate), "positive and finite"),
            ("train.weight_decay", weight_decay, not_negative(weight_decay), "at least 0"),
            ("train.ema_decay", ema_decay, (0.0..1.0).contains(&ema_decay), "at least 0, below 1"),
            (
                "train.learning_rate_schedule.step.factor",
                factor,
                factor > 0.0 && factor <= 1.0,
                "above 0, at most 1",
            ),
            ("train.clip_norm", clip_norm, not_negative(clip_norm), "at least 0 (0 is off)"),
            ("objective.free_bits", nats, not_negative(nats), "at least 0 nats"),
            ("objective.crps_weight", crps, not_negative(crps), "at least 0"),
        ] {
            if !ok {
                return Err(ConfigError::Range { key, value: value.to_string(), range });
            }
        }
        if let Noise::Auto(auto) = self.noise {
            auto.check()?;
        }
        self.model.validate().map_err(ConfigError::Model)?;
        self.data.validate()?;
        Ok(self)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => ConfigError::Unreadable { path: path.to_owned(), source },
    })
}

/// Lays one `a.b=value` over a table. The value is TOML; what is not TOML is a string.
fn set(table: &mut toml::Table, item: &str) -> Result<(), ConfigError> {
    let bad = |message: &str| ConfigError::Invalid {
        origin: format!("--set {item}"),
        message: message.to_owned(),
        hint: Some("write it as `--set train.epochs=20`".to_owned()),
    };
    let (key, value) = item.split_once('=').ok_or_else(|| bad("there is no `=` in it"))?;
    let value = value.trim();
    let value = match toml::from_str::<toml::Table>(&format!("v = {value}")) {
        // A file may be called `2016` or `true`.
        Ok(parsed) if key.trim() == "data.path" && !parsed["v"].is_str() => {
            toml::Value::String(value.to_owned())
        }
        Ok(mut parsed) => parsed.remove("v").unwrap_or(toml::Value::Boolean(false)),
        Err(_) => toml::Value::String(value.to_owned()),
    };
    let mut path: Vec<&str> = key.trim().split('.').map(str::trim).collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(bad("the key has an empty part"));
    }
    let last = path.pop().unwrap_or_default();
    let mut here = table;
    for part in path {
        let next = here.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        here = next.as_table_mut().ok_or_else(|| bad(&format!("`{part}` is not a table")))?;
    }
    here.insert(last.to_owned(), value);
    Ok(())
}

/// An error, and the dotted key it was met at.
struct Located {
    key: String,
    error: toml::de::Error,
}

impl From<serde_path_to_error::Error<toml::de::Error>> for Located {
    fn from(error: serde_path_to_error::Error<toml::de::Error>) -> Self {
        Located { key: error.path().to_string(), error: error.into_inner() }
    }
}

impl Located {
    /// The message, after the key it is about where it does not name it itself.
    fn message(&self) -> String {
        let (key, message) = (&self.key, self.error.message().replace('\n', " "));
        let named = [".", " ", "`"].iter().any(|end| message.contains(&format!("{key}{end}")));
        if named || key == "." { message } else { format!("`{key}`: {message}") }
    }

    /// As an error of the file `origin`, which holds `text`.
    fn in_file(&self, text: &str, origin: &str) -> ConfigError {
        let origin = match self.error.span() {
            Some(span) => {
                let before = &text[..span.start.min(text.len())];
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                format!("{origin}:{line}:{column}")
            }
            None => origin.to_owned(),
        };
        let hint = nearest(self.error.message());
        ConfigError::Invalid { origin, hint, message: self.message() }
    }
}

fn from_text(text: &str) -> Result<Config, Located> {
    let parsed = toml::Deserializer::parse(text);
    let table = parsed.map_err(|error| Located { key: ".".to_owned(), error })?;
    Ok(serde_path_to_error::deserialize(table)?)
}

/// From serde's "unknown field `a`, expected one of `b`, `c`" the valid name nearest to `a`.
fn nearest(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, valid) = quoted.split_first()?;
    if !message.starts_with("unknown") {
        return None;
    }
    let best = valid.iter().max_by(|a, b| {
        strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
    })?;
    (strsim::jaro_winkler(unknown, best) > 0.7).then(|| format!("did you mean `{best}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolved_config_reads_back_as_itself() {
        let text = include_str!("../../../configs/seattle-weather.toml");
        let config = Config::parse(text, "seattle", &["train.epochs=3".to_owned()]).unwrap();
        assert_eq!(config.train.epochs, 3);
        assert_eq!(Config::parse(&config.to_toml().unwrap(), "again", &[]).unwrap(), config);
    }

    #[test]
    fn overrides_are_toml_or_text() {
        let mut table = toml::Table::new();
        for item in ["a.b=3", "a.c = [1, 2]", "a.d=plain-text", "e={ f = 1.5 }", "g=true"] {
            set(&mut table, item).unwrap();
        }
        let expected = "g = true\n[a]\nb = 3\nc = [1, 2]\nd = \"plain-text\"\n[e]\nf = 1.5\n";
        assert_eq!(table, toml::from_str(expected).unwrap());
        for item in ["", "=", "a", ".=1", "a.b.c=1"] {
            assert!(set(&mut table, item).is_err(), "{item}");
        }
    }
}
