//! Signals that ask a training to save and stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error};
use ballast::feed::Allocator;
use signal_hook::consts::{SIGABRT, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

/// Minimum time between two interrupts. A signal that comes sooner is the same interrupt, because `timeout` and
/// shells signal a process and then its group.
const MIN_GAP: Duration = Duration::from_millis(500);

/// Makes a file that outgrows its limit an error of writing, as a full disk is, where the signal would end the process
/// without a word.
pub(crate) fn report_full_disks() -> Result<(), Error> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).context("listening to signals")?;
    Ok(())
}

/// Gives the abort of Rust for want of memory, which prints one line, the exit code 69; others stay aborts.
pub(crate) fn end_without_memory() -> Result<(), Error> {
    signal_hook::flag::register_conditional_shutdown(SIGABRT, 69, Allocator::ran_out())
        .context("listening to signals")?;
    Ok(())
}

/// A flag that the first `SIGINT`, `SIGTERM`, `SIGUSR1` or `SIGUSR2` sets.
///
/// A second `SIGINT` or `SIGTERM` ends the process at once, with exit code 128 plus the number of the signal, as
/// shells report it; the last checkpoint is whole. `SIGUSR1` and `SIGUSR2` announce that one of these may come, and
/// never end the process.
pub(crate) fn stop() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGUSR2]).context("listening to signals")?;
    let flag = Arc::clone(&stop);
    let listen = move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            flag.store(true, Ordering::Relaxed);
            match first {
                _ if ![SIGINT, SIGTERM].contains(&signal) => {}
                None => first = Some(Instant::now()),
                Some(first) if first.elapsed() < MIN_GAP => {}
                Some(_) => exit(128 + signal),
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen)
        .context("listening to signals")?;
    Ok(stop)
}
