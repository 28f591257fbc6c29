//! Student's t, and its convolution with Gaussian noise by quadrature.

use std::f64::consts::{FRAC_2_SQRT_PI, TAU};

use tch::{Device, Kind, Tensor};

use super::StandardLaw;
use super::gaussian::log_density_of_variance;
use super::noised::{floored, without_noise};
use crate::error::Result;
use crate::special::{HALF_LN_2PI, expm1_minus, ln_gamma_half_step, stirling, student_cdf};

/// Distance of uniform numbers from 0 and 1.
const EDGE: f64 = 1.0 / (1 << 24) as f64;

/// The standard Student t law with `ν = 2 + exp(log_excess_df)` degrees of freedom.
#[derive(Debug)]
pub(super) struct StudentT {
    /// `ln(ν − 2)`.
    pub(super) log_excess_df: Tensor,
}

impl StudentT {
    /// The degrees of freedom, `ν > 2`.
    pub(super) fn df(&self) -> Tensor {
        self.log_excess_df.exp() + 2.0
    }

    /// `√(ν/χ²_ν)`, one draw for each element of `shape`.
    fn mixing(&self, shape: &[i64]) -> Result<Tensor> {
        let half = (self.df() * 0.5).f_expand(shape, false)?;
        Ok((half.f_internal_standard_gamma()? / &half).rsqrt())
    }
}

impl StandardLaw for StudentT {
    fn std(&self, scale: Tensor) -> Tensor {
        scale * ((-&self.log_excess_df).exp() * 2.0 + 1.0).sqrt()
    }

    fn log_density(&self, r: &Tensor) -> Tensor {
        log_density(r, &self.df())
    }

    /// The law as a Gaussian scale mixture, integrated over `τ = ln w` by the trapezoid rule.
    ///
    /// ```text
    /// f = ∫ exp h(τ) dτ,    h(τ) = ln N(residual; 0, (aσ)² e^{−τ} + s²) − z φ(τ) + z ln z − z − ln Γ(z),    z = ν/2
    /// ```
    ///
    /// The nodes carry no gradient: the integral does not depend on them.
    fn noised_log_density(
        &self,
        residual: &Tensor,
        log_scale: &Tensor,
        noise_std: &Tensor,
    ) -> Tensor {
        let df = &self.df();
        let without_noise = without_noise(noise_std, log_scale);
        let log_noise = noise_std.log();
        let log_scale = &floored(log_scale, &log_noise);
        let mixture = Mixture::new(residual, log_scale, df, &log_noise);
        let (tau, step) = tch::no_grad(|| mixture.nodes(df, noise_std, log_scale));
        let noised = mixture.log_integrand(&tau).logsumexp([-1i64].as_slice(), false) + step.log();
        self.scaled_log_density(residual, log_scale).where_self(&without_noise, &noised)
    }

    fn cdf(&self, r: &Tensor) -> Tensor {
        student_cdf(r, &self.df().expand_as(r))
    }

    /// `r (2F(r) − 1) + 2 f(r) (ν + r²)/(ν − 1) − 2√ν/(ν − 1) · B(½, ν − ½)/B(½, ν/2)²`.
    fn crps(&self, r: &Tensor) -> Tensor {
        let df = &self.df().expand_as(r);
        let below = df - 1.0;
        let center = r * (student_cdf(r, df) * 2.0 - 1.0);
        let density = log_density(r, df).exp() * (df + r.square()) / &below;
        // B(½, ν − ½)/B(½, ν/2)² = [Γ(ν−½)/Γ(ν)] [Γ((ν+1)/2)/Γ(ν/2)]² / √π
        let ln_ratio = ln_gamma_half_step(&(df * 0.5)) * 2.0 - ln_gamma_half_step(&(df - 0.5));
        let spread = df.sqrt() / below * ln_ratio.exp() * FRAC_2_SQRT_PI * 0.5;
        center + (density - spread) * 2.0
    }

    /// `√(ν (u^{−2/ν} − 1)) cos 2πv` with uniform `u` and `v`: Bailey (1994), *Mathematics of Computation* 62, p. 780.
    /// It is differentiable in the degrees of freedom, and six times as fast as a draw of `χ²`.
    fn draw(&self, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        // Beyond the largest degrees the law is the Gaussian to every digit.
        let df = self.df().clamp_max(1e30);
        // Neither 0, whose logarithm is infinite, nor 1, where the root has no derivative.
        let u = (Tensor::f_rand(shape, options)? * (1.0 - 2.0 * EDGE) + EDGE).f_log_()?;
        let radius = (&df * (u * (df.reciprocal() * -2.0)).f_expm1()?).f_sqrt()?;
        Ok(radius * (Tensor::f_rand(shape, options)? * TAU).f_cos_()?)
    }

