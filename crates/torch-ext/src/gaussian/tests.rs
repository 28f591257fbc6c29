use super::*;

const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;
const BOUND: f64 = 7.0;

fn randn(size: &[i64], kind: Kind) -> Tensor {
    Tensor::randn(size, (kind, Device::Cpu))
}

fn bound(raw: &Tensor) -> Tensor {
    (raw / BOUND).tanh() * BOUND
}

fn sum_windows(terms: &Tensor) -> Tensor {
    terms.sum_dim_intlist([1i64, 2].as_slice(), false, terms.kind())
}

/// Raw parameters; in f64 some of them far out, where f32 loses digits to `exp(2 ln σ)`.
fn parameters(size: [i64; 3], kind: Kind) -> Tensor {
    let spread = if kind == Kind::Double { 2.0 } else { 0.5 };
    (randn(&size, kind) * spread).set_requires_grad(true)
}

/// The draw and the divergence in single tensor operations, in the order in which crates `objective` and `vae`
/// compose them.
fn written_out(parameters: &Tensor, prior: Option<Prior>, noise: &Tensor) -> [Tensor; 2] {
    let bound = |raw: &Tensor| (raw * (1.0 / BOUND)).tanh() * BOUND;
    let parameters = match prior {
        Some(Prior { parameters: prior, relative: true }) => prior + parameters,
        _ => parameters.shallow_clone(),
    };
    let split = |parameters: &Tensor| {
        let halves = parameters.chunk(2, -1);
        (halves[0].contiguous(), bound(&halves[1]))
    };
    let (mean, log_std) = split(&parameters);
    let sample = mean.addcmul(&log_std.exp(), noise);
    let (square, twice) = match prior {
        Some(Prior { parameters, .. }) => {
            let (prior_mean, prior_log_std) = split(parameters);
            let standardized = (mean - prior_mean) * (-&prior_log_std).exp();
            (standardized.square(), (log_std - prior_log_std) * 2.0)
        }
        None => (mean.square(), log_std * 2.0),
    };
    [sample, (square + (twice.expm1() - twice)) * 0.5]
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

/// Oracle: the formulas in single tensor operations: draws, divergences and gradients, bit for bit, from widths
/// below the shortest vector to ones that no vector divides.
#[test]
fn draws_and_divergences_are_those_of_single_operations() {
    for [windows, group, width] in SIZES {
        for (with_prior, relative) in [(false, false), (true, false), (true, true)] {
            let pair = [windows, group, 2 * width];
            let own = parameters(pair, Kind::Float);
            let others = parameters(pair, Kind::Float);
            let noise = randn(&[windows, group, width], Kind::Float);
            let prior = with_prior.then_some(Prior { parameters: &others, relative });
            let (sample, divergence) = gaussian_draw(&own, prior, &noise, BOUND).unwrap();
            let expected = written_out(&own, prior, &noise);
            let of: Vec<&Tensor> =
                [&own].into_iter().chain(prior.map(|prior| prior.parameters)).collect();
            let weighing = expected.each_ref().map(Tensor::randn_like);
            let all = |results: [Tensor; 2]| {
                let gradients = gradients(&results, &weighing, &of);
                results.into_iter().chain(gradients).collect::<Vec<_>>()
            };
            let found = all([sample, divergence]);
            for (i, (found, expected)) in found.iter().zip(&all(expected)).enumerate() {
                assert_eq!(found, expected, "{i}, {pair:?} {with_prior} {relative}");
            }
        }
    }
}

/// A backward pass may start from either of the two results alone.
#[test]
fn one_result_is_enough() {
    let own = parameters([3, 2, 8], Kind::Float);
    let others = parameters([3, 2, 8], Kind::Float);
    let noise = randn(&[3, 2, 4], Kind::Float);
    let prior = Some(Prior { parameters: &others, relative: true });
    for which in 0..2 {
        let (sample, divergence) = gaussian_draw(&own, prior, &noise, BOUND).unwrap();
        let found = if which == 0 { sample } else { divergence };
        let [sample, divergence] = written_out(&own, prior, &noise);
        let expected = if which == 0 { sample } else { divergence };
        let weighing = [expected.randn_like()];
        let of = [&own, &others];
        let (found, expected) =
            (gradients(&[found], &weighing, &of), gradients(&[expected], &weighing, &of));
        assert_eq!(found, expected);
    }
}

/// The caller sets the bound: halving it halves the largest logarithm of a scale.
#[test]
fn the_bound_is_an_argument() {
    let parameters = Tensor::from_slice(&[0f32, 1e3]).view([1, 1, 2]);
    let noise = Tensor::ones([1, 1, 1], (Kind::Float, Device::Cpu));
    for bound in [3.5, 7.0] {
        let (sample, _) = gaussian_draw(&parameters, None, &noise, bound).unwrap();
        assert!((sample.double_value(&[0, 0, 0]).ln() - bound).abs() < 1e-5);
        let laws = Laws { parameters: &parameters, offset: None, bound };
        let target = Target { values: &noise.zeros_like(), noise: None, observed: None };
        let density = log_density(Law::Gaussian, laws, target).unwrap().double_value(&[0]);
        assert!((density + bound + HALF_LN_2PI).abs() < 1e-5);
    }
}

struct Scored {
    law: Law,
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
            law: if has(8) { Law::Laplace } else { Law::Gaussian },
            head: randn(&[windows, group, 2 * width], kind).set_requires_grad(true),
            skip: has(1).then(|| randn(&size, kind).set_requires_grad(true)),
            target: randn(&size, kind),
            noise: (has(2) && !has(8)).then_some(noise),
            observed: has(4).then(|| randn(&size, kind).gt(-0.5).to_kind(kind)),
        }
    }

    fn found(&self) -> Tensor {
        let noise = self.noise.as_ref().map(|(signal, std)| (signal, std));
        let (values, observed) = (&self.target, self.observed.as_ref());
        let target = Target { values, noise, observed };
        let laws = Laws { parameters: &self.head, offset: self.skip.as_ref(), bound: BOUND };
        log_density(self.law, laws, target).unwrap()
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
        let log_prob = match self.law {
            Law::Gaussian => (residual.square() / &variance + variance.log()) * -0.5 - HALF_LN_2PI,
            Law::Laplace => -(residual.abs() / variance.sqrt()) - (variance.sqrt() * 2.0).log(),
        };
        sum_windows(&match &self.observed {
            Some(observed) => log_prob * observed,
            None => log_prob,
        })
    }

    fn arguments(&self) -> Vec<&Tensor> {
        [&self.head].into_iter().chain(&self.skip).collect()
    }
}

