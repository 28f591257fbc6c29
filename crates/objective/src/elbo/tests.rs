use tch::{Device, Kind};

use super::*;
use crate::error::ObjectiveError;
use crate::testing::{mean_and_error, normals, value, values, worst};
use crate::{DiagonalGaussian, Ppca};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

fn rows(rows: &[&[f64]]) -> Tensor {
    Tensor::stack(&rows.iter().map(|row| Tensor::from_slice(row)).collect::<Vec<_>>(), 0)
}

#[test]
fn terms_add_up() {
    let groups = || vec![rows(&[&[1.0, 2.0], &[3.0, 4.0]]), rows(&[&[0.5], &[0.25]])];
    let elbo = Elbo::new(Tensor::from_slice(&[-1.0, -2.0]), groups(), 0.5, FreeBits::None).unwrap();
    assert_eq!(values(&elbo.kl), [3.5, 7.25]);
    assert_eq!(values(&elbo.charge), [3.5, 7.25]);
    assert_eq!(values(&elbo.total), [-2.75, -5.625]);
    assert_eq!(values(&elbo.bound()), [-4.5, -9.25]);
    assert_eq!(value(&elbo.loss()), (2.75 + 5.625) / 2.0);
    let plain = Elbo::new(Tensor::from_slice(&[-1.0]), vec![], 1.0, FreeBits::None).unwrap();
    assert_eq!(values(&plain.total), [-1.0]);
}

/// Oracle: by hand. The batch means of the columns are 2, 3 and 0.375.
#[test]
fn free_bits_charge_the_greater_of_allowance_and_batch_mean() {
    let group = rows(&[&[1.0, 2.0, 0.5], &[3.0, 4.0, 0.25]]).set_requires_grad(true);
    let charge = |free_bits| {
        Elbo::new(Tensor::zeros([2], F64), vec![group.shallow_clone()], 1.0, free_bits).unwrap()
    };
    let per_dimension = charge(FreeBits::PerDimension(2.5));
    assert_eq!(values(&per_dimension.charge), [2.5 + 2.0 + 2.5, 2.5 + 4.0 + 2.5]);
    assert_eq!(value(&per_dimension.charge.mean(Kind::Double)), 2.5 + 3.0 + 2.5);
    assert_eq!(values(&per_dimension.kl), [3.5, 7.25]); // the bound has no free bits
    per_dimension.loss().backward();
    assert_eq!(values(&group.grad()), [0.0, 0.5, 0.0, 0.0, 0.5, 0.0]);
    assert_eq!(
        values(&charge(FreeBits::PerDimension(2.0)).charge),
        [1.0 + 2.0 + 2.0, 3.0 + 4.0 + 2.0]
    ); // at the border
    assert_eq!(values(&charge(FreeBits::PerGroup(6.0)).charge), [6.0, 6.0]);
    assert_eq!(values(&charge(FreeBits::PerGroup(5.0)).charge), [3.5, 7.25]);
}

#[test]
fn mistakes_are_typed_errors() {
    let likelihood = || Tensor::zeros([2], F64);
    let zeros = |shape: &[i64]| Tensor::zeros(shape, F64);
    let wrong = |groups, weight, free| Elbo::new(likelihood(), groups, weight, free).unwrap_err();
    assert!(matches!(
        wrong(vec![zeros(&[3, 1])], 1.0, FreeBits::None),
        ObjectiveError::Shape { what: "kl group", .. }
    ));
    assert!(matches!(
        wrong(vec![zeros(&[2])], 1.0, FreeBits::None),
        ObjectiveError::Shape { what: "kl group", .. }
    ));
    for weight in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            wrong(vec![], weight, FreeBits::None),
            ObjectiveError::Range { what: "kl_weight", .. }
        ));
    }
    assert!(matches!(
        wrong(vec![zeros(&[2, 1])], 1.0, FreeBits::PerGroup(-1.0)),
        ObjectiveError::Range { what: "free bits", .. }
    ));
    assert!(Elbo::new(zeros(&[2, 1]), vec![], 1.0, FreeBits::None).is_err());
    assert!(iwae(&zeros(&[0, 3])).is_err());
    assert!(evidence(&zeros(&[3])).is_err());
    let leaf = zeros(&[2, 1, 1]).set_requires_grad(true);
    let elsewhere = zeros(&[2, 1]).set_requires_grad(true) * 2.0;
    let unreached = dreg_surrogate(&leaf.detach(), &leaf, &elsewhere).unwrap_err();
    assert!(matches!(unreached, ObjectiveError::NoGradient { what: "leaf" }), "{unreached}");
    assert!(matches!(
        dreg_surrogate(&leaf, &leaf.detach(), &elsewhere),
        Err(ObjectiveError::NoGradient { .. })
    ));
    assert!(dreg_surrogate(&leaf, &leaf, &zeros(&[3, 1])).is_err());
}

