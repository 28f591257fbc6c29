//! The commented config that `ballast init` writes.

use noise::{InputTable, TargetTable};
use serde::Serialize;
use serde_json::Value;
use toml::ser::ValueSerializer;

use super::{Config, ConfigError, Noise, schema};

/// Column at which comments begin.
const COMMENT: usize = 36;

impl Config {
    /// The config as TOML with the keys that a newcomer would change, each with the first sentence of its
    /// documentation. Reading it back gives this config if every other key has its default.
    ///
    /// `about` describes the data in a comment above `[data]`. An empty list is commented out.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] if the path of the data is not UTF-8, which TOML cannot hold.
    pub fn commented(&self, about: &str) -> Result<String, ConfigError> {
        let mut page = Page { schema: schema(), table: "Config", text: String::new() };
        let Config { seed, data, noise, model, objective, train, evaluate } = self;
        page.line("# `ballast config schema` lists every key with its range and its default.");
        page.key("seed", seed)?;

        page.line("");
        for line in about.lines() {
            page.line(&format!("# {}", line.replace(char::is_control, " ")));
        }
        page.open("data", "DataConfig");
        page.given("path", data.path.as_ref())?;
        page.given("source", data.source.as_ref())?;
        page.given("id", data.id.as_ref())?;
        page.given("time", data.time.as_ref())?;
        page.given("delimiter", data.delimiter.as_ref())?;
        page.given("decimal", data.decimal.as_ref())?;
        page.given("thousands", data.thousands.as_ref())?;
        page.given("encoding", (data.encoding != data::Encoding::Auto).then_some(&data.encoding))?;
        page.given("skip_rows", (data.skip_rows > 0).then_some(&data.skip_rows))?;
        page.given("header", (!data.header).then_some(&data.header))?;
        page.given("missing", (!data.missing.is_empty()).then_some(&data.missing))?;
        page.given("time_format", data.time_format.as_ref())?;
        page.given("time_zone", data.time_zone.as_ref())?;
        page.given("frequency", data.frequency.as_ref())?;
        page.given("unsorted", (data.unsorted != data::Unsorted::Error).then_some(&data.unsorted))?;
        page.given(
            "duplicates",
            (data.duplicates != data::Duplicates::Error).then_some(&data.duplicates),
        )?;
        page.given("targets", data.targets.as_ref())?;
        page.list("past_covariates", &data.past_covariates)?;
        page.given("spreads", (!data.spreads.is_empty()).then_some(&data.spreads))?;
        page.list("future_covariates", &data.future_covariates)?;
        page.given(
            "static_covariates",
            (!data.static_covariates.is_empty()).then_some(&data.static_covariates),
        )?;
        page.list("calendar", &data.calendar)?;
        page.key("context", &data.context)?;
        page.key("horizon", &data.horizon)?;
        page.key("split", &data.split)?;
        page.key("transform", &data.transform)?;
        page.key("scale", &data.scale)?;
        page.key("fill", &data.fill)?;

        page.line("");
        page.table = "Config";
        page.line(&format!("# {}", page.sentence("noise")));
        match noise {
            Noise::Auto(auto) => {
                page.open("noise", "AutoTable");
                page.key("auto", auto)?;
            }
            Noise::Fixed(noise) => {
                page.open("noise", "NoiseConfig");
                page.key("schedule", &noise.table().schedule)?;
                page.hint("shape", &noise.table().shape)?;
                page.hint("space", &noise.table().space)?;
                page.hint("input", &InputTable::default())?;
                page.hint("target", &TargetTable::default())?;
            }
        }

        page.line("");
        page.open("model", "ModelConfig");
        page.key("kind", &model.kind)?;
        page.key("backbone", &model.backbone)?;
        page.key("latent", &model.latent)?;
        page.key("hidden", &model.hidden)?;
        page.key("dropout", &model.dropout)?;
        page.key("channels", &model.channels)?;
        page.key("instance_center", &model.instance_center)?;
        page.key("linear_skip", &model.linear_skip)?;
        page.key("location", &model.location)?;

        page.line("");
        page.open("objective", "ObjectiveConfig");
        page.key("likelihood", &objective.likelihood)?;
        page.key("kl_weight", &objective.kl_weight)?;
        page.key("crps_weight", &objective.crps_weight)?;

        page.line("");
        page.open("train", "TrainConfig");
        page.key("ridge_start", &train.ridge_start)?;
        page.key("choose_instance_norm", &train.choose_instance_norm)?;
        page.key("epochs", &train.epochs)?;
        page.key("max_steps", &train.max_steps)?;
        page.key("steps_per_epoch", &train.steps_per_epoch)?;
        page.key("refit", &train.refit)?;
        page.key("batch_size", &train.batch_size)?;
        page.key("learning_rate", &train.learning_rate)?;
        page.key("learning_rate_schedule", &train.learning_rate_schedule)?;
        page.key("weight_decay", &train.weight_decay)?;
        page.key("ema_decay", &train.ema_decay)?;
        page.key("patience", &train.patience)?;

        page.line("");
        page.open("evaluate", "EvaluateConfig");
        page.key("samples", &evaluate.samples)?;
        Ok(page.text)
    }
}

