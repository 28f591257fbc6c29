//! The C++ of libtorch that [`tch`] lacks, and the only `unsafe` of the workspace.
//!
//! It knows tensors and nothing of models or data. Arguments are checked in Rust before C++ sees them, and an
//! exception of C++ comes back as a [`TorchExtError`]. Where our kernels do not apply (on a GPU, with another number
//! type, under autocast, in a trace), [`gru`] and [`affine`] use ATen's operations. The kernels of laws have no
//! such fallback; [`fuses_draw`] and [`fuses_density`] tell whether they apply.
//!
//! | item | what it adds |
//! |---|---|
//! | [`gru`] | GRU layers on the CPU, 1.5 to 4 times as fast as ATen's |
//! | [`affine`] | a sum of affine maps, its activation and its dropout, one node of the autograd graph |
//! | [`gaussian_draw`] | a reparameterized draw and its divergence from a prior, one node |
//! | [`log_density`] | the log density of targets under Gaussian laws, clean or seen through noise, or Laplace laws, one node |
//! | [`crps_loss`] | the CRPS of draws from such laws, one node |
//! | [`sorted`], [`sorted_crps`], [`energy`], [`window_sums`] | scores of samples, without gradients |
//! | [`laplace`] | Laplace noise, drawn by place |
//! | [`FusedAdamW`], [`clip`] | an optimizer step on flat vectors in one kernel, without waiting for the device |
//! | [`generator_state`], [`set_generator_state`] | the state of a device's random generator, for an exact resume |
//! | [`autocast`] | a region in which a device computes in a smaller number type |
//! | [`load_cuda`] | CUDA, if the libtorch at hand has it, in a program that was not linked to it |
//! | [`ProcessGroup`] | processes that sum, broadcast and gather tensors, by c10d and Gloo |
//! | [`with_share`], [`draw_share`] | random numbers for some rows of a batch, as if all of it were here |
//! | [`Allocator`] | the system's allocator, which tells that memory ran out from another abort |
//! | [`leave`] | the end of a process, without taking libtorch apart |
//! | [`peak_memory`], [`reset_peak_memory`] | the memory of a CUDA device |
//!
//! A draw with its divergence, compared with the same formulas written out:
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//! use torch_ext::gaussian_draw;
//!
//! let options = (Kind::Float, Device::Cpu);
//! let (mean, raw) = (Tensor::randn([64, 7, 8], options), Tensor::randn([64, 7, 8], options));
//! let noise = Tensor::randn([64, 7, 8], options);
//! let (z, kl) = gaussian_draw(&Tensor::cat(&[&mean, &raw], -1), None, &noise, 7.0)?;
//!
//! let log_std = (raw / 7.0).tanh() * 7.0;
//! let expected = &mean + log_std.exp() * noise;
//! assert!(z.allclose(&expected, 1e-5, 1e-5, false));
//! let expected = (mean.square() + (&log_std * 2.0).exp() - 1.0 - log_std * 2.0) * 0.5;
//! assert!(kl.allclose(&expected, 1e-5, 1e-5, false));
//! # Ok::<(), torch_ext::TorchExtError>(())
//! ```
//!
//! `docs/decisions/0008-torch-ext.md` gives the reasons, and the times before and after.

mod adamw;
mod affine;
mod autocast;
mod cuda;
mod error;
mod ffi;
mod gaussian;
mod generator;
mod group;
mod gru;
mod law;
mod noise;
mod score;
mod share;

pub use adamw::{AdamWSettings, Clipping, FusedAdamW, Guard, clip};
pub use affine::affine;
pub use autocast::autocast;
pub use cuda::{load_cuda, peak_memory, reset_peak_memory};
pub use error::{Result, TorchExtError};
pub use ffi::{Allocator, leave};
pub use gaussian::{crps_loss, fuses_density, fuses_draw, gaussian_draw, log_density};
pub use generator::{generator_state, set_generator_state};
pub use group::{Meeting, ProcessGroup};
pub use gru::gru;
pub use law::{Law, Laws, Prior, Target};
pub use noise::laplace;
pub use score::{WindowSums, energy, sorted, sorted_crps, window_sums};
pub use share::{Share, draw_share, share, with_share};
