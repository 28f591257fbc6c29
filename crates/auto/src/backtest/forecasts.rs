//! The forecasts of one fold, which another process may have made.

use classical::Method;
use pool::Quantiles;

use crate::fit::{Fitted, UnitForecast};
use crate::names::NETWORK;
use crate::wire::{Numbers, put, put_quantiles};

/// The forecasts of one fold by the pool and its members.
#[derive(Debug, PartialEq)]
pub(super) struct Forecasts {
    /// Names of the members.
    pub(super) members: Vec<String>,
    /// Their weights for each unit of the table.
    pub(super) weights: Vec<Vec<f64>>,
    /// Forecasts of one series, channel and forecaster, the pool being forecaster 0.
    pub(super) quantiles: Vec<([usize; 3], Quantiles)>,
}

/// All names that a member can have.
fn names() -> impl Iterator<Item = String> {
    let methods = Method::ALL.into_iter().map(|method| method.name().to_owned());
    methods.chain([NETWORK.to_owned()])
}

impl Forecasts {
    pub(super) fn of(fitted: &Fitted, forecasts: Vec<UnitForecast>) -> Forecasts {
        let mut quantiles = Vec::new();
        for UnitForecast { series, channel, members, pooled, .. } in forecasts {
            let members = members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?));
            let all = std::iter::once(pooled).chain(members).enumerate();
            quantiles.extend(
                all.filter_map(|(who, quantiles)| Some(([series, channel, who], quantiles?))),
            );
        }
        let weights = fitted.pools.iter().map(|pool| pool.weights.values.clone()).collect();
        Forecasts { members: fitted.members.clone(), weights, quantiles }
    }

    /// As numbers, for [`Forecasts::read`].
    pub(super) fn numbers(&self) -> Vec<f64> {
        let mut to = Vec::new();
        let place = |member: &String| names().position(|name| name == *member);
        put(&mut to, self.members.iter().filter_map(place).map(|place| place as f64));
        to.push(self.weights.len() as f64);
        self.weights.iter().for_each(|weights| put(&mut to, weights.iter().copied()));
        to.push(self.quantiles.len() as f64);
        for (place, quantiles) in &self.quantiles {
            to.extend(place.map(|index| index as f64));
            put_quantiles(&mut to, Some(quantiles));
        }
        to
    }

    pub(super) fn read(numbers: &mut Numbers) -> Forecasts {
        let all: Vec<String> = names().collect();
        let members = numbers.list().into_iter().map(|place| all[place as usize].clone());
        let members = members.collect();
        let weights = (0..numbers.count()).map(|_| numbers.list()).collect();
        let mut quantiles = Vec::new();
        for _ in 0..numbers.count() {
            let place = [numbers.count(), numbers.count(), numbers.count()];
            quantiles.extend(numbers.quantiles().map(|quantiles| (place, quantiles)));
        }
        Forecasts { members, weights, quantiles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the forecasts themselves, bit for bit.
    #[test]
    fn forecasts_arrive_as_they_were() {
        let quantiles = |shift: f64| {
            let rows: Vec<Vec<f64>> = (0..3)
                .map(|step| vec![shift, shift + 0.1 * f64::from(step), shift + 1.0])
                .collect();
            Quantiles::of_levels(&[0.1, 0.5, 0.9], &rows).unwrap()
        };
        let sent = Forecasts {
            members: names().skip(2).collect(),
            weights: vec![vec![0.1, 0.2, 0.7], vec![1.0 / 3.0; 3]],
            quantiles: vec![([0, 0, 0], quantiles(0.3)), ([4, 1, 5], quantiles(-1e9 / 7.0))],
        };
        let mut numbers = Numbers::new([sent.numbers(), sent.numbers()].concat());
        assert_eq!(Forecasts::read(&mut numbers), sent);
        assert_eq!(Forecasts::read(&mut numbers), sent);
    }
}
