//! The two layers from which every network is built, and the soft bound on logarithms of scales.

use tch::nn::{Init, Path};
use tch::{Kind, Tensor};

use crate::error::Result;

/// Bound on every logarithm of a scale: standard deviations stay within `e^±7`, about 1e-3 to 1e3.
pub(crate) const LOG_SCALE_BOUND: f64 = 7.0;

/// Standard deviation of a head's output at the start, for inputs of unit variance.
///
/// Small, so that posterior and prior start near `N(0, I)` and the decoder near zero mean and
/// unit scale; not zero, so that gradients reach the layers below.
pub(crate) const HEAD_GAIN: f64 = 0.05;

/// Variance-preserving gain of the hidden layers: SiLU halves the second moment, as ReLU does.
pub(crate) const HIDDEN_GAIN: f64 = std::f64::consts::SQRT_2;

/// An affine map of several inputs that need not be concatenated nor have equal leading axes.
///
/// ```text
/// y = Σ_i W_i u_i + b
/// ```
///
/// The terms broadcast, so an input that all channels or samples share is mapped once.
/// Weights are uniform with standard deviation `gain / √(Σ_i dim u_i)`, the bias is zero.
#[derive(Debug)]
pub(crate) struct Linear {
    weights: Vec<Tensor>,
    bias: Tensor,
}

impl Linear {
    /// One weight per input, named `weight` if there is one and `NAME_weight` if there are more.
    pub(crate) fn new(path: &Path, inputs: &[Part], out: i64, gain: f64) -> Result<Linear> {
        let fan_in: i64 = inputs.iter().map(|part| part.size).sum();
        let bound = gain * (3.0 / fan_in as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let weights = inputs
            .iter()
            .map(|part| {
                let name =
                    if inputs.len() == 1 { "weight" } else { &format!("{}_weight", part.name) };
                path.f_var(name, &[out, part.size], init)
            })
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let bias = path.f_zeros("bias", &[out])?;
        Ok(Linear { weights, bias })
    }

    /// Applies the map to inputs in the order they were declared, each `[.., size]`.
    pub(crate) fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        self.apply(inputs, false, 0.0)
    }

    /// Applies the map, followed by SiLU if `silu`, and by dropout.
    fn apply(&self, inputs: &[&Tensor], silu: bool, dropout: f64) -> Result<Tensor> {
        debug_assert_eq!(inputs.len(), self.weights.len(), "one input per declared part");
        let lead = leading(inputs[0]);
        let (mut full, mut weights) = (Vec::new(), Vec::new());
        let mut small: Option<Tensor> = None;
        for (&input, weight) in inputs.iter().zip(&self.weights) {
            if leading(input) == lead {
                full.push(input);
                weights.push(weight);
                continue;
            }
            // The bias goes with the first small term, where it is added to fewer numbers.
            small = Some(match small {
                None => torch_ext::affine(&[input], &[weight], &self.bias, false, 0.0)?,
                Some(sum) => sum.f_add(&input.f_linear(weight, None::<&Tensor>)?)?,
            });
        }
        let bias = small.as_ref().unwrap_or(&self.bias);
        Ok(torch_ext::affine(&full, &weights, bias, silu, dropout)?)
    }

    /// The weight of the first input, `[out, size]`.
    pub(crate) fn weight(&self) -> &Tensor {
        &self.weights[0]
    }

    /// The bias, `[out]`.
    pub(crate) fn bias(&self) -> &Tensor {
        &self.bias
    }
}

/// Converts 16-bit outputs of autocast to f32: the parameters of a law need the digits.
pub(crate) fn whole(output: Tensor) -> Result<Tensor> {
    match output.kind() {
        Kind::BFloat16 | Kind::Half => Ok(output.f_to_kind(Kind::Float)?),
        _ => Ok(output),
    }
}

/// All axes but the last.
fn leading(input: &Tensor) -> Vec<i64> {
    let mut size = input.size();
    size.pop();
    size
}

/// One input of a [`Linear`]: its name and the size of its last axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) size: i64,
}

/// Shorthand for a [`Part`].
pub(crate) fn part(name: &'static str, size: i64) -> Part {
    Part { name, size }
}

/// Layer normalization over the last axis, with gain and offset.
///
/// Ba, Kiros & Hinton (2016), eq. 4, arXiv:1607.06450.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    gain: Tensor,
    offset: Tensor,
    size: i64,
}

impl LayerNorm {
    pub(crate) fn new(path: &Path, size: i64) -> Result<LayerNorm> {
        let gain = path.f_ones("gain", &[size])?;
        let offset = path.f_zeros("offset", &[size])?;
        Ok(LayerNorm { gain, offset, size })
    }

    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_layer_norm([self.size], Some(&self.gain), Some(&self.offset), 1e-5, true)?)
    }
}

