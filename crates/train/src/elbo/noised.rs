//! What a decoder learns about a clean target from noised ones, with and without knowing of the noise.
//!
//! `y_0 ~ N(m, v)` and `ỹ_t = a_t y_0 + s_t ε` over uniform steps. Matching `N(m', v')` to `ỹ` directly has its
//! optimum at the moments of the mixture,
//!
//! ```text
//! m' = E[a] m        v' = E[a²] (v + m²) + E[s²] − m'²
//! ```
//!
//! while the noise-aware likelihood `N(a m, a² v + s²)` has its optimum at `m, v` themselves.

use noise::{Diffuser, Normalization, Reinjection, Schedule, StepDistribution, StepSampler};
use objective::Likelihood;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::error::TrainError;

/// Mean and variance of a clean target, and what was found from noised ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetFit {
    /// `β_T` of a linear schedule of 100 steps.
    pub beta_end: f64,
    /// The clean mean and variance.
    pub clean: [f64; 2],
    /// What the noise-aware likelihood found.
    pub noise_aware: [f64; 2],
    /// What matching the noised target directly found.
    pub direct: [f64; 2],
    /// What theory says that it finds.
    pub direct_expected: [f64; 2],
}

const CLEAN: [f64; 2] = [2.0, 0.25];
const EXAMPLES: i64 = 50_000;
const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

pub(super) fn measure() -> Result<Vec<TargetFit>, TrainError> {
    [0.001, 0.003, 0.01, 0.02, 0.04].into_iter().map(one).collect()
}

fn one(beta_end: f64) -> Result<TargetFit, TrainError> {
    let schedule = Schedule::linear(100, 1e-4_f64.min(beta_end), beta_end)?;
    let process = Reinjection::new(schedule, 0.0, Normalization::None)?;
    let diffuser = Diffuser::new(&process, Device::Cpu, Kind::Double)?;
    let steps = StepSampler::new(&StepDistribution::uniform(&process), Device::Cpu)?;
    let [m, v] = CLEAN;
    let clean = Tensor::f_randn([EXAMPLES, 1, 1], F64)? * v.sqrt() + m;
    let t = steps.sample(EXAMPLES)?;
    let noised = diffuser.apply_drawn(&clean, &t)?;
    let (signal, std) = (diffuser.signal_at(&t)?, diffuser.std_at(&t)?);
    let noise_aware = fit(|guess| Ok(guess.log_prob_noised(&noised, &signal, &std)?))?;
    let direct = fit(|guess| Ok(guess.log_prob(&noised)?))?;

    let mean = |of: &[f64], power: i32| {
        of[1..].iter().map(|x| x.powi(power)).sum::<f64>() / (of.len() - 1) as f64
    };
    let (a, a2, s2) =
        (mean(process.signal(), 1), mean(process.signal(), 2), mean(process.std(), 2));
    let direct_expected = [a * m, a2 * (v + m * m) + s2 - (a * m).powi(2)];
    Ok(TargetFit { beta_end, clean: CLEAN, noise_aware, direct, direct_expected })
}

/// Mean and variance that maximise a log likelihood, by gradient descent with a decaying step.
fn fit(
    log_prob: impl Fn(&Likelihood) -> Result<Tensor, TrainError>,
) -> Result<[f64; 2], TrainError> {
    let guess = Tensor::f_from_slice(&[1.0_f64, 0.0])?.f_set_requires_grad(true)?;
    let (mut mean_square, steps) = (Tensor::f_zeros([2], F64)?, 400);
    for step in 0..steps {
        let likelihood = Likelihood::gaussian(guess.f_narrow(0, 0, 1)?, guess.f_narrow(0, 1, 1)?)?;
        let loss = -log_prob(&likelihood)?.f_mean(Kind::Double)?;
        let gradient = Tensor::f_run_backward(&[loss], &[&guess], false, false)?.swap_remove(0);
        mean_square = mean_square * 0.9 + gradient.f_square()? * 0.1;
        let rate = 0.05 * (1.0 - f64::from(step) / f64::from(steps));
        let update = gradient / (mean_square.f_sqrt()? + 1e-8) * -rate;
        no_grad(|| guess.shallow_clone().f_add_(&update).map(drop))?;
    }
    let found = Vec::<f64>::try_from(guess.f_detach()?)?;
    Ok([found[0], (2.0 * found[1]).exp()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distribution: over 50 000 examples the direct optimum is the sample moments of `ỹ`, with
    /// standard errors below 0.005 for the mean and 0.01 for the variance; the noise-aware one is
    /// a little less sure of the variance.
    #[test]
    fn knowing_of_the_noise_keeps_the_clean_target() {
        tch::manual_seed(4);
        let found = one(0.02).unwrap();
        let close = |a: [f64; 2], b: [f64; 2], by: [f64; 2]| {
            (a[0] - b[0]).abs() < by[0] && (a[1] - b[1]).abs() < by[1]
        };
        assert!(close(found.noise_aware, CLEAN, [0.025, 0.05]), "{found:?}");
        assert!(close(found.direct, found.direct_expected, [0.025, 0.05]), "{found:?}");
        assert!(found.direct[0] < 0.9 * CLEAN[0], "the direct mean shrinks: {found:?}");
    }
}
