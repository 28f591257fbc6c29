use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::{Fold, Quantiles};

/// Towards the prior as given.
fn flat(strength: f64) -> Shrinkage {
    Shrinkage { strength, tilt: 0.0 }
}

/// A uniform law of width 4 around a center.
fn around(center: f64) -> Option<Quantiles> {
    Quantiles::from_fn(1, |_, level| center + 4.0 * (LEVELS[level] - 0.5))
}

/// Truths `0.7 a + 0.3 b + noise`, and members centered at `a` and at `b`, all times `unit`.
fn mixture(seed: u64, folds: usize, unit: f64) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || rng.sample::<f64, _>(StandardNormal);
    let scaled = |q: Option<Quantiles>| {
        q.and_then(|q| Quantiles::from_fn(1, |_, level| unit * q.step(0)[level]))
    };
    let mut fold = || {
        let (a, b) = (3.0 * normal(), 3.0 * normal());
        let truth = 0.7 * a + 0.3 * b + normal();
        Fold { members: vec![scaled(around(a)), scaled(around(b))], truth: vec![unit * truth] }
    };
    History { folds: (0..folds).map(|_| fold()).collect(), scale: unit, disjoint: folds }
}

/// Oracle: the weight with which the truth was made; its error is that of a regression on `a − b`, whose standard
/// deviation is 3√2, of noise 1, a little larger for a quantile loss.
#[test]
fn known_weights_are_found() {
    let history = mixture(1, 1000, 1.0);
    let found = Weights::fit(&[&history], &[1.0, 1.0], &flat(0.0));
    let error = 1.5 / (3.0 * 2.0_f64.sqrt() * 1000.0_f64.sqrt());
    assert!((found.values[0] - 0.7).abs() < 4.0 * error, "{found:?}");
    assert_eq!(found.source, Source::Learned { horizons: 1000 });
    assert!(found.gap < 1e-3 * found.loss.unwrap());
}

#[test]
fn the_limits_of_the_penalty_are_the_prior_and_the_best() {
    let history = mixture(2, 30, 1.0);
    let prior = [0.2, 0.8];
    for shrink in [1e9, f64::INFINITY] {
        let stiff = Weights::fit(&[&history], &prior, &flat(shrink));
        assert!((stiff.values[0] - 0.2).abs() < 1e-6, "{stiff:?}");
    }
    // The first member knows the truth, the second is far off: nothing else counts.
    let fold =
        |truth: f64| Fold { members: vec![around(truth), around(truth + 9.0)], truth: vec![truth] };
    let history =
        History { folds: (0..20).map(|k| fold(f64::from(k))).collect(), scale: 1.0, disjoint: 20 };
    let free = Weights::fit(&[&history], &prior, &flat(0.0));
    assert!(free.values[0] > 0.99, "{free:?}");
    // Law: more shrinkage never lowers the loss on the folds.
    let losses = [0.0, 0.1, 1.0, 10.0]
        .map(|kappa| Weights::fit(&[&history], &prior, &flat(kappa)).loss.unwrap());
    assert!(losses.windows(2).all(|pair| pair[0] <= pair[1] + 1e-3), "{losses:?}");
}

#[test]
fn units_do_not_matter() {
    let (plain, large) = (mixture(3, 40, 1.0), mixture(3, 40, 1e6));
    let found =
        [&plain, &large].map(|history| Weights::fit(&[history], &[1.0, 1.0], &flat(0.2)).values);
    assert!((found[0][0] - found[1][0]).abs() < 1e-9, "{found:?}");
    // Two copies of a series are twice the evidence: half of the penalty.
    let panel = Weights::fit(&[&plain, &large], &[1.0, 1.0], &flat(0.4)).values;
    assert!((found[0][0] - panel[0]).abs() < 1e-6, "{found:?} {panel:?}");
    // A series in large units has no larger say.
    let others = [1.0, 1e6].map(|unit| mixture(11, 40, unit));
    let found = others.map(|other| Weights::fit(&[&plain, &other], &[1.0, 1.0], &flat(0.2)).values);
    assert!((found[0][0] - found[1][0]).abs() < 1e-9, "{found:?}");
}

#[test]
fn members_that_failed_get_nothing() {
    let mut history = mixture(4, 12, 1.0);
    history.push((0..12).map(|fold| around(f64::from(fold)).filter(|_| fold != 5)));
    let found = Weights::fit(&[&history], &[0.2, 0.2, 0.6], &flat(1e12));
    assert!(found.values[2] == 0.0 && (found.values[0] - 0.5).abs() < 1e-6, "{found:?}");
    history.folds[0].members = vec![None, None, None];
    let found = Weights::fit(&[&history], &[1.0; 3], &flat(1.0));
    assert_eq!((found.values, found.source), (vec![0.0; 3], Source::Prior));
}

#[test]
fn without_folds_the_weights_are_the_prior() {
    let empty = History { folds: Vec::new(), scale: 1.0, disjoint: 0 };
    let found = Weights::fit(&[&empty], &[3.0, 1.0], &flat(1.0));
    assert_eq!((found.values, found.source, found.loss), (vec![0.75, 0.25], Source::Prior, None));
    let mut unknown = mixture(5, 3, 1.0);
    unknown.folds.iter_mut().for_each(|fold| fold.truth = vec![f64::NAN]);
    assert_eq!(Weights::fit(&[&unknown], &[1.0, 1.0], &flat(1.0)).source, Source::Prior);
    assert_eq!(Weights::fit(&[], &[1.0], &flat(1.0)).values, [1.0]);
    assert_eq!(Weights::fit(&[&mixture(5, 3, 1.0)], &[], &flat(1.0)).values, [0.0; 0]);
    assert_eq!(Weights::equal(4).values, [0.25; 4]);
}

/// Law: what explodes ends without weight, and nothing is NaN.
#[test]
fn huge_forecasts_leave_finite_weights() {
    let mut history = mixture(6, 6, 1.0);
    history.push((0..6).map(|_| Quantiles::from_fn(1, |_, _| 1e300)));
    let found = Weights::fit(&[&history], &[1.0; 3], &flat(0.1));
    assert!(found.values.iter().all(|weight| weight.is_finite()), "{found:?}");
    assert!(found.values[2] < 1e-6, "{found:?}");
}

/// Oracle: with a stiff penalty the weights are the tilted prior, made of the members' own scores.
#[test]
fn the_prior_tilts_by_the_scores() {
    let history = mixture(7, 25, 1.0);
    let scores = [0, 1].map(|member| history.score_of(member).unwrap());
    let stiff = Shrinkage { strength: 1e12, tilt: 2.0 };
    let found = Weights::fit(&[&history], &[1.0, 3.0], &stiff).values;
    let expected = scores[1].powi(2) / (scores[1].powi(2) + 3.0 * scores[0].powi(2));
    assert!((found[0] - expected).abs() < 1e-6, "{found:?} {expected}");
}

/// Law: a member that is missing from one series of three keeps its part, and that series has no say in it.
#[test]
fn one_failure_in_a_panel_is_no_exclusion() {
    let mut panel = [mixture(8, 40, 1.0), mixture(9, 40, 1.0), mixture(10, 40, 1.0)];
    panel[2].folds.iter_mut().for_each(|fold| fold.members[0] = None);
    let fit = |panel: &[History]| {
        let histories: Vec<&History> = panel.iter().collect();
        Weights::fit(&histories, &[1.0, 1.0], &flat(0.0)).values
    };
    let (with, without) = (fit(&panel), fit(&panel[..2]));
    assert!((with[0] - without[0]).abs() < 0.02, "{with:?} {without:?}");
}
