//! The benchmark file: which cells there are, what they need, and what is to be reached.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

use super::super::plan::{FOLDER, flatten, is_folder_name, located, normal, parse_toml};

/// A benchmark that can be run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) question: String,
    /// What a reader must know of the protocols.
    pub(super) notes: Vec<String>,
    pub(super) seeds: Vec<u64>,
    /// How many of them the default config is trained with.
    pub(super) default_seeds: usize,
    pub(super) cited: Vec<Cited>,
    /// Those with configs of their own, then those of the default config.
    pub(super) cells: Vec<Cell>,
}

/// Whose numbers stand beside ours.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cited {
    pub(super) name: String,
    pub(super) source: String,
}

/// One config on one task.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Also the folder: `runs/NAME/CELL`.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) group: Group,
    /// The config, relative to the workspace.
    pub(super) config: PathBuf,
    /// Absent if there is no such file yet, and then what is missing.
    pub(super) table: Result<Table, PathBuf>,
    /// `--set` but for the path of the data.
    pub(super) set: Vec<(String, String)>,
    /// Absent for bundled data.
    pub(super) data: Option<Data>,
    pub(super) target: Target,
    /// By the names of [`Plan::cited`].
    pub(super) cited: BTreeMap<String, f64>,
}

/// Whether a cell has a config of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Group {
    Own,
    Default,
}

/// A file or folder that is not part of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// Relative to the folder that `--data` names.
    pub(crate) path: PathBuf,
    /// What `ballast data fetch` calls it, if it can be fetched.
    pub(crate) fetch: Option<String>,
}

/// What a cell is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    /// A mean CRPS over seeds of at most so much.
    Crps(f64),
    /// A CRPS below that of every baseline, the 95 % intervals of the differences too.
    EveryBaseline,
    /// On returns: no worse than zero in squared error, better than climatology, calibrated.
    Returns,
    /// No loss to ridge beyond the standard error of the difference.
    Ridge,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanTable {
    #[serde(rename = "kind")]
    _kind: Kind,
    title: String,
    question: String,
    #[serde(default)]
    notes: Vec<String>,
    seeds: Spanned<Vec<u64>>,
    default: PathBuf,
    default_seeds: Option<Spanned<usize>>,
    #[serde(default)]
    cited: Vec<Cited>,
    cell: Vec<CellTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Benchmarks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CellTable {
    name: Spanned<String>,
    label: String,
    config: PathBuf,
    /// Keys of the config that the cell changes.
    #[serde(default)]
    set: Table,
    data: Option<Spanned<PathBuf>>,
    fetch: Option<String>,
    target: Target,
    #[serde(default)]
    cited: BTreeMap<Spanned<String>, f64>,
}

/// Where the data are that come with the repository.
const BUNDLED: &str = "crates/data/bundled";
/// Keys of `[data]` that a config chooses to forecast better, and the path, which is set by itself.
const CHOSEN: [&str; 5] = ["path", "calendar", "scale", "spreads", "transform"];
/// What names of cells of the default config begin with.
const DEFAULT: &str = "default-";

impl Plan {
    /// Reads and checks `configs/experiments/NAME.toml`.
    pub(crate) fn load(root: &Path, name: &str) -> Result<Plan> {
        let file = Path::new(FOLDER).join(name).with_extension("toml");
        let text = fs::read_to_string(root.join(&file))
            .map_err(|error| anyhow::anyhow!("reading {}: {error}", file.display()))?;
        let table: PlanTable = parse_toml(&file, &text)?;
        let at = |span: Range<usize>, message: String| located(&file, &text, span, &message);
        let seeds = table.seeds.get_ref();
        if let Some(twice) = seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
            return Err(at(table.seeds.span(), format!("seed {} is there twice", twice.1)));
        }
        if seeds.is_empty() {
            return Err(at(table.seeds.span(), "there is no seed in it".to_owned()));
        }
        let default_seeds = match &table.default_seeds {
            None => seeds.len(),
            Some(few) if (1..=seeds.len()).contains(few.get_ref()) => *few.get_ref(),
            Some(wrong) => {
                let message = format!("default_seeds must be 1 to {}, the seeds", seeds.len());
                return Err(at(wrong.span(), message));
            }
        };
        check_cells(&table, &at)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let default = normal(&folder.join(&table.default));
        let default_table = read_config(root, &default)?;
        let mut cells = Vec::new();
        for cell in &table.cell {
            let config = normal(&folder.join(&cell.config));
            let data = cell.data.as_ref().map(|path| path.get_ref().clone());
            let mut set = Vec::new();
            flatten("", &cell.set, &mut set);
            cells.push(Cell {
                name: cell.name.get_ref().clone(),
                label: cell.label.clone(),
                group: Group::Own,
                table: read_config(root, &config)?,
                config,
                set,
                data: data.map(|path| Data { path, fetch: cell.fetch.clone() }),
                target: cell.target,
                cited: cell.cited.iter().map(|(k, v)| (k.get_ref().clone(), *v)).collect(),
            });
        }
        let of_default = |cell: &Cell| default_cell(cell, &default, &default_table);
        let of_default: Vec<Cell> = cells.iter().map(of_default).collect();
        cells.extend(of_default);
        Ok(Plan {
            name: name.to_owned(),
            title: table.title,
            question: table.question,
            notes: table.notes,
            seeds: seeds.clone(),
            default_seeds,
            cited: table.cited,
            cells,
        })
    }

    /// Which cells `--only` chooses: all for no name; a name is that of a cell or `default` for its group.
    pub(super) fn chosen(&self, only: &[String]) -> Result<Vec<bool>> {
        let matches = |cell: &Cell, name: &String| {
            cell.name == *name || (name == "default" && cell.group == Group::Default)
        };
        for name in only {
            if !self.cells.iter().any(|cell| matches(cell, name)) {
                let names: Vec<&str> = self.cells.iter().map(|cell| cell.name.as_str()).collect();
                anyhow::bail!(
                    "--only {name}: no such cell; there are: {}, and `default` for all default-…",
                    names.join(", ")
                );
            }
        }
        let chosen = |cell: &Cell| only.is_empty() || only.iter().any(|name| matches(cell, name));
        Ok(self.cells.iter().map(chosen).collect())
    }
}

