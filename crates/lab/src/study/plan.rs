//! The study's file: what is run, what is compared with what, and what counts as an answer.

mod file;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table};

use super::super::plan::{FOLDER, flatten, is_folder_name, located, normal, parse_toml};
use super::simulate::Process;
use file::{BlockTable, DataTable, PlanTable, TestTable};

/// A study that can be run within one budget.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) question: String,
    /// Relative to the workspace.
    pub(super) file: PathBuf,
    pub(super) text: String,
    pub(super) budget: String,
    /// Index of the arm that effects are relative to.
    pub(super) reference: usize,
    /// Error rate of each claim, over all its comparisons.
    pub(super) alpha: f64,
    pub(super) seeds: Vec<u64>,
    pub(super) data: Vec<Data>,
    pub(super) models: Vec<Variant>,
    pub(super) arms: Vec<Arm>,
    pub(super) tuned: Vec<Tuned>,
    /// Every cell of the budget, in the order of the file, with its arms.
    pub(super) cells: Vec<Cell>,
    pub(super) claims: Vec<Claim>,
}

/// A data set: bundled, a file that the user has, or simulated.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) name: String,
    pub(super) label: String,
    /// Its config, relative to the workspace, and what it says.
    pub(super) config: PathBuf,
    pub(super) table: Table,
    pub(super) file: Option<super::super::benchmarks::Data>,
    pub(super) simulation: Option<Simulation>,
}

/// What a simulated set is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Simulation {
    pub(super) rows: usize,
    pub(super) seed: u64,
    pub(super) process: Process,
}

/// A name, and keys of the config with their values.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) set: Vec<(String, String)>,
}

/// A way of training.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) set: Vec<(String, String)>,
    /// Whether its random numbers are not those of the other arms.
    pub(super) fresh: bool,
}

/// The best of some arms, cell by cell, by validation.
#[derive(Debug)]
pub(super) struct Tuned {
    pub(super) label: String,
    pub(super) among: Vec<usize>,
}

/// What arms are compared in: data, model and share of the training rows.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) data: usize,
    pub(super) model: usize,
    pub(super) percent: u32,
    /// In the order of the plan's arms.
    pub(super) arms: Vec<usize>,
    /// Whether features are probed.
    pub(super) features: bool,
}

/// A sentence to be judged, by some tests.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) says: String,
    pub(super) tests: Vec<Test>,
}

/// A comparison of two arms in every cell that has both.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) asks: String,
    pub(super) arm: usize,
    pub(super) than: usize,
    pub(super) measure: Measure,
    pub(super) expect: Expect,
    /// Of "equal", relative to the reference arm's test CRPS.
    pub(super) margin: Option<f64>,
    /// By name; all for none.
    pub(super) models: Vec<String>,
    /// Whether the difference itself is compared between two kinds of cell.
    pub(super) against: Option<Against>,
}

/// What a test measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Measure {
    /// Standardized CRPS on test windows of the weights that validation chose.
    Test,
    /// The same of the weights at the end of training.
    TestEnd,
    /// Log predictive density on test windows of the chosen weights, nats.
    LogScore,
    /// Test less training CRPS of the last weights.
    GapEnd,
    /// R² of the future probed from the features of clean windows.
    FeaturesClean,
    /// The same of windows at the last step of the arm's own noise.
    FeaturesNoisy,
    /// |slope − 1| of the truth regressed on the mean forecast.
    Shrinkage,
}

impl Measure {
    pub(super) fn label(self) -> &'static str {
        match self {
            Measure::Test => "test CRPS, chosen epoch",
            Measure::TestEnd => "test CRPS, last epoch",
            Measure::LogScore => "log score, chosen epoch",
            Measure::GapEnd => "train–test gap, last epoch",
            Measure::FeaturesClean => "feature R², clean windows",
            Measure::FeaturesNoisy => "feature R², last step",
            Measure::Shrinkage => "bias of the slope",
        }
    }
}

/// Which difference, arm less other, makes a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expect {
    Smaller,
    Larger,
    /// Within the margin.
    Equal,
}

/// Two kinds of cell: the difference in the first less that in the second.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Against {
    Percent([u32; 2]),
    Model([String; 2]),
    Data([String; 2]),
}

/// Says where in the file something is wrong.
type At<'a> = &'a dyn Fn(Range<usize>, String) -> anyhow::Error;

