//! Draws of Gaussian laws, and densities and scores of laws with a location and a scale, one node of the autograd graph
//! each.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;
use crate::law::{Law, Laws, Prior, Target};

/// Whether [`gaussian_draw`] takes tensors like this one: on the CPU, in f32, without autocast, and not while
/// a trace is recorded.
pub fn fuses_draw(like: &Tensor) -> bool {
    like.device() == Device::Cpu && like.kind() == Kind::Float && ffi::fuses()
}

/// Whether [`log_density`] and [`crps_loss`] take tensors like this one: as [`fuses_draw`], and in f64 too.
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

/// The log density of each window under laws of the clean target, in nats.
///
/// ```text
/// (m, s) = parameters, m ← m + offset,    ln σ = bound · tanh(s/bound)
/// Gaussian  Σ_observed ln N(ỹ; a m, a² σ² + s_t²)        Laplace  Σ_observed −|y − m|/σ − ln 2σ
/// ```
///
/// There are gradients for the parameters and the offset, and no second derivative.
///
/// # Shapes
/// Returns `[B]`.
///
/// # Errors
/// If the tensors do not fit each other or [`fuses_density`] refuses them, if the bound is not positive, or for Laplace
/// laws of a noised target.
pub fn log_density(law: Law, laws: Laws, target: Target) -> Result<Tensor> {
    let Target { values, noise, observed } = target;
    let size @ [windows, ..] = sizes("target", values)?;
    fits_laws(laws, &size, None, values)?;
    if let Some(tensor) = observed {
        fits("observed", tensor, &size, values)?;
    }
    if let Some((signal, noise_std)) = noise {
        fits("signal", signal, &[windows], values)?;
        fits("noise_std", noise_std, &[windows], values)?;
        if law == Law::Laplace {
            let (tensors, expected, found) = ("tensors of noise for Laplace laws", 0, 2);
            return Err(TorchExtError::Count { tensors, expected, found });
        }
    }
    ffi::density(law, laws, target)
}

/// An unbiased estimate of the CRPS of each value from draws of its laws, as a training loss.
///
/// ```text
/// x_i = m_i + offset + σ_i ε_i,    ln σ = bound · tanh(s/bound)
/// CRPS ≈ (1/S) [ Σ_i |x_i − y| − Σ_{i ≤ S/2} |x_i − x_{i+S/2}| ]
/// ```
///
/// There are gradients for the parameters and the offset, none for noise and truth, and no second derivative.
///
/// # Shapes
/// `laws.parameters`: `[S, B, G, 2M]`, S even; `noise`: `[S, B, G, M]`, drawn from the law with location 0 and scale 1;
/// `truth`: `[B, G, M]`. Returns `[B, G, M]`.
///
/// # Errors
/// If the tensors do not fit each other or [`fuses_density`] refuses them, if the bound is not positive, or S is odd or
/// zero.
///
/// # References
/// Gneiting & Raftery (2007), eq. 21.
pub fn crps_loss(laws: Laws, noise: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let size @ [windows, group, width] = sizes("truth", truth)?;
    let draws = laws.parameters.size().first().copied().unwrap_or(0);
    if draws < 2 || draws % 2 != 0 {
        let (name, value) = ("the number of draws", draws as f64);
        return Err(TorchExtError::Value { name, value, range: "even, at least 2" });
    }
    fits_laws(laws, &size, Some(draws), truth)?;
    fits("noise", noise, &[draws, windows, group, width], truth)?;
    ffi::crps(laws, noise, truth)
}

/// Checks laws of values `[B, G, M]`, of several draws if a number is given.
fn fits_laws(
    laws: Laws,
    size @ &[windows, group, width]: &[i64; 3],
    draws: Option<i64>,
    values: &Tensor,
) -> Result<()> {
    if !matches!(values.kind(), Kind::Float | Kind::Double) {
        let (expected, found) = ("Float or Double", values.kind());
        return Err(TorchExtError::Kind { tensor: "target", expected, found });
    }
    positive("bound", laws.bound)?;
    let pairs: Vec<i64> = draws.into_iter().chain([windows, group, 2 * width]).collect();
    fits("parameters", laws.parameters, &pairs, values)?;
    match laws.offset {
        Some(offset) => fits("offset", offset, size, values),
        None => Ok(()),
    }
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
