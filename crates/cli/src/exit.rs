//! One message, one exit code.

use std::process::ExitCode;

use anyhow::Error;
use train::TrainError;

/// Prints an error as one message and turns it into its exit code; see the README.
pub(crate) fn code(done: Result<(), Error>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    // The typed error already says what, where and what to do; its context says while doing what.
    let context: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut message = context.first().cloned().unwrap_or_default();
    for cause in context.iter().skip(1) {
        // libtorch follows what it says with a C++ stack trace.
        let cause = cause.split("\nException raised from").next().unwrap_or_default().trim_end();
        if !message.contains(cause) {
            message.push_str(": ");
            message.push_str(cause);
        }
    }
    eprintln!("ballast: {message}");
    ExitCode::from(error.chain().find_map(known).unwrap_or(70))
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref::<TrainError>() {
        return Some(error.exit_code());
    }
    if cause.is::<noise::NoiseError>() || cause.is::<crate::data_command::Taken>() {
        return Some(2);
    }
    // What is left of I/O is writing what was asked for.
    cause.downcast_ref::<std::io::Error>().map(|_| 74)
}

/// A panic is our bug: one message without a backtrace (unless asked for), exit code 70.
pub(crate) fn report_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A closed pipe (`ballast … | head`) is not a bug.
        if info.to_string().contains("Broken pipe") {
            std::process::exit(0);
        }
        if feed::is_out_of_memory(&info.to_string()) {
            eprintln!("ballast: out of memory{}", feed::MEMORY_HINT);
            std::process::exit(69);
        }
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            default(info);
        } else {
            let text = info.to_string();
            let text = text.lines().take(2).collect::<Vec<_>>().join(" ");
            eprintln!("ballast: this is a bug, please report it with the command: {text}");
        }
        std::process::exit(70);
    }));
}
