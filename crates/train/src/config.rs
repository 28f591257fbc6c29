//! The config of a run as one type, read from one TOML file.

mod noise;
mod schema;
mod template;
mod text;
mod training;

use std::path::{Path, PathBuf};

use ::objective::elbo::{FreeBits, GradientEstimator, KlWeight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vae::ModelKind;

pub use noise::{AutoNoise, Noise};
pub use schema::schema;
use text::{Located, from_text, read, set, shown};
pub use training::{Keep, LearningRateSchedule, Precision, TrainConfig};

/// A config that cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file does not exist.
    #[error("{}: no such config\n  hint: `ballast init` writes one for a data file", path.display())]
    Missing {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not TOML, or has an unknown key or an invalid value.
    #[error("{origin}: {message}{}", hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())]
    Invalid {
        /// `file:line:column`, or `--set`.
        origin: String,
        /// The mistake.
        message: String,
        /// A remedy, for example the word that was probably meant.
        hint: Option<String>,
    },
    /// The run directory holds a run of another config.
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
    /// Data that cannot be read, or cannot be split into windows as configured.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// A value outside its range.
    #[error("`{key}` is {value}, but must be {range}")]
    Range {
        /// The dotted key.
        key: &'static str,
        /// The value.
        value: String,
        /// The allowed values.
        range: String,
    },
}

/// The config of a run, which `config.toml` in its directory holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seed of initial weights, order of windows, noise and samples.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Data to read, and the windows that they are cut into.
    pub data: data::DataConfig,
    /// Noise of training windows: a table that names a schedule, or `"auto"` to choose one on validation windows.
    #[serde(default)]
    pub noise: Noise,
    /// The network.
    #[serde(default)]
    pub model: vae::ModelConfig,
    /// The quantity that training maximizes.
    #[serde(default)]
    pub objective: ObjectiveConfig,
    /// The optimization.
    #[serde(default)]
    pub train: TrainConfig,
    /// The scores of forecasts.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
}

fn seed() -> u64 {
    1
}

/// The `[objective]` table: the bound `log p(y | z) − kl_weight · KL`, in nats, less `crps_weight` times the CRPS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// Law of one value of the forecast.
    pub likelihood: objective::Family,
    /// Weight of the KL term over the optimizer steps; 1 is the evidence lower bound.
    pub kl_weight: objective::elbo::KlWeight,
    /// Amount of KL divergence, in nats, that is not penalized.
    pub free_bits: objective::elbo::FreeBits,
    /// Draws of the latent variables per window. More than one train the importance-weighted bound.
    #[schemars(range(min = 1, max = MAX_DRAWS))]
    pub importance_draws: usize,
    /// Estimator of the gradient of the bound. Any other than `plain` estimates the KL by the draws too.
    pub gradient: objective::elbo::GradientEstimator,
    /// Weight of the CRPS of forecasts beside the bound; 0 for the bound alone. The CRPS is standardized and summed
    /// over the target. The bound draws latent variables from a posterior that sees the target, and a forecast draws
    /// them from the prior.
    #[schemars(range(min = 0))]
    pub crps_weight: f64,
    /// Number of forecasts per training window for the estimate of the CRPS, an even number.
    #[schemars(range(min = 2, max = MAX_CRPS_SAMPLES), extend("multipleOf" = 2))]
    pub crps_samples: usize,
}

/// Largest `objective.importance_draws`.
const MAX_DRAWS: usize = 1000;
/// Largest weight of a term of the objective, and largest number of free nats: single precision holds their products.
const MAX_WEIGHT: f64 = 1e9;
/// Largest `objective.crps_samples`.
const MAX_CRPS_SAMPLES: usize = 1000;

impl Default for ObjectiveConfig {
    fn default() -> Self {
        let warm_up = objective::elbo::KlWeight::linear(0.0, 1.0, 500);
        ObjectiveConfig {
            likelihood: objective::Family::Laplace,
            kl_weight: warm_up.expect("a legal schedule"),
            free_bits: objective::elbo::FreeBits::None,
            importance_draws: 1,
            gradient: GradientEstimator::Plain,
            crps_weight: 5.0,
            crps_samples: 4,
        }
    }
}

