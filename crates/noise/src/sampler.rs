//! The distribution of diffusion steps in training, over `t = 0, …, T`, and draws from it.

use tch::{Device, Kind, Tensor};

use crate::error::{NoiseError, in_range};
use crate::reinjection::Reinjection;

/// A distribution over the steps `0..=T`. Step 0, the clean one, has mass only by
/// [`StepDistribution::with_clean_fraction`] (or where `T = 0` leaves no other).
///
/// ```
/// use noise::{Reinjection, Schedule, StepDistribution, StepSampler};
/// use tch::Device;
///
/// let process = Reinjection::plain(Schedule::cosine(100)?);
/// let steps = StepDistribution::uniform(&process).with_clean_fraction(0.1)?;
/// assert!((steps.probabilities()[7] - 0.009).abs() < 1e-15);
/// let t = StepSampler::new(&steps, Device::Cpu)?.sample(64)?;
/// assert_eq!(t.size(), [64]);
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StepDistribution {
    probabilities: Vec<f64>,
}

impl StepDistribution {
    /// Uniform over `1..=T`; step 0 where `T = 0`.
    pub fn uniform(process: &Reinjection) -> Self {
        let steps = process.steps();
        let mut probabilities = vec![1.0 / steps.max(1) as f64; steps + 1];
        probabilities[0] = if steps == 0 { 1.0 } else { 0.0 };
        StepDistribution { probabilities }
    }

    /// More mass where more of the variance is signal.
    ///
    /// ```text
    /// p(t) ∝ ᾱ_τ(t)^power,   t = 1, …, T         power = 0: uniform
    /// ```
    ///
    /// `ᾱ_τ(t)` is [`Reinjection::equivalent_alpha_bar`], so without re-injection `ᾱ_t` itself.
    ///
    /// # Errors
    /// `power` outside `0..=1000`; [`NoiseError::NothingToDraw`] if no step has any signal.
    pub fn low_noise(process: &Reinjection, power: f64) -> Result<Self, NoiseError> {
        in_range("power", power, 0.0, 1000.0)?;
        if power == 0.0 {
            return Ok(Self::uniform(process)); // 0^0, where a step has no signal
        }
        let Some(best) = process.equivalent_decay().get(1) else {
            return Ok(Self::uniform(process));
        };
        if best.is_infinite() {
            return Err(NoiseError::NothingToDraw { sampler: "low-noise" });
        }
        // Relative to the best step, so that the largest weight is 1 and cannot underflow.
        let weight = |decay: &f64| (-power * (decay - best)).exp();
        normalize(process.equivalent_decay()[1..].iter().map(weight).collect(), "low-noise")
    }

    /// Uniform in decibels of signal-to-noise ratio, within a range.
    ///
    /// Each step stands for the decibels nearest to its own `SNR̃(t)`: its mass is the length of
    /// that cell within `[low_db, high_db]`. The first and the last step own half a cell.
    ///
    /// ```text
    /// p(t) ∝ |cell(t) ∩ [low, high]|,   cell(t) = [½(L_t + L_{t+1}), ½(L_{t−1} + L_t)]
    /// ```
    ///
    /// with `L_t = 10 log₁₀ SNR̃(t)`. The range matters: a schedule that goes on after it has
    /// destroyed the signal spends nearly all of its decibels there.
    ///
    /// # Errors
    /// A range that is empty or not finite; [`NoiseError::NothingToDraw`] if no cell touches it.
    pub fn snr_uniform(
        process: &Reinjection,
        low_db: f64,
        high_db: f64,
    ) -> Result<Self, NoiseError> {
        in_range("low_db", low_db, -f64::MAX, f64::MAX)?;
        in_range("high_db", high_db, low_db.next_up(), f64::MAX)?;
        if process.steps() == 0 {
            return Ok(Self::uniform(process));
        }
        let decibels: Vec<f64> = process.snr_db().skip(1).collect();
        let clamp = |db: f64| db.clamp(low_db, high_db);
        let weights: Vec<f64> = (0..decibels.len())
            .map(|i| {
                let own = decibels[i];
                let upper = if i == 0 { own } else { middle(decibels[i - 1], own) };
                let lower = decibels.get(i + 1).map_or(own, |&next| middle(own, next));
                clamp(upper) - clamp(lower)
            })
            .collect();
        if weights.iter().any(|&weight| weight > 0.0) {
            return normalize(weights, "snr-uniform");
        }
        // One step, or all at the same ratio: cells have no length, but may lie in the range.
        let inside = |db: &f64| f64::from((low_db..=high_db).contains(db));
        normalize(decibels.iter().map(inside).collect(), "snr-uniform")
    }

