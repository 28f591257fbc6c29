//! The `ballast` command: parses arguments, calls the libraries, prints, and ends with a documented exit code.

mod args;
mod automatic;
mod backtest;
mod config_command;
mod data_command;
mod display;
mod evaluate;
mod exit;
mod export;
mod features;
mod forecast;
mod hints;
mod launch;
mod noise_command;
mod scores;
mod signals;
mod table;
mod threads;
mod together;
mod train_command;
mod update;

use anyhow::Error;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};

/// Tells an abort for want of memory from others, see [`signals::end_without_memory`].
#[global_allocator]
static ALLOCATOR: ballast::feed::Allocator = ballast::feed::Allocator;

fn main() {
    let code = ended();
    // Taking libtorch apart again takes a third of the time of a short command.
    ballast::feed::leave(code)
}

/// Runs the command, and returns its exit code.
fn ended() -> u8 {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(answer) => return exit::of_usage(&answer),
    };
    // These read a table without a config, or one that may be written otherwise than that of the config.
    let takes_options = matches!(
        args.command,
        Command::Init(_)
            | Command::Data(_)
            | Command::Forecast(_)
            | Command::Backtest(_)
            | Command::Update(_)
    );
    exit::of(takes_options, || run(args))
}

fn run(args: Args) -> Result<(), Error> {
    start_log(args.log);
    signals::report_full_disks()?;
    signals::end_without_memory()?;
    threads::restart_without_spinning(match &args.command {
        Command::Train(command) => command.threads,
        Command::Update(command) => command.threads,
        Command::Evaluate(command) => command.threads,
        Command::Forecast(command) => command.table.threads,
        Command::Backtest(command) => command.table.threads,
        _ => None,
    });
    if let Some(args) = args.command.together() {
        together::join(args)?;
    }
    match args.command {
        Command::Train(command) => train_command::run(command),
        Command::Update(command) => update::run(command),
        Command::Evaluate(command) => evaluate::run(command),
        Command::Features(command) => features::run(command),
        Command::Forecast(command) => forecast::run(command),
        Command::Backtest(command) => backtest::run(command),
        Command::Export(command) => export::run(&command),
        Command::Noise(command) => noise_command::run(command),
        Command::Data(command) => data_command::run(command),
        Command::Init(command) => data_command::init(command),
        Command::Config(command) => config_command::run(command),
    }
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
        .with_writer(|| terminal::Log)
        .with_ansi(false)
        // Otherwise a failure to write the log is reported on stderr, which panics if stderr is closed.
        .log_internal_errors(false)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(error, "RUST_LOG is not understood");
    }
}
