//! Stops the build where libtorch is missing, before the C++ of torch-sys fails without a clue.
//!
//! Of the work that is ready, cargo starts first what most other work waits for. For this package
//! wait the build scripts of all packages that use tch and those packages themselves, for torch-sys
//! only the latter: so this one comes first. See `docs/decisions/0002`.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // Unset only outside of this workspace, whose .cargo/config.toml sets it.
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
