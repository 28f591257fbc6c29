//! Gaussians with full covariance, parametrized by a Cholesky factor with log-diagonal.

use tch::Tensor;

use super::{
    GaussianRef, check_argument, check_vector, kl_per_dim, row_terms, solve_vector, sum_last,
};
use crate::error::{Result, check_pair, wrong_shape};
use crate::special::HALF_LN_2PI;

/// A Gaussian with full covariance `L Lᵀ`, `L` lower triangular with diagonal `exp(log_diagonal)`.
#[derive(Debug)]
pub struct FullGaussian {
    pub(super) mean: Tensor,
    pub(super) log_diagonal: Tensor,
    pub(super) scale_tril: Tensor,
}

impl FullGaussian {
    /// Builds the Gaussian from its mean and the packed factor `L`.
    ///
    /// `packed` holds the `Z` logarithms of the diagonal of `L`, then its entries below the diagonal row
    /// by row: `L_10, L_20, L_21, L_30, …`. All zeros give the identity.
    ///
    /// # Shapes
    /// `mean`: `[..., Z]`; `packed`: `[..., Z(Z+1)/2]` with the same batch axes.
    ///
    /// # Errors
    /// If the shapes do not fit, kinds or devices differ, or a tensor is not floating point.
    pub fn new(mean: Tensor, packed: &Tensor) -> Result<Self> {
        let z = check_vector("mean", &mean)?;
        let mut expected = mean.size();
        *expected.last_mut().expect("check_vector refuses scalars") = Self::packed_len(z);
        if packed.size() != expected {
            return Err(wrong_shape("packed", packed, format!("{expected:?}")));
        }
        check_pair(("mean", &mean.narrow(-1, 0, 1)), ("packed", &packed.narrow(-1, 0, 1)))?;
        let log_diagonal = packed.f_narrow(-1, 0, z)?;
        let below = packed.f_narrow(-1, z, Self::packed_len(z) - z)?;
        let zero = log_diagonal.narrow(-1, 0, 1).detach().zeros_like();
        let index = Tensor::from_slice(&unpacking_index(z)).to_device(mean.device());
        let mut shape = mean.size();
        shape.push(z);
        let scale_tril = Tensor::f_cat(&[log_diagonal.exp(), below, zero], -1)?
            .f_index_select(-1, &index)?
            .f_view(shape.as_slice())?;
        Ok(Self { mean, log_diagonal, scale_tril })
    }

    /// Builds the Gaussian from its mean and a lower-triangular `scale_tril` with positive diagonal;
    /// entries above the diagonal are ignored.
    ///
    /// # Shapes
    /// `mean`: `[..., Z]`; `scale_tril`: `[..., Z, Z]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a diagonal entry is not positive; that check reads the tensor, and so
    /// waits for the device.
    pub fn from_scale_tril(mean: Tensor, scale_tril: &Tensor) -> Result<Self> {
        let z = check_vector("mean", &mean)?;
        let mut expected = mean.size();
        expected.push(z);
        if scale_tril.size() != expected {
            return Err(wrong_shape("scale_tril", scale_tril, format!("{expected:?}")));
        }
        check_pair(("mean", &mean.unsqueeze(-1)), ("scale_tril", scale_tril))?;
        let diagonal = scale_tril.diagonal(0, -2, -1);
        let least = diagonal.min().f_double_value(&[])?;
        crate::error::check_range("scale_tril diagonal", least, "(0, ∞)", least > 0.0)?;
        Ok(Self { mean, log_diagonal: diagonal.log(), scale_tril: scale_tril.f_tril(0)? })
    }

    /// Builds the Gaussian from its mean and covariance.
    ///
    /// # Shapes
    /// `mean`: `[..., Z]`; `covariance`: `[..., Z, Z]`, symmetric positive definite.
    ///
    /// # Errors
    /// If the shapes do not fit, or [`crate::ObjectiveError::Torch`] if the covariance is not positive
    /// definite.
    pub fn from_covariance(mean: Tensor, covariance: &Tensor) -> Result<Self> {
        let z = check_vector("mean", &mean)?;
        let mut expected = mean.size();
        expected.push(z);
        if covariance.size() != expected {
            return Err(wrong_shape("covariance", covariance, format!("{expected:?}")));
        }
        Self::from_scale_tril(mean, &covariance.f_linalg_cholesky(false)?)
    }

    /// The number of packed parameters of `L` for dimension `z`, `z(z+1)/2`.
    pub fn packed_len(z: i64) -> i64 {
        z * (z + 1) / 2
    }

