//! The two properties of the evidence lower bound, measured: it is tight exactly when `q` is the true
//! posterior, and it is reconstruction minus KL. What `ballast elbo` writes and
//! `cargo xtask experiment elbo` draws.
//!
//! ```text
//! ELBO = log p(x) − KL[q(z) ‖ p(z | x)] = E_q[log p(x | z)] − KL[q(z) ‖ p(z)]
//! ```

mod linear;
mod noised;
mod nonlinear;
mod training;

use std::path::Path;

use record::{RecordError, RunDirectory};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::run::RunProgress;

pub use linear::Tightness;
pub use noised::TargetFit;
pub use nonlinear::{Bound, Nonlinear};
pub use training::{LinearTraining, Stage};

/// What stands in `elbo.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElboStudy {
    /// Of this format.
    pub version: u32,
    /// Linear decoders of several sizes, where everything is known in closed form.
    pub tightness: Vec<Tightness>,
    /// A linear decoder trained by our own loop.
    pub training: LinearTraining,
    /// A nonlinear decoder with a one-dimensional latent variable.
    pub nonlinear: Nonlinear,
    /// A target noised ever more strongly, fitted with and without knowing of the noise.
    pub noised: Vec<TargetFit>,
}

/// Measures everything and writes `elbo.json` into `folder`, beside the training run.
///
/// # Errors
/// If training fails or the folder cannot be written.
pub fn elbo_study(
    folder: &Path,
    observe: &mut dyn FnMut(RunProgress),
) -> Result<ElboStudy, TrainError> {
    RunDirectory::create(folder)?;
    tch::manual_seed(1);
    let study = ElboStudy {
        version: 1,
        tightness: linear::measure(&[1, 2, 4, 8, 16, 32])?,
        nonlinear: nonlinear::measure()?,
        noised: noised::measure()?,
        training: training::measure(folder, observe)?,
    };
    let path = folder.join("elbo.json");
    files::replace_json(&path, &study).map_err(RecordError::writing(&path))?;
    Ok(study)
}
