use super::*;

const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

fn randn(size: &[i64], kind: Kind) -> Tensor {
    Tensor::randn(size, (kind, Device::Cpu))
}

fn bound(raw: &Tensor) -> Tensor {
    (raw / 7.0).tanh() * 7.0
}

fn sum_windows(terms: &Tensor) -> Tensor {
    terms.sum_dim_intlist([1i64, 2].as_slice(), false, terms.kind())
}

/// Raw parameters; in f64 some of them far out, where f32 loses digits to `exp(2 ln σ)`.
fn parameters(size: [i64; 3], kind: Kind) -> Tensor {
    let spread = if kind == Kind::Double { 2.0 } else { 0.5 };
    (randn(&size, kind) * spread).set_requires_grad(true)
}

/// The draw and the divergence written out.
fn written_out(
    own: &Tensor,
    prior: Option<&Tensor>,
    noise: &Tensor,
    relative: bool,
) -> [Tensor; 2] {
    let own = match prior {
        Some(prior) if relative => own + prior,
        _ => own.shallow_clone(),
    };
    let halves = own.chunk(2, -1);
    let (mean, log_std) = (&halves[0], bound(&halves[1]));
    let sample = mean + log_std.exp() * noise;
    let (prior_mean, prior_log_std) = match prior {
        Some(prior) => {
            let halves = prior.chunk(2, -1);
            (halves[0].shallow_clone(), bound(&halves[1]))
        }
        None => (noise.zeros_like(), noise.zeros_like()),
    };
    let log_ratio = log_std - &prior_log_std;
    let shift = (mean - prior_mean) * (-prior_log_std).exp();
    let kl = (shift.square() + (&log_ratio * 2.0).expm1() - log_ratio * 2.0) * 0.5;
    [sample, sum_windows(&kl)]
}

/// The largest difference, relative to each element or to one, whichever is larger.
fn gap(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    ((found - expected).abs() / expected.abs().clamp_min(1.0)).max().double_value(&[])
}

fn gradients(results: &[Tensor], weighing: &[Tensor], of: &[&Tensor]) -> Vec<Tensor> {
    let terms = results.iter().zip(weighing).map(|(result, by)| (result * by).sum(by.kind()));
    Tensor::run_backward(&[terms.reduce(|a, b| a + b).unwrap()], of, false, false)
}

const SIZES: [[i64; 3]; 4] = [[1, 1, 1], [3, 2, 5], [4, 7, 8], [2, 1, 70]];

const TOLERANCES: [(Kind, f64); 2] = [(Kind::Double, 1e-12), (Kind::Float, 1e-5)];

/// Oracle: the formulas written out in tch; draws, divergences and gradients of both.
#[test]
fn draws_and_divergences_are_those_written_out() {
    for (kind, tolerance) in TOLERANCES {
        for [windows, group, width] in SIZES {
            for (with_prior, relative) in [(false, false), (true, false), (true, true)] {
                let pair = [windows, group, 2 * width];
                let (own, prior) = (parameters(pair, kind), parameters(pair, kind));
                let noise = randn(&[windows, group, width], kind);
                let prior = with_prior.then_some(&prior);
                let found = gaussian_draw(&own, prior, &noise, relative).unwrap();
                let found = [found.0, found.1];
                let expected = written_out(&own, prior, &noise, relative);
                let of: Vec<&Tensor> = [&own].into_iter().chain(prior).collect();
                let weighing = expected.each_ref().map(Tensor::randn_like);
                let all = |results: [Tensor; 2]| {
                    let gradients = gradients(&results, &weighing, &of);
                    results.into_iter().chain(gradients).collect::<Vec<_>>()
                };
                for (i, (found, expected)) in all(found).iter().zip(&all(expected)).enumerate() {
                    let gap = gap(found, expected);
                    assert!(
                        gap < tolerance,
                        "{i}: {gap}, {kind:?} {pair:?} {with_prior} {relative}"
                    );
                }
            }
        }
    }
}

