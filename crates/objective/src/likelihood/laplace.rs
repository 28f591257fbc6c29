//! The Laplace law, and the normal-Laplace law of its sum with Gaussian noise.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, SQRT_2};

use tch::{Device, Kind, Tensor};

use super::StandardLaw;
use super::noised::{floored, without_noise};
use crate::error::Result;
use crate::special::{ln_mills, ln_ndtr_positive};

/// The standard Laplace law, density `½ e^{−|r|}`; the scale is the mean absolute deviation.
#[derive(Debug)]
pub(super) struct Laplace;

impl StandardLaw for Laplace {
    fn std(&self, scale: Tensor) -> Tensor {
        scale * SQRT_2
    }

    fn log_density(&self, r: &Tensor) -> Tensor {
        -r.abs() - LN_2
    }

    /// The normal-Laplace density with `r = s/b` and `t = |residual|/s`.
    ///
    /// ```text
    /// f = 1/(2b) · [ e^{r²/2 − rt} Φ(t − r) + e^{r²/2 + rt} Φ(−t − r) ]
    ///     e^{r²/2 ∓ rt} Φ(±t − r) = e^{−t²/2} · ½ erfcx((r ∓ t)/√2)
    /// ```
    ///
    /// The right-hand form is used where `r ∓ t ≥ 0` and the left-hand one elsewhere, so that neither
    /// overflows or cancels.
    fn noised_log_density(
        &self,
        residual: &Tensor,
        log_scale: &Tensor,
        noise_std: &Tensor,
    ) -> Tensor {
        let without_noise = without_noise(noise_std, log_scale);
        let log_noise = noise_std.log();
        let log_b = floored(log_scale, &log_noise);
        let log_s = log_b.detach().where_self(&without_noise, &log_noise);
        let r = (&log_s - &log_b).exp();
        let t = residual.abs() * (-&log_s).exp();
        let square = t.square() * -0.5;

        let gap = &r - &t;
        let inside = gap.ge(0.0);
        let near = &square + ln_mills(&gap.clamp_min(0.0));
        let far = r.square() * 0.5 - &r * &t + ln_ndtr_positive(&(-&gap).clamp_min(0.0));
        let toward = near.where_self(&inside, &far);
        let away = square + ln_mills(&(&r + &t));
        let noised = toward.logaddexp(&away) - LN_2 - &log_b;
        self.scaled_log_density(residual, &log_b).where_self(&without_noise, &noised)
    }

    /// `½ + ½ sign(r) (1 − e^{−|r|})`.
    fn cdf(&self, r: &Tensor) -> Tensor {
        r.sign() * (-r.abs()).expm1() * -0.5 + 0.5
    }

    /// `|r| + e^{−|r|} − ¾`.
    fn crps(&self, r: &Tensor) -> Tensor {
        let size = r.abs();
        &size + (-&size).exp() - 0.75
    }

    fn draw(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        Ok(torch_ext::laplace(shape, options)?)
    }

    /// `F⁻¹(Φ(g)) = −sign(g) ln erfc(|g|/√2)`.
    fn of_normals(&self, normals: &Tensor) -> Result<Tensor> {
        let tail = (normals.abs() * FRAC_1_SQRT_2).erfc();
        // Clamped to the smallest positive f32, so that a normal beyond 13 gives a large number, not infinity.
        Ok(normals.sign() * -tail.clamp_min(f64::from(f32::MIN_POSITIVE)).log())
    }
}