/// SiLU, `u · sigmoid(u)`, and dropout in training; the identity where the model is linear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activation {
    pub(crate) nonlinear: bool,
    pub(crate) dropout: f64,
}

impl Activation {
    /// The activation and dropout after an affine map, as one operation.
    pub(crate) fn after(self, map: &Linear, inputs: &[&Tensor], train: bool) -> Result<Tensor> {
        map.apply(inputs, self.nonlinear, if train { self.dropout } else { 0.0 })
    }

    pub(crate) fn apply(self, input: Tensor, train: bool) -> Result<Tensor> {
        let output = if self.nonlinear { input.f_silu()? } else { input };
        self.drop(output, train)
    }

    /// Dropout alone, for layers with an activation of their own.
    pub(crate) fn drop(self, input: Tensor, train: bool) -> Result<Tensor> {
        if !train || self.dropout == 0.0 {
            return Ok(input);
        }
        if torch_ext::share().is_none() {
            return Ok(input.f_dropout(self.dropout, true)?);
        }
        Ok(input.f_mul(&dropped_ones(&input.size(), 3, self.dropout, &input)?)?)
    }

    /// The gain that keeps the variance through this activation.
    pub(crate) fn gain(self) -> f64 {
        if self.nonlinear { HIDDEN_GAIN } else { 1.0 }
    }
}

/// Ones after dropout, for the rows that are here of a batch whose axis is `axis` from the end; a tensor times these is
/// the tensor after dropout.
pub(crate) fn dropped_ones(
    size: &[i64],
    axis: usize,
    probability: f64,
    like: &Tensor,
) -> Result<Tensor> {
    let options = (like.kind(), like.device());
    let draw = |size: &[i64]| Tensor::f_ones(size, options)?.f_dropout(probability, true);
    Ok(torch_ext::draw_share(size, axis, draw)?)
}

/// Bounds the logarithm of a scale, so that the scale and its square are safe in f32.
///
/// ```text
/// s ↦ 7 · tanh(s / 7)        slope 1 at 0, within ±7, with a gradient everywhere
/// ```
pub(crate) fn soft_bound(log_scale: &Tensor) -> Result<Tensor> {
    let bounded = (log_scale * (1.0 / LOG_SCALE_BOUND)).f_tanh()?;
    Ok(bounded * LOG_SCALE_BOUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    /// Oracle: the same weights applied to the concatenated inputs.
    #[test]
    fn a_sum_of_broadcast_maps_is_the_map_of_the_concatenation() {
        let store = VarStore::new(Device::Cpu);
        let parts = [part("a", 3), part("b", 2)];
        let linear = Linear::new(&store.root(), &parts, 4, 1.0).unwrap();
        let a = Tensor::randn([5, 7, 3], (Kind::Float, Device::Cpu));
        let b = Tensor::randn([7, 2], (Kind::Float, Device::Cpu));
        let found = linear.forward(&[&a, &b]).unwrap();
        let weight = Tensor::cat(&[&linear.weights[0], &linear.weights[1]], 1);
        let both = Tensor::cat(&[a, b.expand([5, 7, 2], false)], -1);
        let expected = both.matmul(&weight.tr()) + &linear.bias;
        assert!(found.allclose(&expected, 1e-5, 1e-6, false));
        let mut names: Vec<_> = store.variables().into_keys().collect();
        names.sort();
        assert_eq!(names, ["a_weight", "b_weight", "bias"]);
    }

    /// The three promises of the soft bound: slope one at zero, bounded, never flat.
    #[test]
    fn the_soft_bound_is_gentle_inside_and_bounded_outside() {
        let s = Tensor::from_slice(&[-40.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 40.0f64])
            .set_requires_grad(true);
        let bounded = soft_bound(&s).unwrap();
        bounded.sum(Kind::Double).backward();
        let values = Vec::<f64>::try_from(&bounded).unwrap();
        let slopes = Vec::<f64>::try_from(&s.grad()).unwrap();
        assert!((values[2] + 1e-3).abs() < 1e-9 && (slopes[3] - 1.0).abs() < 1e-12);
        // tanh u = u − u³/3 + …: at s = 1 the bound costs 1 / (3 · 49), less than one percent.
        assert!((values[5] - (1.0 - 1.0 / 147.0)).abs() < 1e-4, "{}", values[5]);
        assert!(values.iter().all(|v| v.abs() <= LOG_SCALE_BOUND));
        assert!(slopes.iter().all(|&slope| slope > 0.0), "{slopes:?}");
    }
}