/// Oracle: the formulas written out in tch, with and without each of skip, noise and mask.
#[test]
fn densities_and_gradients_are_those_written_out() {
    for (kind, tolerance) in TOLERANCES {
        for size in SIZES {
            for parts in 0..16 {
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

/// Checks gradients of `loss` by central differences in f64 along one direction for each argument.
fn check_slopes(loss: &dyn Fn() -> Tensor, arguments: &[&Tensor]) {
    let gradients = Tensor::run_backward(&[loss()], arguments, false, false);
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

/// Oracle: central differences.
#[test]
fn gradients_are_those_of_finite_differences() {
    tch::manual_seed(8); // no residual of a Laplace law is so small that a difference crosses zero
    for parts in [7, 13] {
        let case = Scored::new([3, 2, 5], Kind::Double, parts);
        check_slopes(&|| -case.found().sum(Kind::Double), &case.arguments());
    }
}

/// Laws of four draws, their offset, noise and truth.
struct Draws {
    head: Tensor,
    offset: Option<Tensor>,
    noise: Tensor,
    truth: Tensor,
}

impl Draws {
    fn new([windows, group, width]: [i64; 3], kind: Kind, draws: i64, offset: bool) -> Draws {
        let size = [windows, group, width];
        let with_gradient = |size: &[i64]| randn(size, kind).set_requires_grad(true);
        Draws {
            head: with_gradient(&[draws, windows, group, 2 * width]),
            offset: offset.then(|| with_gradient(&size)),
            noise: randn(&[draws, windows, group, width], kind),
            truth: randn(&size, kind),
        }
    }

    fn found(&self) -> Tensor {
        let laws = Laws { parameters: &self.head, offset: self.offset.as_ref(), bound: BOUND };
        crps_loss(laws, &self.noise, &self.truth).unwrap()
    }

    /// The mean over both halves of the draws, one as `X` and the other as `X'`.
    fn expected(&self) -> Tensor {
        let halves = self.head.chunk(2, -1);
        let location = match &self.offset {
            Some(offset) => &halves[0] + offset,
            None => halves[0].shallow_clone(),
        };
        let x = location + bound(&halves[1]).exp() * &self.noise;
        let pairs = x.chunk(2, 0);
        let mean = |tensor: Tensor| tensor.mean_dim([0i64].as_slice(), false, None::<Kind>);
        mean((&x - &self.truth).abs()) - mean((&pairs[0] - &pairs[1]).abs()) * 0.5
    }

    fn arguments(&self) -> Vec<&Tensor> {
        [&self.head].into_iter().chain(&self.offset).collect()
    }
}

/// Oracle: the formula written out in tch, and central differences.
#[test]
fn scores_of_draws_and_gradients_are_those_written_out() {
    tch::manual_seed(9);
    for (kind, tolerance) in TOLERANCES {
        for (size, draws, offset) in [
            ([1, 1, 1], 2, false),
            ([3, 2, 5], 4, true),
            ([4, 7, 24], 4, true),
            ([2, 1, 70], 6, false),
            ([2, 3, 130], 2, true),
        ] {
            let case = Draws::new(size, kind, draws, offset);
            let (found, expected) = (case.found(), case.expected());
            assert!(gap(&found, &expected) < tolerance, "{kind:?} {size:?}");
            let weighing = [expected.randn_like()];
            let found = gradients(&[found], &weighing, &case.arguments());
            let expected = gradients(&[expected], &weighing, &case.arguments());
            for (found, expected) in found.iter().zip(&expected) {
                assert!(gap(found, expected) < tolerance, "gradient, {kind:?} {size:?}");
            }
        }
    }
    let case = Draws::new([3, 2, 5], Kind::Double, 4, true);
    check_slopes(&|| case.found().square().sum(Kind::Double), &case.arguments());
}

#[test]
fn unfit_draws_are_errors() {
    let case = Draws::new([3, 2, 5], Kind::Float, 4, true);
    let score = |parameters: &Tensor, noise: &Tensor, truth: &Tensor| {
        crps_loss(Laws { parameters, offset: None, bound: BOUND }, noise, truth).map(drop)
    };
    let Draws { head, noise, truth, .. } = &case;
    assert!(score(head, noise, truth).is_ok());
    for odd in [0, 3] {
        let (head, noise) = (head.narrow(0, 0, odd), noise.narrow(0, 0, odd));
        assert!(matches!(score(&head, &noise, truth), Err(TorchExtError::Value { .. })));
    }
    assert!(score(head, &noise.narrow(0, 0, 2), truth).is_err());
    assert!(score(head, noise, &truth.narrow(2, 0, 4)).is_err());
    assert!(score(head, noise, &truth.to_kind(Kind::Double)).is_err());
    let none = Draws::new([0, 2, 5], Kind::Float, 4, true);
    assert_eq!(none.found().size(), [0, 2, 5]);
}

/// A missing value may be anything, even NaN; an observed NaN spoils its own window only.
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
    let draw = |parameters: &Tensor, prior: Option<&Tensor>, noise: &Tensor, bound: f64| {
        let prior = prior.map(|parameters| Prior { parameters, relative: true });
        gaussian_draw(parameters, prior, noise, bound).map(drop)
    };
    assert!(draw(&pair, Some(&pair), &noise, BOUND).is_ok());
    assert!(draw(&noise, None, &noise, BOUND).is_err());
    assert!(draw(&pair, Some(&noise), &noise, BOUND).is_err());
    for kind in [Kind::Half, Kind::Double] {
        let wrong = draw(&pair, None, &noise.to_kind(kind), BOUND);
        assert!(matches!(wrong, Err(TorchExtError::Kind { .. })));
    }
    let flat = draw(&pair, None, &noise.view([6, 4]), BOUND);
    assert!(matches!(flat, Err(TorchExtError::Axes { .. })));
    for bound in [0.0, f64::NAN] {
        let wrong = draw(&pair, None, &noise, bound);
        assert!(matches!(wrong, Err(TorchExtError::Value { .. })));
    }
    let laws = |parameters| Laws { parameters, offset: Some(&noise), bound: BOUND };
    let target = Target { values: &noise, noise: None, observed: None };
    assert!(log_density(Law::Gaussian, laws(&pair), target).is_ok());
    assert!(log_density(Law::Gaussian, laws(&noise), target).is_err());
    let level = randn(&[3], Kind::Float);
    let noised = Target { noise: Some((&level, &level)), ..target };
    assert!(log_density(Law::Gaussian, laws(&pair), noised).is_ok());
    assert!(log_density(Law::Laplace, laws(&pair), noised).is_err());
    let level = randn(&[2], Kind::Float);
    let target = Target { noise: Some((&level, &level)), ..target };
    assert!(matches!(
        log_density(Law::Gaussian, laws(&pair), target),
        Err(TorchExtError::Shape { .. })
    ));
    let (none, pairs) = (randn(&[0, 2, 4], Kind::Float), randn(&[0, 2, 8], Kind::Float));
    let target = Target { values: &none, noise: None, observed: None };
    let laws = Laws { parameters: &pairs, offset: None, bound: BOUND };
    assert_eq!(log_density(Law::Gaussian, laws, target).unwrap().size(), [0]);
    assert!(fuses_draw(&noise) && fuses_density(&noise));
    let (half, double) = (noise.to_kind(Kind::Half), noise.to_kind(Kind::Double));
    assert!(!fuses_draw(&double) && fuses_density(&double));
    assert!(!fuses_draw(&half) && !fuses_density(&half));
}

/// Without windows, groups or latent variables there is nothing to compute, and nothing to divide by.
#[test]
fn empty_tensors_give_empty_results() {
    for size in [[0, 2, 3], [2, 0, 3], [2, 3, 0], [0, 0, 0]] {
        let [windows, group, width] = size;
        let parameters = parameters([windows, group, 2 * width], Kind::Float);
        let (noise, prior) = (randn(&size, Kind::Float), parameters.detach());
        for prior in [None, Some(Prior { parameters: &prior, relative: true })] {
            let (sample, divergence) = gaussian_draw(&parameters, prior, &noise, BOUND).unwrap();
            assert_eq!((sample.size(), divergence.size()), (size.to_vec(), size.to_vec()));
            (sample + divergence).sum(Kind::Float).backward();
        }
        let laws = Laws { parameters: &parameters, offset: None, bound: BOUND };
        let target = Target { values: &noise, noise: None, observed: None };
        let density = log_density(Law::Gaussian, laws, target).unwrap();
        assert_eq!(density.size(), [windows]);
        density.sum(Kind::Float).backward();
    }
}
