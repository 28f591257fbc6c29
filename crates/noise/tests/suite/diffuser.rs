//! Noising batches: every kind, shape and border.

use noise::{Diffuser, NoiseError, Normalization, Reinjection, Schedule};
use tch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

fn process(strength: f64, normalization: Normalization) -> Reinjection {
    Reinjection::new(Schedule::linear(20, 1e-3, 0.3).unwrap(), strength, normalization).unwrap()
}

fn steps(t: &[i64]) -> Tensor {
    Tensor::from_slice(t)
}

/// The largest difference between `xt` and the formula, evaluated number by number in f64.
fn error(process: &Reinjection, x0: &Tensor, t: &[i64], noise: &Tensor, xt: &Tensor) -> f64 {
    let flat =
        |x: &Tensor| Vec::<f64>::try_from(x.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
    let (x0, noise, xt) = (flat(x0), flat(noise), flat(xt));
    let each = x0.len() / t.len();
    let expected = |i: usize| {
        let t = t[i / each] as usize;
        process.signal()[t] * x0[i] + process.std()[t] * noise[i]
    };
    assert_eq!(xt.len(), x0.len());
    (0..xt.len()).map(|i| (xt[i] - expected(i)).abs()).fold(0.0, f64::max)
}

#[test]
fn every_kind_and_normalization_follows_the_formula() {
    let t = [0, 1, 7, 20, 13];
    for (kind, tolerance) in [(Kind::Double, 1e-14), (Kind::Float, 3e-6), (Kind::BFloat16, 0.12)] {
        for normalization in [Normalization::None, Normalization::Signal, Normalization::Variance] {
            let process = process(1.0, normalization);
            let diffuser = Diffuser::new(&process, CPU, kind).unwrap();
            let x0 = Tensor::randn([5, 9, 3], (kind, CPU));
            let noise = x0.randn_like();
            let xt = diffuser.apply(&x0, &steps(&t), &noise).unwrap();
            assert_eq!((xt.kind(), xt.size()), (kind, x0.size()));
            let error = error(&process, &x0, &t, &noise, &xt);
            assert!(error < tolerance, "{kind:?} {normalization:?}: {error:e}");
        }
    }
}

#[test]
fn chunks_strides_and_ranks_make_no_difference() {
    let process = process(0.5, Normalization::Variance);
    let diffuser = Diffuser::new(&process, CPU, Kind::Double).unwrap();
    let t: Vec<i64> = (0..257).map(|i| i % 21).collect();
    // 257 × 700 doubles are 1.4 MB: several chunks, the last one short.
    for shape in [vec![257, 700], vec![257], vec![257, 3, 5, 7]] {
        let x0 = Tensor::randn(&shape, (Kind::Double, CPU));
        let noise = x0.randn_like();
        let xt = diffuser.apply(&x0, &steps(&t), &noise).unwrap();
        assert!(error(&process, &x0, &t, &noise, &xt) < 1e-14);
    }
    let transposed = Tensor::randn([40, 257, 30], (Kind::Double, CPU)).transpose(0, 1);
    let expanded = Tensor::randn([257, 1, 30], (Kind::Double, CPU)).expand([257, 40, 30], false);
    for (x0, noise) in [(&transposed, &expanded), (&expanded, &transposed)] {
        let xt = diffuser.apply(x0, &steps(&t), noise).unwrap();
        assert!(error(&process, x0, &t, noise, &xt) < 1e-14);
        let drawn = diffuser.apply_drawn(x0, &steps(&t)).unwrap();
        assert!(drawn.size() == x0.size() && drawn.isfinite().all().int64_value(&[]) == 1);
    }
    let empty = Tensor::zeros([0, 4], (Kind::Double, CPU));
    let none = Tensor::zeros([0], (Kind::Int64, CPU));
    assert_eq!(diffuser.apply_drawn(&empty, &none).unwrap().size(), [0, 4]);
}

#[test]
fn arguments_are_left_as_they_were() {
    let diffuser = Diffuser::new(&process(1.0, Normalization::None), CPU, Kind::Float).unwrap();
    let (x0, t) = (Tensor::randn([4, 3], (Kind::Float, CPU)), steps(&[1, 5, 9, 20]));
    let noise = x0.randn_like();
    let before = (x0.copy(), noise.copy());
    let _ = diffuser.apply(&x0, &t, &noise).unwrap();
    let _ = diffuser.apply_drawn(&x0, &t).unwrap();
    assert!(x0.equal(&before.0) && noise.equal(&before.1));
}

#[test]
fn drawn_noise_is_new_in_every_call_and_every_element() {
    let diffuser = Diffuser::new(&process(0.0, Normalization::None), CPU, Kind::Float).unwrap();
    let (zeros, t) = (Tensor::zeros([8, 500], (Kind::Float, CPU)), steps(&[20; 8]));
    let first = diffuser.apply_drawn(&zeros, &t).unwrap();
    let second = diffuser.apply_drawn(&zeros, &t).unwrap();
    assert!((first - second).abs().min().double_value(&[]) > 0.0);
}

#[test]
fn the_clean_transformation_is_step_zero_exactly() {
    for (normalization, factor) in
        [(Normalization::None, 1.75), (Normalization::Signal, 1.0), (Normalization::Variance, 1.0)]
    {
        let diffuser = Diffuser::new(&process(0.75, normalization), CPU, Kind::Float).unwrap();
        let x0 = Tensor::randn([6, 10], (Kind::Float, CPU));
        let clean = diffuser.clean(&x0).unwrap();
        assert!(clean.equal(&(&x0 * factor)));
        assert!(diffuser.apply_drawn(&x0, &steps(&[0; 6])).unwrap().equal(&clean));
    }
}

#[test]
fn a_schedule_that_destroys_everything_leaves_noise_and_no_nan() {
    let plain = Reinjection::plain(Schedule::jsd(4).unwrap());
    let diffuser = Diffuser::new(&plain, CPU, Kind::Float).unwrap();
    let x0 = Tensor::randn([3, 8], (Kind::Float, CPU));
    let noise = x0.randn_like();
    assert!(diffuser.apply(&x0, &steps(&[4; 3]), &noise).unwrap().equal(&noise));
    let none = Diffuser::new(&Reinjection::plain(Schedule::clean()), CPU, Kind::Float).unwrap();
    assert!(none.apply(&x0, &steps(&[0; 3]), &noise).unwrap().equal(&x0));
}

#[test]
fn coefficients_for_the_likelihood_are_those_applied() {
    let process = process(1.0, Normalization::Signal);
    let t = steps(&[0, 3, 20]);
    for (kind, wide) in
        [(Kind::Double, Kind::Double), (Kind::Float, Kind::Float), (Kind::BFloat16, Kind::Float)]
    {
        let diffuser = Diffuser::new(&process, CPU, kind).unwrap();
        let (signal, std) = (diffuser.signal_at(&t).unwrap(), diffuser.std_at(&t).unwrap());
        assert_eq!((signal.size(), signal.kind()), (vec![3, 1, 1], wide));
        assert_eq!((std.size(), std.kind()), (vec![3, 1, 1], wide));
        // ε = 1 and x_0 = 0 reads the standard deviation off the noised batch itself.
        let (zeros, ones) =
            (Tensor::zeros([3, 2, 2], (kind, CPU)), Tensor::ones([3, 2, 2], (kind, CPU)));
        let read = diffuser.apply(&zeros, &t, &ones).unwrap().to_kind(wide);
        assert!(read.equal(&std.expand([3, 2, 2], false)));
        let read = diffuser.apply(&ones, &t, &zeros).unwrap().to_kind(wide);
        assert!(read.equal(&signal.expand([3, 2, 2], false)));
    }
}

#[test]
fn gradients_flow_to_data_and_noise() {
    let process = process(1.0, Normalization::Variance);
    let diffuser = Diffuser::new(&process, CPU, Kind::Double).unwrap();
    let x0 = Tensor::randn([2, 3], (Kind::Double, CPU)).set_requires_grad(true);
    let noise = x0.detach().randn_like().set_requires_grad(true);
    diffuser.apply(&x0, &steps(&[4, 20]), &noise).unwrap().sum(Kind::Double).backward();
    for (row, t) in [(0, 4), (1, 20)] {
        let close = |gradient: Tensor, expected: f64| {
            let found = gradient.select(0, row);
            assert!((found - expected).abs().max().double_value(&[]) < 1e-15);
        };
        close(x0.grad(), process.signal()[t]);
        close(noise.grad(), process.std()[t]);
    }
    assert!(diffuser.apply_drawn(&x0, &steps(&[4, 20])).unwrap().requires_grad());
}

#[test]
fn wrong_arguments_are_errors_that_name_them() {
    let diffuser = Diffuser::new(&process(1.0, Normalization::None), CPU, Kind::Float).unwrap();
    let x0 = Tensor::randn([4, 3], (Kind::Float, CPU));
    let t = steps(&[1, 2, 3, 4]);
    let fails = |x0: &Tensor, t: &Tensor, noise: &Tensor| {
        diffuser.apply(x0, t, noise).expect_err("the arguments do not fit").to_string()
    };
    assert_eq!(fails(&x0, &steps(&[1, 2, 3, 21]), &x0), "diffusion step 21 lies outside 0..=20");
    assert_eq!(fails(&x0, &steps(&[-1, 2, 3, 4]), &x0), "diffusion step -1 lies outside 0..=20");
    assert!(diffuser.apply(&x0, &steps(&[20, 0, 3, 4]), &x0).is_ok());
    assert!(fails(&x0, &steps(&[1, 2, 3]), &x0).starts_with("`t` has shape [3]"));
    assert!(fails(&x0, &t.view([4, 1]), &x0).starts_with("`t` has shape [4, 1]"));
    assert!(fails(&x0, &t.to_kind(Kind::Float), &x0).starts_with("`t` is Float"));
    assert!(fails(&x0, &t, &x0.narrow(1, 0, 2)).starts_with("`noise` has shape [4, 2]"));
    assert!(fails(&x0, &t, &x0.to_kind(Kind::Double)).starts_with("`noise` is Double"));
    assert!(fails(&x0.to_kind(Kind::Double), &t, &x0).starts_with("`x0` is Double"));
    assert!(fails(&x0.select(0, 0).select(0, 0), &t, &x0).starts_with("`t` has shape [4]"));
    assert!(diffuser.clean(&x0.to_kind(Kind::Half)).is_err());
    assert!(
        diffuser.signal_at(&steps(&[21])).is_err() && diffuser.std_at(&t.view([2, 2])).is_err()
    );
    let integers = Diffuser::new(&process(1.0, Normalization::None), CPU, Kind::Int64);
    assert!(matches!(integers, Err(NoiseError::UnsupportedKind(Kind::Int64))));
}

/// The same numbers on the accelerator, where there is one.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn cuda_agrees_with_the_cpu() {
    let Device::Cuda(index) = Device::cuda_if_available() else {
        eprintln!("SKIPPED: no CUDA device, so the kernels there were not compared");
        return;
    };
    let cuda = Device::Cuda(index);
    let process = process(1.0, Normalization::Variance);
    let (x0, t) = (Tensor::randn([64, 120, 7], (Kind::Float, CPU)), steps(&[13; 64]));
    let noise = x0.randn_like();
    for (kind, tolerance) in [(Kind::Double, 1e-13), (Kind::Float, 3e-6), (Kind::BFloat16, 0.12)] {
        let there = Diffuser::new(&process, cuda, kind).unwrap();
        let to = |x: &Tensor| x.to_kind(kind).to_device(cuda);
        let xt = there.apply(&to(&x0), &t.to_device(cuda), &to(&noise)).unwrap();
        let wide = |x: &Tensor| x.to_kind(kind).to_kind(Kind::Double);
        let error = error(&process, &wide(&x0), &[13; 64], &wide(&noise), &xt.to_device(CPU));
        assert!(error < tolerance, "{kind:?}: {error:e}");
        assert!(there.apply(&x0.to_kind(kind), &t, &to(&noise)).is_err());
    }
}

/// Oracle: step 0 has no noise, so whatever the order of the axes in memory, every number must come back
/// in its own place, and the result must have the memory layout of the input.
#[test]
fn noise_is_laid_out_like_the_data() {
    let process = Reinjection::plain(Schedule::linear(10, 1e-3, 0.2).unwrap());
    let diffuser = Diffuser::new(&process, Device::Cpu, Kind::Float).unwrap();
    let stored = Tensor::arange(3 * 2 * 5, (Kind::Float, Device::Cpu)).view([3, 2, 5]);
    for x0 in [stored.shallow_clone(), stored.transpose(1, 2), stored.permute([2, 0, 1])] {
        let t = Tensor::zeros([x0.size()[0]], (Kind::Int64, Device::Cpu));
        let clean = diffuser.apply_drawn(&x0, &t).unwrap();
        assert_eq!(clean, x0);
        let noised = diffuser.apply_drawn(&x0, &(t + 10)).unwrap();
        assert_eq!((noised.size(), noised.stride()), (x0.size(), x0.stride()));
        assert!((noised - &x0).abs().min().double_value(&[]) > 0.0);
    }
}
