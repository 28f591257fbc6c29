use tch::Device;

use super::*;
use crate::Gaussian;
use crate::testing::{mean_and_error, normals, value, values, worst};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

/// A random model with `z` latent and `2z + 1` observed dimensions, and data of it.
fn model(seed: u64, z: i64) -> (Ppca, Tensor) {
    let d = 2 * z + 1;
    let weights = normals(seed, &[d, z]);
    let model = Ppca::new(weights, normals(seed + 1, &[d]), 0.3).unwrap();
    let x = normals(seed + 2, &[6, z]).matmul(&model.weights.tr())
        + &model.offset
        + normals(seed + 3, &[6, d]) * model.variance.sqrt();
    (model, x)
}

fn elbo(model: &Ppca, q: &Gaussian, x: &Tensor) -> Tensor {
    model.expected_log_likelihood(q, x).unwrap() - q.kl_to_standard()
}

/// The bound equals the log evidence at the exact posterior, to 1e-9 relative, dimension 1 to 32.
#[test]
fn the_bound_is_tight_at_the_posterior() {
    for z in 1..=32 {
        let (model, x) = model(100 + z as u64, z);
        let posterior = Gaussian::from(model.posterior(&x).unwrap());
        let evidence = model.log_evidence(&x).unwrap();
        let error = worst(&elbo(&model, &posterior, &x), &evidence, 1e-300);
        assert!(error < 1e-9, "dimension {z}: relative gap {error:.1e}");
    }
}

/// For any q the gap is the divergence from the posterior, diagonal and full, dimension 1 to 32.
#[test]
fn the_gap_is_the_divergence_from_the_posterior() {
    for z in 1..=32 {
        let (model, x) = model(200 + z as u64, z);
        let posterior = model.posterior(&x).unwrap();
        let evidence = model.log_evidence(&x).unwrap();
        let mean = normals(300, &[6, z]);
        let diagonal = DiagonalGaussian::new(mean.copy(), normals(301, &[6, z]) * 0.5).unwrap();
        let packed = normals(302, &[6, FullGaussian::packed_len(z)]) * 0.3;
        let full = FullGaussian::new(mean, &packed).unwrap();
        for q in [Gaussian::from(diagonal), Gaussian::from(full)] {
            let gap = &evidence - elbo(&model, &q, &x);
            let error = worst(&gap, &q.kl(&posterior).unwrap(), 1e-300);
            assert!(error < 1e-9, "dimension {z}: relative error {error:.1e}");
        }
    }
}

/// The best diagonal q misses the evidence by `½ (Σ ln P_ii − ln det P)`, which the full q closes; every other
/// diagonal q misses by more.
#[test]
fn a_full_posterior_closes_the_gap_of_a_diagonal_one() {
    for z in [1, 2, 5, 16, 32] {
        let (model, x) = model(400 + z as u64, z);
        let evidence = model.log_evidence(&x).unwrap();
        let best = Gaussian::from(model.best_diagonal(&x).unwrap());
        let gap = &evidence - elbo(&model, &best, &x);
        let expected = model.diagonal_gap().unwrap();
        assert!(worst(&gap, &(gap.zeros_like() + expected), 1.0) < 1e-10);
        assert!(
            if z == 1 { expected.abs() < 1e-12 } else { expected > 0.01 },
            "dimension {z}: {expected}"
        );
        let full = Gaussian::from(model.posterior(&x).unwrap());
        assert!(value(&(&evidence - elbo(&model, &full, &x)).abs().max()) < 1e-10);

        let Gaussian::Diagonal(best) = best else { unreachable!() };
        for seed in 0..5 {
            let other = DiagonalGaussian::new(
                best.mean() + normals(seed, &[6, z]) * 0.01,
                best.log_std() + normals(seed + 9, &[6, z]) * 0.01,
            )
            .unwrap();
            assert!(value(&(&evidence - elbo(&model, &other.into(), &x)).min()) > expected);
        }
    }
}

/// Oracle: the evidence by averaging `p(x | z)` over draws of the prior, within 5 standard errors.
#[test]
fn the_evidence_matches_sampling_of_the_prior() {
    let (model, x) = model(500, 1);
    let z = normals(501, &[200_000, 1, 1]);
    let mean = z.matmul(&model.weights.tr()) + &model.offset; // [K, 1, D]
    let spread = mean.zeros_like() + 0.5 * model.variance.ln();
    let likelihood = DiagonalGaussian::new(mean, spread).unwrap();
    let (found, error) = mean_and_error(&likelihood.log_prob(&x).unwrap().exp());
    let z = (found - model.log_evidence(&x).unwrap().exp()) / error;
    assert!(value(&z.abs().max()) < 5.0, "{:?}", values(&z));
}

/// Oracle: the closed-form expectation against draws of q, within 5 standard errors.
#[test]
fn the_expected_log_likelihood_matches_sampling() {
    let (model, x) = model(510, 3);
    let q = model.posterior(&x).unwrap();
    let z = q.sample(&normals(511, &[20_000, 6, 3])).unwrap();
    let mean = z.matmul(&model.weights.tr()) + &model.offset;
    let spread = Tensor::full([7], 0.5 * model.variance.ln(), F64).expand_as(&mean);
    let (found, error) =
        mean_and_error(&DiagonalGaussian::new(mean, spread).unwrap().log_prob(&x).unwrap());
    let z = (found - model.expected_log_likelihood(&q, &x).unwrap()) / error;
    assert!(value(&z.abs().max()) < 5.0);
}

