//! Linear decoders (probabilistic PCA), in f64.

use objective::ppca::Ppca;
use objective::{DiagonalGaussian, FullGaussian};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::TrainError;

/// How exactly the bound behaves as theory says, for one size of the latent variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tightness {
    /// Latent dimensions `Z`; the data has `2 Z`.
    pub latent: i64,
    /// Mean log evidence, nats.
    pub log_evidence: f64,
    /// Largest relative difference between log evidence and the bound at the exact posterior.
    pub at_posterior: f64,
    /// Largest relative difference between gap and `KL[q ‖ posterior]` for random full `q`.
    pub gap_full: f64,
    /// The same for random diagonal `q`.
    pub gap_diagonal: f64,
    /// What the best diagonal `q` loses, in nats, measured: log evidence minus bound.
    pub diagonal_loss: f64,
    /// The same by its closed form, `½ (Σ ln M_ii − ln det M)` with `M = WᵀW/σ² + I`.
    pub diagonal_loss_exact: f64,
}

const EXAMPLES: i64 = 32;
const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

/// One row per latent size.
pub(super) fn measure(sizes: &[i64]) -> Result<Vec<Tightness>, TrainError> {
    sizes.iter().map(|latent| one(*latent)).collect()
}

fn one(latent: i64) -> Result<Tightness, TrainError> {
    let weights = Tensor::f_randn([2 * latent, latent], F64)?;
    let model = Ppca::new(weights, Tensor::f_randn([2 * latent], F64)?, 0.5)?;
    let x = model.sample(EXAMPLES)?;
    let evidence = model.log_evidence(&x)?;
    let posterior = model.posterior(&x)?;
    let bound = |q: &FullGaussian| -> Result<Tensor, TrainError> {
        Ok(model.expected_log_likelihood(q, &x)? - q.kl_to_standard())
    };
    let bound_diagonal = |q: &DiagonalGaussian| -> Result<Tensor, TrainError> {
        Ok(model.expected_log_likelihood(q, &x)? - q.kl_to_standard())
    };

    let packed = Tensor::f_randn([EXAMPLES, FullGaussian::packed_len(latent)], F64)? * 0.5;
    let full = FullGaussian::new(Tensor::f_randn([EXAMPLES, latent], F64)?, &packed)?;
    let diagonal = DiagonalGaussian::new(
        Tensor::f_randn([EXAMPLES, latent], F64)?,
        Tensor::f_randn([EXAMPLES, latent], F64)? * 0.5,
    )?;
    let best = model.best_diagonal(&x)?;
    let loss = (&evidence - bound_diagonal(&best)?).f_mean(Kind::Double)?;
    Ok(Tightness {
        latent,
        log_evidence: evidence.f_mean(Kind::Double)?.f_double_value(&[])?,
        at_posterior: relative(&bound(&posterior)?, &evidence)?,
        gap_full: relative(&(&evidence - bound(&full)?), &full.kl(&posterior)?)?,
        gap_diagonal: relative(
            &(&evidence - bound_diagonal(&diagonal)?),
            &diagonal.kl(&posterior)?,
        )?,
        diagonal_loss: loss.f_double_value(&[])?,
        diagonal_loss_exact: model.diagonal_gap()?,
    })
}

fn relative(found: &Tensor, expected: &Tensor) -> Result<f64, TrainError> {
    Ok(((found - expected) / expected).f_abs()?.f_max()?.f_double_value(&[])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_tight_to_rounding() {
        tch::manual_seed(5);
        for row in measure(&[1, 3, 32]).unwrap() {
            for error in [row.at_posterior, row.gap_full, row.gap_diagonal] {
                assert!(error < 1e-9, "{row:?}");
            }
            assert!((row.diagonal_loss - row.diagonal_loss_exact).abs() < 1e-9, "{row:?}");
            assert!(row.latent == 1 || row.diagonal_loss > 0.01, "{row:?}");
        }
    }
}
