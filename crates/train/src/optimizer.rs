//! AdamW over one flat vector.

use tch::{Tensor, no_grad};

use crate::error::TrainError;
use crate::flat::Flat;

/// Adam with decoupled weight decay, on all parameters at once.
///
/// ```text
/// g ← g · min(1, c / ‖g‖)
/// m ← β₁ m + (1 − β₁) g            v ← β₂ v + (1 − β₂) g²
/// p ← p − η (w p + (m / (1 − β₁ᵏ)) / (√(v / (1 − β₂ᵏ)) + ε))
/// ```
///
/// `η` learning rate, `w` weight decay, `c` clip norm, `k` the optimizer step from 1.
///
/// # References
/// Loshchilov & Hutter (2019), algorithm 2, arXiv:1711.05101.
#[derive(Debug)]
pub struct AdamW {
    first: Tensor,
    second: Tensor,
    step: i32,
    weight_decay: f64,
    clip_norm: f64,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl AdamW {
    /// An optimizer at step 0. `clip_norm = 0` switches clipping off.
    pub fn new(flat: &Flat, weight_decay: f64, clip_norm: f64) -> AdamW {
        AdamW {
            first: flat.parameters().zeros_like(),
            second: flat.parameters().zeros_like(),
            step: 0,
            weight_decay,
            clip_norm,
        }
    }

    /// One step with the gradients of `flat`; never waits for the device.
    ///
    /// # Errors
    /// [`TrainError::Torch`] if libtorch fails.
    pub fn step(&mut self, flat: &Flat, learning_rate: f64) -> Result<(), TrainError> {
        self.step += 1;
        let correction_1 = 1.0 - BETA_1.powi(self.step);
        let correction_2 = 1.0 - BETA_2.powi(self.step);
        no_grad(|| {
            let mut gradient = flat.gradients().shallow_clone();
            if self.clip_norm > 0.0 {
                let norm = gradient.f_norm()?;
                // A norm of zero gives an infinite factor, which the clamp makes 1.
                let _ = gradient.f_mul_(&(self.clip_norm / norm).f_clamp_max(1.0)?)?;
            }
            let _ = self.first.f_lerp_(&gradient, 1.0 - BETA_1)?;
            let _ = self.second.f_lerp_(&gradient.f_square()?, 1.0 - BETA_2)?;
            let mut update = (&self.second / correction_2).f_sqrt_()?;
            let _ = update.f_add_scalar_(EPSILON)?;
            let mut update = &self.first / update;
            let _ = update.f_mul_scalar_(-learning_rate / correction_1)?;
            let mut parameters = flat.parameters().shallow_clone();
            if self.weight_decay > 0.0 {
                let _ = parameters.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?;
            }
            let _ = parameters.f_add_(&update)?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, nn};

    /// Oracle: the recursion above, in f64 and one scalar at a time.
    #[test]
    fn matches_the_scalar_recursion() {
        let store = nn::VarStore::new(Device::Cpu);
        let mut weight = store.root().var_copy("w", &Tensor::from_slice(&[1.0_f32, -2.0, 0.5]));
        let flat = Flat::new(&store).unwrap();
        let (rate, decay, clip) = (0.1, 0.01, 1.0);
        let mut optimizer = AdamW::new(&flat, decay, clip);

        let mut p = [1.0_f64, -2.0, 0.5];
        let (mut m, mut v) = ([0.0; 3], [0.0; 3]);
        for k in 1..=20 {
            flat.zero_gradients();
            weight.square().sum(Kind::Float).backward(); // gradient 2 w
            optimizer.step(&flat, rate).unwrap();

            let raw = p.map(|w| 2.0 * w);
            let norm = raw.iter().map(|g| g * g).sum::<f64>().sqrt();
            for i in 0..3 {
                let g = raw[i] * (clip / norm).min(1.0);
                m[i] = BETA_1 * m[i] + (1.0 - BETA_1) * g;
                v[i] = BETA_2 * v[i] + (1.0 - BETA_2) * g * g;
                let m_hat = m[i] / (1.0 - BETA_1.powi(k));
                let v_hat = v[i] / (1.0 - BETA_2.powi(k));
                p[i] -= rate * (decay * p[i] + m_hat / (v_hat.sqrt() + EPSILON));
            }
        }
        let got = Vec::<f32>::try_from(no_grad(|| weight.detach_())).unwrap();
        for (got, expected) in got.iter().zip(p) {
            assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} against {expected}");
        }
    }
}