/// Oracle: at the fitted model the gradient of the log evidence vanishes, its value is a closed
/// form in the eigenvalues alone, and no perturbation raises it.
#[test]
fn the_fitted_model_has_the_greatest_likelihood() {
    let (truth, _) = model(520, 2);
    let x = normals(521, &[500, 2]).matmul(&truth.weights.tr())
        + &truth.offset
        + normals(522, &[500, 5]) * 0.55;
    let fitted = Ppca::fit(&x, 2).unwrap();
    let total = |model: &Ppca| model.log_evidence(&x).unwrap().mean(Kind::Double);

    let centered = &x - x.mean_dim([0i64].as_slice(), true, Kind::Double);
    let eigenvalues = values(&(centered.tr().matmul(&centered) / 500.0).linalg_eigh("L").0);
    let rest = eigenvalues[..3].iter().sum::<f64>() / 3.0;
    let log_det = eigenvalues[3..].iter().map(|l| l.ln()).sum::<f64>() + 3.0 * rest.ln();
    let expected = -0.5 * (5.0 * (2.0 * std::f64::consts::PI).ln() + log_det + 5.0);
    assert!((value(&total(&fitted)) - expected).abs() < 1e-11);

    let weights = fitted.weights.copy().set_requires_grad(true);
    let offset = fitted.offset.copy().set_requires_grad(true);
    total(&Ppca::new(weights.shallow_clone(), offset.shallow_clone(), fitted.variance).unwrap())
        .backward();
    assert!(value(&weights.grad().abs().max()) < 1e-11);
    assert!(value(&offset.grad().abs().max()) < 1e-11);
    for factor in [0.99, 1.01] {
        let other =
            Ppca::new(fitted.weights.copy(), fitted.offset.copy(), fitted.variance * factor)
                .unwrap();
        assert!(value(&total(&other)) < expected - 1e-6);
    }
    // The subspace: 500 points leave angles of a few degrees.
    let cosines = values(&principal_cosines(&fitted.weights, &truth.weights).unwrap());
    assert!(cosines.iter().all(|cosine| *cosine > 0.99), "{cosines:?}");
}

#[test]
fn sampled_data_has_the_marginal_covariance() {
    let (model, _) = model(530, 2);
    let centered = model.sample(50_000).unwrap() - &model.offset;
    let (second, error) = mean_and_error(&(centered.unsqueeze(-1) * centered.unsqueeze(-2)));
    let z = (second - model.marginal().unwrap().covariance()) / error;
    assert!(value(&z.abs().max()) < 5.0);
}

/// Oracle: lines at 30 degrees, and a plane that contains one.
#[test]
fn principal_angles_of_known_spaces() {
    let column = |values: &[f64]| Tensor::from_slice(values).unsqueeze(-1);
    let angle = std::f64::consts::FRAC_PI_6;
    let (left, right) = (column(&[2.0, 0.0, 0.0]), column(&[angle.cos(), angle.sin(), 0.0]));
    let cosines = principal_cosines(&left, &right).unwrap();
    assert!((value(&cosines.get(0)) - angle.cos()).abs() < 1e-14);
    let plane = Tensor::cat(&[right, column(&[5.0, 1.0, 0.0])], 1);
    assert!((value(&principal_cosines(&left, &plane).unwrap().get(0)) - 1.0).abs() < 1e-14);
    assert!(principal_cosines(&left, &column(&[1.0, 2.0])).is_err());
}

#[test]
fn mistakes_are_typed_errors() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, F64);
    assert!(matches!(
        Ppca::new(zeros(&[3]), zeros(&[3]), 1.0),
        Err(ObjectiveError::Shape { what: "weights", .. })
    ));
    assert!(matches!(
        Ppca::new(zeros(&[3, 1]), zeros(&[2]), 1.0),
        Err(ObjectiveError::Shape { what: "offset", .. })
    ));
    for variance in [0.0, -1.0, f64::NAN] {
        assert!(matches!(
            Ppca::new(zeros(&[3, 1]), zeros(&[3]), variance),
            Err(ObjectiveError::Range { .. })
        ));
    }
    assert!(matches!(
        Ppca::fit(&zeros(&[9, 3]), 3),
        Err(ObjectiveError::Range { what: "latent", .. })
    ));
    assert!(matches!(
        Ppca::fit(&zeros(&[9, 3]), 1),
        Err(ObjectiveError::Range { what: "variance", .. })
    ));
    let (model, x) = model(540, 2);
    assert!(model.posterior(&x.narrow(1, 0, 2)).is_err());
    let q = DiagonalGaussian::standard_like(&zeros(&[5, 2])).unwrap();
    assert!(matches!(
        model.expected_log_likelihood(&q, &x),
        Err(ObjectiveError::Shape { what: "q", .. })
    ));
}
