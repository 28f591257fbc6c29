//! Laws of all forecasters of this crate that smooth or repeat.

use classical::{Forecaster, Method, Past};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const METHODS: [Method; 4] =
    [Method::SeasonalNaive, Method::Climatology, Method::Ets, Method::Theta];

const SEASONS: [&[usize]; 6] = [&[], &[2], &[4], &[12], &[4, 28], &[30]];

fn row() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -50.0..50.0,
        2 => 0.5..2.0,
        1 => Just(f64::NAN),
        1 => Just(0.0),
        1 => Just(7.0),
    ]
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1e300), Just(-1e300), Just(1e-300), Just(f64::MAX), Just(f64::INFINITY)]
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        4 => proptest::collection::vec(row(), 0..90),
        2 => proptest::collection::vec(0.01..100.0, 0..90),
        1 => proptest::collection::vec(prop_oneof![row(), extreme()], 0..40),
        1 => proptest::collection::vec(prop_oneof![Just(1e300), Just(2e300), Just(1.5e300)], 0..40),
        1 => proptest::collection::vec(prop_oneof![Just(1e-300), Just(2e-300)], 0..40),
        1 => (row(), 0..60usize).prop_map(|(value, rows)| vec![value; rows]),
    ]
}

fn all_finite(forecaster: &dyn Forecaster, horizon: usize) -> bool {
    let paths = forecaster.paths(horizon, 6, &mut ChaCha8Rng::seed_from_u64(1));
    paths.iter().count() == 6 && paths.iter().flatten().all(|value| value.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_series_gives_nothing_or_finite_paths(
        values in series(),
        seasons in 0..SEASONS.len(),
        later in proptest::collection::vec(prop_oneof![row(), extreme()], 0..5),
    ) {
        let past = Past { values: &values, seasons: SEASONS[seasons] };
        for method in METHODS {
            let Some(mut fitted) = method.fit(&past) else { continue };
            prop_assert!(all_finite(&*fitted, 15), "{method:?}");
            for value in &later {
                fitted.observe(*value);
                prop_assert!(all_finite(&*fitted, 3), "{method:?} after {value}");
            }
        }
    }

    /// Rows at the start that are missing change nothing but the phase.
    #[test]
    fn leading_gaps_of_whole_seasons_do_not_matter(values in proptest::collection::vec(1.0..9.0, 30..60)) {
        let gaps: Vec<f64> = [f64::NAN; 8].into_iter().chain(values.iter().copied()).collect();
        let fit = |values: &[f64]| Method::Ets.fit(&Past { values, seasons: &[4] }).unwrap();
        let draw = |values: &[f64]| fit(values).paths(5, 9, &mut ChaCha8Rng::seed_from_u64(2));
        prop_assert_eq!(draw(&values), draw(&gaps));
    }
}
