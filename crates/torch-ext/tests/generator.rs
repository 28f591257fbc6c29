//! Saving and restoring the CPU's generator. These tests have a process of their own, because nothing else may draw.

use std::sync::{Mutex, PoisonError};

use tch::{Device, Kind, Tensor};
use torch_ext::{TorchExtError, affine, generator_state, laplace, set_generator_state};

/// Lock by which the tests take turns: they share one CPU generator and compare its draws.
static TURN: Mutex<()> = Mutex::new(());

fn draw(count: i64) -> Vec<f32> {
    let draws = Tensor::randn([count], (Kind::Float, Device::Cpu));
    Vec::try_from(draws).unwrap()
}

/// Oracle: the draws themselves. An odd number of them leaves half a Box-Muller pair behind.
#[test]
fn draws_after_restoring_are_those_after_saving() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(7);
    for before in [0, 1, 2, 3, 16, 17] {
        let _ = draw(before);
        let state = generator_state(Device::Cpu).unwrap();
        let expected: Vec<_> = [1, 3, 1, 40].map(draw).into();
        let _ = draw(5);
        set_generator_state(Device::Cpu, &state).unwrap();
        let found: Vec<_> = [1, 3, 1, 40].map(draw).into();
        assert_eq!(found, expected, "after {before} draws");
    }
}

/// The unused half of a pair is part of the state: without it, these draws would differ.
#[test]
fn a_state_holds_the_normal_draw_that_is_left() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(7);
    let fresh = generator_state(Device::Cpu).unwrap();
    let pair = [draw(1), draw(1)].concat();
    set_generator_state(Device::Cpu, &fresh).unwrap();
    let first = draw(1);
    let halfway = generator_state(Device::Cpu).unwrap();
    tch::manual_seed(8);
    set_generator_state(Device::Cpu, &halfway).unwrap();
    assert_eq!([first, draw(1)].concat(), pair);
}

#[test]
fn what_is_no_state_is_refused_and_changes_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let state = generator_state(Device::Cpu).unwrap();
    let short = state.narrow(0, 0, 100);
    let error = set_generator_state(Device::Cpu, &short).unwrap_err();
    assert!(matches!(error, TorchExtError::Shape { .. }), "{error}");
    let error = set_generator_state(Device::Cpu, &state.to_kind(Kind::Float)).unwrap_err();
    assert!(matches!(error, TorchExtError::Kind { found: Kind::Float, .. }), "{error}");
    let noise = Tensor::full_like(&state, 255);
    let error = set_generator_state(Device::Cpu, &noise).unwrap_err().to_string();
    assert!(error.contains("mt19937") && !error.contains('\n'), "{error}");
    assert_eq!(generator_state(Device::Cpu).unwrap(), state);
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    for device in [Device::Cuda(99), Device::Mps, Device::Vulkan] {
        let error = generator_state(device).unwrap_err();
        assert!(matches!(error, TorchExtError::NoSuchDevice { .. }), "{error}");
    }
}

/// The state of torch's generator decides what is drawn by place, and the number of threads does not.
#[test]
fn draws_by_place_follow_the_generator_and_not_the_threads() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let options = (Kind::Float, Device::Cpu);
    let [x, w, b] = [&[3000, 7, 3][..], &[64, 3], &[64]].map(|size| Tensor::randn(size, options));
    let noise = || laplace(&[3000, 7, 24], options).unwrap();
    let dropped = || affine(&[&x], &[&w], &b, true, 0.5).unwrap().ne(0.0).to_kind(Kind::Float);
    for draw in [&noise as &dyn Fn() -> Tensor, &dropped] {
        tch::manual_seed(1);
        let (first, second) = (draw(), draw());
        assert_ne!(first, second);
        tch::manual_seed(1);
        assert_eq!(first, draw());
        let threads = tch::get_num_threads();
        tch::manual_seed(1);
        tch::set_num_threads(3);
        let shared = draw();
        tch::set_num_threads(threads);
        assert_eq!(first, shared);
    }
}
