//! The normal law.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use tch::{Device, Kind, Tensor};

use super::StandardLaw;
use crate::error::Result;
use crate::special::HALF_LN_2PI;

/// The standard normal law; the scale is the standard deviation.
#[derive(Debug)]
pub(super) struct Gaussian;

impl StandardLaw for Gaussian {
    fn std(&self, scale: Tensor) -> Tensor {
        scale
    }

    fn log_density(&self, r: &Tensor) -> Tensor {
        r.square() * -0.5 - HALF_LN_2PI
    }

    /// `N(0, (a σ)² + s²)`; the two variances are added as logarithms, so neither can overflow.
    fn noised_log_density(
        &self,
        residual: &Tensor,
        log_scale: &Tensor,
        noise_std: &Tensor,
    ) -> Tensor {
        let log_variance = (log_scale * 2.0).logaddexp(&(noise_std.log() * 2.0));
        log_density_of_variance(residual, &log_variance)
    }

    fn cdf(&self, r: &Tensor) -> Tensor {
        (r * -FRAC_1_SQRT_2).erfc() * 0.5
    }

    /// `r (2Φ(r) − 1) + 2φ(r) − 1/√π`.
    fn crps(&self, r: &Tensor) -> Tensor {
        let density = (r.square() * -0.5 - HALF_LN_2PI).exp();
        r * (r * FRAC_1_SQRT_2).erf() + density * 2.0 - FRAC_2_SQRT_PI * 0.5
    }

    fn draw(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        Ok(Tensor::f_randn(shape, options)?)
    }

    fn of_normals(&self, normals: &Tensor) -> Result<Tensor> {
        Ok(normals.shallow_clone())
    }
}

/// `ln N(residual; 0, exp(log_variance))`, standardized before squaring.
pub(super) fn log_density_of_variance(residual: &Tensor, log_variance: &Tensor) -> Tensor {
    let r = residual * (log_variance * -0.5).exp();
    log_variance.addcmul(&r, &r) * -0.5 - HALF_LN_2PI
}
