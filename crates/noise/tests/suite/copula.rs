//! Coherent noise in normal scores: the law of windows of a Gaussian copula survives.

use noise::{Coherent, Marginals, NoiseConfig, Windows};
use tch::{Device, Kind, Tensor};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
/// Steps of a window, windows of a batch, and batches.
const STEPS: i64 = 6;
const BATCH: i64 = 128;
const DRAWS: i64 = 2000;
/// Correlation of neighbors in time, and of the first channel with each other one.
const RHO: f64 = 0.8;
const BETWEEN: f64 = 0.5;
/// The second channel is zero where its latent variable is below this.
const DRY: f64 = 0.3;

/// Latent normal variables, `[n, STEPS, 3]`: autoregressive in time.
fn latent(count: i64) -> Tensor {
    let fresh = || {
        let all = Tensor::randn([count, 3], DOUBLE);
        let own = (1.0 - BETWEEN * BETWEEN).sqrt();
        let like = |channel| all.select(1, 0) * BETWEEN + all.select(1, channel) * own;
        Tensor::stack(&[all.select(1, 0), like(1), like(2)], 1)
    };
    let mut steps = vec![fresh()];
    for i in 1..STEPS as usize {
        let next = &steps[i - 1] * RHO + fresh() * (1.0 - RHO * RHO).sqrt();
        steps.push(next);
    }
    Tensor::stack(&steps, 1)
}

/// An exponential channel, one like rain, zero or the square of an excess, and one with heavy tails.
fn observed(latent: &Tensor) -> Tensor {
    let [first, second, third] = [0, 1, 2].map(|channel| latent.select(2, channel));
    let exponential = -(-first.special_ndtr()).log1p();
    let rain = (second - DRY).clamp_min(0.0).square();
    Tensor::stack(&[exponential, rain, third.pow_tensor_scalar(3)], 2)
}

/// One noised window of each of many batches, so that they are independent, and as many fresh windows.
fn samples(shape: &str, lambda: f64, t: i64) -> (Tensor, Tensor) {
    let text = format!(
        "schedule = \"linear\"\nshape = \"{shape}\"\nspace = \"normal-scores\"\ninput = {{ reinject = {lambda} }}"
    );
    let noise: NoiseConfig = toml::from_str(&text).unwrap();
    let coherent = Coherent::new(&noise, Device::Cpu, Kind::Double).unwrap();
    let steps = Tensor::full([BATCH], t, (Kind::Int64, Device::Cpu));
    let noised: Vec<Tensor> = (0..DRAWS)
        .map(|_| {
            let windows = observed(&latent(BATCH));
            coherent.apply_drawn(Windows::new(&windows), &steps).unwrap().narrow(0, 0, 1)
        })
        .collect();
    (Tensor::cat(&noised, 0), observed(&latent(DRAWS)))
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.contiguous().view([-1])).unwrap()
}

/// Two-sample Kolmogorov–Smirnov statistic, scaled: above 2.2 with probability 10⁻⁴ (Smirnov 1948).
fn kolmogorov_smirnov(a: &Tensor, b: &Tensor) -> f64 {
    let (mut a, mut b) = (numbers(a), numbers(b));
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let share =
        |sorted: &[f64], x: f64| sorted.partition_point(|v| *v <= x) as f64 / sorted.len() as f64;
    let gaps = a.iter().chain(&b).map(|&x| (share(&a, x) - share(&b, x)).abs());
    gaps.fold(0.0, f64::max) * (a.len() as f64 / 2.0).sqrt()
}

/// Difference of two means in standard errors.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let moments = |x: &Tensor| {
        let x = x.to_kind(Kind::Double);
        let count = x.numel() as f64;
        (x.mean(Kind::Double).double_value(&[]), x.var(true).double_value(&[]) / count)
    };
    let ((first, one), (second, other)) = (moments(a), moments(b));
    (first - second) / (one + other).sqrt().max(1e-12)
}

