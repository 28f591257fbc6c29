//! The C++ of libtorch that tch lacks, and the only `unsafe` of the workspace.
//!
//! - [`generator_state`], [`set_generator_state`]: the random generator of a device, to resume exactly.
//! - [`FusedAdamW`]: an optimizer step on flat vectors in one kernel, that never waits for the device.
//! - [`autocast`]: a region in which a device computes in a chosen smaller number type.
//! - [`load_cuda`]: CUDA where the libtorch at hand has it, in a program that was not linked to it.
//! - [`gru`]: GRU layers on the CPU, faster than ATen's.
//! - [`affine`]: a sum of affine maps and an activation as one node of the autograd graph.
//! - [`gaussian_draw`], [`gaussian_log_density`]: latent variables and target of a variational bound,
//!   one node each.
//! - [`peak_memory`], [`reset_peak_memory`]: the memory of a CUDA device.
//!
//! Arguments are checked here before C++ sees them, and what C++ throws is a [`TorchExtError`].
//! See `docs/decisions/0008`.

mod adamw;
mod affine;
mod autocast;
mod cuda;
mod error;
mod ffi;
mod gaussian;
mod generator;
mod gru;

pub use adamw::{AdamWSettings, Clipping, FusedAdamW, Guard, clip};
pub use affine::affine;
pub use autocast::autocast;
pub use cuda::{load_cuda, peak_memory, reset_peak_memory};
pub use error::{Result, TorchExtError};
pub use gaussian::{Target, fuses, gaussian_draw, gaussian_log_density};
pub use generator::{generator_state, set_generator_state};
pub use gru::gru;
