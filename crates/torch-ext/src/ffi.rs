//! The border: C functions of `cpp/`, and the reasons why each call is safe.
//!
//! A function returns null, or the first line of an exception's message. Tensors cross as pointers
//! to `at::Tensor`, as tch's own `C_tensor` is.
#![allow(unsafe_code, reason = "the one place where C++ is called")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TorchExtError};
use crate::law::{Law, Laws, Prior, Target};

type Raw = *const c_void;
type Failure = *mut c_char;

/// The struct of that name in `places.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Places {
    pub(crate) first: i64,
    pub(crate) count: i64,
    pub(crate) of: i64,
    pub(crate) after: i64,
}

/// The state of autocast before a region of it began.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    enabled: c_int,
    kind: c_int,
}

#[rustfmt::skip]
unsafe extern "C" {
    fn torch_ext_free(text: *mut c_char);
    fn torch_ext_generator_state(device: c_int, index: c_int, state: *mut *mut c_void) -> Failure;
    fn torch_ext_set_generator_state(device: c_int, index: c_int, state: Raw) -> Failure;
    fn torch_ext_adamw(
        parameters: Raw, gradients: Raw, first: Raw, second: Raw, step: Raw,
        grad_scale: Raw, found_inf: Raw, decayed: i64, weight_decay: f64,
        learning_rate: f64, beta_1: f64, beta_2: f64, epsilon: f64,
    ) -> Failure;
    fn torch_ext_clip(
        gradients: Raw, loss: Raw, clip: f64,
        norm: *mut *mut c_void, scale: *mut *mut c_void, torn: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_autocast_enter(
        device: c_int, kind: c_int, enabled: c_int, before: *mut Surroundings,
    ) -> Failure;
    safe fn torch_ext_autocast_leave(device: c_int, before: Surroundings) -> Failure;
    fn torch_ext_load_cuda(folder: *const c_char, found: *mut c_int) -> Failure;
    fn torch_ext_peak_memory(index: c_int, bytes: *mut i64) -> Failure;
    safe fn torch_ext_reset_peak_memory(index: c_int) -> Failure;
    fn torch_ext_gru(
        input: Raw, start: Raw, weights: *const Raw, layers: i64, dropout: f64,
        train: c_int, fused: c_int, output: *mut *mut c_void, last: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_affine(
        tensors: *const Raw, terms: i64, silu: c_int, dropout: f64, fuse: c_int,
        places: Places, result: *mut *mut c_void,
    ) -> Failure;
    safe fn torch_ext_fuses() -> c_int;
    fn torch_ext_draw(
        own: Raw, prior: Raw, noise: Raw, relative: c_int, bound: f64,
        sample: *mut *mut c_void, divergence: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_density(
        parameters: Raw, bound: f64, laplace: c_int, offset: Raw, target: Raw, observed: Raw,
        signal: Raw, noise_std: Raw, result: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_crps(
        parameters: Raw, bound: f64, offset: Raw, noise: Raw, truth: Raw, result: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_laplace(tensor: Raw, places: Places) -> Failure;
    fn torch_ext_sort(samples: Raw, sorted: *mut *mut c_void, missing: *mut i64) -> Failure;
    fn torch_ext_sorted_crps(
        sorted: Raw, truth: Raw, divisor: f64, result: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_energy(
        samples: Raw, truth: Raw, divisor: f64, result: *mut *mut c_void,
    ) -> Failure;
    fn torch_ext_window_sums(
        sorted: Raw, truth: Raw, observed: Raw, result: *mut *mut c_void,
    ) -> Failure;
}

pub(crate) mod group;
mod process;

pub use process::{Allocator, leave};

/// Turns the result of a C function into an error, unless it is null.
fn check(failure: Failure) -> Result<()> {
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: a failure is a C string that `malloc` gave us; it is read and freed once, here.
    let text = unsafe {
        let text = CStr::from_ptr(failure).to_string_lossy().into_owned();
        torch_ext_free(failure);
        text
    };
    Err(TorchExtError::Cpp(text))
}

/// Takes a tensor that a C function made.
fn owned(tensor: *mut c_void) -> Tensor {
    // SAFETY: only called with a tensor that a function above allocated by `new` and returned without failing.
    unsafe { Tensor::from_ptr(tensor.cast()) }
}

fn raw(tensor: &Tensor) -> Raw {
    tensor.as_ptr().cast()
}

fn raw_or_null(tensor: Option<&Tensor>) -> Raw {
    tensor.map_or(null(), raw)
}

/// Type and index of a device as C++ numbers them.
fn numbers(device: Device, what: &'static str) -> Result<(c_int, c_int)> {
    match device {
        Device::Cpu => Ok((0, -1)),
        // The check also keeps the index within the eight bits that C++ has for it.
        Device::Cuda(index)
            if tch::Cuda::is_available() && index < tch::Cuda::device_count() as usize =>
        {
            Ok((1, index as c_int))
        }
        _ => Err(TorchExtError::NoSuchDevice { what, device }),
    }
}

pub(crate) fn generator_state(device: Device) -> Result<Tensor> {
    let (kind, index) = numbers(device, "random generator")?;
    let mut state = null_mut();
    // SAFETY: `state` outlives the call, which sets it unless it fails.
    check(unsafe { torch_ext_generator_state(kind, index, &raw mut state) })?;
    Ok(owned(state))
}

pub(crate) fn set_generator_state(device: Device, state: &Tensor) -> Result<()> {
    let (kind, index) = numbers(device, "random generator")?;
    // SAFETY: `state` is a tensor that outlives the call.
    check(unsafe { torch_ext_set_generator_state(kind, index, raw(state)) })
}

/// Tensors of [`adamw`]; all but the last two are written.
pub(crate) struct AdamWTensors<'a> {
    pub(crate) parameters: &'a Tensor,
    pub(crate) gradients: &'a Tensor,
    pub(crate) first: &'a Tensor,
    pub(crate) second: &'a Tensor,
    pub(crate) step: &'a Tensor,
    pub(crate) grad_scale: Option<&'a Tensor>,
    pub(crate) found_inf: Option<&'a Tensor>,
}

/// `rates`: learning rate, β₁, β₂, ε.
pub(crate) fn adamw(
    tensors: &AdamWTensors<'_>,
    decayed: i64,
    weight_decay: f64,
    rates: [f64; 4],
) -> Result<()> {
    let [learning_rate, beta_1, beta_2, epsilon] = rates;
    // SAFETY: all are tensors that outlive the call, or null where C++ expects null.
    check(unsafe {
        torch_ext_adamw(
            raw(tensors.parameters),
            raw(tensors.gradients),
            raw(tensors.first),
            raw(tensors.second),
            raw(tensors.step),
            raw_or_null(tensors.grad_scale),
            raw_or_null(tensors.found_inf),
            decayed,
            weight_decay,
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
        )
    })
}

/// The caller has checked: both are f32 on the CPU, `gradients` contiguous, `loss` a scalar.
pub(crate) fn clip(gradients: &Tensor, loss: &Tensor, most: f64) -> Result<[Tensor; 3]> {
    let mut results = [null_mut(); 3];
    let [norm, scale, torn] = &mut results;
    // SAFETY: both tensors outlive the call, and C++ sets the three results unless it fails.
    check(unsafe {
        torch_ext_clip(
            raw(gradients),
            raw(loss),
            most,
            &raw mut *norm,
            &raw mut *scale,
            &raw mut *torn,
        )
    })?;
    Ok(results.map(owned))
}

pub(crate) fn autocast_enter(device: Device, kind: Kind, enabled: bool) -> Result<Surroundings> {
    let (device, _) = numbers(device, "autocast")?;
    let kind = match kind {
        Kind::Half => 5,
        Kind::BFloat16 => 15,
        found => {
            let expected = "Half or BFloat16";
            return Err(TorchExtError::Kind { tensor: "autocast's number type", expected, found });
        }
    };
    let mut before = Surroundings::default();
    // SAFETY: `before` outlives the call and has the layout of the struct in C++.
    check(unsafe {
        torch_ext_autocast_enter(device, kind, c_int::from(enabled), &raw mut before)
    })?;
    Ok(before)
}

pub(crate) fn autocast_leave(device: Device, before: Surroundings) -> Result<()> {
    let (device, _) = numbers(device, "autocast")?;
    check(torch_ext_autocast_leave(device, before))
}

/// Loads CUDA from `folder`, or from the folder of libtorch; returns whether it is there.
pub(crate) fn load_cuda(folder: Option<&Path>) -> Result<bool> {
    let folder = folder
        .map(|folder| CString::new(folder.as_os_str().as_bytes()))
        .transpose()
        .map_err(|_| TorchExtError::Cpp("the folder's name holds a zero byte".to_owned()))?;
    let mut found = 0;
    let name = folder.as_ref().map_or(null(), |folder| folder.as_ptr());
    // SAFETY: `name` is null or a C string that outlives the call, as `found` does. Loading runs
    // the initializers of libtorch_cuda, as linking to it would have.
    check(unsafe { torch_ext_load_cuda(name, &raw mut found) })?;
    Ok(found != 0)
}

/// The index of a CUDA device, or an error if the device is not there.
fn cuda_index(device: Device) -> Result<c_int> {
    let what = "memory counter";
    match numbers(device, what)? {
        (1, index) => Ok(index),
        _ => Err(TorchExtError::NoSuchDevice { what, device }),
    }
}

pub(crate) fn peak_memory(device: Device) -> Result<i64> {
    let mut bytes = 0;
    // SAFETY: `bytes` outlives the call.
    check(unsafe { torch_ext_peak_memory(cuda_index(device)?, &raw mut bytes) })?;
    Ok(bytes)
}

pub(crate) fn reset_peak_memory(device: Device) -> Result<()> {
    check(torch_ext_reset_peak_memory(cuda_index(device)?))
}

/// `weights`: four per layer. For `fused` the caller has checked kinds, device CPU and shapes.
pub(crate) fn gru(
    input: &Tensor,
    start: &Tensor,
    weights: &[Tensor],
    dropout: f64,
    train: bool,
    fused: bool,
) -> Result<(Tensor, Tensor)> {
    let weights: Vec<Raw> = weights.iter().map(raw).collect();
    let layers = weights.len() as i64 / 4;
    let (train, fused) = (c_int::from(train), c_int::from(fused));
    let (mut output, mut last) = (null_mut(), null_mut());
    // SAFETY: the tensors outlive the call, `weights` holds four per layer, and C++ sets `output`
    // and `last` unless it fails.
    check(unsafe {
        torch_ext_gru(
            raw(input),
            raw(start),
            weights.as_ptr(),
            layers,
            dropout,
            train,
            fused,
            &raw mut output,
            &raw mut last,
        )
    })?;
    Ok((owned(output), owned(last)))
}

/// `tensors`: the inputs, one weight for each, the bias. For `fuse` the caller has checked kinds, device CPU and
/// the shapes of inputs and weights.
pub(crate) fn affine(
    tensors: &[&Tensor],
    silu: bool,
    dropout: f64,
    fuse: bool,
    places: Places,
) -> Result<Tensor> {
    let terms = tensors.len() as i64 / 2;
    let tensors: Vec<Raw> = tensors.iter().copied().map(raw).collect();
    let mut result = null_mut();
    // SAFETY: the tensors outlive the call, there are two for each term and one more, and C++ sets
    // `result` unless it fails.
    check(unsafe {
        torch_ext_affine(
            tensors.as_ptr(),
            terms,
            c_int::from(silu),
            dropout,
            c_int::from(fuse),
            places,
            &raw mut result,
        )
    })?;
    Ok(owned(result))
}

pub(crate) fn fuses() -> bool {
    torch_ext_fuses() != 0
}

/// The caller has checked kind Float, device CPU and shapes.
pub(crate) fn draw(
    own: &Tensor,
    prior: Option<Prior>,
    noise: &Tensor,
    bound: f64,
) -> Result<(Tensor, Tensor)> {
    let relative = c_int::from(prior.is_some_and(|prior| prior.relative));
    let prior = raw_or_null(prior.map(|prior| prior.parameters));
    let (mut sample, mut divergence) = (null_mut(), null_mut());
    // SAFETY: all are tensors that outlive the call, or null where C++ expects null; their shapes
    // are checked; C++ sets `sample` and `divergence` unless it fails.
    check(unsafe {
        torch_ext_draw(
            raw(own),
            prior,
            raw(noise),
            relative,
            bound,
            &raw mut sample,
            &raw mut divergence,
        )
    })?;
    Ok((owned(sample), owned(divergence)))
}

/// The caller has checked kinds, device CPU and shapes.
pub(crate) fn density(law: Law, laws: Laws, target: Target) -> Result<Tensor> {
    let (signal, noise_std) = target.noise.unzip();
    let mut result = null_mut();
    // SAFETY: as for `draw`.
    check(unsafe {
        torch_ext_density(
            raw(laws.parameters),
            laws.bound,
            c_int::from(law == Law::Laplace),
            raw_or_null(laws.offset),
            raw(target.values),
            raw_or_null(target.observed),
            raw_or_null(signal),
            raw_or_null(noise_std),
            &raw mut result,
        )
    })?;
    Ok(owned(result))
}

/// The caller has checked kinds, device CPU and shapes.
pub(crate) fn crps(laws: Laws, noise: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let mut result = null_mut();
    // SAFETY: as for `draw`.
    check(unsafe {
        torch_ext_crps(
            raw(laws.parameters),
            laws.bound,
            raw_or_null(laws.offset),
            raw(noise),
            raw(truth),
            &raw mut result,
        )
    })?;
    Ok(owned(result))
}

/// Fills a tensor; the caller has checked: f32 on the CPU, contiguous, at least one axis.
pub(crate) fn laplace(tensor: &Tensor, places: Places) -> Result<()> {
    // SAFETY: the tensor outlives the call, which writes its elements alone.
    check(unsafe { torch_ext_laplace(raw(tensor), places) })
}

/// The caller has checked: floats of 32 or 64 bits on the CPU, at least one axis.
pub(crate) fn sort(samples: &Tensor) -> Result<(Tensor, i64)> {
    let (mut sorted, mut missing) = (null_mut(), 0);
    // SAFETY: `samples` and `missing` outlive the call, which sets the results unless it fails.
    check(unsafe { torch_ext_sort(raw(samples), &raw mut sorted, &raw mut missing) })?;
    Ok((owned(sorted), missing))
}

/// The energy score, or the CRPS of samples that are sorted. The caller has checked: as for [`sort`], and `[S, N, D]` for
/// the energy score; `truth` is f64 and has the shape of one sample.
pub(crate) fn score(
    samples: &Tensor,
    truth: &Tensor,
    divisor: f64,
    energy: bool,
) -> Result<Tensor> {
    let call = if energy { torch_ext_energy } else { torch_ext_sorted_crps };
    let mut result = null_mut();
    // SAFETY: the tensors outlive the call, and it sets `result` unless it fails.
    check(unsafe { call(raw(samples), raw(truth), divisor, &raw mut result) })?;
    Ok(owned(result))
}

/// As [`score`] of `[S, N, D]`; `observed` is boolean and has the shape of `truth`.
pub(crate) fn window_sums(sorted: &Tensor, truth: &Tensor, observed: &Tensor) -> Result<Tensor> {
    let mut result = null_mut();
    let tensors = (raw(sorted), raw(truth), raw(observed));
    // SAFETY: as for `score`.
    check(unsafe { torch_ext_window_sums(tensors.0, tensors.1, tensors.2, &raw mut result) })?;
    Ok(owned(result))
}

/// The random bits behind draws by place: rows of `width` numbers.
#[cfg(test)]
pub(crate) fn random_bits(key: u64, width: i64, rows: i64) -> Vec<u32> {
    unsafe extern "C" {
        fn torch_ext_random_bits(key: u64, to: *mut u32, width: i64, begin: i64, end: i64);
    }
    let mut bits = vec![0; (width * rows) as usize];
    // SAFETY: the vector has `width · rows` elements.
    unsafe { torch_ext_random_bits(key, bits.as_mut_ptr(), width, 0, rows) };
    bits
}

/// σ and tanh as the GRU's kernel computes them at a vector width: 0 is the compiler's default, 1 AVX2,
/// 2 AVX-512. `None` where this processor has no such vectors.
#[cfg(test)]
pub(crate) fn activations(width: c_int, x: &[f32]) -> Option<(Vec<f32>, Vec<f32>)> {
    #[rustfmt::skip]
    unsafe extern "C" {
        safe fn torch_ext_widest() -> c_int;
        fn torch_ext_activations(
            width: c_int, x: *const f32, sigmoid: *mut f32, tanh: *mut f32, count: i64,
        );
    }
    if width > torch_ext_widest() {
        return None;
    }
    let (mut sigmoid, mut tanh) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    // SAFETY: all three arrays have `count` elements, and the processor has vectors of `width`.
    unsafe {
        torch_ext_activations(
            width,
            x.as_ptr(),
            sigmoid.as_mut_ptr(),
            tanh.as_mut_ptr(),
            x.len() as i64,
        );
    }
    Some((sigmoid, tanh))
}
