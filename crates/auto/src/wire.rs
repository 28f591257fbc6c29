//! Forecasts as plain numbers, to pass between processes.

use classical::{Method, Paths};
use pool::{Classics, Effort, Quantiles, Task};

/// Numbers to be read in the order in which they were written.
#[derive(Debug)]
pub(crate) struct Numbers(std::vec::IntoIter<f64>);

impl Numbers {
    pub(crate) fn new(numbers: Vec<f64>) -> Numbers {
        Numbers(numbers.into_iter())
    }

    /// The next number. All processes run the same program, so that there is one.
    pub(crate) fn next(&mut self) -> f64 {
        self.0.next().expect("numbers are read as they were written")
    }

    pub(crate) fn count(&mut self) -> usize {
        self.next() as usize
    }

    pub(crate) fn some(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }

    pub(crate) fn list(&mut self) -> Vec<f64> {
        let count = self.count();
        self.some(count)
    }

    /// Quantiles that [`put_quantiles`] wrote.
    pub(crate) fn quantiles(&mut self) -> Option<Quantiles> {
        Quantiles::of_values(self.list())
    }

    /// Paths that [`put_paths`] wrote.
    pub(crate) fn paths(&mut self) -> Option<Paths> {
        let (horizon, count) = (self.count(), self.count());
        (horizon > 0).then(|| {
            Paths::draw(horizon, count, |path| path.iter_mut().for_each(|x| *x = self.next()))
        })
    }

    /// Members that [`of_classics`] wrote.
    pub(crate) fn classics(&mut self, task: &Task, methods: &[Method], effort: Effort) -> Classics {
        let there: Vec<bool> = methods.iter().map(|_| self.next() > 0.0).collect();
        let folds = self.count();
        let past = methods.iter().map(|_| (0..folds).map(|_| self.quantiles()).collect());
        let past = past.collect();
        Classics::elsewhere(task, methods, effort, there, past)
    }
}

/// Appends a list and its length.
pub(crate) fn put(to: &mut Vec<f64>, numbers: impl IntoIterator<Item = f64>) {
    let start = to.len();
    to.push(0.0);
    to.extend(numbers);
    to[start] = (to.len() - start - 1) as f64;
}

pub(crate) fn put_quantiles(to: &mut Vec<f64>, quantiles: Option<&Quantiles>) {
    put(to, quantiles.into_iter().flat_map(Quantiles::iter).flatten().copied());
}

pub(crate) fn put_paths(to: &mut Vec<f64>, paths: Option<&Paths>) {
    let count = paths.map_or(0, |paths| paths.iter().count());
    to.extend([paths.map_or(0, Paths::horizon) as f64, count as f64]);
    to.extend(paths.into_iter().flat_map(Paths::iter).flatten());
}

/// Which methods could be fitted, and their past forecasts.
pub(crate) fn of_classics(classics: &Classics) -> Vec<f64> {
    let mut to: Vec<f64> = classics.fitted().map(|there| f64::from(u8::from(there))).collect();
    let folds = &classics.history().folds;
    to.push(folds.len() as f64);
    for method in 0..classics.methods().len() {
        for fold in folds {
            put_quantiles(&mut to, fold.members.get(method).and_then(Option::as_ref));
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the members themselves.
    #[test]
    fn members_arrive_as_they_were() {
        let values: Vec<f64> = (0..80)
            .map(|row| 20.0 + 5.0 * (f64::from(row) * 0.52).sin() + f64::from(row % 7))
            .collect();
        let task = Task { values: &values, seasons: &[12], horizon: 4 };
        let methods = [Method::SeasonalNaive, Method::Ets, Method::Intermittent];
        let effort = Effort { folds: 3, paths: 20 };
        let here = Classics::fit(&task, &methods, effort, 1);
        let mut numbers = Numbers::new(of_classics(&here));
        let there = numbers.classics(&task, &methods, effort);
        assert!(numbers.0.next().is_none(), "all was read");
        assert_eq!(here.history(), there.history());
        assert_eq!(here.fitted().collect::<Vec<_>>(), there.fitted().collect::<Vec<_>>());
        assert!(there.paths(5, 1).iter().all(Option::is_none));
        let mut to = Vec::new();
        let paths = here.paths(5, 1);
        paths.iter().for_each(|paths| put_paths(&mut to, paths.as_ref()));
        let mut numbers = Numbers::new(to);
        assert!(paths.iter().all(|paths| *paths == numbers.paths()));
    }
}
