//! Memory and the end of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

unsafe extern "C" {
    safe fn torch_ext_leave(code: c_int) -> !;
}

/// The allocator of the system, which remembers whether it had no memory to give. Rust then aborts the process, unless
/// whoever asked has another way; a program that makes this its `#[global_allocator]` can tell this end from others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

static RAN_OUT: OnceLock<Arc<AtomicBool>> = OnceLock::new();

impl Allocator {
    /// Whether memory has run out; the flag is set by allocations after the first call.
    pub fn ran_out() -> Arc<AtomicBool> {
        Arc::clone(RAN_OUT.get_or_init(Arc::default))
    }
}

/// Remembers a block that is not there. Reads a flag that is there already, and so allocates nothing.
fn told(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        RAN_OUT.get().into_iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
    }
    block
}

// SAFETY: every call goes to `System`, with the arguments of the caller, who promises for them, and with its result.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        told(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        told(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        told(unsafe { System.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Ends the process at once, with what was printed and without taking libtorch apart: its tens of thousands of
/// registrations take a tenth of a second to undo. Whatever else waits for the end, such as values of statics, is not
/// dropped.
pub fn leave(code: u8) -> ! {
    // A failure to write has no one left to be told.
    let _ = (std::io::stdout().flush(), std::io::stderr().flush());
    torch_ext_leave(c_int::from(code))
}
