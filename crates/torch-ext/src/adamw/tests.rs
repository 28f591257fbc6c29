use super::*;
use tch::no_grad;

const SETTINGS: AdamWSettings =
    AdamWSettings { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.1, decayed: 2 };
const RATE: f64 = 0.05;

fn vector(values: &[f64], kind: Kind) -> Tensor {
    Tensor::from_slice(values).to_kind(kind)
}

fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap()
}

/// `max(‖g‖ / limit, 1)` and whether the norm is finite, both on the device.
fn clip(gradients: &Tensor, limit: f64) -> [Tensor; 2] {
    let norm = gradients.norm();
    [(&norm / limit).clamp_min(1.0).to_kind(Kind::Float), norm.isfinite().logical_not()]
}

/// The recursion of the type's documentation in f64, one scalar at a time.
struct Scalars {
    p: Vec<f64>,
    m: Vec<f64>,
    v: Vec<f64>,
    k: i32,
}

impl Scalars {
    fn step(&mut self, gradients: &[f64], limit: f64) {
        self.k += 1;
        let norm = gradients.iter().map(|g| g * g).sum::<f64>().sqrt();
        for (i, raw) in gradients.iter().enumerate() {
            let g = raw * (limit / norm).min(1.0);
            self.m[i] = 0.9 * self.m[i] + 0.1 * g;
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g;
            let m_hat = self.m[i] / (1.0 - 0.9_f64.powi(self.k));
            let v_hat = self.v[i] / (1.0 - 0.999_f64.powi(self.k));
            let decay = if i < 2 { 0.1 } else { 0.0 };
            self.p[i] -= RATE * (decay * self.p[i] + m_hat / (v_hat.sqrt() + 1e-8));
        }
    }
}

/// Oracle: the scalar recursion, over steps that clip, steps that do not, and steps that are skipped.
#[test]
fn matches_the_scalar_recursion() {
    // The scale is f32, and so are the corrections of the bias within the kernel.
    for (kind, tolerance) in [(Kind::Float, 3e-5), (Kind::Double, 1e-6)] {
        let start = [1.0, -2.0, 0.5, 3.0, -0.25];
        let parameters = vector(&start, kind);
        let mut optimizer = FusedAdamW::new(&parameters, SETTINGS).unwrap();
        let zeros = || vec![0.0; start.len()];
        let mut scalars = Scalars { p: start.to_vec(), m: zeros(), v: zeros(), k: 0 };
        for round in 0..30 {
            let factor = if round % 3 == 0 { 0.1 } else { 2.0 };
            let mut raw: Vec<f64> = scalars.p.iter().map(|p| factor * p).collect();
            if round % 5 == 4 {
                raw[3] = f64::NAN;
            } else {
                scalars.step(&raw, 1.0);
            }
            let gradients = vector(&raw, kind);
            let [scale, bad] = clip(&gradients, 1.0);
            let guard = Guard { grad_scale: Some(&scale), found_inf: Some(&bad) };
            optimizer.step(&parameters, &gradients, RATE, guard).unwrap();
            for (found, expected) in values(&parameters).iter().zip(&scalars.p) {
                assert!((found - expected).abs() < tolerance, "{kind:?}: {found}, {expected}");
            }
        }
        assert_eq!(optimizer.state()[2].double_value(&[]), 24.0);
    }
}

/// Oracle: the same update as operations of tch on a longer vector, whose end no vector width divides.
#[test]
fn matches_the_operations_of_tch() {
    let options = (Kind::Double, Device::Cpu);
    let parameters = Tensor::randn([1003], options);
    let mut plain = parameters.copy();
    let (mut first, mut second) = (plain.zeros_like(), plain.zeros_like());
    let settings = AdamWSettings { decayed: 517, ..SETTINGS };
    let mut optimizer = FusedAdamW::new(&parameters, settings).unwrap();
    for step in 1..=5 {
        let gradients = Tensor::randn([1003], options);
        first = &first * 0.9 + &gradients * 0.1;
        second = &second * 0.999 + gradients.square() * 0.001;
        let m_hat = &first / (1.0 - 0.9_f64.powi(step));
        let v_hat = &second / (1.0 - 0.999_f64.powi(step));
        let decay = Tensor::cat(
            &[Tensor::full([517], 0.1, options), Tensor::zeros([1003 - 517], options)],
            0,
        );
        plain = &plain - RATE * (decay * &plain + m_hat / (v_hat.sqrt() + 1e-8));
        optimizer.step(&parameters, &gradients, RATE, Guard::default()).unwrap();
        let gap = (&parameters - &plain).abs().max().double_value(&[]);
        assert!(gap < 1e-9, "step {step}: {gap}");
    }
}

