//! Members fitted, scored on past rows, weighed, and fitted again on all rows.

use std::collections::BTreeMap;
use std::path::Path;

use classical::Paths;
use pool::{Classics, Effort, History, Layout, Panel, Pool, Quantiles, Settings, Support, Task};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use train::TrainError;

use crate::lengths;
use crate::network::{self, Network};
use crate::options::Options;
use crate::table::{Table, Unit};

/// The name of the network among the members.
pub const NETWORK: &str = "network";

/// The members of a table with their weights.
#[derive(Debug)]
pub struct Fitted {
    /// Names of the members, classical methods first.
    pub(crate) members: Vec<String>,
    /// The classical methods of each unit, fitted on all known rows.
    classics: Vec<Classics>,
    /// The pool of each unit.
    pub(crate) pools: Vec<Pool>,
    network: Option<Network>,
    /// Why there is no network, where there is none.
    pub(crate) without_network: Option<String>,
    /// Rows of each series that the classical methods have seen.
    seen: Vec<usize>,
    seed: u64,
}

/// The forecasts of all members and of the pool for one unit.
#[derive(Debug, Clone)]
pub struct UnitForecast {
    /// The series, by its index in the table.
    pub series: usize,
    /// The channel, by its index among the targets.
    pub channel: usize,
    /// Sample paths of each member.
    pub members: Vec<Option<Paths>>,
    /// Quantiles of the pool.
    pub pooled: Option<Quantiles>,
}

/// Units above which fewer folds and paths are computed.
const MANY_UNITS: usize = 200;
/// Sample paths of each member of a forecast.
const PATHS: usize = 1000;

impl Fitted {
    /// Fits all members to the known rows of a table. The network is trained in `directory`.
    ///
    /// Every member is first fitted to the rows before the first fold, forecasts each fold, and is weighed by its
    /// scores there. Then it is fitted again to all rows.
    ///
    /// # Errors
    /// [`TrainError`] where the network cannot be trained.
    pub fn fit(table: &Table, directory: &Path, options: &Options) -> Result<Fitted, TrainError> {
        let units = table.units();
        let longest = table.known.iter().copied().max().unwrap_or(0);
        let methods = lengths::methods(units.len(), longest);
        let effort = match units.len() > MANY_UNITS {
            true => Effort { folds: 3, paths: 100 },
            false => Effort::default(),
        };
        let tasks: Vec<Task> = units.iter().map(|unit| task(unit, table)).collect();
        let layouts: Vec<Layout> = table
            .known
            .iter()
            .map(|rows| Layout::rolling(*rows, table.horizon(), &table.seasons, effort.folds))
            .collect();
        let held = table
            .known
            .iter()
            .zip(&layouts)
            .filter_map(|(rows, layout)| Some(rows - layout.origins.first()?))
            .max()
            .unwrap_or(0);
        let mut overrides = options.overrides.clone();
        overrides.push(format!("seed={}", options.seed));
        let config = network::config(table, held, &overrides)?.filter(|_| options.network);
        let without_network = (options.network && config.is_none())
            .then(|| "the rows are too few to train the network".to_owned());
        let (tasks, methods) = (tasks.as_slice(), methods.as_slice());
        let (network, classics) = std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let classics = scope
                .spawn(move || Classics::fit_many(tasks, methods, effort, options.seed, threads));
            let fit = |config| Network::fit(table, config, directory, options);
            let network = config.as_ref().map(fit).transpose();
            (network, classics.join())
        });
        let network = network?;
        let mut classics = classics.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut members: Vec<String> =
            methods.iter().map(|method| method.name().to_owned()).collect();
        if let Some(network) = &network {
            members.push(NETWORK.to_owned());
            push_network(network, table, &layouts, &units, &mut classics)?;
        }
        let pools = pools(&members, &units, &classics);
        let seen = table.known.clone();
        Ok(Fitted { members, classics, pools, network, without_network, seen, seed: options.seed })
    }

    /// Forecasts the horizon after the first `ends` rows of each series of a table that goes on where the fitted one
    /// ended; parameters stay as they are. A series of `ends` 0 is not forecast. Origins have to rise from call to call.
    ///
    /// # Errors
    /// [`TrainError`] where the rows do not have the form of those fitted.
    pub fn forecast(
        &mut self,
        table: &Table,
        ends: &[usize],
    ) -> Result<Vec<UnitForecast>, TrainError> {
        let units = table.units();
        for (unit, classics) in units.iter().zip(&mut self.classics) {
            let rows = self.seen[unit.series]..ends[unit.series].max(self.seen[unit.series]);
            unit.values[rows].iter().for_each(|value| classics.observe(*value));
        }
        for (seen, end) in self.seen.iter_mut().zip(ends) {
            *seen = (*seen).max(*end);
        }
        let drawn = match &self.network {
            Some(network) => by_name(network.latest(&table.until(ends)?, PATHS)?),
            None => BTreeMap::new(),
        };
        let mut forecasts = Vec::new();
        for ((index, unit), classics) in units.iter().enumerate().zip(&self.classics) {
            if ends[unit.series] == 0 {
                continue;
            }
            let mut members = classics.paths(PATHS, self.seed.wrapping_add(index as u64));
            if self.network.is_some() {
                let name = table.panel.series()[unit.series].name();
                members
                    .push(drawn.get(name).and_then(|channels| channels.get(unit.channel).cloned()));
            }
            let quantiles: Vec<Option<Quantiles>> =
                members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?)).collect();
            let pooled = self.pools[index].combine(&quantiles);
            let (series, channel) = (unit.series, unit.channel);
            forecasts.push(UnitForecast { series, channel, members, pooled });
        }
        Ok(forecasts)
    }

    /// `count` sample paths of the pool for unit `index` of the table.
    pub(crate) fn paths(
        &self,
        index: usize,
        members: &[Option<Paths>],
        count: usize,
    ) -> Option<Paths> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index as u64);
        self.pools.get(index)?.paths(members, count, &mut rng)
    }

    /// Names of the members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Past forecasts of each unit.
    pub(crate) fn histories(&self) -> impl Iterator<Item = &History> {
        self.classics.iter().map(Classics::history)
    }
}

