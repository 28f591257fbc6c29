//! How often to difference: seasonally by the strength of the season, then by a test of stationarity.

/// Strength of the season from which one seasonal difference is taken.
const STRONG: f64 = 0.64;
/// Critical value of the test of Kwiatkowski and others for a level, at 5 %.
const CRITICAL: f64 = 0.463;
/// Seasons over which the means of a phase are taken.
const SEASONS: usize = 11;

/// Differences `value_t - value_{t - lag}`; one lag shorter.
pub(crate) fn difference(values: &[f64], lag: usize) -> Vec<f64> {
    values.iter().skip(lag).zip(values).map(|(later, earlier)| later - earlier).collect()
}

/// Whether the season is strong enough for a seasonal difference: `1 - Var(R) / Var(S + R) > 0.64`, where the trend is
/// a centered moving average over one season, `S` the means of each phase over neighboring seasons, and `R` the rest.
///
/// # References
/// Wang, Smith & Hyndman (2006), *Characteristic-based clustering for time series data*, section 3.1.
pub(crate) fn seasonal(values: &[f64], season: usize) -> bool {
    season > 1 && values.len() >= 3 * season && strength(values, season) > STRONG
}

pub(crate) fn strength(values: &[f64], season: usize) -> f64 {
    let half = season / 2;
    let detrended: Vec<f64> = (half..values.len() - half)
        .map(|at| values[at] - centered(&values[at - half..=at + half], season))
        .collect();
    let count = detrended.len();
    let rest: Vec<f64> = (0..count)
        .map(|at| {
            let reach = (SEASONS / 2) * season;
            let first = if at >= reach { at - reach } else { at % season };
            let last = (at + reach + 1).min(count);
            let rows = detrended[first..last].iter().step_by(season);
            detrended[at] - rows.clone().sum::<f64>() / rows.len() as f64
        })
        .collect();
    let whole = variance(&detrended);
    if whole > 1e-20 { (1.0 - variance(&rest) / whole).max(0.0) } else { 0.0 }
}

/// Mean of one season around the middle; both ends count half where the season is even.
fn centered(window: &[f64], season: usize) -> f64 {
    let sum: f64 = window.iter().sum();
    let ends = window[0] + window[window.len() - 1];
    (if season.is_multiple_of(2) { sum - 0.5 * ends } else { sum }) / season as f64
}

fn variance(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// The number of first differences, at most `most`, until the test no longer rejects stationarity around a level.
pub(crate) fn ordinary(values: &[f64], most: usize) -> usize {
    let mut rows = values.to_vec();
    for count in 0..most {
        if rows.len() < 8 || statistic(&rows) < CRITICAL {
            return count;
        }
        rows = difference(&rows, 1);
    }
    most
}

/// The statistic `Σ S_t² / (n² σ²)` of the partial sums `S_t` of the centered rows, with the long-run variance `σ²` by
/// Bartlett's weights over `⌊3√n / 13⌋` lags; zero for constant rows.
///
/// # References
/// Kwiatkowski, Phillips, Schmidt & Shin (1992), *Testing the null hypothesis of stationarity against the alternative
/// of a unit root*, equation (13).
pub(crate) fn statistic(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let rows: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let product = |lag: usize| -> f64 { rows.iter().zip(&rows[lag..]).map(|(a, b)| a * b).sum() };
    let lags = (3.0 * count.sqrt() / 13.0) as usize;
    let weight = |lag: usize| 1.0 - lag as f64 / (lags as f64 + 1.0);
    let long: f64 =
        product(0) + 2.0 * (1..=lags).map(|lag| weight(lag) * product(lag)).sum::<f64>();
    let mut partial = 0.0;
    let mut squares = 0.0;
    for row in &rows {
        partial += row;
        squares += partial * partial;
    }
    if long > 1e-20 { squares / (count * long) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_season_is_strong_and_noise_is_not() {
        let clean: Vec<f64> = (0..60_u32)
            .map(|row| f64::from(row) * 0.1 + f64::from(row % 12) + f64::from(row * 7 % 5) * 0.1)
            .collect();
        assert!(strength(&clean, 12) > 0.95, "{}", strength(&clean, 12));
        let noise: Vec<f64> = (0..60_u32).map(|row| f64::from(row * 7919 % 101)).collect();
        assert!(!seasonal(&noise, 12), "{}", strength(&noise, 12));
        assert!(!seasonal(&clean[..30], 12));
    }

    #[test]
    fn the_statistic_by_hand() {
        // Rows 1, 2, 3, 4: no lags, centered -1.5, -.5, .5, 1.5, partial sums -1.5, -2, -1.5, 0.
        let wanted = (2.25 + 4.0 + 2.25) / (4.0 * 5.0);
        assert!((statistic(&[1.0, 2.0, 3.0, 4.0]) - wanted).abs() < 1e-12);
        assert_eq!(statistic(&[1.0; 10]), 0.0);
    }

    #[test]
    fn a_line_is_differenced_once_and_a_parabola_twice() {
        let jitter = |row: u32| f64::from(row * 7919 % 101) / 100.0;
        let line: Vec<f64> = (0..100).map(|row| f64::from(row) + jitter(row)).collect();
        assert_eq!(ordinary(&line, 2), 1);
        let parabola: Vec<f64> = (0..100).map(|row| f64::from(row * row) + jitter(row)).collect();
        assert_eq!(ordinary(&parabola, 2), 2);
        assert_eq!(ordinary(&[0.3; 50], 2), 0);
    }
}
