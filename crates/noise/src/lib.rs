//! Noise schedules, forward diffusion and re-injection of the clean signal: a short course.
//!
#![doc = include_str!("course.md")]

mod config;
mod density;
mod diffusion;
mod error;
#[cfg(feature = "figure")]
mod figure;
mod reinjection;
mod report;
mod sampler;
mod schedule;

pub use config::{
    InputTable, NoiseConfig, NoiseTable, SamplerKind, SamplerTable, ScheduleKind, TargetLikelihood,
    TargetTable,
};
pub use density::{Bin, ImpliedDensity};
pub use diffusion::Diffuser;
pub use error::NoiseError;
#[cfg(feature = "figure")]
pub use figure::figure;
pub use reinjection::{MAX_STRENGTH, Normalization, Reinjection};
pub use report::{StepRow, Verdict, rows, snapshot_steps};
pub use sampler::{StepDistribution, StepSampler};
pub use schedule::{MAX_STEPS, Schedule};
/// The version whose tensors these functions take.
pub use tch;
