use super::*;

fn randn(size: &[i64], kind: Kind) -> Tensor {
    Tensor::randn(size, (kind, Device::Cpu))
}

fn close(found: &Tensor, expected: &Tensor) -> bool {
    found.size() == expected.size() && found.allclose(expected, 1e-11, 1e-11, false)
}

/// Oracle: libtorch's own sort, for every number of samples up to 70 and some elements that fill no vector.
#[test]
fn samples_are_in_order() {
    for kind in [Kind::Float, Kind::Double] {
        for draws in (0..70).chain([100, 129, 1000]) {
            let samples = (randn(&[draws, 3, 13], kind) * 4.0).round(); // with ties
            let (found, missing) = sorted(&samples).unwrap();
            assert_eq!(found, samples.sort(0, false).0, "{draws}");
            assert_eq!(missing, 0);
        }
        let strided = randn(&[5, 40, 9], kind).transpose(1, 2);
        assert_eq!(sorted(&strided).unwrap().0, strided.sort(0, false).0);
    }
}

/// Each value that is not finite is counted once, wherever it is.
#[test]
fn values_that_are_not_finite_are_counted() {
    let samples = randn(&[7, 50], Kind::Float);
    for (count, (place, value)) in
        [(0, f64::NAN), (163, f64::INFINITY), (349, f64::NEG_INFINITY)].into_iter().enumerate()
    {
        let _ = samples.view([-1]).get(place).fill_(value);
        assert_eq!(sorted(&samples).unwrap().1, count as i64 + 1);
    }
}

/// Oracle: all pairs of samples in tensor operations.
#[test]
fn scores_are_those_of_all_pairs() {
    for kind in [Kind::Float, Kind::Double] {
        for [draws, windows, width] in [[1, 3, 2], [2, 1, 1], [9, 4, 7], [100, 5, 33], [17, 2, 0]] {
            let samples = randn(&[draws, windows, width], kind) + 100.0;
            let truth = randn(&[windows, width], Kind::Double) + 100.0;
            let exact = samples.to_kind(Kind::Double);
            let (one, other) = (exact.unsqueeze(0), exact.unsqueeze(1));
            let square = (draws * draws) as f64;
            let over =
                |tensor: Tensor, axes: &[i64]| tensor.sum_dim_intlist(axes, false, Kind::Double);

            let miss = (&exact - &truth).abs().mean_dim([0_i64].as_slice(), false, None::<Kind>);
            let expected = miss - over((&one - &other).abs(), &[0, 1]) / (2.0 * square);
            let (order, _) = sorted(&samples).unwrap();
            assert!(close(&sorted_crps(&order, &truth, square).unwrap(), &expected));

            let norm = |tensor: Tensor| over(tensor.square(), &[-1]).sqrt();
            let miss = norm(&exact - &truth).mean_dim([0_i64].as_slice(), false, None::<Kind>);
            let expected = miss - over(norm(&one - &other), &[0, 1]) / (2.0 * square);
            assert!(close(&energy(&samples, &truth, square).unwrap(), &expected));
        }
    }
}

/// Oracle: the sums written out in tensor operations, with libtorch's quantiles.
#[test]
fn sums_of_windows_are_those_written_out() {
    for kind in [Kind::Float, Kind::Double] {
        for [draws, windows, width] in [[1, 3, 2], [2, 1, 1], [20, 4, 37], [100, 3, 16]] {
            let samples = (randn(&[draws, windows, width], kind) * 8.0).round();
            let truth = (randn(&[windows, width], Kind::Double) * 8.0).round(); // ties with samples
            let mask = randn(&[windows, width], kind).gt(-0.5);
            let (order, _) = sorted(&samples).unwrap();
            let found = window_sums(&order, &truth, &mask).unwrap();

            let exact = samples.to_kind(Kind::Double);
            let levels = Tensor::arange_start(1, 20, (Kind::Double, Device::Cpu)) / 20.0;
            let quantiles = exact.quantile(&levels, 0, false, "linear");
            let weight = mask.to_kind(Kind::Double);
            let sum = |each: &Tensor| {
                (each * &weight).sum_dim_intlist([-1_i64].as_slice(), false, Kind::Double)
            };
            let mean = |each: &Tensor| each.mean_dim([0_i64].as_slice(), false, None::<Kind>);
            let q = levels.view([-1, 1, 1]);
            let e = &truth - &quantiles;
            let loss = (&e * &q).maximum(&(&e * (&q - 1.0))) * 2.0;
            let (median, last) = (quantiles.get(9), quantiles.get(18));
            assert!(close(&found.observed, &sum(&truth.ones_like())));
            assert!(close(&found.magnitude, &sum(&truth.abs())));
            assert!(close(&found.quantile_loss, &sum(&mean(&loss))));
            let crps = sorted_crps(&order, &truth, (draws * draws) as f64).unwrap();
            assert!(close(&found.crps, &sum(&crps)));
            assert!(close(&found.median_error, &sum(&(&truth - median).abs())));
            assert!(close(&found.squared_error, &sum(&(&truth - mean(&exact)).square())));
            for (inside, [low, high]) in found.inside.iter().zip([[4, 14], [1, 17], [0, 18]]) {
                let within = truth
                    .ge_tensor(&quantiles.get(low))
                    .logical_and(&truth.le_tensor(&quantiles.get(high)));
                assert!(close(inside, &sum(&within.to_kind(Kind::Double))), "{low}");
            }
            assert!(close(&found.width_90, &sum(&(last - quantiles.get(0)))));
            let below = quantiles.gt_tensor(&truth).to_kind(Kind::Double);
            assert!(close(&found.below.tr(), &sum(&below)));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (samples, truth) = (randn(&[4, 3, 2], Kind::Float), randn(&[3, 2], Kind::Double));
    let mask = truth.gt(0.0);
    assert!(sorted(&randn(&[], Kind::Float)).is_err());
    assert!(sorted(&samples.to_kind(Kind::Half)).is_err());
    assert!(sorted_crps(&samples, &truth.to_kind(Kind::Float), 16.0).is_err());
    assert!(sorted_crps(&samples, &truth.tr(), 16.0).is_err());
    assert!(energy(&samples.view([4, 6]), &truth.view([6]), 16.0).is_err());
    assert!(window_sums(&samples, &truth, &mask).is_ok());
    assert!(window_sums(&samples, &truth, &mask.to_kind(Kind::Float)).is_err());
    assert!(window_sums(&samples.narrow(0, 0, 0), &truth, &mask).is_err());
}
