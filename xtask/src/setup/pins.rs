//! The wheels of libtorch, pinned by hash.
//!
//! Another version needs another tch, because the two are one pair: see `docs/decisions/0001`.

use std::path::{Path, PathBuf};

use super::Build;

/// The version of libtorch that our tch needs.
pub(super) const VERSION: &str = "2.11.0";

/// One build of libtorch, and its parts.
#[derive(Debug, Clone)]
pub(super) struct Pins {
    /// Its folder in the cache.
    pub(super) folder: &'static str,
    /// The path of libtorch in that folder, if it is not at the top.
    pub(super) root: Option<&'static str>,
    pub(super) wheels: Vec<Wheel>,
    /// Small files that we add: path in the folder, and text.
    pub(super) texts: &'static [(&'static str, &'static str)],
    /// Bytes on disk once installed.
    pub(super) installed_bytes: u64,
}

/// A wheel in the registry.
#[derive(Debug, Clone)]
pub(super) struct Wheel {
    /// `NAME-VERSION-PYTHON-ABI-PLATFORM.whl`
    pub(super) file: &'static str,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) keep: Keep,
}

/// The files of a wheel that are installed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keep {
    All,
    /// Those whose path has one of these prefixes, which is replaced.
    Beginning(&'static [(&'static str, &'static str)]),
}

impl Pins {
    pub(super) fn of(build: Build) -> Pins {
        match build {
            Build::Cpu => cpu(),
            Build::Cuda => cuda(),
        }
    }

    /// The folder of libtorch once installed.
    pub(super) fn home(&self, cache: &Path) -> PathBuf {
        let folder = cache.join(self.folder);
        self.root.map_or(folder.clone(), |root| folder.join(root))
    }
}

impl Wheel {
    /// `NAME==VERSION`
    pub(super) fn requirement(&self) -> String {
        let mut parts = self.file.split('-');
        let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        format!("{}=={version}", name.replace('_', "-"))
    }

    /// The platform it is built for; the first if it names several.
    pub(super) fn platform(&self) -> &'static str {
        let tags = self.file.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default();
        tags.split('.').next().unwrap_or_default()
    }

    /// The destination of one of its files; `None` if it is not installed.
    pub(super) fn destination(&self, entry: &str) -> Option<String> {
        match self.keep {
            Keep::All => Some(entry.to_owned()),
            Keep::Beginning(kept) => kept
                .iter()
                .find_map(|(from, to)| entry.strip_prefix(from).map(|rest| format!("{to}{rest}"))),
        }
    }
}

/// The libtorch of programs on the CPU: 544 MB to fetch, 0.5 GB installed.
///
/// `libtorch_cpu` itself needs two small CUDA libraries. torch-sys links `-ltorch`, and the real
/// `libtorch.so` only pulls in CUDA, so a linker script takes its place.
fn cpu() -> Pins {
    Pins {
        folder: "libtorch-2.11.0-cpu",
        root: None,
        wheels: vec![
            torch(Keep::Beginning(&[
                ("torch/include/", "include/"),
                ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
                ("torch/lib/libc10.so", "lib/libc10.so"),
                ("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
                ("torch-2.11.0.dist-info/licenses/", "licenses/torch/"),
            ])),
            cudart(Keep::Beginning(&[
                ("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13"),
                ("nvidia_cuda_runtime-13.0.96.dist-info/licenses/", "licenses/cudart/"),
            ])),
            cupti(Keep::Beginning(&[
                ("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13"),
                ("nvidia_cuda_cupti-13.0.85.dist-info/licenses/", "licenses/cupti/"),
            ])),
        ],
        texts: &[
            ("lib/libtorch.so", "INPUT(libtorch_cpu.so)\n"),
            ("build-version", "2.11.0+cu130\n"),
        ],
        installed_bytes: 525_000_000,
    }
}

/// The libtorch for GPUs: 2.5 GB to fetch, 4 GB installed. The libraries find each other because
/// `torch/` and `nvidia/` lie side by side, as Python would install them.
fn cuda() -> Pins {
    let mut wheels = vec![torch(Keep::All), cudart(Keep::All), cupti(Keep::All), cccl(), crt()];
    wheels.extend(CUDA.map(|(file, bytes, sha256)| wheel(file, bytes, sha256, Keep::All)));
    Pins {
        folder: "libtorch-2.11.0-cu130",
        root: Some("torch"),
        wheels,
        texts: &[("torch/build-version", "2.11.0+cu130\n")],
        installed_bytes: 4_000_000_000,
    }
}

fn torch(keep: Keep) -> Wheel {
    wheel(
        "torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        530_712_279,
        "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
        keep,
    )
}

fn cudart(keep: Keep) -> Wheel {
    wheel(
        "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        2_243_632,
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        keep,
    )
}

fn cupti(keep: Keep) -> Wheel {
    wheel(
        "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        10_715_597,
        "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        keep,
    )
}

/// Headers that those of CUDA include; crate `torch-ext` needs them for NCCL.
fn cccl() -> Wheel {
    wheel(
        "nvidia_cuda_cccl-13.0.85-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        3_120_526,
        "e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649",
        Keep::Beginning(&[
            ("nvidia/cu13/include/", "nvidia/cu13/include/"),
            ("nvidia_cuda_cccl-13.0.85.dist-info/licenses/", "licenses/cccl/"),
        ]),
    )
}

/// As [`cccl`].
fn crt() -> Wheel {
    wheel(
        "nvidia_cuda_crt-13.0.88-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        134_086,
        "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
        Keep::Beginning(&[
            ("nvidia/cu13/include/", "nvidia/cu13/include/"),
            ("nvidia_cuda_crt-13.0.88.dist-info/licenses/", "licenses/crt/"),
        ]),
    )
}

/// Name, size and hash of the other wheels that torch requires for CUDA.
const CUDA: [(&str, u64, &str); 13] = [
    (
        "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
        423_133_236,
        "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    ),
    (
        "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        90_215_200,
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    ),
    (
        "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
        366_066_321,
        "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    ),
    (
        "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        214_085_489,
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
    ),
    (
        "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        1_223_672,
        "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
    ),
    (
        "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        59_544_258,
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    ),
    (
        "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
        200_941_980,
        "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
    ),
    (
        "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        145_942_937,
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
    ),
    (
        "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
        169_884_119,
        "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
    ),
    (
        "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
        196_493_177,
        "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
    ),
    (
        "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        40_713_933,
        "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
    ),
    (
        "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        60_412_546,
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
    ),
    (
        "nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
        148_047,
        "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
    ),
];

fn wheel(file: &'static str, bytes: u64, sha256: &str, keep: Keep) -> Wheel {
    Wheel { file, bytes, sha256: sha256.to_owned(), keep }
}
