//! The whole run as one type, read from one TOML file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Decides initial weights, order, noise and samples.
    #[serde(default)]
    pub seed: u64,
    /// What to read and how to cut it.
    pub data: data::DataConfig,
    /// How training windows are noised.
    #[serde(default)]
    pub noise: noise::NoiseConfig,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// What the decoder says about one value.
    pub likelihood: objective::Family,
    /// Weight of the KL term over the optimizer steps; 1 is the evidence lower bound.
    pub kl_weight: objective::elbo::KlWeight,
    /// Nats of KL that are not charged.
    pub free_bits: objective::elbo::FreeBits,
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        ObjectiveConfig {
            likelihood: objective::Family::Gaussian,
            kl_weight: objective::elbo::KlWeight::default(),
            free_bits: objective::elbo::FreeBits::None,
        }
    }
}

/// The `[train]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training windows.
    pub epochs: usize,
    /// Windows per optimizer step.
    pub batch_size: usize,
    /// Optimizer steps per epoch; 0 for one whole pass.
    pub steps_per_epoch: usize,
    /// Step size of AdamW.
    pub learning_rate: f64,
    /// How the step size changes over the training.
    pub learning_rate_schedule: LearningRateSchedule,
    /// Optimizer steps over which the step size rises from zero.
    pub warmup_steps: usize,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f64,
    /// Largest norm of the gradient; 0 for no clipping.
    pub clip_norm: f64,
    /// Epochs without a better validation score after which to stop; 0 to never stop early.
    pub patience: usize,
    /// Forecast samples per validation window.
    pub validation_samples: usize,
    /// Which weights are kept.
    pub keep: Keep,
}

/// Which weights of a training are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the epoch with the best validation score.
    Best,
    /// Those of the last epoch: what training does without selection.
    Last,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            epochs: 50,
            batch_size: 64,
            steps_per_epoch: 0,
            learning_rate: 1e-3,
            learning_rate_schedule: LearningRateSchedule::Constant,
            warmup_steps: 0,
            weight_decay: 0.0,
            clip_norm: 1.0,
            patience: 10,
            validation_samples: 50,
            keep: Keep::Best,
        }
    }
}

/// How the step size changes over the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearningRateSchedule {
    /// Not at all.
    Constant,
    /// Half a cosine down to zero at the last step of the last epoch.
    Cosine,
}

impl TrainConfig {
    /// The step size of an optimizer step, from 0, of `total`.
    pub fn learning_rate_at(&self, step: usize, total: usize) -> f64 {
        let share = (step as f64 / total.max(1) as f64).min(1.0);
        let decay = match self.learning_rate_schedule {
            LearningRateSchedule::Constant => 1.0,
            LearningRateSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
        };
        let warmup = match self.warmup_steps {
            0 => 1.0,
            steps => ((step + 1) as f64 / steps as f64).min(1.0),
        };
        self.learning_rate * decay * warmup
    }
}

/// The `[evaluate]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Forecast samples per window.
    pub samples: usize,
    /// Rows per season of the seasonal naive baseline; 0 to take it from the frequency.
    pub season: usize,
    /// At most so many training windows, evenly spaced, are scored for the train–test gap; fewer where they
    /// are so long that together they would hold more than half a million values.
    pub train_windows: usize,
    /// Which baselines are fitted and scored beside the model; absent for a set chosen by the data: last
    /// value, seasonal naive where the season fits in the context, drift, climatology and ridge, and for
    /// returns (`data.transform = "return"`, or the protocol `stocks`) constant Student-t, EWMA and GARCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Vec<crate::baseline::Rule>>,
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
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
            _ => ConfigError::Unreadable { path: path.to_owned(), source },
        })?;
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
        let mut table: toml::Table =
            toml::from_str(text).map_err(|error| invalid(text, origin, &error))?;
        for item in overrides {
            set(&mut table, item)?;
        }
        let config = if overrides.is_empty() {
            toml::from_str(text).map_err(|error| invalid(text, origin, &error))?
        } else {
            table.try_into().map_err(|error: toml::de::Error| {
                // The fault may be in the file itself, where a line can be named.
                match toml::from_str::<Config>(text) {
                    Err(in_file) if in_file.message() == error.message() => {
                        invalid(text, origin, &in_file)
                    }
                    _ => ConfigError::Invalid {
                        origin: format!("{origin} with --set {}", overrides.join(" --set ")),
                        hint: nearest(error.message()),
                        message: error.message().to_owned(),
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
        let TrainConfig { epochs, batch_size, learning_rate, weight_decay, clip_norm, .. } =
            self.train;
        let least: [(&'static str, usize, usize); 5] = [
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
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        for (key, value, ok, range) in [
            ("train.learning_rate", learning_rate, positive(learning_rate), "positive and finite"),
            ("train.weight_decay", weight_decay, not_negative(weight_decay), "at least 0"),
            ("train.clip_norm", clip_norm, not_negative(clip_norm), "at least 0 (0 is off)"),
            ("objective.free_bits", nats, not_negative(nats), "at least 0 nats"),
        ] {
            if !ok {
                return Err(ConfigError::Range { key, value: value.to_string(), range });
            }
        }
        self.model.validate().map_err(ConfigError::Model)?;
        Ok(self)
    }
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

fn invalid(text: &str, origin: &str, error: &toml::de::Error) -> ConfigError {
    let origin = match error.span() {
        Some(span) => {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{origin}:{line}:{column}")
        }
        None => origin.to_owned(),
    };
    let message = error.message().replace('\n', " ");
    ConfigError::Invalid { origin, hint: nearest(&message), message }
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

    /// Oracle: the cosine's values at its start, middle and end; the warm-up's at its half.
    #[test]
    fn learning_rates_rise_and_fall() {
        let table = TrainConfig {
            learning_rate: 2.0,
            learning_rate_schedule: LearningRateSchedule::Cosine,
            ..TrainConfig::default()
        };
        for (step, expected) in [(0, 2.0), (50, 1.0), (100, 0.0), (200, 0.0)] {
            assert!((table.learning_rate_at(step, 100) - expected).abs() < 1e-12, "{step}");
        }
        let table = TrainConfig { warmup_steps: 10, learning_rate: 2.0, ..TrainConfig::default() };
        for (step, expected) in [(4, 1.0), (9, 2.0), (99, 2.0)] {
            assert!((table.learning_rate_at(step, 100) - expected).abs() < 1e-12, "{step}");
        }
    }

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
