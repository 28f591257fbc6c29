//! What can go wrong between Rust and libtorch.

use tch::{Device, Kind, TchError, Tensor};

/// Why libtorch could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchExtError {
    /// A tensor has another shape than it must have.
    #[error("{tensor} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which tensor.
        tensor: &'static str,
        /// The shape expected.
        expected: Vec<i64>,
        /// The shape found.
        found: Vec<i64>,
    },
    /// A tensor has another number of axes than it must have.
    #[error("{tensor} has shape {found:?}, expected {expected} axes")]
    Axes {
        /// Which tensor.
        tensor: &'static str,
        /// The number of axes expected.
        expected: usize,
        /// The shape found.
        found: Vec<i64>,
    },
    /// A tensor has another number type than it must have.
    #[error("{tensor} is {found:?}, expected {expected}")]
    Kind {
        /// Which tensor, or argument.
        tensor: &'static str,
        /// The number types allowed.
        expected: &'static str,
        /// The number type found.
        found: Kind,
    },
    /// A tensor lies on another device than it must.
    #[error("{tensor} is on {found:?}, expected {expected:?}")]
    OtherDevice {
        /// Which tensor.
        tensor: &'static str,
        /// The device expected.
        expected: Device,
        /// The device found.
        found: Device,
    },
    /// A tensor must be contiguous, and without a gradient of its own, to be written in place.
    #[error("{tensor} must be contiguous and must not require a gradient")]
    Layout {
        /// Which tensor.
        tensor: &'static str,
    },
    /// A number is out of its range.
    #[error("{name} = {value} is out of range: it must be {range}")]
    Value {
        /// Which argument.
        name: &'static str,
        /// The value found.
        value: f64,
        /// The values allowed.
        range: &'static str,
    },
    /// There is another number of tensors than there must be.
    #[error("{found} {tensors}, expected {expected}")]
    Count {
        /// Which tensors.
        tensors: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The device cannot do what was asked of it, or is not there.
    #[error("{device:?} has no {what}, or is not there")]
    NoSuchDevice {
        /// What was asked for.
        what: &'static str,
        /// The device.
        device: Device,
    },
    /// libtorch refused, through tch.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// libtorch refused; the first line of what it said.
    #[error("libtorch: {0}")]
    Cpp(String),
}

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, TorchExtError>;

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
