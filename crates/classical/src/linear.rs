//! Symmetric positive definite systems of equations.

/// Lower triangle `L` of `A = L Lᵀ`, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factorizes a symmetric matrix `[size, size]`, of which the lower triangle is read. `None` where it is not
    /// positive definite to working precision.
    pub(crate) fn new(matrix: &[f64], size: usize) -> Option<Cholesky> {
        let mut lower = matrix.to_vec();
        for row in 0..size {
            let (above, here) = lower.split_at_mut(row * size);
            for column in 0..row {
                let other = &above[column * size..=column * size + column];
                let rest = here[column] - dot(&here[..column], &other[..column]);
                here[column] = rest / other[column];
            }
            let pivot = here[row] - dot(&here[..row], &here[..row]);
            if !pivot.is_finite() || pivot <= 1e-14 * here[row].abs() {
                return None;
            }
            here[row] = pivot.sqrt();
        }
        Some(Cholesky { size, lower })
    }

    /// Solves `A x = b` in place.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let row = |at: usize| &self.lower[at * self.size..(at + 1) * self.size];
        for at in 0..self.size {
            b[at] = (b[at] - dot(&row(at)[..at], &b[..at])) / row(at)[at];
        }
        for at in (0..self.size).rev() {
            b[at] /= row(at)[at];
            let (before, value) = (&row(at)[..at], b[at]);
            b[..at].iter_mut().zip(before).for_each(|(b, l)| *b -= l * value);
        }
    }
}

/// Sum of products.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums let the processor overlap the additions.
    let mut sums = [0.0_f64; 4];
    let (left, right) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in left.zip(right) {
        sums[0] += a[0] * b[0];
        sums[1] += a[1] * b[1];
        sums[2] += a[2] * b[2];
        sums[3] += a[3] * b[3];
    }
    rest + (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Least squares `min |X b - y|² + Σ penalty_j b_j²` with the rows of `X` given one after another, `[rows, size]`.
pub(crate) fn least_squares(rows: &[f64], targets: &[f64], penalty: &[f64]) -> Option<Vec<f64>> {
    let size = penalty.len();
    let mut gram = vec![0.0; size * size];
    let mut moment = vec![0.0; size];
    for (row, target) in rows.chunks_exact(size).zip(targets) {
        add_outer(&mut gram, row);
        moment.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * target);
    }
    penalty.iter().enumerate().for_each(|(at, penalty)| gram[at * size + at] += penalty);
    let factor = Cholesky::new(&gram, size)?;
    factor.solve(&mut moment);
    Some(moment)
}

/// Adds `x xᵀ` to the lower triangle of `gram`.
pub(crate) fn add_outer(gram: &mut [f64], x: &[f64]) {
    let size = x.len();
    for (at, value) in x.iter().enumerate() {
        if *value != 0.0 {
            let line = &mut gram[at * size..=at * size + at];
            line.iter_mut().zip(x).for_each(|(sum, other)| *sum += value * other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        // A = [[4, 2, 0], [2, 5, 1], [0, 1, 3]], x = [1, -2, 3], A x = [0, -5, 7].
        let matrix = [4.0, 2.0, 0.0, 2.0, 5.0, 1.0, 0.0, 1.0, 3.0];
        let mut b = [0.0, -5.0, 7.0];
        Cholesky::new(&matrix, 3).unwrap().solve(&mut b);
        for (found, wanted) in b.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert!(Cholesky::new(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(&[f64::NAN], 1).is_none());
    }

    #[test]
    fn a_line_is_found_by_least_squares() {
        let rows: Vec<f64> = (0..10).flat_map(|row| [1.0, f64::from(row)]).collect();
        let targets: Vec<f64> = (0..10).map(|row| 2.0 - 3.0 * f64::from(row)).collect();
        let found = least_squares(&rows, &targets, &[0.0, 0.0]).unwrap();
        assert!((found[0] - 2.0).abs() < 1e-10 && (found[1] + 3.0).abs() < 1e-10);
    }
}
