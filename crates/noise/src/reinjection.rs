//! Adding the clean signal back, `x̃_t = x_t + λ x_0`, and the plain diffusion it amounts to.
//!
//! ```text
//! x̃_t = a_t · x_0 + s_t · ε,      a_t = √ᾱ_t + λ,      s_t = √(1 − ᾱ_t)
//! SNR̃(t) = a_t²/s_t²  ≥  λ²
//! ```
//!
//! Write `√ᾱ_t = cos θ_t`. The point `(cos θ, sin θ)` is seen from the origin under the angle `θ`
//! and from `(−λ, 0)` under the angle `φ` with `tan φ = s_t/a_t`; so `x̃_t`, scaled to unit
//! variance, is plain diffusion at `ᾱ_τ = cos² φ`. For `λ = 1` the inscribed angle theorem gives
//! `φ = θ/2`. The proofs are in `docs/math/noise.md`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{NoiseError, in_range};
use crate::schedule::Schedule;

/// The divisor of `x̃_t = x_t + λ x_0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// 1: the literal sum, whose scale falls from `1 + λ` to `λ` over the steps.
    None,
    /// `a_t`: the mean given `x_0` is `x_0` at every step.
    Signal,
    /// `√(a_t² + s_t²)`: unit-variance data keeps unit variance at every step.
    #[default]
    Variance,
}

/// Forward diffusion with the clean signal added back, as tables over `t = 0, 1, …, T`.
///
/// ```text
/// x̃_t = signal_t · x_0 + std_t · ε,     ε ~ N(0, I)
/// (signal_t, std_t) = (a_t, s_t) / c_t,  c_t = 1, a_t or √(a_t² + s_t²)
/// ```
///
/// At `t = 0` there is no noise; that is the transformation inference applies.
///
/// ```
/// use noise::{Normalization, Reinjection, Schedule};
///
/// // The note's rule on a schedule that ends at ᾱ_T = 0: half of the variance stays signal.
/// let process = Reinjection::new(Schedule::jsd(50)?, 1.0, Normalization::Variance)?;
/// assert!((process.equivalent_alpha_bar()[50] - 0.5).abs() < 1e-15);
/// assert!((process.equivalent_step()[50] - 25.0).abs() < 1e-12);
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Reinjection {
    schedule: Schedule,
    strength: f64,
    normalization: Normalization,
    signal: Vec<f64>,
    std: Vec<f64>,
    snr: Vec<f64>,
    log_snr: Vec<f64>,
    equivalent_decay: Vec<f64>,
    equivalent_alpha_bar: Vec<f64>,
    equivalent_step: Vec<f64>,
}

/// Largest strength λ; beyond it float32 data hardly feels the noise at any step.
pub const MAX_STRENGTH: f64 = 1e6;

/// [`Normalization::Signal`] refuses schedules with less signal than this, in decibels.
const MIN_SIGNAL_DB: f64 = -120.0;

impl Reinjection {
    /// Adds `strength · x_0` (λ) to every step of `schedule`, then normalizes.
    ///
    /// # Errors
    /// `strength` outside `0..=MAX_STRENGTH`; [`NoiseError::TooLittleSignal`] if
    /// [`Normalization::Signal`] would have to amplify a step with less than −120 dB of signal.
    pub fn new(
        schedule: Schedule,
        strength: f64,
        normalization: Normalization,
    ) -> Result<Self, NoiseError> {
        in_range("reinject", strength, 0.0, MAX_STRENGTH)?;
        // (a_t, s_t) before normalization.
        let raw: Vec<(f64, f64)> = (schedule.decay().iter())
            .zip(schedule.noise_variance())
            .map(|(decay, variance)| ((-decay / 2.0).exp() + strength, variance.sqrt()))
            .collect();
        let log_snr: Vec<f64> = (schedule.decay().iter())
            .zip(schedule.noise_variance())
            .map(|(decay, variance)| 2.0 * log_signal(*decay, strength) - variance.ln())
            .collect();
        if normalization == Normalization::Signal {
            check_signal(&log_snr)?;
        }
        let coefficients = raw.iter().map(|&(a, s)| normalize(a, s, normalization));
        let (signal, std) = coefficients.unzip();
        // No later than its own step: where β is tiny, rounding by one unit spans many steps.
        let equivalent_decay: Vec<f64> = if strength == 0.0 {
            schedule.decay().to_vec()
        } else {
            (schedule.decay().iter().zip(&raw).zip(&log_snr))
                .map(|((&own, &raw), &log_snr)| equivalent_decay(raw, log_snr).min(own))
                .collect()
        };
        Ok(Reinjection {
            equivalent_alpha_bar: equivalent_decay.iter().map(|d| (-d).exp()).collect(),
            equivalent_step: (equivalent_decay.iter())
                .map(|&decay| schedule.step_at_decay(decay))
                .collect(),
            equivalent_decay,
            schedule,
            strength,
            normalization,
            signal,
            std,
            snr: raw.iter().map(|(a, s)| (a / s).powi(2)).collect(),
            log_snr,
        })
    }

