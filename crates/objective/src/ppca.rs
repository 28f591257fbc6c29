//! Probabilistic PCA: the latent variable model with a linear decoder, whose evidence and posterior are
//! known exactly. It is an oracle for everything that approximates them.
//!
//! ```text
//! z ~ N(0, I),   x | z ~ N(W z + b, σ² I)
//! x ~ N(b, W Wᵀ + σ² I),   z | x ~ N(M⁻¹ Wᵀ (x − b), σ² M⁻¹),   M = Wᵀ W + σ² I
//! ```
//!
//! Tipping & Bishop (1999), *Probabilistic principal component analysis*. Derivations:
//! `docs/math/objective.md`, section 5.

use tch::{Kind, Tensor};

use crate::error::{ObjectiveError, Result, check_float, check_pair, check_range, wrong_shape};
use crate::gaussian::{DiagonalGaussian, FullGaussian};
use crate::special::HALF_LN_2PI;

/// A linear Gaussian latent variable model.
///
/// ```
/// use objective::Ppca;
/// use tch::{Device, Kind, Tensor};
///
/// let options = (Kind::Double, Device::Cpu);
/// let model = Ppca::new(Tensor::ones([3, 1], options), Tensor::zeros([3], options), 0.5)?;
/// let x = model.sample(10)?;
/// let posterior = model.posterior(&x)?;
/// let elbo = model.expected_log_likelihood(&posterior, &x)? - posterior.kl_to_standard();
/// let gap = (model.log_evidence(&x)? - elbo).abs().max().double_value(&[]);
/// assert!(gap < 1e-12); // the bound is tight at the exact posterior
/// # Ok::<(), objective::ObjectiveError>(())
/// ```
#[derive(Debug)]
pub struct Ppca {
    weights: Tensor,
    offset: Tensor,
    variance: f64,
}

impl Ppca {
    /// Builds the model from `W`, `b` and the noise variance `σ²`.
    ///
    /// # Shapes
    /// `weights`: `[D, Z]`; `offset`: `[D]`.
    ///
    /// # Errors
    /// If the shapes do not fit, a tensor is not floating point, or the variance is not positive.
    pub fn new(weights: Tensor, offset: Tensor, variance: f64) -> Result<Self> {
        check_float("weights", &weights)?;
        if weights.dim() != 2 || weights.size().contains(&0) {
            return Err(wrong_shape("weights", &weights, "[D, Z]"));
        }
        let dimension = weights.size()[0];
        if offset.size() != [dimension] {
            return Err(wrong_shape("offset", &offset, format!("[{dimension}]")));
        }
        check_pair(("weights", &weights.narrow(1, 0, 1)), ("offset", &offset.unsqueeze(-1)))?;
        let positive = 0.0 < variance && variance < f64::INFINITY;
        check_range("variance", variance, "(0, ∞)", positive)?;
        Ok(Self { weights, offset, variance })
    }

    /// The maximum-likelihood model of data `x` with `latent` dimensions.
    ///
    /// ```text
    /// σ² = mean of the D − Z smallest eigenvalues of the sample covariance S (divided by N)
    /// W  = U_Z (Λ_Z − σ² I)^½      up to a rotation of the latent space;    b = mean of x
    /// ```
    ///
    /// # Shapes
    /// `x`: `[N, D]`, `latent < D`.
    ///
    /// # Errors
    /// If the shape does not fit, `latent` lies outside `[1, D)`, or the data have no variance
    /// outside the latent directions.
    ///
    /// # References
    /// Tipping & Bishop (1999), eq. 7 and 8.
    pub fn fit(x: &Tensor, latent: i64) -> Result<Self> {
        check_float("x", x)?;
        if x.dim() != 2 || x.size()[0] == 0 {
            return Err(wrong_shape("x", x, "[N, D] with N ≥ 1"));
        }
        let dimension = x.size()[1];
        check_range("latent", latent as f64, "[1, D)", 1 <= latent && latent < dimension)?;
        let offset = x.mean_dim([0i64].as_slice(), false, None::<Kind>);
        let centered = x - &offset;
        let covariance = centered.tr().matmul(&centered) / x.size()[0] as f64;
        let (values, vectors) = covariance.f_linalg_eigh("L")?; // ascending
        let rest = dimension - latent;
        let variance = values.narrow(0, 0, rest).mean(None::<Kind>).f_double_value(&[])?;
        let excess = (values.narrow(0, rest, latent) - variance).clamp_min(0.0);
        let weights = vectors.narrow(1, rest, latent) * excess.sqrt();
        Self::new(weights, offset, variance)
    }

