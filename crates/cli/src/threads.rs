//! Threads that sleep while they wait, and so leave their core to others.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Executes this program again with threads that sleep while they wait, if it will run on more than one thread.
///
/// The OpenMP runtime spins by default, which makes a step many times slower on a busy machine
/// (docs/measurements.md). It reads its settings before `main` begins, so only a new start can change
/// them. Settings that the user made are respected.
pub(crate) fn restart_without_spinning(threads: Option<u16>) {
    let from_environment = || env::var("OMP_NUM_THREADS").ok()?.parse().ok();
    let threads = threads.or_else(from_environment).unwrap_or(1);
    let chosen = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];
    if threads < 2 || chosen.iter().any(|name| env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let error = Command::new(program)
        .args(env::args_os().skip(1))
        .env("OMP_WAIT_POLICY", "passive")
        .env("GOMP_SPINCOUNT", "0")
        .exec();
    tracing::warn!(%error, "threads may spin while they wait");
}
