//! Long seasons as sums of harmonics, taken out before a model of lags.

use std::f64::consts::TAU;

use crate::linear::least_squares;

/// Harmonics tried for each long season.
const HARMONICS: [usize; 5] = [0, 1, 2, 3, 6];

/// A deterministic season: `Σ_s Σ_k a_{sk} cos(2π k t / s) + b_{sk} sin(2π k t / s)`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Harmonics {
    /// Season in rows, order of the harmonic, weights of the cosine and sine.
    terms: Vec<(usize, usize, f64, f64)>,
}

impl Harmonics {
    /// Fits harmonics of the `long` seasons by least squares beside a trend of straight pieces, one per longest season,
    /// and the means of the phases of the `short` one. The number of harmonics, the same for each season, has the
    /// smallest criterion of Schwarz.
    pub(crate) fn fit(values: &[f64], short: usize, long: &[usize]) -> Harmonics {
        let long: Vec<usize> =
            long.iter().copied().filter(|season| values.len() >= 2 * season).collect();
        if long.is_empty() {
            return Harmonics::default();
        }
        let fits = HARMONICS.iter().filter_map(|&count| fit(values, short, &long, count));
        let best = fits.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or_else(Harmonics::default, |(_, harmonics)| harmonics)
    }

    /// The value at one row.
    pub(crate) fn at(&self, row: usize) -> f64 {
        let term = |&(season, order, a, b): &(usize, usize, f64, f64)| {
            let (sin, cos) = angle(row, season, order).sin_cos();
            a * cos + b * sin
        };
        self.terms.iter().map(term).sum()
    }
}

/// The angle of a harmonic at a row, reduced to one turn.
pub(crate) fn angle(row: usize, season: usize, order: usize) -> f64 {
    TAU * ((row * order) % season) as f64 / season as f64
}

/// Criterion of Schwarz and the harmonics.
fn fit(values: &[f64], short: usize, long: &[usize], count: usize) -> Option<(f64, Harmonics)> {
    let longest = long.iter().copied().max()?;
    let terms: Vec<(usize, usize)> = long
        .iter()
        .flat_map(|&season| (1..=count).map(move |order| (season, order)))
        .filter(|(season, order)| 2 * order < *season)
        .collect();
    let knots: Vec<f64> = (0..values.len()).step_by(longest).map(|row| row as f64).collect();
    let fixed = 1 + knots.len() + short.saturating_sub(1);
    let size = fixed + 2 * terms.len();
    let mut rows = Vec::with_capacity(size * values.len());
    for row in 0..values.len() {
        rows.push(1.0);
        rows.extend(knots.iter().map(|knot| (row as f64 - knot).max(0.0) / longest as f64));
        rows.extend((1..short).map(|phase| f64::from(u8::from(row % short == phase))));
        for &(season, order) in &terms {
            let (sin, cos) = angle(row, season, order).sin_cos();
            rows.extend([cos, sin]);
        }
    }
    let found = least_squares(&rows, values, &vec![1e-6; size])?;
    let squares: f64 = rows
        .chunks_exact(size)
        .zip(values)
        .map(|(row, value)| (value - crate::linear::dot(row, &found)).powi(2))
        .sum();
    let number = values.len() as f64;
    let criterion = number * (squares / number).max(1e-20).ln() + number.ln() * size as f64;
    let weights = found[fixed..].chunks_exact(2);
    let terms = terms
        .iter()
        .zip(weights)
        .map(|(&(season, order), w)| (season, order, w[0], w[1]))
        .collect();
    Some((criterion, Harmonics { terms }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_harmonics_beside_a_trend_and_a_week_are_found() {
        let year = |row: usize| 2.0 * angle(row, 100, 1).sin() - 0.7 * angle(row, 100, 2).cos();
        let values: Vec<f64> = (0..700)
            .map(|row| {
                let jitter = ((row * 7919) % 101) as f64 / 1000.0;
                0.01 * row as f64 + (row % 7) as f64 + year(row) + jitter
            })
            .collect();
        let found = Harmonics::fit(&values, 7, &[100]);
        assert!(found.terms.len() >= 2);
        (690..800).for_each(|row| assert!((found.at(row) - year(row)).abs() < 0.05, "{row}"));
        assert_eq!(Harmonics::fit(&values[..150], 7, &[100]).at(3), 0.0);
    }
}
