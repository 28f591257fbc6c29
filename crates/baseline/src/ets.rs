//! Exponential smoothing by the six additive models of Hyndman et al. (2008), fitted to each series and channel.
//!
//! ```text
//! ŷ_t = l_{t−1} + φ b_{t−1} + s_{t−m}        e_t = y_t − ŷ_t
//! l_t = l_{t−1} + φ b_{t−1} + α e_t
//! b_t = φ b_{t−1} + β e_t
//! s_t = s_{t−m} + γ e_t
//! ```
//!
//! The parameters minimize the squared error on the training rows, and Akaike's corrected criterion chooses the
//! model. The states then run through all rows up to each origin; a missing value counts as its forecast, `e_t = 0`.

use feed::{Batch, History};
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::garch::LEAST;
use crate::minimize::minimize;
use crate::point::Point;

/// One smoother with its parameters; a term that the model leaves out has weight 0.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Smoother {
    alpha: f64,
    beta: f64,
    gamma: f64,
    phi: f64,
    /// Rows per season; 1 for no season.
    season: usize,
}

/// States after each row.
#[derive(Debug, Clone, Default)]
struct States {
    level: Vec<f64>,
    trend: Vec<f64>,
    /// Seasonal term of the phase of the row.
    seasonal: Vec<f64>,
    /// Sum of squared one-step errors.
    squares: f64,
    /// Number of those errors.
    errors: usize,
}

/// The terms that a model has.
#[derive(Debug, Clone, Copy)]
struct Form {
    trend: bool,
    damped: bool,
    seasonal: bool,
}

impl Form {
    fn parameters(self) -> usize {
        1 + usize::from(self.trend) + usize::from(self.damped) + usize::from(self.seasonal)
    }

    /// Maps unbounded numbers to a smoother inside the usual region: `β < α`, `γ < 1 − α`, `0.8 ≤ φ ≤ 0.98`.
    fn smoother(self, x: &[f64], season: usize) -> Smoother {
        let share = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut rest = x[1..].iter().map(|x| share(*x));
        let alpha = share(x[0]);
        let mut next = |wanted: bool| if wanted { rest.next() } else { None };
        Smoother {
            alpha,
            beta: next(self.trend).map_or(0.0, |s| alpha * s),
            gamma: next(self.seasonal).map_or(0.0, |s| (1.0 - alpha) * s),
            phi: match (self.trend, next(self.damped)) {
                (false, _) => 0.0,
                (true, None) => 1.0,
                (true, Some(s)) => 0.8 + 0.18 * s,
            },
            season: if self.seasonal { season } else { 1 },
        }
    }
}

