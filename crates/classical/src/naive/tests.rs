use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(3)
}

/// Oracle: a repeated pattern on a line has seasonal changes without spread, so that every path continues it.
#[test]
fn a_repeated_pattern_is_continued() {
    let truth = |row: usize| 0.25 * row as f64 + [1.0, -8.0, 3.0, 0.0][row % 4];
    let values: Vec<f64> = (0..30).map(truth).collect();
    let mut naive = fit(&Past { values: &values, seasons: &[4] }).unwrap();
    naive.observe(truth(30));
    naive.observe(f64::NAN);
    for path in naive.paths(9, 5, &mut rng()).iter() {
        for (step, value) in path.iter().enumerate() {
            assert!((value - truth(32 + step)).abs() < 1e-9, "{step}: {value}");
        }
    }
}

/// Oracle: a random walk with steps ±1 has the variance h at step h and no drift to speak of.
#[test]
fn the_spread_of_a_walk_grows_with_the_root_of_the_step() {
    let mut rng = rng();
    let mut at = 0.0;
    let values: Vec<f64> = (0..4000)
        .map(|_| {
            at += if rng.random::<bool>() { 1.0 } else { -1.0 };
            at
        })
        .collect();
    let naive = fit(&Past { values: &values, seasons: &[] }).unwrap();
    let paths = naive.paths(16, 4000, &mut rng);
    for step in [0, 3, 15] {
        let off = paths.step(step).map(|value| (value - at).powi(2)).sum::<f64>() / 4000.0;
        let truth = (step + 1) as f64;
        // The squares of a Gaussian have the standard error √2 of their mean, times truth.
        assert!((off / truth - 1.0).abs() < 5.0 * (2.0_f64 / 4000.0).sqrt(), "{step}: {off}");
    }
}

/// Oracle: changes of a series of noise have a mean that is not told from zero.
#[test]
fn an_uncertain_drift_is_shrunk_to_nothing() {
    let values = [0.0, 5.0, -4.0, 3.0, -5.0, 4.0, 1.0];
    assert_eq!(drift(&values, 1), 0.0);
    let line: Vec<f64> = (0..12).map(f64::from).collect();
    assert!((drift(&line, 3) - 3.0).abs() < 1e-12);
}

#[test]
fn too_few_rows_give_nothing() {
    assert!(fit(&Past { values: &[1.0, 2.0, 4.0], seasons: &[] }).is_none());
    assert!(fit(&Past { values: &[f64::NAN; 20], seasons: &[4] }).is_none());
    assert!(fit(&Past { values: &[1.0, 2.0, 4.0, 3.0], seasons: &[12] }).is_some());
}
