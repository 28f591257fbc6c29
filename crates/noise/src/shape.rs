//! The kind of noise, and the units in which windows and noise are added.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{NoiseTable, TargetLikelihood, TargetTable};
use crate::error::NoiseError;
use crate::reinjection::Normalization;

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

/// Refuses keys that contradict the shape, and writes the process of a coherent target into `table`: it is that of the
/// input, and its likelihood is direct.
///
/// # Errors
/// [`NoiseError::Contradiction`].
pub(crate) fn resolve(table: &mut NoiseTable) -> Result<(), NoiseError> {
    let shape = table.shape;
    let refuse = |key, value: String, remedy| {
        let with = format!("`noise.shape = \"{shape}\"`");
        Err(NoiseError::Contradiction { key, value, with, remedy })
    };
    if !shape.is_coherent() {
        return match table.space {
            NoiseSpace::Raw => Ok(()),
            space => refuse(
                "noise.space",
                format!("{space:?}", space = space.to_string()),
                "set `noise.shape = \"gaussian\"`, or leave `noise.space` out",
            ),
        };
    }
    if table.input.normalization != Normalization::Variance {
        let value = format!("{:?}", table.input.normalization).to_lowercase();
        let remedy = "leave `normalization` out: noised windows keep the covariance of windows";
        return refuse("noise.input.normalization", format!("\"{value}\""), remedy);
    }
    let strength = table.input.reinject;
    if let Some(target) = table.sampler.target_reinject
        && target != table.sampler.reinject.unwrap_or(1.0)
    {
        let remedy = "leave it out: context and target are noised as one window";
        return refuse("noise.sampler.target_reinject", target.to_string(), remedy);
    }
    let whole = TargetTable {
        scale: 1.0,
        reinject: strength,
        normalization: Normalization::Variance,
        likelihood: TargetLikelihood::Direct,
    };
    let written = table.target;
    let left_out = TargetTable::default();
    let remedy = "leave `noise.target` out: context and target are noised as one window, with the strength \
                  `noise.input.reinject`";
    if written.scale != left_out.scale && written.scale != whole.scale {
        return refuse("noise.target.scale", written.scale.to_string(), remedy);
    }
    if written.reinject != left_out.reinject && written.reinject != whole.reinject {
        return refuse("noise.target.reinject", written.reinject.to_string(), remedy);
    }
    if written.normalization == Normalization::None {
        return refuse("noise.target.normalization", "\"none\"".to_owned(), remedy);
    }
    table.target = whole;
    Ok(())
}
