//! Shapes with free axes.

/// A number type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F64,
    I64,
    Bool,
}

/// The length of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dim {
    Known(i64),
    /// Windows.
    Batch,
    /// Samples of each window.
    Samples,
    /// Rows of all windows, this many a window.
    Rows(i64),
}

pub(crate) type Shape = Vec<Dim>;

impl Dim {
    /// The length of an axis that is not free.
    pub(crate) fn known(self) -> i64 {
        match self {
            Dim::Known(length) => length,
            free => panic!("{free:?} is a free axis"),
        }
    }
}

/// The common shape, by the rules of NumPy.
pub(super) fn broadcast(left: &[Dim], right: &[Dim]) -> Shape {
    let rank = left.len().max(right.len());
    let at = |shape: &[Dim], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(Dim::Known(1), |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (at(left, axis), at(right, axis)) {
            (Dim::Known(1), dim) | (dim, Dim::Known(1)) => dim,
            (a, b) if a == b => a,
            (a, b) => panic!("{a:?} and {b:?} do not broadcast: {left:?}, {right:?}"),
        })
        .collect()
}

/// The shape of a matrix product over the last two axes.
pub(super) fn product(left: &[Dim], right: &[Dim]) -> Shape {
    let ([lead @ .., rows, inner], [other @ .., same, columns]) = (left, right) else {
        panic!("matrices have two axes: {left:?}, {right:?}")
    };
    assert_eq!(inner, same, "a product of {left:?} and {right:?}");
    let mut shape = broadcast(lead, other);
    shape.extend([*rows, *columns]);
    shape
}

pub(super) fn flattened(shape: &[Dim], from: usize, to: usize) -> Shape {
    let joined = shape[from..=to].iter().copied().reduce(|a, b| match (a, b) {
        (Dim::Known(a), Dim::Known(b)) => Dim::Known(a * b),
        (Dim::Batch, Dim::Known(b)) => Dim::Rows(b),
        (a, b) => panic!("{a:?} and {b:?} are not joined"),
    });
    [&shape[..from], joined.as_slice(), &shape[to + 1..]].concat()
}

pub(super) fn unflattened(shape: &[Dim], axis: usize, sizes: &[i64]) -> Shape {
    let parts: Vec<Dim> = match (shape[axis], sizes) {
        (Dim::Rows(rows), &[-1, each]) if rows == each => vec![Dim::Batch, Dim::Known(each)],
        (Dim::Known(length), sizes) => {
            assert_eq!(length, sizes.iter().product::<i64>(), "{sizes:?} of {length}");
            sizes.iter().map(|&size| Dim::Known(size)).collect()
        }
        (dim, sizes) => panic!("{dim:?} is not divided into {sizes:?}"),
    };
    [&shape[..axis], &parts, &shape[axis + 1..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dim::{Batch, Known, Rows, Samples};

    /// Oracle: the rules by hand.
    #[test]
    fn free_axes_pass_through() {
        let latent = [Samples, Batch, Known(3), Known(8)];
        assert_eq!(broadcast(&latent, &[Batch, Known(1), Known(8)]), latent);
        assert_eq!(broadcast(&[Known(8)], &[]), [Known(8)]);
        assert_eq!(product(&latent, &[Known(8), Known(5)])[3], Known(5));
        let rows = flattened(&[Batch, Known(3), Known(8)], 0, 1);
        assert_eq!(rows, [Rows(3), Known(8)]);
        assert_eq!(unflattened(&rows, 0, &[-1, 3]), [Batch, Known(3), Known(8)]);
        assert_eq!(unflattened(&latent, 3, &[2, 4])[3..], [Known(2), Known(4)]);
    }

    #[test]
    #[should_panic(expected = "do not broadcast")]
    fn other_lengths_are_a_bug_of_ours() {
        broadcast(&[Known(2)], &[Batch]);
    }
}
