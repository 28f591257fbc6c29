//! The device to compute on.

use std::fmt;
use std::str::FromStr;

use tch::{Cuda, Device};

use crate::error::FeedError;

/// The value of `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA if it is usable, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device by its number; never falls back.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(DeviceChoice::Cuda)
                .ok_or_else(|| format!("`{text}` is not a device; use auto, cpu, cuda or cuda:N")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => write!(f, "auto"),
            DeviceChoice::Cpu => write!(f, "cpu"),
            DeviceChoice::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DeviceChoice {
    /// The device to use.
    ///
    /// # Errors
    /// [`FeedError::Device`] if CUDA is requested by name and cannot be used.
    pub fn resolve(self) -> Result<Device, FeedError> {
        if self != DeviceChoice::Cpu {
            self.load_cuda()?;
        }
        let number = match self {
            DeviceChoice::Cpu => return Ok(Device::Cpu),
            DeviceChoice::Auto if Cuda::is_available() => 0,
            DeviceChoice::Auto => return Ok(Device::Cpu),
            DeviceChoice::Cuda(number) => number,
        };
        let count = if Cuda::is_available() { Cuda::device_count() as usize } else { 0 };
        if number < count {
            return Ok(Device::Cuda(number));
        }
        let (reason, hint) = if count > 0 {
            (format!("there are {count} CUDA devices, numbered from 0"), "choose one of these")
        } else {
            (
                "this libtorch sees no CUDA device".to_owned(),
                "install the NVIDIA driver and run `cargo xtask setup --cuda`, or use `--device cpu`",
            )
        };
        Err(FeedError::Device { asked: self.to_string(), reason, hint })
    }
}

impl DeviceChoice {
    /// The choice of the process with this rank among those of its machine, where several devices are visible: `auto` and
    /// the first device stand for the one with the number of the rank.
    pub fn of_local_rank(self, local_rank: usize) -> DeviceChoice {
        let shared = matches!(self, DeviceChoice::Auto | DeviceChoice::Cuda(0));
        // Without CUDA, `resolve` says so.
        if !shared || self.load_cuda().is_err() || !Cuda::is_available() {
            return self;
        }
        let visible = Cuda::device_count() as usize;
        if visible > 1 { DeviceChoice::Cuda(local_rank) } else { DeviceChoice::Cuda(0) }
    }

    /// Loads the CUDA libraries of libtorch, which programs are not linked to. If that fails, the program computes on
    /// the CPU, unless CUDA was requested by name.
    fn load_cuda(self) -> Result<(), FeedError> {
        match torch_ext::load_cuda() {
            Ok(_) => Ok(()),
            Err(error) if self == DeviceChoice::Auto => {
                tracing::warn!(%error, "CUDA is installed but cannot be loaded; computing on the CPU");
                Ok(())
            }
            Err(error) => Err(FeedError::Device {
                asked: self.to_string(),
                reason: error.to_string(),
                hint: "run `cargo xtask setup --cuda` again, or use `--device cpu`",
            }),
        }
    }
}

/// The name of a device in `run.json`.
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(number) => format!("cuda:{number}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_never_guessed() {
        for (text, expected) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_cuda_device_that_is_not_there_is_an_error() {
        let error = DeviceChoice::Cuda(99).resolve().unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().contains("cuda:99"), "{error}");
    }
}
