//! A small minimizer for a handful of parameters: the simplex of Nelder and Mead, restarted from where it ends.

/// Parameters, and the value of the function there.
type Vertex = (Vec<f64>, f64);

/// A local minimum of `f` near `start`, found with simplices whose first edge is `step`: the parameters and the value.
///
/// A simplex can collapse at a point that is not a minimum, so each new one starts where the last one ended, until one
/// improves the value by less than 1e-9. A value that is not finite counts as the largest finite one.
///
/// # References
/// Nelder & Mead (1965), *A simplex method for function minimization*.
pub(crate) fn minimize(f: &dyn Fn(&[f64]) -> f64, start: &[f64], step: f64) -> Vertex {
    const RESTARTS: usize = 8;
    let mut best = (start.to_vec(), bounded(f, start));
    for restart in 0..RESTARTS {
        let found = simplex(f, &best, step / (1 << restart.min(3)) as f64);
        let gained = best.1 - found.1;
        best = if gained > 0.0 { found } else { best };
        if gained < 1e-9 {
            break;
        }
    }
    best
}

fn bounded(f: &dyn Fn(&[f64]) -> f64, point: &[f64]) -> f64 {
    let value = f(point);
    if value.is_finite() { value } else { f64::MAX }
}

/// One run of the simplex: it reflects, expands, contracts or shrinks until its values agree to 1e-10.
fn simplex(f: &dyn Fn(&[f64]) -> f64, start: &Vertex, step: f64) -> Vertex {
    let size = start.0.len();
    let mut vertices: Vec<Vertex> = vec![start.clone()];
    for axis in 0..size {
        let mut point = start.0.clone();
        point[axis] += step;
        let value = bounded(f, &point);
        vertices.push((point, value));
    }
    for _ in 0..400 * size {
        vertices.sort_by(|a, b| a.1.total_cmp(&b.1));
        if vertices[size].1 - vertices[0].1 < 1e-10 {
            break;
        }
        let center: Vec<f64> = (0..size)
            .map(|axis| vertices[..size].iter().map(|v| v.0[axis]).sum::<f64>() / size as f64)
            .collect();
        let along = |t: f64| -> Vertex {
            let worst = &vertices[size].0;
            let point: Vec<f64> = center.iter().zip(worst).map(|(c, w)| c + t * (c - w)).collect();
            let value = bounded(f, &point);
            (point, value)
        };
        let reflected = along(1.0);
        let next = if reflected.1 < vertices[0].1 {
            let expanded = along(2.0);
            if expanded.1 < reflected.1 { expanded } else { reflected }
        } else if reflected.1 < vertices[size - 1].1 {
            reflected
        } else {
            along(if reflected.1 < vertices[size].1 { 0.5 } else { -0.5 })
        };
        if next.1 < vertices[size].1 {
            vertices[size] = next;
            continue;
        }
        let best = vertices[0].0.clone();
        for vertex in &mut vertices[1..] {
            vertex.0.iter_mut().zip(&best).for_each(|(x, b)| *x = b + 0.5 * (*x - b));
            vertex.1 = bounded(f, &vertex.0);
        }
    }
    vertices.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: Rosenbrock's valley, whose minimum is 0 at (1, 1), and a function of four variables that is not finite
    /// beyond a wall.
    #[test]
    fn known_minima_are_found() {
        let valley = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let (point, value) = minimize(&valley, &[-1.2, 1.0], 0.5);
        assert!(value < 1e-9 && point.iter().all(|x| (x - 1.0).abs() < 1e-4), "{point:?}");
        let walled = |x: &[f64]| {
            let off = x.iter().enumerate().map(|(i, x)| (x - i as f64).powi(2));
            off.sum::<f64>() + (x[0] + 1.0).sqrt()
        };
        let (point, _) = minimize(&walled, &[5.0; 4], 1.0);
        // d/dx₀: 2 x₀ + 1/(2 √(x₀ + 1)) = 0.
        assert!((2.0 * point[0] + 0.5 / (point[0] + 1.0).sqrt()).abs() < 1e-3, "{point:?}");
        assert!((point[3] - 3.0).abs() < 1e-4, "{point:?}");
    }
}
