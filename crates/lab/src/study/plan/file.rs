//! The file of a study as written, before anything in it is looked up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::{Spanned, Table};

use super::{Against, Expect, Measure, Simulation};
use crate::plan::Kind;

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanTable {
    #[serde(rename = "kind")]
    _kind: Kind,
    pub(super) title: String,
    pub(super) question: String,
    pub(super) reference: Spanned<String>,
    pub(super) alpha: Spanned<f64>,
    pub(super) data: Vec<DataTable>,
    pub(super) model: Vec<ModelTable>,
    pub(super) arm: Vec<ArmTable>,
    #[serde(default)]
    pub(super) tuned: Vec<TunedTable>,
    pub(super) budget: BTreeMap<String, BudgetTable>,
    pub(super) claim: Vec<ClaimTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    pub(super) name: Spanned<String>,
    pub(super) label: String,
    pub(super) config: Spanned<PathBuf>,
    pub(super) data: Option<PathBuf>,
    pub(super) fetch: Option<String>,
    pub(super) simulate: Option<Simulation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    pub(super) name: Spanned<String>,
    pub(super) label: String,
    pub(super) set: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArmTable {
    pub(super) name: Spanned<String>,
    pub(super) label: String,
    pub(super) set: Table,
    #[serde(default)]
    pub(super) fresh: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TunedTable {
    pub(super) name: Spanned<String>,
    pub(super) label: String,
    pub(super) among: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetTable {
    pub(super) seeds: Spanned<Vec<u64>>,
    pub(super) block: Vec<BlockTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockTable {
    pub(super) data: Vec<Spanned<String>>,
    pub(super) model: Spanned<String>,
    pub(super) percent: Vec<Spanned<u32>>,
    pub(super) arms: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) features: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimTable {
    pub(super) name: String,
    pub(super) says: String,
    pub(super) test: Vec<TestTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestTable {
    pub(super) asks: String,
    pub(super) arm: Spanned<String>,
    pub(super) than: Spanned<String>,
    pub(super) measure: Measure,
    pub(super) expect: Spanned<Expect>,
    pub(super) margin: Option<f64>,
    #[serde(default)]
    pub(super) models: Vec<Spanned<String>>,
    pub(super) against: Option<Spanned<Against>>,
}
