//! Signals that ask a training to save and stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Error};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;

/// A flag that the first `SIGINT`, `SIGTERM`, `SIGUSR1` or `SIGUSR2` sets.
///
/// A second `SIGINT` or `SIGTERM` ends the process at once, with 128 plus its number as a shell would
/// report it; the last checkpoint is whole. A scheduler may send the other two more than once.
pub(crate) fn stop() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: it looks at the flag that the next line sets.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .context("listening to signals")?;
    }
    for signal in [SIGINT, SIGTERM, SIGUSR1, SIGUSR2] {
        flag::register(signal, Arc::clone(&stop)).context("listening to signals")?;
    }
    Ok(stop)
}
