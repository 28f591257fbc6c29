//! A sum of affine maps with its activation.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;
use crate::share::places;

/// A sum of linear maps of several inputs and a bias, followed by SiLU if `silu`, and by dropout with probability
/// `dropout`.
///
/// ```text
/// y = m/(1 − p) · act(Σ_i x_i W_iᵀ + b),    act(u) = u σ(u) or u,    m = 1 with probability 1 − p, else 0
/// ```
///
/// On the CPU, in f32 and f64, it is one node of the autograd graph if the bias repeats along the first
/// axes. That node has no second derivative; asking for one is an error; its `m` takes one number from torch's
/// generator, see [`laplace`](crate::laplace), and its `p` is rounded to `2⁻¹⁶`. Elsewhere it is composed of ATen's operations.
///
/// # Shapes
/// `inputs`: each `[.., K_i]`, their first axes equal; `weights`: each `[N, K_i]`; `bias`: `[N]`, or
/// anything that broadcasts with the result, `[.., N]`.
///
/// # Errors
/// If the tensors do not fit each other, or `dropout` is not in `[0, 1)`.
pub fn affine(
    inputs: &[&Tensor],
    weights: &[&Tensor],
    bias: &Tensor,
    silu: bool,
    dropout: f64,
) -> Result<Tensor> {
    check(inputs, weights, bias)?;
    if !(0.0..1.0).contains(&dropout) {
        return Err(TorchExtError::Value { name: "dropout", value: dropout, range: "in [0, 1)" });
    }
    let kind = bias.kind();
    let alike = |tensor: &&Tensor| tensor.kind() == kind;
    let fuse = bias.device() == Device::Cpu
        && matches!(kind, Kind::Float | Kind::Double)
        && inputs.iter().all(alike)
        && weights.iter().all(alike)
        && inputs.iter().chain(weights).all(|tensor| tensor.numel() > 0);
    let tensors: Vec<&Tensor> =
        inputs.iter().chain(weights).copied().chain(std::iter::once(bias)).collect();
    let size = inputs[0].size();
    // [.., B, G, in]
    let places = match *size.as_slice() {
        [.., axis, after, _] => places(axis, after),
        _ => places(size[0], 1),
    };
    ffi::affine(&tensors, silu, dropout, fuse, places)
}

/// Checks shapes and devices. Kinds may differ under autocast; ATen deals with that.
fn check(inputs: &[&Tensor], weights: &[&Tensor], bias: &Tensor) -> Result<()> {
    if inputs.is_empty() || weights.len() != inputs.len() {
        let (expected, found) = (inputs.len().max(1), weights.len());
        return Err(TorchExtError::Count { tensors: "weights", expected, found });
    }
    let Some(&width) = bias.size().last() else {
        return Err(TorchExtError::Axes { tensor: "bias", expected: 1, found: Vec::new() });
    };
    let mut lead = inputs[0].size();
    lead.pop();
    for (input, weight) in inputs.iter().zip(weights) {
        let size = input.size();
        let Some((&features, axes)) = size.split_last() else {
            return Err(TorchExtError::Axes { tensor: "input", expected: 1, found: size });
        };
        if axes != lead {
            let expected = lead.iter().copied().chain([features]).collect();
            return Err(TorchExtError::Shape { tensor: "input", expected, found: size });
        }
        error::shape("weight", weight, &[width, features])?;
        error::device("input", input, bias.device())?;
        error::device("weight", weight, bias.device())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
