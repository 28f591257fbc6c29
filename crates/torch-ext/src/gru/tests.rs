use super::*;

/// Sizes of a case: layers, batch, steps, inputs, hidden units.
type Sizes = [i64; 5];

struct Case {
    input: Tensor,
    start: Tensor,
    weights: Vec<Tensor>,
    /// Weights of the states and of the last states in the loss.
    weighing: [Tensor; 2],
}

impl Case {
    fn new([layers, batch, steps, inputs, hidden]: Sizes, kind: Kind) -> Case {
        let randn = |shape: &[i64]| Tensor::randn(shape, (kind, Device::Cpu));
        let weight = |shape: &[i64]| (randn(shape) * 0.3).set_requires_grad(true);
        let mut weights = Vec::new();
        for layer in 0..layers {
            let inputs = if layer == 0 { inputs } else { hidden };
            for shape in [vec![3 * hidden, inputs], vec![3 * hidden, hidden]] {
                weights.push(weight(&shape));
            }
            weights.extend([weight(&[3 * hidden]), weight(&[3 * hidden])]);
        }
        Case {
            input: randn(&[batch, steps, inputs]).set_requires_grad(true),
            start: randn(&[layers, batch, hidden]).set_requires_grad(true),
            weights,
            weighing: [randn(&[batch, steps, hidden]), randn(&[layers, batch, hidden])],
        }
    }

    fn arguments(&self) -> Vec<&Tensor> {
        [&self.input, &self.start].into_iter().chain(&self.weights).collect()
    }

    fn fused(&self) -> (Tensor, Tensor) {
        gru(&self.input, &self.start, &self.weights, 0.0, true).unwrap()
    }

    fn plain(&self) -> (Tensor, Tensor) {
        let layers = self.start.size()[0];
        self.input.gru(&self.start, &self.weights, true, layers, 0.0, true, false, true)
    }

    fn loss(&self, (output, last): &(Tensor, Tensor)) -> Tensor {
        let [of_output, of_last] = &self.weighing;
        let kind = self.input.kind();
        (output * of_output).sum(kind) + (last * of_last).sum(kind)
    }

    fn gradients(&self, loss: &Tensor) -> Vec<Tensor> {
        Tensor::run_backward(&[loss], &self.arguments(), false, false)
    }
}

/// The largest difference, in units of the largest element.
fn gap(found: &Tensor, expected: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    assert_eq!(found.size(), expected.size());
    largest(&(found - expected)) / largest(expected)
}

/// Sizes around those of vectors and blocks of steps, with the default of `vae` among them.
const CASES: [Sizes; 6] = [
    [1, 1, 1, 1, 1],
    [1, 3, 5, 2, 7],
    [2, 5, 4, 3, 17],
    [3, 2, 7, 1, 16],
    [1, 65, 40, 1, 64],
    [2, 448, 9, 1, 64],
];

/// Oracle: ATen's GRU, its states and the gradients of all its arguments.
#[test]
fn states_and_gradients_are_those_of_aten() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-5)] {
        for sizes in CASES {
            let case = Case::new(sizes, kind);
            let (found, expected) = (case.fused(), case.plain());
            assert!(gap(&found.0, &expected.0) < tolerance, "states, {kind:?} {sizes:?}");
            assert!(gap(&found.1, &expected.1) < tolerance, "last, {kind:?} {sizes:?}");
            let found = case.gradients(&case.loss(&found));
            let expected = case.gradients(&case.loss(&expected));
            for (argument, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let gap = gap(found, expected);
                assert!(gap < tolerance, "gradient {argument}, {kind:?} {sizes:?}: {gap}");
            }
        }
    }
}

