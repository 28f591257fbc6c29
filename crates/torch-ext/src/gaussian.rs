//! Draws and densities of Gaussian laws, one node of the autograd graph each.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;
use crate::law::{Laws, Prior, Target};

/// Whether [`gaussian_draw`] takes tensors like this one: on the CPU, in f32, without autocast, and not while
/// a trace is recorded.
pub fn fuses_draw(like: &Tensor) -> bool {
    like.device() == Device::Cpu && like.kind() == Kind::Float && ffi::fuses()
}

/// Whether [`gaussian_log_density`] takes tensors like this one: as [`fuses_draw`], and in f64 too.
pub fn fuses_density(like: &Tensor) -> bool {
    like.device() == Device::Cpu
        && matches!(like.kind(), Kind::Float | Kind::Double)
        && ffi::fuses()
}

/// A reparameterized draw from Gaussians, and their divergence from a prior for each element, in nats.
///
/// ```text
/// (μ, s) = parameters [+ those of the prior],    ln σ = bound · tanh(s/bound),    z = μ + σ ε
/// KL = ½ [ (μ − μ_p)²/σ_p² + (σ/σ_p)² − 1 − 2 ln(σ/σ_p) ]
/// ```
///
/// The prior is `N(0, 1)` unless one is given. Values and gradients are, bit for bit, those of the same formulas
/// written in single tensor operations. There is no gradient for `noise`, and no second derivative.
///
/// # Shapes
/// `parameters`: `[B, G, 2Z]`, means, then raw log standard deviations `s`; those of the prior are shaped alike.
/// `noise`: `[B, G, Z]`. Returns two tensors `[B, G, Z]`.
///
/// # Errors
/// If the tensors do not fit each other or [`fuses_draw`] refuses them, or if `bound` is not positive.
///
/// # References
/// Kingma & Welling (2014), section 2.4 and appendix B, arXiv:1312.6114.
pub fn gaussian_draw(
    parameters: &Tensor,
    prior: Option<Prior>,
    noise: &Tensor,
    bound: f64,
) -> Result<(Tensor, Tensor)> {
    let [windows, group, width] = sizes("noise", noise)?;
    error::kind("noise", noise, Kind::Float)?;
    positive("bound", bound)?;
    let pair = [windows, group, 2 * width];
    fits("parameters", parameters, &pair, noise)?;
    if let Some(Prior { parameters, .. }) = prior {
        fits("prior", parameters, &pair, noise)?;
    }
    ffi::draw(parameters, prior, noise, bound)
}

/// The log density of each window under Gaussian laws of the clean target, in nats.
///
/// ```text
/// (m, s) = parameters, m ← m + offset,    ln σ = bound · tanh(s/bound)
/// Σ_observed ln N(ỹ; a m, a² σ² + s_t²)
/// ```
///
/// There are gradients for the parameters and the offset, and no second derivative.
///
/// # Shapes
/// Returns `[B]`.
///
/// # Errors
/// If the tensors do not fit each other or [`fuses_density`] refuses them, or if the bound is not positive.
pub fn gaussian_log_density(laws: Laws, target: Target) -> Result<Tensor> {
    let Target { values, noise, observed } = target;
    let [windows, group, width] = sizes("target", values)?;
    if !matches!(values.kind(), Kind::Float | Kind::Double) {
        let (expected, found) = ("Float or Double", values.kind());
        return Err(TorchExtError::Kind { tensor: "target", expected, found });
    }
    positive("bound", laws.bound)?;
    fits("parameters", laws.parameters, &[windows, group, 2 * width], values)?;
    for (name, tensor) in [("offset", laws.offset), ("observed", observed)] {
        if let Some(tensor) = tensor {
            fits(name, tensor, &[windows, group, width], values)?;
        }
    }
    if let Some((signal, noise_std)) = noise {
        fits("signal", signal, &[windows], values)?;
        fits("noise_std", noise_std, &[windows], values)?;
    }
    ffi::density(laws, target)
}

/// The sizes of a tensor of three axes on the CPU.
fn sizes(name: &'static str, tensor: &Tensor) -> Result<[i64; 3]> {
    error::device(name, tensor, Device::Cpu)?;
    let found = tensor.size();
    <[i64; 3]>::try_from(found.as_slice()).map_err(|_| TorchExtError::Axes {
        tensor: name,
        expected: 3,
        found,
    })
}

fn fits(name: &'static str, tensor: &Tensor, size: &[i64], like: &Tensor) -> Result<()> {
    error::shape(name, tensor, size)?;
    error::device(name, tensor, like.device())?;
    error::kind(name, tensor, like.kind())
}

fn positive(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 { Ok(()) } else { Err(TorchExtError::Value { name, value, range: "positive" }) }
}

#[cfg(test)]
mod tests;
