use proptest::prelude::*;
use tch::{Device, Kind};

use super::*;
use crate::error::ObjectiveError;
use crate::testing::{gradient_and_difference, mean_and_error, normals, value, values, worst};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

fn diagonal(seed: u64, shape: &[i64], spread: f64) -> DiagonalGaussian {
    let mean = normals(seed, shape) * spread;
    DiagonalGaussian::new(mean, normals(seed + 1, shape) * spread).unwrap()
}

fn full(seed: u64, shape: &[i64], spread: f64) -> FullGaussian {
    let mut packed = shape.to_vec();
    let z = packed.pop().unwrap();
    packed.push(FullGaussian::packed_len(z));
    let mean = normals(seed, shape) * spread;
    FullGaussian::new(mean, &(normals(seed + 1, &packed) * spread)).unwrap()
}

/// One of each kind.
fn both(seed: u64, shape: &[i64], spread: f64) -> [Gaussian; 2] {
    [diagonal(seed, shape, spread).into(), full(seed + 2, shape, spread).into()]
}

fn covariance(gaussian: &Gaussian) -> Tensor {
    match gaussian {
        Gaussian::Diagonal(q) => q.variance().diag_embed(0, -2, -1),
        Gaussian::Full(q) => q.covariance(),
    }
}

/// `½ ( tr(Σ₂⁻¹Σ₁) + δᵀΣ₂⁻¹δ − Z + ln det Σ₂ − ln det Σ₁ )` with inverses and determinants.
fn textbook_kl(m1: &Tensor, s1: &Tensor, m2: &Tensor, s2: &Tensor) -> Tensor {
    let inverse = s2.inverse();
    let delta = (m1 - m2).unsqueeze(-1);
    let trace = inverse.matmul(s1).diagonal(0, -2, -1).sum_dim_intlist(
        [-1i64].as_slice(),
        false,
        Kind::Double,
    );
    let quadratic =
        delta.transpose(-2, -1).matmul(&inverse).matmul(&delta).squeeze_dim(-1).squeeze_dim(-1);
    let z = *m1.size().last().unwrap() as f64;
    (trace + quadratic - z + s2.slogdet().1 - s1.slogdet().1) * 0.5
}

#[test]
fn packed_parameters_fill_the_factor_row_by_row() {
    let packed = Tensor::from_slice(&[0.0, 2f64.ln(), 3f64.ln(), 10.0, 20.0, 21.0]);
    let q = FullGaussian::new(Tensor::zeros([3], F64), &packed).unwrap();
    let expected = Tensor::from_slice(&[1.0, 0.0, 0.0, 10.0, 2.0, 0.0, 20.0, 21.0, 3.0]);
    assert!(worst(&q.scale_tril().flatten(0, -1), &expected, 1.0) < 1e-15);
    let identity =
        FullGaussian::new(Tensor::zeros([2, 4], F64), &Tensor::zeros([2, 10], F64)).unwrap();
    assert_eq!(values(identity.scale_tril()), values(&Tensor::eye(4, F64).repeat([2, 1, 1])));
}

/// Oracle: inverse and determinant of the covariance.
#[test]
fn log_density_matches_inverse_and_determinant() {
    for gaussian in both(11, &[5, 4], 0.7) {
        let x = normals(19, &[3, 5, 4]);
        let sigma = covariance(&gaussian);
        let delta = (&x - gaussian.mean()).unsqueeze(-1);
        let quadratic = delta.transpose(-2, -1).matmul(&sigma.inverse()).matmul(&delta);
        let constant = 4.0 * (2.0 * std::f64::consts::PI).ln();
        let expected =
            (quadratic.squeeze_dim(-1).squeeze_dim(-1) + sigma.slogdet().1 + constant) * -0.5;
        assert!(worst(&gaussian.log_prob(&x).unwrap(), &expected, 1.0) < 1e-12);
    }
}

/// Oracle: the textbook formula with inverses and determinants, all four combinations.
#[test]
fn divergence_matches_inverse_and_determinant() {
    for q in both(21, &[6, 5], 0.6) {
        for p in both(31, &[6, 5], 0.6) {
            let expected = textbook_kl(q.mean(), &covariance(&q), p.mean(), &covariance(&p));
            assert!(worst(&q.kl(&p).unwrap(), &expected, 1.0) < 1e-10);
        }
        let (zero, identity) = (q.mean().zeros_like(), Tensor::eye(5, F64).repeat([6, 1, 1]));
        let expected = textbook_kl(q.mean(), &covariance(&q), &zero, &identity);
        assert!(worst(&q.kl_to_standard(), &expected, 1.0) < 1e-11);
    }
}

