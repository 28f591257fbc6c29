//! The classical members of a pool.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use classical::{Forecaster, Method, Past, Paths};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{History, Layout, Quantiles};

/// A series to be forecast.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Known rows in original units, NaN where missing.
    pub values: &'a [f64],
    /// Rows per season, the shortest first.
    pub seasons: &'a [usize],
    /// Steps to forecast.
    pub horizon: usize,
}

/// How much is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Folds at most.
    pub folds: usize,
    /// Sample paths per forecast of a fold.
    pub paths: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { folds: 12, paths: 400 }
    }
}

/// Classical methods fitted to one series, with their past forecasts.
#[derive(Debug)]
pub struct Classics {
    methods: Vec<Method>,
    layout: Layout,
    history: History,
    fitted: Vec<Option<Box<dyn Forecaster>>>,
    /// Whether each method could be fitted, here or elsewhere.
    there: Vec<bool>,
    horizon: usize,
}

impl Classics {
    /// Fits methods to one series.
    ///
    /// Each is fitted on the rows before the first fold and follows the rows up to the others with its parameters
    /// fixed; then it is fitted again on all rows. Equal seeds give equal bits.
    pub fn fit(task: &Task, methods: &[Method], effort: Effort, seed: u64) -> Classics {
        let layout = Layout::rolling(task.values.len(), task.horizon, task.seasons, effort.folds);
        let season = task.seasons.first().copied().unwrap_or(1);
        let mut history = History::new(task.values, season, &layout);
        for (index, method) in methods.iter().enumerate() {
            let rng = &mut stream(seed, index);
            history.push(past_forecasts(task, *method, &layout, effort.paths, rng));
        }
        let past = Past { values: task.values, seasons: task.seasons };
        let fitted: Vec<_> = methods.iter().map(|method| method.fit(&past)).collect();
        let there = fitted.iter().map(Option::is_some).collect();
        let methods = methods.to_vec();
        Classics { methods, layout, history, fitted, there, horizon: task.horizon }
    }

    /// Methods that were fitted in another process: whether each could be, and its past forecasts, one for each fold. They
    /// make no further forecasts here.
    pub fn elsewhere(
        task: &Task,
        methods: &[Method],
        effort: Effort,
        there: Vec<bool>,
        past: Vec<Vec<Option<Quantiles>>>,
    ) -> Classics {
        let layout = Layout::rolling(task.values.len(), task.horizon, task.seasons, effort.folds);
        let season = task.seasons.first().copied().unwrap_or(1);
        let mut history = History::new(task.values, season, &layout);
        past.into_iter().for_each(|forecasts| history.push(forecasts));
        let fitted = methods.iter().map(|_| None).collect();
        let methods = methods.to_vec();
        Classics { methods, layout, history, fitted, there, horizon: task.horizon }
    }

    /// [`Classics::fit`] of many series on `threads` threads, as far as they are `ours`; the seed of each is made of
    /// `seed` and its index, so that neither the number of threads nor the others matter.
    pub fn fit_many(
        tasks: &[Task],
        methods: &[Method],
        effort: Effort,
        seed: u64,
        threads: usize,
        ours: impl Fn(usize) -> bool + Sync,
    ) -> Vec<Option<Classics>> {
        parallel(tasks.len(), threads, |index| {
            let own = seed.wrapping_add((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            ours(index).then(|| Classics::fit(&tasks[index], methods, effort, own))
        })
    }

    /// Where past forecasts start.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Past forecasts of the methods.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Past forecasts of the methods, to which other members can be added ([`History::push`]).
    pub fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// The methods.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.methods.iter().map(|method| method.name().to_owned()).collect()
    }

    /// Whether each method could be fitted.
    pub fn fitted(&self) -> impl Iterator<Item = bool> {
        self.there.iter().copied()
    }

    /// Moves the origin of all fitted methods on by one row.
    pub fn observe(&mut self, value: f64) {
        self.fitted.iter_mut().flatten().for_each(|fitted| fitted.observe(value));
    }

    /// Sample paths of each method, fitted on all rows.
    pub fn paths(&self, count: usize, seed: u64) -> Vec<Option<Paths>> {
        let draw = |(index, fitted): (usize, &Option<Box<dyn Forecaster>>)| {
            let fitted = fitted.as_ref()?;
            Some(fitted.paths(self.horizon, count, &mut stream(seed, index)))
        };
        self.fitted.iter().enumerate().map(draw).collect()
    }

    /// Quantiles of `count` sample paths of each method.
    pub fn quantiles(&self, count: usize, seed: u64) -> Vec<Option<Quantiles>> {
        let paths = self.paths(count, seed);
        paths.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?)).collect()
    }
}

/// The forecasts of one method at the origins of a layout, fitted on the rows before the first.
fn past_forecasts(
    task: &Task,
    method: Method,
    layout: &Layout,
    paths: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<Option<Quantiles>> {
    let Some(mut at) = layout.origins.first().copied() else {
        return Vec::new();
    };
    let past = Past { values: &task.values[..at], seasons: task.seasons };
    let Some(mut fitted) = method.fit(&past) else {
        return Vec::new();
    };
    let forecast = |origin: &usize| {
        task.values[at..*origin].iter().for_each(|value| fitted.observe(*value));
        at = *origin;
        Quantiles::of_paths(&fitted.paths(layout.horizon, paths, rng))
    };
    layout.origins.iter().map(forecast).collect()
}

/// The random stream of one member.
fn stream(seed: u64, member: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(member as u64);
    rng
}

/// `work` of each index on several threads, in the order of the indices.
fn parallel<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let found = work(index);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, found));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests;
