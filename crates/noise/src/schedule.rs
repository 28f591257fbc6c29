//! The fading of the signal: `β_t`, `ᾱ_t` and the signal-to-noise ratio, in f64.
//!
//! ```text
//! x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · ε        α_t = 1 − β_t,  ᾱ_t = Π_{s≤t} α_s,  ᾱ_0 = 1
//! ```
//!
//! Ho, Jain & Abbeel (2020), eq. 4, arXiv:2006.11239. Everything is computed from the *decay*
//! `ℓ_t = −ln ᾱ_t = −Σ ln(1 − β_s)`, because `1 − ᾱ_t` loses its digits where `ᾱ_t` is near 1
//! while `−expm1(−ℓ_t)` does not, and because `ℓ_t = ∞` states that no signal is left.

use std::f64::consts::FRAC_PI_2;

use crate::error::{NoiseError, in_range};

/// Tables over the diffusion steps `t = 0, 1, …, T`; step 0 is clean.
///
/// Every table has `T + 1` entries and holds no NaN. `ᾱ_t` falls from `ᾱ_0 = 1`, strictly where
/// `β_t > 0`; it may reach 0 exactly (`β_t = 1`), and its ratio to the noise is `∞` at `t = 0`.
///
/// ```
/// let schedule = noise::Schedule::linear(100, 1e-4, 0.1)?;
/// assert_eq!(schedule.alpha_bar()[0], 1.0);
/// assert!((schedule.alpha_bar()[2] - (1.0 - 1e-4) * (1.0 - schedule.beta()[2])).abs() < 1e-15);
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    beta: Vec<f64>,
    alpha: Vec<f64>,
    alpha_bar: Vec<f64>,
    noise_variance: Vec<f64>,
    snr: Vec<f64>,
    log_snr: Vec<f64>,
    decay: Vec<f64>,
}

/// Largest `T`, at which a table of f64 takes 8 MB.
pub const MAX_STEPS: usize = 1_000_000;

/// Upper bound on `β_t` of the cosine schedule, as in Nichol & Dhariwal (2021), section 3.2.
const COSINE_MAX_BETA: f64 = 0.999;

/// The offset `s` of Nichol & Dhariwal (2021), eq. 17.
const COSINE_OFFSET: f64 = 0.008;

/// Half width of the logistic curve that the sigmoid schedule follows.
const SIGMOID_REACH: f64 = 6.0;

impl Schedule {
    /// Linear β.
    ///
    /// ```text
    /// β_t = β_start + (β_end − β_start) · (t − 1)/(T − 1)        (T = 1: β_start)
    /// ```
    ///
    /// # Errors
    /// `steps` outside `1..=MAX_STEPS`; an end outside `0..=1`; start above end.
    ///
    /// # References
    /// Ho, Jain & Abbeel (2020), section 4, arXiv:2006.11239.
    pub fn linear(steps: usize, beta_start: f64, beta_end: f64) -> Result<Self, NoiseError> {
        Self::between(steps, beta_start, beta_end, |f| (1.0 - f) * beta_start + f * beta_end)
    }

    /// Linear √β, also called scaled-linear.
    ///
    /// ```text
    /// β_t = (√β_start + (√β_end − √β_start) · (t − 1)/(T − 1))²
    /// ```
    ///
    /// # Errors
    /// As [`Schedule::linear`].
    ///
    /// # References
    /// Rombach et al. (2022), arXiv:2112.10752, where it is called linear.
    pub fn quadratic(steps: usize, beta_start: f64, beta_end: f64) -> Result<Self, NoiseError> {
        let (start, end) = (beta_start.sqrt(), beta_end.sqrt());
        Self::between(steps, beta_start, beta_end, |f| ((1.0 - f) * start + f * end).powi(2))
    }

    /// β along a logistic curve, whose first and last values lie 0.25 % inside the given ends.
    ///
    /// ```text
    /// β_t = β_start + (β_end − β_start) / (1 + exp(6 − 12 · (t − 1)/(T − 1)))
    /// ```
    ///
    /// # Errors
    /// As [`Schedule::linear`].
    ///
    /// # References
    /// Xu et al. (2022), GeoDiff, arXiv:2203.02923.
    pub fn sigmoid(steps: usize, beta_start: f64, beta_end: f64) -> Result<Self, NoiseError> {
        Self::between(steps, beta_start, beta_end, |f| {
            let weight = 1.0 / (1.0 + (SIGMOID_REACH - 2.0 * SIGMOID_REACH * f).exp());
            (1.0 - weight) * beta_start + weight * beta_end
        })
    }