#[test]
fn a_skipped_step_leaves_every_bit() {
    let parameters = vector(&[1.0, -2.0, 0.5], Kind::Float);
    let mut optimizer = FusedAdamW::new(&parameters, SETTINGS).unwrap();
    optimizer
        .step(&parameters, &vector(&[0.3, 0.2, 0.1], Kind::Float), RATE, Guard::default())
        .unwrap();
    let bits = |optimizer: &FusedAdamW| {
        let [first, second, step] = optimizer.state().map(values);
        [values(&parameters), first, second, step]
            .map(|v| v.into_iter().map(f64::to_bits).collect::<Vec<_>>())
    };
    let before = bits(&optimizer);
    for gradient in [f64::INFINITY, f64::NAN, 0.5] {
        let gradients = vector(&[0.3, gradient, 0.1], Kind::Float);
        let flag = Tensor::from(true);
        let scale = Tensor::from(f32::NAN);
        let guard = Guard { grad_scale: Some(&scale), found_inf: Some(&flag) };
        optimizer.step(&parameters, &gradients, RATE, guard).unwrap();
        assert_eq!(bits(&optimizer), before);
        assert_eq!(gradients.double_value(&[0]), f64::from(0.3_f32));
    }
    let clear = Tensor::from(false);
    let guard = Guard { grad_scale: None, found_inf: Some(&clear) };
    optimizer.step(&parameters, &vector(&[0.3, 0.2, 0.1], Kind::Float), RATE, guard).unwrap();
    assert_ne!(bits(&optimizer), before);
    assert_eq!(optimizer.state()[2].double_value(&[]), 2.0);
}

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    let gradients: Vec<Tensor> =
        (1..=4).map(|k| vector(&[0.1, -0.7, 2.0], Kind::Float) / k).collect();
    let whole = vector(&[1.0, -2.0, 0.5], Kind::Float);
    let halves = whole.copy();
    let mut optimizer = FusedAdamW::new(&whole, SETTINGS).unwrap();
    let mut part = FusedAdamW::new(&halves, SETTINGS).unwrap();
    for (k, gradient) in gradients.iter().enumerate() {
        if k == 2 {
            let [first, second, step] = part.state().map(Tensor::copy);
            part = FusedAdamW::restore(first, second, step, SETTINGS).unwrap();
        }
        optimizer.step(&whole, gradient, RATE, Guard::default()).unwrap();
        part.step(&halves, gradient, RATE, Guard::default()).unwrap();
    }
    assert_eq!(whole, halves);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let parameters = vector(&[1.0, -2.0, 0.5], Kind::Float);
    let mut optimizer = FusedAdamW::new(&parameters, SETTINGS).unwrap();
    let good = vector(&[1.0, 1.0, 1.0], Kind::Float);
    let wide = Tensor::ones([3, 2], (Kind::Float, Device::Cpu));
    let leaf = no_grad(|| good.copy()).set_requires_grad(true);
    let none = Guard::default;
    let mut refused = |parameters: &Tensor, gradients: &Tensor, rate: f64, guard: Guard<'_>| {
        optimizer.step(parameters, gradients, rate, guard).unwrap_err().to_string()
    };
    let short = good.narrow(0, 0, 2);
    assert_eq!(refused(&parameters, &short, RATE, none()), "gradients has shape [2], expected [3]");
    assert_eq!(
        refused(&parameters, &good.to_kind(Kind::Double), RATE, none()),
        "gradients is Double, expected Float"
    );
    let layout = "must be contiguous and must not require a gradient";
    assert_eq!(
        refused(&parameters, &wide.select(1, 0), RATE, none()),
        format!("gradients {layout}")
    );
    assert_eq!(refused(&leaf, &good, RATE, none()), format!("parameters {layout}"));
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(&parameters, &good, rate, none()).starts_with("learning_rate = "));
    }
    let scale = Tensor::from(1.0_f64);
    let guard = Guard { grad_scale: Some(&scale), found_inf: None };
    assert_eq!(refused(&parameters, &good, RATE, guard), "grad_scale is Double, expected Float");
    let guard = Guard { grad_scale: None, found_inf: Some(&good) };
    assert_eq!(refused(&parameters, &good, RATE, guard), "found_inf has shape [3], expected []");
    let guard = Guard { grad_scale: None, found_inf: Some(&scale) };
    assert_eq!(refused(&parameters, &good, RATE, guard), "found_inf is Double, expected Bool");
    assert_eq!(values(&parameters), [1.0, -2.0, 0.5]);
    assert_eq!(optimizer.state()[2].double_value(&[]), 0.0);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let parameters = vector(&[1.0, 2.0], Kind::Float);
    for (name, settings) in [
        ("beta_1", AdamWSettings { beta_1: 1.0, ..SETTINGS }),
        ("beta_2", AdamWSettings { beta_2: -0.1, ..SETTINGS }),
        ("epsilon", AdamWSettings { epsilon: 0.0, ..SETTINGS }),
        ("weight_decay", AdamWSettings { weight_decay: f64::NAN, ..SETTINGS }),
        ("decayed", AdamWSettings { decayed: 3, ..SETTINGS }),
    ] {
        match FusedAdamW::new(&parameters, settings).unwrap_err() {
            TorchExtError::Value { name: found, .. } => assert_eq!(found, name),
            other => panic!("{name}: {other}"),
        }
    }
    let integers = Tensor::from_slice(&[1_i64, 2]);
    let error = FusedAdamW::new(&integers, SETTINGS).unwrap_err().to_string();
    assert_eq!(error, "parameters is Int64, expected Float or Double");
}