/// Each of the two results alone is enough to go back from.
#[test]
fn one_result_is_enough() {
    let (own, prior) = (parameters([3, 2, 8], Kind::Double), parameters([3, 2, 8], Kind::Double));
    let noise = randn(&[3, 2, 4], Kind::Double);
    for which in 0..2 {
        let (sample, kl) = gaussian_draw(&own, Some(&prior), &noise, true).unwrap();
        let found = if which == 0 { sample } else { kl };
        let [sample, kl] = written_out(&own, Some(&prior), &noise, true);
        let expected = if which == 0 { sample } else { kl };
        let weighing = [expected.randn_like()];
        let of = [&own, &prior];
        let (found, expected) =
            (gradients(&[found], &weighing, &of), gradients(&[expected], &weighing, &of));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(gap(found, expected) < 1e-12);
        }
    }
}

struct Scored {
    head: Tensor,
    skip: Option<Tensor>,
    target: Tensor,
    noise: Option<(Tensor, Tensor)>,
    observed: Option<Tensor>,
}

impl Scored {
    fn new([windows, group, width]: [i64; 3], kind: Kind, parts: u8) -> Scored {
        let size = [windows, group, width];
        let has = |bit: u8| parts & bit != 0;
        let level = randn(&[windows], kind).sigmoid();
        let noise = (level.copy(), (level.square() * -1.0 + 1.0).sqrt());
        Scored {
            head: randn(&[windows, group, 2 * width], kind).set_requires_grad(true),
            skip: has(1).then(|| randn(&size, kind).set_requires_grad(true)),
            target: randn(&size, kind),
            noise: has(2).then_some(noise),
            observed: has(4).then(|| randn(&size, kind).gt(-0.5).to_kind(kind)),
        }
    }

    fn found(&self) -> Tensor {
        let noise = self.noise.as_ref().map(|(signal, std)| (signal, std));
        let (values, observed) = (&self.target, self.observed.as_ref());
        let target = Target { values, noise, observed };
        gaussian_log_density(&self.head, self.skip.as_ref(), target).unwrap()
    }

    fn expected(&self) -> Tensor {
        let halves = self.head.chunk(2, -1);
        let location = match &self.skip {
            Some(skip) => &halves[0] + skip,
            None => halves[0].shallow_clone(),
        };
        let variance = (bound(&halves[1]) * 2.0).exp();
        let (residual, variance) = match &self.noise {
            Some((signal, std)) => {
                let (a, s) = (signal.view([-1, 1, 1]), std.view([-1, 1, 1]));
                (&self.target - &a * location, a.square() * variance + s.square())
            }
            None => (&self.target - location, variance),
        };
        let log_prob = (residual.square() / &variance + variance.log()) * -0.5 - HALF_LN_2PI;
        sum_windows(&match &self.observed {
            Some(observed) => log_prob * observed,
            None => log_prob,
        })
    }

    fn arguments(&self) -> Vec<&Tensor> {
        [&self.head].into_iter().chain(&self.skip).collect()
    }
}

/// Oracle: the formula written out in tch, with and without each of skip, noise and mask.
#[test]
fn densities_and_gradients_are_those_written_out() {
    for (kind, tolerance) in TOLERANCES {
        for size in SIZES {
            for parts in 0..8 {
                let case = Scored::new(size, kind, parts);
                let (found, expected) = (case.found(), case.expected());
                assert!(gap(&found, &expected) < tolerance, "{kind:?} {size:?} {parts}");
                let weighing = [expected.randn_like()];
                let found = gradients(&[found], &weighing, &case.arguments());
                let expected = gradients(&[expected], &weighing, &case.arguments());
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let gap = gap(found, expected);
                    assert!(gap < tolerance, "gradient {i}: {gap}, {kind:?} {size:?} {parts}");
                }
            }
        }
    }
}

