//! The `ballast` command: parses, calls `train` and `data`, prints, and ends with a documented
//! exit code.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what this crate is for")]

mod args;
mod config_command;
mod data_command;
mod display;
mod elbo;
mod evaluate;
mod exit;
mod forecast;
mod noise_command;
mod signals;
mod threads;
mod train_command;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    exit::report_panics();
    let args = Args::parse();
    start_log(&args.log);
    let done = match args.command {
        Command::Train(command) => train_command::run(command),
        Command::Evaluate(command) => evaluate::run(command),
        Command::Forecast(command) => forecast::run(command),
        Command::Noise(command) => noise_command::run(command),
        Command::Elbo(command) => elbo::run(command),
        Command::Data(command) => data_command::run(command),
        Command::Init(command) => data_command::init(command),
        Command::Config(command) => config_command::run(command),
    };
    exit::code(done)
}

/// `--log` or `RUST_LOG`; warnings only where neither says otherwise.
fn start_log(filter: &Option<String>) {
    use tracing_subscriber::EnvFilter;
    let filter = match filter {
        Some(filter) => EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn")),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
