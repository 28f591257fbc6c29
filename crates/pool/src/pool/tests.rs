use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::{Fold, Source};

fn walk(start: f64, count: usize, rng: &mut ChaCha8Rng) -> Paths {
    Paths::draw(6, count, |path| {
        let mut level = start;
        path.iter_mut().for_each(|value| {
            level += rng.sample::<f64, _>(StandardNormal);
            *value = level;
        });
    })
}

fn names() -> Vec<String> {
    vec!["good".into(), "bad".into()]
}

/// The first member is right, the second is 8 too high.
fn history(rng: &mut ChaCha8Rng) -> History {
    let folds = (0..12).map(|_| {
        let truth = walk(5.0, 1, rng).iter().next().unwrap().to_vec();
        let members = [5.0, 13.0].map(|start| Quantiles::of_paths(&walk(start, 200, rng)));
        Fold { members: members.to_vec(), truth }
    });
    History { folds: folds.collect(), scale: 1.0, disjoint: 12 }
}

#[test]
fn a_pool_learns_and_its_paths_have_its_quantiles() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let history = history(rng);
    let pool = Pool::fit(names(), &[&history], Support::of(&[]), &Settings::default());
    assert!(pool.weights.values[0] > 0.8, "{pool:?}");
    assert_eq!(pool.weights.source, Source::Learned { horizons: 12 });
    let members = [Some(walk(5.0, 400, rng)), Some(walk(13.0, 400, rng))];
    let quantiles: Vec<Option<Quantiles>> =
        members.iter().map(|paths| Quantiles::of_paths(paths.as_ref()?)).collect();
    let pooled = pool.combine(&quantiles).unwrap();
    let paths = pool.paths(&members, 1000, rng).unwrap();
    let drawn = Quantiles::of_paths(&paths).unwrap();
    for step in 0..6 {
        for level in [0.1, 0.5, 0.9] {
            assert!((drawn.at(step, level) - pooled.at(step, level)).abs() < 0.05);
        }
    }
}

#[test]
fn the_support_holds() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let support = Support { lower: Some(0.0), integer: true };
    let pool = Pool::fit(names(), &[], support, &Settings::default());
    assert_eq!(pool.weights.values, [0.5, 0.5]);
    let members = [Some(walk(0.0, 100, rng)), None];
    let paths = pool.paths(&members, 300, rng).unwrap();
    assert!(paths.iter().flatten().all(|value| *value >= 0.0 && value.fract() == 0.0));
    assert!(paths.iter().flatten().any(|value| *value > 0.0));
    assert_eq!(pool.paths(&[None, None], 10, rng), None);
    assert_eq!(pool.combine(&[None, None]), None);
    let broken = Paths::draw(6, 5, |path| path.fill(f64::NAN));
    assert_eq!(pool.paths(&[Some(broken), None], 10, rng), None);
}

/// Weight zero for all that have a forecast is no reason to have none.
#[test]
fn the_last_member_standing_forecasts() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let mut pool = Pool::fit(names(), &[], Support::of(&[]), &Settings::default());
    pool.weights.values = vec![1.0, 0.0];
    assert!(pool.paths(&[None, Some(walk(0.0, 50, rng))], 50, rng).is_some());
}