    /// The same β at every step, so `ᾱ_t = (1 − β)^t`.
    ///
    /// # Errors
    /// `steps` outside `1..=MAX_STEPS`; `beta` outside `0..=1`.
    pub fn constant(steps: usize, beta: f64) -> Result<Self, NoiseError> {
        check_steps(steps)?;
        in_range("beta", beta, 0.0, 1.0)?;
        Ok(Self::from_betas((1..=steps).map(|_| beta)))
    }

    /// `ᾱ_t` along a squared cosine.
    ///
    /// ```text
    /// ᾱ_t = f(t)/f(0),   f(t) = cos²(π/2 · (t/T + s)/(1 + s)),   s = 0.008,   β_t ≤ 0.999
    /// ```
    ///
    /// The bound on `β_t` binds at the last step only, where `f(T) = 0`.
    ///
    /// # Errors
    /// `steps` outside `1..=MAX_STEPS`.
    ///
    /// # References
    /// Nichol & Dhariwal (2021), eq. 17, arXiv:2102.09672.
    pub fn cosine(steps: usize) -> Result<Self, NoiseError> {
        check_steps(steps)?;
        let angle = |t: usize| {
            FRAC_PI_2 * (t as f64 / steps as f64 + COSINE_OFFSET) / (1.0 + COSINE_OFFSET)
        };
        Ok(Self::from_betas((1..=steps).map(|t| {
            // 1 − cos²b/cos²a = sin(b − a) sin(b + a)/cos²a, which cancels nowhere.
            let (a, b) = (angle(t - 1), angle(t));
            let beta = (b - a).sin() * (b + a).sin() / a.cos().powi(2);
            beta.min(COSINE_MAX_BETA)
        })))
    }

    /// `β_t = 1/(T − t + 1)`, so `ᾱ_t = 1 − t/T`, which ends at 0 exactly.
    ///
    /// # Errors
    /// `steps` outside `1..=MAX_STEPS`.
    ///
    /// # References
    /// Sohl-Dickstein et al. (2015), section 2.4.1, arXiv:1503.03585.
    pub fn jsd(steps: usize) -> Result<Self, NoiseError> {
        check_steps(steps)?;
        Ok(Self::from_betas((1..=steps).map(|t| 1.0 / (steps - t + 1) as f64)))
    }

    /// `β_1, …, β_T` from a list.
    ///
    /// # Errors
    /// An empty list or one longer than [`MAX_STEPS`]; a β outside `0..=1`.
    pub fn custom(betas: &[f64]) -> Result<Self, NoiseError> {
        check_steps(betas.len())?;
        check_betas(betas)?;
        Ok(Self::from_betas(betas.iter().copied()))
    }

    /// `T = 0`: the only step is the clean one.
    pub fn clean() -> Self {
        Self::from_betas(std::iter::empty())
    }

    /// The coupled schedule of a target, `β^y_t = κ β_t`, with the same `T`.
    ///
    /// # Errors
    /// `kappa` negative or not finite; a product above 1.
    ///
    /// # References
    /// Li et al. (2022), D³VAE, section 3.2, arXiv:2301.03028.
    pub fn scaled(&self, kappa: f64) -> Result<Self, NoiseError> {
        in_range("scale", kappa, 0.0, f64::MAX)?;
        let betas: Vec<f64> = self.beta[1..].iter().map(|beta| kappa * beta).collect();
        check_betas(&betas)?;
        Ok(Self::from_betas(betas.into_iter()))
    }

    /// T, the last diffusion step.
    pub fn steps(&self) -> usize {
        self.beta.len() - 1
    }

    /// `β_t`: share of the variance that step `t` replaces by noise; `β_0 = 0`.
    pub fn beta(&self) -> &[f64] {
        &self.beta
    }

    /// `α_t = 1 − β_t`.
    pub fn alpha(&self) -> &[f64] {
        &self.alpha
    }

    /// `ᾱ_t = Π_{s≤t} α_s`: share of the variance that is still signal.
    pub fn alpha_bar(&self) -> &[f64] {
        &self.alpha_bar
    }