    /// Plain diffusion, `λ = 0`; it has unit variance without normalization.
    pub fn plain(schedule: Schedule) -> Self {
        Self::new(schedule, 0.0, Normalization::Variance)
            .expect("strength 0 is legal, and dividing by √(a² + s²) = 1 is always possible")
    }

    /// The schedule under the re-injection.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// λ.
    pub fn strength(&self) -> f64 {
        self.strength
    }

    /// The divisor of the sum.
    pub fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// T, the last diffusion step.
    pub fn steps(&self) -> usize {
        self.schedule.steps()
    }

    /// Factor of `x_0`, normalized.
    pub fn signal(&self) -> &[f64] {
        &self.signal
    }

    /// Factor of `ε`, normalized: the standard deviation of the noise.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// `SNR̃(t) = a_t²/s_t²`, whatever the normalization; infinite where there is no noise.
    pub fn snr(&self) -> &[f64] {
        &self.snr
    }

    /// `ln SNR̃(t)`, in nats.
    pub fn log_snr(&self) -> &[f64] {
        &self.log_snr
    }

    /// `10 log₁₀ SNR̃(t)`, in decibels.
    pub fn snr_db(&self) -> impl Iterator<Item = f64> {
        self.log_snr.iter().map(|&log_snr| decibels(log_snr))
    }

    /// The `ᾱ` of plain diffusion that has the same signal-to-noise ratio.
    ///
    /// ```text
    /// ᾱ_τ(t) = a_t²/(a_t² + s_t²)         λ = 1:  (1 + √ᾱ_t)/2
    /// ```
    pub fn equivalent_alpha_bar(&self) -> &[f64] {
        &self.equivalent_alpha_bar
    }

    /// The real-valued step `τ(t) ≤ t` at which plain diffusion has that `ᾱ`.
    ///
    /// Between whole steps `ᾱ` is that of [`Schedule::alpha_bar_at`]; where it is constant
    /// (`β = 0`), the earliest step is given.
    pub fn equivalent_step(&self) -> &[f64] {
        &self.equivalent_step
    }

    /// The inverse of `τ`, over real steps: which `t` does re-injection make look like `tau`?
    ///
    /// ```text
    /// θ = φ + arcsin(λ sin φ),     ᾱ_τ = cos² φ,  ᾱ_t = cos² θ         (law of sines)
    /// √ᾱ_t = √(A (1 − λ² (1 − A))) − λ (1 − A),   A = ᾱ_τ
    /// ```
    ///
    /// Steps after `τ(T)`, which re-injection never reaches, give `T`; where several `t` look
    /// alike (`β = 0`), the last is given.
    ///
    /// # Errors
    /// [`NoiseError::StepOutOfRange`] unless `0 ≤ tau ≤ T`.
    pub fn original_step(&self, tau: f64) -> Result<f64, NoiseError> {
        let steps = self.steps();
        if !(0.0..=steps as f64).contains(&tau) {
            return Err(NoiseError::StepOutOfRange { t: tau, steps });
        }
        Ok(self.original(tau))
    }

