use proptest::prelude::*;
use tch::{Device, Kind};

use super::*;
use crate::testing::{normals, value, values, worst};

/// One case of `tests/goldens/scores.json`, which `scores.py` beside it made.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    shape: [i64; 4],
    truth: Vec<f64>,
    samples: Vec<f64>,
    observed: Vec<bool>,
    windows: Vec<WindowScores>,
    sums: Vec<WindowScores>,
    crps_plain: Vec<f64>,
    crps_fair: Option<Vec<f64>>,
    energy_plain: Vec<f64>,
    energy_fair: Option<Vec<f64>>,
}

impl Case {
    fn all() -> Vec<Self> {
        let text = include_str!("../../tests/goldens/scores.json");
        let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
        serde_json::from_value(document["cases"].take()).unwrap()
    }

    fn samples(&self) -> Tensor {
        Tensor::from_slice(&self.samples).view(self.shape)
    }

    fn truth(&self) -> Tensor {
        Tensor::from_slice(&self.truth).view(&self.shape[1..])
    }

    fn observed(&self) -> Tensor {
        Tensor::from_slice(&self.observed).view(&self.shape[1..])
    }
}

fn fields(scores: &WindowScores) -> Vec<f64> {
    let mut all = vec![
        scores.observed as f64,
        scores.crps,
        scores.crps_samples,
        scores.nmae,
        scores.mse,
        scores.mae,
        scores.nrmse,
        scores.mae_coverage,
        scores.coverage_50,
        scores.coverage_80,
        scores.coverage_90,
        scores.width_90,
    ];
    all.extend(&scores.coverage_below);
    all
}

fn assert_same(found: &[WindowScores], expected: &[WindowScores], name: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        for (i, (a, b)) in fields(found).into_iter().zip(fields(expected)).enumerate() {
            assert!(
                (a - b).abs() <= 1e-11 * b.abs().max(1.0),
                "{name}, field {i}: {a} against {b}"
            );
        }
    }
}

/// Oracle: definitions in plain Python loops over pairs, levels and cells.
#[test]
fn scores_match_their_definitions() {
    for case in Case::all() {
        let (samples, observed) = (case.samples(), case.observed());
        // Unobserved values must not matter.
        let truth = case.truth().masked_fill(&observed.logical_not(), f64::NAN);
        assert_same(
            &window_scores(&samples, &truth, Some(&observed)).unwrap(),
            &case.windows,
            &case.name,
        );
        assert_same(
            &window_scores_sum(&samples, &truth, Some(&observed)).unwrap(),
            &case.sums,
            &case.name,
        );

        let truth = case.truth();
        for (pairs, elements, windows) in [
            (PairEstimator::Plain, Some(&case.crps_plain), Some(&case.energy_plain)),
            (PairEstimator::Fair, case.crps_fair.as_ref(), case.energy_fair.as_ref()),
        ] {
            let (Some(elements), Some(windows)) = (elements, windows) else {
                assert!(matches!(
                    crps(&samples, &truth, pairs),
                    Err(ObjectiveError::Range { value: 1.0, .. })
                ));
                assert!(energy_score(&samples, &truth, pairs).is_err());
                continue;
            };
            let found = crps(&samples, &truth, pairs).unwrap().flatten(0, -1);
            assert!(worst(&found, &Tensor::from_slice(elements), 1.0) < 1e-12, "{}", case.name);
            let found = energy_score(&samples, &truth, pairs).unwrap();
            assert!(worst(&found, &Tensor::from_slice(windows), 1.0) < 1e-12, "{}", case.name);
        }
    }
}

#[test]
fn a_window_alone_scores_as_in_a_batch() {
    let case = &Case::all()[0];
    let alone = window_scores(&case.samples().select(1, 2), &case.truth().get(2), None).unwrap();
    assert_same(&alone, &case.windows[2..], &case.name);
}

