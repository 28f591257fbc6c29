//! Forecasts of returns by volatility models, whose paths are simulated over the horizon.

use feed::{Batch, History};
use objective::Likelihood;
use tch::{Device, Kind as Precision, Tensor};

use crate::error::Result;
use crate::garch::{Kind, Returns};
use crate::law::Law;

/// One law per series and channel, with its variance filtered through all rows.
#[derive(Debug)]
pub(crate) struct Volatility {
    horizon: i64,
    context: usize,
    channels: usize,
    /// `[K][C]`.
    pub(crate) laws: Vec<Vec<Returns>>,
    /// `σ²` of each row given the rows before it, row-major `[R + K, C]`: each series has one more, after its last row.
    pub(crate) variances: Vec<f64>,
    /// First row of each series.
    starts: Vec<usize>,
}

/// The laws of a batch of windows as tensors `[B, C]`, f32 on the CPU: their rows are standardized, and draws in f64 take
/// several times as long.
struct Laws {
    mean: Tensor,
    omega: Tensor,
    alpha: Tensor,
    beta: Tensor,
    degrees: Option<Tensor>,
    /// `σ²` at the first step of the horizon.
    variance: Tensor,
}

impl Volatility {
    /// Fits a law to the training rows of every series and channel; `None` if one of them has too few values.
    pub(crate) fn fit(
        kind: Kind,
        history: &History,
        context: usize,
        horizon: i64,
    ) -> Option<Volatility> {
        let channels = history.channels();
        let (mut laws, mut variances, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for series in history.series() {
            let mut of_series = Vec::with_capacity(channels);
            let mut filtered = Vec::with_capacity(channels);
            for channel in 0..channels {
                let law = Returns::fit(kind, &history.column(series.train.clone(), channel))?;
                // The filter starts at the first training row, as in the fit; earlier rows are not used.
                let before = series.train.start - series.rows.start;
                let rows = history.column(series.train.start..series.rows.end, channel);
                let variance = law.filter(&rows);
                let padded = std::iter::repeat_n(variance[0], before).chain(variance.clone());
                filtered.push(padded.collect::<Vec<f64>>());
                of_series.push(law);
            }
            starts.push(series.rows.start);
            laws.push(of_series);
            let rows = 0..=series.rows.len();
            variances.extend(rows.flat_map(|row| filtered.iter().map(move |column| column[row])));
        }
        Some(Volatility { horizon, context, channels, laws, variances, starts })
    }

    /// Simulates the horizon, and calls `visit` at each step with the returns `[S, B, C]` and the law that they were
    /// drawn from.
    fn simulate(
        &self,
        batch: &Batch,
        samples: i64,
        visit: &mut dyn FnMut(i64, &Tensor, &Likelihood) -> Result<()>,
    ) -> Result<()> {
        let Laws { mean, omega, alpha, beta, degrees, variance } = self.laws(batch)?;
        let size = [&[samples], variance.size().as_slice()].concat();
        let mut variance = variance.f_unsqueeze(0)?.f_expand(size.as_slice(), false)?;
        for step in 0..self.horizon {
            let log_std = variance.f_log()? * 0.5;
            let loc = mean.f_expand_as(&variance)?;
            let likelihood = match &degrees {
                None => Likelihood::gaussian(loc, log_std)?,
                // The scale of Student's t with unit variance is √((ν − 2)/ν).
                Some(df) => {
                    let excess = (df - 2.0).f_log()?;
                    let log_scale = log_std + (&excess - df.f_log()?) * 0.5;
                    Likelihood::student_t(loc, log_scale, excess)?
                }
            };
            let returns = likelihood.sample()?;
            visit(step, &returns, &likelihood)?;
            let square = (returns - &mean).f_square()?;
            variance = &omega + &alpha * square + &beta * variance;
        }
        Ok(())
    }

    fn laws(&self, batch: &Batch) -> Result<Laws> {
        let starts = Vec::<i64>::try_from(batch.first_rows.f_to(Device::Cpu)?)?;
        let size = [starts.len() as i64, self.channels as i64];
        let mut windows = Vec::with_capacity(starts.len() * self.channels);
        for start in starts {
            let origin = start as usize + self.context;
            // The series that holds the context: the origin may be one row past its end.
            let series = self.starts.partition_point(|first| *first < origin).max(1) - 1;
            for (channel, law) in self.laws[series].iter().enumerate() {
                windows.push((law, self.variances[(origin + series) * self.channels + channel]));
            }
        }
        let tensor = |value: &dyn Fn(&(&Returns, f64)) -> f64| -> Result<Tensor> {
            let values = Tensor::f_from_slice(&windows.iter().map(value).collect::<Vec<f64>>())?;
            Ok(values.f_to_kind(Precision::Float)?.f_view(size)?)
        };
        let heavy = windows.first().is_some_and(|(law, _)| law.degrees.is_some());
        let degrees = |(law, _): &(&Returns, f64)| law.degrees.unwrap_or(f64::INFINITY);
        Ok(Laws {
            mean: tensor(&|(law, _)| law.mean)?,
            omega: tensor(&|(law, _)| law.omega)?,
            alpha: tensor(&|(law, _)| law.alpha)?,
            beta: tensor(&|(law, _)| law.beta)?,
            degrees: if heavy { Some(tensor(&degrees)?) } else { None },
            variance: tensor(&|(_, variance)| *variance)?,
        })
    }
}

impl Law for Volatility {
    /// Samples `[S, B, H, C]`: `r = μ + σ z`, where each draw sets the variance of the next step.
    fn sample(&self, batch: &Batch, samples: i64) -> Result<Tensor> {
        let mut steps = Vec::new();
        self.simulate(batch, samples, &mut |_, returns, _| {
            steps.push(returns.shallow_clone());
            Ok(())
        })?;
        let all = Tensor::f_stack(&steps, 2)?;
        Ok(all.f_to(batch.context.device())?)
    }

    /// `μ` at every step, `[B, H, C]`.
    fn mean(&self, batch: &Batch) -> Result<Tensor> {
        let mean =
            self.laws(batch)?.mean.f_unsqueeze(1)?.f_expand([-1, self.horizon, -1], false)?;
        Ok(mean.f_to(batch.context.device())?)
    }

    /// The log density of each step given the rows before the origin, `[B, H, C]`, in nats.
    ///
    /// ```text
    /// p(y_h) ≈ 1/S Σ_s p(y_h | σ_h^(s))       exact at the first step and for a constant variance
    /// ```
    fn log_density(&self, batch: &Batch, draws: i64) -> Result<Tensor> {
        let truth = batch.target.f_to(Device::Cpu)?;
        let mut steps = Vec::new();
        self.simulate(batch, draws, &mut |step, _, likelihood| {
            let density = likelihood.log_prob(&truth.f_select(1, step)?)?;
            let density = density.f_to_kind(Precision::Double)?;
            let density = density.f_logsumexp([0_i64].as_slice(), false)? - (draws as f64).ln();
            steps.push(density);
            Ok(())
        })?;
        Ok(Tensor::f_stack(&steps, 1)?.f_to(batch.context.device())?)
    }
}