/// Oracle: central differences in f64, along one direction per argument.
#[test]
fn gradients_are_those_of_finite_differences() {
    let case = Case::new([2, 3, 4, 2, 5], Kind::Double);
    let gradients = case.gradients(&case.loss(&case.fused()));
    for (argument, gradient) in gradients.iter().enumerate() {
        let direction = gradient.randn_like();
        let at = |distance: f64| {
            let mut moved = tch::no_grad(|| case.arguments()[argument].shallow_clone());
            tch::no_grad(|| drop(moved.f_add_(&(&direction * distance)).unwrap()));
            let loss = tch::no_grad(|| case.loss(&case.fused())).double_value(&[]);
            tch::no_grad(|| drop(moved.f_sub_(&(&direction * distance)).unwrap()));
            loss
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let slope = (gradient * &direction).sum(Kind::Double).double_value(&[]);
        assert!((difference - slope).abs() < 1e-7 * (1.0 + slope.abs()), "{argument}");
    }
}

/// A backward pass that asks for some gradients only, and from one of the two results only.
#[test]
fn one_result_or_one_argument_is_enough() {
    let case = Case::new([2, 4, 6, 3, 8], Kind::Double);
    for which in 0..2 {
        let pick = |pair: (Tensor, Tensor)| {
            let chosen = if which == 0 { pair.0 } else { pair.1 };
            (chosen * &case.weighing[which]).sum(Kind::Double)
        };
        let (found, expected) = (pick(case.fused()), pick(case.plain()));
        let hidden = &case.weights[1];
        let slope = |loss: &Tensor| Tensor::run_backward(&[loss], &[hidden], false, false);
        let gap = gap(&slope(&found)[0], &slope(&expected)[0]);
        assert!(gap < 1e-12, "result {which}: {gap}");
    }
}

/// Gradients accumulate as for any operation: twice backward is twice the gradient.
#[test]
fn gradients_accumulate() {
    let case = Case::new([1, 4, 6, 3, 8], Kind::Double);
    case.loss(&case.fused()).backward();
    let once = case.weights[0].grad().copy();
    case.loss(&case.fused()).backward();
    assert!(gap(&case.weights[0].grad(), &(once * 2.0)) < 1e-15);
}

#[test]
fn strided_inputs_are_what_they_look_like() {
    let case = Case::new([1, 4, 6, 3, 8], Kind::Double);
    let strided = case.input.transpose(0, 1).contiguous().transpose(0, 1);
    assert!(!strided.is_contiguous());
    let weights: Vec<Tensor> = case
        .weights
        .iter()
        .map(|w| if w.dim() == 2 { w.tr().contiguous().tr() } else { w.shallow_clone() })
        .collect();
    let found = gru(&strided, &case.start, &weights, 0.0, true).unwrap().0;
    assert!(gap(&found, &case.fused().0) < 1e-14);
}

#[test]
fn without_gradients_the_states_are_the_same() {
    let case = Case::new([2, 5, 40, 3, 17], Kind::Float);
    let found = tch::no_grad(|| case.fused());
    assert!(!found.0.requires_grad() && !found.1.requires_grad());
    assert_eq!(found.0, case.fused().0.detach());
}

/// Oracle: with a dropout of 1 the input of the second layer is zero.
#[test]
fn dropout_acts_between_layers_and_in_training_only() {
    let case = Case::new([2, 4, 6, 3, 8], Kind::Double);
    let run =
        |dropout, train| gru(&case.input, &case.start, &case.weights, dropout, train).unwrap().0;
    let zeros = Tensor::zeros([4, 6, 8], (Kind::Double, Device::Cpu));
    let second = case.start.narrow(0, 1, 1);
    let alone = gru(&zeros, &second, &case.weights[4..], 0.0, true).unwrap().0;
    assert_eq!(run(1.0, true), alone);
    assert_eq!(run(1.0, false), case.fused().0);
}

#[test]
fn there_is_no_second_derivative_and_it_says_so() {
    let case = Case::new([1, 2, 3, 1, 4], Kind::Double);
    let loss = case.loss(&case.fused());
    let error = Tensor::f_run_backward(&[&loss], &[&case.input], true, true).unwrap_err();
    assert!(error.to_string().contains("no second derivative"), "{error}");
}

/// Oracle: f64. The bounds are those that [`gru`] documents.
#[test]
fn activations_keep_their_bounds_at_every_vector_width() {
    let mut x: Vec<f32> = (-40_000..=40_000).map(|i| i as f32 * 1e-3).collect();
    x.extend((-149..=127).flat_map(|e| [2.0_f32.powi(e), -(2.0_f32.powi(e))]));
    for width in 0..3 {
        let Some((sigmoid, tanh)) = ffi::activations(width, &x) else { continue };
        for ((x, sigmoid), tanh) in x.iter().map(|x| f64::from(*x)).zip(sigmoid).zip(tanh) {
            let error = (f64::from(sigmoid) - 1.0 / (1.0 + (-x).exp())).abs();
            assert!(error < 1e-7, "σ({x}) is off by {error}, width {width}");
            let error = (f64::from(tanh) - x.tanh()).abs();
            assert!(error <= 3e-7 * x.tanh().abs(), "tanh({x}) is off by {error}, width {width}");
        }
        let (sigmoid, tanh) = ffi::activations(width, &[f32::NAN; 20]).unwrap();
        assert!(sigmoid.iter().chain(&tanh).all(|value| value.is_nan()), "width {width}");
        let infinite = [f32::INFINITY, f32::NEG_INFINITY];
        let (sigmoid, tanh) = ffi::activations(width, &infinite).unwrap();
        assert_eq!((sigmoid[0], tanh.as_slice()), (1.0, &[1.0, -1.0][..]));
        assert!(sigmoid[1] < 1e-37);
    }
}

/// Values that are not finite must reach the check of a training step.
#[test]
fn a_value_that_is_not_finite_reaches_the_loss() {
    let case = Case::new([1, 3, 4, 1, 16], Kind::Float);
    let input = case.input.detach().copy();
    let _ = input.get(1).fill_(f64::NAN);
    let last = gru(&input, &case.start, &case.weights, 0.0, true).unwrap().1;
    let nan = |row| last.get(0).get(row).isnan();
    assert!(nan(1).all().int64_value(&[]) == 1 && nan(0).any().int64_value(&[]) == 0);
}

/// Half precision falls back to ATen, with ATen's result.
#[test]
fn other_kinds_are_computed_by_aten() {
    let case = Case::new([1, 3, 4, 2, 8], Kind::BFloat16);
    assert_eq!(case.fused().0.detach(), case.plain().0.detach());
}

#[test]
fn what_does_not_fit_is_refused() {
    let Case { input, start, weights, .. } = Case::new([1, 3, 4, 2, 8], Kind::Float);
    let refused = |input: &Tensor, start: &Tensor, weights: &[Tensor], dropout| {
        gru(input, start, weights, dropout, true).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&input.get(0), &start, &weights, 0.0),
        "input has shape [4, 2], expected 3 axes"
    );
    assert_eq!(
        refused(&input, &start.get(0), &weights, 0.0),
        "start has shape [3, 8], expected 3 axes"
    );
    assert_eq!(
        refused(&input, &start.narrow(1, 0, 2), &weights, 0.0),
        "start has shape [1, 2, 8], expected [1, 3, 8]"
    );
    assert_eq!(refused(&input, &start, &weights[..3], 0.0), "3 weights, expected 4");
    let mut swapped: Vec<Tensor> = weights.iter().map(Tensor::shallow_clone).collect();
    swapped.swap(0, 1);
    assert_eq!(
        refused(&input, &start, &swapped, 0.0),
        "weight_ih has shape [24, 8], expected [24, 2]"
    );
    assert_eq!(
        refused(&input, &start, &weights, 1.5),
        "dropout = 1.5 is out of range: it must be from 0 to 1"
    );
}
