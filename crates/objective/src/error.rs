//! Errors in a caller's arguments, and the checks that find them before libtorch does.

use tch::{Device, Kind, TchError, Tensor};

/// Errors of this crate; the variants hold the offending values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveError {
    /// A tensor does not have the shape that the operation needs.
    #[error("{what} has shape {found:?}, expected {expected}")]
    Shape {
        /// The argument.
        what: &'static str,
        /// Its shape.
        found: Vec<i64>,
        /// The shape expected, in words.
        expected: String,
    },
    /// Two tensors cannot be broadcast together.
    #[error("{left_name} {left:?} and {right_name} {right:?} do not broadcast together")]
    Broadcast {
        /// The first argument.
        left_name: &'static str,
        /// Its shape.
        left: Vec<i64>,
        /// The second argument.
        right_name: &'static str,
        /// Its shape.
        right: Vec<i64>,
    },
    /// A tensor is neither single nor double precision; lower precisions lack the special functions.
    #[error("{what} is {kind:?}, expected Float or Double")]
    NotFloat {
        /// The argument.
        what: &'static str,
        /// Its kind.
        kind: Kind,
    },
    /// Two tensors differ in kind or device.
    #[error("{left_name} is {left:?}, but {right_name} is {right:?}; kind and device must agree")]
    Mixed {
        /// The first argument.
        left_name: &'static str,
        /// Its kind and device.
        left: (Kind, Device),
        /// The second argument.
        right_name: &'static str,
        /// Its kind and device.
        right: (Kind, Device),
    },
    /// A number lies outside its range.
    #[error("{what} = {value} is outside {range}")]
    Range {
        /// The argument.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The range allowed.
        range: &'static str,
    },
    /// A tensor holds NaN or infinite values where it must not.
    #[error("{count} elements of {what} are not finite")]
    NotFinite {
        /// The argument.
        what: &'static str,
        /// Number of such elements.
        count: i64,
    },
    /// A gradient was asked for with respect to a tensor that the result does not depend on.
    #[error("the log weights do not depend on {what}")]
    NoGradient {
        /// The tensor.
        what: &'static str,
    },
    /// libtorch refused an operation (for instance: out of memory).
    #[error(transparent)]
    Torch(#[from] TchError),
    /// A kernel of crate `torch-ext` refused its arguments.
    #[error(transparent)]
    Extension(#[from] torch_ext::TorchExtError),
}

/// Result of this crate.
pub(crate) type Result<T> = std::result::Result<T, ObjectiveError>;

/// Fails unless `tensor` is of single or double precision.
pub(crate) fn check_float(what: &'static str, tensor: &Tensor) -> Result<()> {
    let kind = tensor.f_kind()?;
    match kind {
        Kind::Float | Kind::Double => Ok(()),
        _ => Err(ObjectiveError::NotFloat { what, kind }),
    }
}

/// Fails unless two tensors are of one kind and on one device.
pub(crate) fn check_alike(
    (left_name, left): (&'static str, &Tensor),
    (right_name, right): (&'static str, &Tensor),
) -> Result<()> {
    let left = (left.f_kind()?, left.device());
    let right = (right.f_kind()?, right.device());
    if left != right {
        return Err(ObjectiveError::Mixed { left_name, left, right_name, right });
    }
    Ok(())
}

/// The shape that two tensors broadcast to; both must be of one kind and on one device.
pub(crate) fn check_pair(
    (left_name, left): (&'static str, &Tensor),
    (right_name, right): (&'static str, &Tensor),
) -> Result<Vec<i64>> {
    check_alike((left_name, left), (right_name, right))?;
    broadcast_shape(&left.size(), &right.size()).ok_or_else(|| ObjectiveError::Broadcast {
        left_name,
        left: left.size(),
        right_name,
        right: right.size(),
    })
}

/// The broadcast of two shapes, by the rule of numpy.
pub(crate) fn broadcast_shape(left: &[i64], right: &[i64]) -> Option<Vec<i64>> {
    let rank = left.len().max(right.len());
    let at = |shape: &[i64], i: usize| {
        (i + shape.len()).checked_sub(rank).map_or(1, |position| shape[position])
    };
    (0..rank)
        .map(|i| match (at(left, i), at(right, i)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect()
}

/// Fails unless the number lies in a range.
pub(crate) fn check_range(
    what: &'static str,
    value: f64,
    range: &'static str,
    inside: bool,
) -> Result<()> {
    if inside { Ok(()) } else { Err(ObjectiveError::Range { what, value, range }) }
}

/// The error for a wrong shape.
pub(crate) fn wrong_shape(
    what: &'static str,
    tensor: &Tensor,
    expected: impl Into<String>,
) -> ObjectiveError {
    ObjectiveError::Shape { what, found: tensor.size(), expected: expected.into() }
}
