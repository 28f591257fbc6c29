//! Past forecasts of all members beside what came.

use crate::{LEVELS, Layout, Quantiles};

/// The forecasts of all members from one origin, and the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// One forecast per member; `None` where a member has none.
    pub members: Vec<Option<Quantiles>>,
    /// The rows that came, one per step, in original units; NaN where missing.
    pub truth: Vec<f64>,
}

impl Fold {
    /// Steps with a truth.
    pub(crate) fn observed(&self) -> impl Iterator<Item = (usize, f64)> {
        self.truth.iter().copied().enumerate().filter(|(_, value)| value.is_finite())
    }
}

/// The folds of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The folds, the earliest first.
    pub folds: Vec<Fold>,
    /// The unit of errors, so that several series may share weights: see [`History::scale_of`].
    pub scale: f64,
    /// How many horizons the folds cover that have no row in common.
    pub disjoint: usize,
}

impl History {
    /// A history without forecasts yet: the truth after each origin of a layout.
    pub fn new(values: &[f64], season: usize, layout: &Layout) -> History {
        let folds = layout.origins.iter().map(|origin| Fold {
            members: Vec::new(),
            truth: values[*origin..*origin + layout.horizon].to_vec(),
        });
        let known = layout.origins.first().copied().unwrap_or(values.len());
        let scale = History::scale_of(&values[..known], season);
        History { folds: folds.collect(), scale, disjoint: layout.disjoint }
    }

    /// The mean absolute error of the seasonal naive forecast of one season on known rows.
    ///
    /// ```text
    /// mean |y_t − y_{t−m}|        over rows where both are observed
    /// ```
    ///
    /// Where that is zero or unknown: of the step before, then the mean of |y|, then 1.
    ///
    /// # References
    /// Hyndman & Koehler (2006), International Journal of Forecasting 22, 679–688.
    pub fn scale_of(values: &[f64], season: usize) -> f64 {
        let naive = |lag: usize| {
            let later = values.iter().skip(lag);
            stats::mean_of_finite(values.iter().zip(later).map(|(a, b)| (b - a).abs()))
        };
        let size = || stats::mean_of_finite(values.iter().map(|value| value.abs()));
        let good = |scale: &f64| scale.is_finite() && *scale > 0.0;
        let found = naive(season.max(1)).filter(good).or_else(|| naive(1).filter(good));
        found.or_else(|| size().filter(good)).unwrap_or(1.0)
    }

    /// Adds one member: its forecasts of each fold in order; missing ones are taken as `None`.
    ///
    /// A forecast of another horizon than the fold's is no forecast.
    pub fn push(&mut self, forecasts: impl IntoIterator<Item = Option<Quantiles>>) {
        let mut forecasts = forecasts.into_iter();
        for fold in &mut self.folds {
            let forecast = forecasts.next().flatten();
            let steps = fold.truth.len();
            fold.members.push(forecast.filter(|forecast| forecast.horizon() == steps));
        }
    }

    /// The number of members.
    pub fn members(&self) -> usize {
        self.folds.first().map_or(0, |fold| fold.members.len())
    }

    /// Whether a member has a forecast in every fold.
    pub fn complete(&self, member: usize) -> bool {
        self.folds.iter().all(|fold| matches!(fold.members.get(member), Some(Some(_))))
    }

    /// The mean score of forecasts of each fold ([`Quantiles::crps`]) in original units; `None` without a truth.
    pub fn score<'a>(&self, forecasts: impl IntoIterator<Item = &'a Quantiles>) -> Option<f64> {
        let folds = self.folds.iter().zip(forecasts);
        let scores = folds.flat_map(|(fold, forecast)| {
            fold.observed().map(move |(step, truth)| forecast.crps(step, truth))
        });
        stats::mean_of_finite(scores)
    }

    /// The share of truths in the central intervals of probability `coverage`; `None` without a truth.
    pub fn coverage<'a>(
        &self,
        forecasts: impl IntoIterator<Item = &'a Quantiles>,
        coverage: f64,
    ) -> Option<f64> {
        let folds = self.folds.iter().zip(forecasts);
        let inside = folds.flat_map(|(fold, forecast)| {
            let covers = move |(step, truth)| forecast.covers(step, truth, coverage);
            fold.observed().map(covers).map(|yes| f64::from(u8::from(yes)))
        });
        stats::mean_of_finite(inside)
    }

    /// The mean score of one member; `None` where it is not [complete](History::complete).
    pub fn score_of(&self, member: usize) -> Option<f64> {
        let forecasts: Option<Vec<&Quantiles>> =
            self.folds.iter().map(|fold| fold.members.get(member)?.as_ref()).collect();
        self.score(forecasts?)
    }

    /// Each fold combined by weights.
    pub fn combined(&self, weights: &[f64]) -> Vec<Option<Quantiles>> {
        self.folds.iter().map(|fold| average(&fold.members, weights)).collect()
    }
}

