//! Build automation: `cargo xtask setup | adopt | build | experiment | fuzz | gpu-check | sanitize | licenses | test | tidy | lint | doc | bench | ci`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod adopt;
mod bench;
mod build;
mod ci;
mod doc;
mod experiment;
mod fuzz;
mod gpu_check;
mod licenses;
mod lint;
mod python;
mod sanitize;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Build automation of the workspace; needs nothing but cargo.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Setup),
    Adopt(adopt::Adopt),
    Build(build::Build),
    Experiment(experiment::Experiment),
    Fuzz(fuzz::Fuzz),
    GpuCheck(gpu_check::GpuCheck),
    Sanitize(sanitize::Sanitize),
    Licenses(licenses::Licenses),
    Test(test::Test),
    Tidy(tidy::Tidy),
    Lint(lint::Lint),
    Doc(doc::Doc),
    Bench(bench::Bench),
    Ci(ci::Ci),
}

fn main() -> ExitCode {
    let Args { command } = Args::parse();
    let done = Workspace::find().and_then(|workspace| match command {
        Command::Setup(setup) => setup.run(&workspace),
        Command::Adopt(adopt) => adopt.run(&workspace),
        Command::Build(build) => build.run(&workspace),
        Command::Experiment(experiment) => experiment.run(&workspace),
        Command::Fuzz(fuzz) => fuzz.run(&workspace),
        Command::GpuCheck(check) => check.run(&workspace),
        Command::Sanitize(sanitize) => sanitize.run(&workspace),
        Command::Licenses(licenses) => licenses.run(&workspace),
        Command::Test(test) => test.run(&workspace),
        Command::Tidy(tidy) => tidy.run(&workspace),
        Command::Lint(lint) => lint.run(&workspace),
        Command::Doc(doc) => doc.run(&workspace),
        Command::Bench(bench) => bench.run(&workspace),
        Command::Ci(ci) => ci.run(&workspace),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