/// The text written so far, and the documentation of its keys.
struct Page {
    schema: Value,
    /// The definition in the schema that the next key belongs to.
    table: &'static str,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    /// Begins a table, whose keys the schema describes in `definition`.
    fn open(&mut self, name: &str, definition: &'static str) {
        self.table = definition;
        self.line(&format!("[{name}]"));
    }

    fn key(&mut self, key: &str, value: &impl Serialize) -> Result<(), ConfigError> {
        self.write("", key, &inline(value)?);
        Ok(())
    }

    /// A commented-out key that shows how to write it.
    fn hint(&mut self, key: &str, value: &impl Serialize) -> Result<(), ConfigError> {
        self.write("# ", key, &inline(value)?);
        Ok(())
    }

    fn given(&mut self, key: &str, value: Option<&impl Serialize>) -> Result<(), ConfigError> {
        value.map_or(Ok(()), |value| self.key(key, value))
    }

    fn list<T: Serialize>(&mut self, key: &str, values: &[T]) -> Result<(), ConfigError> {
        if values.is_empty() { self.hint(key, &values) } else { self.key(key, &values) }
    }

    /// Writes a key with its comment, which follows a short value and precedes a long one.
    fn write(&mut self, mark: &str, key: &str, value: &str) {
        let written = format!("{mark}{key} = {value}");
        let comment = self.comment(key);
        if written.chars().count() < COMMENT {
            self.line(&format!("{written:<COMMENT$}# {comment}"));
        } else {
            self.line(&format!("# {comment}"));
            self.line(&written);
        }
    }

    fn property(&self, key: &str) -> &Value {
        match self.table {
            "Config" => &self.schema["properties"][key],
            table => &self.schema["$defs"][table]["properties"][key],
        }
    }

    /// The first sentence of the documentation of a key, and its choices.
    fn comment(&self, key: &str) -> String {
        let sentence = self.sentence(key);
        let mut choices = Vec::new();
        self.choices(self.property(key), &mut choices);
        match choices.as_slice() {
            [] => sentence,
            choices => format!("{}: {}", sentence.trim_end_matches('.'), choices.join(" | ")),
        }
    }

    fn sentence(&self, key: &str) -> String {
        let text = self.property(key)["description"].as_str().unwrap_or_default();
        text.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned()
    }

    /// Collects the words that are allowed as a value.
    fn choices<'a>(&'a self, schema: &'a Value, found: &mut Vec<&'a str>) {
        let definition = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        if let Some(name) = definition {
            self.choices(&self.schema["$defs"][name], found);
        }
        found.extend(schema["const"].as_str());
        for key in ["enum", "oneOf", "anyOf"] {
            for choice in schema[key].as_array().into_iter().flatten() {
                match choice {
                    Value::String(word) => found.push(word),
                    choice => self.choices(choice, found),
                }
            }
        }
    }
}

/// A value on one line.
fn inline(value: &(impl Serialize + ?Sized)) -> Result<String, ConfigError> {
    let mut text = String::new();
    value.serialize(ValueSerializer::new(&mut text)).map_err(super::not_toml)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        Config::parse(text, "written", &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The types, the file that `ballast init` writes, and a file with nothing but its data have the same defaults.
    #[test]
    fn the_default_is_what_a_new_config_says() {
        let data = data::DataConfig::new("/tmp/load.csv", 48, 24);
        let default = Config::new(data);
        let text = default.commented("load.csv: 400 rows").unwrap();
        assert_eq!(read(&text), default, "{text}");
        assert_eq!(read("[data]\npath = \"/tmp/load.csv\"\ncontext = 48\nhorizon = 24\n"), default);
        assert_eq!(default.noise.fixed().unwrap().steps(), 0);
        // Each key has a comment after or above it, and each line fits on a screen.
        let mut above = "";
        for line in text.lines() {
            assert!(line.chars().count() <= 140, "{line}");
            assert!(line.trim_end() != "#", "an empty comment in {text}");
            let key = line.contains(" = ") && !line.starts_with("# ");
            assert!(!key || line.contains("  # ") || above.starts_with("# "), "{line}");
            above = line;
        }
    }

    /// Oracle: a commented-out key shows its default, so that uncommenting it changes nothing.
    #[test]
    fn hints_are_keys() {
        let default = Config::new(data::DataConfig::new("/tmp/load.csv", 48, 24));
        let text = default.commented("").unwrap();
        let text = text.replace("schedule = \"none\"", "schedule = \"linear\"");
        let hinted: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.split(' ').nth(1) == Some("=") => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_ne!(hinted, text);
        assert_eq!(read(&hinted), read(&text));
    }

    #[test]
    fn names_that_need_escaping_read_back() {
        let mut data = data::DataConfig::new("od\"d na\\me\u{1}.csv", 8, 4);
        data.targets = Some(vec!["a \"b\"".to_owned(), "c\\d".to_owned()]);
        let config = Config::new(data);
        assert_eq!(read(&config.commented("two\nlines").unwrap()), config);
    }
}
