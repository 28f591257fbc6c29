//! Doing the jobs of an experiment: child processes of `ballast`, here or as arrays of Slurm.
//!
//! A job is done once: what it is made of is written beside its results, and a job of the same content is not
//! done again.

mod attempt;
mod cost;
mod ended;
mod fingerprint;
mod job;
mod runner;
mod slurm;

pub(crate) use ended::{Ended, Failure, Origin, Product};
pub(crate) use fingerprint::Recipe;
pub(crate) use job::{Job, Jobs, Place, Stage, quote};
pub(crate) use runner::{Options, Ran, Runner};
pub use slurm::ExperimentJob;
pub(crate) use slurm::Flags;
