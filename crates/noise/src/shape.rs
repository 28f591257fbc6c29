//! The kind of noise, and the units in which windows and noise are added.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Law of the noise `e` in `(a w + s e)/c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseShape {
    /// Independent standard normal numbers, drawn for the context and for the target by themselves:
    /// [`crate::Diffuser`].
    #[default]
    White,
    /// Another window of the batch, context and target together: [`crate::Coherent`].
    Window,
    /// A Gaussian window with the covariance of the batch over steps and channels, context and target together:
    /// [`crate::Coherent`].
    Gaussian,
}

/// Units in which windows and noise are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseSpace {
    /// The units of the windows.
    #[default]
    Raw,
    /// Normal scores: each channel goes through its own distribution to a standard normal one, and back afterwards, so
    /// that no noise changes the law of a single value. Only for the shapes `"window"` and `"gaussian"`.
    NormalScores,
}

impl NoiseShape {
    /// Whether context and target share one draw of the noise, which has the dependence of the windows.
    pub fn is_coherent(self) -> bool {
        self != NoiseShape::White
    }
}

/// The word in a configuration.
impl fmt::Display for NoiseShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoiseShape::White => "white",
            NoiseShape::Window => "window",
            NoiseShape::Gaussian => "gaussian",
        })
    }
}

/// The word in a configuration.
impl fmt::Display for NoiseSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoiseSpace::Raw => "raw",
            NoiseSpace::NormalScores => "normal-scores",
        })
    }
}