impl Plan {
    /// Reads and checks `configs/experiments/NAME.toml` for one of its budgets.
    pub(crate) fn load(root: &Path, name: &str, budget: &str) -> Result<Plan> {
        let file = Path::new(FOLDER).join(name).with_extension("toml");
        let text = fs::read_to_string(root.join(&file))
            .map_err(|error| anyhow!("reading {}: {error}", file.display()))?;
        let table: PlanTable = parse_toml(&file, &text)?;
        let at = |span: Range<usize>, message: String| located(&file, &text, span, &message);
        let data: Vec<Data> = table
            .data
            .iter()
            .map(|data| read_data(root, &file, data, &at))
            .collect::<Result<_>>()?;
        let models = table.model.iter().map(|model| Variant {
            name: model.name.get_ref().clone(),
            label: model.label.clone(),
            set: flat(&model.set),
        });
        let models: Vec<Variant> = models.collect();
        let arms = table.arm.iter().map(|arm| Arm {
            name: arm.name.get_ref().clone(),
            label: arm.label.clone(),
            set: flat(&arm.set),
            fresh: arm.fresh,
        });
        let arms: Vec<Arm> = arms.collect();
        let names = table.data.iter().map(|d| &d.name);
        check_names(names, &at)?;
        check_names(table.model.iter().map(|m| &m.name), &at)?;
        let of_arms = table.arm.iter().map(|arm| &arm.name);
        check_names(of_arms.chain(table.tuned.iter().map(|tuned| &tuned.name)), &at)?;
        let arm =
            |wanted: &Spanned<String>| find(wanted, arms.iter().map(|arm| &*arm.name), "arm", &at);
        let reference = arm(&table.reference)?;
        let tuned = table.tuned.iter().map(|tuned| {
            let among = tuned.among.iter().map(arm).collect::<Result<_>>()?;
            Ok(Tuned { label: tuned.label.clone(), among })
        });
        let tuned = tuned.collect::<Result<Vec<_>>>()?;
        let Some(chosen) = table.budget.get(budget) else {
            let known: Vec<&str> = table.budget.keys().map(String::as_str).collect();
            return Err(anyhow!("--budget {budget}: there are: {}", known.join(", ")));
        };
        let seeds = chosen.seeds.get_ref();
        if seeds.len() < 2 {
            let message = "differences between seeds need at least two of them".to_owned();
            return Err(at(chosen.seeds.span(), message));
        }
        let twice = |(place, seed): (usize, &u64)| seeds[..place].contains(seed);
        if let Some(place) = seeds.iter().enumerate().position(twice) {
            return Err(at(chosen.seeds.span(), format!("seed {} is there twice", seeds[place])));
        }
        let alpha = *table.alpha.get_ref();
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(at(table.alpha.span(), format!("{alpha} is not between 0 and 1")));
        }
        let mut cells: Vec<Cell> = Vec::new();
        for block in &chosen.block {
            add_block(block, &data, &models, &arm, &at, &mut cells)?;
        }
        let claims = table.claim.iter().map(|claim| {
            let tests = claim.test.iter().map(|test| read_test(test, &data, &models, &arm, &at));
            let (name, says) = (claim.name.clone(), claim.says.clone());
            Ok(Claim { name, says, tests: tests.collect::<Result<_>>()? })
        });
        let claims = claims.collect::<Result<_>>()?;
        Ok(Plan {
            name: name.to_owned(),
            title: table.title,
            question: table.question,
            budget: budget.to_owned(),
            alpha,
            seeds: seeds.clone(),
            file,
            text,
            reference,
            data,
            models,
            arms,
            tuned,
            cells,
            claims,
        })
    }

    /// `Seattle weather 28 → 7, 10 %`, with the model where it is not the first.
    pub(super) fn cell_label(&self, cell: &Cell) -> String {
        let Cell { data, model, percent, .. } = *cell;
        let model = match model {
            0 => String::new(),
            model => format!(", {}", self.models[model].label),
        };
        format!("{}{model}, {percent} %", self.data[data].label)
    }

    /// The folder of a cell within the study's.
    pub(super) fn cell_folder(&self, cell: &Cell) -> String {
        let Cell { data, model, percent, .. } = *cell;
        format!("{}-{}-{percent}", self.data[data].name, self.models[model].name)
    }
}

