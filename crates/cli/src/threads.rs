//! Threads that wait without burning a core.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Starts this program anew with threads that sleep while they wait, if there is to be more than one.
///
/// The OpenMP runtime spins by default, which on a busy machine makes a step many times slower
/// (docs/measurements.md), and it reads its settings before `main` begins. Whoever set one of them is
/// left alone.
pub(crate) fn never_spin(threads: Option<u16>) {
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
