//! One message, one exit code.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Error;
use ballast::record::RecordError;
use ballast::train::TrainError;

use crate::hints::{as_options, from_here};
use crate::output::note;

/// Prints an error as one message and turns it into its exit code; docs/guide.md lists the codes. Hints are given as
/// options of the command if it `takes_options` for keys of `[data]`.
pub(crate) fn code(done: Result<(), Error>, takes_options: bool) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    // The typed error says what is wrong, where, and what to do; its context says what was being done.
    let context: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut message = context.first().cloned().unwrap_or_default();
    for cause in context.iter().skip(1) {
        // libtorch appends a C++ stack trace to its messages.
        let cause = cause.split("\nException raised from").next().unwrap_or_default().trim_end();
        if !message.contains(cause) {
            message.push_str(": ");
            message.push_str(cause);
        }
    }
    let message = if takes_options { as_options(&message) } else { message };
    note(format_args!("ballast: {}", from_here(&message)));
    ExitCode::from(error.chain().find_map(known).unwrap_or(70))
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<TrainError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = cause.downcast_ref::<RecordError>() {
        return Some(error.exit_code());
    }
    if cause.is::<ballast::noise::NoiseError>()
        || cause.is::<crate::data_command::Taken>()
        || cause.is::<ballast::files::CacheError>()
    {
        return Some(2);
    }
    // Every other I/O error comes from writing the output of a command.
    cause.downcast_ref::<std::io::Error>().map(|_| 74)
}

/// Turns a panic, which is a bug of ours, into one message and exit code 70, with a backtrace only if
/// `RUST_BACKTRACE` asks for one.
pub(crate) fn report_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if ballast::feed::is_out_of_memory(&info.to_string()) {
            note(format_args!("ballast: out of memory{}", ballast::feed::MEMORY_HINT));
            std::process::exit(69);
        }
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            // The default hook panics where stderr cannot be written to, and the process would be aborted.
            if writeln!(std::io::stderr()).is_ok() {
                default(info);
            }
        } else {
            let text = info.to_string();
            let text = text.lines().take(2).collect::<Vec<_>>().join(" ");
            note(format_args!("ballast: this is a bug, please report it with the command: {text}"));
        }
        std::process::exit(70);
    }));
}
