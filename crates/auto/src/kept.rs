//! `pool.json`: what a fit leaves in its run, so that its pool forecasts later tables.

use std::collections::HashMap;
use std::path::Path;

use classical::Method;
use data::{DataConfig, TableForm};
use pool::{Calibration, Panel, Pool, Source, Support, Weights};
use record::RunDirectory;
use serde::{Deserialize, Serialize};
use train::{Config, TrainError};

use crate::fit::{Fitted, NETWORK};
use crate::past::Past;
use crate::score::Score;
use crate::table::{Table, Unit};

/// A pool without its members: weights, calibration, support, and how its table was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    version: u32,
    form: TableForm,
    seasons: Vec<usize>,
    /// Rows of all series by which the weights were chosen.
    rows: usize,
    seed: u64,
    /// Levels of the quantiles of its forecasts.
    levels: Vec<f64>,
    members: Vec<String>,
    /// The weights of series that are not among the units.
    weights: Vec<f64>,
    source: Source,
    calibration: Calibration,
    units: Vec<KeptUnit>,
    without_network: Option<String>,
    past: Past,
}

/// The pool of one channel of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct KeptUnit {
    series: String,
    channel: String,
    weights: Vec<f64>,
    support: Support,
}

impl Kept {
    const VERSION: u32 = 1;

    /// What is to be kept of a fit to `table`, whose forecasts have quantiles at `levels`.
    pub fn of(table: &Table, fitted: &Fitted, levels: &[f64]) -> Kept {
        let (series, channels) = table.names();
        let units = table.units();
        let unit = |(unit, pool): (&Unit, &Pool)| KeptUnit {
            series: series[unit.series].clone(),
            channel: channels[unit.channel].clone(),
            weights: pool.weights.values.clone(),
            support: pool.support,
        };
        Kept {
            version: Kept::VERSION,
            form: table.form(),
            seasons: table.seasons.clone(),
            rows: fitted.chosen_on,
            seed: fitted.seed,
            levels: levels.to_vec(),
            members: fitted.members.clone(),
            weights: fitted.panel.weights.values.clone(),
            source: fitted.panel.weights.source,
            calibration: fitted.panel.calibration.clone(),
            units: units.iter().zip(&fitted.pools).map(unit).collect(),
            without_network: fitted.without_network.clone(),
            past: fitted.past.clone(),
        }
    }

    /// Whether a directory holds a pool.
    pub fn is_in(directory: &Path) -> bool {
        RunDirectory::at(directory).pool().exists()
    }

    /// Writes `pool.json`; the directory is made where it is missing.
    ///
    /// # Errors
    /// [`TrainError::Record`].
    pub fn write(&self, directory: &Path) -> Result<(), TrainError> {
        Ok(RunDirectory::create(directory)?.write_pool(self)?)
    }

    /// Reads `pool.json`.
    ///
    /// # Errors
    /// [`TrainError::Record`] if it is missing, damaged or of another version.
    pub fn read(directory: &Path) -> Result<Kept, TrainError> {
        Ok(RunDirectory::at(directory).read_pool(Kept::VERSION)?)
    }

    /// Reads a table as that of the fit was read; each `data.KEY=VALUE` in `set` names a key of
    /// [`data::Pipeline::READING_KEYS`] that differs in it.
    ///
    /// # Errors
    /// [`TrainError::Feed`] where the table does not have the form of the first; [`TrainError::Config`] if `set` names
    /// another key.
    pub fn table(&self, input: &Path, set: &[String]) -> Result<Table, TrainError> {
        if set.is_empty() {
            return Table::later(&self.form, input, &self.seasons);
        }
        train::check_rereading(set)?;
        // The file's own path may not fit into TOML text.
        let plain =
            DataConfig { path: Some("-".into()), source: None, ..self.form.config().clone() };
        let text = Config::new(plain).to_toml()?;
        let asked = Config::parse(&text, "pool.json", set)?;
        Table::later(&self.form.rereading(&asked.data), input, &self.seasons)
    }

    /// Names of the members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Whether the network is a member.
    pub fn has_network(&self) -> bool {
        self.members.iter().any(|member| member == NETWORK)
    }

    /// Levels of the quantiles of its forecasts.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Rows of all series by which the weights were chosen.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The pool and its members on past rows of the first table.
    pub fn scores(&self) -> &[Score] {
        &self.past.scores
    }

    /// Seed of its samples.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn past(&self) -> &Past {
        &self.past
    }

    pub(crate) fn without_network(&self) -> Option<&str> {
        self.without_network.as_deref()
    }

    /// The classical methods among the members, and whether the network is one.
    pub(crate) fn methods(&self) -> (Vec<Method>, bool) {
        let member = |method: &Method| self.members.iter().any(|name| name == method.name());
        (Method::ALL.into_iter().filter(member).collect(), self.has_network())
    }

    pub(crate) fn panel(&self) -> Panel {
        Panel {
            members: self.members.clone(),
            weights: self.with(&self.weights),
            strength: f64::INFINITY,
            calibration: self.calibration.clone(),
        }
    }

    fn with(&self, values: &[f64]) -> Weights {
        Weights { values: values.to_vec(), source: self.source, loss: None, gap: 0.0 }
    }

    /// The pool of each unit of a later table: its own where it was fitted, else the common one.
    pub(crate) fn pools(&self, table: &Table, units: &[Unit]) -> Vec<Pool> {
        let (series, channels) = table.names();
        let key = |unit: &KeptUnit| (unit.series.clone(), unit.channel.clone());
        let known: HashMap<(String, String), &KeptUnit> =
            self.units.iter().map(|unit| (key(unit), unit)).collect();
        // A file of one series is named after itself.
        let only = self.units.first().filter(|first| {
            let same = self.units.iter().all(|unit| unit.series == first.series);
            same && series.len() == 1 && self.form.config().id.is_none()
        });
        let pool = |unit: &Unit| {
            let name = only.map_or(&series[unit.series], |only| &only.series);
            let own = known.get(&(name.clone(), channels[unit.channel].clone()));
            let support = Support::of(&unit.values);
            Pool {
                members: self.members.clone(),
                weights: self.with(own.map_or(&self.weights, |own| &own.weights)),
                calibration: self.calibration.clone(),
                support: own.map_or(support, |own| own.support.or(support)),
            }
        };
        units.iter().map(pool).collect()
    }
}
