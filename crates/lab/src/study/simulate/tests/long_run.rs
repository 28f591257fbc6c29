//! Scores of the best forecasts on long series: as good as they should be, and better than others.

use super::super::predictive::Predictive;
use super::super::{BestScores, Process};
use super::{SEASONAL, SWITCHING, assert_mean, both, mean_and_error, process};

const HORIZON: usize = 8;

fn long(process: &Process) -> (Vec<f64>, Vec<usize>) {
    let series = process.simulate(200_000, 21);
    // After a past that the filter has forgotten its start in.
    (series, (200..200_000 - HORIZON).step_by(HORIZON).collect())
}

fn column(scores: &[BestScores], of: impl Fn(&BestScores) -> f64) -> Vec<f64> {
    scores.iter().map(of).collect()
}

/// Oracle: the closed form, which shares neither filter nor series.
#[test]
fn the_best_forecast_scores_what_is_expected() {
    let process = process(SEASONAL);
    let (series, origins) = long(&process);
    let best = process.best(&series, &origins, HORIZON).unwrap();
    let expected = process.expected(HORIZON).unwrap();
    assert_mean(&column(&best, |s| s.crps), expected.crps, "CRPS");
    assert_mean(&column(&best, |s| s.log_score), expected.log_score, "log score");
    assert_eq!(self::process(SWITCHING).expected(HORIZON), None);
}

/// Loss of CRPS and log score, in standard errors of the mean paired difference.
fn worse(best: &[BestScores], other: &[(f64, f64)]) -> [f64; 2] {
    let pairs = || best.iter().zip(other);
    let crps: Vec<f64> = pairs().map(|(best, other)| other.0 - best.crps).collect();
    let log_score: Vec<f64> = pairs().map(|(best, other)| best.log_score - other.1).collect();
    [crps, log_score].map(|differences| {
        let (mean, error) = mean_and_error(&differences);
        mean / error
    })
}

/// Oracle: both scores are proper, so whatever else is forecast loses.
#[test]
fn processes_with_other_parameters_forecast_worse() {
    for (text, changes) in [
        (
            SEASONAL,
            &[
                ("= 0.9", "= 0.8"),
                ("= 0.9", "= 0.95"),
                ("= 0.5", "= 0.4"),
                ("= 0.8", "= 1"),
                ("= 2.0", "= 1.8"),
                ("= 12", "= 12.001"),
            ] as &[_],
        ),
        (
            SWITCHING,
            &[
                ("[0.97, 0.9]", "[0.9, 0.9]"),
                ("[0.97, 0.9]", "[0.97, 0.7]"),
                ("[0.5, 2.0]", "[0.55, 2.0]"),
                ("[0.5, 2.0]", "[0.5, 1.7]"),
            ],
        ),
    ] {
        let right = process(text);
        let (series, origins) = long(&right);
        let best = right.best(&series, &origins, HORIZON).unwrap();
        for (from, to) in changes {
            let wrong = process(&text.replacen(from, to, 1));
            let other = wrong.best(&series, &origins, HORIZON).unwrap();
            let other: Vec<_> = other.iter().map(|s| (s.crps, s.log_score)).collect();
            let worse = worse(&best, &other);
            assert!(worse.iter().all(|errors| *errors > 6.0), "{from} as {to}: {worse:?} errors");
        }
    }
}

/// Oracle: who does not look at the past forecasts the stationary distribution, and loses.
#[test]
fn the_past_is_worth_something() {
    for process in both() {
        let (series, origins) = long(&process);
        let best = process.best(&series, &origins, HORIZON).unwrap();
        let blind = |row: usize| match process {
            Process::SeasonalAr(_) => {
                let mean = 2.0 * (std::f64::consts::TAU * row as f64 / 12.0).sin();
                Predictive::Gaussian { mean, variance: 0.25 / 0.19 + 0.64 }
            }
            Process::Switching(_) => {
                Predictive::ScaleMixture { weights: [0.1 / 0.13, 0.03 / 0.13], stds: [0.5, 2.0] }
            }
        };
        let window = |&origin: &usize| {
            let rows = origin..origin + HORIZON;
            let crps: f64 = rows.clone().map(|row| blind(row).crps(series[row])).sum();
            let log_score: f64 = rows.map(|row| blind(row).log_density(series[row])).sum();
            (crps / HORIZON as f64, log_score / HORIZON as f64)
        };
        let worse = worse(&best, &origins.iter().map(window).collect::<Vec<_>>());
        assert!(worse.iter().all(|errors| *errors > 6.0), "{process:?}: {worse:?} errors");
    }
}
