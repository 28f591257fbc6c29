//! Experiment files: reading them, checking what all kinds share, and saying where a mistake is.

use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use toml::{Spanned, Table, Value};

/// Where experiment files are, relative to the workspace.
const FOLDER: &str = "configs/experiments";

/// The rule for names that become folders. Lower case only, so that no file system sees two names as one folder.
const NAME_RULE: &str = "must be of lower-case letters, digits, `-` and `_`, at most 60, and start with a \
                         letter or digit: it names a folder";

/// The kinds of experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Variants of one config beside each other.
    #[default]
    Arms,
    /// Many configs, each with a target.
    Benchmarks,
    /// The study of re-injection: arms over data sets, models and amounts of data.
    Study,
    /// Backtests of a folder of small series, beside the scores of others.
    Small,
    /// Backtests of tasks where others have published scores.
    Ring,
}

impl Kind {
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Kind::Arms => "an experiment of arms",
            Kind::Benchmarks => "benchmarks",
            Kind::Study => "the study",
            Kind::Small => "small series",
            Kind::Ring => "the ring",
        }
    }
}

/// An experiment's file.
#[derive(Debug, Clone)]
pub(crate) struct PlanFile {
    /// `NAME` of `NAME.toml`.
    pub(crate) name: String,
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A config that an experiment names.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) table: Table,
}

impl Config {
    /// The config of a command that takes none.
    pub(crate) fn none() -> Config {
        Config { path: PathBuf::new(), text: String::new(), table: Table::new() }
    }
}

/// Keys of a config and their values: dotted key and TOML value, as `--set` takes them, in the order of the keys.
pub(crate) type Settings = Vec<(String, String)>;

impl PlanFile {
    /// Reads `configs/experiments/NAME.toml`.
    ///
    /// # Errors
    /// A name that is not one of a file there; the message lists those that are.
    pub(crate) fn read(root: &Path, name: &str) -> Result<PlanFile> {
        if !is_folder_name(name) {
            bail!("`{name}` cannot name an experiment; there are: {}", available(root));
        }
        let path = Path::new(FOLDER).join(name).with_extension("toml");
        match fs::read_to_string(root.join(&path)) {
            Ok(text) => Ok(PlanFile { name: name.to_owned(), path, text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("no experiment `{name}` in {FOLDER}; there are: {}", available(root))
            }
            Err(error) => Err(anyhow!("reading {}: {error}", path.display())),
        }
    }

    pub(crate) fn kind(&self) -> Result<Kind> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            kind: Kind,
        }
        Ok(self.parse::<Head>()?.kind)
    }

    pub(crate) fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T> {
        parse(&self.path, &self.text)
    }

    /// `file:line:column: message`.
    pub(crate) fn at(&self, span: Range<usize>, message: impl AsRef<str>) -> anyhow::Error {
        located(&self.path, &self.text, span, message.as_ref())
    }

    /// Seeds: at least `least` of them, all different.
    pub(crate) fn seeds(&self, seeds: &Spanned<Vec<u64>>, least: usize) -> Result<Vec<u64>> {
        let list = seeds.get_ref();
        let twice = list.iter().enumerate().find(|(place, seed)| list[..*place].contains(seed));
        if let Some((_, seed)) = twice {
            return Err(self.at(seeds.span(), format!("seed {seed} is there twice")));
        }
        if list.is_empty() {
            return Err(self.at(seeds.span(), "there is no seed in it"));
        }
        if list.len() < least {
            let message = format!("differences between seeds need at least {least} of them");
            return Err(self.at(seeds.span(), message));
        }
        Ok(list.clone())
    }

    /// Checks names of one kind of thing: each can name a folder, and no two are the same.
    pub(crate) fn names<'a>(
        &self,
        what: &str,
        names: impl Iterator<Item = &'a Spanned<String>>,
    ) -> Result<()> {
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            let text = name.get_ref();
            if !is_folder_name(text) {
                return Err(self.at(name.span(), format!("the {what}’s name `{text}` {NAME_RULE}")));
            }
            if seen.contains(&text.as_str()) {
                return Err(self.at(name.span(), format!("two {what}s are named `{text}`")));
            }
            seen.push(text);
        }
        if seen.is_empty() {
            return Err(self.at(0..0, format!("there is no {what} in it")));
        }
        Ok(())
    }

    /// The place of a name among those that there are.
    pub(crate) fn find<'a>(
        &self,
        what: &str,
        wanted: &Spanned<String>,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<usize> {
        let names: Vec<&str> = names.collect();
        names.iter().position(|name| name == wanted.get_ref()).ok_or_else(|| {
            let (wanted_name, known) = (wanted.get_ref(), names.join(", "));
            let message = format!("no {what} is named `{wanted_name}`; there are: {known}");
            self.at(wanted.span(), message)
        })
    }

    /// The path of a config, which is named relative to the plan, relative to the workspace.
    pub(crate) fn beside(&self, path: &Path) -> PathBuf {
        normal(&self.path.parent().unwrap_or(Path::new("")).join(path))
    }

    /// Reads a config that the plan names.
    pub(crate) fn config(&self, root: &Path, path: &Spanned<PathBuf>) -> Result<Config> {
        let relative = self.beside(path.get_ref());
        let text = fs::read_to_string(root.join(&relative))
            .map_err(|error| self.at(path.span(), format!("{}: {error}", relative.display())))?;
        let table = parse(&relative, &text)?;
        Ok(Config { path: relative, text, table })
    }
}

/// `{ noise = { steps = 50 } }` and `{ "noise.steps" = 50 }` alike as `("noise.steps", "50")`.
pub(crate) fn settings(table: &Table) -> Settings {
    fn flatten(prefix: &str, table: &Table, out: &mut Settings) {
        for (key, value) in table {
            let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) => flatten(&key, inner, out),
                value => out.push((key, value.to_string())),
            }
        }
    }
    let mut out = Vec::new();
    flatten("", table, &mut out);
    out
}

/// `data.path` set to a path relative to the workspace.
pub(crate) fn data_path(path: &str) -> (String, String) {
    ("data.path".to_owned(), Value::String(path.to_owned()).to_string())
}

/// Parses TOML; an error names the place.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(file: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        located(file, text, span, &error.message().replace('\n', " "))
    })
}

/// Columns count characters.
fn located(file: &Path, text: &str, span: Range<usize>, message: &str) -> anyhow::Error {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    anyhow!("{}:{line}:{column}: {message}", file.display())
}

fn is_folder_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=60).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['-', '_'])
}

/// A name as that of a folder: lower case, with `-` for whatever it may not hold.
pub(crate) fn folder_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.to_lowercase().chars().map(plain).take(60).collect();
    if is_folder_name(&name) { name } else { format!("s{name}").chars().take(60).collect() }
}

fn available(root: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(root.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names.join(", ")
}

/// `a/b/../c` as `a/c`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}
