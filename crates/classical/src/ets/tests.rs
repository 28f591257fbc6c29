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