/// Oracle: the operations of ATen that the kernel replaces, which f64 uses.
#[test]
fn clipping_is_the_same_in_one_operation_and_in_many() {
    for length in [1, 31, 32, 70, 1000] {
        for (most, spoiled) in
            [(0.0, 0.0), (0.5, 0.0), (1e6, 0.0), (1.0, f64::NAN), (1.0, f64::INFINITY)]
        {
            let gradients =
                Tensor::randn([length], (Kind::Double, Device::Cpu)).to_kind(Kind::Float);
            let _ = gradients.get(length - 1).f_add_scalar_(spoiled).unwrap();
            let loss = Tensor::from(2.0_f32);
            let found = crate::clip(&gradients, &loss, most).unwrap();
            let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
            let expected = crate::clip(&double(&gradients), &double(&loss), most).unwrap();
            assert_eq!(bool::try_from(&found.torn).unwrap(), spoiled != 0.0);
            assert_eq!(bool::try_from(&expected.torn).unwrap(), spoiled != 0.0);
            if spoiled == 0.0 {
                for (a, b) in [(&found.norm, &expected.norm), (&found.scale, &expected.scale)] {
                    let (a, b) = (a.double_value(&[]), b.double_value(&[]));
                    assert!((a - b).abs() < 1e-6 * b, "{a} {b}");
                }
            }
        }
    }
    let gradients = Tensor::ones([3], (Kind::Float, Device::Cpu));
    let torn = crate::clip(&gradients, &Tensor::from(f32::NAN), 1.0).unwrap().torn;
    assert!(bool::try_from(torn).unwrap());
    assert!(crate::clip(&gradients, &gradients, 1.0).is_err());
    assert!(crate::clip(&gradients, &Tensor::from(1.0_f32), -1.0).is_err());
}
