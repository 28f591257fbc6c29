use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use statrs::distribution::{Continuous, ContinuousCDF, Laplace, Normal, StudentsT};
use tch::{Device, Kind};

use super::*;
use crate::score::{self, PairEstimator};
use crate::testing::{
    golden, gradient_and_difference, mean_and_error, normals, value, values, worst,
};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

fn scalar(value: f64) -> Tensor {
    Tensor::from_slice(&[value])
}

/// A law of each family with one set of parameters; `df` for Student's t.
fn families(loc: f64, scale: f64, df: f64) -> [Likelihood; 3] {
    let (loc, log_scale) = (scalar(loc), scalar(scale.ln()));
    [
        Likelihood::gaussian(loc.copy(), log_scale.copy()).unwrap(),
        Likelihood::laplace(loc.copy(), log_scale.copy()).unwrap(),
        Likelihood::student_t(loc, log_scale, scalar((df - 2.0).ln())).unwrap(),
    ]
}

fn law_of(family: Family, loc: Tensor, log_scale: Tensor, excess: Option<Tensor>) -> Likelihood {
    match family {
        Family::Gaussian => Likelihood::gaussian(loc, log_scale),
        Family::Laplace => Likelihood::laplace(loc, log_scale),
        Family::StudentT => Likelihood::student_t(loc, log_scale, excess.unwrap()),
    }
    .unwrap()
}

fn student(scale: &Tensor, df: &Tensor) -> Likelihood {
    Likelihood::student_t(scale.zeros_like(), scale.log(), (df - 2.0).log()).unwrap()
}

/// Oracle: statrs.
#[test]
fn density_and_distribution_function_match_statrs() {
    let y = Tensor::linspace(-8.0, 9.0, 35, F64);
    for (loc, scale, df) in [(0.0, 1.0, 3.0), (0.7, 0.2, 2.1), (-2.0, 5.0, 40.0)] {
        let [gaussian, laplace, student] = families(loc, scale, df);
        let normal = Normal::new(loc, scale).unwrap();
        let double = Laplace::new(loc, scale).unwrap();
        let t = StudentsT::new(loc, scale, df).unwrap();
        let check = |law: &Likelihood, ln_pdf: &dyn Fn(f64) -> f64, cdf: &dyn Fn(f64) -> f64| {
            let expect = |f: &dyn Fn(f64) -> f64| {
                Tensor::from_slice(&values(&y).into_iter().map(f).collect::<Vec<_>>())
            };
            assert!(
                worst(&law.log_prob(&y).unwrap(), &expect(ln_pdf), 1.0) < 1e-10,
                "{:?}",
                law.family()
            );
            assert!(worst(&law.cdf(&y).unwrap(), &expect(cdf), 1.0) < 1e-9, "{:?}", law.family());
        };
        check(&gaussian, &|y| normal.ln_pdf(y), &|y| normal.cdf(y));
        check(&laplace, &|y| double.ln_pdf(y), &|y| double.cdf(y));
        check(&student, &|y| t.ln_pdf(y), &|y| t.cdf(y));
    }
}

/// Oracle: the convolution by mpmath at 30 digits.
#[test]
fn noised_laplace_density_matches_the_convolution() {
    let [residual, noise, expected] = golden("laplace_noised").try_into().unwrap();
    let found = |kind: Kind| {
        let [residual, noise] = [&residual, &noise].map(|tensor| tensor.to_kind(kind));
        let law = Likelihood::laplace(residual.zeros_like(), residual.zeros_like()).unwrap();
        law.log_prob_noised(&residual, &residual.ones_like(), &noise).unwrap()
    };
    let double = worst(&found(Kind::Double), &expected, 1.0);
    assert!(double < 1e-12, "relative error {double:.1e}");
    let single = worst(&found(Kind::Float), &expected, 1.0);
    assert!(single < 2e-6, "relative error in f32 {single:.1e}");
}

