//! Importance weights `w_k = p(y, z_k)/q(z_k)`: the IWAE bound, the estimate of the evidence, and
//! gradients of lower variance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{ObjectiveError, Result, check_float, check_pair, wrong_shape};

/// Estimator of the gradient with respect to the posterior's parameters.
///
/// The density `log q(z)` depends on those parameters in two ways: through the draw `z` and directly. The
/// direct part (the score) has expectation zero at K = 1 and only adds variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GradientEstimator {
    /// Differentiate everything.
    #[default]
    Plain,
    /// "Sticking the landing": evaluate `log q` with detached parameters
    /// ([`crate::DiagonalGaussian::detach`]), so that the score is left out. Its variance is zero at the true
    /// posterior. Unbiased for the ELBO (K = 1) only.
    ///
    /// Roeder, Wu & Duvenaud (2017), arXiv:1703.09194.
    Stl,
    /// Doubly reparameterized: unbiased for the IWAE bound of any K ([`dreg_surrogate`]); equals `Stl` at
    /// K = 1.
    ///
    /// Tucker et al. (2019), arXiv:1810.04152.
    Dreg,
}

/// The importance-weighted bound, in nats.
///
/// ```text
/// L_K = log (1/K) Σ_k w_k  ≤  log p(y),      K = 1: the ELBO; increasing in K in expectation
/// ```
///
/// # Shapes
/// `log_weights`: `[K, B]`, `K ≥ 1`. Returns `[B]`.
///
/// # Errors
/// If the tensor is not `[K, B]` or not floating point.
///
/// # References
/// Burda, Grosse & Salakhutdinov (2016), eq. 8, arXiv:1509.00519.
pub fn iwae(log_weights: &Tensor) -> Result<Tensor> {
    let draws = check_weights(log_weights)?;
    Ok(log_weights.logsumexp([0i64].as_slice(), false) - (draws as f64).ln())
}

/// An importance-sampling estimate of the log evidence, with two measures of its quality.
#[derive(Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// `log (1/K) Σ w_k`, `[B]`, in nats; biased downwards by about half its squared standard error.
    pub log_evidence: Tensor,
    /// Its standard error by the delta method, `sd(w)/(√K mean(w))`, `[B]`; NaN for K = 1.
    pub standard_error: Tensor,
    /// The effective number of draws `(Σw)²/Σw²`, `[B]`, from 1 to K. If it is far below K, neither of the other
    /// two fields can be trusted.
    pub effective_draws: Tensor,
}

/// Estimates the log evidence from importance weights; no gradient.
///
/// # Shapes
/// `log_weights`: `[K, B]`, `K ≥ 1`.
///
/// # Errors
/// If the tensor is not `[K, B]` or not floating point.
pub fn evidence(log_weights: &Tensor) -> Result<Evidence> {
    let log_weights = log_weights.detach();
    let log_evidence = iwae(&log_weights)?;
    let draws = log_weights.size()[0] as f64;
    let relative = (&log_weights - &log_evidence).exp(); // mean 1 over the draws
    let standard_error = relative.std_dim([0i64].as_slice(), true, false) / draws.sqrt();
    let square = relative.square().sum_dim_intlist([0i64].as_slice(), false, None::<Kind>);
    let total = relative.sum_dim_intlist([0i64].as_slice(), false, None::<Kind>);
    Ok(Evidence { log_evidence, standard_error, effective_draws: total.square() / square })
}

/// A scalar whose gradient is the doubly reparameterized gradient of minus the batch-mean IWAE bound.
///
/// ```text
/// model   θ:  −(1/B) Σ_b Σ_k ŵ_k  ∂_θ log w_k
/// encoder φ:  −(1/B) Σ_b Σ_k ŵ_k² (∂ log w_k/∂z_k) (∂z_k/∂φ),      ŵ_k = w_k / Σ_j w_j
/// ```
///
/// Its value is minus the bound. The caller draws `z` from the posterior, cuts it with
/// `leaf = z.detach().set_requires_grad(true)`, and computes the log weights **from the leaf** with `log q`'s
/// parameters detached, so that θ is reached directly and φ only through `z`:
///
/// ```
/// use objective::{DiagonalGaussian, elbo};
/// use tch::{Device, Kind, Tensor};
///
/// let options = (Kind::Double, Device::Cpu);
/// let mean = Tensor::zeros([4, 2], options).set_requires_grad(true);
/// let q = DiagonalGaussian::new(mean.shallow_clone(), Tensor::zeros([4, 2], options))?;
/// let z = q.sample(&Tensor::randn([8, 4, 2], options))?;
/// let leaf = z.detach().set_requires_grad(true);
/// let joint = (&leaf - 1.0).square().sum_dim_intlist([-1i64].as_slice(), false, Kind::Double) * -1.0;
/// let log_weights = joint - q.detach().log_prob(&leaf)?;
/// elbo::dreg_surrogate(&z, &leaf, &log_weights)?.backward();
/// assert_eq!(mean.grad().size(), [4, 2]);
/// # Ok::<(), objective::ObjectiveError>(())
/// ```
///
/// It serves a single vector of latents; a hierarchy would need the same split at each level.
///
/// # Shapes
/// `z`, `leaf`: `[K, B, Z]`; `log_weights`: `[K, B]`. Returns a scalar.
///
/// # Errors
/// If the shapes do not fit, or [`ObjectiveError::NoGradient`] if the weights do not depend on `leaf`.
///
/// # References
/// Tucker et al. (2019), arXiv:1810.04152.
pub fn dreg_surrogate(z: &Tensor, leaf: &Tensor, log_weights: &Tensor) -> Result<Tensor> {
    check_weights(log_weights)?;
    check_pair(("z", z), ("leaf", leaf))?;
    if z.size() != leaf.size() || z.dim() != 3 || z.size()[..2] != log_weights.size()[..] {
        return Err(wrong_shape("z", z, format!("that of leaf, {:?} + [Z]", log_weights.size())));
    }
    let unreached = ObjectiveError::NoGradient { what: "leaf" };
    if !leaf.requires_grad() || !log_weights.requires_grad() {
        return Err(unreached);
    }
    let batch = log_weights.size()[1] as f64;
    let normalized = log_weights.detach().softmax(0, None::<Kind>);
    let weighted = (&normalized * log_weights).sum(None::<Kind>) / batch;
    let gradients = Tensor::f_run_backward(&[&weighted], &[leaf], true, false)?;
    let gradient = gradients.first().filter(|gradient| gradient.defined()).ok_or(unreached)?;
    let path = z * (gradient * normalized.unsqueeze(-1)).detach();
    let value = iwae(&log_weights.detach())?.mean(None::<Kind>);
    let surrogate = weighted + path.sum(None::<Kind>);
    // The gradient is that of the surrogate, and the value that of the bound.
    Ok(-(&surrogate - surrogate.detach() + value))
}

/// The number of draws K of log weights `[K, B]`.
fn check_weights(log_weights: &Tensor) -> Result<i64> {
    check_float("log_weights", log_weights)?;
    match log_weights.size().as_slice() {
        &[draws, _] if draws >= 1 => Ok(draws),
        _ => Err(wrong_shape("log_weights", log_weights, "[K, B] with K ≥ 1")),
    }
}