fn check_cells(
    table: &PlanTable,
    at: &dyn Fn(Range<usize>, String) -> anyhow::Error,
) -> Result<()> {
    let mut names: Vec<&String> = Vec::new();
    for cell in &table.cell {
        let name = cell.name.get_ref();
        if !is_folder_name(name) || name.starts_with(DEFAULT) || name == "data" {
            let rule = "must be of lower-case letters, digits, `-` and `_`, at most 60, start with a \
                        letter or digit, and be neither `data` nor begin with `default-`";
            return Err(at(cell.name.span(), format!("the cell's name `{name}` {rule}")));
        }
        if names.contains(&name) {
            return Err(at(cell.name.span(), format!("two cells are named `{name}`")));
        }
        names.push(name);
        if cell.set.contains_key("seed") {
            let message = "a cell cannot set `seed`: every cell has the same `seeds`".to_owned();
            return Err(at(cell.name.span(), message));
        }
        let outside =
            |path: &Path| !path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if let Some(path) = cell.data.as_ref().filter(|path| outside(path.get_ref())) {
            let message = "must be a path inside the folder of --data".to_owned();
            return Err(at(path.span(), message));
        }
        for who in cell.cited.keys() {
            if !table.cited.iter().any(|cited| cited.name == *who.get_ref()) {
                let message = format!("no [[cited]] is named `{}`", who.get_ref());
                return Err(at(who.span(), message));
            }
        }
    }
    if names.is_empty() {
        return Err(at(0..0, "there is no [[cell]]".to_owned()));
    }
    Ok(())
}

/// The default config on the data of a cell: the keys of `[data]` that the cell has are set, but for those that it
/// chooses to forecast better.
fn default_cell(cell: &Cell, config: &Path, table: &Result<Table, PathBuf>) -> Cell {
    let chosen = |key: &str| CHOSEN.contains(&key);
    let of_cell =
        |(key, _): &&(String, String)| key.strip_prefix("data.").is_some_and(|key| !chosen(key));
    let of_config = cell.table.as_ref().ok().and_then(|own| own.get("data")?.as_table());
    let mut set: Vec<(String, String)> = (of_config.into_iter().flatten())
        .filter(|(key, _)| !chosen(key))
        .map(|(key, value)| match (key.as_str(), value.as_str()) {
            // As a file, so that it takes the place of another file.
            ("source", Some(name)) => {
                let path = format!("{BUNDLED}/{name}.csv");
                ("data.path".to_owned(), Value::String(path).to_string())
            }
            _ => (format!("data.{key}"), value.to_string()),
        })
        .filter(|(key, _)| !cell.set.iter().any(|(changed, _)| changed == key))
        .collect();
    set.extend(cell.set.iter().filter(of_cell).cloned());
    Cell {
        name: format!("{DEFAULT}{}", cell.name),
        group: Group::Default,
        config: config.to_owned(),
        table: table.clone().and_then(|table| cell.table.clone().map(|_| table)),
        set,
        target: Target::Ridge,
        cited: BTreeMap::new(),
        ..cell.clone()
    }
}

/// The config, or its path if there is no such file yet.
fn read_config(root: &Path, path: &Path) -> Result<Result<Table, PathBuf>> {
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(Ok(parse_toml(path, &text)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Err(path.to_owned())),
        Err(error) => Err(anyhow::anyhow!("reading {}: {error}", path.display())),
    }
}
