//! Oracles of the processes, their best forecasts and the scores of those.

mod long_run;
mod predictive;
mod seasonal;
mod switching;

use std::path::Path;

use super::Process;
use super::predictive::Predictive;
use crate::plan::parse;

const SEASONAL: &str = "kind = \"seasonal-ar\"
period = 12
amplitude = 2.0
phi = 0.9
innovation_std = 0.5
observation_std = 0.8
";
const SWITCHING: &str = "kind = \"switching\"\nstds = [0.5, 2.0]\nstay = [0.97, 0.9]\n";

fn process(text: &str) -> Process {
    parse(Path::new("study.toml"), text).unwrap()
}

fn both() -> [Process; 2] {
    [SEASONAL, SWITCHING].map(process)
}

/// The mean of a correlated sequence and its standard error, from the means of 50 stretches.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let stretches: Vec<f64> = values.chunks_exact(values.len() / 50).map(mean).collect();
    let (center, count) = (mean(&stretches), stretches.len() as f64);
    let squares: f64 = stretches.iter().map(|stretch| (stretch - center).powi(2)).sum();
    (center, (squares / (count - 1.0) / count).sqrt())
}

fn assert_mean(values: &[f64], expected: f64, what: &str) {
    let (mean, error) = mean_and_error(values);
    let off = (mean - expected) / error;
    assert!(off.abs() < 6.0, "{what}: {mean} ± {error}, not {expected} ({off:.1} errors off)");
    // Without this a test of 6 errors could not fail.
    assert!(error < 0.05 * expected.abs().max(0.2), "{what}: ± {error} says nothing");
}

fn assert_near(found: f64, expected: f64, tolerance: f64, what: &str) {
    let off = (found - expected).abs();
    assert!(off <= tolerance * expected.abs().max(1.0), "{what}: {found}, not {expected}");
}

/// Oracle: ChaCha8 and both processes written in Python: all bits but the last two of one value,
/// where the platform's `log` and `cos` are not `libm`'s.
#[test]
fn a_seed_gives_the_same_series_on_every_platform() {
    let bits = |process: &Process, seed| -> Vec<u64> {
        process.simulate(4, seed).into_iter().map(f64::to_bits).collect()
    };
    let [seasonal, switching] = both();
    let golden = [0.14943160695960758, 1.062668411685373, 1.6888820330226655, 1.460785956600385];
    assert_eq!(bits(&seasonal, 7), golden.map(f64::to_bits));
    let golden =
        [-0.08592507020783298, -0.4301012342698236, -0.6408157150384367, -0.9988483910306613];
    assert_eq!(bits(&switching, 7), golden.map(f64::to_bits));
    for process in both() {
        let (long, short) = (process.simulate(500, 7), process.simulate(200, 7));
        assert_eq!(long[..200], short, "more rows continue the same series");
        let other = process.simulate(500, 8);
        assert!(long.iter().zip(&other).all(|(a, b)| a != b), "another seed, another series");
        assert!(process.simulate(0, 7).is_empty());
    }
}

#[test]
fn windows_are_independent_of_each_other_and_of_what_comes_after() {
    for process in both() {
        let series = process.simulate(60, 3);
        let windows = process.best(&series, &[30, 0, 55, 30], 5).unwrap();
        assert_eq!(windows[0], windows[3]);
        for (window, origin) in windows.iter().zip([30, 0, 55]) {
            let alone = process.best(&series[..origin + 5], &[origin], 5).unwrap();
            assert_eq!(&alone[0], window);
            assert_eq!(window.mean.len(), 5);
        }
        assert!(process.best(&series, &[], 5).unwrap().is_empty());
    }
}

#[test]
fn windows_that_cannot_be_scored_are_refused() {
    let process = process(SWITCHING);
    let error = |series: &[f64], origins: &[usize], horizon| {
        process.best(series, origins, horizon).unwrap_err().to_string()
    };
    let series = [0.5; 10];
    assert!(process.best(&series, &[6], 4).is_ok());
    let beyond = error(&series, &[0, 7], 4);
    assert_eq!(beyond, "a window of 4 rows from row 7 is beyond the series of 10");
    assert!(error(&series, &[usize::MAX], 4).contains("beyond the series of 10"));
    assert!(error(&series, &[0], 0).contains("a horizon of at least one row"));
    for odd in [f64::NAN, f64::INFINITY, -1.1e100] {
        let refused = error(&[0.5, odd, 0.5], &[0], 1);
        assert_eq!(
            refused,
            format!("row 1 of the series is {odd}; a number within ±1e100 is needed")
        );
    }
}

#[test]
fn outliers_do_not_break_the_filters() {
    for process in both() {
        let mut series = process.simulate(40, 1);
        (series[10], series[20]) = (1e100, -1e100);
        for window in process.best(&series, &[5, 11, 21, 35], 5).unwrap() {
            assert!(window.crps.is_finite() && window.log_score.is_finite(), "{window:?}");
        }
    }
}

#[test]
fn mistakes_in_a_plan_are_told() {
    for (text, from, to, message) in [
        (SEASONAL, "seasonal-ar", "seasonal", "unknown variant `seasonal`"),
        (SEASONAL, "phi = 0.9\n", "", "missing field `phi`"),
        (SEASONAL, "phi", "psi", "unknown field `psi`"),
        (SEASONAL, "phi = 0.9", "phi = -1.0", "`phi` is -1, but must be between -1 and 1"),
        (SEASONAL, "phi = 0.9", "phi = nan", "`phi` is NaN, but must be between -1 and 1"),
        (SEASONAL, "period = 12", "period = 2", "`period` is 2, but must be above 2"),
        (SEASONAL, "= 2.0", "= -0.1", "`amplitude` is -0.1, but must be from 0 to 1e9"),
        (SEASONAL, "= 0.5", "= 0", "`innovation_std` is 0, but must be a standard deviation"),
        (SEASONAL, "= 0.8", "= 9e-10", "`observation_std` is 0.0000000009, but must be a"),
        (SWITCHING, "[0.5, 2.0]", "[0.5, inf]", "`stds[1]` is inf, but must be a standard"),
        (SWITCHING, "[0.97, 0.9]", "[0.0, 0.9]", "`stay[0]` is 0, but must be a probability"),
        (SWITCHING, "[0.97, 0.9]", "[0.5, 1]", "`stay[1]` is 1, but must be a probability"),
        (SWITCHING, "[0.97, 0.9]", "[0.97]", "invalid length 1"),
        (SWITCHING, "stay", "period = 3\nstay", "unknown field `period`"),
    ] {
        let text = text.replacen(from, to, 1);
        let result = parse::<Process>(Path::new("study.toml"), &text);
        let error = result.expect_err(&text).to_string();
        assert!(error.starts_with("study.toml:") && error.contains(message), "{text}{error}");
    }
    for (from, to) in
        [("= 0.9", "= -0.999"), ("= 12", "= 2.001"), ("= 0.8", "= 0"), ("= 2.0", "= 0")]
    {
        let text = SEASONAL.replacen(from, to, 1);
        assert!(parse::<Process>(Path::new("study.toml"), &text).is_ok(), "{text}");
    }
}

/// The parts of a Gaussian.
fn gaussian(predictive: Predictive) -> (f64, f64) {
    match predictive {
        Predictive::Gaussian { mean, variance } => (mean, variance),
        other => panic!("{other:?}"),
    }
}