    /// Plain diffusion that equals this process, normalized by variance, step by step.
    ///
    /// ```text
    /// ᾱ'_t = ᾱ_τ(t),      β'_t = 1 − ᾱ'_t/ᾱ'_{t−1}
    /// ```
    ///
    /// With it [`Reinjection::plain`] is the control of an experiment: no re-injection, and the
    /// same distribution of noise levels, example by example.
    pub fn equivalent_schedule(&self) -> Schedule {
        if self.strength == 0.0 {
            return self.schedule.clone(); // also where the decay is infinite
        }
        Schedule::from_decay(self.equivalent_decay.clone())
    }

    /// `ℓ_τ(t) = −ln ᾱ_τ(t)`.
    pub(crate) fn equivalent_decay(&self) -> &[f64] {
        &self.equivalent_decay
    }

    /// `t(τ)` for `0 ≤ τ ≤ T`.
    pub(crate) fn original(&self, tau: f64) -> f64 {
        let decay = self.schedule.decay_at(tau);
        if decay >= self.equivalent_decay[self.steps()] {
            return self.steps() as f64;
        }
        self.schedule.last_step_at_decay(self.original_decay(decay))
    }

    /// `ℓ_t` from `ℓ_τ < ℓ_τ(T)`.
    fn original_decay(&self, decay: f64) -> f64 {
        if self.strength == 0.0 {
            return decay;
        }
        let phi = angle(decay);
        let theta = phi + (self.strength * phi.sin()).min(1.0).asin();
        if theta < 1.0 {
            -(-theta.sin().powi(2)).ln_1p() // all digits where the angle is small
        } else {
            -2.0 * theta.cos().max(0.0).ln()
        }
    }

    /// `dℓ_t/dℓ_τ` at `ℓ_τ`: the decay of the original step relative to that of its equivalent.
    ///
    /// ```text
    /// dℓ_t/dℓ_τ = tan θ/tan φ · (1 + λ cos φ/√(1 − λ² sin² φ))    →  (1 + λ)²  as φ → 0
    /// ```
    pub(crate) fn decay_ratio(&self, decay: f64) -> f64 {
        let lambda = self.strength;
        if lambda == 0.0 {
            return 1.0;
        }
        let phi = angle(decay);
        if phi == 0.0 {
            return (1.0 + lambda).powi(2);
        }
        let sine = (lambda * phi.sin()).min(1.0);
        let theta = phi + sine.asin();
        let slope = 1.0 + lambda * phi.cos() / (1.0 - sine * sine).sqrt();
        theta.tan() / phi.tan() * slope
    }
}

/// A log ratio of powers, from nats to decibels.
fn decibels(log_snr: f64) -> f64 {
    10.0 * log_snr / std::f64::consts::LN_10
}

/// `φ` with `cos² φ = exp(−ℓ)`.
fn angle(decay: f64) -> f64 {
    (-(-decay).exp_m1()).sqrt().atan2((-decay / 2.0).exp())
}

/// `ln a = ln(√ᾱ + λ)`, also where `√ᾱ` is too small for a float.
fn log_signal(decay: f64, strength: f64) -> f64 {
    let (own, added) = (-decay / 2.0, strength.ln());
    let (high, low) = (own.max(added), own.min(added));
    if high.is_finite() { high + (low - high).exp().ln_1p() } else { high }
}

/// `ℓ_τ = −ln(a²/(a² + s²)) = ln(1 + (s/a)²)`, for `a > 0`.
fn equivalent_decay((a, s): (f64, f64), log_snr: f64) -> f64 {
    let ratio = s / a;
    if ratio < 1e8 { (ratio * ratio).ln_1p() } else { -log_snr }
}

fn normalize(a: f64, s: f64, normalization: Normalization) -> (f64, f64) {
    let divisor = match normalization {
        Normalization::None => 1.0,
        Normalization::Signal => a,
        Normalization::Variance => a.hypot(s),
    };
    (a / divisor, s / divisor)
}

fn check_signal(log_snr: &[f64]) -> Result<(), NoiseError> {
    match log_snr.iter().position(|&l| decibels(l) < MIN_SIGNAL_DB) {
        Some(t) => Err(NoiseError::TooLittleSignal {
            t,
            snr_db: decibels(log_snr[t]),
            min_db: MIN_SIGNAL_DB,
        }),
        None => Ok(()),
    }
}
