//! The `ballast` command: parses arguments, calls the libraries, prints, and ends with a documented exit code.

mod args;
mod automatic;
mod backtest;
mod config_command;
mod data_command;
mod display;
mod evaluate;
mod exit;
mod features;
mod forecast;
mod hints;
mod noise_command;
mod output;
mod scores;
mod signals;
mod table;
mod threads;
mod train_command;
mod update;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    exit::report_panics();
    let args = Args::parse();
    start_log(args.log);
    threads::restart_without_spinning(match &args.command {
        Command::Train(command) => command.threads,
        Command::Update(command) => command.threads,
        Command::Evaluate(command) => command.threads,
        Command::Forecast(command) => command.table.threads,
        Command::Backtest(command) => command.table.threads,
        _ => None,
    });
    // These read a table without a config, or one that may be written otherwise than that of the config.
    let takes_options = matches!(
        args.command,
        Command::Init(_)
            | Command::Data(_)
            | Command::Forecast(_)
            | Command::Backtest(_)
            | Command::Update(_)
    );
    let done = match args.command {
        Command::Train(command) => train_command::run(command),
        Command::Update(command) => update::run(command),
        Command::Evaluate(command) => evaluate::run(command),
        Command::Features(command) => features::run(command),
        Command::Forecast(command) => forecast::run(command),
        Command::Backtest(command) => backtest::run(command),
        Command::Noise(command) => noise_command::run(command),
        Command::Data(command) => data_command::run(command),
        Command::Init(command) => data_command::init(command),
        Command::Config(command) => config_command::run(command),
    };
    exit::code(done, takes_options)
}

/// Starts the log with the filter of `--log` or else of `RUST_LOG`, and with warnings alone if neither is given.
fn start_log(asked: Option<EnvFilter>) {
    let environment = asked.is_none().then(|| std::env::var("RUST_LOG").ok()).flatten();
    let understood = environment.as_ref().map(EnvFilter::try_new);
    let wrong =
        understood.as_ref().and_then(|filter| filter.as_ref().err()).map(ToString::to_string);
    let filter = asked.or_else(|| understood?.ok()).unwrap_or_else(|| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Otherwise a failure to write the log is reported on stderr, which panics if stderr is closed.
        .log_internal_errors(false)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(error, "RUST_LOG is not understood");
    }
}