#[test]
fn a_window_without_an_observation_has_no_score_and_changes_no_other() {
    let case = &Case::all()[0];
    let observed = case.observed();
    let _ = observed.get(1).fill_(0.0);
    let scores = window_scores(&case.samples(), &case.truth(), Some(&observed)).unwrap();
    assert!(scores[1].crps.is_nan());
    assert_eq!(scores[1].observed, 0);
    assert_same(&scores[..1], &case.windows[..1], &case.name);
    assert_same(&scores[2..], &case.windows[2..], &case.name);
}

/// Oracle: `numpy.quantile` of 1, 2, 4, 8 (its documentation's linear method), by hand.
#[test]
fn quantiles_interpolate_linearly() {
    let samples = Tensor::from_slice(&[4.0, 1.0, 8.0, 2.0]);
    let found = quantiles(&samples, &[0.0, 0.25, 0.5, 0.9, 1.0]).unwrap();
    assert!(worst(&found, &Tensor::from_slice(&[1.0, 1.75, 3.0, 6.8, 8.0]), 1.0) < 1e-15);
    assert!(matches!(
        quantiles(&samples, &[1.01]),
        Err(ObjectiveError::Range { what: "level", .. })
    ));
}

/// Oracle: with all levels, the mean quantile loss is the CRPS of a normal law, `σ(φ…)` in closed form.
#[test]
fn quantile_loss_averages_to_the_crps() {
    let levels: Vec<f64> = (0..4000).map(|i| (i as f64 + 0.5) / 4000.0).collect();
    let normal = statrs::distribution::Normal::new(0.0, 1.0).unwrap();
    let at = |level: &f64| statrs::distribution::ContinuousCDF::inverse_cdf(&normal, *level);
    let quantiles = Tensor::from_slice(&levels.iter().map(at).collect::<Vec<_>>()).unsqueeze(-1);
    for y in [-2.0, 0.0, 0.7] {
        let loss = quantile_loss(&quantiles, &Tensor::from_slice(&[y]), &levels).unwrap();
        let zero = || Tensor::from_slice(&[0.0]);
        let law = crate::Likelihood::gaussian(zero(), zero()).unwrap();
        let expected = value(&law.crps(&Tensor::from_slice(&[y])).unwrap());
        assert!((value(&loss.mean(Kind::Double)) - expected).abs() < 1e-5);
    }
    assert!(quantile_loss(&quantiles, &Tensor::from_slice(&[0.0]), &levels[1..]).is_err());
}

/// Oracle: the expected plain score exceeds the fair one by `E|X − X'|/(2S)`, here exactly for given samples.
#[test]
fn fair_and_plain_differ_by_the_spread() {
    let (samples, truth) = (normals(1, &[9, 50]), normals(2, &[50]));
    let plain = crps(&samples, &truth, PairEstimator::Plain).unwrap();
    let fair = crps(&samples, &truth, PairEstimator::Fair).unwrap();
    let pairs = (samples.unsqueeze(0) - samples.unsqueeze(1)).abs().sum_dim_intlist(
        [0i64, 1].as_slice(),
        false,
        Kind::Double,
    );
    let expected = &fair + &pairs * (0.5 / 72.0 - 0.5 / 81.0);
    assert!(worst(&plain, &expected, 1.0) < 1e-12);
}

