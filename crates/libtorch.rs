//! Build script shared by every package that links libtorch: stops early with one clear message
//! where libtorch is missing, and records its folder in what is linked, so that binaries, tests,
//! examples and benches start without `LD_LIBRARY_PATH`.

#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    // Unset outside this workspace (its .cargo/config.toml sets it): torch-sys decides there.
    let Some(libtorch) = std::env::var_os("LIBTORCH") else { return ExitCode::SUCCESS };
    let lib = Path::new(&libtorch).join("lib");
    println!("cargo::rerun-if-changed={}", lib.display());
    if !lib.join("libtorch_cpu.so").exists() {
        println!(
            "cargo::error=libtorch is not at {}; run `cargo xtask setup` first, or set LIBTORCH to a libtorch 2.11.0",
            libtorch.display()
        );
        return ExitCode::FAILURE;
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    ExitCode::SUCCESS
}