fn task<'a>(unit: &'a Unit, table: &'a Table) -> Task<'a> {
    Task { values: &unit.values, seasons: &table.seasons, horizon: table.horizon() }
}

fn by_name<T>(named: Vec<(String, T)>) -> BTreeMap<String, T> {
    named.into_iter().collect()
}

/// Adds the network's forecasts of every fold to the history of every unit.
fn push_network(
    network: &Network,
    table: &Table,
    layouts: &[Layout],
    units: &[Unit],
    classics: &mut [Classics],
) -> Result<(), TrainError> {
    let folds = layouts.iter().map(|layout| layout.origins.len()).max().unwrap_or(0);
    let mut by_fold = Vec::with_capacity(folds);
    for fold in 0..folds {
        let end = |layout: &Layout| layout.origins.get(fold).copied().unwrap_or(0);
        let ends: Vec<usize> = layouts.iter().map(end).collect();
        by_fold.push(by_name(network.fold(&table.until(&ends)?)?));
    }
    for (unit, classics) in units.iter().zip(classics) {
        let name = table.panel.series()[unit.series].name();
        let forecast = |fold: &BTreeMap<String, Vec<Option<Quantiles>>>| {
            fold.get(name).and_then(|channels| channels.get(unit.channel)?.clone())
        };
        let of_unit: Vec<_> = by_fold.iter().map(forecast).collect();
        classics.history_mut().push(of_unit);
    }
    Ok(())
}

/// The pool of each unit, from what the past forecasts of all units say together.
fn pools(members: &[String], units: &[Unit], classics: &[Classics]) -> Vec<Pool> {
    let histories: Vec<&History> = classics.iter().map(Classics::history).collect();
    let panel = Panel::fit(members.to_vec(), &histories, &Settings::default());
    let own = |(unit, history): (&Unit, &&History)| panel.pool(history, Support::of(&unit.values));
    units.iter().zip(&histories).map(own).collect()
}