/// Oracle: coverage of an exact forecast is the level, its PIT uniform, within 5 standard errors.
#[test]
fn exact_forecasts_are_calibrated() {
    let n = 20_000;
    let (samples, truth) = (normals(3, &[99, n]), normals(4, &[n]));
    for level in [0.5, 0.8, 0.9] {
        let found = value(&central_coverage(&samples, &truth, level).unwrap().mean(Kind::Double));
        // Of S samples the interval between order statistics at distance d holds d/(S + 1); here d = 98·level.
        let expected = level * 98.0 / 100.0;
        let error = (level * (1.0 - level) / n as f64).sqrt();
        assert!((found - expected).abs() < 5.0 * error, "{found} at {level}");
    }
    let places = pit(&samples, &truth).unwrap();
    let error = (1.0 / 12.0 / n as f64).sqrt();
    assert!((value(&places.mean(Kind::Double)) - 0.5).abs() < 5.0 * error);
    for part in 0..10 {
        let low = f64::from(part) / 10.0;
        let share = places
            .ge(low)
            .logical_and(&places.lt(low + 0.1))
            .to_kind(Kind::Double)
            .mean(Kind::Double);
        assert!((value(&share) - 0.1).abs() < 5.0 * (0.09 / n as f64).sqrt());
    }
    let ends = Tensor::from_slice(&[-9.0, 9.0, 2.0]);
    let three = Tensor::from_slice(&[1.0, 2.0, 3.0]).unsqueeze(-1).repeat([1, 3]);
    assert_eq!(values(&pit(&three, &ends).unwrap()), [0.125, 0.875, 0.5]);
}

/// Oracle: the energy score in one dimension is the CRPS; it penalizes wrong dependence, to which the CRPS is blind.
#[test]
fn energy_score_sees_dependence() {
    let (samples, truth) = (normals(5, &[30, 4, 1, 1]), normals(6, &[4, 1, 1]));
    let energy = energy_score(&samples, &truth, PairEstimator::Fair).unwrap();
    let single = crps(&samples, &truth, PairEstimator::Fair).unwrap().flatten(0, -1);
    assert!(worst(&energy, &single, 1.0) < 1e-13);

    // Truth and a right forecast move both channels together; a wrong one moves them apart.
    let together = Tensor::from_slice(&[1.0, 1.0]).view([1, 1, 1, 2]);
    let apart = Tensor::from_slice(&[1.0, -1.0]).view([1, 1, 1, 2]);
    let truth = (normals(7, &[1, 400, 1, 1]) * &together).get(0);
    let draws = normals(8, &[50, 400, 1, 1]);
    let score = |samples: Tensor| {
        value(&energy_score(&samples, &truth, PairEstimator::Fair).unwrap().mean(Kind::Double))
    };
    assert!(score(&draws * together) + 0.1 < score(draws * apart));
    assert_eq!(
        energy_score(&normals(9, &[3, 0, 2, 2]), &normals(9, &[0, 2, 2]), PairEstimator::Plain)
            .unwrap()
            .size(),
        [0]
    );
}

/// Truth on a quantile: not below it, but inside the intervals it bounds.
#[test]
fn ties_count_as_the_benchmark_counts_them() {
    let (samples, truth) = (
        Tensor::ones([5, 1, 2, 1], (Kind::Double, Device::Cpu)),
        Tensor::ones([1, 2, 1], (Kind::Double, Device::Cpu)),
    );
    let scores = window_scores(&samples, &truth, None).unwrap().remove(0);
    assert_eq!(scores.coverage_below, [0.0; 19]);
    assert!((scores.mae_coverage - 0.5).abs() < 1e-15);
    assert_eq!(
        [scores.coverage_50, scores.coverage_80, scores.coverage_90, scores.crps],
        [1.0, 1.0, 1.0, 0.0]
    );
}

#[test]
fn single_precision_and_large_offsets_keep_their_digits() {
    let (samples, truth) = (normals(10, &[20, 30]), normals(11, &[30]));
    let expected = crps(&samples, &truth, PairEstimator::Fair).unwrap();
    let far = crps(&(&samples + 1e8), &(&truth + 1e8), PairEstimator::Fair).unwrap();
    assert!(worst(&far, &expected, 1.0) < 1e-7);
    let single =
        crps(&samples.to_kind(Kind::Float), &truth.to_kind(Kind::Float), PairEstimator::Fair)
            .unwrap();
    assert_eq!(single.kind(), Kind::Double);
    assert!(worst(&single, &expected, 1.0) < 1e-6);
}

