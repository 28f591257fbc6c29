//! Links programs to libtorch, for build scripts. See `docs/decisions/0002`.

#![allow(clippy::print_stdout, reason = "the way in which a build script talks to cargo")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Links the calling package so that its programs find libtorch without `LD_LIBRARY_PATH`. They are
/// linked without CUDA, which `torch_ext::load_cuda` adds at run time.
///
/// # Errors
/// Fails only if cargo's output folder for this build script cannot be written.
pub fn link() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH") else { return Ok(()) };
    let lib = Path::new(&libtorch).join("lib");
    // Setup touches this folder when another build takes its place, which must be linked again.
    println!("cargo::rerun-if-changed={}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) {
        // A torch-sys compiled against a CUDA build still links this library after a CPU build has
        // taken its place, so there is one for it to find.
        fs::write(out.join("libtorch_cuda.so"), "INPUT(libtorch_cpu.so)\n")?;
        println!("cargo::rustc-link-search=native={}", out.display());
    }
    Ok(())
}
