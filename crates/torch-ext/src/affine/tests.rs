use super::*;

struct Case {
    inputs: Vec<Tensor>,
    weights: Vec<Tensor>,
    bias: Tensor,
    silu: bool,
}

impl Case {
    fn new(lead: &[i64], features: &[i64], bias: &[i64], silu: bool, kind: Kind) -> Case {
        let randn = |size: &[i64]| Tensor::randn(size, (kind, Device::Cpu)).set_requires_grad(true);
        let width = bias[bias.len() - 1];
        Case {
            inputs: features.iter().map(|&k| randn(&[lead, &[k]].concat())).collect(),
            weights: features.iter().map(|&k| randn(&[width, k])).collect(),
            bias: randn(bias),
            silu,
        }
    }

    fn arguments(&self) -> Vec<&Tensor> {
        self.inputs.iter().chain(&self.weights).chain([&self.bias]).collect()
    }

    fn found(&self) -> Tensor {
        let inputs: Vec<_> = self.inputs.iter().collect();
        let weights: Vec<_> = self.weights.iter().collect();
        affine(&inputs, &weights, &self.bias, self.silu, 0.0).unwrap()
    }

    fn expected(&self) -> Tensor {
        let products = self.inputs.iter().zip(&self.weights).map(|(x, w)| x.matmul(&w.tr()));
        let sum = products.reduce(|a, b| a + b).unwrap() + &self.bias;
        if self.silu { &sum * sum.sigmoid() } else { sum }
    }

    fn gradients(&self, result: &Tensor, weighing: &Tensor) -> Vec<Tensor> {
        let loss = (result * weighing).sum(result.kind());
        Tensor::run_backward(&[loss], &self.arguments(), false, false)
    }
}

/// The largest difference, in units of the largest element.
fn gap(found: &Tensor, expected: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    assert_eq!(found.size(), expected.size());
    largest(&(found - expected)) / largest(expected)
}

/// First axes, features of each input, shape of the bias: some repeat, some only broadcast.
const CASES: [(&[i64], &[i64], &[i64]); 7] = [
    (&[5], &[3], &[1]),
    (&[4, 3], &[2, 5], &[17]),
    (&[4, 3], &[2, 5], &[3, 33]),
    (&[4, 3], &[7], &[1, 3, 8]),
    (&[4, 3], &[7], &[1, 1, 8]),
    (&[4, 3], &[1, 7], &[4, 1, 8]),
    (&[4, 3], &[7], &[2, 1, 1, 8]),
];

/// Oracle: the sum written out in tch, its value and the gradients of all arguments.
#[test]
fn values_and_gradients_are_those_of_the_sum_written_out() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
        for (lead, features, bias) in CASES {
            for silu in [false, true] {
                let case = Case::new(lead, features, bias, silu, kind);
                let (found, expected) = (case.found(), case.expected());
                assert!(gap(&found, &expected) < tolerance, "{kind:?} {lead:?} {bias:?}");
                let weighing = expected.randn_like();
                let found = case.gradients(&found, &weighing);
                let expected = case.gradients(&expected, &weighing);
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let gap = gap(found, expected);
                    assert!(gap < tolerance, "gradient {i}, {kind:?} {lead:?} {bias:?}: {gap}");
                }
            }
        }
    }
}

/// One node of the graph where the bias repeats; ATen's where it does not, which has a second derivative.
#[test]
fn a_second_derivative_is_refused_or_right() {
    for (bias, fused) in [(&[3i64, 8][..], true), (&[4, 1, 8], false)] {
        let case = Case::new(&[4, 3], &[5], bias, true, Kind::Double);
        let loss = case.found().sum(Kind::Double);
        let asked = Tensor::f_run_backward(&[loss], &[&case.inputs[0]], true, true);
        match asked {
            Err(error) => assert!(fused && error.to_string().contains("second derivative")),
            Ok(gradients) => assert!(!fused && gradients[0].requires_grad()),
        }
    }
}

/// The result is not a view: it may be changed in place like any other tensor.
#[test]
fn the_result_may_be_changed_in_place() {
    for silu in [false, true] {
        let case = Case::new(&[4, 3], &[5], &[8], silu, Kind::Double);
        let (mut found, mut expected) = (case.found(), case.expected());
        let weighing = expected.randn_like();
        let _ = (found.f_add_scalar_(1.0).unwrap(), expected.f_add_scalar_(1.0).unwrap());
        let found = case.gradients(&found.square(), &weighing);
        for (found, expected) in found.iter().zip(&case.gradients(&expected.square(), &weighing)) {
            assert!(gap(found, expected) < 1e-12);
        }
    }
}