    /// `W`, `[D, Z]`.
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// `b`, `[D]`.
    pub fn offset(&self) -> &Tensor {
        &self.offset
    }

    /// The noise variance `σ²`.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// `n` draws of `x` from libtorch's generator, `[n, D]`.
    ///
    /// # Errors
    /// If `n` is negative or memory runs out.
    pub fn sample(&self, n: i64) -> Result<Tensor> {
        check_range("n", n as f64, "[0, ∞)", n >= 0)?;
        let options = (self.weights.kind(), self.weights.device());
        let (dimension, latent) = (self.weights.size()[0], self.weights.size()[1]);
        let z = Tensor::f_randn([n, latent], options)?;
        let noise = Tensor::f_randn([n, dimension], options)?;
        Ok(z.matmul(&self.weights.tr()) + &self.offset + noise * self.variance.sqrt())
    }

    /// The distribution of `x`, `N(b, W Wᵀ + σ² I)`.
    ///
    /// # Errors
    /// If the covariance is not positive definite in this precision.
    pub fn marginal(&self) -> Result<FullGaussian> {
        let covariance = self.weights.matmul(&self.weights.tr()) + self.noise(0);
        FullGaussian::from_covariance(self.offset.shallow_clone(), &covariance)
    }

    /// The log evidence `log p(x)` of each row, in nats; `x`: `[N, D]`, result `[N]`.
    ///
    /// # Errors
    /// If the last axis, kind or device of `x` does not fit the model.
    pub fn log_evidence(&self, x: &Tensor) -> Result<Tensor> {
        self.marginal()?.log_prob(x)
    }

    /// The exact posterior of each row, `N(M⁻¹ Wᵀ (x − b), σ² M⁻¹)`.
    ///
    /// # Shapes
    /// `x`: `[N, D]`. The Gaussian is over `[N, Z]`.
    ///
    /// # Errors
    /// If the last axis, kind or device of `x` does not fit the model.
    pub fn posterior(&self, x: &Tensor) -> Result<FullGaussian> {
        let residual = self.residual(x)?;
        let latent = self.weights.size()[1];
        let precision = self.precision();
        let lower = precision.f_linalg_cholesky(false)?;
        let identity = Tensor::eye(latent, (self.weights.kind(), self.weights.device()));
        let covariance = identity.f_cholesky_solve(&lower, false)?;
        let mean = (residual.matmul(&self.weights) / self.variance).matmul(&covariance);
        let covariance = covariance.expand([mean.size()[0], latent, latent], false);
        FullGaussian::from_covariance(mean, &covariance)
    }

    /// The diagonal Gaussian nearest to the exact posterior in `KL[q ‖ posterior]`: the same mean, and the
    /// inverses of the precision's diagonal as variances.
    ///
    /// # Errors
    /// As [`Self::posterior`].
    pub fn best_diagonal(&self, x: &Tensor) -> Result<DiagonalGaussian> {
        let mean = self.posterior(x)?.mean().shallow_clone();
        let log_std = self.precision().diagonal(0, 0, 1).log() * -0.5;
        let log_std = log_std.expand_as(&mean);
        DiagonalGaussian::new(mean, log_std)
    }

    /// Divergence of [`Self::best_diagonal`] from the exact posterior, in nats; it is the same for every `x`.
    ///
    /// ```text
    /// min_q KL[q ‖ posterior] = ½ ( Σ_i ln P_ii − ln det P ),    P = M/σ²
    /// ```
    ///
    /// # Errors
    /// If `P` is not positive definite in this precision.
    pub fn diagonal_gap(&self) -> Result<f64> {
        let precision = self.precision();
        let independent = precision.diagonal(0, 0, 1).log().sum(None::<Kind>);
        let lower = precision.f_linalg_cholesky(false)?;
        let joint = lower.diagonal(0, 0, 1).log().sum(None::<Kind>) * 2.0;
        Ok(((independent - joint) * 0.5).f_double_value(&[])?)
    }

