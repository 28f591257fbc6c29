//! Exponential moving average of the weights.

use tch::{Tensor, no_grad};

use crate::error::TrainError;
use crate::flat::Flat;

/// An average of the flat parameter vector over the optimizer steps.
///
/// ```text
/// w̄ ← d_k w̄ + (1 − d_k) w,    d_k = min(d, (1 + k) / (10 + k)),    w̄_0 = w_0
/// ```
///
/// `d` is the decay and `k` the step, from 1; `d_k` starts small, so that the initial weights are forgotten soon.
///
/// # References
/// Polyak & Juditsky (1992) for averaging; the warm-up is that of TensorFlow's
/// `ExponentialMovingAverage` with `num_updates`.
#[derive(Debug)]
pub(crate) struct Average {
    weights: Tensor,
    decay: f64,
}

impl Average {
    /// The average at step 0.
    pub(crate) fn new(flat: &Flat, decay: f64) -> Average {
        Average { weights: flat.parameters().copy(), decay }
    }

    /// The averaged weights, `[P]`.
    pub(crate) fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// Continues from saved weights.
    pub(crate) fn set_weights(&mut self, weights: &Tensor) -> Result<(), TrainError> {
        no_grad(|| self.weights.f_copy_(weights))?;
        Ok(())
    }

    /// Updates the average with the weights after step `step`, counted from 1; never waits for the device.
    pub(crate) fn update(&mut self, flat: &Flat, step: usize) -> Result<(), TrainError> {
        let step = step as f64;
        let decay = self.decay.min((1.0 + step) / (10.0 + step));
        let _ = no_grad(|| self.weights.f_lerp_(flat.parameters(), 1.0 - decay))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    /// Oracle: the recursion in f64, for weights that are set by hand.
    #[test]
    fn averages_as_written() {
        let store = VarStore::new(Device::Cpu);
        let _weight = store.root().var_copy("w", &Tensor::from_slice(&[1.0_f32]));
        let flat = Flat::new(&store).unwrap();
        let mut average = Average::new(&flat, 0.5);
        let mut expected = 1.0;
        for (step, weight) in [(1, 3.0), (2, -1.0), (3, 4.0), (4, 0.0), (40, 8.0)] {
            let _ = no_grad(|| flat.parameters().shallow_clone().fill_(weight));
            average.update(&flat, step).unwrap();
            // d_1 = 2/11, d_2 = 3/12, d_3 = 4/13, d_4 = 5/14, then the decay itself.
            let decay = [2.0 / 11.0, 3.0 / 12.0, 4.0 / 13.0, 5.0 / 14.0, 0.5][step.min(5) - 1];
            expected = decay * expected + (1.0 - decay) * weight;
        }
        assert!((average.weights().double_value(&[0]) - expected).abs() < 1e-6);
    }
}