#[test]
fn sums_over_the_target_leave_out_the_unobserved() {
    let log_prob = rows(&[&[1.0, 2.0], &[f64::NAN, 4.0]]).unsqueeze(0);
    let observed = rows(&[&[1.0, 0.0], &[0.0, 1.0]]).to_kind(Kind::Bool);
    assert_eq!(values(&sum_over_target(&log_prob, Some(&observed)).unwrap()), [5.0]);
    assert!(value(&sum_over_target(&log_prob, None).unwrap().get(0)).is_nan());
    assert!(sum_over_target(&log_prob, Some(&log_prob)).is_err());
    assert!(sum_over_target(&log_prob.get(0).get(0), None).is_err());
}

#[test]
fn kl_weight_follows_its_schedule_at_and_around_its_borders() {
    let at = |weight: &KlWeight, steps: &[u64]| {
        steps.iter().map(|step| weight.at(*step)).collect::<Vec<_>>()
    };
    let constant = KlWeight::constant(0.3).unwrap();
    assert_eq!(at(&constant, &[0, 1, 1_000_000]), [0.3, 0.3, 0.3]);
    let linear = KlWeight::linear(0.5, 1.5, 4).unwrap();
    assert_eq!(at(&linear, &[0, 1, 2, 3, 4, 5, u64::MAX]), [0.5, 0.75, 1.0, 1.25, 1.5, 1.5, 1.5]);
    // Two periods of 8, rising over the first half of each.
    let cyclical = KlWeight::cyclical(0.0, 1.0, 8, 2, 0.5).unwrap();
    assert_eq!(
        at(&cyclical, &[0, 1, 2, 4, 7, 8, 9, 12, 15, 16, 17]),
        [0.0, 0.25, 0.5, 1.0, 1.0, 0.0, 0.25, 1.0, 1.0, 1.0, 1.0]
    );

    assert!(KlWeight::constant(-1e-9).is_err());
    assert!(KlWeight::linear(0.0, 1.0, 0).is_err());
    assert!(KlWeight::linear(0.0, 1.0, 1_000_000_000).is_ok());
    assert!(KlWeight::linear(0.0, 1.0, 1_000_000_001).is_err());
    assert!(KlWeight::cyclical(0.0, 1.0, 8, 0, 0.5).is_err());
    for rise in [0.0, 1.0 + 1e-9, f64::NAN] {
        assert!(matches!(
            KlWeight::cyclical(0.0, 1.0, 8, 2, rise),
            Err(ObjectiveError::Range { what: "kl_weight.rise", .. })
        ));
    }
    assert!(KlWeight::cyclical(0.0, 1.0, 8, 2, 1.0).is_ok());
}

