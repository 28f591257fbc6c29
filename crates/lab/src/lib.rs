//! The laboratory: trains the arms of an experiment side by side, judges them, and reports.
//!
//! An experiment is `configs/experiments/NAME.toml` of one of five kinds: arms of one config, benchmarks of many,
//! the study, and backtests of small series and of a ring of published tasks. Each kind reads its plan, lists its jobs and judges what these leave; a job is a few child processes of
//! `ballast` and a folder. The laboratory knows runs only by the files in their folders, as [`record`] has them, and
//! takes all uncertainty from [`stats`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the commands of a command-line tool"
)]

mod arms;
mod backtest;
mod benchmarks;
mod command;
mod experiment;
mod figures;
mod launch;
mod machine;
mod number;
mod outcome;
mod page;
mod places;
mod plan;
mod ring;
mod runs;
mod scores;
mod small;
mod study;
pub mod workspace;

#[cfg(test)]
mod tests;

pub use command::Args;
pub use launch::ExperimentJob;
