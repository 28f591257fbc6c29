//! Compiles the C++ of `cpp/` against the headers of libtorch.

use std::env;
use std::io;
use std::path::Path;

const FILES: [&str; 18] = [
    "cpp/adamw.cpp",
    "cpp/affine.cpp",
    "cpp/autocast.cpp",
    "cpp/crps.cpp",
    "cpp/crps_kernel.cpp",
    "cpp/cuda.cpp",
    "cpp/density.cpp",
    "cpp/draw.cpp",
    "cpp/fused_kernel.cpp",
    "cpp/generator.cpp",
    "cpp/group.cpp",
    "cpp/gru.cpp",
    "cpp/gru_kernel.cpp",
    "cpp/noise.cpp",
    "cpp/noise_kernel.cpp",
    "cpp/process.cpp",
    "cpp/score.cpp",
    "cpp/score_kernel.cpp",
];

/// Arithmetic that must round once for each operation, as ATen does with one kernel for each.
const EXACT: &str = "cpp/draw_kernel.cpp";

fn main() -> io::Result<()> {
    libtorch::link()?;
    println!("cargo::rerun-if-changed=cpp");
    // Unset only outside of this workspace, whose .cargo/config.toml sets it.
    let Some(libtorch) = env::var_os("LIBTORCH") else { return Ok(()) };
    let libtorch = Path::new(&libtorch);
    let include = libtorch.join("include");
    compile_nccl(libtorch, &include)?;
    let mut build = compiler(&include);
    build.files(FILES).compile("torch_ext");
    let mut exact = compiler(&include);
    exact.flag("-ffp-contract=off").file(EXACT).compile("torch_ext_exact");
    Ok(())
}

/// The headers of CUDA and NCCL that lie beside a libtorch for GPUs.
const OF_CUDA: [&str; 3] =
    ["nvidia/cu13/include", "nvidia/cu13/include/cccl", "nvidia/nccl/include"];

/// Compiles NCCL's part where the headers of CUDA are, into a library of its own: it can be opened only where CUDA is.
fn compile_nccl(libtorch: &Path, include: &Path) -> io::Result<()> {
    // Another libtorch may take the place of this one.
    println!("cargo::rerun-if-changed={}", libtorch.join("build-version").display());
    let folders = libtorch.canonicalize()?.join("..");
    let headers = OF_CUDA.map(|folder| folders.join(folder));
    if !headers[2].join("nccl.h").exists() {
        return Ok(());
    }
    let mut build = compiler(include);
    for folder in headers {
        build.flag("-isystem").flag(folder);
    }
    let library =
        Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("libtorch_ext_nccl.so");
    let mut command = build.get_compiler().to_command();
    command.args(["-shared", "-fPIC", "-Icpp", "cpp/nccl.cpp", "-o"]).arg(&library);
    match command.status()?.success() {
        true => println!("cargo::rustc-env=TORCH_EXT_NCCL={}", library.display()),
        // Exchanges then go through the memory of the CPU.
        false => println!("cargo::warning=NCCL could not be compiled"),
    }
    Ok(())
}

fn compiler(include: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(3).debug(false).warnings(false);
    // libtorch's headers count as system headers, so that their warnings are not shown.
    for folder in [&include.join("torch/csrc/api/include"), include] {
        build.flag("-isystem").flag(folder);
    }
    // Headers that libtorch includes and does not ship.
    build.flag("-isystem").flag("cpp/gloo");
    // NaN must stay NaN, so no -ffast-math: only what lets a loop over `a < b ? b : a` be vectorized.
    build.flag("-fno-math-errno").flag("-fno-trapping-math");
    build.flag("-Wall").flag("-Wextra").flag_if_supported("-Wno-psabi");
    build.define("_GLIBCXX_USE_CXX11_ABI", "1").define("GLOG_USE_GLOG_EXPORT", None);
    build
}
