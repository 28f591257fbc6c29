//! Special functions of tensors, stable where the textbook form cancels or overflows, and
//! differentiable there too. Each has its derivation in `docs/math/objective.md`, section 7.

use std::f64::consts::{PI, SQRT_2};

use tch::{Kind, Tensor};

/// `½ ln 2π`.
pub(crate) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// `1/n!` from `n = 2`.
const INVERSE_FACTORIALS: [f64; 10] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
];

/// `eˣ − 1 − x`.
///
/// In double precision the result has full relative accuracy: a Taylor polynomial replaces the difference where
/// it cancels. Single precision uses the difference itself, whose error is at most `2⁻²² max(|x|, eˣ − 1)`: the
/// polynomial took a fifth of the time of a small model's training step, and an error of this size, in nats,
/// disappears in the rounding of any sum.
pub(crate) fn expm1_minus(x: &Tensor) -> Tensor {
    if x.kind() != Kind::Double {
        return x.expm1() - x;
    }
    const NEAR: f64 = 0.25; // beyond it `expm1(x) − x` loses at most a factor of 8
    let small = x.clamp(-NEAR, NEAR);
    let series = horner(&small, &INVERSE_FACTORIALS) * small.square();
    // A zero in place of `x` where the series is used keeps the unused branch's gradient finite.
    let near = x.abs().le(NEAR);
    let far = x.masked_fill(&near, 0.0);
    series.where_self(&near, &(far.expm1() - far))
}

/// `ln(½ erfcx(u/√2)) = u²/2 + ln Φ(−u)` for `u ≥ 0`. At large `u`, `exp(u²/2)` overflows and `Φ(−u)` underflows.
pub(crate) fn ln_mills(u: &Tensor) -> Tensor {
    const FAR: f64 = 25.0; // above, the asymptotic series is exact to 1e-15
    let near = ((u.clamp(0.0, FAR) / SQRT_2).special_erfcx() * 0.5).log();
    let large = u.clamp_min(FAR);
    let x = large.square().reciprocal();
    let tail = horner(&x, &[-1.0, 3.0, -15.0, 105.0, -945.0, 10_395.0, -135_135.0]) * &x;
    let far = tail.log1p() - large.log() - HALF_LN_2PI;
    near.where_self(&u.le(FAR), &far)
}

/// `ln Φ(v)` for `v ≥ 0`.
pub(crate) fn ln_ndtr_positive(v: &Tensor) -> Tensor {
    ((v / SQRT_2).erfc() * -0.5).log1p()
}

/// `ln Γ(z + ½) − ln Γ(z)` for `z > 0`; Stirling's series where the difference cancels.
pub(crate) fn ln_gamma_half_step(z: &Tensor) -> Tensor {
    const FAR: f64 = 20.0;
    let small = z.clamp_max(FAR);
    let near = (&small + 0.5).lgamma() - small.lgamma();
    let large = z.clamp_min(FAR);
    let x = large.reciprocal();
    let x2 = x.square();
    let tail =
        horner(&x2, &[-1.0 / 8.0, 1.0 / 192.0, -1.0 / 640.0, 17.0 / 14_336.0, -31.0 / 18_432.0])
            * x;
    near.where_self(&z.le(FAR), &(large.log() * 0.5 + tail))
}

/// `z ln z − z − ln Γ(z)` for `z > 0`; Stirling's series where the difference cancels.
pub(crate) fn stirling(z: &Tensor) -> Tensor {
    const FAR: f64 = 20.0;
    let small = z.clamp_max(FAR);
    let near = &small * small.log() - &small - small.lgamma();
    let large = z.clamp_min(FAR);
    let x = large.reciprocal();
    let x2 = x.square();
    let tail =
        horner(&x2, &[-1.0 / 12.0, 1.0 / 360.0, -1.0 / 1_260.0, 1.0 / 1_680.0, -1.0 / 1_188.0]) * x;
    near.where_self(&z.le(FAR), &(large.log() * 0.5 - HALF_LN_2PI + tail))
}

