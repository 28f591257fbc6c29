//! Laws that hold for every method and any series.

use classical::{Forecaster, Method, Past};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Rows of one kind each: noise, counts with zeros, constants, huge and tiny values, and gaps among them.
fn rows() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => -3.0..3.0_f64,
        2 => Just(0.0),
        2 => (0_u8..9).prop_map(f64::from),
        1 => Just(f64::NAN),
    ];
    let kind = prop_oneof![
        Just(1.0_f64),
        Just(1e300),
        Just(-1e-300),
        Just(1e-12),
        Just(f64::INFINITY),
        Just(0.0)
    ];
    let noisy = (prop::collection::vec(value, 0..90), kind)
        .prop_map(|(rows, scale)| rows.into_iter().map(|row| row * scale).collect());
    let line = (0_usize..80, -1e3..1e3_f64, -2.0..2.0_f64).prop_map(|(count, start, slope)| {
        (0..count).map(|row| start + slope * row as f64).collect()
    });
    let outlier = (20_usize..70, 0_usize..20, 1.0..1e290_f64).prop_map(|(count, at, size)| {
        (0..count).map(|row| if row == at { size } else { 1.0 + (row % 4) as f64 }).collect()
    });
    let positive = prop::collection::vec(1e-3..1e3_f64, 0..90);
    prop_oneof![4 => noisy, 1 => line, 1 => outlier, 2 => positive]
}

fn finite(forecaster: &dyn Forecaster, horizon: usize) -> bool {
    let paths = forecaster.paths(horizon, 5, &mut ChaCha8Rng::seed_from_u64(1));
    paths.iter().count() == 5 && paths.iter().flatten().all(|value| value.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn paths_are_finite_or_there_is_no_forecaster(
        values in rows(),
        seasons in prop::sample::select(vec![vec![], vec![2], vec![4], vec![12], vec![7, 30], vec![60]]),
        later in prop::collection::vec(prop_oneof![Just(f64::NAN), -2.0..2.0_f64, Just(0.0), Just(1e300)], 0..6),
    ) {
        for method in [Method::Arima, Method::Ridge, Method::Intermittent] {
            let past = Past { values: &values, seasons: &seasons };
            let Some(mut forecaster) = method.fit(&past) else { continue };
            prop_assert!(finite(forecaster.as_ref(), 15), "{} {values:?} {seasons:?}", method.name());
            later.iter().for_each(|value| forecaster.observe(*value));
            prop_assert!(finite(forecaster.as_ref(), 3), "{} {values:?} {seasons:?} {later:?}", method.name());
        }
    }
}

#[test]
fn too_short_a_series_has_no_forecaster() {
    for method in [Method::Arima, Method::Ridge, Method::Intermittent] {
        for values in [&[][..], &[1.0], &[f64::NAN; 40], &[0.0, 3.0, 0.0]] {
            assert!(method.fit(&Past { values, seasons: &[12] }).is_none());
        }
    }
}

#[test]
fn a_constant_series_stays_constant() {
    for method in [Method::Arima, Method::Ridge] {
        let forecaster = method.fit(&Past { values: &[7.5; 60], seasons: &[12] }).unwrap();
        let paths = forecaster.paths(24, 3, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(paths.iter().flatten().all(|value| (value - 7.5).abs() < 1e-6), "{paths:?}");
    }
}
