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
