//! Memory that libtorch frees stays with the process.

use std::hint::black_box;
use std::sync::Once;

/// Below the most that glibc lets its threshold grow to, 32 MiB.
const BYTES: usize = 31 << 20;

/// Makes glibc's allocator keep what is freed, instead of handing every larger tensor back to the system.
///
/// Each step of a training allocates the same tensors again. Those above 128 KiB come from the system page
/// by page, each page zeroed at its first touch, and go back when they are freed. glibc raises that
/// threshold to the size of the largest block it has seen freed, and what it keeps at its end to twice as
/// much: one block, allocated and freed untouched, is enough. Elsewhere this does nothing.
pub(crate) fn keep_freed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(BYTES))));
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

    /// Oracle: the kernel's count. A block of 1 MiB has 256 pages, each a fault where it is fresh. One block
    /// alone would be kept anyhow, for its own size moves the threshold; twenty are not.
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