/// Theorem: noised windows have the law of the data, at every step and strength: marginals at each position, dependence
/// in time and between channels, joint dry days, and the mean of the last step given the one before.
#[test]
fn a_gaussian_copula_is_stationary() {
    tch::manual_seed(11);
    for (lambda, t) in [(0.0, 100), (1.0, 100)] {
        let (noised, fresh) = samples("gaussian", lambda, t);
        let name = format!("λ = {lambda}, t = {t}");
        let at =
            |windows: &Tensor, step: i64, channel: i64| windows.select(2, channel).select(1, step);
        for step in 0..STEPS {
            for channel in 0..3 {
                let gap =
                    kolmogorov_smirnov(&at(&noised, step, channel), &at(&fresh, step, channel));
                assert!(gap < 2.2, "{name}: step {step} of channel {channel}: KS {gap}");
            }
        }
        // Products of the exponential channel's normal scores, known exactly.
        let scores = |windows: &Tensor| {
            let level = -(-windows.select(2, 0)).expm1();
            level.clamp(1e-9, 1.0 - 1e-9).special_ndtri()
        };
        let z = scores(&noised);
        for lag in 1..STEPS {
            let product = z.select(1, 0) * z.select(1, lag);
            let error = ((1.0 + RHO.powi(2 * lag as i32)) / DRAWS as f64).sqrt();
            let gap = (product.mean(Kind::Double).double_value(&[]) - RHO.powi(lag as i32)) / error;
            assert!(gap.abs() < 4.0, "{name}: lag {lag}: {gap} errors");
        }
        let third = at(&noised, 2, 2);
        let product = z.select(1, 2) * third.sign() * third.abs().pow_tensor_scalar(1.0 / 3.0);
        let error = ((1.0 + BETWEEN * BETWEEN) / DRAWS as f64).sqrt();
        let gap = (product.mean(Kind::Double).double_value(&[]) - BETWEEN) / error;
        assert!(gap.abs() < 4.0, "{name}: channels: {gap} errors");
        // An atom hides its latent variable: dependence on another channel falls, to 73 % at most.
        let wet = |windows: &Tensor, step| at(windows, step, 1).gt(0.0);
        let both = |windows: &Tensor| {
            (scores(windows).select(1, 2) * wet(windows, 2)).mean(Kind::Double).double_value(&[])
        };
        let kept = both(&noised) / both(&fresh);
        assert!((0.5..1.2).contains(&kept), "{name}: {kept} of the dependence of rain is left");
        // Dry days that follow each other.
        for lag in [1, 3, 5] {
            let dry =
                |windows: &Tensor| wet(windows, 0).logical_or(&wet(windows, lag)).logical_not();
            let gap = apart(&dry(&noised), &dry(&fresh));
            assert!(gap.abs() < 4.0, "{name}: dry days {lag} apart: {gap} errors");
        }
        // E[w_5 | w_4] where w_4 is in a quarter of its range; quartiles of the exponential law.
        let halves = std::f64::consts::LN_2;
        for (low, high) in [(0.0, 0.2877), (0.2877, halves), (halves, 1.3863), (1.3863, 1e9)] {
            let given = |windows: &Tensor| {
                let before = at(windows, STEPS - 2, 0);
                let inside = before.gt(low).logical_and(&before.le(high));
                at(windows, STEPS - 1, 0).masked_select(&inside)
            };
            let gap = apart(&given(&noised), &given(&fresh));
            assert!(gap.abs() < 4.0, "{name}: mean given {low} to {high}: {gap} errors");
        }
    }
}

/// In raw values the same noise keeps the covariance, but not the law: rain becomes negative.
#[test]
fn raw_noise_does_not_keep_marginals() {
    tch::manual_seed(12);
    let noise: NoiseConfig =
        toml::from_str("schedule = \"linear\"\nshape = \"gaussian\"\ninput = { reinject = 0.0 }")
            .unwrap();
    let coherent = Coherent::new(&noise, Device::Cpu, Kind::Double).unwrap();
    let windows = observed(&latent(2000));
    let steps = Tensor::full([2000], 100, (Kind::Int64, Device::Cpu));
    let noised = coherent.apply_drawn(Windows::new(&windows), &steps).unwrap();
    assert!(noised.select(2, 1).min().double_value(&[]) < -0.5);
    let in_scores = NoiseConfig::try_from(noise::NoiseTable {
        space: noise::NoiseSpace::NormalScores,
        ..noise.table().clone()
    });
    let coherent = Coherent::new(&in_scores.unwrap(), Device::Cpu, Kind::Double).unwrap();
    let noised = coherent.apply_drawn(Windows::new(&windows), &steps).unwrap();
    for channel in 0..3 {
        let (noised, clean) = (noised.select(2, channel), windows.select(2, channel));
        assert!(noised.min().double_value(&[]) >= clean.min().double_value(&[]));
        assert!(noised.max().double_value(&[]) <= clean.max().double_value(&[]));
    }
}

