//! The file of an experiment of arms: what is compared, and on which seeds.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table};

use crate::plan::{Config, Kind, PlanFile, Settings, settings};

/// An experiment that can be run: names are safe and unique, references resolve.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) file: PlanFile,
    pub(crate) title: String,
    pub(crate) question: String,
    pub(crate) base: Config,
    pub(crate) seeds: Vec<u64>,
    pub(crate) device: Option<String>,
    pub(crate) arms: Vec<Arm>,
    /// Index of the arm that the others are compared with.
    pub(crate) reference: usize,
    pub(crate) claims: Vec<Claim>,
}

/// One variant of the base config.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) set: Settings,
}

/// A yes-or-no question.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) asks: String,
    /// Indices of arms: yes if `better` has the smaller measure.
    pub(crate) better: usize,
    pub(crate) than: usize,
    pub(crate) measure: Measure,
}

/// The quantity that a claim is about; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// CRPS on the test windows.
    #[default]
    Test,
    /// CRPS on the test windows minus that on the training windows.
    Gap,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanTable {
    #[serde(rename = "kind", default)]
    _kind: Kind,
    title: String,
    question: String,
    base: Spanned<std::path::PathBuf>,
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

impl Plan {
    /// Checks the file and reads the config it names.
    pub(crate) fn new(root: &Path, file: PlanFile) -> Result<Plan> {
        let table: PlanTable = file.parse()?;
        file.names("arm", table.arm.iter().map(|arm| &arm.name))?;
        let mut arms = Vec::new();
        for arm in &table.arm {
            let set = settings(&arm.set);
            if set.iter().any(|(key, _)| key == "seed") {
                let message = "an arm cannot set `seed`: every arm has the same `seeds`";
                return Err(file.at(arm.name.span(), message));
            }
            arms.push(Arm { name: arm.name.get_ref().clone(), label: arm.label.clone(), set });
        }
        let find = |wanted| file.find("arm", wanted, arms.iter().map(|arm| arm.name.as_str()));
        let seeds = file.seeds(&table.seeds, 1)?;
        let reference = find(&table.reference)?;
        let claims = table.claim.iter().map(|claim| {
            let (better, than) = (find(&claim.better)?, find(&claim.than)?);
            Ok(Claim { asks: claim.asks.clone(), better, than, measure: claim.measure })
        });
        let claims = claims.collect::<Result<_>>()?;
        let base = file.config(root, &table.base)?;
        Ok(Plan {
            title: table.title,
            question: table.question,
            base,
            seeds,
            device: table.device,
            arms,
            reference,
            claims,
            file,
        })
    }
}
