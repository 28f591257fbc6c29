//! The benchmark file: its cells, the data they need, and their targets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table};

use crate::places::Data;
use crate::plan::{Config, Kind, PlanFile, Settings, data_path, parse, settings};

/// A benchmark that can be run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) question: String,
    /// Remarks on the protocols.
    pub(super) notes: Vec<String>,
    pub(super) seeds: Vec<u64>,
    /// Number of seeds that the default config is trained with.
    pub(super) default_seeds: usize,
    pub(super) cited: Vec<Cited>,
    /// Those with configs of their own, then those of the default config.
    pub(super) cells: Vec<Cell>,
}

/// A source of numbers that are cited beside ours.
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
    /// The config, or its path if there is no such file yet.
    pub(super) config: Result<Config, PathBuf>,
    /// Settings but for the path of the data.
    pub(super) set: Settings,
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

/// The target of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    /// A mean CRPS over seeds of at most this.
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

/// The folder of the data that come with the repository.
const BUNDLED: &str = "crates/data/bundled";
/// Keys of `[data]` that a config chooses in order to forecast better, and the path, which is set by itself.
const CHOSEN: [&str; 5] = ["path", "calendar", "scale", "spreads", "transform"];
/// The prefix of the names of cells of the default config.
const DEFAULT: &str = "default-";

impl Plan {
    /// Checks the file and reads the configs that it names.
    pub(super) fn new(root: &Path, file: &PlanFile) -> Result<Plan> {
        let table: PlanTable = file.parse()?;
        let seeds = file.seeds(&table.seeds, 1)?;
        let default_seeds = match &table.default_seeds {
            None => seeds.len(),
            Some(few) if (1..=seeds.len()).contains(few.get_ref()) => *few.get_ref(),
            Some(wrong) => {
                let message = format!("default_seeds must be 1 to {}, the seeds", seeds.len());
                return Err(file.at(wrong.span(), message));
            }
        };
        check_cells(file, &table)?;
        let default = read_config(root, file.beside(&table.default))?;
        let own = table.cell.iter().map(|cell| {
            let path = cell.data.as_ref().map(|path| path.get_ref().clone());
            Ok(Cell {
                name: cell.name.get_ref().clone(),
                label: cell.label.clone(),
                group: Group::Own,
                config: read_config(root, file.beside(&cell.config))?,
                set: settings(&cell.set),
                data: path.map(|path| Data { path, fetch: cell.fetch.clone() }),
                target: cell.target,
                cited: cell.cited.iter().map(|(k, v)| (k.get_ref().clone(), *v)).collect(),
            })
        });
        let mut cells = own.collect::<Result<Vec<Cell>>>()?;
        let of_default: Vec<Cell> = cells.iter().map(|cell| default_cell(cell, &default)).collect();
        cells.extend(of_default);
        Ok(Plan {
            name: file.name.clone(),
            title: table.title,
            question: table.question,
            notes: table.notes,
            seeds,
            default_seeds,
            cited: table.cited,
            cells,
        })
    }

    /// The cells that `--only` chooses: all for no name; a name is that of a cell, or `default` for its group.
    pub(super) fn chosen(&self, only: &[String]) -> Result<Vec<bool>> {
        let matches = |cell: &Cell, name: &String| {
            cell.name == *name || (name == "default" && cell.group == Group::Default)
        };
        for name in only {
            if !self.cells.iter().any(|cell| matches(cell, name)) {
                let names: Vec<&str> = self.cells.iter().map(|cell| cell.name.as_str()).collect();
                bail!(
                    "--only {name}: no such cell; there are: {}, and `default` for all default-…",
                    names.join(", ")
                );
            }
        }
        let chosen = |cell: &Cell| only.is_empty() || only.iter().any(|name| matches(cell, name));
        Ok(self.cells.iter().map(chosen).collect())
    }
}

fn check_cells(file: &PlanFile, table: &PlanTable) -> Result<()> {
    file.names("cell", table.cell.iter().map(|cell| &cell.name))?;
    for cell in &table.cell {
        let name = cell.name.get_ref();
        if name.starts_with(DEFAULT) || name == "data" {
            let message = format!(
                "the cell’s name `{name}` must neither be `data` nor begin with `{DEFAULT}`: both are taken"
            );
            return Err(file.at(cell.name.span(), message));
        }
        if cell.set.contains_key("seed") {
            let message = "a cell cannot set `seed`: every cell has the same `seeds`";
            return Err(file.at(cell.name.span(), message));
        }
        let inside = |path: &Path| path.components().all(|c| matches!(c, Component::Normal(_)));
        if let Some(path) = cell.data.as_ref().filter(|path| !inside(path.get_ref())) {
            return Err(file.at(path.span(), "must be a path inside the folder of --data"));
        }
        for who in cell.cited.keys() {
            if !table.cited.iter().any(|cited| cited.name == *who.get_ref()) {
                let message = format!("no [[cited]] is named `{}`", who.get_ref());
                return Err(file.at(who.span(), message));
            }
        }
    }
    Ok(())
}

/// The default config on the data of a cell: the keys of `[data]` that the cell has are set, but for those that it
/// chooses in order to forecast better.
fn default_cell(cell: &Cell, default: &Result<Config, PathBuf>) -> Cell {
    let chosen = |key: &str| CHOSEN.contains(&key);
    let of_cell =
        |(key, _): &&(String, String)| key.strip_prefix("data.").is_some_and(|key| !chosen(key));
    let of_config = cell.config.as_ref().ok().and_then(|own| own.table.get("data")?.as_table());
    let mut set: Settings = (of_config.into_iter().flatten())
        .filter(|(key, _)| !chosen(key))
        .map(|(key, value)| match (key.as_str(), value.as_str()) {
            // As a file, so that it takes the place of another file.
            ("source", Some(name)) => data_path(&format!("{BUNDLED}/{name}.csv")),
            _ => (format!("data.{key}"), value.to_string()),
        })
        .filter(|(key, _)| !cell.set.iter().any(|(changed, _)| changed == key))
        .collect();
    set.extend(cell.set.iter().filter(of_cell).cloned());
    let own = cell.config.as_ref().err();
    Cell {
        name: format!("{DEFAULT}{}", cell.name),
        group: Group::Default,
        config: own.map_or(default.clone(), |missing| Err(missing.clone())),
        set,
        target: Target::Ridge,
        cited: BTreeMap::new(),
        ..cell.clone()
    }
}

/// The config, or its path if there is no such file yet.
fn read_config(root: &Path, path: PathBuf) -> Result<Result<Config, PathBuf>> {
    match fs::read_to_string(root.join(&path)) {
        Ok(text) => {
            let table: Table = parse(&path, &text)?;
            Ok(Ok(Config { path, text, table }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Err(path)),
        Err(error) => Err(anyhow!("reading {}: {error}", path.display())),
    }
}