/// Oracle: the convolution by mpmath at 30 digits. The bounds are what the quadrature leaves, in nats, up to
/// 1000 scales from the center.
#[test]
fn noised_student_density_matches_the_convolution() {
    let [residual, noise, df, expected] = golden("student_noised").try_into().unwrap();
    let found = |kind: Kind| {
        let [residual, noise, df] = [&residual, &noise, &df].map(|tensor| tensor.to_kind(kind));
        let one = residual.ones_like();
        student(&one, &df).log_prob_noised(&residual, &one, &noise).unwrap()
    };
    let error = (found(Kind::Double) - &expected).abs();
    let heavy = value(&error.max());
    assert!(heavy < 5e-6, "error {heavy:.1e} nats");
    let lighter = value(&error.masked_fill(&df.lt(3.0), 0.0).max());
    assert!(lighter < 6e-7, "error {lighter:.1e} nats from 3 degrees of freedom");
    let single = worst(&found(Kind::Float), &expected, 1.0);
    assert!(single < 1e-5, "relative error in f32 {single:.1e}");
}

/// Oracle: `N(a m, a² v + s²)` by statrs; and through an independent route, a Laplace law's noised density
/// is a density with the mean and variance of `a Y + s ε`, integrated on a grid.
#[test]
fn noised_laws_have_the_moments_of_the_noised_target() {
    let (loc, scale, df) = (0.8, 0.6, 9.0);
    for (signal, noise) in [(1.7, 0.4), (0.3, 1.2), (1.0, 0.05)] {
        let normal = Normal::new(signal * loc, f64::hypot(signal * scale, noise)).unwrap();
        let grid = Tensor::linspace(-60.0, 60.0, 24_001, F64);
        for law in families(loc, scale, df) {
            let density = law.log_prob_noised(&grid, &scalar(signal), &scalar(noise)).unwrap();
            if law.family() == Family::Gaussian {
                let y = [-1.0, 0.3, 2.0];
                let found = law
                    .log_prob_noised(&Tensor::from_slice(&y), &scalar(signal), &scalar(noise))
                    .unwrap();
                assert!(
                    worst(&found, &Tensor::from_slice(&y.map(|y| normal.ln_pdf(y))), 1.0) < 1e-13
                );
            }
            let integral =
                |f: Tensor| value(&(f * density.exp()).sum(Kind::Double)) * 120.0 / 24_000.0;
            let mean = integral(grid.copy());
            let variance = integral((&grid - mean).square());
            let expected = signal * signal * value(&law.variance()) + noise * noise;
            assert!((integral(grid.ones_like()) - 1.0).abs() < 1e-7, "{:?}", law.family());
            assert!((mean - signal * loc).abs() < 1e-7, "{:?}", law.family());
            assert!(
                (variance / expected - 1.0).abs() < 1e-5,
                "{:?}: {variance} against {expected}",
                law.family()
            );
        }
    }
}

/// Oracle: without noise, the density of `a Y`; and the noised density tends to it.
#[test]
fn without_noise_the_noised_density_is_the_clean_one() {
    let y = Tensor::linspace(-5.0, 5.0, 21, F64);
    for law in families(0.3, 0.5, 4.0) {
        for signal in [0.5, 1.0, 2.0] {
            let expected = law.log_prob(&(&y / signal)).unwrap() - f64::ln(signal);
            let at = |noise: f64| law.log_prob_noised(&y, &scalar(signal), &scalar(noise)).unwrap();
            assert!(worst(&at(0.0), &expected, 1.0) < 1e-13);
            // No jump where the closed form takes over. The Laplace density's kink makes it linear in s.
            assert!(worst(&at(1e-15), &expected, 1.0) < 5e-6, "{:?}", law.family());
            assert!(worst(&at(1e-8), &expected, 1.0) < 5e-6, "{:?}", law.family());
        }
    }
}

/// Oracle: without signal, the density of the noise alone.
#[test]
fn without_signal_the_noised_density_is_that_of_the_noise() {
    let y = Tensor::linspace(-8.0, 8.0, 21, F64);
    let noise = Normal::new(0.0, 1.3).unwrap();
    let expected =
        Tensor::from_slice(&values(&y).into_iter().map(|y| noise.ln_pdf(y)).collect::<Vec<_>>());
    for law in families(0.3, 0.5, 2.5) {
        let found = law.log_prob_noised(&y, &scalar(0.0), &scalar(1.3)).unwrap();
        assert!(worst(&found, &expected, 1.0) < 1e-5, "{:?}", law.family());
    }
}

