//! CUDA: its library, loaded at run time, and the memory of its devices.

use tch::Device;

use crate::error::Result;
use crate::ffi;

/// Loads CUDA if the libtorch that this program runs with has it, and returns whether it has.
///
/// A program that was linked to a CPU build can then compute on CUDA if a CUDA build has taken the place of
/// that build. Call this before anything asks libtorch for CUDA, because libtorch keeps its first answer.
/// `true` means that the library is loaded, not that there is a device. A second call does nothing.
///
/// # Errors
/// [`crate::TorchExtError::Cpp`], with the reason, if the library is there and cannot be loaded.
pub fn load_cuda() -> Result<bool> {
    ffi::load_cuda(None)
}

/// Peak memory of tensors on a CUDA device since the start or the last reset, in bytes.
///
/// # Errors
/// [`crate::TorchExtError::NoSuchDevice`] unless the device is a CUDA device that is there.
pub fn peak_memory(device: Device) -> Result<u64> {
    ffi::peak_memory(device).map(|bytes| bytes.max(0) as u64)
}

/// Resets [`peak_memory`] to the memory in use now.
///
/// # Errors
/// As [`peak_memory`].
pub fn reset_peak_memory(device: Device) -> Result<()> {
    ffi::reset_peak_memory(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TorchExtError;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    /// A library of that name, compiled from C.
    fn build(folder: &Path, source: &str) {
        let file = folder.join("source.c");
        fs::write(&file, source).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join("libtorch_cuda.so")).arg(file);
        assert!(compiler.status().unwrap().success());
    }

    #[test]
    fn a_folder_without_cuda_is_a_plain_no() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!ffi::load_cuda(Some(folder.path())).unwrap());
    }

    /// The initializer leaves a file behind as evidence that it ran; CUDA's would register its kernels.
    #[test]
    fn a_library_that_is_there_is_loaded_and_initialized() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("loaded");
        build(
            folder.path(),
            &format!(
                "#include <stdio.h>\n\
                 __attribute__((constructor)) static void start(void) {{\n\
                   FILE* file = fopen(\"{}\", \"w\");\n\
                   if (file) fclose(file);\n\
                 }}\n",
                trace.display()
            ),
        );
        assert!(!trace.exists());
        assert!(ffi::load_cuda(Some(folder.path())).unwrap());
        assert!(trace.exists());
        assert!(ffi::load_cuda(Some(folder.path())).unwrap(), "a second time");
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_an_error_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("libtorch_cuda.so"), "no library\n").unwrap();
        let error = ffi::load_cuda(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("libtorch_cuda.so: file too short"), "{error}");

        let folder = tempfile::tempdir().unwrap();
        build(folder.path(), "void absent(void);\nvoid present(void) { absent(); }\n");
        let error = ffi::load_cuda(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("undefined symbol: absent"), "{error}");
    }

    /// Oracle: whether the file is in the folder of libtorch itself.
    #[test]
    fn cuda_is_looked_for_beside_libtorch() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let library = maps.split_whitespace().find(|word| word.ends_with("/libtorch_cpu.so"));
        let beside = Path::new(library.unwrap()).with_file_name("libtorch_cuda.so");
        assert_eq!(load_cuda().unwrap(), beside.exists());
    }

    #[test]
    fn only_cuda_devices_count_their_memory() {
        for device in [Device::Cpu, Device::Cuda(99)] {
            let error = peak_memory(device).unwrap_err();
            assert!(matches!(error, TorchExtError::NoSuchDevice { .. }), "{error}");
            assert!(reset_peak_memory(device).is_err());
        }
    }
}
