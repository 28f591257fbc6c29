//! Members fitted, scored on past rows, weighed, and fitted again on all rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use classical::{Method, Paths};
use pool::{Classics, Effort, History, Layout, Panel, Pool, Quantiles, Settings, Support, Task};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use train::{ProcessGroup, RunOptions, TrainError, share_out};

use crate::kept::{Kept, KeptUnit};
use crate::lengths;
use crate::names::NETWORK;
use crate::network::{self, Network};
use crate::options::Options;
use crate::past::{Past, Tried};
use crate::table::{Table, Unit};
use crate::wire;

/// The members of a table with their weights.
#[derive(Debug)]
pub struct Fitted {
    /// Names of the members, classical methods first.
    pub(crate) members: Vec<String>,
    /// The classical methods of each unit, fitted on all known rows.
    classics: Vec<Classics>,
    /// The common part of the pools.
    pub(crate) panel: Panel,
    /// The pool of each unit.
    pub(crate) pools: Vec<Pool>,
    network: Option<Network>,
    /// Why there is no network, where there is none.
    pub(crate) without_network: Option<String>,
    /// Their scores on past rows.
    pub(crate) past: Past,
    /// Rows of all series by which the weights were chosen.
    pub(crate) chosen_on: usize,
    /// Rows of each series that the classical methods have seen.
    seen: Vec<usize>,
    pub(crate) seed: u64,
    group: Option<Arc<ProcessGroup>>,
    /// Whether it was kept, and fitted to an earlier table.
    pub(crate) opened: bool,
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
    /// Index of its unit.
    unit: usize,
    /// Whether one member stands for the pool.
    alone: bool,
}

