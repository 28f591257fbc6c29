//! Log densities of `ỹ − a·m = a·scale·X + s·ε` for a standardized `X` and standard normal `ε`.
//!
//! `residual` is `ỹ − a·m`, `log_scale` is `ln(a·scale)` (−∞ where `a = 0`), `noise_std` is `s`.

use tch::{Kind, Tensor};

use super::{Family, clean};
use crate::special::{HALF_LN_2PI, expm1_minus, ln_mills, ln_ndtr_positive, stirling};

/// `N(0, (a σ)² + s²)`; the two variances are added as logarithms, so neither can overflow.
pub(super) fn gaussian(residual: &Tensor, log_scale: &Tensor, noise_std: &Tensor) -> Tensor {
    let log_variance = (log_scale * 2.0).logaddexp(&(noise_std.log() * 2.0));
    normal(residual, &log_variance)
}

/// The normal-Laplace density with `r = s/b` and `t = |residual|/s`.
///
/// ```text
/// f = 1/(2b) · [ e^{r²/2 − rt} Φ(t − r) + e^{r²/2 + rt} Φ(−t − r) ]
///     e^{r²/2 ∓ rt} Φ(±t − r) = e^{−t²/2} · ½ erfcx((r ∓ t)/√2)
/// ```
///
/// The right-hand form is used where `r ∓ t ≥ 0`, the left-hand one elsewhere: neither then overflows
/// or cancels.
pub(super) fn laplace(residual: &Tensor, log_scale: &Tensor, noise_std: &Tensor) -> Tensor {
    let without_noise = is_clean(noise_std, log_scale);
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
    let noised = toward.logaddexp(&away) - std::f64::consts::LN_2 - &log_b;
    clean(Family::Laplace, residual, &log_b, None).where_self(&without_noise, &noised)
}

/// Student's t as a Gaussian scale mixture, integrated over `τ = ln w` by the trapezoid rule.
///
/// ```text
/// f = ∫ exp h(τ) dτ,    h(τ) = ln N(residual; 0, (aσ)² e^{−τ} + s²) − z φ(τ) + z ln z − z − ln Γ(z),    z = ν/2
/// ```
///
/// The nodes carry no gradient: the integral does not depend on them.
pub(super) fn student_t(
    residual: &Tensor,
    log_scale: &Tensor,
    df: &Tensor,
    noise_std: &Tensor,
) -> Tensor {
    let without_noise = is_clean(noise_std, log_scale);
    let log_noise = noise_std.log();
    let log_scale = &floored(log_scale, &log_noise);
    let mixture = Mixture::new(residual, log_scale, df, &log_noise);
    let (tau, step) = tch::no_grad(|| mixture.nodes(df, noise_std, log_scale));
    let noised = mixture.log_integrand(&tau).logsumexp([-1i64].as_slice(), false) + step.log();
    clean(Family::StudentT, residual, log_scale, Some(df)).where_self(&without_noise, &noised)
}

/// The integrand over the mixing variable, its last axis.
struct Mixture {
    residual: Tensor,
    twice_log_scale: Tensor,
    twice_log_noise: Tensor,
    half_df: Tensor,
    constant: Tensor,
}

impl Mixture {
    /// Nodes of the rule; the error they leave is measured in this crate's tests.
    const NODES: i64 = 28;
    /// Nodes of the search for where the integrand is.
    const SEARCH: i64 = 16;
    /// What lies this many nats below the peak is left out.
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
        &self.constant - &self.half_df * expm1_minus(tau) + normal(&self.residual, &log_variance)
    }

    /// Equidistant nodes over the part of the range where the integrand is not negligible, and their step.
    ///
    /// It may have two peaks, noise (τ near 0) and heavy tail: the part reaches from the first to the last
    /// point of a coarse grid near the greatest, and one further on either side.
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

    /// Bounds of all that may matter: `w − 1 − ln w ≤ 2·DEPTH/ν` around the noise peak, and as far below
    /// the tail peak `(aσ)² e^{−τ} ≈ residual² − s²`.
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

/// `log N(residual; 0, exp(log_variance))`, standardized before squaring.
fn normal(residual: &Tensor, log_variance: &Tensor) -> Tensor {
    let r = residual * (log_variance * -0.5).exp();
    log_variance.addcmul(&r, &r) * -0.5 - HALF_LN_2PI
}

/// The log scale, not below rounding next to the noise, where it no longer shows: `a = 0` stays finite.
fn floored(log_scale: &Tensor, log_noise: &Tensor) -> Tensor {
    log_scale.maximum(&(log_noise + epsilon(log_scale).ln()))
}

/// Where the noise is below rounding next to the scale of the law: `s ≤ ε·a·scale`.
fn is_clean(noise_std: &Tensor, log_scale: &Tensor) -> Tensor {
    noise_std.le_tensor(&(log_scale.detach().exp() * epsilon(log_scale)))
}

/// The rounding unit of the tensor's kind.
fn epsilon(tensor: &Tensor) -> f64 {
    if tensor.kind() == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) }
}