    /// `1 − ᾱ_t`, accurate even where `ᾱ_t` is near 1.
    pub fn noise_variance(&self) -> &[f64] {
        &self.noise_variance
    }

    /// `SNR(t) = ᾱ_t/(1 − ᾱ_t)`; infinite where no noise has been added.
    pub fn snr(&self) -> &[f64] {
        &self.snr
    }

    /// `ln SNR(t)`, in nats; finite even where `SNR(t)` underflows, `−∞` where `ᾱ_t = 0`.
    pub fn log_snr(&self) -> &[f64] {
        &self.log_snr
    }

    /// `ᾱ` between the steps.
    ///
    /// ```text
    /// ᾱ_τ = ᾱ_{t−1} · α_t^{τ − t + 1}      for t − 1 ≤ τ ≤ t          (ln ᾱ is linear)
    /// ᾱ_τ = ᾱ_{t−1} · (t − τ)              where α_t = 0              (ᾱ is linear)
    /// ```
    ///
    /// This is the variance-preserving diffusion in continuous time whose rate is constant within
    /// a step, `ᾱ_τ = exp(−∫₀^τ r)` with `r = −ln α_t` (Song et al. 2021, eq. 29 and 33,
    /// arXiv:2011.13456). A step that destroys everything needs an infinite rate; there `ᾱ` falls
    /// along a line, which is the closed form of [`Schedule::jsd`].
    ///
    /// # Errors
    /// [`NoiseError::StepOutOfRange`] unless `0 ≤ tau ≤ T`.
    pub fn alpha_bar_at(&self, tau: f64) -> Result<f64, NoiseError> {
        if (0.0..=self.steps() as f64).contains(&tau) {
            Ok((-self.decay_at(tau)).exp())
        } else {
            Err(NoiseError::StepOutOfRange { t: tau, steps: self.steps() })
        }
    }

    /// `ℓ_t = −ln ᾱ_t`.
    pub(crate) fn decay(&self) -> &[f64] {
        &self.decay
    }

    /// `ℓ_τ` for `0 ≤ τ ≤ T`.
    pub(crate) fn decay_at(&self, tau: f64) -> f64 {
        let t = tau.floor();
        let (within, t) = (tau - t, t as usize);
        let low = self.decay[t];
        if within == 0.0 || low.is_infinite() {
            return low;
        }
        let high = self.decay[t + 1];
        if high.is_finite() { low + within * (high - low) } else { low - (-within).ln_1p() }
    }

    /// The smallest `τ` with `ℓ_τ ≥ decay`; `T` where there is none.
    pub(crate) fn step_at_decay(&self, decay: f64) -> f64 {
        self.step_within(self.decay.partition_point(|&d| d < decay), decay)
    }

    /// The largest `τ` with `ℓ_τ ≤ decay`, for `decay ≥ 0`.
    pub(crate) fn last_step_at_decay(&self, decay: f64) -> f64 {
        self.step_within(self.decay.partition_point(|&d| d <= decay), decay)
    }

    /// The `τ` with `ℓ_τ = decay` between the steps `t − 1` and `t`.
    fn step_within(&self, t: usize, decay: f64) -> f64 {
        if t == 0 || t > self.steps() {
            return t.min(self.steps()) as f64;
        }
        let (low, high) = (self.decay[t - 1], self.decay[t]);
        let within =
            if high.is_finite() { (decay - low) / (high - low) } else { -(low - decay).exp_m1() };
        (t - 1) as f64 + within
    }

    /// `dℓ/dτ`, the rate at `τ`; at a whole step that of the interval before it.
    pub(crate) fn decay_rate_at(&self, tau: f64) -> f64 {
        let t = (tau.ceil() as usize).clamp(1, self.steps());
        let (low, high) = (self.decay[t - 1], self.decay[t]);
        if high.is_finite() { high - low } else { 1.0 / (t as f64 - tau) }
    }

    /// The schedule with a given finite table `ℓ_0 = 0 ≤ ℓ_1 ≤ … ≤ ℓ_T`.
    pub(crate) fn from_decay(decay: Vec<f64>) -> Self {
        let beta = std::iter::once(0.0)
            .chain(decay.windows(2).map(|pair| 0.0 - (pair[0] - pair[1]).exp_m1()))
            .collect();
        Self::tabulate(beta, decay)
    }

