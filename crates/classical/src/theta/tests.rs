use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::line::Line;
use super::*;

/// Oracle: the normal equations of a line through 2, 3, 7, 8 at 1 to 4: slope 2.2, intercept −0.5.
#[test]
fn the_running_line_is_that_of_least_squares() {
    let line = Line::through(&[2.0, 3.0, 7.0, 8.0]);
    assert!((line.slope - 2.2).abs() < 1e-12 && (line.intercept + 0.5).abs() < 1e-12, "{line:?}");
}

/// Oracle: θ = 1 is simple exponential smoothing: equal means at all steps, one the weighted mean of the rows.
#[test]
fn theta_one_is_simple_smoothing() {
    let values: Vec<f64> = (0..60).map(|row: u32| f64::from(row * 37 % 11)).collect();
    let (_, model) = Theta::fit(&values, false, Some(1.0), 0).unwrap();
    assert_eq!(model.weight, 0.0);
    let paths = model.paths(3, 4000, &mut ChaCha8Rng::seed_from_u64(1));
    let mean = |step| paths.step(step).sum::<f64>() / 4000.0;
    assert!((mean(0) - mean(2)).abs() < 5.0 * 3.3 * (2.0_f64 / 4000.0).sqrt());
}
