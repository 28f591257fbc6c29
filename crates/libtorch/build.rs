//! Stops the build where libtorch is missing, before the C++ of torch-sys fails without a clue.
//!
//! Cargo starts first what most other work waits for. The packages that use tch wait for both this
//! package and torch-sys, and their build scripts wait for this package only, so it comes first. See `docs/decisions/0002`.
#![allow(clippy::print_stdout, reason = "the way in which a build script talks to cargo")]

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // The workspace's .cargo/config.toml sets it; it is unset only elsewhere.
    let Some(libtorch) = env::var_os("LIBTORCH") else { return };
    let library = Path::new(&libtorch).join("lib/libtorch_cpu.so");
    println!("cargo::rerun-if-changed={}", library.display());
    if !library.exists() {
        println!(
            "cargo::error=there is no libtorch at {}; \
             run `cargo xtask setup`, or set LIBTORCH to a libtorch 2.11.0",
            libtorch.display()
        );
    }
}