/// Units above which fewer folds and paths are computed.
const MANY_UNITS: usize = 200;
/// Sample paths of each member of a forecast, and of one of many units.
const PATHS: [usize; 2] = [1000, 400];

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
        let config = network::config(table, held, options.config.as_ref(), &overrides)?
            .filter(|_| options.network);
        let without_network = (options.network && config.is_none())
            .then(|| "the rows are too few to train the network".to_owned());
        let (tasks, methods) = (tasks.as_slice(), methods.as_slice());
        let group = options.group.as_deref();
        let (network, classics) = std::thread::scope(|scope| {
            let (threads, ours) = (threads(group), ours(group));
            let classics = scope.spawn(move || {
                Classics::fit_many(tasks, methods, effort, options.seed, threads, ours)
            });
            let fit = |config| Network::fit(table, config, directory, options);
            let network = config.as_ref().map(fit).transpose();
            (network, classics.join())
        });
        let network = network?;
        let classics = classics.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut classics = gathered(classics, tasks, methods, effort, group)?;
        let mut members: Vec<String> =
            methods.iter().map(|method| method.name().to_owned()).collect();
        if let Some(network) = &network {
            members.push(NETWORK.to_owned());
            push_network(network, table, (&layouts, effort), &units, &mut classics)?;
        }
        let (panel, pools) = pools(&members, &units, &classics);
        let tried: Vec<Tried> = units
            .iter()
            .zip(&classics)
            .zip(&pools)
            .map(|((unit, classics), pool)| (unit, classics, pool))
            .collect();
        let past = Past::of(table, &members, &tried);
        let seen = table.known.clone();
        let (chosen_on, seed) = (table.known.iter().sum(), options.seed);
        Ok(Fitted {
            members,
            classics,
            panel,
            pools,
            network,
            without_network,
            past,
            chosen_on,
            seen,
            seed,
            group: options.group.clone(),
            opened: false,
        })
    }

    /// The members of a pool that was kept in `directory`: classical methods fitted to the rows of `table`, and the
    /// network as it was last trained. Weights and calibration stay as they were chosen. `seed` is that of all samples.
    ///
    /// # Errors
    /// [`TrainError`] where the network is missing or damaged.
    pub fn open(
        kept: &Kept,
        table: &Table,
        directory: &Path,
        seed: u64,
        run: RunOptions,
        group: Option<Arc<ProcessGroup>>,
    ) -> Result<Fitted, TrainError> {
        let units = table.units();
        let tasks: Vec<Task> = units.iter().map(|unit| task(unit, table)).collect();
        let (methods, networks): (Vec<Method>, bool) = kept.methods();
        let network = networks.then(|| Network::open(directory, seed, run, group.clone()));
        let network = network.transpose()?;
        let together = group.as_deref();
        let without = Effort { folds: 0, paths: 0 };
        let (threads, ours) = (threads(together), ours(together));
        let classics = Classics::fit_many(&tasks, &methods, without, seed, threads, ours);
        let classics = gathered(classics, &tasks, &methods, without, together)?;
        Ok(Fitted {
            members: kept.members().to_vec(),
            classics,
            panel: kept.panel(),
            pools: kept.pools(table, &units),
            network,
            without_network: kept.without_network().map(str::to_owned),
            past: kept.past().clone(),
            chosen_on: kept.rows(),
            seen: table.known.clone(),
            seed,
            group,
            opened: true,
        })
    }

    /// All that is to be kept of a fit to `table`, whose forecasts have quantiles at `levels`.
    pub fn keep(&self, table: &Table, levels: &[f64]) -> Kept {
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
            rows: self.chosen_on,
            seed: self.seed,
            levels: levels.to_vec(),
            members: self.members.clone(),
            weights: self.panel.weights.values.clone(),
            source: self.panel.weights.source,
            calibration: self.panel.calibration.clone(),
            units: units.iter().zip(&self.pools).map(unit).collect(),
            without_network: self.without_network.clone(),
            past: self.past.clone(),
        }
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
        let drawn = self.of_network(&table.until(ends)?)?;
        let mut forecasts = Vec::new();
        let mut paths = self.paths_of_classics()?;
        for (index, unit) in units.iter().enumerate() {
            if ends[unit.series] == 0 {
                continue;
            }
            let mut members = paths(index);
            if self.network.is_some() {
                let name = table.panel.series()[unit.series].name();
                members
                    .push(drawn.get(name).and_then(|channels| channels.get(unit.channel).cloned()));
            }
            let quantiles: Vec<Option<Quantiles>> =
                members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?)).collect();
            let pooled = self.pools[index].combine(&quantiles);
            forecasts.push(UnitForecast {
                series: unit.series,
                channel: unit.channel,
                members,
                pooled,
                unit: index,
                alone: false,
            });
        }
        Ok(forecasts)
    }

    /// A function that gives the sample paths of the classical methods of each unit, called with rising indices; those
    /// that another process has fitted come from there.
    fn paths_of_classics(
        &self,
    ) -> Result<impl FnMut(usize) -> Vec<Option<Paths>> + use<'_>, TrainError> {
        let paths = |index: usize| {
            self.classics[index].paths(self.count(), self.seed.wrapping_add(index as u64))
        };
        let methods = self.classics.first().map_or(0, |first| first.methods().len());
        let mut far = match &self.group {
            None => None,
            Some(group) => {
                Some(wire::Numbers::new(share_out(Some(group), self.classics.len(), |index| {
                    let mut to = Vec::new();
                    paths(index).iter().for_each(|own| wire::put_paths(&mut to, own.as_ref()));
                    Ok(to)
                })?))
            }
        };
        let mut read = 0;
        Ok(move |index: usize| match &mut far {
            None => paths(index),
            Some(numbers) => loop {
                let members = (0..methods).map(|_| numbers.paths()).collect();
                read += 1;
                if read > index {
                    return members;
                }
            },
        })
    }

    /// Sample paths of each member.
    fn count(&self) -> usize {
        PATHS[usize::from(self.classics.len() > MANY_UNITS)]
    }

    /// Paths of the network, by name of the series. Where the rows of a later table do not suit it, there are none.
    fn of_network(&mut self, known: &Table) -> Result<BTreeMap<String, Vec<Paths>>, TrainError> {
        let Some(network) = &self.network else { return Ok(BTreeMap::new()) };
        match network.latest(known, self.count()) {
            Err(TrainError::Feed(error)) if self.opened => {
                let fault = error.to_string();
                let fault = fault.lines().next().unwrap_or_default();
                self.without_network = Some(format!(
                    "the network is left out, as it cannot forecast these rows: {fault}"
                ));
                Ok(BTreeMap::new())
            }
            drawn => Ok(by_name(drawn?)),
        }
    }

    /// Leaves one member alone in a forecast, as it is but for the support of its series.
    pub(crate) fn leave(&self, forecast: &mut UnitForecast, member: usize) {
        let mut paths = forecast.members.swap_remove(member);
        let support = self.pools[forecast.unit].support;
        paths.iter_mut().for_each(|paths| support.apply(paths));
        forecast.pooled = paths.as_ref().and_then(Quantiles::of_paths);
        forecast.members = vec![paths];
        forecast.alone = true;
    }

    /// `count` sample paths of a forecast.
    pub(crate) fn paths(&self, forecast: &UnitForecast, count: usize) -> Option<Paths> {
        let UnitForecast { unit, members, alone, .. } = forecast;
        if *alone {
            let paths = members.first()?.as_ref()?;
            let rows: Vec<&[f64]> = paths.iter().collect();
            let mut drawn = rows.iter().cycle();
            return Some(Paths::draw(paths.horizon(), count, |path| {
                drawn.next().into_iter().for_each(|row| path.copy_from_slice(row));
            }));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(*unit as u64);
        self.pools[*unit].paths(members, count, &mut rng)
    }

    /// Names of the members.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// The weights that members have in the forecast, on average over units: those without a forecast leave theirs to the
    /// others.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.members.len()];
        let network = self.network.is_some() && self.without_network.is_none();
        for (classics, pool) in self.classics.iter().zip(&self.pools) {
            let there: Vec<bool> = classics.fitted().chain(std::iter::once(network)).collect();
            let own = pool.weights.values.iter().zip(there);
            let own: Vec<f64> =
                own.map(|(weight, there)| if there { *weight } else { 0.0 }).collect();
            let total: f64 = own.iter().sum();
            for (share, weight) in shares.iter_mut().zip(own) {
                *share += weight / (total.max(f64::MIN_POSITIVE) * self.pools.len() as f64);
            }
        }
        shares
    }

    /// Rows that the network was trained on, of a pool that was kept.
    pub(crate) fn network_rows(&self) -> Option<usize> {
        let used = self.opened && self.without_network.is_none();
        self.network.as_ref().filter(|_| used).map(Network::rows)
    }
}

