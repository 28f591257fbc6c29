mod goldens;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::filter::{Gradient, Tape};
use super::form::{Kind, Trend};
use super::*;

/// Rows that rise, with a season of four and a gap.
fn rows() -> Vec<f64> {
    let mut values: Vec<f64> = (0..40)
        .map(|row| {
            let wiggle = f64::from(row * 7919 % 101) / 101.0 - 0.5;
            1.0 + 0.01 * f64::from(row) + [0.1, -0.2, 0.3, -0.2][row as usize % 4] + 0.2 * wiggle
        })
        .collect();
    values[17] = f64::NAN;
    values
}

/// The likeliest fit of a form.
fn best(form: Form, season: usize, values: &[f64], scale: Scale) -> Ets {
    let found = Ets::fit(form, season, values, scale).into_iter().map(|(_, fitted)| fitted);
    found.max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood)).unwrap()
}

/// Oracle: central differences of the run forward, for every form and every parameter.
#[test]
fn the_gradient_is_that_of_differences() {
    let values = rows();
    for form in Form::all(true, true) {
        let state = search::first(form, 4, &values).unwrap();
        let weights = Weights {
            alpha: 0.3,
            beta: if form.has_trend() { 0.1 } else { 0.0 },
            gamma: if form.has_season() { 0.2 } else { 0.0 },
            phi: if form.has_trend() { 0.9 } else { 0.0 },
        };
        let mut gradient = Gradient::default();
        let loss = Tape::default().loss(form, weights, &state, &values, &mut gradient);
        assert!((loss - filter::run(form, weights, &state, &values).loss).abs() < 1e-10);
        let slope = |change: &dyn Fn(&mut Weights, &mut State, f64)| {
            let at = |step: f64| {
                let (mut weights, mut state) = (weights, state.clone());
                change(&mut weights, &mut state, step);
                filter::run(form, weights, &state, &values).loss
            };
            (at(1e-6) - at(-1e-6)) / 2e-6
        };
        let mut pairs = vec![
            (gradient.weights.alpha, slope(&|w, _, step| w.alpha += step)),
            (gradient.level, slope(&|_, s, step| s.level += step)),
        ];
        if form.has_trend() {
            pairs.push((gradient.weights.beta, slope(&|w, _, step| w.beta += step)));
            pairs.push((gradient.weights.phi, slope(&|w, _, step| w.phi += step)));
            pairs.push((gradient.slope, slope(&|_, s, step| s.slope += step)));
        }
        if form.has_season() {
            pairs.push((gradient.weights.gamma, slope(&|w, _, step| w.gamma += step)));
            for phase in 0..4 {
                pairs.push((gradient.season[phase], slope(&|_, s, step| s.season[phase] += step)));
            }
        }
        for (found, wanted) in pairs {
            assert!(
                (found - wanted).abs() < 1e-5 * (1.0 + wanted.abs()),
                "{form:?}: {found} {wanted}"
            );
        }
    }
}

/// Oracle: the number of forms of the reference: fifteen with a season and positive values, three with neither.
#[test]
fn forms_are_those_of_the_book() {
    assert_eq!(Form::all(true, true).len(), 15);
    assert_eq!(Form::all(true, false).len(), 6);
    assert_eq!(Form::all(false, true).len(), 6);
    assert_eq!(Form::all(false, false).len(), 3);
    let size = Form { relative: true, trend: Trend::Damped, season: Kind::Multiplicative }.size(12);
    assert_eq!(size, 4 + 2 + 11 + 1);
}

const NONE: State = State { level: 0.0, slope: 0.0, season: Vec::new(), next: 0 };

/// A fitted form by hand, whose errors are ±1.
fn by_hand(trend: Trend, weights: Weights) -> Ets {
    Ets {
        scale: Scale::standard(&[]),
        form: Form { relative: false, trend, season: Kind::None },
        weights,
        state: State { season: vec![0.0], level: 10.0, slope: 0.5, ..NONE },
        residuals: vec![-1.0, 1.0],
        log_likelihood: 0.0,
    }
}

