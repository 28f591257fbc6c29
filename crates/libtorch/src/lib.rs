//! For build scripts: how programs are linked to libtorch. See `docs/decisions/0002`.

#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Links what is built from the calling package so that it finds libtorch without
/// `LD_LIBRARY_PATH`, and without CUDA, which `torch_ext::load_cuda` adds at run time.
///
/// # Errors
/// Only where cargo's output folder for this build script cannot be written.
pub fn link() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH") else { return Ok(()) };
    let lib = Path::new(&libtorch).join("lib");
    // Setup touches it when it puts another build behind the same path: then link again.
    println!("cargo::rerun-if-changed={}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) {
        // A torch-sys compiled against a CUDA build links it, and is not compiled again when a CPU
        // build takes that one's place: here is one for it to find.
        fs::write(out.join("libtorch_cuda.so"), "INPUT(libtorch_cpu.so)\n")?;
        println!("cargo::rustc-link-search=native={}", out.display());
    }
    Ok(())
}
