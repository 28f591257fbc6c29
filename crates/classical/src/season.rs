//! Seasons: classical decomposition with missing rows, a test whether there is one, and its strength.

use crate::Past;
use crate::scale::Scale;

/// Rows per season that the rows can tell something about: at least two full seasons of rows, and as many observed.
pub(crate) fn usable(past: &Past, season: usize) -> bool {
    season > 1 && past.values.len() >= 2 * season && past.observed() >= 2 * season
}

/// Values without gaps: a missing one is the mean of its neighbors one season before and after, or else lies on the
/// line between the nearest observed rows. `None` where nothing was observed.
pub(crate) fn filled(values: &[f64], season: usize) -> Option<Vec<f64>> {
    let seen: Vec<usize> = (0..values.len()).filter(|row| values[*row].is_finite()).collect();
    let (first, last) = (*seen.first()?, *seen.last()?);
    let at = |row: Option<usize>| row.and_then(|row| values.get(row)).filter(|v| v.is_finite());
    let fill = |row: usize| {
        let neighbors = [at(row.checked_sub(season)), at(Some(row + season))];
        let count = neighbors.iter().flatten().count();
        if season > 1 && count > 0 {
            return neighbors.iter().flatten().map(|value| **value / count as f64).sum();
        }
        if row < first || row > last {
            return values[row.clamp(first, last)];
        }
        let after = seen[seen.partition_point(|other| *other < row)];
        let before = seen[seen.partition_point(|other| *other < row) - 1];
        let share = (row - before) as f64 / (after - before) as f64;
        values[before] * (1.0 - share) + values[after] * share
    };
    let fill = |row: usize| if values[row].is_finite() { values[row] } else { fill(row) };
    Some((0..values.len()).map(fill).collect())
}

/// Centered moving average over one season, for an even season with half weights at both ends; NaN within half a
/// season of the ends.
pub(crate) fn moving_average(values: &[f64], season: usize) -> Vec<f64> {
    let half = season / 2;
    let even = season.is_multiple_of(2);
    (0..values.len())
        .map(|row| {
            if row < half || row + half >= values.len() {
                return f64::NAN;
            }
            let window = &values[row - half..=row + half];
            let edges = if even { 0.5 * (window[0] + window[2 * half]) } else { 0.0 };
            let inner = if even { &window[1..2 * half] } else { window };
            (inner.iter().sum::<f64>() + edges) / season as f64
        })
        .collect()
}

/// Seasonal indices by classical decomposition, `[phase]`, the phase of a row being `row % season`.
///
/// ```text
/// additive        index = mean of y_t − trend_t over the rows of the phase,   indices sum to 0
/// multiplicative  index = mean of y_t / trend_t over the rows of the phase,   indices sum to the season
/// ```
///
/// The trend is the centered moving average over one season. The mean leaves out the smallest and the largest value
/// where there are at least six. `None` with less than two seasons of rows, or, for the multiplicative form, where a
/// value is not positive.
///
/// # References
/// Hyndman & Athanasopoulos (2021), *Forecasting: Principles and Practice*, section 3.4.
pub(crate) fn indices(values: &[f64], season: usize, multiplicative: bool) -> Option<Vec<f64>> {
    if season < 2 || values.len() < 2 * season {
        return None;
    }
    if multiplicative && values.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let values = filled(values, season)?;
    let trend = moving_average(&values, season);
    let off = |row: usize| {
        if multiplicative { values[row] / trend[row] } else { values[row] - trend[row] }
    };
    let mut found: Vec<f64> = (0..season)
        .map(|phase| {
            let rows = (phase..values.len()).step_by(season);
            trimmed_mean(rows.map(off).filter(|value| value.is_finite()).collect())
        })
        .collect();
    let mean = found.iter().sum::<f64>() / season as f64;
    for index in &mut found {
        *index = if multiplicative { *index / mean } else { *index - mean };
    }
    let sound = |index: &f64| index.is_finite() && (!multiplicative || *index > 0.0);
    found.iter().all(sound).then_some(found)
}

fn trimmed_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let kept = if values.len() >= 6 { &values[1..values.len() - 1] } else { &values[..] };
    kept.iter().sum::<f64>() / kept.len() as f64
}

