//! The report of `ballast noise`: a row per step, and one sentence.

use std::fmt;

use serde::Serialize;

use crate::config::NoiseConfig;
use crate::error::NoiseError;
use crate::reinjection::Reinjection;
use crate::sampler::StepDistribution;
use crate::shape::{NoiseShape, NoiseSpace};

/// One diffusion step of a process; infinite ratios (no noise) are `null` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepRow {
    /// Diffusion step.
    pub t: usize,
    /// `β_t`.
    pub beta: f64,
    /// `ᾱ_t`.
    pub alpha_bar: f64,
    /// `SNR(t)` of plain diffusion.
    pub snr: f64,
    /// `SNR̃(t)` with the re-injection of the process.
    pub snr_reinjected: f64,
    /// `ᾱ_τ(t)`.
    pub equivalent_alpha_bar: f64,
    /// `τ(t)`, a real-valued step.
    pub equivalent_step: f64,
}

/// The rows of the steps `t = 0, 1, …, T`.
pub fn rows(process: &Reinjection) -> Vec<StepRow> {
    let schedule = process.schedule();
    (0..=process.steps())
        .map(|t| StepRow {
            t,
            beta: schedule.beta()[t],
            alpha_bar: schedule.alpha_bar()[t],
            snr: schedule.snr()[t],
            snr_reinjected: process.snr()[t],
            equivalent_alpha_bar: process.equivalent_alpha_bar()[t],
            equivalent_step: process.equivalent_step()[t],
        })
        .collect()
}

/// The steps at which a window is shown: `0, T/4, T/2, T`, without repetition.
pub fn snapshot_steps(steps: usize) -> Vec<usize> {
    let mut shown = vec![0, steps / 4, steps / 2, steps];
    shown.dedup();
    shown
}

/// Does the schedule destroy the signal, and does re-injection save it?
///
/// A step is *lost* if it carries less than −20 dB of signal, a hundredth of the noise's power.
/// Its [`Display`](fmt::Display) is one sentence.
///
/// ```
/// use noise::{Normalization, Reinjection, Schedule, StepDistribution, Verdict};
///
/// let schedule = Schedule::linear(1000, 1e-4, 1.0)?;
/// let process = Reinjection::new(schedule, 1.0, Normalization::Variance)?;
/// let verdict = Verdict::new(&process, &StepDistribution::uniform(&process))?;
/// assert_eq!(
///     verdict.to_string(),
///     "91 % of steps carry less than −20 dB of signal; with λ = 1 none does"
/// );
/// # Ok::<(), noise::NoiseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdict {
    /// T.
    pub steps: usize,
    /// Number of lost steps of plain diffusion.
    pub lost_plain: usize,
    /// Number of lost steps with re-injection.
    pub lost_reinjected: usize,
    /// Probability that the sampler draws a lost step of the process as configured.
    pub lost_drawn: f64,
    /// Whether the sampler draws every step alike.
    pub uniform: bool,
    /// λ.
    pub strength: f64,
}

/// Below this ratio, in decibels, a step counts as lost.
const LOST_DB: f64 = -20.0;

impl Verdict {
    /// Judges `process` when its steps are drawn from `sampler`.
    ///
    /// # Errors
    /// [`NoiseError::StepsMismatch`] if `sampler` is a distribution over another `T`.
    pub fn new(process: &Reinjection, sampler: &StepDistribution) -> Result<Self, NoiseError> {
        sampler.check(process)?;
        let plain = Reinjection::plain(process.schedule().clone());
        let lost = |process: &Reinjection| process.snr_db().filter(|db| *db < LOST_DB).count();
        let drawn = process.snr_db().zip(sampler.probabilities());
        Ok(Verdict {
            steps: process.steps(),
            lost_plain: lost(&plain),
            lost_reinjected: lost(process),
            lost_drawn: drawn.filter(|(db, _)| *db < LOST_DB).map(|(_, p)| p).sum(),
            uniform: *sampler == StepDistribution::uniform(process),
            strength: process.strength(),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps == 0 {
            return write!(f, "there is no noise: T = 0");
        }
        let (plain, reinjected) = (self.lost_plain, self.lost_reinjected);
        match plain {
            0 => write!(f, "no step carries less than −20 dB of signal")?,
            1 => write!(f, "1 of {} steps carries less than −20 dB of signal", self.steps)?,
            _ => write!(f, "{} of steps carry less than −20 dB of signal", self.share(plain))?,
        }
        if self.strength > 0.0 && plain > 0 {
            match reinjected {
                0 => write!(f, "; with λ = {} none does", self.strength)?,
                1 => write!(f, "; with λ = {} one does", self.strength)?,
                _ => write!(f, "; with λ = {} {} do", self.strength, self.share(reinjected))?,
            }
        }
        if !self.uniform && reinjected > 0 {
            let percent = 100.0 * self.lost_drawn;
            write!(f, "; the sampler draws them {percent:.1} % of the time")?;
        }
        Ok(())
    }
}

impl Verdict {
    /// A percentage that reads 0 or 100 only where it is that exactly.
    fn share(&self, count: usize) -> String {
        let percent = 100.0 * count as f64 / self.steps as f64;
        match percent.round() {
            100.0 if count < self.steps => "over 99 %".to_owned(),
            0.0 => "under 1 %".to_owned(),
            rounded => format!("{rounded} %"),
        }
    }
}

/// The far end of a noise: what a window becomes at the last step. Its [`Display`](fmt::Display) is one sentence.
///
/// ```
/// let text = "schedule = 'jsd'\nshape = 'gaussian'\nspace = 'normal-scores'";
/// let noise: noise::NoiseConfig = toml::from_str(text)?;
/// assert_eq!(
///     noise::FarEnd::new(&noise).to_string(),
///     "at the last step a window keeps 50 % of its variance; the rest is a Gaussian window with the dependence \
///      of the training windows, and each value keeps its law: every step is a plausible window"
/// );
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FarEnd {
    /// Share of the variance of the last step that is the window's own, `a_T²/(a_T² + s_T²)`.
    pub kept: f64,
    /// Law of the noise.
    pub shape: NoiseShape,
    /// Units in which it is added.
    pub space: NoiseSpace,
}

impl FarEnd {
    /// The far end of a configured noise.
    pub fn new(noise: &NoiseConfig) -> FarEnd {
        let kept = noise.input().equivalent_alpha_bar().last().copied().unwrap_or(1.0);
        FarEnd { kept, shape: noise.shape(), space: noise.space() }
    }
}

impl fmt::Display for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = 100.0 * self.kept;
        write!(f, "at the last step a window keeps {kept:.0} % of its variance; the rest is ")?;
        f.write_str(match self.shape {
            NoiseShape::White => return f.write_str("white noise"),
            NoiseShape::Window => "another training window",
            NoiseShape::Gaussian => "a Gaussian window with the dependence of the training windows",
        })?;
        f.write_str(match self.space {
            NoiseSpace::Raw => ": every step has the covariance of the windows",
            NoiseSpace::NormalScores => {
                ", and each value keeps its law: every step is a plausible window"
            }
        })
    }
}
