//! Correlated residuals: a Gaussian copula over steps and channels.

use tch::nn::{Init, Path};
use tch::{Kind, Tensor, no_grad};

use crate::VaeError;
use crate::error::Result;

/// Cholesky factors of the correlations between steps and between channels; not trained.
///
/// ```text
/// g = L_T Z L_Cᵀ,   Z standard normal [T, C]:    corr(g_{s,c}, g_{t,d}) = R_T[s, t] · R_C[c, d]
/// ```
#[derive(Debug)]
pub(crate) struct Copula {
    steps: Tensor,
    channels: Tensor,
}

impl Copula {
    /// A copula of independent residuals, until [`Copula::set`].
    pub(crate) fn new(path: &Path, steps: i64, channels: i64) -> Result<Copula> {
        let identity = |name: &str, size: i64| -> Result<Tensor> {
            let factor = path.f_var(name, &[size, size], Init::Const(0.0))?;
            let factor = factor.set_requires_grad(false);
            let eye = Tensor::f_eye(size, (factor.kind(), factor.device()))?;
            no_grad(|| factor.shallow_clone().f_copy_(&eye))?;
            Ok(factor)
        };
        Ok(Copula { steps: identity("steps", steps)?, channels: identity("channels", channels)? })
    }

    /// Sets the correlation matrices.
    pub(crate) fn set(&self, steps: &Tensor, channels: &Tensor) -> Result<()> {
        for (tensor, own, new) in
            [("steps", &self.steps, steps), ("channels", &self.channels, channels)]
        {
            if own.size() != new.size() {
                let expected = format!("{:?}", own.size());
                return Err(VaeError::Shape { tensor, expected, found: new.size() });
            }
            let factor = new.f_to_kind(Kind::Double)?.f_linalg_cholesky(false)?;
            no_grad(|| own.shallow_clone().f_copy_(&factor.f_to_kind(own.kind())?))?;
        }
        Ok(())
    }

    /// Standard normals with this dependence, `[.., T, C]`.
    pub(crate) fn normals(&self, shape: &[i64]) -> Result<Tensor> {
        let independent = Tensor::f_randn(shape, (self.steps.kind(), self.steps.device()))?;
        let steps = self.steps.f_matmul(&independent)?;
        Ok(steps.f_matmul(&self.channels.f_tr()?)?)
    }
}