/// The `[evaluate]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Forecast samples per window.
    #[schemars(range(min = 2, max = MAX_COUNT))]
    pub samples: usize,
    /// Rows per season of the seasonal naive baseline; 0 to take it from the frequency.
    #[schemars(range(max = MAX_COUNT))]
    pub season: usize,
    /// Maximum number of training windows, evenly spaced, scored for the train–test gap. Fewer are scored if together
    /// they would hold more than half a million values.
    #[schemars(range(min = 1, max = MAX_COUNT))]
    pub train_windows: usize,
    /// Baselines to fit and to score beside the model; by default the data decide. The default is last value,
    /// seasonal naive if the season fits in the context, drift, climatology and ridge, and for returns
    /// (`data.transform = "return"`, or the protocol `stocks`) also constant Student-t, EWMA and GARCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Vec<baseline::Rule>>,
}

/// Number of epochs of a config that gives `train.steps_per_epoch` alone.
const EPOCHS_OF_STEPS: usize = 25;

/// Largest number of epochs, steps per epoch, windows per batch, samples per window, and rows per season.
const MAX_COUNT: usize = 1_000_000;

impl Default for EvaluateConfig {
    fn default() -> Self {
        EvaluateConfig { samples: 100, season: 0, train_windows: 500, baselines: None }
    }
}

impl Config {
    /// The default config of a data set.
    pub fn new(data: data::DataConfig) -> Config {
        Config {
            seed: seed(),
            data,
            noise: Noise::default(),
            model: vae::ModelConfig::default(),
            objective: ObjectiveConfig::default(),
            train: TrainConfig::default(),
            evaluate: EvaluateConfig::default(),
        }
    }

    /// Reads a config file and applies `key=value` overrides to it.
    ///
    /// A relative `data.path` in the file is relative to the folder of the file, and one in an override to the current
    /// directory.
    ///
    /// # Errors
    /// [`ConfigError`], with line and column where the file is at fault.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Config, ConfigError> {
        let text = read(path)?;
        let origin = path.display().to_string();
        let mut config = Config::parse(&text, &origin, overrides)?;
        // An absolute path lets the resolved config read the same file from anywhere.
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