impl Smoother {
    /// The best of the six models on training values, NaN where missing; `None` if too few were observed.
    fn fit(values: &[f64], season: Option<usize>) -> Option<Smoother> {
        let observed = values.iter().filter(|value| value.is_finite()).count();
        if observed < LEAST {
            return None;
        }
        // Estimating a season takes at least two of them.
        let season = season.filter(|season| *season > 1 && observed >= 2 * season + LEAST);
        let mut best: Option<(f64, Smoother)> = None;
        for seasonal in [false, true] {
            let Some(rows) = (if seasonal { season } else { Some(1) }) else { continue };
            for (trend, damped) in [(false, false), (true, false), (true, true)] {
                let form = Form { trend, damped, seasonal };
                let loss = |x: &[f64]| {
                    let states = form.smoother(x, rows).run(values);
                    // Half the deviance, which changes as much as the log likelihood does.
                    0.5 * states.errors as f64 * (states.squares / states.errors as f64).ln()
                };
                let start = [-1.0, -2.5, -2.5, 1.0];
                let (x, value) = minimize(&loss, &start[..form.parameters()], 1.0);
                let initial = 1 + usize::from(trend) + if seasonal { rows - 1 } else { 0 };
                let k = (form.parameters() + initial + 1) as f64;
                let n = observed as f64;
                let criterion = 2.0 * value + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0);
                let first = best.as_ref().is_none_or(|(least, _)| criterion < *least);
                if n > k + 1.0 && criterion.is_finite() && first {
                    best = Some((criterion, form.smoother(&x, rows)));
                }
            }
        }
        Some(
            best.map_or(Smoother { alpha: 0.1, beta: 0.0, gamma: 0.0, phi: 0.0, season: 1 }, |b| {
                b.1
            }),
        )
    }

    /// Runs through values. The initial level is the mean of the first season (of ten rows without one), the initial
    /// trend is zero, and the initial seasonal terms are the deviations of that season from its mean.
    fn run(&self, values: &[f64]) -> States {
        let m = self.season;
        let first = &values[..values.len().min(if m > 1 { m } else { 10 })];
        let seen = || first.iter().filter(|value| value.is_finite());
        let mut level = seen().sum::<f64>() / (seen().count() as f64).max(1.0);
        let deviation = |value: &f64| if value.is_finite() { value - level } else { 0.0 };
        let mut seasonal: Vec<f64> =
            if m > 1 { first.iter().map(deviation).collect() } else { vec![0.0] };
        seasonal.resize(m, 0.0);
        let mut trend = 0.0;
        let mut states = States::default();
        for (row, value) in values.iter().enumerate() {
            let before = level + self.phi * trend;
            let error = value - before - seasonal[row % m];
            let error = if error.is_finite() {
                states.squares += error * error;
                states.errors += 1;
                error
            } else {
                0.0
            };
            level = before + self.alpha * error;
            trend = self.phi * trend + self.beta * error;
            seasonal[row % m] += self.gamma * error;
            states.level.push(level);
            states.trend.push(trend);
            states.seasonal.push(seasonal[row % m]);
        }
        states
    }

    /// Point forecasts of the `horizon` rows after row `last`.
    fn forecast(&self, states: &States, last: usize, horizon: usize) -> impl Iterator<Item = f64> {
        let (level, trend) = (states.level[last], states.trend[last]);
        let damping = std::iter::successors(Some(self.phi), |power| Some(power * self.phi));
        let sums = damping.scan(0.0, |sum, power| {
            *sum += power;
            Some(*sum)
        });
        let m = self.season;
        let season: Vec<f64> = (0..m)
            .map(|phase| match (last + 1 + phase).checked_sub(m) {
                Some(row) if m > 1 => states.seasonal[row],
                _ => 0.0,
            })
            .collect();
        sums.take(horizon).enumerate().map(move |(h, sum)| level + sum * trend + season[h % m])
    }
}

/// The smoothers of all series and channels, with their states at every row.
#[derive(Debug)]
pub(crate) struct Ets {
    context: usize,
    horizon: usize,
    channels: usize,
    /// `[K][C]`.
    fitted: Vec<Vec<(Smoother, States)>>,
    /// The row from which each series is smoothed.
    first: Vec<usize>,
}

impl Ets {
    /// Fits a smoother to the training rows of every series and channel; `None` if one of them has too few values.
    pub(crate) fn fit(
        history: &History,
        season: Option<usize>,
        context: usize,
        horizon: usize,
    ) -> Option<Ets> {
        let mut fitted = Vec::new();
        for series in history.series() {
            let of_channel = |channel| {
                let train = history.column(series.train.clone(), channel);
                let smoother = Smoother::fit(&train, season)?;
                let rows = history.column(series.train.start..series.rows.end, channel);
                Some((smoother, smoother.run(&rows)))
            };
            fitted.push((0..history.channels()).map(of_channel).collect::<Option<Vec<_>>>()?);
        }
        let first = history.series().iter().map(|series| series.train.start).collect();
        Some(Ets { context, horizon, channels: history.channels(), fitted, first })
    }
}

impl Point for Ets {
    /// Point forecasts `[B, H, C]`, each from all rows before its origin.
    fn forecast(&self, batch: &Batch) -> Result<Tensor> {
        let starts = Vec::<i64>::try_from(batch.first_rows.f_to(Device::Cpu)?)?;
        let windows = starts.len();
        let mut values = vec![0.0; windows * self.horizon * self.channels];
        for (window, start) in starts.into_iter().enumerate() {
            let last = start as usize + self.context - 1;
            let series = self.first.partition_point(|first| *first <= last).max(1) - 1;
            for (channel, (smoother, states)) in self.fitted[series].iter().enumerate() {
                let row = last - self.first[series];
                for (step, value) in smoother.forecast(states, row, self.horizon).enumerate() {
                    values[(window * self.horizon + step) * self.channels + channel] = value as f32;
                }
            }
        }
        let size = [windows as i64, self.horizon as i64, self.channels as i64];
        let device = batch.context.device();
        Ok(Tensor::f_from_slice(&values)?.f_view(size)?.f_to_kind(Kind::Float)?.f_to(device)?)
    }
}

#[cfg(test)]
mod tests;
