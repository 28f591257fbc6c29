//! AdamW over one flat vector, in one kernel.

use tch::{Device, Kind, Tensor};

use crate::error::{self, Result, TorchExtError};
use crate::ffi::{self, AdamWTensors};

/// Settings of an optimizer; the learning rate is an argument of each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWSettings {
    /// Decay of the first moment, `0 ≤ β₁ < 1`.
    pub beta_1: f64,
    /// Decay of the second moment, `0 ≤ β₂ < 1`.
    pub beta_2: f64,
    /// Term that keeps the update finite where a gradient is zero, `ε > 0`.
    pub epsilon: f64,
    /// Weight decay, at least 0.
    pub weight_decay: f64,
    /// Number of leading parameters that decay; those after them, such as biases, do not.
    pub decayed: i64,
}

/// Scalars on the device that scale or skip a step; the host never waits for them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard<'a> {
    /// Divisor of the gradients, applied in place; `max(‖g‖ / c, 1)` clips them to the norm `c`.
    pub grad_scale: Option<&'a Tensor>,
    /// Whether the step is skipped; every bit then stays as it was.
    pub found_inf: Option<&'a Tensor>,
}

/// Adam with decoupled weight decay, on all parameters at once.
///
/// ```text
/// g ← g / s
/// m ← β₁ m + (1 − β₁) g            v ← β₂ v + (1 − β₂) g²
/// p ← p − η (w p + (m / (1 − β₁ᵏ)) / (√(v / (1 − β₂ᵏ)) + ε))
/// ```
///
/// `η` is the learning rate, `w` the weight decay (0 for parameters that do not decay), `s` the guard's
/// `grad_scale` and `k` the number of the step, from 1. A skipped step is not counted. The count is
/// kept as f32 on the device, exact up to 2²⁴ steps.
///
/// # References
/// Loshchilov & Hutter (2019), algorithm 2, arXiv:1711.05101.
#[derive(Debug)]
pub struct FusedAdamW {
    first: Tensor,
    second: Tensor,
    step: Tensor,
    settings: AdamWSettings,
}

impl FusedAdamW {
    /// An optimizer of `parameters` before its first step.
    ///
    /// # Errors
    /// As [`FusedAdamW::restore`].
    pub fn new(parameters: &Tensor, settings: AdamWSettings) -> Result<FusedAdamW> {
        let moment = || parameters.detach().f_zeros_like();
        let step = Tensor::f_zeros([0_i64; 0], (Kind::Float, parameters.device()))?;
        FusedAdamW::restore(moment()?, moment()?, step, settings)
    }

    /// An optimizer that continues with the moments and the step count of another.
    ///
    /// # Shapes
    /// `first`, `second`: `[P]`, of the parameters' kind and device; `step`: `[]`, f32.
    ///
    /// # Errors
    /// If the tensors do not fit each other, or a setting is out of its range.
    pub fn restore(
        first: Tensor,
        second: Tensor,
        step: Tensor,
        settings: AdamWSettings,
    ) -> Result<FusedAdamW> {
        let numel = first.numel() as i64;
        if !matches!(first.kind(), Kind::Float | Kind::Double) {
            let (expected, found) = ("Float or Double", first.kind());
            return Err(TorchExtError::Kind { tensor: "parameters", expected, found });
        }
        writable("first moments", &first, &[numel], first.kind(), first.device())?;
        writable("second moments", &second, &[numel], first.kind(), first.device())?;
        writable("step", &step, &[], Kind::Float, first.device())?;
        settings.check(numel)?;
        Ok(FusedAdamW { first, second, step, settings })
    }

    /// The first moments, the second moments and the count of steps, as [`restore`] takes them.
    ///
    /// [`restore`]: FusedAdamW::restore
    pub fn state(&self) -> [&Tensor; 3] {
        [&self.first, &self.second, &self.step]
    }