/// Seasonal indices of a long season of few cycles, smoothed over neighboring phases and shrunk.
///
/// Each cycle is foretold from the mean of the others, averaged over `2 w + 1` phases and multiplied by a factor from
/// 0 to 1. Width and factor are those with the least squared error over all cycles. `None` where the factor is 0, so
/// that there is no season to foretell. Forms as in [`indices`].
pub(crate) fn smooth_indices(
    values: &[f64],
    season: usize,
    multiplicative: bool,
) -> Option<Vec<f64>> {
    let positive = values.iter().all(|value| value.is_nan() || *value > 0.0);
    if season < 2 || values.len() < 2 * season || (multiplicative && !positive) {
        return None;
    }
    let units = if multiplicative { Scale::log(values) } else { Scale::standard(values) };
    let worked: Vec<f64> = values.iter().map(|value| units.to(*value)).collect();
    let off = deviations(&worked, season)?;
    let widths = [0, season / 52, season / 26, season / 13, season / 8];
    let (_, factor, width) = widths
        .into_iter()
        .map(|width| foretold(&off, season, width))
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    if factor <= 0.0 {
        return None;
    }
    let smooth = smoothed(&phase_sums(&off, season), width);
    let mean = smooth.iter().sum::<f64>() / season as f64;
    let back = |index: &f64| units.difference(factor * (index - mean));
    Some(smooth.iter().map(back).collect())
}

/// Rows minus their moving average over a season, which is continued flat at both ends.
fn deviations(values: &[f64], season: usize) -> Option<Vec<f64>> {
    let filled = filled(values, season)?;
    let trend = moving_average(&filled, season);
    let first = trend.iter().position(|value| value.is_finite())?;
    let last = trend.iter().rposition(|value| value.is_finite())?;
    Some((0..values.len()).map(|row| values[row] - trend[row.clamp(first, last)]).collect())
}

/// Sum and number of the observed rows of each phase.
fn phase_sums(off: &[f64], season: usize) -> Vec<(f64, f64)> {
    let mut sums = vec![(0.0, 0.0); season];
    for (row, value) in off.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        sums[row % season].0 += value;
        sums[row % season].1 += 1.0;
    }
    sums
}

/// Means over `width` phases on each side; 0 where nothing was observed.
fn smoothed(sums: &[(f64, f64)], width: usize) -> Vec<f64> {
    let size = sums.len();
    let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
    let mut sum = (0..=2 * width).map(|i| &sums[(i + size - width) % size]).fold((0.0, 0.0), add);
    (0..size)
        .map(|phase| {
            let mean = if sum.1 > 0.0 { sum.0 / sum.1 } else { 0.0 };
            let (old, new) =
                (sums[(phase + size - width) % size], sums[(phase + width + 1) % size]);
            sum = (sum.0 - old.0 + new.0, sum.1 - old.1 + new.1);
            mean
        })
        .collect()
}

/// Squared error of foretelling each cycle from the others, the best factor, and the width.
fn foretold(off: &[f64], season: usize, width: usize) -> (f64, f64, usize) {
    let all = phase_sums(off, season);
    let (mut square, mut product, mut total) = (0.0, 0.0, 0.0);
    for cycle in off.chunks(season) {
        let mut others = all.clone();
        for (sum, value) in others.iter_mut().zip(cycle).filter(|(_, value)| value.is_finite()) {
            *sum = (sum.0 - value, sum.1 - 1.0);
        }
        for (guess, value) in smoothed(&others, width).iter().zip(cycle) {
            if value.is_finite() {
                square += guess * guess;
                product += guess * value;
                total += value * value;
            }
        }
    }
    let factor = if square > 0.0 { (product / square).clamp(0.0, 1.0) } else { 0.0 };
    (total - 2.0 * factor * product + factor * factor * square, factor, width)
}

