//! Keeping the memory that libtorch frees in the process.

use std::hint::black_box;
use std::sync::Once;

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
