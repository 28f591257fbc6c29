//! The state of random generators.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result};
use crate::ffi;

/// The state of a device's default generator, from which [`set_generator_state`] continues its draws.
///
/// # Shapes
/// `[bytes]` of kind `Uint8`, on the CPU.
///
/// # Errors
/// [`crate::TorchExtError::NoSuchDevice`] for a device that is not there or that is neither CPU nor CUDA.
pub fn generator_state(device: Device) -> Result<Tensor> {
    ffi::generator_state(device)
}

/// Puts a device's default generator back into a state that [`generator_state`] returned.
///
/// # Errors
/// As [`generator_state`]; also if `state` does not have the kind and size of this generator's states, or if
/// libtorch rejects it. The generator is then as it was.
pub fn set_generator_state(device: Device, state: &Tensor) -> Result<()> {
    let present = generator_state(device)?;
    error::kind("generator state", state, Kind::Uint8)?;
    error::device("generator state", state, Device::Cpu)?;
    error::shape("generator state", state, &present.size())?;
    ffi::set_generator_state(device, &state.f_contiguous()?)
}