    /// The mean, `[..., Z]`.
    pub fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// The lower-triangular factor `L` of the covariance, `[..., Z, Z]`.
    pub fn scale_tril(&self) -> &Tensor {
        &self.scale_tril
    }

    /// The logarithm of the diagonal of `L`, `[..., Z]`.
    pub fn log_diagonal(&self) -> &Tensor {
        &self.log_diagonal
    }

    /// The covariance `L Lᵀ`, `[..., Z, Z]`.
    pub fn covariance(&self) -> Tensor {
        self.scale_tril.matmul(&self.scale_tril.transpose(-2, -1))
    }

    /// The variance of each coordinate, `[..., Z]`.
    pub fn variance(&self) -> Tensor {
        sum_last(&self.scale_tril.square())
    }

    /// The same Gaussian with its parameters cut off from the graph.
    pub fn detach(&self) -> Self {
        Self {
            mean: self.mean.detach(),
            log_diagonal: self.log_diagonal.detach(),
            scale_tril: self.scale_tril.detach(),
        }
    }

    /// The log density of the coordinates in order, each given those before it, in nats.
    ///
    /// # Shapes
    /// `z`: broadcasts with `[..., Z]`; so does the result.
    ///
    /// # Errors
    /// If `z` does not broadcast, or differs in kind or device.
    pub fn log_prob_per_dim(&self, z: &Tensor) -> Result<Tensor> {
        check_argument("z", z, &self.mean)?;
        let standardized = solve_vector(&self.scale_tril, &(z - &self.mean))?;
        Ok(standardized.square() * -0.5 - &self.log_diagonal - HALF_LN_2PI)
    }

    /// The log density in nats, summed over the last axis.
    ///
    /// ```text
    /// log N(z; μ, L Lᵀ) = −½ ‖L⁻¹(z − μ)‖² − Σ_i ln L_ii − (Z/2) ln 2π
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

    /// The reparameterized draw `z = μ + L ε` for standard normal `noise` ε.
    ///
    /// # Shapes
    /// `noise`: broadcasts with `[..., Z]`; `[K, B, Z]` gives K draws.
    ///
    /// # Errors
    /// If `noise` does not broadcast, or differs in kind or device.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor> {
        check_argument("noise", noise, &self.mean)?;
        Ok(&self.mean + self.scale_tril.matmul(&noise.unsqueeze(-1)).squeeze_dim(-1))
    }

    /// A reparameterized draw with noise from libtorch's generator; `[..., Z]`.
    pub fn sample_drawn(&self) -> Tensor {
        let noise = self.mean.detach().randn_like().unsqueeze(-1);
        &self.mean + self.scale_tril.matmul(&noise).squeeze_dim(-1)
    }

    /// The entropy in nats, `Σ_i (ln L_ii + ½ ln 2πe)`; the batch axes.
    pub fn entropy(&self) -> Tensor {
        sum_last(&(&self.log_diagonal + (HALF_LN_2PI + 0.5)))
    }

    /// The divergence from the standard normal, one term per coordinate in order, in nats; `[..., Z]`.
    ///
    /// ```text
    /// ½ ( μ_i² + Σ_{j<i} L_ij² + φ(2 ln L_ii) ),    φ(x) = eˣ − 1 − x
    /// ```
    ///
    /// By the chain rule this is `E KL[q(z_i | z_{<i}) ‖ N(0, 1)]`, hence not negative.
    pub fn kl_to_standard_per_dim(&self) -> Tensor {
        row_terms(&self.mean, &self.scale_tril, &self.log_diagonal)
    }

    /// The divergence from the standard normal in nats, summed over the last axis.
    pub fn kl_to_standard(&self) -> Tensor {
        sum_last(&self.kl_to_standard_per_dim())
    }

    /// The divergence from `other`, one term per coordinate in order, in nats: [`crate::Gaussian::kl_per_dim`].
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

/// Index of each entry of `L`, row by row, into `[diagonal, below the diagonal, zero]`.
fn unpacking_index(z: i64) -> Vec<i64> {
    let zero = FullGaussian::packed_len(z);
    let mut below = z..;
    let mut index = Vec::new();
    for row in 0..z {
        for column in 0..z {
            index.push(match column.cmp(&row) {
                std::cmp::Ordering::Less => below.next().expect("an unbounded range does not end"),
                std::cmp::Ordering::Equal => row,
                std::cmp::Ordering::Greater => zero,
            });
        }
    }
    index
}