/// Oracle: by hand with α = 1/2 and the first level 10: errors 2 and −3, levels 11 and 9.5.
#[test]
fn simple_smoothing_is_that_of_hand() {
    let form = Form { relative: false, trend: Trend::None, season: Kind::None };
    let weights = Weights { alpha: 0.5, ..Weights::default() };
    let first = State { level: 10.0, season: vec![0.0], ..NONE };
    let run = filter::run(form, weights, &first, &[12.0, f64::NAN, 8.0]);
    assert_eq!(run.residuals, [2.0, -3.0]);
    assert_eq!(run.state.level, 9.5);
    assert!((run.loss - (13.0_f64 / 2.0).ln()).abs() < 1e-12);
}

/// Oracle: variances of the h-step forecast, `1 + (h − 1) α²` without a trend and `1 + Σ_{j<h} (α + β j)²` with one
/// (Hyndman et al. 2008, table 6.1), and the mean `l + h b`.
#[test]
fn paths_have_the_variance_of_the_form() {
    const PATHS: usize = 20_000;
    let (alpha, beta) = (0.4, 0.1);
    let plain = by_hand(Trend::None, Weights { alpha, ..Weights::default() });
    let sloped = by_hand(Trend::Additive, Weights { alpha, beta, gamma: 0.0, phi: 1.0 });
    for (model, beta, slope) in [(plain, 0.0, 0.0), (sloped, beta, 0.5)] {
        let paths = model.paths(8, PATHS, &mut ChaCha8Rng::seed_from_u64(4));
        for step in [0, 1, 7] {
            let h = (step + 1) as f64;
            let terms = (1..=step).map(|j| (alpha + beta * j as f64).powi(2));
            let variance = 1.0 + terms.sum::<f64>();
            let mean = paths.step(step).sum::<f64>() / PATHS as f64;
            let found = paths.step(step).map(|v| (v - mean).powi(2)).sum::<f64>() / PATHS as f64;
            let error = (variance / PATHS as f64).sqrt();
            assert!((mean - 10.0 - slope * h).abs() < 5.0 * error, "{step}: {mean}");
            // A sum of independent ±1 has at most the kurtosis of a Gaussian.
            let error = variance * (2.0 / PATHS as f64).sqrt();
            assert!((found - variance).abs() < 5.0 * error + 1e-9, "{step}: {found} {variance}");
        }
    }
}

#[test]
fn rows_observed_later_move_the_state_as_earlier_ones() {
    let values = rows();
    for form in Form::all(true, true) {
        let mut fitted = best(form, 4, &values[..30], Scale::ratio(&values[..30]));
        let worked: Vec<f64> = values[30..].iter().map(|value| fitted.scale.to(*value)).collect();
        let run = filter::run(form, fitted.weights, &fitted.state, &worked);
        values[30..].iter().for_each(|value| fitted.observe(*value));
        assert_eq!(fitted.state, run.state);
    }
}

/// Oracle: additive forms commute with a change of units.
#[test]
fn units_do_not_matter_to_additive_forms() {
    let values = rows();
    let other: Vec<f64> = values.iter().map(|value| 300.0 * value - 5000.0).collect();
    for form in Form::all(true, false) {
        let one = best(form, 4, &values, Scale::standard(&values));
        let two = best(form, 4, &other, Scale::standard(&other));
        let draw = |model: &Ets| model.paths(6, 20, &mut ChaCha8Rng::seed_from_u64(5));
        for (a, b) in draw(&one).iter().flatten().zip(draw(&two).iter().flatten()) {
            assert!((300.0 * a - 5000.0 - b).abs() < 0.1, "{form:?}: {a} {b}");
        }
        let off = one.log_likelihood - two.log_likelihood;
        assert!((off - 39.0 * 300.0_f64.ln()).abs() < 1e-3, "{off}");
    }
}

/// Oracle: a line with a season and no noise is continued exactly.
#[test]
fn a_series_without_noise_is_continued() {
    let truth = |row: usize| -3.0 + 0.5 * row as f64 + [1.0, -2.0, 4.0, -3.0][row % 4];
    let values: Vec<f64> = (0..40).map(truth).collect();
    let fitted = fit(&Past { values: &values, seasons: &[4] }).unwrap();
    for path in fitted.paths(8, 9, &mut ChaCha8Rng::seed_from_u64(5)).iter() {
        for (step, value) in path.iter().enumerate() {
            assert!(
                (value - truth(40 + step)).abs() < 0.02,
                "{step}: {value} {}",
                truth(40 + step)
            );
        }
    }
}