/// Autocorrelations of the values at lags 1 to `lags`; a missing value counts as the mean.
pub(crate) fn autocorrelations(values: &[f64], lags: usize) -> Vec<f64> {
    let count = values.iter().filter(|value| value.is_finite()).count().max(1) as f64;
    let largest =
        values.iter().filter(|v| v.is_finite()).fold(0.0, |most: f64, v| most.max(v.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let scaled = || values.iter().map(|value| value / scale);
    let mean = scaled().filter(|value| value.is_finite()).sum::<f64>() / count;
    let off: Vec<f64> = scaled().map(|v| if v.is_finite() { v - mean } else { 0.0 }).collect();
    let total: f64 = off.iter().map(|value| value * value).sum();
    let product = |lag: usize| off.iter().skip(lag).zip(&off).map(|(a, b)| a * b).sum::<f64>();
    (1..=lags).map(|lag| if total > 0.0 { product(lag) / total } else { 0.0 }).collect()
}

/// Whether the autocorrelation at the lag of a season is too large for chance.
///
/// ```text
/// |r_m| > 1.645 √((1 + 2 Σ_{i<m} r_i²) / n)
/// ```
///
/// # References
/// Assimakopoulos & Nikolopoulos (2000), *The theta model*; Fiorucci et al. (2016), section 3.
pub(crate) fn is_seasonal(values: &[f64], season: usize) -> bool {
    let observed = values.iter().filter(|value| value.is_finite()).count();
    if season < 2 || values.len() < 2 * season || observed < 2 * season {
        return false;
    }
    let found = autocorrelations(values, season);
    let before: f64 = found[..season - 1].iter().map(|r| r * r).sum();
    found[season - 1].abs() > 1.645 * ((1.0 + 2.0 * before) / observed as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    use super::*;

    /// Oracle: a straight line plus a known pattern, with a gap; the decomposition is exact on it.
    #[test]
    fn a_pattern_on_a_line_is_found() {
        let pattern = [3.0, -1.0, -4.0, 2.0];
        let mut values: Vec<f64> =
            (0..22).map(|row| 10.0 + 0.5 * row as f64 + pattern[row % 4]).collect();
        values[9] = f64::NAN;
        let found = indices(&values, 4, false).unwrap();
        assert!(found.iter().zip(pattern).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert!(is_seasonal(&values, 4));
    }

    /// Oracle: a constant times a known pattern.
    #[test]
    fn a_multiplicative_pattern_is_found() {
        let pattern = [0.5, 1.5, 0.75, 1.25, 1.0];
        let values: Vec<f64> = (0..15).map(|row| 7.0 * pattern[row % 5]).collect();
        let found = indices(&values, 5, true).unwrap();
        assert!(found.iter().zip(pattern).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        let negative: Vec<f64> = values.iter().map(|value| -value).collect();
        assert_eq!(indices(&negative, 5, true), None);
    }

    /// Oracle: the formula by hand for 1, 2, 3, 4, whose deviations are −1.5, −0.5, 0.5, 1.5.
    #[test]
    fn autocorrelations_are_those_of_the_formula() {
        let found = autocorrelations(&[1.0, 2.0, 3.0, 4.0], 2);
        assert!((found[0] - 1.25 / 5.0).abs() < 1e-12 && (found[1] + 1.5 / 5.0).abs() < 1e-12);
        assert_eq!(autocorrelations(&[f64::NAN, 5.0], 1), [0.0]);
    }

    /// Oracle: a wave of 52 rows in noise: smoothing and shrinking come nearer to it than means by phase do, and noise
    /// alone gives next to nothing.
    #[test]
    fn a_smooth_season_is_told_from_noise() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<f64> = (0..170).map(|_| rng.sample(StandardNormal)).collect();
        let wave = |row: usize| (row as f64 * std::f64::consts::TAU / 52.0).sin();
        let values: Vec<f64> = noise.iter().enumerate().map(|(row, e)| wave(row) + e).collect();
        let error = |found: &[f64], size: f64| {
            let off =
                found.iter().enumerate().map(|(row, index)| (index - size * wave(row)).powi(2));
            off.sum::<f64>() / 52.0
        };
        let smooth = error(&smooth_indices(&values, 52, false).unwrap(), 1.0);
        let rough = error(&indices(&values, 52, false).unwrap(), 1.0);
        assert!(smooth < 0.2 && smooth < 0.5 * rough, "{smooth} {rough}");
        let nothing = smooth_indices(&noise, 52, false);
        assert!(nothing.is_none_or(|found| error(&found, 0.0) < 0.05));
    }

    /// Oracle: gaps filled by hand: the seasonal neighbor at its own distance, and a line.
    #[test]
    fn gaps_are_filled() {
        let gap = f64::NAN;
        assert_eq!(filled(&[1.0, gap, 3.0, 4.0, gap], 1).unwrap(), [1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(filled(&[1.0, 9.0, gap, 7.0, 5.0, 8.0], 2).unwrap()[2], 3.0);
        assert_eq!(filled(&[gap, gap], 1), None);
    }
}
