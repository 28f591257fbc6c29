//! `lab`: runs an experiment; `cargo xtask experiment` starts it.
#![allow(clippy::print_stderr, reason = "a command-line tool")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::{Args, ExperimentJob};

/// Train every arm of an experiment, judge it, and write a report
#[derive(Parser)]
#[command(bin_name = "cargo xtask experiment", args_conflicts_with_subcommands = true)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    experiment: Args,
}

#[derive(Subcommand)]
enum Command {
    #[command(hide = true)]
    ExperimentJob(ExperimentJob),
}

fn main() -> ExitCode {
    let Line { command, experiment } = Line::parse();
    if let Some(Command::ExperimentJob(job)) = command {
        return job.run(); // has a checkout and exit codes of its own
    }
    match lab::workspace::find().and_then(|root| experiment.run(&root)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
