//! One message, one exit code.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use anyhow::Error;
use ballast::record::RecordError;
use ballast::train::TrainError;

use crate::hints::{as_options, from_here};
use crate::together::{self, Ending};
use terminal::{note, print};

/// The place and the backtrace of the last panic.
static PANICKED: Mutex<String> = Mutex::new(String::new());

/// Runs a command, prints its error as one message, and returns its exit code; docs/guide.md lists the codes. Hints are
/// given as options of the command if it `takes_options` for keys of `[data]`.
///
/// A panic is a bug of ours, with the code 70. Nothing is decided where it happens, since some are caught: the Parquet
/// reader's become errors of the file.
pub(crate) fn of(takes_options: bool, command: impl FnOnce() -> Result<(), Error>) -> u8 {
    panic::set_hook(Box::new(remember));
    match panic::catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(())) => {
            together::leave();
            0
        }
        Ok(Err(error)) => failed(&error, takes_options),
        Err(payload) => panicked(&*payload),
    }
}

/// The exit code where the command line cannot be parsed, or asks for help or the version.
pub(crate) fn of_usage(answer: &clap::Error) -> u8 {
    let text = answer.render().to_string();
    let text = text.trim_end();
    match answer.exit_code() {
        0 => match print(text) {
            Ok(()) => 0,
            Err(error) => failed(&error.into(), false),
        },
        _ => {
            note(text);
            2
        }
    }
}

fn failed(error: &Error, takes_options: bool) -> u8 {
    // The typed error says what is wrong, where, and what to do; its context says what was being done.
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // libtorch appends a C++ stack trace to its messages.
        let cause = cause.split("\nException raised from").next().unwrap_or_default().trim_end();
        if !message.contains(cause) {
            message += if message.is_empty() { "" } else { ": " };
            message += cause;
        }
    }
    let of_training = error.chain().find_map(|cause| cause.downcast_ref::<TrainError>());
    if of_training.is_some_and(TrainError::ran_out_of_memory) {
        message = "out of memory".to_owned() + ballast::feed::MEMORY_HINT;
    }
    let message = if takes_options { as_options(&message) } else { message };
    let code = error.chain().find_map(known).unwrap_or(70);
    end(error, from_here(&message), code)
}

/// Ends with one message of all processes that work together.
fn end(error: &Error, message: String, code: u8) -> u8 {
    together::tell_torchrun(&message, code);
    match together::ending(error, message, code) {
        Ending::Say(message, code) => {
            terminal::speak();
            note(format_args!("ballast: {message}{}", together::hint_of_torchrun(code)));
            code
        }
        Ending::Silent(code) => code,
    }
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
        || cause.is::<crate::launch::Misfit>()
        || cause.is::<ballast::files::CacheError>()
    {
        return Some(2);
    }
    // Every other I/O error comes from writing the output of a command.
    cause.downcast_ref::<std::io::Error>().map(|_| 74)
}

/// Keeps what the payload of a panic does not hold.
fn remember(panic: &PanicHookInfo) {
    let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
    let backtrace = Backtrace::capture(); // if `RUST_BACKTRACE` asks for one
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    *PANICKED.lock().unwrap_or_else(PoisonError::into_inner) = place + &backtrace;
}

fn panicked(payload: &(dyn Any + Send)) -> u8 {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    // An operation of tch that returns no `Result` panics with the error of libtorch.
    if text.starts_with(OF_TCH) && ballast::feed::is_out_of_memory(text) {
        let message = format!("out of memory{}", ballast::feed::MEMORY_HINT);
        return end(&Error::msg(message.clone()), message, 69);
    }
    let first = text.lines().take(2).collect::<Vec<_>>().join(" ");
    let place = PANICKED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let message = format!("this is a bug, please report it with the command: {first}{place}");
    end(&Error::msg(message.clone()), message, 70)
}

const OF_TCH: &str = "called `Result::unwrap()` on an `Err` value: Torch(";
