//! The limits of a noised density: no noise at all, and a law far narrower than the noise.

use tch::{Kind, Tensor};

/// The log scale, raised to at least the rounding error of the noise, so that it is finite where the signal is 0.
pub(super) fn floored(log_scale: &Tensor, log_noise: &Tensor) -> Tensor {
    log_scale.maximum(&(log_noise + epsilon(log_scale).ln()))
}

/// Whether the noise vanishes in rounding next to the scale of the law: `s ≤ ε·a·scale`, by element.
pub(super) fn without_noise(noise_std: &Tensor, log_scale: &Tensor) -> Tensor {
    noise_std.le_tensor(&(log_scale.detach().exp() * epsilon(log_scale)))
}

/// The rounding unit of the tensor's kind.
fn epsilon(tensor: &Tensor) -> f64 {
    if tensor.kind() == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) }
}