    /// As [`Config::load`], but from text; `origin` is its name in messages.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Config, ConfigError> {
        let mut table: toml::Table = toml::from_str(text)
            .map_err(|error| Located { key: ".".to_owned(), error }.in_file(text, origin))?;
        for item in overrides {
            set(&mut table, item)?;
        }
        let named = |section: &str, key: &str| {
            table.get(section).and_then(|section| section.get(key)).is_some()
        };
        // A config that gives `instance_norm` alone has made the choice.
        let chosen = named("model", "instance_norm") && !named("train", "choose_instance_norm");
        let counted = named("train", "epochs") || named("train", "steps_per_epoch");
        let late = counted && !named("train", "validate_early");
        let by_steps = named("train", "steps_per_epoch") && !named("train", "epochs");
        let mut config = if overrides.is_empty() {
            from_text(text).map_err(|fault| fault.in_file(text, origin))?
        } else {
            serde_path_to_error::deserialize(table).map_err(Located::from).map_err(|fault| {
                // The error may be in the file itself, where the message can name its line.
                match from_text(text) {
                    Err(in_file) if in_file.message() == fault.message() => {
                        in_file.in_file(text, origin)
                    }
                    _ => ConfigError::Invalid {
                        origin: format!(
                            "{origin} with --set {}",
                            shown(&overrides.join(" --set "))
                        ),
                        hint: fault.hint(),
                        message: fault.message(),
                    },
                }
            })?
        };
        config.train.choose_instance_norm &= !chosen;
        if by_steps {
            config.train.epochs = EPOCHS_OF_STEPS;
        }
        config.train.validate_early &= !(late && config.train.epochs > 0);
        Config::check(config)
    }

    /// The resolved config as TOML, which gives the same run when it is read back.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if the path of the data is not UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(not_toml)
    }

    fn check(self) -> Result<Config, ConfigError> {
        let Config { train, objective, evaluate, .. } = &self;
        let (every, factor) = match train.learning_rate_schedule {
            LearningRateSchedule::Step { every, factor } => (every, factor),
            _ => (1, 1.0),
        };
        for (key, value, least) in [
            ("train.epochs", train.epochs, 0),
            ("train.max_steps", train.max_steps, 1),
            ("train.batch_size", train.batch_size, 1),
            ("train.steps_per_epoch", train.steps_per_epoch, 0),
            ("train.learning_rate_schedule.step.every", every, 1),
            ("train.warmup_steps", train.warmup_steps, 0),
            ("train.patience", train.patience, 0),
            ("train.validation_samples", train.validation_samples, 2),
            ("train.validation_stride", train.validation_stride, 0),
            ("evaluate.samples", evaluate.samples, 2),
            ("evaluate.season", evaluate.season, 0),
            ("evaluate.train_windows", evaluate.train_windows, 1),
        ] {
            let allowed = (least..=MAX_COUNT).contains(&value);
            in_range(key, value, allowed, || format!("from {least} to {MAX_COUNT}"))?;
        }
        let samples = objective.crps_samples;
        let allowed = (2..=MAX_CRPS_SAMPLES).contains(&samples) && samples.is_multiple_of(2);
        in_range("objective.crps_samples", samples, allowed, || {
            format!("an even number from 2 to {MAX_CRPS_SAMPLES}")
        })?;
        let draws = objective.importance_draws;
        in_range("objective.importance_draws", draws, (1..=MAX_DRAWS).contains(&draws), || {
            format!("from 1 to {MAX_DRAWS}")
        })?;
        if objective.by_draws() {
            self.check_by_draws()?;
        }
        let nats = match objective.free_bits {
            objective::elbo::FreeBits::PerDimension(nats)
            | objective::elbo::FreeBits::PerGroup(nats) => nats,
            _ => 0.0,
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let (rate, decay, ema) = (train.learning_rate, train.weight_decay, train.ema_decay);
        let (clip, crps) = (train.clip_norm, objective.crps_weight);
        for (key, value, allowed, range) in [
            ("train.learning_rate", rate, positive(rate), "positive and finite"),
            ("train.weight_decay", decay, not_negative(decay), "at least 0, and finite"),
            ("train.ema_decay", ema, (0.0..1.0).contains(&ema), "at least 0, below 1"),
            (
                "train.learning_rate_schedule.step.factor",
                factor,
                factor > 0.0 && factor <= 1.0,
                "above 0, at most 1",
            ),
            ("train.clip_norm", clip, not_negative(clip), "at least 0 (0 is off), and finite"),
            ("objective.free_bits", nats, (0.0..=MAX_WEIGHT).contains(&nats), "from 0 to 1e9 nats"),
            ("objective.crps_weight", crps, (0.0..=MAX_WEIGHT).contains(&crps), "from 0 to 1e9"),
        ] {
            in_range(key, value, allowed, || range.to_owned())?;
        }
        if let Noise::Auto(auto) = self.noise {
            auto.check()?;
        }
        self.model.validate().map_err(ConfigError::Model)?;
        self.data.validate()?;
        Ok(self)
    }

    /// Refuses what a bound that is estimated by its draws cannot do.
    fn check_by_draws(&self) -> Result<(), ConfigError> {
        let ObjectiveConfig { kl_weight, free_bits, gradient, .. } = &self.objective;
        let with = "with `importance_draws` above 1, or a `gradient` other than \"plain\"";
        let one = KlWeight::constant(1.0).is_ok_and(|one| one == *kl_weight);
        in_range("objective.kl_weight", format!("{kl_weight:?}"), one, || format!("1 {with}"))?;
        let none = *free_bits == FreeBits::None;
        in_range("objective.free_bits", format!("{free_bits:?}"), none, || {
            format!("\"none\" {with}")
        })?;
        let doubly = *gradient == GradientEstimator::Dreg;
        let single = self.model.kind != ModelKind::Hierarchical || self.model.groups == 1;
        in_range("objective.gradient", "dreg", single || !doubly, || {
            "\"plain\" or \"stl\" for a hierarchical model of several groups".to_owned()
        })
    }
}

