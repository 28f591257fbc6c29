use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::LEVELS;

const PLAIN: Widening = Widening { prior: 1.0, strength: 0.0, halves_from: usize::MAX, reach: 1.0 };

/// A logistic law: `center + scale · log(τ / (1 − τ))`.
fn logistic(steps: usize, scale: f64) -> Quantiles {
    Quantiles::from_fn(steps, |_, level| scale * (LEVELS[level] / (1.0 - LEVELS[level])).ln())
        .unwrap()
}

fn draw(rng: &mut ChaCha8Rng) -> f64 {
    let uniform: f64 = rng.random_range(1e-9..1.0 - 1e-9);
    (uniform / (1.0 - uniform)).ln()
}

fn fit(q: &Quantiles, truths: &[Vec<f64>], widening: &Widening) -> Calibration {
    let pairs: Vec<(&Quantiles, &[f64])> =
        truths.iter().map(|truth| (q, truth.as_slice())).collect();
    Calibration::fit(&pairs, truths.len(), widening)
}

/// Oracle: the ratio of the scales. Standard error of a quantile of 4000 scores: below 3 %.
#[test]
fn the_factor_is_the_ratio_of_the_scales() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let truths: Vec<Vec<f64>> = (0..4000).map(|_| vec![2.0 * draw(&mut rng)]).collect();
    let narrow = logistic(1, 1.0);
    let found = fit(&narrow, &truths, &PLAIN);
    assert!((found.upper[0] - 2.0).abs() < 0.09 && found.lower == found.upper, "{found:?}");
    let wide = found.apply(&narrow).unwrap();
    // The levels .05 and .95 by the exact law.
    let expected = 2.0 * (0.95_f64 / 0.05).ln();
    assert!((wide.at(0, 0.95) - expected).abs() < 0.05 * expected);
    assert_eq!(wide.at(0, 0.5), narrow.at(0, 0.5));
}

/// Oracle: skewed truths, four times as far above the median as below.
#[test]
fn halves_have_factors_of_their_own() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut truth = || match draw(&mut rng) {
        up if up > 0.0 => 2.0 * up,
        down => 0.5 * down,
    };
    let truths: Vec<Vec<f64>> = (0..4000).map(|_| vec![truth()]).collect();
    let found = fit(&logistic(1, 1.0), &truths, &Widening { halves_from: 20, ..PLAIN });
    assert!(
        (found.upper[0] - 2.0).abs() < 0.12 && (found.lower[0] - 0.5).abs() < 0.03,
        "{found:?}"
    );
}

/// Oracle: exchangeability. The k-th of n scores covers a fresh one with probability k / (n + 1).
#[test]
fn the_conformal_quantile_covers_fresh_draws() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (n, share) in [(9, 0.8), (19, 0.9), (4, 0.6)] {
        let trials = 20_000;
        let mut inside = 0;
        for _ in 0..trials {
            let mut scores: Vec<f64> = (0..n).map(|_| draw(&mut rng).abs()).collect();
            let factor = conformal(&mut scores, share);
            inside += usize::from(draw(&mut rng).abs() <= factor);
        }
        let error = (share * (1.0 - share) / f64::from(trials)).sqrt();
        let found = inside as f64 / f64::from(trials);
        assert!((found - share).abs() < 4.0 * error, "{n} {share} {found}");
    }
    assert_eq!(conformal(&mut [3.0, 1.0, 2.0], 0.8), 3.0);
}

/// Coverage of fresh truths after a fit on 200 folds with dependent steps, within its standard error.
#[test]
fn calibrated_intervals_cover() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let steps = 4;
    let mut truth = || -> Vec<f64> {
        let common: f64 = rng.sample(StandardNormal);
        (0..steps).map(|_| 3.0 * common + 2.0 * rng.sample::<f64, _>(StandardNormal)).collect()
    };
    let (past, fresh): (Vec<Vec<f64>>, Vec<Vec<f64>>) =
        ((0..200).map(|_| truth()).collect(), (0..4000).map(|_| truth()).collect());
    for scale in [0.8, 1.0, 5.0] {
        let raw = logistic(steps, scale);
        let ready = fit(&raw, &past, &PLAIN).apply(&raw).unwrap();
        let inside =
            fresh.iter().flat_map(|truth| (0..steps).map(|s| ready.covers(s, truth[s], 0.8)));
        let coverage = inside.filter(|yes| *yes).count() as f64 / (4000 * steps) as f64;
        // The standard error over 200 folds is √(.8 · .2 / 200) = .028 or less; the shape costs a little.
        assert!((coverage - 0.8).abs() < 0.06, "{scale} {coverage}");
    }
}

#[test]
fn factors_follow_the_step_and_shrink_to_the_prior() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let truths: Vec<Vec<f64>> =
        (0..3000).map(|_| vec![draw(&mut rng), draw(&mut rng), 4.0 * draw(&mut rng)]).collect();
    let forecast = logistic(3, 1.0);
    let own = fit(&forecast, &truths, &Widening { reach: 0.0, ..PLAIN });
    assert!((own.upper[0] - 1.0).abs() < 0.06 && (own.upper[2] - 4.0).abs() < 0.24, "{own:?}");
    let stiff = Widening { prior: 1.3, strength: 1e12, ..PLAIN };
    let found = fit(&forecast, &truths, &stiff);
    assert!(found.upper.iter().all(|factor| (factor - 1.3).abs() < 1e-6), "{found:?}");
    let none = fit(&forecast, &[], &stiff);
    assert_eq!((none.source, none.upper), (Source::Prior, vec![1.3]));
}

/// Law: calibrated quantiles rise with the level, whatever the truths and the forecasts.
#[test]
fn nothing_crosses_and_nothing_breaks() {
    let point = Quantiles::from_fn(2, |_, _| 3.0).unwrap();
    let truths =
        [vec![3.0, 3.0], vec![f64::NAN, 3.0], vec![5.0, f64::INFINITY], vec![-1e300, 1e300]];
    for halves_from in [0, usize::MAX] {
        let found = fit(&point, &truths, &Widening { halves_from, ..Widening::default() });
        assert!(
            found
                .upper
                .iter()
                .chain(&found.lower)
                .all(|factor| factor.is_finite() && *factor > 0.0)
        );
        assert_eq!(found.apply(&point), Some(point.clone()));
        let wide = found.apply(&logistic(5, 1e300)).unwrap();
        assert!(wide.iter().all(|row| row.windows(2).all(|pair| pair[0] <= pair[1])));
    }
    let huge = Calibration { lower: vec![5.0], upper: vec![5.0], source: Source::Prior };
    assert_eq!(huge.apply(&logistic(1, 1e308 / 6.0)), None);
}
