//! Errors when a model is built or fed.

use tch::{Device, Kind, TchError};

use crate::kind::ModelKind;

/// A fault in the config or the inputs of a model, or libtorch's refusal of an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaeError {
    /// A key of the model's config is out of its range.
    #[error("model.{key} = {value} is out of range: it must be {range}")]
    Config {
        /// The key as written in the config.
        key: &'static str,
        /// The value found.
        value: String,
        /// The values allowed.
        range: String,
    },
    /// A size of [`crate::Shape`] is out of its range.
    #[error("{key} = {value} is out of range: it must be at least {least}")]
    Size {
        /// The field of [`crate::Shape`].
        key: &'static str,
        /// The value found.
        value: i64,
        /// The smallest value allowed.
        least: i64,
    },
    /// A tensor does not have the shape that the model was built for.
    #[error("{tensor} has shape {found:?}, expected {expected}")]
    Shape {
        /// Name of the tensor.
        tensor: &'static str,
        /// The shape expected, with letters for free axes.
        expected: String,
        /// The shape found.
        found: Vec<i64>,
    },
    /// A tensor does not have the number type or the device of the model's parameters.
    #[error(
        "{tensor} is {found:?} on {found_on:?}, but the model is {expected:?} on {expected_on:?}"
    )]
    Type {
        /// Name of the tensor.
        tensor: &'static str,
        /// The number type of the parameters.
        expected: Kind,
        /// The device of the parameters.
        expected_on: Device,
        /// The number type found.
        found: Kind,
        /// The device found.
        found_on: Device,
    },
    /// The model needs a tensor that was not given.
    #[error("a model of kind {kind:?} and this shape needs `{tensor}`, which was not given")]
    Missing {
        /// Name of the tensor.
        tensor: &'static str,
        /// The kind of the model.
        kind: ModelKind,
    },
    /// This kind of model does not support an action.
    #[error("a model of kind {kind:?} cannot {action}")]
    Unsupported {
        /// The action that was asked for.
        action: &'static str,
        /// The kind of the model.
        kind: ModelKind,
    },
    /// A distribution could not be built.
    #[error(transparent)]
    Objective(#[from] objective::ObjectiveError),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// A fused operation refused its arguments.
    #[error(transparent)]
    Extension(#[from] torch_ext::TorchExtError),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, VaeError>;