/// The distribution function of Student's t with `df > 1` degrees of freedom.
///
/// With `t = √ν tan θ` the density is `cosᵛ⁻¹θ / B(½, ν/2)`. Four steps of the reduction formula raise
/// the power by eight, so that the integrand is smooth enough at the endpoint `π/2` for Gauss-Legendre quadrature.
pub(crate) fn student_cdf(t: &Tensor, df: &Tensor) -> Tensor {
    const STEPS: usize = 4;
    let tangent = t.abs() / df.sqrt();
    let theta = tangent.atan();
    // ln cos θ and sin θ from tan θ, exact near both ends of the interval.
    let ln_cos = tangent.square().log1p() * -0.5;
    let sin = &tangent * ln_cos.exp();
    let power = df + (2 * STEPS) as f64 - 1.0;
    // Beyond nine of its widths the integrand is negligible (below 1e-17).
    let end = theta.minimum(&(power.rsqrt() * 9.0));
    let (nodes, weights) = gauss_legendre_32(&end);
    let phi = end.unsqueeze(-1) * nodes;
    let inside = (phi.sin().square().neg().log1p() * power.unsqueeze(-1) * 0.5).exp();
    let mut integral =
        (inside * weights).sum_dim_intlist([-1i64].as_slice(), false, None::<Kind>) * &end;
    for step in (0..STEPS).rev() {
        let m = df + 2.0 * step as f64 - 1.0;
        let edge = (&ln_cos * (&m + 1.0)).exp() * &sin;
        integral = ((&m + 2.0) * integral - edge) / (m + 1.0);
    }
    let half_beta = ln_gamma_half_step(&(df * 0.5)).exp() / PI.sqrt();
    t.sign() * integral * half_beta + 0.5
}

/// A polynomial in `x`, coefficients from the constant term upwards.
fn horner(x: &Tensor, coefficients: &[f64]) -> Tensor {
    let mut rest = coefficients.iter().rev();
    let mut value = x.full_like(*rest.next().expect("a polynomial has a coefficient"));
    for coefficient in rest {
        value = value * x + *coefficient;
    }
    value
}

