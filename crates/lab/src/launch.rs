//! Doing the jobs of an experiment: child processes of `ballast`, here or as arrays of Slurm.
//!
//! A job is done once: what it is made of is written beside its results, and a job of the same content is not
//! done again.

mod attempt;
mod cost;
mod fingerprint;
mod job;
mod runner;
mod slurm;

pub(crate) use job::{Job, Jobs, Place, Recipe, Stage, quote};
pub(crate) use runner::{Ended, Failure, Options, Origin, Product, Ran, Runner};
pub use slurm::ExperimentJob;
pub(crate) use slurm::Flags;