    /// Takes one step. If the guard scales, `gradients` hold the scaled gradients afterwards.
    ///
    /// # Shapes
    /// `parameters`, `gradients`: `[P]`, contiguous; `grad_scale`: `[]`, f32; `found_inf`: `[]`, `Bool`.
    ///
    /// # Errors
    /// If a tensor does not have the shape, kind and device that it must have, or the learning rate is
    /// negative or not finite. Nothing has then changed.
    pub fn step(
        &mut self,
        parameters: &Tensor,
        gradients: &Tensor,
        learning_rate: f64,
        guard: Guard<'_>,
    ) -> Result<()> {
        let (kind, device) = (self.first.kind(), self.first.device());
        writable("parameters", parameters, &self.first.size(), kind, device)?;
        writable("gradients", gradients, &self.first.size(), kind, device)?;
        in_range("learning_rate", learning_rate, "at least 0, and finite", |rate| rate >= 0.0)?;
        if let Some(scale) = guard.grad_scale {
            writable("grad_scale", scale, &[], Kind::Float, device)?;
        }
        if let Some(found_inf) = guard.found_inf {
            error::shape("found_inf", found_inf, &[])?;
            error::kind("found_inf", found_inf, Kind::Bool)?;
            error::device("found_inf", found_inf, device)?;
        }
        let tensors = AdamWTensors {
            parameters,
            gradients,
            first: &self.first,
            second: &self.second,
            step: &self.step,
            grad_scale: guard.grad_scale,
            found_inf: guard.found_inf,
        };
        let AdamWSettings { beta_1, beta_2, epsilon, weight_decay, decayed } = self.settings;
        ffi::adamw(&tensors, decayed, weight_decay, [learning_rate, beta_1, beta_2, epsilon])
    }
}

/// Result of [`clip`]; all are scalars on the device.
#[derive(Debug)]
pub struct Clipping {
    /// The norm of the gradients.
    pub norm: Tensor,
    /// Divisor that clips them, `max(1, ‖g‖ / most)`.
    pub scale: Tensor,
    /// Whether the loss or a gradient is not finite, `Bool`.
    pub torn: Tensor,
}

/// The norm of gradients, the divisor that clips it to `most` (0 for no clipping), and whether they are finite.
///
/// It never waits for the device, and is one operation for f32 on the CPU.
///
/// # Shapes
/// `gradients`: `[P]`, contiguous; `loss`: `[]`, of their device.
///
/// # Errors
/// If the tensors do not have these shapes and devices, or `most` is negative or not finite.
pub fn clip(gradients: &Tensor, loss: &Tensor, most: f64) -> Result<Clipping> {
    let (kind, device) = (gradients.kind(), gradients.device());
    writable("gradients", gradients, &[gradients.numel() as i64], kind, device)?;
    error::shape("loss", loss, &[])?;
    error::device("loss", loss, device)?;
    in_range("most", most, "at least 0, and finite", |most| most >= 0.0)?;
    if (kind, loss.kind(), device) == (Kind::Float, Kind::Float, Device::Cpu) {
        let [norm, scale, torn] = ffi::clip(gradients, loss, most)?;
        return Ok(Clipping { norm, scale, torn });
    }
    let norm = gradients.f_norm()?;
    let torn = norm.f_add(loss)?.f_isfinite()?.f_logical_not()?;
    let scale = if most == 0.0 { norm.f_ones_like()? } else { (&norm / most).f_clamp_min(1.0)? };
    Ok(Clipping { scale: scale.f_to_kind(Kind::Float)?, norm, torn })
}

impl AdamWSettings {
    fn check(&self, parameters: i64) -> Result<()> {
        let below_one = |beta: f64| (0.0..1.0).contains(&beta);
        in_range("beta_1", self.beta_1, "at least 0 and below 1", below_one)?;
        in_range("beta_2", self.beta_2, "at least 0 and below 1", below_one)?;
        in_range("epsilon", self.epsilon, "above 0, and finite", |epsilon| epsilon > 0.0)?;
        let decay = self.weight_decay;
        in_range("weight_decay", decay, "at least 0, and finite", |decay| decay >= 0.0)?;
        in_range("decayed", self.decayed as f64, "from 0 to the number of parameters", |_| {
            (0..=parameters).contains(&self.decayed)
        })
    }
}

fn in_range(
    name: &'static str,
    value: f64,
    range: &'static str,
    holds: impl FnOnce(f64) -> bool,
) -> Result<()> {
    if value.is_finite() && holds(value) {
        return Ok(());
    }
    Err(TorchExtError::Value { name, value, range })
}

/// Checks a tensor that the kernel writes as one piece of memory.
fn writable(
    name: &'static str,
    tensor: &Tensor,
    shape: &[i64],
    kind: Kind,
    device: Device,
) -> Result<()> {
    error::shape(name, tensor, shape)?;
    error::kind(name, tensor, kind)?;
    error::device(name, tensor, device)?;
    if !tensor.is_contiguous() || tensor.requires_grad() {
        return Err(TorchExtError::Layout { tensor: name });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
