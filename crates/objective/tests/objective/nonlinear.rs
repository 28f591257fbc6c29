//! A nonlinear latent variable model with one latent and two observed dimensions: the evidence by
//! quadrature, and the bounds compared with it.

use objective::{DiagonalGaussian, elbo};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::StandardNormal;
use tch::{Device, Kind, Tensor};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);
/// Standard deviation of `x` around `f(z)`.
const STD: f64 = 0.4;

/// `log p(x, z)` for `z`: `[..., B, 1]`; `x`: `[B, 2]`.
fn log_joint(z: &Tensor, x: &Tensor) -> Tensor {
    let f = Tensor::cat(&[z + (z * 2.0).sin() * 0.5, (z * 1.5).cos()], -1);
    let likelihood = DiagonalGaussian::new(f.copy(), f.zeros_like() + STD.ln()).unwrap();
    let prior = DiagonalGaussian::standard_like(z).unwrap();
    likelihood.log_prob(x).unwrap() + prior.log_prob(z).unwrap()
}

/// Examples, and a Gaussian with the mean and 1.6 times the deviation of each exact posterior.
fn setting() -> (Tensor, Tensor, DiagonalGaussian) {
    let x = Tensor::from_slice(&[0.0, 1.0, 0.9, -0.4, -1.5, 0.2]).view([3, 2]);
    let (z, step) = grid();
    let joint = log_joint(&z, &x); // [G, 3]
    let evidence = joint.logsumexp([0i64].as_slice(), false) + f64::ln(step);
    let posterior = (joint - &evidence).exp() * step;
    let z = z.squeeze_dim(-1);
    let moment =
        |f: Tensor| (f * &posterior).sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
    let mean = moment(z.copy());
    let std = moment((&z - &mean).square()).sqrt() * 1.6;
    let q = DiagonalGaussian::new(mean.unsqueeze(-1), std.log().unsqueeze(-1)).unwrap();
    (x, evidence, q)
}

/// A grid for the trapezoid rule, exact to rounding here: `[G, 1, 1]` and its step.
fn grid() -> (Tensor, f64) {
    (Tensor::linspace(-10.0, 10.0, 8001, F64).view([-1, 1, 1]), 20.0 / 8000.0)
}

/// The exact ELBO by quadrature under `q`.
fn exact_elbo(q: &DiagonalGaussian, x: &Tensor) -> Tensor {
    let (z, step) = grid();
    let log_q = q.log_prob(&z).unwrap();
    let weight = log_joint(&z, x) - &log_q;
    (log_q.exp() * weight).sum_dim_intlist([0i64].as_slice(), false, Kind::Double) * step
}

fn normals(seed: u64, shape: &[i64]) -> Tensor {
    let mut generator = StdRng::seed_from_u64(seed);
    let draws: Vec<f64> =
        (0..shape.iter().product()).map(|_| generator.sample(StandardNormal)).collect();
    Tensor::from_slice(&draws).view(shape)
}

fn mean_and_error(draws: &Tensor) -> (Tensor, Tensor) {
    let count = draws.size()[0] as f64;
    let axis = [0i64];
    (
        draws.mean_dim(axis.as_slice(), false, None::<Kind>),
        draws.std_dim(axis.as_slice(), true, false) / count.sqrt(),
    )
}

fn all(condition: Tensor) -> bool {
    condition.all().int64_value(&[]) == 1
}

