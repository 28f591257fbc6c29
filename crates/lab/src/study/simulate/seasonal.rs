//! A seasonal autoregression seen through noise, and its Kalman filter.

use std::f64::consts::{E, PI, TAU};

use serde::Deserialize;

use super::draw::Draws;
use super::predictive::{FRAC_1_SQRT_PI, Predictive};
use super::{Expected, Hidden, check, check_std};

/// A sine plus AR(1) plus observation noise.
///
/// ```text
/// y_t = A sin(2π t/P) + u_t + η_t        η_t ~ N(0, σ_η²)
/// u_t = φ u_{t−1} + ε_t                  ε_t ~ N(0, σ_ε²)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Stated")]
pub(in crate::study) struct SeasonalAr {
    period: f64,
    amplitude: f64,
    phi: f64,
    innovation_std: f64,
    observation_std: f64,
}

/// The process as a plan states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    /// `P`, in rows.
    period: f64,
    /// `A`
    amplitude: f64,
    /// `φ`
    phi: f64,
    /// `σ_ε`
    innovation_std: f64,
    /// `σ_η`; may be 0.
    observation_std: f64,
}

impl TryFrom<Stated> for SeasonalAr {
    type Error = String;

    fn try_from(stated: Stated) -> Result<SeasonalAr, String> {
        let Stated { period, amplitude, phi, innovation_std, observation_std } = stated;
        // At two rows and below, every sample of the sine is zero or an alias.
        check(period > 2.0 && period <= 1e9, "period", period, "above 2 and at most 1e9 rows")?;
        check((0.0..=1e9).contains(&amplitude), "amplitude", amplitude, "from 0 to 1e9")?;
        check(phi.abs() < 1.0, "phi", phi, "between -1 and 1, or there is no stationary start")?;
        check_std("innovation_std", innovation_std)?;
        if observation_std != 0.0 {
            check_std("observation_std", observation_std)?;
        }
        Ok(SeasonalAr { period, amplitude, phi, innovation_std, observation_std })
    }
}

/// `u_t ~ N(mean, variance)`
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    mean: f64,
    variance: f64,
}

impl SeasonalAr {
    pub(super) fn simulate(&self, rows: usize, draws: &mut Draws) -> Vec<f64> {
        let mut state = self.stationary().variance.sqrt() * draws.normal();
        let mut value = |row| {
            let value = self.season(row) + state + self.observation_std * draws.normal();
            state = self.phi * state + self.innovation_std * draws.normal();
            value
        };
        (0..rows).map(&mut value).collect()
    }

    /// Scores of the best forecast after a long past, where the filter's variance stands still.
    ///
    /// ```text
    /// CRPS = mean_h √(v_h/π)        log score = −½ mean_h ln(2πe v_h)
    /// v_h  = φ^{2(h−1)} p + σ_ε² Σ_{j<h−1} φ^{2j} + σ_η²
    /// p    = φ² p σ_η²/(p + σ_η²) + σ_ε²
    /// ```
    pub(super) fn expected(&self, horizon: usize) -> Expected {
        let mut belief = Belief { mean: 0.0, variance: self.steady_variance() };
        let (mut crps, mut log_score) = (0.0, 0.0);
        for _ in 0..horizon {
            let variance = belief.variance + self.observation_variance();
            crps += variance.sqrt() * FRAC_1_SQRT_PI;
            log_score -= 0.5 * libm::log(2.0 * PI * E * variance);
            belief = self.advance(belief);
        }
        Expected { crps: crps / horizon as f64, log_score: log_score / horizon as f64 }
    }

    /// The positive root of `p² − b p − σ_ε² σ_η² = 0` with `b = σ_ε² − (1 − φ²) σ_η²`. It cancels
    /// where `p` is small beside the `σ_η²` that is added to it, so nothing is lost.
    fn steady_variance(&self) -> f64 {
        let (innovation, observation) = (self.innovation_variance(), self.observation_variance());
        let b = innovation - self.reversion() * observation;
        0.5 * (b + (b * b + 4.0 * innovation * observation).sqrt())
    }

    fn season(&self, row: usize) -> f64 {
        // The remainder is exact, so that late rows keep their digits.
        self.amplitude * libm::sin(TAU * (row as f64 % self.period / self.period))
    }

    fn innovation_variance(&self) -> f64 {
        self.innovation_std * self.innovation_std
    }

    fn observation_variance(&self) -> f64 {
        self.observation_std * self.observation_std
    }

    /// `1 − φ²`, with its digits near 0.
    fn reversion(&self) -> f64 {
        (1.0 - self.phi) * (1.0 + self.phi)
    }
}

/// The Kalman filter.
///
/// # References
/// Kalman (1960), DOI 10.1115/1.3662552.
impl Hidden for SeasonalAr {
    type Belief = Belief;

    fn stationary(&self) -> Belief {
        Belief { mean: 0.0, variance: self.innovation_variance() / self.reversion() }
    }

    fn observe(&self, belief: Belief, row: usize, value: f64) -> Belief {
        let observation = self.observation_variance();
        let gain = belief.variance / (belief.variance + observation);
        let surprise = value - self.season(row) - belief.mean;
        Belief { mean: belief.mean + gain * surprise, variance: gain * observation }
    }

    fn advance(&self, belief: Belief) -> Belief {
        let variance = self.phi * self.phi * belief.variance + self.innovation_variance();
        Belief { mean: self.phi * belief.mean, variance }
    }

    fn predict(&self, belief: Belief, row: usize) -> Predictive {
        let mean = self.season(row) + belief.mean;
        Predictive::Gaussian { mean, variance: belief.variance + self.observation_variance() }
    }
}
