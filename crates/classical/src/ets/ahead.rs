//! Errors several steps ahead within the known rows.

use super::filter::State;
use super::form::{Form, Weights};
use crate::scale::Scale;

/// Steps ahead without a season.
const STEPS: usize = 8;

/// The mean squared error of the point forecasts of one season ahead, over all origins after the first third.
///
/// It is in original units over the largest value; forms and scales can be compared. `None` with too few rows.
pub(super) fn mean_square(
    form: Form,
    weights: Weights,
    first: &State,
    values: &[f64],
    scale: Scale,
) -> Option<f64> {
    let steps = if first.season.len() > 1 { first.season.len() } else { STEPS };
    let largest =
        values.iter().filter(|v| v.is_finite()).fold(0.0, |most: f64, v| most.max(v.abs()));
    let unit = if largest > 0.0 { largest } else { 1.0 };
    let (mut sum, mut count) = (0.0, 0);
    let mut state = first.clone();
    for (row, value) in values.iter().enumerate() {
        if row >= values.len() / 3 && row + steps <= values.len() {
            let mut future = state.clone();
            for later in &values[row..row + steps] {
                let error = later / unit - scale.back(future.mean(form, weights)) / unit;
                if error.is_finite() {
                    sum += error * error;
                    count += 1;
                }
                future.push(form, weights, 0.0);
            }
        }
        let error = scale.to(*value) - state.mean(form, weights);
        state.push(form, weights, if error.is_finite() { error } else { 0.0 });
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::super::form::{Kind, Trend};
    use super::*;

    /// Oracle: with α = 0 the forecast is always the first level, 1, so that the errors are 3, 1 and
    /// in the last row 2, over the largest value, 4. Twelve rows have one origin after a third of them.
    #[test]
    fn errors_of_a_fixed_level_are_those_of_the_rows() {
        let mut values: Vec<f64> =
            (0..12).map(|row| if row % 2 == 0 { 4.0 } else { 2.0 }).collect();
        values[11] = 3.0;
        let form = Form { relative: false, trend: Trend::None, season: Kind::None };
        let state = State { level: 1.0, slope: 0.0, season: vec![0.0], next: 0 };
        let scale = Scale::standard(&[]);
        let found = mean_square(form, Weights::default(), &state, &values, scale).unwrap();
        // Origin 4 alone: rows 4 to 11.
        let wanted = (4.0 * 9.0 + 3.0 * 1.0 + 4.0) / 8.0 / 16.0;
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
    }
}