    /// `E_q log p(x | z)` in closed form for a Gaussian `q` over `[N, Z]`, in nats.
    ///
    /// ```text
    /// −(D/2) ln 2πσ² − ( ‖x − W μ − b‖² + tr(W Σ Wᵀ) ) / 2σ²
    /// ```
    ///
    /// # Shapes
    /// `x`: `[N, D]`. Returns `[N]`.
    ///
    /// # Errors
    /// If the shapes do not fit, or kinds or devices differ.
    pub fn expected_log_likelihood<'a>(
        &self,
        q: impl Into<crate::GaussianRef<'a>>,
        x: &Tensor,
    ) -> Result<Tensor> {
        let residual = self.residual(x)?;
        // ‖W L‖² over both axes is tr(W L Lᵀ Wᵀ).
        let (mean, spread) = match q.into() {
            crate::GaussianRef::Diagonal(q) => (q.mean(), &self.weights * q.std().unsqueeze(-2)),
            crate::GaussianRef::Full(q) => (q.mean(), self.weights.f_matmul(q.scale_tril())?),
        };
        let (rows, latent) = (x.size()[0], self.weights.size()[1]);
        if mean.size() != [rows, latent] {
            return Err(wrong_shape("q", mean, format!("[{rows}, {latent}]")));
        }
        let miss = residual - mean.matmul(&self.weights.tr());
        let squares = miss.square().sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>)
            + spread.square().sum_dim_intlist([-2i64, -1].as_slice(), false, None::<Kind>);
        let dimension = self.weights.size()[0] as f64;
        let constant = dimension * (HALF_LN_2PI + 0.5 * self.variance.ln());
        Ok(squares / (-2.0 * self.variance) - constant)
    }

    /// `P = M/σ² = I + WᵀW/σ²`, the precision of the posterior.
    fn precision(&self) -> Tensor {
        let latent = self.weights.size()[1];
        let identity = Tensor::eye(latent, (self.weights.kind(), self.weights.device()));
        self.weights.tr().matmul(&self.weights) / self.variance + identity
    }

    fn noise(&self, axis: usize) -> Tensor {
        let options = (self.weights.kind(), self.weights.device());
        Tensor::eye(self.weights.size()[axis], options) * self.variance
    }

    /// `x − b`, checked.
    fn residual(&self, x: &Tensor) -> Result<Tensor> {
        let dimension = self.weights.size()[0];
        if x.dim() != 2 || x.size()[1] != dimension {
            return Err(wrong_shape("x", x, format!("[N, {dimension}]")));
        }
        check_pair(("x", x), ("offset", &self.offset))?;
        Ok(x - &self.offset)
    }
}

/// The cosines of the principal angles between the column spaces of `left` and `right`, in descending
/// order: all 1 when the smaller space lies in the larger.
///
/// # Shapes
/// `left`: `[D, A]`, `right`: `[D, B]`, of full column rank. Returns `[min(A, B)]`.
///
/// # Errors
/// If the shapes do not fit, or kinds or devices differ.
///
/// # References
/// Björck & Golub (1973).
pub fn principal_cosines(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    check_float("left", left)?;
    if left.dim() != 2 || right.dim() != 2 || left.size()[0] != right.size()[0] {
        return Err(ObjectiveError::Broadcast {
            left_name: "left",
            left: left.size(),
            right_name: "right",
            right: right.size(),
        });
    }
    check_pair(("left", &left.narrow(1, 0, 1)), ("right", &right.narrow(1, 0, 1)))?;
    let (left, _) = Tensor::f_linalg_qr(left, "reduced")?;
    let (right, _) = Tensor::f_linalg_qr(right, "reduced")?;
    let (_, cosines, _) = left.tr().matmul(&right).f_svd(true, false)?;
    Ok(cosines.clamp_max(1.0))
}

#[cfg(test)]
mod tests;
