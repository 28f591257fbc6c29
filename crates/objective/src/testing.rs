//! Helpers of this crate's tests.

use rand::{Rng, SeedableRng, rngs::StdRng};
use rand_distr::StandardNormal;
use tch::{Kind, Tensor};

/// The columns of a table in `tests/goldens/densities.json`, which `densities.py` beside it made.
pub(crate) fn golden(table: &str) -> Vec<Tensor> {
    let text = include_str!("../tests/goldens/densities.json");
    let tables: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows: Vec<Vec<f64>> = serde_json::from_value(tables[table].clone()).unwrap();
    let width = rows[0].len();
    (0..width)
        .map(|i| Tensor::from_slice(&rows.iter().map(|row| row[i]).collect::<Vec<_>>()))
        .collect()
}

/// The greatest `|found − expected| / max(|expected|, floor)`, NaN counting as infinite.
pub(crate) fn worst(found: &Tensor, expected: &Tensor, floor: f64) -> f64 {
    assert_eq!(found.size(), expected.size());
    let expected = expected.to_kind(Kind::Double);
    let error = (found.to_kind(Kind::Double) - &expected).abs() / expected.abs().clamp_min(floor);
    values(&error)
        .into_iter()
        .fold(0.0, |worst, e| if e.is_nan() { f64::INFINITY } else { worst.max(e) })
}

/// The elements in order.
pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap()
}

/// A scalar.
pub(crate) fn value(tensor: &Tensor) -> f64 {
    tensor.double_value(&[])
}

/// Standard normal draws in f64 from a generator of its own: the same in any interleaving of tests.
pub(crate) fn normals(seed: u64, shape: &[i64]) -> Tensor {
    let mut generator = StdRng::seed_from_u64(seed);
    let count = shape.iter().product::<i64>();
    let draws: Vec<f64> = (0..count).map(|_| generator.sample(StandardNormal)).collect();
    Tensor::from_slice(&draws).view(shape)
}

/// Mean and standard error of the mean over the first axis.
pub(crate) fn mean_and_error(draws: &Tensor) -> (Tensor, Tensor) {
    let count = draws.size()[0] as f64;
    let axis = [0i64];
    (
        draws.mean_dim(axis.as_slice(), false, None::<Kind>),
        draws.std_dim(axis.as_slice(), true, false) / count.sqrt(),
    )
}

/// The gradient of the sum of `f` at `x`, and its central difference elementwise (`f` elementwise too).
pub(crate) fn gradient_and_difference(
    f: impl Fn(&Tensor) -> Tensor,
    x: &Tensor,
    step: f64,
) -> (Tensor, Tensor) {
    let leaf = x.detach().copy().set_requires_grad(true);
    f(&leaf).sum(None::<Kind>).backward();
    let difference = (f(&(x + step)) - f(&(x - step))) / (2.0 * step);
    (leaf.grad(), difference.detach())
}
