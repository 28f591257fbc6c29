//! The experiment file: what is compared, and on how many seeds.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

/// An experiment that can be run: names are safe and unique, references resolve.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) question: String,
    /// Relative to the workspace.
    pub(super) file: PathBuf,
    pub(super) text: String,
    /// The base config, relative to the workspace.
    pub(super) base: PathBuf,
    pub(super) base_text: String,
    pub(super) base_table: Table,
    pub(super) seeds: Vec<u64>,
    pub(super) device: Option<String>,
    pub(super) arms: Vec<Arm>,
    /// Index of the arm that the others are compared with.
    pub(super) reference: usize,
    pub(super) claims: Vec<Claim>,
}

/// One variant of the base config.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Arm {
    pub(super) name: String,
    pub(super) label: String,
    /// Dotted key and TOML value, as `--set` takes them, in the order of the keys.
    pub(super) set: Vec<(String, String)>,
}

/// A yes-or-no question that the report answers with yes, no or undecided.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) asks: String,
    /// Indices of arms: yes if `better` has the smaller measure.
    pub(super) better: usize,
    pub(super) than: usize,
    pub(super) measure: Measure,
}

/// What a claim is about; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Measure {
    /// CRPS on the test windows.
    #[default]
    Test,
    /// CRPS on the test windows less that on the training windows.
    Gap,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanTable {
    title: String,
    question: String,
    base: Spanned<PathBuf>,
    seeds: Spanned<Vec<u64>>,
    device: Option<String>,
    reference: Spanned<String>,
    arm: Vec<ArmTable>,
    #[serde(default)]
    claim: Vec<ClaimTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArmTable {
    name: Spanned<String>,
    label: String,
    #[serde(default)]
    set: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimTable {
    asks: String,
    better: Spanned<String>,
    than: Spanned<String>,
    #[serde(default)]
    measure: Measure,
}

/// Where experiment files are, relative to the workspace.
pub(super) const FOLDER: &str = "configs/experiments";

/// What the experiment file says of its kind; arms are of none. What cannot be read or parsed is
/// reported with its place as a plan of arms.
pub(super) fn kind(root: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(root.join(FOLDER).join(format!("{name}.toml"))).ok()?;
    let kind = toml::from_str::<Table>(&text).ok()?.remove("kind")?;
    kind.as_str().map(str::to_owned)
}

impl Plan {
    /// Reads and checks `configs/experiments/NAME.toml`.
    pub(super) fn load(root: &Path, name: &str) -> Result<Plan> {
        if !is_folder_name(name) {
            bail!("`{name}` cannot name an experiment; there are: {}", available(root));
        }
        let file = Path::new(FOLDER).join(name).with_extension("toml");
        let text = match fs::read_to_string(root.join(&file)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("no experiment `{name}` in {FOLDER}; there are: {}", available(root))
            }
            Err(error) => return Err(error).context(format!("reading {}", file.display())),
        };
        Plan::parse(root, name, file, text)
    }

    fn parse(root: &Path, name: &str, file: PathBuf, text: String) -> Result<Plan> {
        let table: PlanTable = parse_toml(&file, &text)?;
        let at = |span: Range<usize>, message: String| located(&file, &text, span, &message);
        let arms = check_arms(&table, &at)?;
        let find = |wanted: &Spanned<String>| {
            arms.iter().position(|arm| arm.name == *wanted.get_ref()).ok_or_else(|| {
                let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
                let message = format!(
                    "no arm is named `{}`; there are: {}",
                    wanted.get_ref(),
                    names.join(", ")
                );
                at(wanted.span(), message)
            })
        };
        let seeds = table.seeds.get_ref();
        let repeated = seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed));
        if let Some((_, seed)) = repeated {
            return Err(at(table.seeds.span(), format!("seed {seed} is there twice")));
        }
        if seeds.is_empty() {
            return Err(at(table.seeds.span(), "there is no seed in it".to_owned()));
        }
        let reference = find(&table.reference)?;
        let claims = table.claim.iter().map(|claim| {
            let (better, than) = (find(&claim.better)?, find(&claim.than)?);
            Ok(Claim { asks: claim.asks.clone(), better, than, measure: claim.measure })
        });
        let claims = claims.collect::<Result<_>>()?;
        let base = normal(&file.parent().unwrap_or(Path::new("")).join(table.base.get_ref()));
        let base_text = fs::read_to_string(root.join(&base))
            .map_err(|error| at(table.base.span(), format!("{}: {error}", base.display())))?;
        let base_table = parse_toml(&base, &base_text)?;
        Ok(Plan {
            name: name.to_owned(),
            title: table.title,
            question: table.question,
            seeds: seeds.clone(),
            device: table.device,
            file,
            text,
            base,
            base_text,
            base_table,
            arms,
            reference,
            claims,
        })
    }
}

fn check_arms(
    table: &PlanTable,
    at: &dyn Fn(Range<usize>, String) -> anyhow::Error,
) -> Result<Vec<Arm>> {
    let mut arms: Vec<Arm> = Vec::new();
    for arm in &table.arm {
        let name = arm.name.get_ref();
        if !is_folder_name(name) {
            let rule = "must be of lower-case letters, digits, `-` and `_`, at most 60, and start \
                        with a letter or digit, since it names a folder";
            return Err(at(arm.name.span(), format!("the arm's name `{name}` {rule}")));
        }
        if arms.iter().any(|earlier| earlier.name == *name) {
            return Err(at(arm.name.span(), format!("two arms are named `{name}`")));
        }
        let mut set = Vec::new();
        flatten("", &arm.set, &mut set);
        if set.iter().any(|(key, _)| key == "seed") {
            let message = "an arm cannot set `seed`: every arm has the same `seeds`".to_owned();
            return Err(at(arm.name.span(), message));
        }
        arms.push(Arm { name: name.clone(), label: arm.label.clone(), set });
    }
    if arms.is_empty() {
        return Err(at(0..0, "there is no [[arm]]".to_owned()));
    }
    Ok(arms)
}

/// `{ noise = { steps = 50 } }` and `{ "noise.steps" = 50 }` alike as `("noise.steps", "50")`.
pub(super) fn flatten(prefix: &str, table: &Table, out: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, out),
            value => out.push((key, value.to_string())),
        }
    }
}

/// Lower case only, so that no file system sees two arms as one folder.
pub(super) fn is_folder_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=60).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['-', '_'])
}

pub(super) fn available(root: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(root.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names.join(", ")
}

pub(super) fn parse_toml<T: for<'de> Deserialize<'de>>(file: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        located(file, text, span, &error.message().replace('\n', " "))
    })
}

/// `file:line:column: message`; columns count characters.
pub(super) fn located(file: &Path, text: &str, span: Range<usize>, message: &str) -> anyhow::Error {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    anyhow!("{}:{line}:{column}: {message}", file.display())
}

/// `a/b/../c` as `a/c`.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}