    /// `g √(ν/χ²_ν)`: the normals depend on each other, the mixing variables do not.
    fn of_normals(&self, normals: &Tensor) -> Result<Tensor> {
        Ok(normals * self.mixing(&normals.size())?)
    }
}

fn log_density(r: &Tensor, df: &Tensor) -> Tensor {
    let half = df * 0.5;
    let normalizer = ln_gamma_half_step(&half) - half.log() * 0.5 - HALF_LN_2PI;
    normalizer - (r.square() / df).log1p() * (half + 0.5)
}

/// The integrand over the mixing variable, which is its last axis.
struct Mixture {
    residual: Tensor,
    twice_log_scale: Tensor,
    twice_log_noise: Tensor,
    half_df: Tensor,
    constant: Tensor,
}

impl Mixture {
    /// Nodes of the trapezoid rule; this crate's tests bound its error.
    const NODES: i64 = 28;
    /// Nodes of the search for the support of the integrand.
    const SEARCH: i64 = 16;
    /// Depth below the peak, in nats, beyond which the integrand is neglected.
    const DEPTH: f64 = 15.0;

    fn new(residual: &Tensor, log_scale: &Tensor, df: &Tensor, log_noise: &Tensor) -> Self {
        let half_df = (df * 0.5).unsqueeze(-1);
        Self {
            residual: residual.unsqueeze(-1),
            twice_log_scale: log_scale.unsqueeze(-1) * 2.0,
            twice_log_noise: log_noise.unsqueeze(-1) * 2.0,
            constant: stirling(&half_df),
            half_df,
        }
    }

    /// `h(τ)`.
    fn log_integrand(&self, tau: &Tensor) -> Tensor {
        let log_variance = (&self.twice_log_scale - tau).logaddexp(&self.twice_log_noise);
        &self.constant - &self.half_df * expm1_minus(tau)
            + log_density_of_variance(&self.residual, &log_variance)
    }

    /// Equidistant nodes over the part of the range where the integrand matters, and their step.
    ///
    /// There may be two peaks, the noise (τ near 0) and the heavy tail. The part reaches from the first to the
    /// last point of a coarse grid that comes near the maximum, and one point further on either side.
    fn nodes(&self, df: &Tensor, noise_std: &Tensor, log_scale: &Tensor) -> (Tensor, Tensor) {
        let (low, high) = self.range(df, noise_std, log_scale);
        let coarse = (&high - &low) / (Self::SEARCH - 1) as f64;
        let height = self.log_integrand(&grid(&low, &coarse, Self::SEARCH));
        let count = Tensor::arange(Self::SEARCH, (height.kind(), height.device()));
        let negligible = height.lt_tensor(&(height.amax([-1i64].as_slice(), true) - Self::DEPTH));
        let place = count.expand_as(&height);
        let last = (Self::SEARCH - 1) as f64;
        let first = place.masked_fill(&negligible, last).amin([-1i64].as_slice(), false) - 1.0;
        let end = place.masked_fill(&negligible, 0.0).amax([-1i64].as_slice(), false) + 1.0;
        let (first, end) = (first.clamp_min(0.0), end.clamp_max(last));
        let step = (end - &first) * &coarse / (Self::NODES - 1) as f64;
        let low = low + first * coarse;
        (grid(&low, &step, Self::NODES), step)
    }

    /// Bounds of the support: `w − 1 − ln w ≤ 2·DEPTH/ν` around the noise peak, and as far below the tail
    /// peak `(aσ)² e^{−τ} ≈ residual² − s²`.
    fn range(&self, df: &Tensor, noise_std: &Tensor, log_scale: &Tensor) -> (Tensor, Tensor) {
        let depth = df.reciprocal() * (2.0 * Self::DEPTH);
        let width = (&depth * 2.0).sqrt();
        let square = self.residual.squeeze_dim(-1).square();
        let noise = noise_std.square();
        let excess = (&square - &noise).clamp_min(0.0) * (log_scale * -2.0).exp();
        // The tail peak costs nats as well; where it is negligible it would only stretch the range.
        let tail_cost = (&excess / df).log1p() * df * 0.5;
        let noise_cost = square / noise * 0.5 + Self::DEPTH;
        let tail = (excess / (df + 1.0)).log1p();
        let tail = tail.masked_fill(&tail_cost.gt_tensor(&noise_cost), 0.0).clamp_max(80.0);
        (-(&depth + width.clamp_max(1.0) + tail), (depth + width).log1p())
    }
}

/// `low + step·(0, 1, …, count − 1)` along a new last axis.
fn grid(low: &Tensor, step: &Tensor, count: i64) -> Tensor {
    let steps = Tensor::arange(count, (low.kind(), low.device()));
    low.unsqueeze(-1) + step.unsqueeze(-1) * steps
}