#[test]
fn kl_weight_and_free_bits_read_from_a_configuration() {
    let read = |text: &str| serde_json::from_str::<KlWeight>(text);
    assert_eq!(read("1").unwrap(), KlWeight::constant(1.0).unwrap());
    assert_eq!(read("0.25").unwrap(), KlWeight::constant(0.25).unwrap());
    assert_eq!(
        read(r#"{"schedule": "linear", "steps": 500}"#).unwrap(),
        KlWeight::linear(0.0, 1.0, 500).unwrap()
    );
    let cyclical =
        read(r#"{"schedule": "cyclical", "period": 100, "cycles": 4, "end": 0.5}"#).unwrap();
    assert_eq!(cyclical, KlWeight::cyclical(0.0, 0.5, 100, 4, 0.5).unwrap());
    for weight in
        [cyclical, KlWeight::linear(0.1, 1.0, 7).unwrap(), KlWeight::constant(2.0).unwrap()]
    {
        assert_eq!(read(&serde_json::to_string(&weight).unwrap()).unwrap(), weight);
    }
    let complaint = |text: &str| read(text).unwrap_err().to_string();
    assert!(complaint("-1").contains("outside [0, ∞)"));
    assert!(complaint(r#"{"schedule": "linear", "steps": 0}"#).contains("kl_weight.steps"));
    assert!(
        complaint(r#"{"schedule": "linear", "steps": 5, "stop": 1}"#)
            .contains("unknown field `stop`")
    );
    assert!(complaint(r#"{"schedule": "sine"}"#).contains("unknown variant `sine`"));
    assert!(complaint("true").contains("a number or a table with `schedule`"));

    let read = |text: &str| serde_json::from_str::<FreeBits>(text).unwrap();
    assert_eq!(read("\"none\""), FreeBits::None);
    assert_eq!(read(r#"{"per-dimension": 0.1}"#), FreeBits::PerDimension(0.1));
    assert_eq!(
        serde_json::from_str::<GradientEstimator>("\"dreg\"").unwrap(),
        GradientEstimator::Dreg
    );
}

/// Oracle: by hand; and log weights far outside the range of `exp`.
#[test]
fn iwae_is_the_log_mean_of_the_weights() {
    let log_weights = rows(&[&[0.0, -1e4], &[3f64.ln(), -1e4 + 3f64.ln()]]);
    assert!(
        worst(
            &iwae(&log_weights).unwrap(),
            &Tensor::from_slice(&[2f64.ln(), -1e4 + 2f64.ln()]),
            1.0
        ) < 1e-14
    );
    assert_eq!(values(&iwae(&log_weights.narrow(0, 0, 1)).unwrap()), [0.0, -1e4]);
    let estimate = evidence(&log_weights).unwrap();
    // Weights 1 and 3: mean 2, sd √2, so √2/(√2·2); effective (1 + 3)²/(1 + 9).
    assert!(worst(&estimate.standard_error, &Tensor::from_slice(&[0.5, 0.5]), 1.0) < 1e-10);
    assert!(worst(&estimate.effective_draws, &Tensor::from_slice(&[1.6, 1.6]), 1.0) < 1e-10);
}

/// A linear model with a slightly wrong encoder, its exact evidence, and log weights of draws.
struct Setting {
    model: Ppca,
    x: Tensor,
    mean: Tensor,
    log_std: Tensor,
}

impl Setting {
    /// `batch` copies of one example, so that gradients of the copies are independent estimates.
    fn new(batch: i64, shift: f64) -> Self {
        let model = Ppca::new(normals(1, &[3, 2]), normals(2, &[3]), 0.5).unwrap();
        let x = normals(3, &[1, 3]).repeat([batch, 1]);
        let best = model.best_diagonal(&x).unwrap();
        let mean = (best.mean() + shift).detach().set_requires_grad(true);
        let log_std = (best.log_std() - shift).detach().set_requires_grad(true);
        Self { model, x, mean, log_std }
    }

    fn q(&self) -> DiagonalGaussian {
        DiagonalGaussian::new(self.mean.shallow_clone(), self.log_std.shallow_clone()).unwrap()
    }

    fn joint(&self, z: &Tensor) -> Tensor {
        let mean = z.matmul(&self.model.weights().tr()) + self.model.offset();
        let log_std = Tensor::full([3], 0.5 * self.model.variance().ln(), F64).expand_as(&mean);
        let likelihood = DiagonalGaussian::new(mean, log_std).unwrap();
        let prior = DiagonalGaussian::standard_like(&z.get(0)).unwrap();
        likelihood.log_prob(&self.x).unwrap() + prior.log_prob(z).unwrap()
    }

    /// Per-copy gradients of the bound with respect to (mean, log_std), `[B, 4]`.
    fn gradients(&self, estimator: GradientEstimator, noise: &Tensor) -> Tensor {
        let batch = self.x.size()[0] as f64;
        let z = self.q().sample(noise).unwrap();
        let loss = match estimator {
            GradientEstimator::Plain => -iwae(&(self.joint(&z) - self.q().log_prob(&z).unwrap()))
                .unwrap()
                .mean(Kind::Double),
            GradientEstimator::Stl => {
                -iwae(&(self.joint(&z) - self.q().detach().log_prob(&z).unwrap()))
                    .unwrap()
                    .mean(Kind::Double)
            }
            GradientEstimator::Dreg => {
                let leaf = z.detach().set_requires_grad(true);
                let log_weights = self.joint(&leaf) - self.q().detach().log_prob(&leaf).unwrap();
                let loss = dreg_surrogate(&z, &leaf, &log_weights).unwrap();
                let bound = iwae(&log_weights.detach()).unwrap().mean(Kind::Double);
                assert!((value(&loss) + value(&bound)).abs() < 1e-12);
                loss
            }
        };
        let gradients = Tensor::run_backward(&[loss], &[&self.mean, &self.log_std], false, false);
        Tensor::cat(&gradients, -1) * -batch
    }
}

/// DReG estimates the same gradient as plain differentiation (the difference of the two, from the same draws,
/// has mean zero within 5 standard errors) with less variance; STL does not, beyond K = 1.
#[test]
fn dreg_is_unbiased_with_less_variance() {
    for draws in [1, 8] {
        let setting = Setting::new(40_000, 0.3);
        let noise = normals(4, &[draws, 40_000, 2]);
        let [plain, stl, dreg] =
            [GradientEstimator::Plain, GradientEstimator::Stl, GradientEstimator::Dreg]
                .map(|estimator| setting.gradients(estimator, &noise));
        let (mean, error) = mean_and_error(&(&plain - &dreg));
        assert!(value(&(mean / error).abs().max()) < 5.0, "K = {draws}");
        let variance = |gradients: &Tensor| {
            value(&gradients.var_dim([0i64].as_slice(), true, false).sum(Kind::Double))
        };
        assert!(
            variance(&dreg) < 0.9 * variance(&plain),
            "K = {draws}: {} of {}",
            variance(&dreg),
            variance(&plain)
        );
        let (mean, error) = mean_and_error(&(&plain - &stl));
        let bias = value(&(mean / error).abs().max());
        if draws == 1 {
            assert!(worst(&stl, &dreg, 1.0) < 1e-12); // the same estimator
            assert!(bias < 5.0);
        } else {
            assert!(bias > 10.0, "STL should be biased at K = {draws}: {bias:.1} standard errors");
        }
    }
}

/// At the true posterior the STL gradient is zero draw by draw; the plain one only in the mean.
#[test]
fn sticking_the_landing_has_no_variance_at_the_posterior() {
    let model = Ppca::new(normals(5, &[3, 1]), normals(6, &[3]), 0.5).unwrap();
    let x = normals(7, &[50, 3]);
    let exact = model.best_diagonal(&x).unwrap(); // in one dimension the posterior itself
    let setting = Setting {
        x,
        mean: exact.mean().detach().set_requires_grad(true),
        log_std: exact.log_std().detach().copy().set_requires_grad(true),
        model,
    };
    let noise = normals(8, &[1, 50, 1]);
    assert!(value(&setting.gradients(GradientEstimator::Stl, &noise).abs().max()) < 1e-12);
    assert!(value(&setting.gradients(GradientEstimator::Plain, &noise).abs().max()) > 0.1);
}

/// The model's own gradient under DReG is that of the IWAE bound.
#[test]
fn dreg_leaves_the_gradient_of_the_model_alone() {
    let setting = Setting::new(20, 0.2);
    let z = setting.q().sample(&normals(9, &[5, 20, 2])).unwrap();
    let gradient = |surrogate: bool| {
        let scale = Tensor::ones([1], F64).set_requires_grad(true);
        let weights = |z: &Tensor| {
            setting.joint(&(z * 1.0)) * &scale - setting.q().detach().log_prob(z).unwrap()
        };
        let loss = if surrogate {
            let leaf = z.detach().set_requires_grad(true);
            dreg_surrogate(&z, &leaf, &weights(&leaf)).unwrap()
        } else {
            -iwae(&weights(&z.detach())).unwrap().mean(Kind::Double)
        };
        value(&Tensor::run_backward(&[loss], &[&scale], false, false)[0])
    };
    assert!((gradient(true) - gradient(false)).abs() < 1e-12);
}