/// Threads that fit classical methods: all of the machine, or one for each of several processes.
fn threads(group: Option<&ProcessGroup>) -> usize {
    match group {
        None => std::thread::available_parallelism().map_or(1, usize::from),
        Some(_) => 1,
    }
}

/// Whether this process fits the classical methods of a unit.
fn ours(group: Option<&ProcessGroup>) -> impl Fn(usize) -> bool + Sync + use<> {
    let (rank, world) = group.map_or((0, 1), |group| (group.rank(), group.world()));
    move |unit| unit % world == rank
}

/// The classical methods of all units, with what other processes tell of those that they fitted.
fn gathered(
    fitted: Vec<Option<Classics>>,
    tasks: &[Task],
    methods: &[Method],
    effort: Effort,
    group: Option<&ProcessGroup>,
) -> Result<Vec<Classics>, TrainError> {
    if group.is_none() {
        return Ok(fitted.into_iter().flatten().collect());
    }
    let own = |unit: usize| Ok(fitted[unit].as_ref().map(wire::of_classics).unwrap_or_default());
    let mut numbers = wire::Numbers::new(share_out(group, tasks.len(), own)?);
    let all = fitted.into_iter().zip(tasks).map(|(own, task)| {
        let told = numbers.classics(task, methods, effort);
        own.unwrap_or(told)
    });
    Ok(all.collect())
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
    (layouts, effort): (&[Layout], Effort),
    units: &[Unit],
    classics: &mut [Classics],
) -> Result<(), TrainError> {
    let folds = layouts.iter().map(|layout| layout.origins.len()).max().unwrap_or(0);
    let mut by_fold = Vec::with_capacity(folds);
    for fold in 0..folds {
        let end = |layout: &Layout| layout.origins.get(fold).copied().unwrap_or(0);
        let ends: Vec<usize> = layouts.iter().map(end).collect();
        by_fold.push(by_name(network.fold(&table.until(&ends)?, effort.paths)?));
    }
    for (unit, classics) in units.iter().zip(classics) {
        let name = table.panel.series()[unit.series].name();
        let steps = classics.layout().horizon;
        let forecast = |fold: &BTreeMap<String, Vec<Option<Quantiles>>>| {
            fold.get(name)?.get(unit.channel)?.as_ref()?.first(steps)
        };
        let of_unit: Vec<_> = by_fold.iter().map(forecast).collect();
        classics.history_mut().push(of_unit);
    }
    Ok(())
}

/// The pool of each unit, from what the past forecasts of all units say together.
fn pools(members: &[String], units: &[Unit], classics: &[Classics]) -> (Panel, Vec<Pool>) {
    let histories: Vec<&History> = classics.iter().map(Classics::history).collect();
    let untried = histories.iter().all(|history| history.folds.is_empty());
    let prior = if untried { lengths::prior(members) } else { Vec::new() };
    let panel =
        Panel::fit(members.to_vec(), &histories, &Settings { prior, ..Settings::default() });
    let own = |(unit, history): (&Unit, &&History)| panel.pool(history, Support::of(&unit.values));
    let pools = units.iter().zip(&histories).map(own).collect();
    (panel, pools)
}

#[cfg(test)]
mod tests;