/// Oracle: the sum of the first k terms is the divergence of the first k coordinates' marginals.
#[test]
fn terms_are_the_chain_rule() {
    for q in both(41, &[4, 5], 0.6) {
        for p in both(51, &[4, 5], 0.6) {
            let terms = q.kl_per_dim(&p).unwrap();
            assert!(values(&terms).into_iter().all(|term| term >= 0.0));
            for k in 1..=5 {
                let first = |s: &Tensor| s.narrow(-1, 0, k).narrow(-2, 0, k);
                let mean = |g: &Gaussian| g.mean().narrow(-1, 0, k);
                let expected = textbook_kl(
                    &mean(&q),
                    &first(&covariance(&q)),
                    &mean(&p),
                    &first(&covariance(&p)),
                );
                assert!(worst(&sum_last(&terms.narrow(-1, 0, k)), &expected, 1.0) < 1e-10);
            }
        }
    }
}

/// Oracle: `∫ q ln(q/p)` by the trapezoid rule, exact to rounding for smooth decaying integrands.
#[test]
fn divergence_matches_quadrature_in_one_dimension() {
    let grid = Tensor::linspace(-12.0, 12.0, 4001, F64).unsqueeze(-1); // in units of q's deviation
    for (m1, s1, m2, s2) in
        [(0.0, 1.0, 0.0, 1.0), (1.0, 0.5, 0.0, 1.0), (-2.0, 3.0, 1.0, 0.7), (0.1, 0.01, 0.0, 1.0)]
    {
        let law = |m: f64, s: f64| {
            DiagonalGaussian::new(Tensor::from_slice(&[m]), Tensor::from_slice(&[f64::ln(s)]))
                .unwrap()
        };
        let (q, p) = (law(m1, s1), law(m2, s2));
        let x = &grid * s1 + m1;
        let log_ratio = q.log_prob(&x).unwrap() - p.log_prob(&x).unwrap();
        let integral =
            (q.log_prob(&x).unwrap().exp() * log_ratio).sum(Kind::Double) * (24.0 / 4000.0 * s1);
        let (found, expected) = (value(&q.kl(&p).unwrap()), value(&integral));
        assert!((found - expected).abs() < 1e-10 * expected.max(1.0), "{found} against {expected}");
    }
}

/// Oracle: the mean of `log q − log p` over draws from `q`, within 5 standard errors.
#[test]
fn divergence_and_entropy_match_sampling() {
    for q in both(61, &[3], 0.5) {
        let draws = q.sample(&normals(71, &[100_000, 3])).unwrap();
        let log_q = q.log_prob(&draws).unwrap();
        for p in both(81, &[3], 0.5) {
            let (mean, error) = mean_and_error(&(&log_q - p.log_prob(&draws).unwrap()));
            let z = (value(&q.kl(&p).unwrap()) - value(&mean)) / value(&error);
            assert!(z.abs() < 5.0, "KL is {z:.1} standard errors from its sample mean");
        }
        let (mean, error) = mean_and_error(&-log_q);
        let z = (value(&q.entropy()) - value(&mean)) / value(&error);
        assert!(z.abs() < 5.0, "entropy is {z:.1} standard errors from its sample mean");
    }
}

/// Oracle: the law's own mean and covariance; the sampled ones have known standard errors.
#[test]
fn draws_have_the_mean_and_covariance_they_promise() {
    let n = 100_000;
    for q in both(91, &[3], 0.5) {
        let parameters_as_rows = q.sample(&normals(99, &[n, 3])).unwrap();
        let drawn = match &q {
            Gaussian::Diagonal(q) => {
                DiagonalGaussian::new(q.mean().repeat([n, 1]), q.log_std().repeat([n, 1]))
                    .unwrap()
                    .sample_drawn()
            }
            Gaussian::Full(q) => FullGaussian::from_scale_tril(
                q.mean().repeat([n, 1]),
                &q.scale_tril().repeat([n, 1, 1]),
            )
            .unwrap()
            .sample_drawn(),
        };
        for draws in [parameters_as_rows, drawn] {
            let centered = draws - q.mean();
            let (mean, error) = mean_and_error(&centered);
            assert!(value(&(mean / error).abs().max()) < 5.0);
            let products = centered.unsqueeze(-1) * centered.unsqueeze(-2);
            let (second, error) = mean_and_error(&products);
            assert!(value(&((second - covariance(&q)) / error).abs().max()) < 5.0);
        }
    }
}