#[test]
fn mistakes_are_typed_errors() {
    let (samples, truth) = (normals(12, &[5, 2, 3, 1]), normals(13, &[2, 3, 1]));
    let wrong = crps(&samples, &truth.get(0), PairEstimator::Plain).unwrap_err();
    assert!(matches!(wrong, ObjectiveError::Shape { what: "truth", .. }));
    let none = crps(&samples.narrow(0, 0, 0), &truth, PairEstimator::Plain).unwrap_err();
    assert!(matches!(none, ObjectiveError::Shape { what: "samples", .. }));
    let broken = samples.copy();
    let _ = broken.get(0).get(0).get(0).fill_(f64::NAN);
    let lost = window_scores(&broken, &truth, None).unwrap_err();
    assert!(matches!(lost, ObjectiveError::NotFinite { what: "samples", count: 1 }));
    let gap = truth.copy();
    let _ = gap.get(1).get(2).fill_(f64::INFINITY);
    let lost = window_scores(&samples, &gap, None).unwrap_err();
    assert!(matches!(lost, ObjectiveError::NotFinite { what: "truth", count: 1 }));
    let mask = Tensor::ones([2, 3], (Kind::Bool, Device::Cpu));
    assert!(matches!(
        window_scores(&samples, &truth, Some(&mask)),
        Err(ObjectiveError::Shape { what: "observed", .. })
    ));
    let whole = truth.to_kind(Kind::Int64);
    assert!(matches!(pit(&samples, &whole), Err(ObjectiveError::NotFloat { .. })));
    assert!(central_coverage(&samples, &truth, 1.5).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Law: scores scale with the unit; relative scores do not; the order of samples does not matter.
    #[test]
    fn scores_are_equivariant(seed in 0u64..1_000_000, unit in 0.01..100.0, s in 2i64..12) {
        let (samples, truth) = (normals(seed, &[s, 2, 3, 2]), normals(seed + 1, &[2, 3, 2]));
        let before = window_scores(&samples, &truth, None).unwrap();
        let after = window_scores(&(samples.flip([0i64]) * unit), &(&truth * unit), None).unwrap();
        for (before, after) in before.iter().zip(&after) {
            let close = |a: f64, b: f64| (a - b).abs() < 1e-10 * b.abs().max(1.0);
            prop_assert!(close(before.crps, after.crps) && close(before.nmae, after.nmae));
            prop_assert!(close(before.mse * unit * unit, after.mse) && close(before.mae * unit, after.mae));
            prop_assert!(close(before.crps_samples, after.crps_samples) && close(before.nrmse, after.nrmse));
        }
        let plain = crps(&samples, &truth, PairEstimator::Plain).unwrap();
        prop_assert!(values(&plain).into_iter().all(|score| score >= -1e-14));
    }

    /// Law: a forecast of one sample scores its absolute error, whatever the score.
    #[test]
    fn one_sample_scores_its_absolute_error(seed in 0u64..1_000_000) {
        let (samples, truth) = (normals(seed, &[1, 2, 3, 2]), normals(seed + 1, &[2, 3, 2]));
        for window in window_scores(&samples, &truth, None).unwrap() {
            prop_assert!((window.crps - window.nmae).abs() < 1e-12);
            prop_assert!((window.crps_samples - window.nmae).abs() < 1e-12);
        }
    }
}

/// Oracle: the functions that sort for themselves give the same scores; and the order is checked.
#[test]
fn sorted_samples_score_as_unsorted_ones() {
    let case = &Case::all()[1];
    let sorted = SortedSamples::new(&case.samples()).unwrap();
    assert_same(
        &sorted.window_scores(&case.truth(), Some(&case.observed())).unwrap(),
        &case.windows,
        &case.name,
    );
    let moved = SortedSamples::from_ascending(&(sorted.samples() * 2.0 + 1.0)).unwrap();
    let truth = case.truth() * 2.0 + 1.0;
    let twice = moved.crps(&truth, PairEstimator::Plain).unwrap().flatten(0, -1) * 0.5;
    assert!(worst(&twice, &Tensor::from_slice(&case.crps_plain), 1.0) < 1e-11);
    assert_eq!(values(&moved.pit(&truth).unwrap()), values(&sorted.pit(&case.truth()).unwrap()));
    assert!(matches!(
        SortedSamples::from_ascending(&case.samples()),
        Err(ObjectiveError::Range { range: "[0, ∞)", .. })
    ));
}

/// Oracle: the density of another library, summed in a plain loop; and as samples grow the estimate
/// of `E log p` tends to minus the entropy of the law they come from.
#[test]
fn the_kernel_density_is_a_density() {
    use statrs::distribution::{Continuous, StudentsT};
    let (samples, truth) = (normals(31, &[40, 3]), normals(32, &[3]));
    let width = bandwidth(&samples).unwrap();
    let found = values(&kernel_log_density(&samples, &width, &truth).unwrap());
    for (element, found) in found.iter().enumerate() {
        let mut xs = values(&samples.select(1, element as i64));
        let y = values(&truth)[element];
        xs.sort_by(f64::total_cmp);
        let n = xs.len() as f64;
        let mean = xs.iter().sum::<f64>() / n;
        let std = (xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let at = |q: f64| {
            let position = q * (n - 1.0);
            let low = position.floor() as usize;
            xs[low] + (position - low as f64) * (xs[low + 1] - xs[low])
        };
        let h = 0.9 * std.min((at(0.75) - at(0.25)) / 1.348_979_500_392_163_4) * n.powf(-0.2);
        let sum: f64 = xs.iter().map(|x| StudentsT::new(*x, h, 4.0).unwrap().pdf(y)).sum();
        assert!((found - (sum / n).ln()).abs() < 1e-12, "{found}");
    }
    let (samples, truth) = (normals(33, &[2000, 1]), normals(34, &[4000]));
    let scores = kernel_log_density(&samples, &bandwidth(&samples).unwrap(), &truth).unwrap();
    assert_eq!(scores.size(), [4000]);
    let (mean, error) =
        (value(&scores.mean(Kind::Double)), value(&scores.std(true)) / 4000f64.sqrt());
    let best = -0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
    assert!(mean < best + 4.0 * error && mean > best - 0.05 - 4.0 * error, "{mean} of {best}");
    assert!(bandwidth(&samples.narrow(0, 0, 1)).is_err());
    // A constant forecast has a finite density, even at zero.
    let constant = Tensor::zeros([5, 1], (Kind::Double, Device::Cpu));
    let width = bandwidth(&constant).unwrap();
    let found = kernel_log_density(&constant, &width, &Tensor::from_slice(&[1.0])).unwrap();
    assert!(value(&found).is_finite());
}

/// Oracle: two samples by hand, whose fair score is `mean |x − y| − ½ |x_1 − x_2|`. A value that was not observed has no
/// part in the mean of its window, and a window without one has no score.
#[test]
fn windows_average_the_fair_score_over_what_was_observed() {
    let samples =
        Tensor::from_slice(&[0.0, 10.0, 1.0, 1.0, 3.0, 3.0, 4.0, 20.0, 1.0, 3.0, 3.0, 4.0]);
    let samples = samples.view([2, 3, 2, 1]);
    let truth = Tensor::from_slice(&[1.0, f64::NAN, 5.0, 0.0, 1.0, 1.0]).view([3, 2, 1]);
    let observed = Tensor::from_slice(&[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]).view([3, 2, 1]);
    let found = super::window_crps(&samples, &truth, Some(&observed)).unwrap();
    let found = Vec::<f64>::try_from(found).unwrap();
    // (1 + 3)/2 − 4/2 = 0; the mean of 4 − 0 and 2 − 1.
    assert_eq!(found[..2], [0.0, 2.5]);
    assert!(found[2].is_nan());
}