/// Oracle: quantiles of the normal law from a table, for ranks (r + ½)/4.
#[test]
fn scores_are_normal_quantiles_of_ranks() {
    let values = Tensor::from_slice(&[5.0, -1.0, 2.0, 3.0]).view([1, 4]);
    let marginals = Marginals::fit(&values, None).unwrap();
    let scores = numbers(&marginals.scores(&values, None).unwrap());
    for (found, expected) in scores.iter().zip([1.150349, -1.150349, -0.318639, 0.318639]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    // Rank 1½ lies halfway between 2 and 3, at Φ⁻¹(½) = 0; beyond the ends the score is that of the end.
    let others = Tensor::from_slice(&[2.5, 99.0, -99.0]).view([1, 3]);
    let scores = numbers(&marginals.scores(&others, None).unwrap());
    for (found, expected) in scores.iter().zip([0.0, 1.150349, -1.150349]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    let back =
        numbers(&marginals.values(&Tensor::from_slice(&[0.0, 9.0, -9.0]).view([1, 3])).unwrap());
    assert_eq!(back, [2.5, 5.0, -1.0]);
}

/// A mass at one value has the scores of all its ranks, and each of them leads back to that value.
#[test]
fn atoms_come_back() {
    tch::manual_seed(13);
    let values = Tensor::rand([1, 5000], DOUBLE) - 0.6;
    let values = values.clamp_min(0.0); // six in ten are zero
    let marginals = Marginals::fit(&values, None).unwrap();
    let ties = Tensor::rand([1, 5000], DOUBLE);
    let scores = marginals.scores(&values, Some(&ties)).unwrap();
    let back = marginals.values(&scores).unwrap();
    assert!((&back - &values).abs().max().double_value(&[]) < 1e-12);
    assert!(back.eq_tensor(&values).logical_or(&values.gt(0.0)).all().int64_value(&[]) == 1);
    let variance = scores.var(true).double_value(&[]);
    assert!((variance - 1.0).abs() < 5.0 * (2.0 / 5000f64).sqrt(), "{variance}");
}

/// Thousandfold fewer knots than values: scores differ by the distance of knots, and a value comes back.
#[test]
fn a_thinned_table_keeps_ends_and_scores() {
    tch::manual_seed(14);
    let values = Tensor::randn([2, 200_000], DOUBLE).exp();
    let whole = Marginals::fit(&values, None).unwrap();
    let few = whole.thinned(201).unwrap();
    let some = values.narrow(1, 0, 3000);
    let gap = (whole.scores(&some, None).unwrap() - few.scores(&some, None).unwrap()).abs();
    assert!(gap.masked_select(&some.log().abs().lt(2.0)).max().double_value(&[]) < 0.05);
    let back = few.values(&few.scores(&some, None).unwrap()).unwrap();
    assert!((back - &some).abs().max().double_value(&[]) < 1e-6 * 100.0);
    let ends = Tensor::from_slice(&[9.0, -9.0]).view([1, 2]).expand([2, 2], false);
    let ends = few.values(&ends.contiguous()).unwrap();
    let (least, most) = (values.amin(1, false), values.amax(1, false));
    assert!(ends.select(1, 0) == most && ends.select(1, 1) == least);
}

/// Constant, huge, lone and unseen values give numbers.
#[test]
fn degenerate_channels_are_no_trouble() {
    let rows =
        [[1.0, 1.0, 1.0], [1e300, -1e300, 0.0], [f64::MIN_POSITIVE, 0.0, -0.0], [4.0, 5.0, 6.0]];
    let values = Tensor::from_slice(&rows.concat()).view([4, 3]);
    let seen = Tensor::from_slice(&[[1u8; 9].as_slice(), &[0, 0, 0]].concat())
        .view([4, 3])
        .to_kind(Kind::Bool);
    let marginals = Marginals::fit(&values, Some(&seen)).unwrap();
    let scores = marginals.scores(&values, None).unwrap();
    assert!(scores.isfinite().narrow(0, 0, 3).all().int64_value(&[]) == 1, "{scores}");
    let back = marginals.values(&scores).unwrap();
    assert!(back.isfinite().narrow(0, 0, 3).all().int64_value(&[]) == 1, "{back}");
    let one = Tensor::from_slice(&[7.0]).view([1, 1]);
    let lone = Marginals::fit(&one, None).unwrap();
    assert_eq!(lone.scores(&one, None).unwrap().double_value(&[0, 0]), 0.0);
    assert!(Marginals::fit(&Tensor::zeros([2, 0], DOUBLE), None).is_err());
    assert!(Marginals::fit(&values, Some(&values)).is_err());
    assert!(lone.thinned(1).is_err());
}
