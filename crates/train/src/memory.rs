//! The memory that a training needs and that there is, and keeping what libtorch frees in the process.

use std::fs;
use std::hint::black_box;
use std::sync::Once;

use feed::{Part, Source};
use vae::ModelKind;

use crate::config::Config;
use crate::error::TrainError;

/// Bytes of a number of a tensor, and of an index.
const NUMBER: u64 = 4;
const INDEX: u64 = 8;

/// Refuses a training that cannot fit into memory, before anything of it is built. Its needs are counted from below, so
/// that none is refused that would fit; `ballast train --dry-run` measures them.
///
/// # Errors
/// [`TrainError::Memory`].
pub(crate) fn need(config: &Config, source: &Source) -> Result<(), TrainError> {
    if source.panel().device().is_cuda() {
        return Ok(()); // which has its own memory, and says when it runs out
    }
    let needed = least(config, source.windows(Part::Train).count() as u64, source.channels().len());
    match available() {
        Some(available) if needed > available => Err(TrainError::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// Bytes that a training holds at a time, at least: the matrices between hidden layers with gradients, moments and
/// copies; the order of the windows of an epoch; the forecasts of a batch, and of a window that is validated.
fn least(config: &Config, windows: u64, channels: usize) -> u64 {
    let Config { model, train, objective, data, .. } = config;
    let (width, channels) = (model.hidden as u64, channels as u64);
    let state = 5 * NUMBER * (model.square_matrices() as u64).saturating_mul(width * width);
    let batch = (train.batch_size as u64).min(windows.max(1));
    let order = match train.steps_per_epoch {
        0 => windows,
        steps => batch.saturating_mul(steps as u64),
    };
    let of_window = data.horizon as u64 * channels * NUMBER;
    let forecasts = match config.model.kind {
        ModelKind::Autoencode => 0,
        _ if objective.crps_weight > 0.0 => batch * objective.crps_samples as u64,
        _ => 0,
    };
    let forecasts = forecasts.max(train.validation_samples as u64).saturating_mul(of_window);
    state.saturating_add(order.saturating_mul(INDEX)).saturating_add(forecasts)
}

/// Bytes that this process can still get: what the system has available and may swap, or less where a limit of its
/// control group or of its address space is lower. `None` where the system does not say.
fn available() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let free = kibibytes(&memory, "MemAvailable:")? + kibibytes(&memory, "SwapFree:").unwrap_or(0);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"));
    let limit: Option<u64> = limit.and_then(|limit| limit.split_whitespace().next()?.parse().ok());
    let used = kibibytes(&status, "VmSize:").unwrap_or(0);
    let addresses = limit.map_or(u64::MAX, |limit| limit.saturating_sub(used));
    let group = group_limit().unwrap_or(u64::MAX);
    Some(free.min(addresses).min(group))
}

/// The limit of the control group, version 2, of this process.
fn group_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.max")).ok()?.trim().parse().ok()
}

/// A number of kibibytes in the lines of a file of the kernel, in bytes.
pub(crate) fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

/// Size of the block in bytes, below 32 MiB, to which glibc limits the growth of its threshold.
const BYTES: usize = 31 << 20;

/// Makes the allocator of glibc keep freed memory, instead of returning every larger tensor to the system.
///
/// Each step of a training allocates the same tensors again. By default, blocks above 128 KiB come from the system,
/// which zeroes each page at its first use, and return to it when they are freed. glibc raises this threshold to the
/// size of the largest block freed so far, and keeps up to twice as much free memory at the end of the heap. Allocating
/// and freeing one block without using it is therefore enough. With other allocators this does nothing.
pub(crate) fn keep_freed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Where memory is short there is nothing to keep.
        let mut block = Vec::<u8>::new();
        let _ = block.try_reserve_exact(BYTES);
        drop(black_box(block));
    });
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Page faults of this thread that needed no disk: field 10 of its `stat`, proc(5).
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        after_name.split(' ').nth(7).unwrap().parse().unwrap()
    }

    /// Oracle: the count of the kernel. A block of 1 MiB has 256 pages, each of which faults when it is fresh. One
    /// block would be kept in any case, since its own size raises the threshold; twenty would not.
    #[test]
    fn blocks_that_were_freed_are_used_again() {
        const ROUNDS: u64 = 20;
        const BLOCKS: u64 = 20;
        keep_freed();
        let block = |_| black_box(vec![1_u8; 1 << 20]);
        let fill = || drop((0..BLOCKS).map(block).collect::<Vec<_>>());
        fill();
        let before = faults();
        for _ in 0..ROUNDS {
            fill();
        }
        let found = faults() - before;
        assert!(found < ROUNDS * BLOCKS * 256 / 10, "{found} page faults in {ROUNDS} rounds");
    }
}
