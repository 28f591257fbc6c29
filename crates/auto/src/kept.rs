//! `pool.json`, which a fit leaves in its run, so that its pool forecasts later tables.

use std::collections::HashMap;
use std::path::Path;

use classical::Method;
use data::{DataConfig, TableForm};
use pool::{Calibration, Panel, Pool, Source, Support, Weights};
use record::RunDirectory;
use serde::{Deserialize, Serialize};
use train::{Config, TrainError};

use crate::names::NETWORK;
use crate::past::Past;
use crate::score::Score;
use crate::table::{Table, Unit};

/// A pool without its members: weights, calibration, support, and how its table was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub(crate) version: u32,
    pub(crate) form: TableForm,
    pub(crate) seasons: Vec<usize>,
    /// Rows of all series by which the weights were chosen.
    pub(crate) rows: usize,
    pub(crate) seed: u64,
    /// Levels of the quantiles of its forecasts.
    pub(crate) levels: Vec<f64>,
    pub(crate) members: Vec<String>,
    /// The weights of series that are not among the units.
    pub(crate) weights: Vec<f64>,
    pub(crate) source: Source,
    pub(crate) calibration: Calibration,
    pub(crate) units: Vec<KeptUnit>,
    pub(crate) without_network: Option<String>,
    pub(crate) past: Past,
}

/// The pool of one channel of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptUnit {
    pub(crate) series: String,
    pub(crate) channel: String,
    pub(crate) weights: Vec<f64>,
    pub(crate) support: Support,
}

impl Kept {
    pub(crate) const VERSION: u32 = 1;

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

    /// The weight of the network, on average over series and channels; `None` if it is not a member.
    pub fn network_weight(&self) -> Option<f64> {
        let network = self.members.iter().position(|member| member == NETWORK)?;
        let weights = self.units.iter().filter_map(|unit| unit.weights.get(network));
        Some(weights.sum::<f64>() / self.units.len().max(1) as f64)
    }

    /// The reason why the network is not a member, if it could have been.
    pub fn without_network(&self) -> Option<&str> {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::fit::Fitted;
    use crate::options::Options;
    use crate::table::Wanted;

    fn table(folder: &Path, name: &str, shops: &[&str]) -> Table {
        let mut text = "shop,day,x\n".to_owned();
        for (place, shop) in shops.iter().enumerate() {
            for day in 0..40 {
                let value = (day * 7 + place) % 5 + 10 * (place + 1);
                writeln!(text, "{shop},{},{value}", day + 1).unwrap();
            }
        }
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        let data = DataConfig {
            path: Some(path),
            id: Some("shop".into()),
            time: Some(vec!["day".to_owned()].into()),
            ..DataConfig::new("", 1, 1)
        };
        Table::read(&Wanted { data, horizon: Some(2), context: None, season: None }).unwrap()
    }

    /// Each series finds its own weights by its name, and a new one has those of the panel.
    #[test]
    fn series_are_known_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = table(folder.path(), "a.csv", &["north", "south"]);
        let options = Options { network: false, ..Options::default() };
        let fitted = Fitted::fit(&first, folder.path(), &options).unwrap();
        let mut kept = fitted.keep(&first, &[0.5]);
        let count = kept.members.len();
        for (unit, weight) in kept.units.iter_mut().zip([0.25, 0.75]) {
            unit.weights = vec![weight; count];
        }
        kept.weights = vec![0.5; count];
        kept.write(folder.path()).unwrap();
        let kept = Kept::read(folder.path()).unwrap();
        let newer = table(folder.path(), "b.csv", &["south", "east", "north"]);
        let pools = kept.pools(&newer, &newer.units());
        let weights: Vec<f64> = pools.iter().map(|pool| pool.weights.values[0]).collect();
        assert_eq!(weights, [0.75, 0.5, 0.25]);
        assert!(pools.iter().all(|pool| pool.support.integer));
        // The methods are those that were fitted.
        let (methods, network) = kept.methods();
        assert_eq!((methods.len(), network), (count, false));
    }
}
