//! Noise schedules, forward diffusion and re-injection of the clean signal: a short course.
//!
#![doc = include_str!("course.md")]

mod coherent;
mod config;
mod density;
mod diffusion;
mod error;
#[cfg(feature = "figure")]
mod figure;
mod marginals;
mod reinjection;
mod report;
mod sampler;
mod schedule;
mod shape;

pub use coherent::{Coherent, Windows};
pub use config::{
    InputTable, NoiseConfig, NoiseTable, SamplerKind, SamplerTable, ScheduleKind, TargetLikelihood,
    TargetTable,
};
pub use density::{Bin, ImpliedDensity};
pub use diffusion::Diffuser;
pub use error::NoiseError;
#[cfg(feature = "figure")]
pub use figure::figure;
pub use marginals::Marginals;
pub use reinjection::{MAX_STRENGTH, Normalization, Reinjection};
pub use report::{FarEnd, StepRow, Verdict, rows, snapshot_steps};
pub use sampler::{StepDistribution, StepSampler};
pub use schedule::{MAX_STEPS, Schedule};
pub use shape::{NoiseShape, NoiseSpace};
/// The version whose tensors these functions take.
pub use tch;
