use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::{Fold, LEVELS};

fn around(center: f64) -> Option<Quantiles> {
    Quantiles::from_fn(1, |_, level| center + 3.0 * (LEVELS[level] - 0.5))
}

/// Truths `share · a + (1 − share) · b + noise`, members centered at `a` and `b`.
fn series(share: f64, rng: &mut ChaCha8Rng) -> History {
    let mut fold = || {
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let (a, b) = (2.0 * normal(), 2.0 * normal());
        let truth = share * a + (1.0 - share) * b + normal();
        Fold { members: vec![around(a), around(b)], truth: vec![truth] }
    };
    History { folds: (0..10).map(|_| fold()).collect(), scale: 1.0, disjoint: 10 }
}

fn fit(shares: impl Fn(usize) -> f64, seed: u64) -> (Vec<History>, Panel) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let panel: Vec<History> = (0..300).map(|index| series(shares(index), rng)).collect();
    let histories: Vec<&History> = panel.iter().collect();
    let names = vec!["a".to_owned(), "b".to_owned()];
    let found = Panel::fit(names, &histories, &Settings::default());
    (panel, found)
}

/// Oracle: the weight with which all truths were made; ten rows of one series are no reason to leave it.
#[test]
fn equal_series_share_their_weights() {
    let (panel, found) = fit(|_| 0.7, 1);
    assert!((found.weights.values[0] - 0.7).abs() < 0.03, "{:?}", found.weights);
    assert_eq!(found.strength, f64::INFINITY);
    let worst = panel
        .iter()
        .map(|history| (found.pool(history, Support::of(&[])).weights.values[0] - 0.7).abs());
    assert!(worst.fold(0.0, f64::max) < 0.2, "{}", found.strength);
}

/// Oracle: half of the series follow one member, half the other.
#[test]
fn different_series_have_weights_of_their_own() {
    let (panel, found) = fit(|index| (index / 2 % 2) as f64, 2);
    assert!(found.strength.is_finite(), "{found:?}");
    let right = panel.iter().enumerate().filter(|(index, history)| {
        let weight = found.pool(history, Support::of(&[])).weights.values[0];
        (weight > 0.5) == (index / 2 % 2 == 1)
    });
    assert!(right.count() > 290);
}

#[test]
fn without_folds_a_panel_has_its_prior() {
    let empty = History { folds: Vec::new(), scale: 1.0, disjoint: 0 };
    for histories in [vec![], vec![&empty, &empty]] {
        let found = Panel::fit(vec!["a".into(), "b".into()], &histories, &Settings::default());
        assert_eq!(
            (found.weights.values.as_slice(), found.strength),
            ([0.5, 0.5].as_slice(), f64::INFINITY)
        );
        assert_eq!(found.pool(&empty, Support::of(&[])).weights.values, [0.5, 0.5]);
    }
}
