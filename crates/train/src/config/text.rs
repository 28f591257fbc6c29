//! Configs as text: files, overrides, and the places of their errors.

use std::path::Path;

use super::{Config, ConfigError};

/// Text for a message: one line without control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    let mut short: String = (text.chars().take(MOST))
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// Largest size of a config file in bytes.
const MOST_BYTES: u64 = 1 << 24;

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    files::read_text(path, MOST_BYTES).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => ConfigError::Unreadable { path: path.to_owned(), source },
    })
}

/// Applies one `a.b=value` to a table. A value that is not TOML is a string.
pub(super) fn set(table: &mut toml::Table, item: &str) -> Result<(), ConfigError> {
    let bad = |message: &str| ConfigError::Invalid {
        origin: format!("--set {}", shown(item)),
        message: message.to_owned(),
        hint: Some("write it as `--set train.epochs=20`".to_owned()),
    };
    if item.contains(['\n', '\r']) {
        return Err(bad("it has more than one line; give each key its own `--set`"));
    }
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

/// An error and the dotted key where it occurred.
pub(super) struct Located {
    pub(super) key: String,
    pub(super) error: toml::de::Error,
}

impl From<serde_path_to_error::Error<toml::de::Error>> for Located {
    fn from(error: serde_path_to_error::Error<toml::de::Error>) -> Self {
        Located { key: error.path().to_string(), error: error.into_inner() }
    }
}

impl Located {
    /// The message, preceded by its key unless it names the key itself.
    pub(super) fn message(&self) -> String {
        let (key, message) = (&self.key, self.error.message().replace('\n', " "));
        let named = [".", " ", "`"].iter().any(|end| message.contains(&format!("{key}{end}")));
        if named || key == "." { message } else { format!("`{key}`: {message}") }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match (self.key.as_str(), self.error.message()) {
            ("noise", "missing field `schedule`") => Some(
                "name one, such as `schedule = \"linear\"`; without the table there is no noise"
                    .to_owned(),
            ),
            (_, message) => nearest(message),
        }
    }

    /// The error with its place in the file `origin`, which holds `text`.
    pub(super) fn in_file(&self, text: &str, origin: &str) -> ConfigError {
        let origin = match self.error.span() {
            Some(span) => {
                let before = &text[..span.start.min(text.len())];
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                format!("{origin}:{line}:{column}")
            }
            None => origin.to_owned(),
        };
        ConfigError::Invalid { origin, hint: self.hint(), message: self.message() }
    }
}

pub(super) fn from_text(text: &str) -> Result<Config, Located> {
    let parsed = toml::Deserializer::parse(text);
    let table = parsed.map_err(|error| Located { key: ".".to_owned(), error })?;
    Ok(serde_path_to_error::deserialize(table)?)
}

/// The valid name nearest to `a` in serde's "unknown field `a`, expected one of `b`, `c`".
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