impl ObjectiveConfig {
    /// Whether the bound is estimated by draws of the latent variables, instead of by the closed form of its KL.
    pub(crate) fn by_draws(&self) -> bool {
        self.importance_draws > 1 || self.gradient != GradientEstimator::Plain
    }
}

/// [`ConfigError::Range`] if a value is not `allowed`.
fn in_range(
    key: &'static str,
    value: impl ToString,
    allowed: bool,
    range: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if allowed {
        return Ok(());
    }
    Err(ConfigError::Range { key, value: value.to_string(), range: range() })
}

fn not_toml(error: toml::ser::Error) -> ConfigError {
    ConfigError::Invalid {
        origin: "the resolved config".to_owned(),
        message: error.to_string(),
        hint: Some("rename the data file, or run from another folder".to_owned()),
    }
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
    fn a_written_instance_norm_is_not_chosen_again() {
        let chooses = |lines: &str, overrides: &[&str]| {
            let text = format!("[data]\npath = \"a\"\ncontext = 2\nhorizon = 1\n{lines}");
            let overrides: Vec<String> = overrides.iter().map(|set| (*set).to_owned()).collect();
            Config::parse(&text, "a", &overrides).unwrap().train.choose_instance_norm
        };
        assert!(chooses("", &[]));
        assert!(!chooses("[model]\ninstance_norm = true", &[]));
        assert!(!chooses("", &["model.instance_norm=false"]));
        let both = "[model]\ninstance_norm = true\n[train]\nchoose_instance_norm = true";
        assert!(chooses(both, &[]));
        assert!(chooses("[model]\ninstance_norm = true", &["train.choose_instance_norm=true"]));
    }

    /// A config that gives its length is validated after each epoch, as it always was, unless it says otherwise.
    #[test]
    fn a_written_length_is_kept() {
        let parse = |lines: &str, overrides: &[&str]| {
            let text = format!("[data]\npath = \"a\"\ncontext = 2\nhorizon = 1\n[train]\n{lines}");
            let overrides: Vec<String> = overrides.iter().map(|set| (*set).to_owned()).collect();
            let TrainConfig { epochs, steps_per_epoch, validate_early, .. } =
                Config::parse(&text, "a", &overrides).unwrap().train;
            (epochs, steps_per_epoch, validate_early)
        };
        assert_eq!(parse("", &[]), (0, 100, true));
        assert_eq!(parse("epochs = 0\nsteps_per_epoch = 100", &[]), (0, 100, true));
        assert_eq!(parse("epochs = 7", &[]), (7, 100, false));
        assert_eq!(parse("", &["train.epochs=7"]), (7, 100, false));
        assert_eq!(parse("steps_per_epoch = 9", &[]), (25, 9, false));
        assert_eq!(parse("epochs = 7\nvalidate_early = true", &[]), (7, 100, true));
        assert_eq!(parse("epochs = 0\nvalidate_early = false", &[]), (0, 100, false));
    }

    #[test]
    fn overrides_are_toml_or_text() {
        let mut table = toml::Table::new();
        for item in ["a.b=3", "a.c = [1, 2]", "a.d=plain-text", "e={ f = 1.5 }", "g=true"] {
            set(&mut table, item).unwrap();
        }
        let expected = "g = true\n[a]\nb = 3\nc = [1, 2]\nd = \"plain-text\"\n[e]\nf = 1.5\n";
        assert_eq!(table, toml::from_str(expected).unwrap());
        for item in ["", "=", "a", ".=1", "a.b.c=1", "seed=1\nmodel.hidden=7", "seed=1\r"] {
            assert!(set(&mut table, item).is_err(), "{item}");
        }
        let long = format!("a={}\n", "\u{1b}".repeat(100_000));
        let message = set(&mut table, &long).unwrap_err().to_string();
        assert!(message.len() < 2000 && !message.contains('\u{1b}'), "{message}");
    }
}