/// Oracle: `KL = ½ (μ² + 2ℓ² + O(ℓ³))`: the naive form has no correct digit here.
#[test]
fn divergence_is_exact_next_to_equality() {
    for (mean, log_std) in [(1e-9, 0.0), (0.0, 1e-9), (3e-8, -1e-8), (0.0, 1e-5)] {
        let q = DiagonalGaussian::new(Tensor::from_slice(&[mean]), Tensor::from_slice(&[log_std]))
            .unwrap();
        let expected = 0.5 * mean * mean + log_std * log_std * (1.0 + 2.0 / 3.0 * log_std);
        assert!((value(&q.kl_to_standard()) / expected - 1.0).abs() < 1e-9);
        let single =
            DiagonalGaussian::new(q.mean().to_kind(Kind::Float), q.log_std().to_kind(Kind::Float))
                .unwrap();
        // In single precision the error is relative to the logarithm of the scale, not to the divergence.
        let gap = value(&single.kl_to_standard()) - expected;
        assert!(gap.abs() < 1e-5 * expected + 2f64.powi(-22) * log_std.abs(), "{gap:.1e}");
        let packed = FullGaussian::new(q.mean().shallow_clone(), q.log_std()).unwrap();
        assert!((value(&packed.kl_to_standard()) / expected - 1.0).abs() < 1e-9);
        // The same offset from another Gaussian, far out (40 + 1e-9 itself is rounded to 7e-6 of 1e-9).
        let p =
            DiagonalGaussian::new(Tensor::from_slice(&[0.0]), Tensor::from_slice(&[40.0])).unwrap();
        let near = DiagonalGaussian::new(
            Tensor::from_slice(&[mean * 40f64.exp()]),
            Tensor::from_slice(&[40.0 + log_std]),
        )
        .unwrap();
        assert!((value(&near.kl(&p).unwrap()) - expected).abs() < 1e-4 * expected);
    }
}

#[test]
fn divergence_and_its_gradient_are_finite_at_extreme_scales() {
    for kind in [Kind::Float, Kind::Double] {
        let far = if kind == Kind::Float { 40.0 } else { 300.0 };
        let tensor =
            |values: &[f64]| Tensor::from_slice(values).to_kind(kind).set_requires_grad(true);
        let (m1, l1) = (tensor(&[0.0, 0.0, 1e3, 0.0]), tensor(&[-far, far, 0.0, -2.0 * far]));
        let (m2, l2) = (tensor(&[0.0, 0.0, 0.0, 0.0]), tensor(&[-far, far + 1.0, 5.0, -2.0 * far]));
        let q = DiagonalGaussian::new(m1.shallow_clone(), l1.shallow_clone()).unwrap();
        let p = DiagonalGaussian::new(m2.shallow_clone(), l2.shallow_clone()).unwrap();
        let terms = q.kl_per_dim(&p).unwrap();
        let expected = Tensor::from_slice(&[
            0.0,
            0.5 * ((-2f64).exp_m1() + 2.0),
            0.5 * (1e6 * (-10f64).exp() + (-10f64).exp_m1() + 10.0),
            0.0,
        ]);
        assert!(worst(&terms, &expected, 1e-3) < 1e-4);
        (terms.sum(kind) + q.kl_to_standard_per_dim().narrow(0, 2, 2).sum(kind)).backward();
        for leaf in [m1, l1, m2, l2] {
            assert!(
                values(&leaf.grad()).into_iter().all(f64::is_finite),
                "{:?}",
                values(&leaf.grad())
            );
        }
    }
}

/// Oracle: `∂KL/∂μ = μ`, `∂KL/∂ℓ = e^{2ℓ} − 1`; for the rest central differences.
#[test]
fn gradients_of_the_divergence_match() {
    let mean = normals(101, &[6]).set_requires_grad(true);
    let log_std = (normals(102, &[6]) * 1e-3).set_requires_grad(true);
    let q = DiagonalGaussian::new(mean.shallow_clone(), log_std.shallow_clone()).unwrap();
    q.kl_to_standard().backward();
    assert!(worst(&mean.grad(), &mean.detach(), 1e-300) < 1e-14);
    assert!(worst(&log_std.grad(), &(log_std.detach() * 2.0).expm1(), 1e-300) < 1e-12);

    // Batched one-parameter families, so that the sum is elementwise in the parameter.
    let (q, [p, other]) = (full(111, &[20, 3], 0.4), both(121, &[20, 3], 0.4));
    for target in [&p, &other] {
        for entry in 0..6 {
            let family = |x: &Tensor| {
                let direction = Tensor::zeros([20, 6], F64);
                let _ = direction.narrow(-1, entry, 1).fill_(1.0);
                let packed = packed_of(&q) + direction * x.unsqueeze(-1);
                FullGaussian::new(q.mean().shallow_clone(), &packed).unwrap().kl(target).unwrap()
            };
            let (gradient, difference) =
                gradient_and_difference(family, &Tensor::zeros([20], F64), 1e-5);
            assert!(worst(&gradient, &difference, 1.0) < 1e-7);
        }
    }
}

