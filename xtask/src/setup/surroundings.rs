//! The surroundings of setup, as a value, so that tests can pass their own.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The checkout, the user's wishes, and the machine.
pub(super) struct Surroundings {
    /// The checkout.
    pub(super) root: PathBuf,
    /// `$LIBTORCH` where the user has set it.
    pub(super) libtorch: Option<PathBuf>,
    /// `LIBTORCH_USE_PYTORCH=1`.
    pub(super) use_pytorch: bool,
    /// The folder in which libtorch is installed.
    pub(super) cache: PathBuf,
    /// The search path of programs.
    pub(super) path: OsString,
    /// Whether this machine has an NVIDIA driver.
    pub(super) nvidia_driver: bool,
}

impl Surroundings {
    pub(super) fn from_env(root: &Path) -> Result<Surroundings> {
        Ok(Surroundings {
            root: root.to_owned(),
            libtorch: users_libtorch(root, env::var_os("LIBTORCH"))?,
            use_pytorch: env::var_os("LIBTORCH_USE_PYTORCH").is_some_and(|value| value == "1"),
            cache: files::cache_folder(|name| env::var_os(name))?,
            path: env::var_os("PATH").unwrap_or_default(),
            nvidia_driver: nvidia_driver(),
        })
    }

    /// The link in the checkout that `.cargo/config.toml` names as `LIBTORCH`.
    pub(super) fn link(&self) -> PathBuf {
        self.root.join(".libtorch")
    }
}

/// `$LIBTORCH`, unless its value is the default of `.cargo/config.toml`.
pub(super) fn users_libtorch(root: &Path, value: Option<OsString>) -> Result<Option<PathBuf>> {
    let Some(folder) = value.filter(|value| !value.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if folder.is_relative() {
        bail!("LIBTORCH={} must be an absolute path", folder.display());
    }
    let ours = folder.file_name() == Some(".libtorch".as_ref())
        && folder.parent().is_some_and(|parent| same_folder(parent, root));
    Ok((!ours).then_some(folder))
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn nvidia_driver() -> bool {
    const SIGNS: [&str; 4] = [
        "/proc/driver/nvidia/version",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
        "/usr/lib64/libcuda.so.1",
        "/usr/lib/wsl/lib/libcuda.so.1",
    ];
    SIGNS.iter().any(|sign| Path::new(sign).exists())
}
