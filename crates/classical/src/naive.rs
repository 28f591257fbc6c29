//! Seasonal naive: the value one season earlier plus the drift, and changes between seasons drawn from the past.
//!
//! ```text
//! y_{t+h} = y_{t+h−m} + d + u_{t+h}
//! ```
//!
//! `u` are consecutive rows of the centered seasonal changes of the past, a new stretch for every season ahead, so
//! that neighboring steps stay dependent and the variance grows with the number of seasons ahead. The drift `d` is the
//! mean change between the means of seasons, shrunk by the factor `1 − (error / mean)²` of James & Stein, which is
//! zero where the data do not tell the drift from none. For positive values all of this happens to logarithms where
//! their changes have the greater likelihood.
//!
//! # References
//! Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, section 5.2.

use rand::{Rng, RngCore};

use crate::scale::Scale;
use crate::{Forecaster, Past, Paths, season};

/// The least number of seasonal changes.
const LEAST: usize = 3;

#[derive(Debug, Clone)]
struct Naive {
    scale: Scale,
    /// Last known value of each phase, in working units, the next phase first.
    last: Vec<f64>,
    drift: f64,
    /// Centered seasonal changes in order of time.
    changes: Vec<f64>,
}

pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    let listed = past.seasons.iter().copied().filter(|season| season::usable(past, *season));
    let spread = |season: usize| {
        let scale = Scale::standard(past.values);
        let found = changes(past.values, season, scale);
        found.iter().map(|change| change.abs()).sum::<f64>() / found.len().max(1) as f64
    };
    let enough =
        |season: &usize| changes(past.values, *season, Scale::standard(past.values)).len() >= LEAST;
    let season =
        listed.filter(enough).min_by(|a, b| spread(*a).total_cmp(&spread(*b))).unwrap_or(1);
    Some(Box::new(Naive::of(past.values, season)?))
}

/// Changes over one season between observed rows, in working units.
fn changes(values: &[f64], season: usize, scale: Scale) -> Vec<f64> {
    let pairs = values.iter().skip(season).zip(values);
    let change = |(after, before): (&f64, &f64)| scale.to(*after) - scale.to(*before);
    pairs.map(change).filter(|change| change.is_finite()).collect()
}

impl Naive {
    fn of(values: &[f64], season: usize) -> Option<Naive> {
        let scale = scale(values, season);
        let mut changes = changes(values, season, scale);
        if changes.len() < LEAST {
            return None;
        }
        let count = changes.len() as f64;
        let mean = changes.iter().sum::<f64>() / count;
        let inflation = (count / (count - 1.0)).sqrt();
        changes.iter_mut().for_each(|change| *change = (*change - mean) * inflation);
        let worked: Vec<f64> = values.iter().map(|value| scale.to(*value)).collect();
        let filled = season::filled(&worked, season)?;
        let drift = drift(&filled, season);
        Some(Naive { scale, last: filled[filled.len() - season..].to_vec(), drift, changes })
    }
}

/// The scale on which seasonal changes have the greater Gaussian likelihood: the values or their logarithms.
fn scale(values: &[f64], season: usize) -> Scale {
    let linear = Scale::standard(values);
    if !values.iter().all(|value| value.is_nan() || *value > 0.0) {
        return linear;
    }
    let log = Scale::log(values);
    let likelihood = |scale: Scale| {
        let found = changes(values, season, scale);
        let count = found.len() as f64;
        let variance = found.iter().map(|change| change * change).sum::<f64>() / count;
        -0.5 * count * variance.ln() + scale.log_derivative(&values[season.min(values.len())..])
    };
    if likelihood(log) > likelihood(linear) { log } else { linear }
}

/// The shrunk mean change between the means of successive seasons, counted from the last row back.
fn drift(values: &[f64], season: usize) -> f64 {
    let mean = |rows: &[f64]| rows.iter().sum::<f64>() / rows.len() as f64;
    let means: Vec<f64> = values.rchunks_exact(season).map(mean).collect();
    let changes: Vec<f64> = means.windows(2).map(|pair| pair[0] - pair[1]).collect();
    if changes.len() < LEAST {
        return 0.0;
    }
    let center = mean(&changes);
    let count = changes.len() as f64;
    let squares: f64 = changes.iter().map(|change| (change - center).powi(2)).sum();
    let error = squares / (count - 1.0) / count;
    if center == 0.0 { 0.0 } else { center * (1.0 - error / center.powi(2)).max(0.0) }
}

impl Forecaster for Naive {
    fn observe(&mut self, value: f64) {
        let value = self.scale.to(value);
        let next = if value.is_finite() { value } else { self.last[0] + self.drift };
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = next;
        }
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let season = self.last.len();
        let stretch = season.min(self.changes.len());
        Paths::draw(horizon, count, |path| {
            let mut ahead = self.last.clone();
            let mut from = 0;
            for (step, value) in path.iter_mut().enumerate() {
                let within = (step % season) % stretch;
                if within == 0 {
                    from = rng.random_range(0..=self.changes.len() - stretch);
                }
                let phase = &mut ahead[step % season];
                *phase += self.drift + self.changes[from + within];
                *value = self.scale.back(*phase);
            }
        })
    }
}

#[cfg(test)]
mod tests;
