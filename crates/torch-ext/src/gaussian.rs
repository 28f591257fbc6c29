//! Gaussian latent variables and targets of a variational bound, fused.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;

/// Whether [`gaussian_draw`] and [`gaussian_log_density`] serve tensors like this one: on the CPU, in
/// f32 or f64, without autocast, and not while a trace is recorded.
pub fn fuses(like: &Tensor) -> bool {
    like.device() == Device::Cpu
        && matches!(like.kind(), Kind::Float | Kind::Double)
        && ffi::fuses()
}

/// A reparameterized draw of latent variables and their divergence from the prior, in nats.
///
/// ```text
/// (μ, s) = own [+ prior],    σ = exp(7 tanh(s/7)),    z = μ + σ ε
/// KL = ½ Σ [ (μ − μ_p)²/σ_p² + (σ/σ_p)² − 1 − 2 ln(σ/σ_p) ]
/// ```
///
/// `own` and `prior` hold means, then logarithms of standard deviations before their bound; where
/// `relative`, `own` is added to `prior`. Without a prior it is `N(0, I)`.
/// One node of the autograd graph, without a second derivative; no gradient for `noise`.
///
/// # Shapes
/// `own`, `prior`: `[B, G, 2Z]`; `noise`: `[B, G, Z]`. Returns `[B, G, Z]` and `[B]`.
///
/// # Errors
/// If the tensors do not fit each other, or are none that it serves ([`fuses`]).
///
/// # References
/// Kingma & Welling (2014), section 2.4 and appendix B, arXiv:1312.6114.
pub fn gaussian_draw(
    own: &Tensor,
    prior: Option<&Tensor>,
    noise: &Tensor,
    relative: bool,
) -> Result<(Tensor, Tensor)> {
    let [windows, group, width] = served("noise", noise)?;
    let pair = [windows, group, 2 * width];
    fits("own", own, &pair, noise)?;
    if let Some(prior) = prior {
        fits("prior", prior, &pair, noise)?;
    }
    ffi::latent(own, prior, noise, relative)
}

/// What a density is taken of.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The values, noised where `noise` is given, `[B, G, M]`; finite also where missing.
    pub values: &'a Tensor,
    /// `signal` and `noise_std` of each window, `[B]`.
    pub noise: Option<(&'a Tensor, &'a Tensor)>,
    /// `[B, G, M]`, 0 where a value is missing.
    pub observed: Option<&'a Tensor>,
}

/// The log density of each window under a decoder's Gaussian laws of the clean target, in nats.
///
/// ```text
/// (m, s) = head, m ← m + skip,    σ = exp(7 tanh(s/7))
/// Σ_observed ln N(ỹ; a m, a² σ² + s_t²)
/// ```
///
/// One node of the autograd graph, without a second derivative; gradients for `head` and `skip`.
///
/// # Shapes
/// `head`: `[B, G, 2M]`, locations, then logarithms of scales before their bound; `skip`: `[B, G, M]`.
/// Returns `[B]`.
///
/// # Errors
/// If the tensors do not fit each other, or are none that it serves ([`fuses`]).
pub fn gaussian_log_density(
    head: &Tensor,
    skip: Option<&Tensor>,
    target: Target,
) -> Result<Tensor> {
    let Target { values, noise, observed } = target;
    let [windows, group, width] = served("target", values)?;
    fits("head", head, &[windows, group, 2 * width], values)?;
    for (name, tensor) in [("skip", skip), ("observed", observed)] {
        if let Some(tensor) = tensor {
            fits(name, tensor, &[windows, group, width], values)?;
        }
    }
    let (signal, noise_std) = noise.unzip();
    for (name, tensor) in [("signal", signal), ("noise_std", noise_std)] {
        if let Some(tensor) = tensor {
            fits(name, tensor, &[windows], values)?;
        }
    }
    ffi::density(head, values, [skip, observed, signal, noise_std])
}

/// The sizes of a tensor of three axes that is served.
fn served(name: &'static str, tensor: &Tensor) -> Result<[i64; 3]> {
    error::device(name, tensor, Device::Cpu)?;
    if !matches!(tensor.kind(), Kind::Float | Kind::Double) {
        let (expected, found) = ("Float or Double", tensor.kind());
        return Err(TorchExtError::Kind { tensor: name, expected, found });
    }
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

#[cfg(test)]
mod tests;
