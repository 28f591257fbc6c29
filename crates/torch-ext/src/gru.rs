//! GRU layers.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi;

/// A stack of GRU layers over sequences. Returns all states of the last layer, and the last state of each layer.
///
/// ```text
/// r = σ(W_r x + b_r + U_r h + c_r)          z = σ(W_z x + b_z + U_z h + c_z)
/// n = tanh(W_n x + b_n + r ∘ (U_n h + c_n))          h ← (1 − z) n + z h
/// ```
///
/// `weights` holds `W`, `U`, `b`, `c` of each layer, the gates in the order r, z, n, as
/// `torch.nn.GRU` has them. `dropout` acts between layers, in training.
/// On the CPU, in f32 and f64, a layer is one node of the autograd graph. Its matrix products span several
/// steps and its gates take one pass over memory: on one thread it is several times as fast as ATen's. It has
/// no second derivative; asking for one is an error. In f32 its σ is within 1e-7 of the true one, and its
/// tanh has a relative error below 3e-7. Elsewhere, and while a trace is recorded, it is ATen's GRU.
///
/// # Shapes
/// `input` `[B, L, I]`, `start` `[layers, B, H]`; a layer's `W` `[3H, I]`, after the first
/// `[3H, H]`, its `U` `[3H, H]`, `b` and `c` `[3H]`. Returns `[B, L, H]` and `[layers, B, H]`.
///
/// # Errors
/// If the tensors do not fit each other, or `dropout` is not a probability.
///
/// # References
/// Cho et al. (2014), eq. 5 to 8, arXiv:1406.1078; the reset gate acts after the recurrent map.
pub fn gru(
    input: &Tensor,
    start: &Tensor,
    weights: &[Tensor],
    dropout: f64,
    train: bool,
) -> Result<(Tensor, Tensor)> {
    check(input, start, weights)?;
    if !(0.0..=1.0).contains(&dropout) {
        let (name, range) = ("dropout", "from 0 to 1");
        return Err(TorchExtError::Value { name, value: dropout, range });
    }
    let kind = input.kind();
    let fused = input.device() == Device::Cpu
        && matches!(kind, Kind::Float | Kind::Double)
        && start.kind() == kind
        && weights.iter().all(|weight| weight.kind() == kind)
        && input.numel() > 0;
    ffi::gru(input, start, weights, dropout, train, fused)
}

/// Checks shapes and devices. Kinds may differ under autocast; ATen deals with that.
fn check(input: &Tensor, start: &Tensor, weights: &[Tensor]) -> Result<()> {
    let (&[batch, _, mut features], &[layers, _, hidden]) =
        (input.size().as_slice(), start.size().as_slice())
    else {
        let (tensor, found) =
            if input.dim() == 3 { ("start", start.size()) } else { ("input", input.size()) };
        return Err(TorchExtError::Axes { tensor, expected: 3, found });
    };
    if layers == 0 || weights.len() as i64 != 4 * layers {
        let expected = 4 * layers.max(1) as usize;
        return Err(TorchExtError::Count { tensors: "weights", expected, found: weights.len() });
    }
    if hidden == 0 {
        return Err(TorchExtError::Shape {
            tensor: "start",
            expected: vec![layers, batch, 1],
            found: start.size(),
        });
    }
    error::shape("start", start, &[layers, batch, hidden])?;
    error::device("start", start, input.device())?;
    for layer in weights.chunks(4) {
        let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
        let shapes: [&[i64]; 4] =
            [&[3 * hidden, features], &[3 * hidden, hidden], &[3 * hidden], &[3 * hidden]];
        for ((weight, name), shape) in layer.iter().zip(names).zip(shapes) {
            error::shape(name, weight, shape)?;
            error::device(name, weight, input.device())?;
        }
        features = hidden;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
