//! The plain steps that re-injection amounts to: the push-forward of the step distribution by `τ`.

use crate::error::NoiseError;
use crate::reinjection::Reinjection;
use crate::sampler::StepDistribution;

/// The distribution of `τ(t)` over the plain steps `[0, T]`, for `t` drawn from a distribution.
///
/// Training draws whole steps, so the exact law is a set of [`ImpliedDensity::atoms`]. For
/// drawing and reading, the mass of step `t` is spread evenly over `(t − 1, t]`; the result has a
/// distribution function and a density in closed form for any schedule and strength:
///
/// ```text
/// F(τ) = G(t(τ)),     p(τ) = g(t(τ)) · dt/dτ
/// dt/dτ = (r_τ/r_t) · tan θ/tan φ · (1 + λ cos φ/√(1 − λ² sin² φ))
/// ```
///
/// with `t(τ)` by [`Reinjection::original_step`], `G` and `g` the law of `t`, `r` the rate of the
/// schedule and `ᾱ_τ = cos² φ`, `ᾱ_t = cos² θ`. For `λ = 1` and [`crate::Schedule::jsd`] it is,
/// as `T` grows, the triangle `p(τ) = 4 (1 − 2τ/T)/T` on `[0, T/2]`. Derivation:
/// `docs/math/noise.md`.
///
/// A clean fraction `p(t = 0)` is an atom at `τ = 0`, and the mass of a step with `β = 0` is an atom
/// at its `τ`: both are part of `F`, not of `p`.
#[derive(Debug, Clone)]
pub struct ImpliedDensity<'a> {
    process: &'a Reinjection,
    probabilities: &'a [f64],
    /// `G` at the whole steps.
    cumulative: Vec<f64>,
}

/// One bar of a histogram over the plain steps.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Bin {
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
    /// Probability of `from < τ ≤ to`; the first bar holds `τ = 0` too.
    pub mass: f64,
    /// `mass/(to − from)`, per step.
    pub density: f64,
}

impl<'a> ImpliedDensity<'a> {
    /// The push-forward of `steps` by the `τ` of `process`.
    ///
    /// # Errors
    /// [`NoiseError::StepsMismatch`] if `steps` is a distribution over another `T`.
    pub fn new(process: &'a Reinjection, steps: &'a StepDistribution) -> Result<Self, NoiseError> {
        steps.check(process)?;
        let probabilities = steps.probabilities();
        let cumulative = (probabilities.iter())
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        Ok(ImpliedDensity { process, probabilities, cumulative })
    }

    /// `(τ(t), p(t))` for `t = 0, …, T`: the law of whole steps, without spreading.
    pub fn atoms(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.process.equivalent_step().iter().copied()).zip(self.probabilities.iter().copied())
    }

    /// The largest plain step with mass below it, `τ(T)`.
    pub fn support_end(&self) -> f64 {
        self.process.equivalent_step()[self.process.steps()]
    }

    /// `F(τ)`: probability that the equivalent step is at most `tau`.
    pub fn cumulative(&self, tau: f64) -> f64 {
        if tau < 0.0 {
            return 0.0;
        }
        if tau >= self.support_end() {
            return 1.0;
        }
        let t = self.process.original(tau);
        let whole = t.floor() as usize;
        let next = self.probabilities.get(whole + 1).copied().unwrap_or(0.0);
        (self.cumulative[whole] + (t - t.floor()) * next).min(1.0)
    }

    /// `p(τ)`, per step; 0 outside `(0, τ(T)]`, infinite where the law has a pole.
    pub fn density(&self, tau: f64) -> f64 {
        if !(tau > 0.0 && tau <= self.support_end()) {
            return 0.0;
        }
        let schedule = self.process.schedule();
        let decay = schedule.decay_at(tau);
        let t = self.process.original(tau);
        let step = (t.ceil() as usize).clamp(1, self.process.steps());
        let slope = self.process.decay_ratio(decay) * schedule.decay_rate_at(tau)
            / schedule.decay_rate_at(t);
        self.probabilities[step] * slope
    }

    /// `bins` bars of equal width over `[0, T]`; none where `T = 0` or `bins = 0`.
    pub fn histogram(&self, bins: usize) -> Vec<Bin> {
        let steps = self.process.steps() as f64;
        if steps == 0.0 {
            return Vec::new();
        }
        let edge = |i: usize| steps * i as f64 / bins as f64;
        (0..bins)
            .map(|i| {
                let (from, to) = (edge(i), edge(i + 1));
                let below = if i == 0 { 0.0 } else { self.cumulative(from) };
                let mass = (self.cumulative(to) - below).max(0.0);
                Bin { from, to, mass, density: mass / (to - from) }
            })
            .collect()
    }
}
