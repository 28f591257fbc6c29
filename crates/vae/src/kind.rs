//! The four kinds of model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Joint density of data and latent variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// `p(z) p(x_0 | z)` with `q(z | x̃)`: density, features, sampling.
    Autoencode,
    /// `p(z) p(y_0 | z)` with `q(z | x̃)`: a prediction model with a latent bottleneck.
    Predict,
    /// `p(z | x̃) p(y_0 | z, x̃)` with `q(z | x̃, ỹ)`: a bound on `log p(y | x)`.
    Conditional,
    /// `Π_l p(z_l | z_{<l}, x̃) · p(y_0 | z, x̃)` with posteriors relative to the priors.
    Hierarchical,
}
