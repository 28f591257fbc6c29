//! Errors between Rust and libtorch.

use std::time::Duration;

use tch::{Device, Kind, TchError, Tensor};

/// A fault in the arguments of a call, or libtorch's refusal of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchExtError {
    /// A tensor does not have the shape that it must have.
    #[error("{tensor} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Name of the tensor.
        tensor: &'static str,
        /// The shape expected.
        expected: Vec<i64>,
        /// The shape found.
        found: Vec<i64>,
    },
    /// A tensor does not have the number of axes that it must have.
    #[error("{tensor} has shape {found:?}, expected {expected} axes")]
    Axes {
        /// Name of the tensor.
        tensor: &'static str,
        /// The number of axes expected.
        expected: usize,
        /// The shape found.
        found: Vec<i64>,
    },
    /// A tensor does not have a number type that is allowed.
    #[error("{tensor} is {found:?}, expected {expected}")]
    Kind {
        /// Name of the tensor or argument.
        tensor: &'static str,
        /// The number types allowed.
        expected: &'static str,
        /// The number type found.
        found: Kind,
    },
    /// A tensor is not on the device where it must be.
    #[error("{tensor} is on {found:?}, expected {expected:?}")]
    OtherDevice {
        /// Name of the tensor.
        tensor: &'static str,
        /// The device expected.
        expected: Device,
        /// The device found.
        found: Device,
    },
    /// A tensor must be contiguous, and without a gradient of its own, to be written in place.
    #[error("{tensor} must be contiguous and must not require a gradient")]
    Layout {
        /// Name of the tensor.
        tensor: &'static str,
    },
    /// A number is out of its range.
    #[error("{name} = {value} is out of range: it must be {range}")]
    Value {
        /// Name of the argument.
        name: &'static str,
        /// The value found.
        value: f64,
        /// The values allowed.
        range: &'static str,
    },
    /// The number of tensors is wrong.
    #[error("{found} {tensors}, expected {expected}")]
    Count {
        /// Name of the tensors.
        tensors: &'static str,
        /// The number expected.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// The device lacks something, or is not there.
    #[error("{device:?} has no {what}, or is not there")]
    NoSuchDevice {
        /// The part that it lacks.
        what: &'static str,
        /// The device.
        device: Device,
    },
    /// The processes of a group cannot meet.
    #[error("the processes of the group cannot meet at {host}:{port}: {reason}")]
    NoMeeting {
        /// The machine that should serve their store.
        host: String,
        /// Its port.
        port: u16,
        /// libtorch's reason.
        reason: String,
    },
    /// Two processes of a group have one rank.
    #[error("two processes have rank {rank}")]
    SameRank {
        /// The rank.
        rank: usize,
    },
    /// Some processes of a group do not take part any more.
    #[error("{}", of_peers(missing, doing, reason, *timeout))]
    Peers {
        /// Their ranks; none if all are there and the exchange failed.
        missing: Vec<usize>,
        /// The exchange that failed.
        doing: &'static str,
        /// libtorch's reason.
        reason: String,
        /// The time that an exchange may take.
        timeout: Duration,
        /// Whether this process has the lowest rank of those that are left, and so should be the one to tell.
        speaks: bool,
    },
    /// libtorch refused an operation of tch.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// libtorch refused a call of this crate, with the first line of its message.
    #[error("libtorch: {0}")]
    Cpp(String),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TorchExtError>;

fn of_peers(missing: &[usize], doing: &str, reason: &str, timeout: Duration) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (ranks, verb) = match names.as_slice() {
        [] => return format!("the exchange of {doing} between the processes failed: {reason}"),
        [one] => (format!("rank {one}"), "is"),
        many => (format!("ranks {}", many.join(", ")), "are"),
    };
    let seconds = timeout.as_secs_f64();
    format!("{ranks} {verb} missing at the exchange of {doing} (timeout {seconds} s; {reason})")
}

/// Checks the shape of a tensor.
pub(crate) fn shape(tensor: &'static str, found: &Tensor, expected: &[i64]) -> Result<()> {
    let found = found.size();
    if found != expected {
        return Err(TorchExtError::Shape { tensor, expected: expected.to_vec(), found });
    }
    Ok(())
}

/// Checks where a tensor lies.
pub(crate) fn device(tensor: &'static str, found: &Tensor, expected: Device) -> Result<()> {
    let found = found.device();
    if found != expected {
        return Err(TorchExtError::OtherDevice { tensor, expected, found });
    }
    Ok(())
}

/// Checks the number type of a tensor.
pub(crate) fn kind(tensor: &'static str, found: &Tensor, expected: Kind) -> Result<()> {
    let found = found.kind();
    if found != expected {
        let expected = match expected {
            Kind::Bool => "Bool",
            Kind::Float => "Float",
            Kind::Double => "Double",
            Kind::Uint8 => "Uint8",
            _ => "the number type of the others",
        };
        return Err(TorchExtError::Kind { tensor, expected, found });
    }
    Ok(())
}
