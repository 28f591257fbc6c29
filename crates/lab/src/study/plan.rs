//! The study's file: runs, comparisons, and the rules by which claims are judged.

mod file;

use std::path::Path;

use anyhow::{Result, anyhow};
use file::{BlockTable, DataTable, PlanTable, TestTable};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::simulate::Process;
use crate::places;
use crate::plan::{Config, PlanFile, Settings, settings};

/// A study that can be run within one budget.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) file: PlanFile,
    pub(super) title: String,
    pub(super) question: String,
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
    pub(super) config: Config,
    pub(super) file: Option<places::Data>,
    pub(super) simulation: Option<Simulation>,
}

/// The recipe of a simulated set.
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
    pub(super) set: Settings,
}

/// A way of training.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) set: Settings,
    /// Whether its random numbers are not those of the other arms.
    pub(super) fresh: bool,
}

/// The best of some arms, cell by cell, by validation.
#[derive(Debug)]
pub(super) struct Tuned {
    pub(super) label: String,
    pub(super) among: Vec<usize>,
}

/// The setting of a comparison of arms: data, model and share of the training rows.
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
    /// The models of the cells that count; all for none.
    pub(super) models: Vec<usize>,
    /// Whether the difference itself is compared between two kinds of cell.
    pub(super) against: Option<Against>,
}

/// The quantity that a test compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Measure {
    /// Standardized CRPS on test windows of the weights that validation chose.
    Test,
    /// The same of the weights at the end of training.
    TestEnd,
    /// Log predictive density on test windows of the chosen weights, nats.
    LogScore,
    /// Test minus training CRPS of the last weights.
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

/// The difference, arm minus other, that makes a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expect {
    Smaller,
    Larger,
    /// Within the margin.
    Equal,
}

/// Two kinds of cell: the difference in the first minus that in the second.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Against {
    Percent([u32; 2]),
    Model([String; 2]),
    Data([String; 2]),
}

