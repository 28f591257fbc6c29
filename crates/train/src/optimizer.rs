//! AdamW on the flat vectors, with clipping, which skips steps that are not finite.

use tch::{Tensor, no_grad};
use torch_ext::{AdamWSettings, Clipping, FusedAdamW, Guard, clip};

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::flat::Flat;

/// [`FusedAdamW`] on the flat parameters, with the gradient clipped to the norm `c`.
///
/// ```text
/// g ← g · min(1, c / ‖g‖)
/// ```
///
/// A step whose loss or gradient is not finite changes nothing. Weight decay `w` pulls parameters towards zero, except
/// a linear skip initialized from ridge regression, which it pulls towards that start, `p₀`.
///
/// ```text
/// p ← p − η w (p − p₀)
/// ```
#[derive(Debug)]
pub struct AdamW {
    fused: FusedAdamW,
    clip_norm: f64,
    anchors: Vec<Anchor>,
}

/// The start that some of the parameters decay to.
#[derive(Debug)]
struct Anchor {
    /// A view of these parameters.
    parameters: Tensor,
    /// Their initial values.
    start: Tensor,
    decay: f64,
}

impl Anchor {
    /// Adds `η w p₀`, which turns the decay towards zero into one towards `p₀`; `torn` marks a skipped step.
    fn step(&mut self, learning_rate: f64, torn: &Tensor) -> Result<(), TrainError> {
        let back = self.start.f_masked_fill(torn, 0.0)? * (learning_rate * self.decay);
        let _ = self.parameters.f_add_(&back)?;
        Ok(())
    }
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl AdamW {
    /// An optimizer at step 0.
    ///
    /// # Errors
    /// [`TrainError::Extension`] if the weight decay is out of range.
    pub fn new(flat: &Flat, config: &TrainConfig) -> Result<AdamW, TrainError> {
        let decayed = if config.decay_vectors { flat.len() } else { flat.matrices() };
        let settings = AdamWSettings {
            beta_1: BETA_1,
            beta_2: BETA_2,
            epsilon: EPSILON,
            weight_decay: config.weight_decay,
            decayed: decayed as i64,
        };
        let fused = FusedAdamW::new(flat.parameters(), settings)?;
        let decay = config.weight_decay;
        let anchored: &[&str] = match (config.ridge_start && decay > 0.0, config.decay_vectors) {
            (false, _) => &[],
            (true, false) => &["skip.weight"],
            (true, true) => &["skip.weight", "skip.bias"],
        };
        let views = anchored.iter().filter_map(|name| flat.view(name));
        let anchors = views
            .map(|parameters| Anchor { start: parameters.copy(), parameters, decay })
            .collect();
        Ok(AdamW { fused, clip_norm: config.clip_norm, anchors })
    }

    /// Takes one step with the gradient of `loss` that `flat` holds, and returns its norm, a scalar on the device.
    /// Never waits for the device.
    ///
    /// # Errors
    /// [`TrainError::Feed`] or [`TrainError::Extension`] if libtorch fails.
    pub fn step(
        &mut self,
        flat: &Flat,
        loss: &Tensor,
        learning_rate: f64,
    ) -> Result<Tensor, TrainError> {
        no_grad(|| {
            let Clipping { norm, scale, torn } = clip(flat.gradients(), loss, self.clip_norm)?;
            let grad_scale = (self.clip_norm > 0.0).then_some(&scale);
            let guard = Guard { grad_scale, found_inf: Some(&torn) };
            self.fused.step(flat.parameters(), flat.gradients(), learning_rate, guard)?;
            for anchor in &mut self.anchors {
                anchor.step(learning_rate, &torn)?;
            }
            Ok(norm)
        })
    }

    /// First moments, second moments and the number of steps.
    pub(crate) fn state(&self) -> [&Tensor; 3] {
        self.fused.state()
    }

    /// Continues from the moments and the number of steps of another optimizer.
    pub(crate) fn restore(&self, state: [&Tensor; 3]) -> Result<(), TrainError> {
        for (mine, saved) in self.fused.state().into_iter().zip(state) {
            no_grad(|| mine.shallow_clone().f_copy_(saved))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, nn};

    /// Oracle: the recursion of AdamW in f64, one scalar at a time, for a matrix that decays, a skip that decays to its
    /// start if that is ridge regression, a bias that does so if vectors decay, and skipped steps.
    #[test]
    fn matches_the_scalar_recursion() {
        for (ridge_start, decay_vectors) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            recursion(ridge_start, decay_vectors);
        }
    }

    fn recursion(ridge_start: bool, decay_vectors: bool) {
        let store = nn::VarStore::new(Device::Cpu);
        let one = |value: f32| Tensor::from_slice(&[value]).view([1, 1]);
        let weight = store.root().var_copy("a", &one(1.0));
        let skip = (store.root() / "skip").var_copy("weight", &one(-2.0));
        let bias = (store.root() / "skip").var_copy("bias", &Tensor::from_slice(&[0.5_f32]));
        let flat = Flat::new(&store).unwrap();
        let (rate, decay, clip) = (0.1, 0.3, 1.0);
        let config = TrainConfig {
            weight_decay: decay,
            clip_norm: clip,
            ridge_start,
            decay_vectors,
            ..TrainConfig::default()
        };
        let mut optimizer = AdamW::new(&flat, &config).unwrap();

        let start = if ridge_start { [0.0, -2.0, 0.5] } else { [0.0; 3] };
        let decays = [true, true, decay_vectors];
        let mut p = [1.0_f64, -2.0, 0.5];
        let (mut m, mut v) = ([0.0; 3], [0.0; 3]);
        let mut k = 0;
        for round in 0..24 {
            flat.zero_gradients();
            // Gradient 2 w.
            let loss = weight.square().sum(Kind::Float)
                + skip.square().sum(Kind::Float)
                + bias.square().sum(Kind::Float);
            loss.backward();
            let torn = [3, 11].contains(&round);
            if torn {
                let _ = flat.gradients().narrow(0, 1, 1).fill_(f64::NAN);
            }
            let poisoned = round == 17;
            let loss = if poisoned { loss * f64::INFINITY } else { loss };
            let norm = optimizer.step(&flat, &loss.detach(), rate).unwrap().double_value(&[]);
            assert_eq!(norm.is_nan(), torn);
            if torn || poisoned {
                continue;
            }
            k += 1;
            let raw = p.map(|w| 2.0 * w);
            let expected = raw.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((norm - expected).abs() < 1e-5 * expected);
            for i in 0..3 {
                let g = raw[i] * (clip / expected).min(1.0);
                m[i] = BETA_1 * m[i] + (1.0 - BETA_1) * g;
                v[i] = BETA_2 * v[i] + (1.0 - BETA_2) * g * g;
                let m_hat = m[i] / (1.0 - BETA_1.powi(k));
                let v_hat = v[i] / (1.0 - BETA_2.powi(k));
                let decayed = if decays[i] { decay * (p[i] - start[i]) } else { 0.0 };
                p[i] -= rate * (decayed + m_hat / (v_hat.sqrt() + EPSILON));
            }
        }
        let got = Vec::<f32>::try_from(flat.parameters()).unwrap();
        for (got, expected) in got.iter().zip(p) {
            assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} against {expected}");
        }
    }
}
