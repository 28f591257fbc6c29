//! Drives the target that the variable `TARGET` names by libFuzzer.

#![no_main]

use std::sync::LazyLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").expect("TARGET names a fuzz target");
    fuzz::TARGETS.iter().find(|target| target.name == name).expect("TARGET names a fuzz target")
});

fuzz_target!(|input: &[u8]| (TARGET.run)(input));