    fn from_betas(betas: impl Iterator<Item = f64>) -> Self {
        let beta: Vec<f64> = std::iter::once(0.0).chain(betas).collect();
        let mut sum = Sum::default();
        let decay = beta.iter().map(|beta| sum.add(-(-beta).ln_1p())).collect();
        Self::tabulate(beta, decay)
    }

    fn tabulate(beta: Vec<f64>, decay: Vec<f64>) -> Self {
        let table = |f: fn(f64) -> f64| decay.iter().map(|&d| f(d)).collect();
        Schedule {
            alpha: beta.iter().map(|beta| 1.0 - beta).collect(),
            alpha_bar: table(|d| (-d).exp()),
            noise_variance: table(|d| -(-d).exp_m1()),
            snr: table(|d| 1.0 / d.exp_m1()),
            log_snr: table(|d| -d - (-(-d).exp_m1()).ln()),
            beta,
            decay,
        }
    }

    fn between(
        steps: usize,
        start: f64,
        end: f64,
        beta: impl Fn(f64) -> f64,
    ) -> Result<Self, NoiseError> {
        check_steps(steps)?;
        in_range("beta_start", start, 0.0, 1.0)?;
        in_range("beta_end", end, 0.0, 1.0)?;
        if start > end {
            return Err(NoiseError::BetaOrder { start, end });
        }
        let last = (steps - 1).max(1) as f64;
        // Rounding may leave the range by one unit in the last place, and β > 1 would be NaN.
        Ok(Self::from_betas((0..steps).map(|i| beta(i as f64 / last).clamp(start, end))))
    }
}

/// A running sum that compensates for rounding (Neumaier 1974), and survives infinity.
#[derive(Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) -> f64 {
        let next = self.sum + value;
        if next.is_finite() {
            let (large, small) =
                if self.sum >= value { (self.sum, value) } else { (value, self.sum) };
            self.lost += (large - next) + small;
        }
        self.sum = next;
        self.sum + self.lost
    }
}

fn check_steps(steps: usize) -> Result<(), NoiseError> {
    if (1..=MAX_STEPS).contains(&steps) {
        Ok(())
    } else {
        Err(NoiseError::Steps { steps, max: MAX_STEPS })
    }
}

fn check_betas(betas: &[f64]) -> Result<(), NoiseError> {
    match betas.iter().position(|beta| !(0.0..=1.0).contains(beta)) {
        Some(i) => Err(NoiseError::Beta { t: i + 1, value: betas[i] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: Nichol & Dhariwal (2021), eq. 17, at an angle whose cosine is known by heart.
    #[test]
    fn cosine_is_one_half_at_45_degrees() {
        let schedule = Schedule::cosine(1000).unwrap();
        let at_zero = (COSINE_OFFSET / (1.0 + COSINE_OFFSET) * FRAC_PI_2).cos().powi(2);
        assert!((schedule.alpha_bar()[496] * at_zero - 0.5).abs() < 1e-14); // 0.496 + s = (1 + s)/2
    }

    /// Between equal ends there is one value; rounding must not leave the stated range.
    #[test]
    fn equal_ends_make_a_constant_schedule() {
        for i in 1..=1000 {
            let beta = f64::from(i) / 1000.0;
            let constant = Schedule::constant(37, beta).unwrap();
            assert_eq!(Schedule::linear(37, beta, beta).unwrap(), constant, "linear at {beta}");
            assert_eq!(Schedule::quadratic(37, beta, beta).unwrap(), constant, "quadratic {beta}");
            assert_eq!(Schedule::sigmoid(37, beta, beta).unwrap(), constant, "sigmoid at {beta}");
        }
    }

    /// Oracle: ᾱ_t = (1 − β)^t after a million steps, where a plain sum has lost four digits.
    #[test]
    fn a_million_steps_lose_no_digits() {
        let beta = 1e-7;
        let schedule = Schedule::constant(MAX_STEPS, beta).unwrap();
        let expected = -(MAX_STEPS as f64) * (-beta).ln_1p();
        assert!((schedule.decay()[MAX_STEPS] / expected - 1.0).abs() < 1e-15);
        assert!(schedule.decay().is_sorted());
    }
}
