//! The streams of random numbers.

use std::collections::HashSet;

use feed::{Stream, seed};
use tch::{Device, Kind, Tensor};

/// Law: no two uses draw the same numbers, in one run or in runs of neighboring seeds.
#[test]
fn every_use_has_a_stream_of_its_own() {
    use Stream::{Epoch, Evaluation, Features, Step, Validation, Weights};
    let mut uses = vec![Weights, Validation, Evaluation, Features];
    uses.extend((0..40).flat_map(|count| [Epoch(count), Step(count)]));
    let mut seen = HashSet::new();
    for base in 0..10 {
        for &stream in &uses {
            seed(base, stream);
            let draw = Tensor::randint_low(0, i64::MAX, [2], (Kind::Int64, Device::Cpu));
            let draw = Vec::<i64>::try_from(draw).unwrap();
            assert!(seen.insert(draw), "{stream:?} of seed {base} repeats another stream");
        }
    }
}
