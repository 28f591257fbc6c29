//! Known rows without gaps, in units of their largest magnitude.

/// Rows without gaps.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    /// Values over `scale`, so none is above one in magnitude.
    pub(crate) values: Vec<f64>,
    /// Largest magnitude in original units; one where all are zero.
    pub(crate) scale: f64,
}

/// Fills gaps by straight lines between the neighbors, drawn after the mean of each phase of the season is taken out
/// where at least two seasons are known; before the first and after the last observed row the nearest one stands in.
/// Leading gaps are dropped. `None` where fewer than `least` rows, or less than 60 % of the rows, are observed.
pub(crate) fn fill(values: &[f64], season: usize, least: usize) -> Option<Filled> {
    let first = values.iter().position(|value| value.is_finite())?;
    let values = &values[first..];
    let observed: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if observed.len() < least || observed.len() * 10 < values.len() * 6 {
        return None;
    }
    let largest = observed.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let mut scaled: Vec<f64> = values.iter().map(|value| value / scale).collect();
    if observed.len() < values.len() {
        let phases = phase_means(&scaled, season);
        bridge(&mut scaled, &phases);
    }
    Some(Filled { values: scaled, scale })
}

/// Mean deviation of each phase from the mean of all rows; a single zero where fewer than two seasons are known.
fn phase_means(values: &[f64], season: usize) -> Vec<f64> {
    if season < 2 || values.len() < 2 * season {
        return vec![0.0];
    }
    let mean = |rows: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = rows
            .filter(|value| value.is_finite())
            .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        (count > 0.0).then_some(sum / count)
    };
    let all = mean(&mut values.iter().copied()).unwrap_or(0.0);
    (0..season)
        .map(|phase| {
            mean(&mut values.iter().skip(phase).step_by(season).copied()).map_or(0.0, |m| m - all)
        })
        .collect()
}

fn bridge(values: &mut [f64], phases: &[f64]) {
    let phase = |row: usize| phases[row % phases.len()];
    let mut left: Option<usize> = None;
    let mut row = 0;
    while row < values.len() {
        if values[row].is_finite() {
            left = Some(row);
            row += 1;
            continue;
        }
        let right = (row..values.len()).find(|&other| values[other].is_finite());
        let level = |other: usize, values: &[f64]| values[other] - phase(other);
        let end = right.unwrap_or(values.len());
        for gap in row..end {
            let adjusted = match (left, right) {
                (Some(a), Some(b)) => {
                    let part = (gap - a) as f64 / (b - a) as f64;
                    (1.0 - part) * level(a, values) + part * level(b, values)
                }
                (Some(a), None) => level(a, values),
                (None, Some(b)) => level(b, values),
                (None, None) => 0.0,
            };
            values[gap] = adjusted + phase(gap);
        }
        left = if end > row { Some(end - 1) } else { left };
        row = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_season_is_filled_exactly_up_to_the_trend() {
        let season = [3.0, -1.0, -2.0];
        let mut values: Vec<f64> = (0..30).map(|row| 10.0 + season[row % 3]).collect();
        let whole = values.clone();
        values[7] = f64::NAN;
        values[8] = f64::NAN;
        values[29] = f64::INFINITY;
        let filled = fill(&values, 3, 10).unwrap();
        for (found, wanted) in filled.values.iter().zip(&whole) {
            assert!((found * filled.scale - wanted).abs() < 0.25, "{found} {wanted}");
        }
        let line: Vec<f64> =
            (0..20).map(|row| if row == 5 { f64::NAN } else { row as f64 }).collect();
        let filled = fill(&line, 1, 10).unwrap();
        assert!((filled.values[5] * filled.scale - 5.0).abs() < 1e-12);
    }

    #[test]
    fn too_few_rows_are_refused() {
        assert!(fill(&[f64::NAN; 20], 1, 1).is_none());
        assert!(fill(&[1.0, f64::NAN, f64::NAN, 1.0], 1, 1).is_none());
        assert!(fill(&[1.0, 2.0], 1, 3).is_none());
        assert_eq!(fill(&[0.0, 0.0], 1, 2).unwrap().scale, 1.0);
    }
}
