//! Minimization with gradients: the method of Broyden, Fletcher, Goldfarb and Shanno.

/// A function that returns its value and writes its gradient.
pub(crate) type Smooth<'a> = &'a mut dyn FnMut(&[f64], &mut [f64]) -> f64;

/// A local minimum of `f` from `start` on: the parameters and the value.
///
/// The inverse Hessian begins as the unit matrix, scaled by the first step. A step is halved until the value falls by
/// at least 1e-4 of what the slope promises. The search ends after `steps` steps, or when the value falls by less than
/// 1e-7 twice in succession. A value that is not finite is not accepted.
///
/// # References
/// Nocedal & Wright (2006), *Numerical Optimization*, algorithms 3.1 and 6.1.
pub(crate) fn descend(f: Smooth, start: &[f64], steps: usize) -> (Vec<f64>, f64) {
    let size = start.len();
    let mut at = start.to_vec();
    let mut gradient = vec![0.0; size];
    let mut value = f(&at, &mut gradient);
    if !value.is_finite() {
        return (at, f64::MAX);
    }
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let mut inverse = Inverse::unit(size, 0.3 / norm.max(0.3));
    let mut next = at.clone();
    let mut next_gradient = gradient.clone();
    let mut small = 0;
    for step in 0..steps {
        let mut direction = inverse.times(&gradient);
        direction.iter_mut().for_each(|d| *d = -*d);
        let slope: f64 = direction.iter().zip(&gradient).map(|(d, g)| d * g).sum();
        if !slope.is_finite() || slope >= 0.0 {
            break;
        }
        let mut length = 1.0;
        let found = loop {
            for i in 0..size {
                next[i] = at[i] + length * direction[i];
            }
            let found = f(&next, &mut next_gradient);
            if found.is_finite() && found <= value + 1e-4 * length * slope {
                break Some(found);
            }
            length *= if found.is_finite() { 0.5 } else { 0.2 };
            if length < 1e-6 {
                break None;
            }
        };
        let Some(found) = found else { break };
        let moved: Vec<f64> = next.iter().zip(&at).map(|(a, b)| a - b).collect();
        let bent: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        inverse.update(&moved, &bent, step == 0);
        small = if value - found < 1e-7 { small + 1 } else { 0 };
        value = found;
        std::mem::swap(&mut at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        if small >= 2 {
            break;
        }
    }
    (at, value)
}

/// An approximation of the inverse Hessian, row by row.
struct Inverse {
    size: usize,
    values: Vec<f64>,
}

impl Inverse {
    fn unit(size: usize, scale: f64) -> Inverse {
        let mut values = vec![0.0; size * size];
        values.iter_mut().step_by(size + 1).for_each(|value| *value = scale);
        Inverse { size, values }
    }

    fn times(&self, x: &[f64]) -> Vec<f64> {
        let row = |row: &[f64]| row.iter().zip(x).map(|(a, b)| a * b).sum();
        self.values.chunks(self.size.max(1)).map(row).collect()
    }

    /// The update by a move and the change of the gradient along it; nothing where the function is not convex there.
    fn update(&mut self, moved: &[f64], bent: &[f64], first: bool) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let curvature = dot(moved, bent);
        if curvature <= 1e-12 * dot(moved, moved) {
            return;
        }
        if first {
            *self = Inverse::unit(self.size, curvature / dot(bent, bent));
        }
        let turned = self.times(bent);
        let factor = (1.0 + dot(bent, &turned) / curvature) / curvature;
        for i in 0..self.size {
            for j in 0..self.size {
                self.values[i * self.size + j] += factor * moved[i] * moved[j]
                    - (turned[i] * moved[j] + moved[i] * turned[j]) / curvature;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: Rosenbrock's valley, whose minimum is 0 at (1, 1).
    #[test]
    fn the_valley_is_followed() {
        let mut valley = |x: &[f64], gradient: &mut [f64]| {
            let off = x[1] - x[0] * x[0];
            gradient[0] = -2.0 * (1.0 - x[0]) - 400.0 * x[0] * off;
            gradient[1] = 200.0 * off;
            (1.0 - x[0]).powi(2) + 100.0 * off * off
        };
        let (point, value) = descend(&mut valley, &[-1.2, 1.0], 200);
        assert!(value < 1e-9 && point.iter().all(|x| (x - 1.0).abs() < 1e-4), "{point:?}");
    }

    /// Oracle: a quadratic form behind a wall, with its minimum at (0, 1, 2, 3).
    #[test]
    fn a_wall_is_not_crossed() {
        let mut f = |x: &[f64], gradient: &mut [f64]| {
            for (i, g) in gradient.iter_mut().enumerate() {
                *g = 2.0 * (i + 1) as f64 * (x[i] - i as f64);
            }
            let value: f64 =
                x.iter().enumerate().map(|(i, x)| (i + 1) as f64 * (x - i as f64).powi(2)).sum();
            if x[0] < -0.5 { f64::NAN } else { value }
        };
        let (point, _) = descend(&mut f, &[5.0; 4], 100);
        assert!(point.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-3), "{point:?}");
    }
}
