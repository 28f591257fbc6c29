//! A quasi-Newton minimizer for a handful of parameters and a cheap smooth function.

/// A local minimum of `f` near `start` by the method of Broyden, Fletcher, Goldfarb and Shanno with forward
/// differences, until a step gains less than `tolerance`: the parameters and the value. A value that is not finite counts as the largest one.
///
/// # References
/// Nocedal & Wright (2006), *Numerical Optimization*, algorithm 6.1 with backtracking (3.1).
pub(crate) fn minimize(
    f: &dyn Fn(&[f64]) -> f64,
    start: &[f64],
    iterations: usize,
    tolerance: f64,
) -> (Vec<f64>, f64) {
    let size = start.len();
    let bounded = |point: &[f64]| {
        let value = f(point);
        if value.is_finite() { value } else { f64::MAX }
    };
    let mut point = start.to_vec();
    let mut value = bounded(&point);
    if size == 0 || value == f64::MAX {
        return (point, value);
    }
    let mut slope = gradient(&bounded, &point, value);
    let mut inverse = identity(size);
    for _ in 0..iterations {
        let mut direction: Vec<f64> =
            (0..size).map(|at| -dot(&inverse[at * size..(at + 1) * size], &slope)).collect();
        if dot(&direction, &slope) >= 0.0 {
            inverse = identity(size);
            direction = slope.iter().map(|g| -g).collect();
        }
        // The parameters are of order one, so a step beyond two is never meant.
        let length = dot(&direction, &direction).sqrt();
        if length > 2.0 {
            direction.iter_mut().for_each(|d| *d *= 2.0 / length);
        }
        let Some((next, lower)) = descend(&bounded, &point, value, &direction, &slope) else {
            break;
        };
        let gained = value - lower;
        let moved: Vec<f64> = next.iter().zip(&point).map(|(a, b)| a - b).collect();
        let steeper = gradient(&bounded, &next, lower);
        let bent: Vec<f64> = steeper.iter().zip(&slope).map(|(a, b)| a - b).collect();
        update(&mut inverse, &moved, &bent);
        (point, value, slope) = (next, lower, steeper);
        if gained < tolerance {
            break;
        }
    }
    (point, value)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn identity(size: usize) -> Vec<f64> {
    (0..size * size).map(|at| if at % (size + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

fn gradient(f: &dyn Fn(&[f64]) -> f64, point: &[f64], value: f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    let mut moved = point.to_vec();
    (0..point.len())
        .map(|at| {
            moved[at] += STEP;
            let there = f(&moved);
            moved[at] = point[at];
            let slope = (there - value) / STEP;
            if slope.is_finite() { slope } else { 0.0 }
        })
        .collect()
}

/// The first point along `direction` that lowers the value enough; `None` if there is none.
fn descend(
    f: &dyn Fn(&[f64]) -> f64,
    point: &[f64],
    value: f64,
    direction: &[f64],
    slope: &[f64],
) -> Option<(Vec<f64>, f64)> {
    let expected = dot(direction, slope);
    let mut length = 1.0;
    for _ in 0..12 {
        let next: Vec<f64> = point.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let there = f(&next);
        if there < value + 1e-4 * length * expected {
            return Some((next, there));
        }
        length *= 0.4;
    }
    None
}

/// The update of the inverse Hessian, skipped where the curvature along the step is not positive.
fn update(inverse: &mut [f64], moved: &[f64], bent: &[f64]) {
    let size = moved.len();
    let curvature = dot(moved, bent);
    if curvature <= 1e-12 {
        return;
    }
    let turned: Vec<f64> =
        (0..size).map(|at| dot(&inverse[at * size..(at + 1) * size], bent)).collect();
    let factor = (1.0 + dot(bent, &turned) / curvature) / curvature;
    for row in 0..size {
        for column in 0..size {
            inverse[row * size + column] += factor * moved[row] * moved[column]
                - (turned[row] * moved[column] + moved[row] * turned[column]) / curvature;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valley_is_followed_to_its_end() {
        let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 10.0 * (x[1] - x[0] * x[0]).powi(2);
        let (point, value) = minimize(&rosenbrock, &[-1.0, 1.0], 200, 1e-9);
        assert!(value < 1e-6, "{point:?} {value}");
    }

    #[test]
    fn no_parameters_and_no_values_are_no_faults() {
        assert_eq!(minimize(&|_| 3.0, &[], 10, 1e-9), (vec![], 3.0));
        assert_eq!(minimize(&|_| f64::NAN, &[1.0], 10, 1e-9).0, vec![1.0]);
    }
}