/// The packed parameters of a three-dimensional Gaussian.
fn packed_of(q: &FullGaussian) -> Tensor {
    let l = q.scale_tril();
    let below = [(1, 0), (2, 0), (2, 1)].map(|(i, j)| l.select(-2, i).select(-1, j).unsqueeze(-1));
    Tensor::cat(&[q.log_diagonal().shallow_clone(), Tensor::cat(&below, -1)], -1)
}

/// Oracle: for `g(z) = ½ zᵀA z + bᵀz`, `∂/∂μ E_q g = Aμ + b` and `∂/∂L E_q g = A L`; within 5 standard errors,
/// and equal to central differences with the same noise.
#[test]
fn pathwise_gradients_match_the_analytic_gradient_of_a_quadratic() {
    let (n, a, b) = (50_000, normals(131, &[3, 3]), normals(132, &[3]));
    let a = &a + a.tr();
    let g = |z: &Tensor| {
        (z.matmul(&a) * z * 0.5 + z * &b).sum_dim_intlist([-1i64].as_slice(), false, Kind::Double)
    };
    let noise = normals(133, &[n, 3]);

    let q = diagonal(141, &[3], 0.5);
    // One copy of the parameters per draw: their gradients are the per-draw pathwise gradients.
    let mean = q.mean().repeat([n, 1]).set_requires_grad(true);
    let log_std = q.log_std().repeat([n, 1]).set_requires_grad(true);
    let draws = DiagonalGaussian::new(mean.shallow_clone(), log_std.shallow_clone()).unwrap();
    g(&draws.sample(&noise).unwrap()).sum(Kind::Double).backward();
    let exact_mean = a.matmul(q.mean()) + &b;
    let exact_log_std = a.diagonal(0, 0, 1) * q.variance();
    for (gradients, exact) in [(mean.grad(), &exact_mean), (log_std.grad(), &exact_log_std)] {
        let (found, error) = mean_and_error(&gradients);
        assert!(value(&((found - exact) / error).abs().max()) < 5.0);
    }

    let q = full(151, &[3], 0.5);
    let mean = q.mean().repeat([n, 1]).set_requires_grad(true);
    let packed = packed_of(&q).repeat([n, 1]).set_requires_grad(true);
    let draws = FullGaussian::new(mean.shallow_clone(), &packed).unwrap();
    g(&draws.sample(&noise).unwrap()).sum(Kind::Double).backward();
    let al = a.matmul(q.scale_tril());
    let exact_diagonal = al.diagonal(0, 0, 1) * q.scale_tril().diagonal(0, 0, 1);
    let exact_below = [(1, 0), (2, 0), (2, 1)].map(|(i, j)| al.get(i).get(j));
    let exact_packed = Tensor::cat(&[exact_diagonal, Tensor::stack(&exact_below, 0)], 0);
    let exact_mean = a.matmul(q.mean()) + &b;
    for (gradients, exact) in [(mean.grad(), &exact_mean), (packed.grad(), &exact_packed)] {
        let (found, error) = mean_and_error(&gradients);
        assert!(value(&((found - exact) / error).abs().max()) < 5.0);
    }

    let shift = |x: &Tensor| {
        let packed = packed_of(&q) + x.unsqueeze(-1);
        let mean = q.mean() + x.unsqueeze(-1);
        let few = noise.narrow(0, 0, x.size()[0]);
        g(&FullGaussian::new(mean, &packed).unwrap().sample(&few).unwrap())
    };
    let (gradient, difference) = gradient_and_difference(shift, &Tensor::zeros([100], F64), 1e-5);
    assert!(worst(&gradient, &difference, 1.0) < 1e-7);
}

#[test]
fn batch_axes_broadcast() {
    let (q, p) = (full(161, &[4, 3], 0.5), diagonal(171, &[1, 3], 0.5));
    assert_eq!(q.kl(&p).unwrap().size(), [4]);
    assert_eq!(p.kl(&q).unwrap().size(), [4]);
    let draws = q.sample(&normals(181, &[7, 4, 3])).unwrap();
    assert_eq!(draws.size(), [7, 4, 3]);
    let rowwise = q.log_prob(&draws.get(2)).unwrap();
    assert!(worst(&q.log_prob(&draws).unwrap().get(2), &rowwise, 1.0) < 1e-14);
    assert_eq!(
        DiagonalGaussian::standard_like(&draws)
            .unwrap()
            .kl_to_standard()
            .sum(Kind::Double)
            .double_value(&[]),
        0.0
    );
}