fn read_data(root: &Path, file: &Path, data: &DataTable, at: At) -> Result<Data> {
    let config = normal(&file.parent().unwrap_or(Path::new("")).join(data.config.get_ref()));
    let text = fs::read_to_string(root.join(&config))
        .map_err(|error| at(data.config.span(), format!("{}: {error}", config.display())))?;
    Ok(Data {
        name: data.name.get_ref().clone(),
        label: data.label.clone(),
        table: parse_toml(&config, &text)?,
        config,
        file: data
            .data
            .clone()
            .map(|path| super::super::benchmarks::Data { path, fetch: data.fetch.clone() }),
        simulation: data.simulate.clone(),
    })
}

fn flat(table: &Table) -> Vec<(String, String)> {
    let mut out = Vec::new();
    flatten("", table, &mut out);
    out
}

/// Names become folders, so they have to be safe and different.
fn check_names<'a>(names: impl Iterator<Item = &'a Spanned<String>>, at: At) -> Result<()> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        let text = name.get_ref();
        if !is_folder_name(text) {
            let rule = "must be of lower-case letters, digits, `-` and `_`";
            return Err(at(name.span(), format!("the name `{text}` {rule}")));
        }
        if seen.contains(&text.as_str()) {
            return Err(at(name.span(), format!("two are named `{text}`")));
        }
        seen.push(text);
    }
    Ok(())
}

fn find<'a>(
    wanted: &Spanned<String>,
    names: impl Iterator<Item = &'a str>,
    what: &str,
    at: At,
) -> Result<usize> {
    let names: Vec<&str> = names.collect();
    names.iter().position(|name| name == wanted.get_ref()).ok_or_else(|| {
        let (wanted_name, known) = (wanted.get_ref(), names.join(", "));
        at(wanted.span(), format!("no {what} is named `{wanted_name}`; there are: {known}"))
    })
}

/// Adds the cells of a block; a cell that is there already gets the new arms.
fn add_block(
    block: &BlockTable,
    data: &[Data],
    models: &[Variant],
    arm: &dyn Fn(&Spanned<String>) -> Result<usize>,
    at: At,
    cells: &mut Vec<Cell>,
) -> Result<()> {
    let model = find(&block.model, models.iter().map(|model| &*model.name), "model", at)?;
    let arms = block.arms.iter().map(arm).collect::<Result<Vec<_>>>()?;
    for name in &block.data {
        let data = find(name, data.iter().map(|data| &*data.name), "data set", at)?;
        for percent in &block.percent {
            if !(1..=100).contains(percent.get_ref()) {
                let message = format!("{} is not from 1 to 100", percent.get_ref());
                return Err(at(percent.span(), message));
            }
            let percent = *percent.get_ref();
            let same =
                |cell: &&mut Cell| (cell.data, cell.model, cell.percent) == (data, model, percent);
            let cell = match cells.iter_mut().find(same) {
                Some(cell) => cell,
                None => {
                    cells.push(Cell { data, model, percent, arms: vec![], features: false });
                    cells.last_mut().expect("just pushed")
                }
            };
            cell.features |= block.features;
            cell.arms.extend(&arms);
            cell.arms.sort_unstable();
            cell.arms.dedup();
        }
    }
    Ok(())
}

fn read_test(
    test: &TestTable,
    data: &[Data],
    models: &[Variant],
    arm: &dyn Fn(&Spanned<String>) -> Result<usize>,
    at: At,
) -> Result<Test> {
    let expect = *test.expect.get_ref();
    if (expect == Expect::Equal) != test.margin.is_some_and(|margin| margin > 0.0) {
        let message = "a positive `margin` belongs to expect = \"equal\", and to nothing else";
        return Err(at(test.expect.span(), message.to_owned()));
    }
    let model = |name: &str| models.iter().any(|model| model.name == name);
    let known = match test.against.as_ref().map(Spanned::get_ref) {
        Some(Against::Model(names)) => names.iter().all(|name| model(name)),
        Some(Against::Data(names)) => {
            names.iter().all(|name| data.iter().any(|data| data.name == *name))
        }
        _ => true,
    };
    if let (false, Some(against)) = (known, &test.against) {
        return Err(at(against.span(), "names a model or data set that is not there".to_owned()));
    }
    if let Some(unknown) = test.models.iter().find(|name| !model(name.get_ref())) {
        return Err(at(unknown.span(), format!("no model is named `{}`", unknown.get_ref())));
    }
    Ok(Test {
        asks: test.asks.clone(),
        arm: arm(&test.arm)?,
        than: arm(&test.than)?,
        measure: test.measure,
        expect,
        margin: test.margin,
        models: test.models.iter().map(|name| name.get_ref().clone()).collect(),
        against: test.against.as_ref().map(|against| against.get_ref().clone()),
    })
}
