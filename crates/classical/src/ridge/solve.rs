//! Closed-form solutions, with blocks of origins left out.

use super::design::Design;
use crate::linear::{Cholesky, add_outer, dot};

/// Weight of the last origin over that of the first.
const LATE: f64 = 3.0;

/// Sums of a regression over some origins: `XᵀX` (lower triangle) and `XᵀY`, one line per step.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    gram: Vec<f64>,
    moments: Vec<Vec<f64>>,
}

impl Sums {
    pub(crate) fn new(
        design: &Design,
        values: &[f64],
        steps: &[usize],
        origins: impl Iterator<Item = usize>,
    ) -> Sums {
        let size = design.size;
        let mut sums =
            Sums { gram: vec![0.0; size * size], moments: vec![vec![0.0; size]; steps.len()] };
        for at in origins {
            let row = design.row(at);
            add_outer(&mut sums.gram, row);
            for (moment, &step) in sums.moments.iter_mut().zip(steps) {
                let target = design.target(values, at, step);
                moment.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * target);
            }
        }
        sums
    }

    fn subtract(&mut self, other: &Sums) {
        let less = |a: &mut Vec<f64>, b: &Vec<f64>| a.iter_mut().zip(b).for_each(|(a, b)| *a -= b);
        less(&mut self.gram, &other.gram);
        self.moments.iter_mut().zip(&other.moments).for_each(|(a, b)| less(a, b));
    }

    /// Coefficients `(XᵀX + diag(penalty))⁻¹ XᵀY`, one line per step.
    pub(crate) fn solve(&self, penalty: &[f64]) -> Option<Vec<Vec<f64>>> {
        let size = penalty.len();
        let mut matrix = self.gram.clone();
        // A trace of a penalty keeps constant columns from making the system singular.
        penalty
            .iter()
            .enumerate()
            .for_each(|(at, penalty)| matrix[at * size + at] += penalty + 1e-9);
        let factor = Cholesky::new(&matrix, size)?;
        let mut lines = self.moments.clone();
        lines.iter_mut().for_each(|line| factor.solve(line));
        Some(lines)
    }
}

/// A block of neighboring origins that is left out together.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    /// The origins of the block.
    pub(crate) held: std::ops::Range<usize>,
    /// Sums over the origins outside of the block, and outside of a margin on both sides of it.
    rest: Sums,
}

/// Sums over all origins, and over all but each of `count` blocks with `margin` origins on either side.
pub(crate) fn folds(
    design: &Design,
    values: &[f64],
    steps: &[usize],
    count: usize,
    margin: usize,
) -> (Sums, Vec<Fold>) {
    let all = Sums::new(design, values, steps, 0..design.count);
    let folds = (0..count)
        .map(|fold| {
            let held = design.count * fold / count..design.count * (fold + 1) / count;
            let out = held.start.saturating_sub(margin)..(held.end + margin).min(design.count);
            let mut rest = all.clone();
            rest.subtract(&Sums::new(design, values, steps, out));
            Fold { held, rest }
        })
        .filter(|fold| !fold.held.is_empty())
        .collect();
    (all, folds)
}

/// Errors of one origin, left out of its own fit: `target - forecast` at each step.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    /// Number of the origin in the design.
    pub(crate) origin: usize,
    /// Number of the first unknown row.
    pub(crate) time: usize,
    /// Errors by step.
    pub(crate) errors: Vec<f64>,
}

/// Errors of every `stride`-th origin, each by the coefficients of the fold that leaves it out.
pub(crate) fn residuals(
    design: &Design,
    values: &[f64],
    steps: &[usize],
    folds: &[Fold],
    penalty: &[f64],
    stride: usize,
) -> Option<Vec<Residual>> {
    let mut all = Vec::new();
    for fold in folds {
        let lines = fold.rest.solve(penalty)?;
        for origin in fold.held.clone().filter(|origin| origin.is_multiple_of(stride)) {
            let row = design.row(origin);
            let error = |(line, &step): (&Vec<f64>, &usize)| {
                design.target(values, origin, step) - dot(line, row)
            };
            let time = design.first + origin;
            all.push(Residual {
                origin,
                time,
                errors: lines.iter().zip(steps).map(error).collect(),
            });
        }
    }
    Some(all)
}

