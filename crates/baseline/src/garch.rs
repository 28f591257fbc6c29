//! Volatility models of one series of returns, fitted by maximum likelihood in f64.
//!
//! One law covers them all:
//!
//! ```text
//! r_t = μ + σ_t z_t,     σ²_t = ω + α (r_{t−1} − μ)² + β σ²_{t−1}
//! ```
//!
//! Constant variance has `α = β = 0`, EWMA `ω = 0, α = 1 − λ, β = λ`, and GARCH(1,1) leaves all three free; `z` is
//! standard normal, or Student's t scaled to unit variance. Before the first row both `(r − μ)²` and `σ²` are the
//! variance of the training rows. A missing return counts as its expectation, `(r − μ)² = σ²`.
//! Derivations and sources: `docs/math/baselines.md`.

use statrs::function::gamma::ln_gamma;

use crate::minimize::minimize;

/// Minimum number of observed training values that a law is fitted to.
pub(crate) const LEAST: usize = 30;
/// Decay for daily data in RiskMetrics (J.P. Morgan & Reuters 1996).
const RISK_METRICS: f64 = 0.94;
/// Minimum variance, in squared training standard deviations, for a series that never moves.
const FLOOR: f64 = 1e-8;

/// A family of laws to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ConstantGaussian,
    ConstantStudentT,
    Ewma,
    EwmaFitted,
    Garch,
}

/// A law of the returns of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Returns {
    pub(crate) mean: f64,
    pub(crate) omega: f64,
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    /// Degrees of freedom, above 2; `None` for normal innovations.
    pub(crate) degrees: Option<f64>,
    /// Value of `(r − μ)²` and of `σ²` before the first row.
    presample: f64,
}

impl Returns {
    /// Fits a law to training returns, NaN where missing; `None` if fewer than 30 were observed.
    pub(crate) fn fit(kind: Kind, returns: &[f64]) -> Option<Returns> {
        let observed: Vec<f64> = returns.iter().copied().filter(|r| r.is_finite()).collect();
        if observed.len() < LEAST {
            return None;
        }
        let n = observed.len() as f64;
        let mean = observed.iter().sum::<f64>() / n;
        let variance = observed.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n;
        let presample = variance.max(FLOOR);
        let plain =
            Returns { mean, omega: presample, alpha: 0.0, beta: 0.0, degrees: None, presample };
        Some(match kind {
            Kind::ConstantGaussian => plain,
            Kind::Ewma => plain.smoothed(RISK_METRICS),
            Kind::EwmaFitted => {
                plain.best(returns, &[&[2.7], &[5.0]], |law, x| law.smoothed(logistic(x[0])))
            }
            Kind::ConstantStudentT => plain.best(returns, &[&[mean, 0.0, 1.4]], |law, x| Returns {
                mean: x[0],
                omega: presample * x[1].exp(),
                degrees: Some(heavy(x[2])),
                ..law
            }),
            Kind::Garch => {
                // μ, the logarithm of unconditional over sample variance, α + β, α/(α + β) and ν, each unbounded.
                let starts: [&[f64]; 3] = [
                    &[mean, 0.0, 3.5, -2.6, 1.4],
                    &[mean, 0.0, 2.2, -1.4, 1.4],
                    &[mean, 0.0, 0.0, -0.8, 1.4],
                ];
                plain.best(returns, &starts, |law, x| {
                    let (persistence, share) = (logistic(x[2]), logistic(x[3]));
                    Returns {
                        mean: x[0],
                        omega: presample * x[1].exp() * (1.0 - persistence),
                        alpha: persistence * share,
                        beta: persistence * (1.0 - share),
                        degrees: Some(heavy(x[4])),
                        ..law
                    }
                })
            }
        })
    }

    /// The exponentially weighted variance with decay `λ`.
    fn smoothed(self, decay: f64) -> Returns {
        Returns { omega: 0.0, alpha: 1.0 - decay, beta: decay, ..self }
    }

    /// The law of maximum likelihood among those that `make` builds, the best over several starts.
    fn best(
        self,
        returns: &[f64],
        starts: &[&[f64]],
        make: impl Fn(Returns, &[f64]) -> Returns,
    ) -> Returns {
        let loss = |x: &[f64]| -make(self, x).log_likelihood(returns);
        let ends = starts.iter().map(|start| minimize(&loss, start, 0.5));
        let best = ends.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(self, |(x, _)| make(self, &x))
    }

    /// `σ²_t` of each row and of the one after the last, each given only the rows before it.
    pub(crate) fn filter(&self, returns: &[f64]) -> Vec<f64> {
        let mut variance = self.next(self.presample, self.presample);
        let mut all = Vec::with_capacity(returns.len() + 1);
        all.push(variance);
        for r in returns {
            let square = (r - self.mean).powi(2);
            variance = self.next(if square.is_finite() { square } else { variance }, variance);
            all.push(variance);
        }
        all
    }

    fn next(&self, square: f64, variance: f64) -> f64 {
        (self.omega + self.alpha * square + self.beta * variance).max(FLOOR * FLOOR)
    }

    /// `Σ ln p(r_t | r_1, …, r_{t−1})` over the observed rows, in nats.
    pub(crate) fn log_likelihood(&self, returns: &[f64]) -> f64 {
        let constant = match self.degrees {
            None => -0.5 * (2.0 * std::f64::consts::PI).ln(),
            Some(df) => {
                ln_gamma(0.5 * (df + 1.0))
                    - ln_gamma(0.5 * df)
                    - 0.5 * (std::f64::consts::PI * (df - 2.0)).ln()
            }
        };
        let mut variance = self.next(self.presample, self.presample);
        let (mut variances, mut tails) = (LogOfProduct::default(), LogOfProduct::default());
        let (mut rows, mut squares) = (0.0, 0.0);
        for r in returns {
            let square = (r - self.mean).powi(2);
            if !square.is_finite() {
                variance = self.next(variance, variance);
                continue;
            }
            rows += 1.0;
            variances.times(variance);
            match self.degrees {
                None => squares += square / variance,
                Some(df) => tails.times(1.0 + square / (variance * (df - 2.0))),
            }
            variance = self.next(square, variance);
        }
        let tails = self.degrees.map_or(squares, |df| (df + 1.0) * tails.ln());
        rows * constant - 0.5 * (variances.ln() + tails)
    }
}

/// The logarithm of a product of positive numbers. It takes one logarithm for many factors, which are most of the time of a
/// fit otherwise.
struct LogOfProduct {
    product: f64,
    sum: f64,
}

impl Default for LogOfProduct {
    fn default() -> Self {
        LogOfProduct { product: 1.0, sum: 0.0 }
    }
}

impl LogOfProduct {
    fn times(&mut self, factor: f64) {
        let product = self.product * factor;
        // Far from where the next factor could leave the numbers of full precision.
        if (1e-100..1e100).contains(&product) {
            self.product = product;
        } else {
            self.sum += self.product.ln() + factor.ln();
            self.product = 1.0;
        }
    }

    fn ln(&self) -> f64 {
        self.sum + self.product.ln()
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Degrees of freedom, between 2.01 and 500.01: beyond, the law is as good as normal and the likelihood flat.
fn heavy(x: f64) -> f64 {
    2.01 + 498.0 * logistic(x - 5.5)
}

#[cfg(test)]
mod tests;
