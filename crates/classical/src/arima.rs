//! Seasonal ARIMA.

mod differences;
mod filter;
mod likelihood;
mod minimize;
mod model;
mod polynomial;
mod search;
#[cfg(test)]
mod tests;

use rand::{Rng, RngCore};
use rand_distr::StandardNormal;

use crate::fourier::Harmonics;
use crate::gaps::fill;
use crate::{Forecaster, Past, Paths};
use filter::{Filter, propagate};
use model::{Likelihood, Model, Orders};
use search::search;

pub(crate) use search::differenced;

/// Fewest observed rows.
const LEAST: usize = 12;
/// Longest season that is a lag of the model; longer ones become harmonics.
const LONGEST: usize = 52;
/// Values that a forecaster follows lie within this many largest magnitudes of the rows that it was fitted to.
const REACH: f64 = 1e6;

/// Fits the orders, by steps as Hyndman and Khandakar do, and the coefficients by the exact Gaussian likelihood of the
/// differenced rows. Rows above zero are modeled in logarithms where that raises the likelihood in original units.
/// Gaps are bridged first; more than 40 % of missing rows are refused.
pub(crate) fn fit(past: &Past) -> Option<Box<dyn Forecaster>> {
    Arima::fit(past).map(|arima| Box::new(arima) as Box<dyn Forecaster>)
}
/// Whether a fixed model, differenced once at both lags with a moving average at each, is likelier for the logarithms
/// of the rows than for the rows themselves; the density of the former is brought to original units by the Jacobian.
fn logarithmic(values: &[f64], season: usize) -> bool {
    if values.iter().any(|value| *value <= 0.0) {
        return false;
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let orders = Orders {
        auto: 0,
        moving: 1,
        seasonal_auto: 0,
        seasonal_moving: usize::from(season > 1),
        constant: false,
    };
    let deviance = |values: &[f64]| {
        let mut rows = differences::difference(values, 1);
        if season > 1 {
            rows = differences::difference(&rows, season);
        }
        let model =
            Model::fit(&rows, season, orders, Likelihood::Conditional, &orders.start(), 0.01)?;
        Some((model.profile.deviance, rows.len()))
    };
    match (deviance(values), deviance(&logs)) {
        (Some((plain, count)), Some((log, _))) => {
            let jacobian: f64 = logs[logs.len() - count..].iter().sum();
            log + 2.0 * jacobian < plain
        }
        _ => false,
    }
}

/// A fitted seasonal ARIMA model that stands after the rows it has followed.
#[derive(Debug, Clone)]
struct Arima {
    /// Magnitude by which values are divided.
    scale: f64,
    /// Whether the model is of logarithms.
    log: bool,
    /// Long seasons, taken out of the transformed rows.
    harmonics: Harmonics,
    /// Rows followed so far.
    time: usize,
    /// Coefficients `δ` of `1 - Σ δⱼBʲ`, the product of all differences.
    lags: Vec<f64>,
    /// The last rows, as many as `lags`, the newest last.
    recent: Vec<f64>,
    /// Mean of the differenced rows.
    mean: f64,
    filter: Filter,
    /// Standard deviation of the innovations.
    std: f64,
    /// Standardized innovations of the fitted rows.
    shocks: Vec<f64>,
    /// Smallest and largest row so far.
    range: (f64, f64),
}

impl Arima {
    fn fit(past: &Past) -> Option<Arima> {
        let lag = past.season();
        let filled = fill(past.values, lag, LEAST)?;
        let rows = filled.values.len();
        let season = if lag <= LONGEST && rows >= 3 * lag { lag } else { 1 };
        let long: Vec<usize> =
            past.seasons.iter().copied().filter(|&other| other != season).collect();
        let log = logarithmic(&filled.values, season);
        let transformed: Vec<f64> =
            filled.values.iter().map(|value| if log { value.ln() } else { *value }).collect();
        let harmonics = Harmonics::fit(&transformed, season, &long);
        let values: Vec<f64> =
            transformed.iter().enumerate().map(|(row, value)| value - harmonics.at(row)).collect();
        let differenced = differenced(&values, season);
        let model = search(&differenced, season)?;
        let lags = polynomial::differencing(differenced.ordinary, differenced.seasonal, season);
        let mut arima = Arima::new(&model, lags, rows)?;
        (arima.scale, arima.log, arima.harmonics) = (filled.scale, log, harmonics);
        values.iter().for_each(|&value| arima.follow(value));
        arima.calibrate(&model);
        Some(arima)
    }

    fn new(model: &Model, lags: Vec<f64>, rows: usize) -> Option<Arima> {
        Some(Arima {
            scale: 1.0,
            log: false,
            harmonics: Harmonics::default(),
            time: 0,
            recent: Vec::with_capacity(lags.len() + 1),
            lags,
            mean: model.profile.mean,
            filter: Filter::new(&model.phi, &model.theta)?,
            std: 0.0,
            shocks: Vec::with_capacity(rows),
            range: (f64::INFINITY, f64::NEG_INFINITY),
        })
    }

    /// Moves on by one transformed row; while the model is fitted its standardized innovation is kept.
    fn follow(&mut self, value: f64) {
        if let Some(base) = base(&self.lags, &self.recent) {
            let ahead = self.filter.ahead();
            let error = value - base - self.mean - ahead.mean;
            if self.std == 0.0 {
                self.shocks.push(error / ahead.variance.sqrt());
            }
            self.filter.advance(error);
        }
        remember(&mut self.recent, value, self.lags.len());
        self.range = (self.range.0.min(value), self.range.1.max(value));
        self.time += 1;
    }

    /// Sets the variance of the innovations of `n` rows with `k` coefficients to that of a forecast with estimated ones,
    ///
    /// ```text
    /// Σ v² / n · (n + k) / (n - k)
    /// ```
    ///
    /// and standardizes them.
    ///
    /// # References
    /// Akaike (1969), *Fitting autoregressive models for prediction*, the final prediction error.
    fn calibrate(&mut self, model: &Model) {
        let count = self.shocks.len().max(1) as f64;
        let used = (model.orders.unknowns() - 1) as f64;
        let squares: f64 = self.shocks.iter().map(|shock| shock * shock).sum::<f64>() / count;
        let factor = (count + used) / (count - used).max(1.0);
        self.std = (squares * factor).sqrt().max(f64::MIN_POSITIVE);
        let root = squares.sqrt();
        if root > 0.0 {
            self.shocks.iter_mut().for_each(|shock| *shock /= root);
        }
    }

    /// The value in transformed units without the long seasons; the mean ahead where it is missing.
    fn transformed(&self, value: f64) -> f64 {
        let scaled = (value / self.scale).clamp(-REACH, REACH);
        let known = value.is_finite() && (!self.log || scaled > 0.0);
        if !known {
            let base = base(&self.lags, &self.recent).unwrap_or(0.0);
            return base + self.mean + self.filter.ahead().mean;
        }
        (if self.log { scaled.ln() } else { scaled }) - self.harmonics.at(self.time)
    }

    /// Values that a path may reach: three ranges of the known rows beyond them.
    fn bounds(&self) -> (f64, f64) {
        let (low, high) = self.range;
        let ranges = if self.log { 1.0 } else { 3.0 };
        let reach = ranges * (high - low) + 6.0 * self.std;
        (low - reach, high + reach)
    }

    fn original(&self, value: f64, row: usize) -> f64 {
        let value = value + self.harmonics.at(row);
        let scaled = if self.log { value.exp() } else { value };
        (scaled * self.scale).clamp(f64::MIN, f64::MAX)
    }
}

impl Forecaster for Arima {
    fn observe(&mut self, value: f64) {
        let value = self.transformed(value);
        self.follow(value);
    }

    fn paths(&self, horizon: usize, count: usize, rng: &mut dyn RngCore) -> Paths {
        let mut filter = self.filter.clone();
        // The gains and variances ahead do not depend on the values drawn.
        let steps: Vec<(f64, Vec<f64>)> = (0..horizon)
            .map(|_| {
                let step = (filter.ahead().variance.sqrt() * self.std, filter.gains());
                filter.settle();
                step
            })
            .collect();
        let (low, high) = self.bounds();
        Paths::draw(horizon, count, |path| {
            let mut state = self.filter.state().to_vec();
            let mut recent = self.recent.clone();
            for (step, (out, (std, gains))) in path.iter_mut().zip(&steps).enumerate() {
                let error = std * self.shock(rng);
                let base = base(&self.lags, &recent).unwrap_or(0.0);
                let value = (base + self.mean + state[0] + error).clamp(low, high);
                propagate(&mut state, self.filter.phi(), error, gains);
                remember(&mut recent, value, self.lags.len());
                *out = self.original(value, self.time + step);
            }
        })
    }
}

impl Arima {
    /// One of the known innovations, blurred by a Gaussian kernel of the width of Silverman's rule and of variance one
    /// again.
    ///
    /// # References
    /// Silverman (1986), *Density Estimation for Statistics and Data Analysis*, equation (3.28) and section 6.4.
    fn shock(&self, rng: &mut dyn RngCore) -> f64 {
        let normal: f64 = rng.sample(StandardNormal);
        if self.shocks.is_empty() {
            return normal;
        }
        let count = self.shocks.len();
        let width = 1.06 * (count as f64).powf(-0.2);
        (self.shocks[rng.random_range(0..count)] + width * normal) / (1.0 + width * width).sqrt()
    }
}

/// The part of a row that the differences leave out, `Σ δⱼ y_{t-j}`; `None` before there are enough rows.
fn base(lags: &[f64], recent: &[f64]) -> Option<f64> {
    (recent.len() >= lags.len())
        .then(|| lags.iter().zip(recent.iter().rev()).map(|(lag, value)| lag * value).sum())
}

fn remember(recent: &mut Vec<f64>, value: f64, most: usize) {
    recent.push(value);
    if recent.len() > most {
        recent.remove(0);
    }
}