/// Oracle: central differences in every parameter and argument.
#[test]
fn gradients_of_the_noised_density_match_differences() {
    let n = 40;
    let (y, loc) = (normals(1, &[n]) * 3.0, normals(2, &[n]));
    let (log_scale, log_excess) = (normals(3, &[n]), normals(4, &[n]) * 1.5);
    let (signal, noise) = (normals(5, &[n]).exp(), normals(6, &[n]).exp());
    for family in [Family::Gaussian, Family::Laplace, Family::StudentT] {
        for shifted in 0..4 {
            let density = |x: &Tensor| {
                let at = |i: usize, tensor: &Tensor| {
                    if i == shifted { tensor + x } else { tensor.shallow_clone() }
                };
                let excess = (family == Family::StudentT).then(|| at(2, &log_excess));
                let law = law_of(family, at(0, &loc), at(1, &log_scale), excess);
                law.log_prob_noised(&at(3, &y), &signal, &noise).unwrap()
            };
            if shifted == 2 && family != Family::StudentT {
                continue;
            }
            let (gradient, difference) =
                gradient_and_difference(density, &Tensor::zeros([n], F64), 1e-5);
            let error = worst(&gradient, &difference, 1.0);
            assert!(error < 1e-5, "{family:?}, parameter {shifted}: {error:.1e}");
        }
    }
}

#[test]
fn density_and_gradients_are_finite_at_extreme_scales() {
    for kind in [Kind::Float, Kind::Double] {
        let axis = |values: &[f64], place: usize| {
            let mut shape = [1; 5];
            shape[place] = values.len() as i64;
            Tensor::from_slice(values).to_kind(kind).view(shape)
        };
        let y = axis(&[0.0, 1e-20, 1.0, -30.0, 1e4], 0);
        let log_scale = axis(&[-15.0, -3.0, 0.0, 3.0, 15.0], 1).set_requires_grad(true);
        let excess = axis(&[-10.0, 0.0, 10.0], 2).set_requires_grad(true);
        let signal = axis(&[0.0, 1e-3, 1.0, 1.9], 3);
        let noise = axis(&[0.0, 1e-20, 1e-7, 0.1, 1.0], 4);
        let loc = axis(&[0.5], 0).set_requires_grad(true);
        let known = signal.eq(0.0).logical_and(&noise.lt(1e-10)); // a degenerate law, or nearly one
        for family in [Family::Gaussian, Family::Laplace, Family::StudentT] {
            let student = (family == Family::StudentT).then(|| excess.shallow_clone());
            let law = law_of(family, loc.shallow_clone(), log_scale.shallow_clone(), student);
            let noise = noise.masked_fill(&known, 0.1);
            let density = law.log_prob_noised(&y, &signal, &noise).unwrap();
            assert!(values(&density).into_iter().all(f64::is_finite), "{family:?} in {kind:?}");
            // Squares of (1e4 / e⁻¹⁵) are within f32; their sum over the grid is only checked to be finite.
            density.sum(kind).backward();
            for leaf in [&loc, &log_scale] {
                assert!(
                    values(&leaf.grad()).into_iter().all(f64::is_finite),
                    "{family:?} in {kind:?}"
                );
            }
        }
        assert!(values(&excess.grad()).into_iter().all(f64::is_finite));
    }
}