impl Plan {
    /// Checks the file, and reads the configs it names, for one of its budgets.
    pub(super) fn new(root: &Path, file: PlanFile, budget: &str) -> Result<Plan> {
        let table: PlanTable = file.parse()?;
        file.names("data set", table.data.iter().map(|data| &data.name))?;
        file.names("model", table.model.iter().map(|model| &model.name))?;
        let of_arms = table.arm.iter().map(|arm| &arm.name);
        file.names("arm", of_arms.chain(table.tuned.iter().map(|tuned| &tuned.name)))?;
        let data: Vec<Data> =
            table.data.iter().map(|data| read_data(root, &file, data)).collect::<Result<_>>()?;
        let models = table.model.iter().map(|model| Variant {
            name: model.name.get_ref().clone(),
            label: model.label.clone(),
            set: settings(&model.set),
        });
        let models: Vec<Variant> = models.collect();
        let arms = table.arm.iter().map(|arm| Arm {
            name: arm.name.get_ref().clone(),
            label: arm.label.clone(),
            set: settings(&arm.set),
            fresh: arm.fresh,
        });
        let arms: Vec<Arm> = arms.collect();
        let names = Names { file: &file, data: &data, models: &models, arms: &arms };
        let reference = names.arm(&table.reference)?;
        let tuned = table.tuned.iter().map(|tuned| {
            let among = tuned.among.iter().map(|arm| names.arm(arm)).collect::<Result<_>>()?;
            Ok(Tuned { label: tuned.label.clone(), among })
        });
        let tuned = tuned.collect::<Result<Vec<_>>>()?;
        let Some(chosen) = table.budget.get(budget) else {
            let known: Vec<&str> = table.budget.keys().map(String::as_str).collect();
            return Err(anyhow!("--budget {budget}: there are: {}", known.join(", ")));
        };
        let seeds = file.seeds(&chosen.seeds, 2)?;
        let alpha = *table.alpha.get_ref();
        if !(alpha > 0.0 && alpha < 1.0) {
            let message = format!("{alpha} is not between 0 and 1");
            return Err(file.at(table.alpha.span(), message));
        }
        let mut cells: Vec<Cell> = Vec::new();
        for block in &chosen.block {
            names.add_block(block, &mut cells)?;
        }
        let claims = table.claim.iter().map(|claim| {
            let tests = claim.test.iter().map(|test| names.test(test));
            let (name, says) = (claim.name.clone(), claim.says.clone());
            Ok(Claim { name, says, tests: tests.collect::<Result<_>>()? })
        });
        let claims = claims.collect::<Result<_>>()?;
        Ok(Plan {
            title: table.title,
            question: table.question,
            budget: budget.to_owned(),
            alpha,
            seeds,
            reference,
            data,
            models,
            arms,
            tuned,
            cells,
            claims,
            file,
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

fn read_data(root: &Path, file: &PlanFile, data: &DataTable) -> Result<Data> {
    let fetch = data.fetch.clone();
    Ok(Data {
        name: data.name.get_ref().clone(),
        label: data.label.clone(),
        config: file.config(root, &data.config)?,
        file: data.data.clone().map(|path| places::Data { path, fetch }),
        simulation: data.simulate.clone(),
    })
}

/// The things that a plan refers to by name.
struct Names<'a> {
    file: &'a PlanFile,
    data: &'a [Data],
    models: &'a [Variant],
    arms: &'a [Arm],
}

impl Names<'_> {
    fn arm(&self, name: &Spanned<String>) -> Result<usize> {
        self.file.find("arm", name, self.arms.iter().map(|arm| &*arm.name))
    }

    fn model(&self, name: &Spanned<String>) -> Result<usize> {
        self.file.find("model", name, self.models.iter().map(|model| &*model.name))
    }

    fn data(&self, name: &Spanned<String>) -> Result<usize> {
        self.file.find("data set", name, self.data.iter().map(|data| &*data.name))
    }

    /// Adds the cells of a block; a cell that is there already gets the new arms.
    fn add_block(&self, block: &BlockTable, cells: &mut Vec<Cell>) -> Result<()> {
        let model = self.model(&block.model)?;
        let arms = block.arms.iter().map(|arm| self.arm(arm)).collect::<Result<Vec<_>>>()?;
        for name in &block.data {
            let data = self.data(name)?;
            for share in &block.percent {
                let percent = *share.get_ref();
                if !(1..=100).contains(&percent) {
                    let message = format!("{percent} is not from 1 to 100");
                    return Err(self.file.at(share.span(), message));
                }
                let same =
                    |cell: &Cell| (cell.data, cell.model, cell.percent) == (data, model, percent);
                let place = cells.iter().position(same).unwrap_or_else(|| {
                    cells.push(Cell { data, model, percent, arms: vec![], features: false });
                    cells.len() - 1
                });
                let cell = &mut cells[place];
                cell.features |= block.features;
                cell.arms.extend(&arms);
                cell.arms.sort_unstable();
                cell.arms.dedup();
            }
        }
        Ok(())
    }

    fn test(&self, test: &TestTable) -> Result<Test> {
        let expect = *test.expect.get_ref();
        if (expect == Expect::Equal) != test.margin.is_some_and(|margin| margin > 0.0) {
            let message = "a positive `margin` belongs to expect = \"equal\", and to nothing else";
            return Err(self.file.at(test.expect.span(), message));
        }
        if let Some(against) = &test.against {
            let named = |name: &String| Spanned::new(against.span(), name.clone());
            let both = match against.get_ref() {
                Against::Model(names) => {
                    names.iter().try_for_each(|n| self.model(&named(n)).map(drop))
                }
                Against::Data(names) => {
                    names.iter().try_for_each(|n| self.data(&named(n)).map(drop))
                }
                Against::Percent(_) => Ok(()),
            };
            both?;
        }
        let models = test.models.iter().map(|name| self.model(name)).collect::<Result<_>>()?;
        Ok(Test {
            asks: test.asks.clone(),
            arm: self.arm(&test.arm)?,
            than: self.arm(&test.than)?,
            measure: test.measure,
            expect,
            margin: test.margin,
            models,
            against: test.against.as_ref().map(|against| against.get_ref().clone()),
        })
    }
}