/// Mean absolute error over all residuals, in units of the rows before logarithms. The weight of an origin grows with
/// its time, from one at the first to `LATE` at the last, as the last ones are the most like those to come.
pub(crate) fn mean_error(
    design: &Design,
    values: &[f64],
    log: bool,
    steps: &[usize],
    residuals: &[Residual],
) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for residual in residuals {
        let origin = residual.origin;
        let weight = 1.0 + (LATE - 1.0) * origin as f64 / design.count as f64;
        for (error, &step) in residual.errors.iter().zip(steps) {
            let value = design.target(values, origin, step) + design.anchor(origin, step);
            let error = if log { value.exp() - (value - error).exp() } else { *error };
            sum += weight * error.abs();
            weights += weight;
        }
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use super::super::design::{Inputs, Level};
    use super::*;

    fn case() -> (Vec<f64>, Inputs) {
        let values: Vec<f64> = (0..30).map(|row| ((row * 7919) % 101) as f64 / 100.0).collect();
        let inputs = Inputs {
            log: false,
            level: Level::Season,
            calendar: true,
            lags: vec![0, 1],
            window: 3,
            phases: 3,
            long: vec![],
        };
        (values, inputs)
    }

    /// Coefficients by Gaussian elimination with the rows written out.
    fn by_elimination(rows: &[Vec<f64>], targets: &[f64], penalty: &[f64]) -> Vec<f64> {
        let size = penalty.len();
        let mut system: Vec<Vec<f64>> = (0..size)
            .map(|i| {
                let mut line: Vec<f64> =
                    (0..size).map(|j| rows.iter().map(|row| row[i] * row[j]).sum()).collect();
                line[i] += penalty[i] + 1e-9;
                line.push(rows.iter().zip(targets).map(|(row, target)| row[i] * target).sum());
                line
            })
            .collect();
        for pivot in 0..size {
            for other in 0..size {
                if other != pivot {
                    let factor = system[other][pivot] / system[pivot][pivot];
                    let line = system[pivot].clone();
                    system[other].iter_mut().zip(line).for_each(|(a, b)| *a -= factor * b);
                }
            }
        }
        (0..size).map(|at| system[at][size] / system[at][at]).collect()
    }

    #[test]
    fn left_out_errors_are_those_of_refits() {
        let (values, inputs) = case();
        let design = Design::new(&values, &inputs, 4, 5).unwrap();
        let steps = [0, 3];
        let penalty = inputs.penalty(2.0, design.size);
        for (count, margin) in [(design.count, 0), (5, 2)] {
            let (_, folds) = folds(&design, &values, &steps, count, margin);
            let found = residuals(&design, &values, &steps, &folds, &penalty, 1).unwrap();
            assert_eq!(found.len(), design.count);
            for residual in &found {
                let fold = folds.iter().find(|fold| fold.held.contains(&residual.origin)).unwrap();
                let out = |at: usize| at + margin >= fold.held.start && at < fold.held.end + margin;
                let kept: Vec<usize> = (0..design.count).filter(|&at| !out(at)).collect();
                let rows: Vec<Vec<f64>> = kept.iter().map(|&at| design.row(at).to_vec()).collect();
                for (index, step) in steps.into_iter().enumerate() {
                    let targets: Vec<f64> =
                        kept.iter().map(|&at| design.target(&values, at, step)).collect();
                    let line = by_elimination(&rows, &targets, &penalty);
                    let forecast: f64 =
                        line.iter().zip(design.row(residual.origin)).map(|(a, b)| a * b).sum();
                    let wanted = design.target(&values, residual.origin, step) - forecast;
                    assert!((residual.errors[index] - wanted).abs() < 1e-7);
                }
            }
        }
    }

    #[test]
    fn inputs_are_the_lags_without_the_level_and_the_phase() {
        let (values, inputs) = case();
        let mut row = Vec::new();
        inputs.row(&values[..7], 7, &mut row);
        let level = (values[4] + values[5] + values[6]) / 3.0;
        assert_eq!(row, vec![1.0, values[6] - level, values[5] - level, 0.0, 1.0, 0.0]);
        let design = Design::new(&values, &inputs, 4, 5).unwrap();
        assert_eq!((design.first, design.count), (3, 24));
        assert!((design.target(&values, 4, 2) - (values[9] - level)).abs() < 1e-12);
    }
}