/// Oracle: mean and variance of each law, by the law's own formulas, within 5 standard errors; and the
/// distribution function at the draws is uniform (Kolmogorov-Smirnov, critical value at 1e-6).
#[test]
fn draws_follow_the_law() {
    let n = 50_000;
    for law in families(1.5, 0.7, 9.0) {
        let draws = law.samples(n).unwrap();
        assert_eq!(draws.size(), [n, 1]);
        let (mean, error) = mean_and_error(&(&draws - law.mean()));
        assert!(value(&(mean / error).abs()) < 5.0, "{:?}", law.family());
        let (square, error) = mean_and_error(&(&draws - law.mean()).square());
        assert!(value(&((square - law.variance()) / error).abs()) < 5.0, "{:?}", law.family());
        let mut uniform = values(&law.cdf(&draws).unwrap());
        uniform.sort_by(f64::total_cmp);
        let gap = uniform
            .iter()
            .enumerate()
            .map(|(i, u)| (u - (i as f64 + 0.5) / n as f64).abs())
            .fold(0.0, f64::max);
        assert!(gap * (n as f64).sqrt() < 2.7, "{:?}: {gap}", law.family());
    }
    let wide =
        Likelihood::gaussian(Tensor::zeros([4, 3, 2], F64), Tensor::zeros([2], F64)).unwrap();
    assert_eq!(wide.sample().unwrap().size(), [4, 3, 2]);
    assert_eq!(wide.std().size(), [4, 3, 2]);
    let noise = normals(7, &[6, 4, 3, 2]);
    assert_eq!(values(&wide.sample_with(&noise).unwrap()), values(&noise));
}

/// Oracle: `∂/∂ν E|T|` of the closed form `E|T| = 2√ν Γ((ν+1)/2) / (√π Γ(ν/2) (ν − 1))`, against the mean
/// pathwise gradient of the draws.
#[test]
fn student_draws_are_differentiable_in_the_degrees_of_freedom() {
    let mean_size = |df: f64| {
        let ln_gamma = statrs::function::gamma::ln_gamma;
        2.0 * df.sqrt() * (ln_gamma((df + 1.0) / 2.0) - ln_gamma(df / 2.0)).exp()
            / (std::f64::consts::PI.sqrt() * (df - 1.0))
    };
    let df = 6.0;
    let log_excess = Tensor::full([100_000], f64::ln(df - 2.0), F64).set_requires_grad(true);
    let law = Likelihood::student_t(scalar(0.0), scalar(0.0), log_excess.shallow_clone()).unwrap();
    law.sample().unwrap().abs().sum(Kind::Double).backward();
    let (found, error) = mean_and_error(&log_excess.grad());
    let expected = (mean_size(df + 1e-4) - mean_size(df - 1e-4)) / 2e-4 * (df - 2.0);
    let z = (value(&found) - expected) / value(&error);
    assert!(z.abs() < 5.0, "{z:.1} standard errors");
}

/// Oracle: the CRPS's integral over squared differences of distribution functions, by mpmath at 30 digits.
#[test]
fn crps_matches_its_integral() {
    let check = |found: Tensor, expected: &Tensor, name: &str| {
        let error = worst(&found, expected, 1e-300);
        assert!(error < 1e-11, "{name}: relative error {error:.1e}");
    };
    let [y, expected] = golden("gaussian_crps").try_into().unwrap();
    let zero = y.zeros_like();
    check(
        Likelihood::gaussian(zero.copy(), zero.copy()).unwrap().crps(&-&y).unwrap(),
        &expected,
        "Gaussian",
    );
    let [y, expected] = golden("laplace_crps").try_into().unwrap();
    check(Likelihood::laplace(zero.copy(), zero).unwrap().crps(&y).unwrap(), &expected, "Laplace");
    let [y, df, expected] = golden("student_crps").try_into().unwrap();
    check(student(&y.ones_like(), &df).crps(&y).unwrap(), &expected, "Student-t");
}

/// Oracle: the fair score of draws is unbiased for the closed form, within 5 standard errors.
#[test]
fn crps_matches_sampling() {
    for law in families(0.4, 1.6, 5.0) {
        let y = Tensor::from_slice(&[-3.0, 0.4, 1.0, 7.0]);
        // 4000 independent scores from 20 draws each.
        let draws = law.samples(80_000).unwrap().view([20, 4_000, 1]) + Tensor::zeros([4], F64);
        let truth = y.unsqueeze(0).repeat([4_000, 1]);
        let scores = score::crps(&draws, &truth, PairEstimator::Fair).unwrap();
        let (mean, error) = mean_and_error(&scores);
        let z = (mean - law.crps(&y).unwrap()) / error;
        assert!(value(&z.abs().max()) < 5.0, "{:?}", law.family());
    }
}