#[test]
fn a_nan_stays_one() {
    let case = Case::new(&[4], &[5], &[8], true, Kind::Float);
    let _ = tch::no_grad(|| case.inputs[0].get(2).get(1).fill_(f64::NAN));
    let found = case.found().isnan().sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
    assert_eq!(Vec::<i64>::try_from(found).unwrap(), [0, 0, 8, 0]);
}

#[test]
fn unfit_arguments_are_errors() {
    let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
    let (x, w, b) = (ones(&[4, 3]), ones(&[2, 3]), ones(&[2]));
    assert!(affine(&[&x], &[&w], &b, true, 0.0).is_ok());
    assert!(matches!(affine(&[], &[], &b, true, 0.0), Err(TorchExtError::Count { .. })));
    assert!(matches!(affine(&[&x, &x], &[&w], &b, true, 0.0), Err(TorchExtError::Count { .. })));
    let other = [ones(&[5, 3]), ones(&[4, 2]), ones(&[])];
    for wrong in &other[1..] {
        assert!(affine(&[wrong], &[&w], &b, true, 0.0).is_err());
    }
    assert!(matches!(
        affine(&[&x, &other[0]], &[&w, &w], &b, true, 0.0),
        Err(TorchExtError::Shape { .. })
    ));
    assert!(matches!(affine(&[&x], &[&w], &ones(&[]), true, 0.0), Err(TorchExtError::Axes { .. })));
    assert!(matches!(
        affine(&[&x], &[&w], &ones(&[3]), true, 0.0),
        Err(TorchExtError::Shape { .. })
    ));
    // ATen refuses shapes that do not broadcast and kinds that do not fit.
    assert!(affine(&[&x], &[&w], &ones(&[3, 2]), true, 0.0).is_err());
    assert!(affine(&[&x], &[&w.to_kind(Kind::Double)], &b, true, 0.0).is_err());
    assert_eq!(affine(&[&ones(&[0, 3])], &[&w], &b, true, 0.0).unwrap().size(), [0, 2]);
}

/// Oracle: the map without dropout times the mask that the result shows. Its share of zeros has a standard error, and
/// neighbors do not depend on each other.
#[test]
fn dropout_keeps_a_share_and_scales_it() {
    tch::manual_seed(4);
    let rate = 0.3125; // a multiple of 2⁻¹⁶, to which a probability is rounded
    for silu in [false, true] {
        // A width that no block of random numbers divides, and a bias that repeats.
        let case = Case::new(&[400, 5], &[6, 3], &[5, 130], silu, Kind::Double);
        let inputs: Vec<_> = case.inputs.iter().collect();
        let weights: Vec<_> = case.weights.iter().collect();
        let found = affine(&inputs, &weights, &case.bias, silu, rate).unwrap();
        let whole = case.expected();
        let kept = found.ne(0.0).to_kind(Kind::Double);
        assert!(gap(&found, &(&whole * &kept / (1.0 - rate))) < 1e-12);

        let count = kept.numel() as f64;
        let error = (kept.mean(Kind::Double).double_value(&[]) - (1.0 - rate))
            / (rate * (1.0 - rate) / count).sqrt();
        assert!(error.abs() < 4.0, "{error:.1} standard errors");
        let off = &kept - (1.0 - rate);
        for axis in [0, 2] {
            let length = kept.size()[axis as usize] - 1;
            let product = off.narrow(axis, 1, length) * off.narrow(axis, 0, length);
            let error =
                product.mean(Kind::Double).double_value(&[]) * count.sqrt() / (rate * (1.0 - rate));
            assert!(error.abs() < 4.0, "neighbors along {axis}: {error:.1} standard errors");
        }

        let weighing = whole.randn_like();
        let expected = case.gradients(&(whole * &kept / (1.0 - rate)), &weighing);
        for (found, expected) in case.gradients(&found, &weighing).iter().zip(&expected) {
            assert!(gap(found, expected) < 1e-12);
        }
    }
}

#[test]
fn a_probability_out_of_range_is_an_error() {
    let case = Case::new(&[3], &[3], &[4], true, Kind::Float);
    for rate in [-0.1, 1.0, f64::NAN] {
        let wrong = affine(&[&case.inputs[0]], &[&case.weights[0]], &case.bias, true, rate);
        assert!(matches!(wrong, Err(TorchExtError::Value { .. })));
    }
}
