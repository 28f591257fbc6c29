//! Gaussians with independent coordinates.

use tch::Tensor;

use super::{GaussianRef, check_argument, check_vector, kl_per_dim, sum_last};
use crate::error::{Result, check_pair, wrong_shape};
use crate::special::{HALF_LN_2PI, expm1_minus};

/// A Gaussian with independent coordinates, `N(mean, diag(exp(2·log_std)))`.
///
/// ```
/// use objective::DiagonalGaussian;
/// use tch::{Device, Kind, Tensor};
///
/// let q = DiagonalGaussian::new(Tensor::ones([3, 2], (Kind::Double, Device::Cpu)), Tensor::zeros([3, 2], (Kind::Double, Device::Cpu)))?;
/// let kl = q.kl_to_standard(); // ½ (1² + 1²) nats in each of the three rows
/// assert_eq!(kl.size(), [3]);
/// assert!((kl.double_value(&[0]) - 1.0).abs() < 1e-15);
/// # Ok::<(), objective::ObjectiveError>(())
/// ```
#[derive(Debug)]
pub struct DiagonalGaussian {
    pub(super) mean: Tensor,
    pub(super) log_std: Tensor,
}

impl DiagonalGaussian {
    /// Builds the Gaussian from its mean and the logarithm of its standard deviation.
    ///
    /// # Shapes
    /// Both `[..., Z]`, `Z ≥ 1`, equal.
    ///
    /// # Errors
    /// If the shapes, kinds or devices differ, or a tensor is not floating point.
    pub fn new(mean: Tensor, log_std: Tensor) -> Result<Self> {
        check_vector("mean", &mean)?;
        check_pair(("mean", &mean), ("log_std", &log_std))?;
        if mean.size() != log_std.size() {
            return Err(wrong_shape(
                "log_std",
                &log_std,
                format!("{:?}, that of mean", mean.size()),
            ));
        }
        Ok(Self { mean, log_std })
    }

    /// The standard normal with the shape, kind and device of `like`.
    ///
    /// # Errors
    /// If `like` is a scalar or not floating point.
    pub fn standard_like(like: &Tensor) -> Result<Self> {
        check_vector("like", like)?;
        Self::new(like.detach().f_zeros_like()?, like.detach().f_zeros_like()?)
    }

    /// The mean, `[..., Z]`.
    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// The logarithm of the standard deviation, `[..., Z]`.
    pub fn log_std(&self) -> &Tensor {
        &self.log_std
    }

    /// The standard deviation, `[..., Z]`.
    pub fn std(&self) -> Tensor {
        self.log_std.exp()
    }

    /// The variance, `[..., Z]`.
    pub fn variance(&self) -> Tensor {
        (&self.log_std * 2.0).exp()
    }

    /// The same Gaussian with its parameters cut off from the graph, for "sticking the landing"
    /// ([`crate::elbo::GradientEstimator`]).
    pub fn detach(&self) -> Self {
        Self { mean: self.mean.detach(), log_std: self.log_std.detach() }
    }

    /// The log density of each coordinate, in nats.
    ///
    /// # Shapes
    /// `z`: broadcasts with `[..., Z]`, for instance `[K, B, Z]`; so does the result.
    ///
    /// # Errors
    /// If `z` does not broadcast, or differs in kind or device.
    pub fn log_prob_per_dim(&self, z: &Tensor) -> Result<Tensor> {
        check_argument("z", z, &self.mean)?;
        let standardized = (z - &self.mean) * (-&self.log_std).exp();
        Ok(standardized.square() * -0.5 - &self.log_std - HALF_LN_2PI)
    }

    /// The log density in nats, summed over the last axis.
    ///
    /// ```text
    /// log N(z; μ, σ²) = −½ Σ_i [ (z_i − μ_i)²/σ_i² + 2 ln σ_i + ln 2π ]
    /// ```
    ///
    /// # Shapes
    /// `z`: broadcasts with `[..., Z]`. Returns its batch axes.
    ///
    /// # Errors
    /// If `z` does not broadcast, or differs in kind or device.
    pub fn log_prob(&self, z: &Tensor) -> Result<Tensor> {
        Ok(sum_last(&self.log_prob_per_dim(z)?))
    }

    /// The reparameterized draw `z = μ + σ ε` for standard normal `noise` ε.
    ///
    /// # Shapes
    /// `noise`: broadcasts with `[..., Z]`; `[K, B, Z]` gives K draws.
    ///
    /// # Errors
    /// If `noise` does not broadcast, or differs in kind or device.
    ///
    /// # References
    /// Kingma & Welling (2014), section 2.4, arXiv:1312.6114.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor> {
        check_argument("noise", noise, &self.mean)?;
        Ok(self.mean.f_addcmul(&self.log_std.exp(), noise)?)
    }

    /// A reparameterized draw with noise from libtorch's generator; `[..., Z]`.
    pub fn sample_drawn(&self) -> Tensor {
        self.mean.addcmul(&self.log_std.exp(), &self.mean.detach().randn_like())
    }

    /// The entropy in nats, `Σ_i (ln σ_i + ½ ln 2πe)`; the batch axes.
    pub fn entropy(&self) -> Tensor {
        sum_last(&(&self.log_std + (HALF_LN_2PI + 0.5)))
    }

    /// The divergence from the standard normal, per coordinate, in nats; `[..., Z]`.
    ///
    /// ```text
    /// KL[N(μ, σ²) ‖ N(0, 1)] = ½ ( μ² + φ(2 ln σ) ),    φ(x) = eˣ − 1 − x
    /// ```
    ///
    /// In double precision `φ` is evaluated without cancellation: the value keeps its relative accuracy
    /// however close the two distributions are. In single precision its error is at most `2⁻²² |2 ln σ|`.
    pub fn kl_to_standard_per_dim(&self) -> Tensor {
        (self.mean.square() + expm1_minus(&(&self.log_std * 2.0))) * 0.5
    }

    /// The divergence from the standard normal in nats, summed over the last axis.
    pub fn kl_to_standard(&self) -> Tensor {
        sum_last(&self.kl_to_standard_per_dim())
    }

    /// The divergence from `other`, per coordinate, in nats: [`crate::Gaussian::kl_per_dim`].
    ///
    /// # Errors
    /// If `Z`, kind or device differ, or the batch axes do not broadcast.
    pub fn kl_per_dim<'a>(&'a self, other: impl Into<GaussianRef<'a>>) -> Result<Tensor> {
        kl_per_dim(self.into(), other.into())
    }

    /// The divergence from `other` in nats, summed over the last axis.
    ///
    /// # Errors
    /// As [`Self::kl_per_dim`].
    pub fn kl<'a>(&'a self, other: impl Into<GaussianRef<'a>>) -> Result<Tensor> {
        Ok(sum_last(&self.kl_per_dim(other)?))
    }
}