/// Oracle: the loss and its slopes in location and logarithm of the scale against the closed form and its
/// central differences, within 6 standard errors; 5 000 losses of six draws each.
#[test]
fn crps_loss_is_unbiased_and_so_is_its_gradient() {
    let y = scalar(1.1);
    for family in [Likelihood::gaussian, Likelihood::laplace] {
        let at = |loc: f64, log_scale: f64| {
            value(&family(scalar(loc), scalar(log_scale)).unwrap().crps(&y).unwrap())
        };
        let loc = Tensor::full([5_000], 0.4, F64).set_requires_grad(true);
        let log_scale = Tensor::full([5_000], 0.3, F64).set_requires_grad(true);
        let law = family(loc.shallow_clone(), log_scale.shallow_clone()).unwrap();
        let truth = &y + Tensor::zeros([5_000], F64);
        let loss = score::crps_loss(&law.samples(6).unwrap(), &truth).unwrap();
        loss.sum(Kind::Double).backward();
        for (found, expected) in [
            (loss.detach(), at(0.4, 0.3)),
            (loc.grad(), (at(0.4 + 1e-5, 0.3) - at(0.4 - 1e-5, 0.3)) / 2e-5),
            (log_scale.grad(), (at(0.4, 0.3 + 1e-5) - at(0.4, 0.3 - 1e-5)) / 2e-5),
        ] {
            let (mean, error) = mean_and_error(&found);
            let z = (value(&mean) - expected) / value(&error);
            assert!(z.abs() < 6.0, "{:?}: {z:.1} standard errors from {expected}", law.family());
        }
    }
    for draws in [0, 1, 3] {
        assert!(
            score::crps_loss(&Tensor::zeros([draws, 2], F64), &Tensor::zeros([2], F64)).is_err()
        );
    }
}

/// Oracle: `E|X − X'|/2` is the CRPS's mean under the law itself; the score is smallest there (propriety).
#[test]
fn crps_is_proper() {
    let truth = families(0.0, 1.0, 5.0);
    for (law, other) in truth.iter().zip(families(0.3, 1.4, 5.0)) {
        let y = law.samples(20_000).unwrap();
        let (mean, error) = mean_and_error(&(other.crps(&y).unwrap() - law.crps(&y).unwrap()));
        assert!(value(&(mean / error)) > 5.0, "{:?}", law.family());
    }
}

#[test]
fn names_in_a_configuration_are_fixed() {
    for (name, family) in [
        ("gaussian", Family::Gaussian),
        ("laplace", Family::Laplace),
        ("student-t", Family::StudentT),
    ] {
        assert_eq!(serde_json::from_str::<Family>(&format!("\"{name}\"")).unwrap(), family);
    }
    assert!(serde_json::from_str::<Family>("\"cauchy\"").is_err());
}

