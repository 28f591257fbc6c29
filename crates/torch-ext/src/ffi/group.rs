//! The border of process groups.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tch::Tensor;

use super::{Failure, Raw, check, owned, raw};
use crate::error::{Result, TorchExtError};

#[rustfmt::skip]
unsafe extern "C" {
    fn torch_ext_store_new(
        host: *const c_char, port: u16, serves: c_int, prefix: *const c_char, timeout_ms: i64,
        group: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_store_set(
        group: *mut c_void, key: *const c_char, value: *const c_char, length: i64,
    ) -> Failure;
    fn torch_ext_store_claim(group: *mut c_void, key: *const c_char, first: *mut c_int) -> Failure;
    fn torch_ext_store_has(group: *mut c_void, key: *const c_char, found: *mut c_int) -> Failure;
    fn torch_ext_store_get(
        group: *mut c_void, key: *const c_char, value: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_store_timeout(group: *mut c_void, timeout_ms: i64) -> Failure;
    fn torch_ext_group_join(
        group: *mut c_void, host: *const c_char, rank: c_int, world: c_int, timeout_ms: i64,
    ) -> Failure;
    fn torch_ext_group_join_gpus(
        group: *mut c_void, library: *const c_char, rank: c_int, world: c_int, timeout_ms: i64,
    ) -> Failure;
    fn torch_ext_group_free(group: *mut c_void);
    fn torch_ext_group_sum(group: *mut c_void, tensor: Raw) -> Failure;
    fn torch_ext_group_broadcast(group: *mut c_void, tensor: Raw, from: c_int) -> Failure;
    fn torch_ext_group_gather(group: *mut c_void, tensor: Raw, gathered: Raw) -> Failure;
}

/// A store and, once joined, the backend of a group. Calls come one at a time.
#[derive(Debug)]
pub(crate) struct Group(Mutex<Handle>);

/// The only pointer to a group of C++.
#[derive(Debug)]
struct Handle(NonNull<c_void>);

// SAFETY: the group has no state that belongs to a thread, and its mutex lets one call in at a time.
unsafe impl Send for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: C++ made the group, and nobody else has this pointer.
        unsafe { torch_ext_group_free(self.0.as_ptr()) };
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1)
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| TorchExtError::Cpp("a name holds a zero byte".to_owned()))
}

impl Group {
    /// Connects to the store at `host`, or starts it if this process `serves` it.
    pub(crate) fn new(
        host: &str,
        port: u16,
        serves: bool,
        prefix: &str,
        timeout: Duration,
    ) -> Result<Group> {
        let (host, prefix) = (c_string(host)?, c_string(prefix)?);
        let mut group = null_mut();
        // SAFETY: both strings and `group` outlive the call, which sets `group` unless it fails.
        check(unsafe {
            torch_ext_store_new(
                host.as_ptr(),
                port,
                c_int::from(serves),
                prefix.as_ptr(),
                milliseconds(timeout),
                &raw mut group,
            )
        })?;
        let group = NonNull::new(group);
        let group = group.ok_or_else(|| TorchExtError::Cpp("no store was made".to_owned()))?;
        Ok(Group(Mutex::new(Handle(group))))
    }

    fn call(&self, call: impl FnOnce(*mut c_void) -> Failure) -> Result<()> {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check(call(handle.0.as_ptr()))
    }

    pub(crate) fn set(&self, key: &str, value: &str) -> Result<()> {
        let key = c_string(key)?;
        // SAFETY: key and value outlive the call, and the value has that length.
        self.call(|group| unsafe {
            torch_ext_store_set(group, key.as_ptr(), value.as_ptr().cast(), value.len() as i64)
        })
    }

    /// Whether this is the first call for `key` in all processes.
    pub(crate) fn claim(&self, key: &str) -> Result<bool> {
        let key = c_string(key)?;
        let mut first = 0;
        // SAFETY: key and `first` outlive the call.
        self.call(|group| unsafe { torch_ext_store_claim(group, key.as_ptr(), &raw mut first) })?;
        Ok(first != 0)
    }

    pub(crate) fn has(&self, key: &str) -> Result<bool> {
        let key = c_string(key)?;
        let mut found = 0;
        // SAFETY: key and `found` outlive the call.
        self.call(|group| unsafe { torch_ext_store_has(group, key.as_ptr(), &raw mut found) })?;
        Ok(found != 0)
    }

    pub(crate) fn get(&self, key: &str) -> Result<String> {
        let key = c_string(key)?;
        let mut value = null_mut();
        // SAFETY: key and `value` outlive the call, which sets `value` unless it fails.
        self.call(|group| unsafe { torch_ext_store_get(group, key.as_ptr(), &raw mut value) })?;
        let bytes = Vec::<u8>::try_from(owned(value))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Bounds each later call for the store.
    pub(crate) fn bound(&self, timeout: Duration) -> Result<()> {
        // SAFETY: plain numbers.
        self.call(|group| unsafe { torch_ext_store_timeout(group, milliseconds(timeout)) })
    }

    pub(crate) fn join(
        &self,
        host: &str,
        rank: usize,
        world: usize,
        timeout: Duration,
    ) -> Result<()> {
        let host = c_string(host)?;
        let timeout = milliseconds(timeout);
        // SAFETY: the string outlives the call.
        self.call(|group| unsafe {
            torch_ext_group_join(group, host.as_ptr(), rank as c_int, world as c_int, timeout)
        })
    }

    /// Joins by NCCL too, from the library of `nccl.cpp`.
    pub(crate) fn join_gpus(
        &self,
        library: &str,
        rank: usize,
        world: usize,
        timeout: Duration,
    ) -> Result<()> {
        let library = c_string(library)?;
        let timeout = milliseconds(timeout);
        // SAFETY: the string outlives the call. Opening the library runs its initializers, which are those of C++ alone.
        self.call(|group| unsafe {
            torch_ext_group_join_gpus(
                group,
                library.as_ptr(),
                rank as c_int,
                world as c_int,
                timeout,
            )
        })
    }

    /// The caller has joined, by NCCL for tensors that are not on the CPU, and `tensor` is contiguous; as below.
    pub(crate) fn sum(&self, tensor: &Tensor) -> Result<()> {
        // SAFETY: the tensor outlives the call, which waits for the end of the exchange.
        self.call(|group| unsafe { torch_ext_group_sum(group, raw(tensor)) })
    }

    pub(crate) fn broadcast(&self, tensor: &Tensor, from: usize) -> Result<()> {
        // SAFETY: as above.
        self.call(|group| unsafe { torch_ext_group_broadcast(group, raw(tensor), from as c_int) })
    }

    /// `gathered` has the shape of `tensor` after an axis of all ranks.
    pub(crate) fn gather(&self, tensor: &Tensor, gathered: &Tensor) -> Result<()> {
        // SAFETY: as above, for both tensors.
        self.call(|group| unsafe { torch_ext_group_gather(group, raw(tensor), raw(gathered)) })
    }
}