/// The 32 nodes and weights of Gauss-Legendre quadrature on `[0, 1]`, of the kind and on the device of `like`.
fn gauss_legendre_32(like: &Tensor) -> (Tensor, Tensor) {
    // Positive nodes and weights on [−1, 1]: zeros of P_32 found at 40 digits.
    const RULE: [(f64, f64); 16] = [
        (0.04830766568773832, 0.0965400885147278),
        (0.1444719615827965, 0.09563872007927486),
        (0.23928736225213706, 0.09384439908080457),
        (0.33186860228212767, 0.09117387869576389),
        (0.42135127613063533, 0.08765209300440381),
        (0.5068999089322294, 0.08331192422694675),
        (0.5877157572407623, 0.07819389578707031),
        (0.6630442669302152, 0.0723457941088485),
        (0.7321821187402897, 0.06582222277636185),
        (0.7944837959679424, 0.058684093478535544),
        (0.84936761373257, 0.050998059262376175),
        (0.8963211557660521, 0.04283589802222668),
        (0.9349060759377397, 0.03427386291302143),
        (0.9647622555875064, 0.02539206530926206),
        (0.9856115115452684, 0.01627439473090567),
        (0.9972638618494816, 0.007018610009470096),
    ];
    let (mut nodes, mut weights) = (Vec::with_capacity(32), Vec::with_capacity(32));
    for (node, weight) in RULE {
        for sign in [-1.0, 1.0] {
            nodes.push(0.5 + 0.5 * sign * node);
            weights.push(0.5 * weight);
        }
    }
    let place =
        |values: &[f64]| Tensor::from_slice(values).to_kind(like.kind()).to_device(like.device());
    (place(&nodes), place(&weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{golden, gradient_and_difference, worst};

    /// Oracle: mpmath at 30 digits, on both sides of each switch between formulas.
    #[test]
    fn special_functions_match_thirty_digits() {
        type Function = fn(&Tensor) -> Tensor;
        let functions: [(&str, Function); 5] = [
            ("expm1_minus", expm1_minus),
            ("ln_mills", ln_mills),
            ("ln_ndtr_positive", ln_ndtr_positive),
            ("ln_gamma_half_step", ln_gamma_half_step),
            ("stirling", stirling),
        ];
        for (name, function) in functions {
            let [x, expected] = golden(name).try_into().unwrap();
            let double = worst(&function(&x), &expected, 1e-300);
            assert!(double < 2e-13, "{name}: relative error {double:.1e}");
            if name == "expm1_minus" {
                continue; // in f32 it promises an absolute error: the next test
            }
            let single = worst(&function(&x.to_kind(Kind::Float)), &expected, 1e-20);
            assert!(single < 3e-5, "{name} in f32: relative error {single:.1e}");
        }
    }

    /// Oracle: the same function in f64 at the same f32 numbers, itself checked at 30 digits above. The
    /// error promised for f32, of value and gradient, from far on either side to next to zero.
    #[test]
    fn the_single_precision_difference_keeps_its_promise() {
        let magnitudes: Vec<f32> = (0..400).map(|i| 10f32.powf(-30.0 + 0.08 * i as f32)).collect();
        let both: Vec<f32> = magnitudes.iter().flat_map(|&x| [x, -x]).collect();
        let single = Tensor::from_slice(&both).clamp(-80.0, 80.0).set_requires_grad(true);
        let double = single.detach().to_kind(Kind::Double).set_requires_grad(true);
        let (found, exact) = (expm1_minus(&single), expm1_minus(&double));
        found.sum(Kind::Float).backward();
        exact.sum(Kind::Double).backward();
        let size = double.detach().abs().maximum(&double.detach().expm1());
        let within = |gap: Tensor, size: &Tensor| (gap.abs() / size).max().double_value(&[]);
        let value = within(found.to_kind(Kind::Double) - &exact, &size);
        assert!(value < 2f64.powi(-22), "{value:.1e}");
        let scale = double.grad().abs() + 1.0;
        let gradient = within(single.grad().to_kind(Kind::Double) - double.grad(), &scale);
        assert!(gradient < 2f64.powi(-22), "{gradient:.1e}");
    }

    /// Oracle: central differences; and a series value where a difference would cancel.
    #[test]
    fn gradients_stay_exact_in_the_tails() {
        let x = Tensor::from_slice(&[-3.0, -0.3, -0.2, 0.01, 0.2, 0.3, 2.0]);
        let (gradient, difference) = gradient_and_difference(expm1_minus, &x, 1e-5);
        assert!(worst(&gradient, &difference, 1e-3) < 1e-8);
        let u = Tensor::from_slice(&[0.1, 1.0, 5.0, 20.0, 24.0, 26.0, 80.0]);
        let (gradient, difference) = gradient_and_difference(ln_mills, &u, 1e-3);
        assert!(worst(&gradient, &difference, 1e-3) < 1e-5);

        let tiny = Tensor::from_slice(&[1e-12, 1e-9]).set_requires_grad(true);
        expm1_minus(&tiny).sum(Kind::Double).backward();
        assert!(worst(&tiny.grad(), &tiny.detach(), 1e-300) < 1e-8); // φ'(x) = eˣ − 1 ≈ x
        let far = Tensor::from_slice(&[1e3f32, 1e6]).set_requires_grad(true);
        ln_mills(&far).sum(Kind::Float).backward();
        assert!(worst(&far.grad(), &-far.detach().reciprocal(), 1e-300) < 1e-5);
    }

    /// Oracle: the regularized incomplete beta function of mpmath.
    #[test]
    fn student_distribution_function_matches_the_incomplete_beta_function() {
        let [t, df, expected] = golden("student_cdf").try_into().unwrap();
        let error = worst(&student_cdf(&t, &df), &expected, 1.0);
        assert!(error < 3e-14, "absolute error {error:.1e}");
        let (t, df) = (t.to_kind(Kind::Float), df.to_kind(Kind::Float));
        let error = worst(&student_cdf(&t, &df), &expected, 1.0);
        assert!(error < 3e-6, "absolute error in f32 {error:.1e}");
    }
}