#[test]
fn mistakes_are_typed_errors() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, F64);
    assert!(matches!(
        Likelihood::gaussian(zeros(&[3]), zeros(&[2])).unwrap_err(),
        ObjectiveError::Broadcast { .. }
    ));
    let three = Likelihood::student_t(zeros(&[1]), zeros(&[3]), zeros(&[2])).unwrap_err();
    assert!(matches!(three, ObjectiveError::Broadcast { .. }));
    let single = zeros(&[3]).to_kind(Kind::Float);
    assert!(matches!(
        Likelihood::laplace(zeros(&[3]), single.copy()).unwrap_err(),
        ObjectiveError::Mixed { .. }
    ));
    let law = Likelihood::gaussian(zeros(&[1]), zeros(&[3])).unwrap();
    assert!(matches!(law.log_prob(&zeros(&[2])).unwrap_err(), ObjectiveError::Broadcast { .. }));
    assert!(matches!(
        law.log_prob_noised(&zeros(&[3]), &single, &zeros(&[1])).unwrap_err(),
        ObjectiveError::Mixed { .. }
    ));
    assert!(matches!(
        law.log_prob_noised(&zeros(&[5, 1]), &zeros(&[4, 1]), &zeros(&[1])).unwrap_err(),
        ObjectiveError::Broadcast { .. }
    ));
    assert!(matches!(law.samples(-1).unwrap_err(), ObjectiveError::Range { .. }));
    assert!(law.affine(&zeros(&[2]), &zeros(&[1])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: the density of `c Y + d` at `c y + d` is that of `Y` at `y` divided by `|c|`, also under noise.
    #[test]
    fn affine_maps_transform_density_and_score(seed in 0u64..1_000_000, loc in -3.0..3.0, scale in 0.05..5.0, df in 2.05..60.0) {
        let mut generator = StdRng::seed_from_u64(seed);
        let c = generator.random_range(0.1..4.0) * if generator.random_bool(0.5) { 1.0 } else { -1.0 };
        let (d, y) = (generator.random_range(-5.0..5.0), scalar(generator.random_range(-6.0..6.0)));
        let (signal, noise) = (scalar(generator.random_range(0.2..2.0)), scalar(generator.random_range(0.0..2.0)));
        for law in families(loc, scale, df) {
            let moved = law.affine(&scalar(c), &scalar(d)).unwrap();
            let close = |a: Tensor, b: Tensor, tolerance: f64| (value(&(a - &b)) / value(&b).abs().max(1.0)).abs() < tolerance;
            let image = &y * c + d;
            prop_assert!(close(moved.log_prob(&image).unwrap(), law.log_prob(&y).unwrap() - c.abs().ln(), 1e-11));
            prop_assert!(close(moved.crps(&image).unwrap(), law.crps(&y).unwrap() * c.abs(), 1e-11));
            prop_assert!(close(moved.std(), law.std() * c.abs(), 1e-12));
            prop_assert!(close(moved.mean(), law.mean() * c + d, 1e-12));
            let noised = law.log_prob_noised(&y, &signal, &noise).unwrap();
            let moved = law.affine(&scalar(c), &scalar(0.0)).unwrap();
            let scaled = moved.log_prob_noised(&(&y * c), &signal, &(&noise * c.abs())).unwrap();
            prop_assert!(close(scaled, noised - c.abs().ln(), 1e-5));
        }
    }
}

/// Oracle: the distribution function of a Laplace law takes the noise to Φ of the normals; a Gaussian is itself;
/// moments of a Student's t are those of independent draws.
#[test]
fn noise_with_the_dependence_of_normals_has_the_law() {
    let on = (Kind::Double, Device::Cpu);
    let normals = Tensor::from_slice(&[-9.0, -2.0, -0.3, 0.0, 0.7, 3.0, 20.0]);
    let zero = || Tensor::zeros([7], on);
    let laplace = Likelihood::laplace(zero(), zero()).unwrap();
    let noise = laplace.noise_like(&normals).unwrap();
    let expected = (&normals * -std::f64::consts::FRAC_1_SQRT_2).erfc() * 0.5;
    let gap = (laplace.cdf(&noise).unwrap() - expected).abs().max().double_value(&[]);
    assert!(gap < 1e-14 && noise.abs().max().double_value(&[]).is_finite(), "{gap}");
    let gaussian = Likelihood::gaussian(zero(), zero()).unwrap();
    assert_eq!(gaussian.noise_like(&normals).unwrap(), normals);

    tch::manual_seed(5);
    let (n, wide) = (400_000_i64, Tensor::from_slice(&[3.0_f64]).log());
    let student =
        Likelihood::student_t(Tensor::zeros([n], on), Tensor::zeros([1], on), wide).unwrap();
    let noise = student.noise_like(&Tensor::randn([n], on)).unwrap();
    for level in [0.05, 0.5, 0.9, 0.99] {
        let point = noise.quantile_scalar(level, 0, false, "linear");
        let found = student.cdf(&point).unwrap().double_value(&[0]);
        let error = (level * (1.0 - level) / n as f64).sqrt();
        assert!((found - level).abs() < 6.0 * error, "{level}: {found}");
    }
}