/// `ELBO = L_1 < L_2 < … < log p(x)`: L_1 is the ELBO within Monte Carlo error, each L_K lies above the one
/// before by more than 5 standard errors and none above the evidence by as much, and `K (log p − L_K) → ½ Var(w)/p²`.
#[test]
fn bounds_climb_to_the_evidence() {
    let (x, evidence, q) = setting();
    let (repeats, most) = (4_000, 64);
    let z = q.sample(&normals(1, &[repeats * most, 3, 1])).unwrap();
    let log_weights = (log_joint(&z, &x) - q.log_prob(&z).unwrap()).view([repeats, most, 3]);
    // All estimates use all draws: L_K averages over disjoint groups of K.
    let bound = |k: i64| {
        let groups = log_weights.view([-1, k, 3]).transpose(0, 1).reshape([k, -1]);
        elbo::iwae(&groups).unwrap().view([repeats, -1, 3]).mean_dim(
            [1i64].as_slice(),
            false,
            Kind::Double,
        )
    };
    let (first, error) = mean_and_error(&bound(1));
    let exact = exact_elbo(&q, &x);
    assert!(all(((first - &exact) / error).abs().lt(5.0)));
    assert!(all(exact.lt_tensor(&evidence)));

    let mut k = 1;
    while k < most {
        let (rise, error) = mean_and_error(&(bound(2 * k) - bound(k)));
        assert!(all((rise / error).gt(5.0)), "L_{} is not above L_{k}", 2 * k);
        let (gap, error) = mean_and_error(&(&evidence - bound(2 * k)));
        assert!(all((gap / error).gt(-5.0)), "L_{} is above the evidence", 2 * k);
        k *= 2;
    }

    // Maddison et al. (2017), proposition 1: the leading term of the gap.
    let (grid, step) = grid();
    let log_q = q.log_prob(&grid).unwrap();
    let log_ratio = log_joint(&grid, &x) - &log_q - &evidence;
    let second = (log_q + log_ratio * 2.0).exp(); // in this order: far out q is 0 and the ratio infinite
    let variance = second.sum_dim_intlist([0i64].as_slice(), false, Kind::Double) * step - 1.0;
    let (gap, error) = mean_and_error(&((&evidence - bound(most)) * most as f64));
    let z = (&gap - &variance * 0.5).abs() / (error * 5.0 + &variance * 0.05);
    assert!(all(z.lt(1.0)), "{gap} against {}", variance * 0.5);
}

/// The estimate of the evidence is within 5 of its own standard errors, which shrink as promised.
#[test]
fn the_estimate_of_the_evidence_knows_its_error() {
    let (x, evidence, q) = setting();
    let z = q.sample(&normals(2, &[50_000, 3, 1])).unwrap();
    let estimate = elbo::evidence(&(log_joint(&z, &x) - q.log_prob(&z).unwrap())).unwrap();
    let miss = (&estimate.log_evidence - &evidence) / &estimate.standard_error;
    assert!(all(miss.abs().lt(5.0)), "{miss}");
    assert!(all(estimate.standard_error.lt(0.01)));
    assert!(all(estimate.effective_draws.gt(10_000.0)));
}

/// The pathwise gradient of the ELBO: its mean over draws against the derivative of the quadrature.
#[test]
fn pathwise_gradients_match_the_quadrature() {
    let (x, _, q) = setting();
    let parameters =
        || (q.mean().copy().set_requires_grad(true), q.log_std().copy().set_requires_grad(true));
    let (mean, log_std) = parameters();
    let exact = exact_elbo(
        &DiagonalGaussian::new(mean.shallow_clone(), log_std.shallow_clone()).unwrap(),
        &x,
    );
    exact.sum(Kind::Double).backward();

    let n = 50_000;
    let copies = |tensor: &Tensor| tensor.detach().repeat([n, 1, 1]).set_requires_grad(true);
    let (means, log_stds) = (copies(&mean), copies(&log_std));
    let draws = DiagonalGaussian::new(means.shallow_clone(), log_stds.shallow_clone()).unwrap();
    let z = draws.sample(&normals(3, &[n, 3, 1])).unwrap();
    (log_joint(&z, &x) - draws.log_prob(&z).unwrap()).sum(Kind::Double).backward();
    for (sampled, exact) in [(means.grad(), mean.grad()), (log_stds.grad(), log_std.grad())] {
        let (found, error) = mean_and_error(&sampled);
        assert!(all(((found - exact) / error).abs().lt(5.0)));
    }
}