/// Oracle: central differences in f64 along one direction.
#[test]
fn gradients_are_those_of_finite_differences() {
    let case = Scored::new([3, 2, 5], Kind::Double, 7);
    let own = parameters([3, 2, 8], Kind::Double);
    let prior = parameters([3, 2, 8], Kind::Double);
    let (noise, weighing) = (randn(&[3, 2, 4], Kind::Double), randn(&[3, 2, 4], Kind::Double));
    let loss = || {
        let (sample, kl) = gaussian_draw(&own, Some(&prior), &noise, false).unwrap();
        (sample * &weighing).sum(Kind::Double) + kl.sum(Kind::Double)
            - case.found().sum(Kind::Double)
    };
    let arguments: Vec<&Tensor> = case.arguments().into_iter().chain([&own, &prior]).collect();
    let gradients = Tensor::run_backward(&[loss()], &arguments, false, false);
    for (argument, gradient) in arguments.iter().zip(&gradients) {
        let direction = gradient.randn_like();
        let at = |distance: f64| {
            tch::no_grad(|| {
                let mut moved = argument.shallow_clone();
                let _ = moved.f_add_(&(&direction * distance)).unwrap();
                let loss = loss().double_value(&[]);
                let _ = moved.f_sub_(&(&direction * distance)).unwrap();
                loss
            })
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let slope = (gradient * &direction).sum(Kind::Double).double_value(&[]);
        let scale = gradient.norm().double_value(&[]) + 1.0;
        assert!((difference - slope).abs() < 1e-6 * scale, "{difference} {slope}");
    }
}

/// What is missing may be anything, NaN as well; what is not spoils its own window only.
#[test]
fn a_nan_counts_only_where_it_was_observed() {
    let mut case = Scored::new([3, 1, 4], Kind::Float, 4);
    let mask = Tensor::ones([3, 1, 4], (Kind::Float, Device::Cpu));
    let _ = mask.get(0).fill_(0.0);
    case.observed = Some(mask);
    let _ = case.target.get(0).fill_(f64::NAN);
    let _ = case.target.get(1).get(0).get(2).fill_(f64::NAN);
    let found = case.found();
    let gradient = &gradients(&[found.copy()], &[found.ones_like()], &[&case.head])[0];
    let spoiled = |tensor: &Tensor| {
        Vec::<bool>::try_from(tensor.view([3, -1]).isnan().any_dim(1, false)).unwrap()
    };
    assert_eq!(spoiled(&found), [false, true, false]);
    assert_eq!(spoiled(gradient), [false, true, false]);
    assert_eq!(gradient.get(0).abs().max().double_value(&[]), 0.0);
}

#[test]
fn unfit_arguments_are_errors() {
    let noise = randn(&[3, 2, 4], Kind::Float);
    let pair = randn(&[3, 2, 8], Kind::Float);
    assert!(gaussian_draw(&pair, Some(&pair), &noise, true).is_ok());
    assert!(gaussian_draw(&noise, None, &noise, false).is_err());
    assert!(gaussian_draw(&pair, Some(&noise), &noise, false).is_err());
    let wrong = gaussian_draw(&pair, None, &noise.to_kind(Kind::Half), false);
    assert!(matches!(wrong, Err(TorchExtError::Kind { .. })));
    let wrong = gaussian_draw(&pair, None, &noise.to_kind(Kind::Double), false);
    assert!(matches!(wrong, Err(TorchExtError::Kind { .. })));
    let flat = gaussian_draw(&pair, None, &noise.view([6, 4]), false);
    assert!(matches!(flat, Err(TorchExtError::Axes { .. })));
    let target = Target { values: &noise, noise: None, observed: None };
    assert!(gaussian_log_density(&pair, Some(&noise), target).is_ok());
    assert!(gaussian_log_density(&noise, None, target).is_err());
    let level = randn(&[2], Kind::Float);
    let target = Target { noise: Some((&level, &level)), ..target };
    assert!(matches!(gaussian_log_density(&pair, None, target), Err(TorchExtError::Shape { .. })));
    let none = randn(&[0, 2, 4], Kind::Float);
    let target = Target { values: &none, noise: None, observed: None };
    let found = gaussian_log_density(&randn(&[0, 2, 8], Kind::Float), None, target).unwrap();
    assert_eq!(found.size(), [0]);
    assert!(fuses(&noise) && !fuses(&noise.to_kind(Kind::Half)));
}
