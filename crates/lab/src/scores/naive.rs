//! The yardstick: the last season again.

use super::{Columns, LEVELS, Line, Origins};

/// Quantiles of the standard normal law at .55, .60, …, .95.
const NORMAL: [f64; 9] = [
    0.125_661_346_9,
    0.253_347_103_1,
    0.385_320_466_4,
    0.524_400_512_7,
    0.674_489_750_2,
    0.841_621_233_6,
    1.036_433_389_5,
    1.281_551_565_5,
    1.644_853_627_0,
];

/// The last season repeated, with a normal law around it whose variance grows with the seasons ahead.
///
/// ```text
/// q_p(h) = x_{n−m+((h−1) mod m)+1} + z_p s √k        s² = mean (x_t − x_{t−m})²,  k = ⌊(h−1)/m⌋ + 1
/// ```
///
/// # References
/// Hyndman & Athanasopoulos (2021), Forecasting: principles and practice, section 5.5.
pub(crate) fn seasonal_naive(data: &Columns, origins: Origins, season: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (channel, column) in data.values.iter().enumerate() {
        for known in origins.of(column.len()).into_iter().filter(|known| *known >= season) {
            let errors = data.naive_errors(channel, known, season);
            let squares = errors.into_iter().map(|error| error * error);
            let std = stats::mean_of_finite(squares).unwrap_or(f64::NAN).sqrt();
            for step in 1..=origins.horizon {
                let truth = column[known + step - 1];
                let center = column[known - season + (step - 1) % season];
                let reach = std * (((step - 1) / season + 1) as f64).sqrt();
                let mut quantiles = [center; LEVELS];
                for (place, z) in NORMAL.into_iter().enumerate() {
                    quantiles[LEVELS / 2 + 1 + place] += z * reach;
                    quantiles[LEVELS / 2 - 1 - place] -= z * reach;
                }
                if truth.is_finite() {
                    lines.push(Line { channel, known, step, truth, quantiles });
                }
            }
        }
    }
    lines
}
