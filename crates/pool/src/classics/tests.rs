use super::*;
use crate::{Pool, Settings, Support};

const CHEAP: [Method; 3] = [Method::SeasonalNaive, Method::Climatology, Method::Theta];
const EFFORT: Effort = Effort { folds: 6, paths: 60 };

/// A season of four with a trend and a little noise that any generator of this kind has.
fn sales(rows: usize) -> Vec<f64> {
    let noise = |row: usize| ((row * 7919) % 101) as f64 / 25.0;
    (0..rows).map(|row| 50.0 + row as f64 / 4.0 + 6.0 * (row % 4) as f64 + noise(row)).collect()
}

fn fit(values: &[f64]) -> Classics {
    let task = Task { values, seasons: &[4], horizon: 4 };
    Classics::fit(&task, &CHEAP, EFFORT, 3)
}

#[test]
fn threads_do_not_change_bits() {
    let series: Vec<Vec<f64>> = [40, 25, 60, 33].map(sales).to_vec();
    let tasks: Vec<Task> =
        series.iter().map(|values| Task { values, seasons: &[4], horizon: 4 }).collect();
    let [one, three] = [1, 3].map(|threads| {
        let all = Classics::fit_many(&tasks, &CHEAP, EFFORT, 9, threads, |_| true);
        all.into_iter().flatten().collect::<Vec<_>>()
    });
    // A series that is left out changes nothing of the others.
    let some = Classics::fit_many(&tasks, &CHEAP, EFFORT, 9, 2, |index| index == 2);
    assert!(some[0].is_none() && some[1].is_none());
    assert_eq!(some[2].as_ref().unwrap().history(), one[2].history());
    for (a, b) in one.iter().zip(&three) {
        assert_eq!(a.history(), b.history());
        assert_eq!(a.quantiles(50, 1), b.quantiles(50, 1));
    }
    assert_ne!(one[0].history(), one[2].history());
    assert_eq!(Classics::fit_many(&[], &CHEAP, EFFORT, 9, 2, |_| true).len(), 0);
}

/// A guard: what comes after an origin has no part in the forecast from there.
#[test]
fn no_fold_sees_its_future() {
    let known = sales(60);
    let plain = fit(&known);
    let origins = plain.layout().origins.clone();
    assert!(origins.len() >= 3, "{origins:?}");
    for (index, origin) in origins.iter().enumerate() {
        let mut changed = known.clone();
        changed[*origin..].iter_mut().for_each(|value| *value = 1e4);
        let other = fit(&changed);
        for fold in 0..=index {
            let (a, b) = (&plain.history().folds[fold], &other.history().folds[fold]);
            assert_eq!(a.members, b.members, "fold {fold} from {origin}");
        }
    }
}

#[test]
fn a_pool_of_classics_forecasts_what_repeats() {
    let values = sales(80);
    let mut classics = fit(&values[..76]);
    values[76..78].iter().for_each(|value| classics.observe(*value));
    let pool = Pool::fit(
        classics.names(),
        &[classics.history()],
        Support::of(&values),
        &Settings::default(),
    );
    let forecast = pool.combine(&classics.quantiles(400, 1)).unwrap();
    for (step, truth) in values[78..].iter().enumerate() {
        assert!((forecast.at(step, 0.5) - truth).abs() < 4.0, "{truth} {:?}", forecast.step(step));
    }
    let rng = &mut stream(1, 0);
    let paths = pool.paths(&classics.paths(200, 1), 100, rng).unwrap();
    assert_eq!((paths.horizon(), paths.iter().count()), (4, 100));
}

/// Law: whatever the series, there is an answer or none, and no panic.
#[test]
fn strange_series_break_nothing() {
    let spiky = |row: usize| if row % 17 == 3 { 1e300 } else { 0.0 };
    let strange: [Vec<f64>; 7] = [
        Vec::new(),
        vec![1.0],
        vec![f64::NAN; 30],
        vec![0.0; 50],
        vec![5.0; 12],
        (0..60).map(spiky).collect(),
        (0..40).map(|row| if row % 3 == 0 { f64::NAN } else { row as f64 }).collect(),
    ];
    for values in &strange {
        for horizon in [1, 5, 40] {
            let task = Task { values, seasons: &[4, 12], horizon };
            let classics = Classics::fit(&task, &Method::ALL, EFFORT, 1);
            let history = classics.history();
            let support = Support::of(values);
            let pool = Pool::fit(classics.names(), &[history], support, &Settings::default());
            assert!(pool.weights.values.iter().all(|weight| weight.is_finite()));
            let forecast = pool.combine(&classics.quantiles(50, 1));
            assert!(forecast.is_none_or(|q| q.iter().flatten().all(|value| value.is_finite())));
        }
    }
}
