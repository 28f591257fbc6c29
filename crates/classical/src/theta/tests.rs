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

/// A line with a random walk and noise, rounded.
const SIMULATED: [f64; 48] = [
    48.7, 47.8, 50.3, 46.9, 52.3, 49.1, 50.5, 49.1, 54.8, 55.1, 59.5, 55.1, 54.9, 56.9, 54.6, 54.3,
    57.5, 53.2, 54.2, 53.7, 54.6, 53.6, 54.4, 55.0, 55.5, 54.8, 57.1, 52.9, 52.5, 52.5, 56.1, 53.9,
    53.1, 52.8, 55.3, 52.3, 51.2, 54.0, 51.0, 52.1, 54.3, 54.5, 53.7, 57.2, 52.7, 51.7, 51.0, 52.7,
];

/// Golden values: statsforecast 2.1.1, `OptimizedTheta` and `DynamicOptimizedTheta` with `season_length=1`: first level,
/// α, θ, and the forecasts of steps 1 and 5.
#[test]
fn forecasts_are_those_of_another_implementation() {
    let goldens = [
        (
            false,
            20.928484073308862,
            0.4435105817644745,
            2.169099528136906,
            52.43249173,
            52.51063553,
        ),
        (true, 49.24954882770349, 0.4460106330750335, 1.0080617199311661, 52.3856874, 52.38636167),
    ];
    for (dynamic, level, alpha, theta, first, fifth) in goldens {
        let model = Theta::by_hand(&SIMULATED, dynamic, level, alpha, theta);
        let paths = model.paths(5, 1, &mut ChaCha8Rng::seed_from_u64(1));
        let row = paths.iter().next().unwrap();
        assert!((row[0] - first).abs() < 1e-6, "{dynamic}: {} {first}", row[0]);
        assert!((row[4] - fifth).abs() < 1e-3, "{dynamic}: {} {fifth}", row[4]);
        let (_, ours) = Theta::fit(&SIMULATED, dynamic, None, 0).unwrap();
        assert!(squares(&ours, &SIMULATED) <= squares(&model, &SIMULATED) * (1.0 + 1e-6));
    }
}

#[test]
fn rows_observed_later_move_the_state_as_earlier_ones() {
    let (_, model) = Theta::fit(&SIMULATED[..40], true, None, 0).unwrap();
    let (mut one, mut all) = (model.clone(), model);
    SIMULATED[40..].iter().for_each(|value| one.observe(*value));
    all.state = all.first;
    SIMULATED.iter().for_each(|value| all.observe(*value));
    assert_eq!(one.state, all.state);
}

/// Oracle: a change of units changes the paths alike, where no error is relative.
#[test]
fn units_do_not_matter() {
    let one: Vec<f64> = SIMULATED.iter().map(|value| value - 50.0).collect();
    let two: Vec<f64> = one.iter().map(|value| 1e6 * value).collect();
    for dynamic in [false, true] {
        let draw = |values: &[f64]| {
            let (_, model) = Theta::fit(values, dynamic, None, 0).unwrap();
            model.paths(6, 20, &mut ChaCha8Rng::seed_from_u64(5))
        };
        for (a, b) in draw(&one).iter().flatten().zip(draw(&two).iter().flatten()) {
            assert!((a - b / 1e6).abs() < 1e-5, "{a} {b}");
        }
    }
}

/// Oracle: by hand for 2, 4, 6, whose line is 2 t, with α = 1/2, θ = 2 and the first level 0: levels 1, 2.5, 4.25 and
/// the forecast `4.25 + 1/2 · (1 − 1/16) / (1/2) · 2`.
#[test]
fn a_forecast_is_that_of_hand() {
    let model = Theta::by_hand(&[2.0, 4.0, 6.0], false, 0.0, 0.5, 2.0);
    let paths = model.paths(1, 1, &mut ChaCha8Rng::seed_from_u64(1));
    assert!((paths.step(0).next().unwrap() - 6.125).abs() < 1e-12);
}

/// Oracle: no level, α or θ of a grid has a smaller squared error than the fit, on rows whose trend breaks and on noise
/// around a slow rise, where α is small and the first level matters.
#[test]
fn no_parameters_of_a_grid_are_better() {
    let noise = |row: i32| f64::from(row * 7919 % 101) / 10.0;
    let broken: Vec<f64> = (0..24).map(|row| noise(row) + f64::from(row.min(15))).collect();
    let slow: Vec<f64> = (0..24).map(|row| noise(row) + 0.3 * f64::from(row)).collect();
    for values in [broken, slow] {
        for dynamic in [false, true] {
            let (_, ours) = Theta::fit(&values, dynamic, None, 0).unwrap();
            let least = squares(&ours, &values);
            let (level, alpha, weight) = ours.parameters();
            let moved = |off: f64| {
                let theta = 1.0 / (1.0 - weight);
                squares(&Theta::by_hand(&values, dynamic, level + off, alpha, theta), &values)
            };
            assert!((moved(0.0) / least - 1.0).abs() < 1e-9, "{} {least}", moved(0.0));
            assert!(least < moved(-0.02) && least < moved(0.02), "the first level is not the best");
            for_grid(|level, alpha, weight| {
                let theta = 1.0 / (1.0 - weight);
                let other = Theta::by_hand(&values, dynamic, level, alpha, theta);
                assert!(
                    least <= squares(&other, &values) * (1.0 + 1e-6),
                    "{level} {alpha} {weight}"
                );
            });
        }
    }
}

fn squares(model: &Theta, values: &[f64]) -> f64 {
    model.errors(values).iter().map(|error| error * error).sum()
}

fn for_grid(check: impl Fn(f64, f64, f64)) {
    for level in (-20..40).map(f64::from) {
        for alpha in (1..20).map(|a| 0.05 * f64::from(a)) {
            (0..20).for_each(|weight| check(level, alpha, 0.05 * f64::from(weight)));
        }
    }
}