#[test]
fn single_precision_agrees_with_double() {
    let (q, p) = (full(191, &[4, 8], 0.3), full(201, &[4, 8], 0.3));
    let single = |g: &FullGaussian| {
        FullGaussian::from_scale_tril(
            g.mean().to_kind(Kind::Float),
            &g.scale_tril().to_kind(Kind::Float),
        )
        .unwrap()
    };
    let found = single(&q).kl(&single(&p)).unwrap();
    assert_eq!(found.kind(), Kind::Float);
    assert!(worst(&found, &q.kl(&p).unwrap(), 1.0) < 1e-5);
}

#[test]
fn mistakes_are_typed_errors() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, F64);
    let wrong = DiagonalGaussian::new(zeros(&[2, 3]), zeros(&[3])).unwrap_err();
    assert!(matches!(wrong, ObjectiveError::Shape { what: "log_std", .. }), "{wrong}");
    let scalar = DiagonalGaussian::new(zeros(&[]), zeros(&[])).unwrap_err();
    assert!(matches!(scalar, ObjectiveError::Shape { what: "mean", .. }));
    let whole = Tensor::zeros([2], (Kind::Int64, Device::Cpu));
    assert!(matches!(
        DiagonalGaussian::new(whole.copy(), whole).unwrap_err(),
        ObjectiveError::NotFloat { .. }
    ));
    let packed = FullGaussian::new(zeros(&[2, 3]), &zeros(&[2, 5])).unwrap_err();
    assert!(matches!(packed, ObjectiveError::Shape { what: "packed", .. }));
    let negative = FullGaussian::from_scale_tril(zeros(&[2]), &-Tensor::eye(2, F64)).unwrap_err();
    assert!(matches!(negative, ObjectiveError::Range { value: -1.0, .. }));
    let indefinite = FullGaussian::from_covariance(zeros(&[2]), &-Tensor::eye(2, F64)).unwrap_err();
    assert!(matches!(indefinite, ObjectiveError::Torch(_)));

    let q = diagonal(211, &[4, 3], 1.0);
    assert!(matches!(q.log_prob(&zeros(&[5, 3])).unwrap_err(), ObjectiveError::Broadcast { .. }));
    assert!(matches!(q.log_prob(&zeros(&[4, 1])).unwrap_err(), ObjectiveError::Shape { .. }));
    assert!(matches!(
        q.sample(&zeros(&[3]).to_kind(Kind::Float)).unwrap_err(),
        ObjectiveError::Mixed { .. }
    ));
    assert!(q.kl(&full(221, &[4, 2], 1.0)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Law: the divergence is not negative, term by term, and zero at equality.
    #[test]
    fn divergence_is_not_negative(seed in 0u64..1_000_000, z in 1i64..9, spread in 0.01..3.0) {
        for q in both(seed, &[3, z], spread) {
            let itself = q.kl_per_dim(&q).unwrap();
            let scale = 1e-13 * (1.0 + value(&covariance(&q).abs().max()));
            prop_assert!(values(&itself).into_iter().all(|term| (0.0..scale).contains(&term)));
            for p in both(seed + 10, &[3, z], spread) {
                prop_assert!(values(&q.kl_per_dim(&p).unwrap()).into_iter().all(|term| term >= 0.0));
            }
            prop_assert!(values(&q.kl_to_standard_per_dim()).into_iter().all(|term| term >= 0.0));
        }
    }

    /// Law: the divergence does not change under a shift and scale of both.
    #[test]
    fn divergence_is_invariant_under_affine_maps(seed in 0u64..1_000_000, shift in -5.0..5.0, stretch in -2.0..2.0) {
        let (q, p) = (full(seed, &[3], 0.5), full(seed + 10, &[3], 0.5));
        let moved = |g: &FullGaussian| {
            let scale = f64::exp(stretch);
            FullGaussian::from_scale_tril(g.mean() * scale + shift, &(g.scale_tril() * scale)).unwrap()
        };
        let (before, after) = (value(&q.kl(&p).unwrap()), value(&moved(&q).kl(&moved(&p)).unwrap()));
        prop_assert!((before - after).abs() < 1e-10 * before.max(1.0), "{before} against {after}");
    }
}