    /// Gives step 0 the mass `fraction` and the others the rest, in their proportions.
    ///
    /// # Errors
    /// `fraction` outside `0..=1`, or below 1 where an earlier call left only step 0.
    pub fn with_clean_fraction(mut self, fraction: f64) -> Result<Self, NoiseError> {
        in_range("clean", fraction, 0.0, 1.0)?;
        if self.steps() > 0 {
            let noised: f64 = self.probabilities[1..].iter().sum();
            if noised == 0.0 && fraction < 1.0 {
                return Err(NoiseError::NothingToDraw { sampler: "all clean" });
            }
            let factor = (1.0 - fraction) / noised.max(f64::MIN_POSITIVE);
            self.probabilities[1..].iter_mut().for_each(|p| *p *= factor);
            self.probabilities[0] = fraction;
        }
        Ok(self)
    }

    /// `p(t)` for `t = 0, …, T`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// T.
    pub fn steps(&self) -> usize {
        self.probabilities.len() - 1
    }

    /// Fails unless this is a distribution over the steps of `process`.
    pub(crate) fn check(&self, process: &Reinjection) -> Result<(), NoiseError> {
        let (expected, found) = (process.steps(), self.steps());
        if expected == found { Ok(()) } else { Err(NoiseError::StepsMismatch { expected, found }) }
    }
}

/// Draws steps on a device, by inverting the distribution function there.
#[derive(Debug)]
pub struct StepSampler {
    /// `P(step ≤ t)`, `[T + 1]`, f64: f32 could not tell a million steps apart.
    cumulative: Tensor,
    device: Device,
}

impl StepSampler {
    /// Copies the distribution function to `device`.
    ///
    /// # Errors
    /// Only libtorch's own, for example a device that is not there.
    pub fn new(distribution: &StepDistribution, device: Device) -> Result<Self, NoiseError> {
        let probabilities = distribution.probabilities();
        let last = probabilities.iter().rposition(|&p| p > 0.0).unwrap_or(0);
        let mut sum = 0.0;
        let cumulative: Vec<f64> = (probabilities.iter().enumerate())
            .map(|(t, p)| {
                sum += p;
                // Rounding must not leave mass to the steps after the last possible one.
                if t >= last { 1.0 } else { sum }
            })
            .collect();
        let cumulative = Tensor::f_from_slice(&cumulative)?.f_to_device(device)?;
        Ok(StepSampler { cumulative, device })
    }

    /// Draws one step for each example, with libtorch's generator and without waiting for it.
    ///
    /// # Shapes
    /// Returns `[batch]`, `Int64`, on the sampler's device.
    ///
    /// # Errors
    /// A negative `batch`.
    pub fn sample(&self, batch: i64) -> Result<Tensor, NoiseError> {
        let uniform = Tensor::f_rand([batch], (Kind::Double, self.device))?;
        // The number of values ≤ u, hence the t with P(step < t) ≤ u < P(step ≤ t).
        Ok(uniform.f_bucketize(&self.cumulative, false, true)?)
    }
}

/// Probabilities of `0..=T`, in proportion to the `weights` of `1..=T`.
fn normalize(weights: Vec<f64>, sampler: &'static str) -> Result<StepDistribution, NoiseError> {
    let sum: f64 = weights.iter().sum();
    if sum.is_nan() || sum <= 0.0 {
        return Err(NoiseError::NothingToDraw { sampler });
    }
    let probabilities = std::iter::once(0.0).chain(weights.iter().map(|w| w / sum)).collect();
    Ok(StepDistribution { probabilities })
}

/// The border between the cells of two neighbors, `a ≥ b`. A clean step (`∞`) has no cell beside a
/// noisy one, and a destroyed step (`−∞`) never has a cell.
fn middle(a: f64, b: f64) -> f64 {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => 0.5 * (a + b),
        (_, false) => b,
        (false, true) => a,
    }
}