/// The Vincent average of the members that have a forecast, level by level.
///
/// ```text
/// Q(τ) = Σ w_m Q_m(τ) / Σ w_m        m over the members with a forecast
/// ```
///
/// Equal weights where all of theirs are zero; `None` without any, or with different horizons.
pub(crate) fn average(members: &[Option<Quantiles>], weights: &[f64]) -> Option<Quantiles> {
    let weights = weights.iter().copied().chain(std::iter::repeat(0.0));
    let present: Vec<(&Quantiles, f64)> =
        members.iter().zip(weights).filter_map(|(q, w)| Some((q.as_ref()?, w))).collect();
    let horizon = present.first()?.0.horizon();
    let total: f64 = present.iter().map(|(_, weight)| weight).sum();
    let equal = 1.0 / present.len() as f64;
    let share = |weight: f64| if total > 0.0 { weight / total } else { equal };
    let mut values = vec![0.0; horizon * LEVELS.len()];
    for (quantiles, weight) in &present {
        let weight = share(*weight);
        if quantiles.horizon() != horizon {
            return None;
        }
        for (sum, value) in values.iter_mut().zip(quantiles.iter().flatten()) {
            *sum += weight * value;
        }
    }
    Quantiles::from_fn(horizon, |step, level| values[step * LEVELS.len() + level])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(center: f64, width: f64) -> Option<Quantiles> {
        Quantiles::from_fn(1, |_, level| center + width * (LEVELS[level] - 0.5))
    }

    /// Oracle: a location-scale family is closed under Vincent averages, with average location and scale.
    #[test]
    fn the_average_has_the_average_location_and_scale() {
        let members = [normal(0.0, 1.0), normal(10.0, 3.0), None];
        let found = average(&members, &[0.25, 0.75, 0.5]).unwrap();
        let expected = normal(7.5, 2.5).unwrap();
        for (a, b) in found.step(0).iter().zip(expected.step(0)) {
            assert!((a - b).abs() < 1e-12);
        }
        let equal = average(&members, &[0.0, 0.0, 1.0]).unwrap();
        assert!((equal.at(0, 0.5) - 5.0).abs() < 1e-12);
        assert_eq!(average(&[None, None], &[0.5, 0.5]), None);
    }

    #[test]
    fn scales_fall_back() {
        assert_eq!(History::scale_of(&[1.0, 2.0, 3.0, 5.0], 2), 2.5);
        assert_eq!(History::scale_of(&[1.0, 2.0, 1.0, 2.0], 2), 1.0);
        assert_eq!(History::scale_of(&[-3.0, -3.0], 1), 3.0);
        assert_eq!(History::scale_of(&[0.0, f64::NAN], 1), 1.0);
        assert_eq!(History::scale_of(&[], 12), 1.0);
        assert!(History::scale_of(&[f64::MAX, -f64::MAX], 1).is_finite());
    }

    #[test]
    fn members_are_complete_or_not() {
        let layout = Layout { origins: vec![2, 3], horizon: 1, disjoint: 2 };
        let mut history = History::new(&[0.0, 1.0, 2.0, f64::NAN], 1, &layout);
        history.push([normal(2.0, 1.0), normal(0.0, 1.0)]);
        history.push([normal(0.0, 1.0)]);
        assert_eq!((history.members(), history.complete(0), history.complete(1)), (2, true, false));
        // Oracle: 1/3 − 1/4 at the center of a uniform law of width 1; the missing row does not count.
        assert!((history.score_of(0).unwrap() - 1.0 / 12.0).abs() < 3e-4);
        assert_eq!(history.score_of(1), None);
        let forecasts: Vec<Quantiles> =
            history.combined(&[1.0, 0.0]).into_iter().flatten().collect();
        assert_eq!(history.coverage(&forecasts, 0.8), Some(1.0));
    }
}
