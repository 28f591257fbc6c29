//! Knowledge of the latent variables of a trained model, over the diffusion steps.
//!
//! For each of some steps the test windows are noised, encoded, and the features read by a linear map: of the clean
//! future, of the clean context; beside them the information in nats that the posterior carries about its window, and
//! the KL that it pays. [`features_run`] measures a finished run and writes `features.json`. Derivations:
//! `docs/math/features.md`.

mod features;
mod information;
mod linear;
mod windows;

pub use features::{FeaturesOptions, features, features_run};
